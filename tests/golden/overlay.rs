//! Is every overlay, however odd, completed into one pod template that Kubernetes accepts?

use bluegreen_api::{Color, Template};
use bluegreen_core::desired::{covers, deployment};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::smallest::*;

/// Overlays with and without each part that the operator completes.
fn overlays() -> impl Strategy<Value = Value> {
    let env = prop::sample::subsequence(vec!["A", "B", "MODE"], 0..=3).prop_map(|names| {
        json!(names.iter().map(|name| json!({"name": name, "value": "overlay"})).collect::<Vec<_>>())
    });
    let lifecycle = prop_oneof![
        Just(json!(null)),
        Just(json!({"postStart": {"exec": {"command": ["x"]}}})),
        (1..100_i64).prop_map(|seconds| json!({"preStop": {"sleep": {"seconds": seconds}}})),
        Just(json!({"preStop": {"httpGet": {"port": 1}}})),
    ];
    let ports = prop::sample::subsequence(vec![8888, 9090], 0..=2).prop_map(|ports| {
        json!(ports.iter().map(|port| json!({"containerPort": port, "name": "http"})).collect::<Vec<_>>())
    });
    let app_container = (env, lifecycle, ports)
        .prop_map(|(env, lifecycle, ports)| json!({"name": "app", "image": "no", "env": env, "lifecycle": lifecycle, "ports": ports}));
    let sidecar = Just(json!({"name": "sidecar", "image": "x:1"}));
    let containers = prop_oneof![
        Just(json!([])),
        sidecar.clone().prop_map(|sidecar| json!([sidecar])),
        app_container.clone().prop_map(|app| json!([app])),
        (sidecar, app_container).prop_map(|(sidecar, app)| json!([sidecar, app])),
    ];
    let grace = prop_oneof![Just(json!(null)), (0..100_i64).prop_map(Value::from)];
    let labels = prop::sample::subsequence(vec!["a", "bluegreen.dev/color", "app.kubernetes.io/name"], 0..=3)
        .prop_map(|keys| {
            keys.iter().map(|key| ((*key).to_owned(), json!("x"))).collect::<serde_json::Map<_, _>>()
        });
    (containers, grace, labels).prop_map(|(containers, grace, labels)| {
        json!({"metadata": {"labels": labels}, "spec": {"containers": containers, "terminationGracePeriodSeconds": grace}})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn completing_a_completed_overlay_changes_nothing(overlay in overlays(), drain in 0..120_i32) {
        let mut first = app(json!({"drainSeconds": drain, "blue": {"env": [{"name": "MODE", "value": "color"}]}}));
        first.spec.template = Some(serde_json::from_value(overlay).unwrap());
        let once = template_of(&first, Color::Blue);
        let mut second = first.clone();
        second.spec.template = Some(serde_json::from_value::<Template>(once.clone()).unwrap());
        prop_assert_eq!(&template_of(&second, Color::Blue), &once);

        // And it is always one that Kubernetes accepts.
        let containers = once["spec"]["containers"].as_array().unwrap();
        let apps: Vec<_> = containers.iter().filter(|container| container["name"] == "app").collect();
        prop_assert_eq!(apps.len(), 1);
        prop_assert_eq!(&apps[0]["image"], "lyonger/cicd_test:v1.0.0");
        let http: Vec<_> = apps[0]["ports"].as_array().unwrap().iter().filter(|port| port["name"] == "http").collect();
        prop_assert_eq!(http.len(), 1);
        let mode: Vec<_> = apps[0]["env"].as_array().unwrap().iter().filter(|variable| variable["name"] == "MODE").collect();
        prop_assert_eq!(mode.len(), 1);
        prop_assert_eq!(&mode[0]["value"], "color");
    }

    #[test]
    fn a_deployment_covers_itself(overlay in overlays()) {
        let mut app = app(json!({}));
        app.spec.template = Some(serde_json::from_value(overlay).unwrap());
        let body = deployment(&app, Color::Green, &stored_of(&app, Color::Green, 2), 3, "7.1");
        prop_assert_eq!(covers(&body, &body), Ok(()));
    }
}
