//! How does each feature of a spec turn into objects? The snapshots are a promise: a change of one rolls
//! nobody's pods (revisions are stored), but it is what every *new* revision gets.

use bluegreen_api::{Color, PerColor, ServiceGuards, ServiceStatus};
use bluegreen_core::desired::{
    LiveService, RevisionError, Selection, block_hash, color_service, covers, deployment, inputs_hash,
    live_service, recover, render, revision, selects, stored,
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::{Value, json};

use crate::smallest::*;

fn live<'a>() -> LiveService<'a> {
    LiveService {
        selects: Some(Color::Green),
        active: Some(Color::Green),
        served: PerColor { blue: Some(1), green: Some(4) },
        fence: "7.12",
        operator: "bluegreen-system/bluegreen-operator",
        had: ServiceStatus::default(),
    }
}

/// The addresses of a Service that is gone.
fn had(node_port: i32) -> ServiceStatus {
    let cluster_ip = Some("10.96.0.7".into());
    ServiceStatus { cluster_ip, node_port: Some(node_port), ..ServiceStatus::default() }
}

#[test]
fn what_does_a_color_of_the_smallest_app_become() {
    let app = app(json!({}));
    let stored = stored_of(&app, Color::Blue, 1);
    insta::assert_yaml_snapshot!("revision", revision(&app, Color::Blue, 1, &stored.rendered));
    insta::assert_yaml_snapshot!("deployment", deployment(&app, Color::Blue, &stored, 3, "7.12"));
    insta::assert_yaml_snapshot!("color_service", color_service(&app, Color::Blue, false));
}

#[test]
fn what_is_the_live_service_before_and_after_the_first_activation() {
    let app = app(json!({}));
    let before = LiveService { selects: None, active: None, served: PerColor::default(), ..live() };
    insta::assert_yaml_snapshot!("live_service_selects_nothing", live_service(&app, &before));
    insta::assert_yaml_snapshot!("live_service_green", live_service(&app, &live()));
}

#[test]
fn what_does_every_field_of_the_service_become() {
    let app = app(json!({
        "appProtocol": "kubernetes.io/h2c",
        "service": {
            "type": "LoadBalancer", "port": 80, "nodePort": 30080, "sessionAffinity": "ClientIP",
            "externalTrafficPolicy": "Local", "loadBalancerClass": "example.com/lb",
            "annotations": {"example.com/timeout": "60"},
        },
    }));
    insta::assert_yaml_snapshot!("live_service_everything", live_service(&app, &live()));
    insta::assert_yaml_snapshot!("color_service_app_protocol", color_service(&app, Color::Green, false));
}

#[test]
fn what_do_the_other_fields_of_the_service_become() {
    let app = app(json!({"service": {
        "type": "LoadBalancer", "labels": {"team": "shop", "bluegreen.dev/app": "other"},
        "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        "internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose",
        "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"],
        "loadBalancerSourceRanges": ["192.0.2.0/24"], "allocateLoadBalancerNodePorts": false,
    }}));
    insta::assert_yaml_snapshot!("live_service_other_fields", live_service(&app, &live()));
    // Of the colors' own Services, only what the proof needs: the families. The clients are the live Service's.
    insta::assert_yaml_snapshot!("color_service_families", color_service(&app, Color::Green, true));
}

#[test]
fn what_is_given_in_the_spec_is_not_taken_from_what_a_lost_service_had() {
    let guards: ServiceGuards = serde_json::from_value(json!({
        "loadBalancerSourceRanges": ["198.51.100.0/24"], "allocateLoadBalancerNodePorts": false,
    }))
    .unwrap();
    let had = ServiceStatus { guards, health_check_node_port: Some(31111), ..had(31234) };
    let restored = |service: Value| {
        live_service(&app(json!({"service": service})), &LiveService { had: had.clone(), ..live() })["spec"]
            .take()
    };
    let given = restored(json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"],
        "allocateLoadBalancerNodePorts": true, "externalTrafficPolicy": "Local"}));
    assert_eq!(given["loadBalancerSourceRanges"], json!(["192.0.2.0/24"]));
    assert_eq!(given["allocateLoadBalancerNodePorts"], true);
    assert_eq!(given["healthCheckNodePort"], 31111);
    let had = restored(json!({"type": "LoadBalancer"}));
    assert_eq!(had["loadBalancerSourceRanges"], json!(["198.51.100.0/24"]));
    assert_eq!(had["allocateLoadBalancerNodePorts"], false);
    assert_eq!(had.get("healthCheckNodePort"), None, "Kubernetes refuses it with the policy Cluster");
}

/// All of it but the pods: those change by the rule of their color alone.
#[test]
fn what_does_the_common_metadata_become() {
    let common = json!({"labels": {"team": "shop"}, "annotations": {"example.com/owner": "jane", "example.com/timeout": "1"}});
    let service = json!({"annotations": {"example.com/timeout": "60"}, "labels": {"team": "edge"}});
    let (before, after) = (app(json!({})), app(json!({"commonMetadata": common, "service": service})));
    let stored = stored_of(&after, Color::Blue, 1);
    assert_eq!(stored, stored_of(&before, Color::Blue, 1), "no pod depends on it");
    let bodies = [
        ("Service", live_service(&after, &live())),
        ("color Service", color_service(&after, Color::Blue, false)),
        ("Deployment", deployment(&after, Color::Blue, &stored, 3, "7.12")),
        ("revision", revision(&after, Color::Blue, 1, &stored.rendered)),
    ];
    let metadata: Vec<_> = bodies
        .iter()
        .map(|(what, body)| json!({(*what): [body["metadata"]["labels"], body["metadata"]["annotations"]]}))
        .collect();
    insta::assert_yaml_snapshot!("common_metadata", metadata);
    assert_eq!(bodies[2].1["spec"], deployment(&before, Color::Blue, &stored, 3, "7.12")["spec"]);
}

#[test]
fn what_do_extra_ports_become() {
    let app = app(json!({"service": {"type": "NodePort", "port": 80, "nodePort": 30080, "extraPorts": [
        {"name": "grpc", "port": 9090, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"},
        {"name": "sip", "port": 5060, "protocol": "UDP", "nodePort": 30060},
    ]}}));
    insta::assert_yaml_snapshot!("live_service_ports", live_service(&app, &live())["spec"]["ports"]);
    // No node port: those are the live Service's.
    insta::assert_yaml_snapshot!(
        "color_service_ports",
        color_service(&app, Color::Green, false)["spec"]["ports"]
    );
    let extra_node_ports = [("grpc".to_owned(), 31000), ("gone".to_owned(), 31001)].into();
    let had = ServiceStatus { extra_node_ports, ..had(31234) };
    let restored = live_service(&app, &LiveService { had, ..live() });
    let ports = restored["spec"]["ports"].as_array().unwrap();
    let numbers: Vec<_> = ports.iter().map(|port| port["nodePort"].clone()).collect();
    assert_eq!(numbers, [30080, 31000, 30060], "the spec wins, and the others ask for what they had");
}

#[test]
fn a_service_that_was_lost_asks_for_what_it_had() {
    let restored = |patch| live_service(&app(patch), &LiveService { had: had(31234), ..live() });
    let body = restored(json!({"service": {"nodePort": null}}));
    assert_eq!(body["spec"]["ports"][0]["nodePort"], 31234);
    assert_eq!(body["spec"]["clusterIP"], "10.96.0.7");
    assert_eq!(restored(json!({}))["spec"]["ports"][0]["nodePort"], 30007, "the spec wins");
    let inside = restored(json!({"service": {"type": "ClusterIP", "nodePort": null}}));
    assert_eq!(inside["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(inside["spec"].get("externalTrafficPolicy"), None);
}

#[test]
fn a_field_that_is_taken_out_of_the_spec_is_noticed() {
    let declared = |patch, live: &LiveService| live_service(&app(patch), live);
    for patch in [
        json!({"service": {"annotations": {"a": "b"}}}),
        json!({"appProtocol": "http"}),
        json!({"service": {"nodePort": 30008}}),
        json!({"service": {"labels": {"team": "shop"}}}),
        json!({"commonMetadata": {"labels": {"team": "shop"}}}),
        json!({"commonMetadata": {"annotations": {"a": "b"}}}),
        json!({"service": {"internalTrafficPolicy": "Local"}}),
        json!({"service": {"ipFamilyPolicy": "PreferDualStack"}}),
        json!({"service": {"extraPorts": [{"name": "grpc", "port": 9090, "appProtocol": "grpc"}]}}),
    ] {
        let before = declared(patch.clone(), &live());
        let after = declared(json!({}), &live());
        assert!(covers(&after, &before).is_err(), "{patch}");
    }
    // What differs from one moment to the next, or only while restoring, is not part of that.
    let annotation = |live: &LiveService| {
        declared(json!({"service": {"nodePort": null}}), live)["metadata"]["annotations"]["bluegreen.dev/declared"].take()
    };
    let other = LiveService {
        selects: None,
        active: None,
        served: PerColor::default(),
        fence: "8.1",
        operator: "a/b",
        had: had(30001),
    };
    assert_eq!(annotation(&live()), annotation(&other));
}

#[test]
fn what_does_an_overlay_become() {
    let app = app(json!({
        "green": {"env": [{"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "NEW", "value": "1"}]},
        "minReadySeconds": 5,
        "maxSurge": 1,
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "shop", "track": "stable"}, "annotations": {"example.com/scrape": "true"}},
            "spec": {
                "serviceAccountName": "hello",
                "imagePullSecrets": [{"name": "registry"}],
                "securityContext": {"runAsNonRoot": true},
                "tolerations": [{"key": "spot", "operator": "Exists"}],
                "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "64Mi"}}],
                "initContainers": [{"name": "wait", "image": "busybox:1"}],
                "containers": [
                    {"name": "proxy", "image": "envoy:1"},
                    {
                        "name": "app",
                        "imagePullPolicy": "Always",
                        "args": ["--color"],
                        "env": [{"name": "MODE", "value": "plain"}, {"name": "KEPT", "value": "yes"}],
                        "ports": [{"name": "metrics", "containerPort": 9090}],
                        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                        "resources": {"limits": {"memory": "64Mi"}},
                        "lifecycle": {"postStart": {"exec": {"command": ["true"]}}},
                        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
                    },
                ],
            },
        },
    }));
    insta::assert_yaml_snapshot!("overlay", render(&app, Color::Green).unwrap().deployment);
}

#[test]
fn what_has_a_container_of_its_color_without_saying_it_in_full() {
    let app = app(json!({
        "template": {"spec": {
            "initContainers": [{"name": "migrate", "args": ["migrate"]}],
            "containers": [
                {"name": "app", "env": [{"name": "DD_VERSION", "value": "$(BLUEGREEN_TAG)"}]},
                {"name": "worker", "args": ["worker", "--queue=$(BLUEGREEN_COLOR)"]},
                {"name": "proxy", "image": "envoy:1"},
            ],
        }},
        "green": {"env": [{"name": "SLOT", "value": "$(BLUEGREEN_COLOR)"}]},
    }));
    let pods = template_of(&app, Color::Green)["spec"].take();
    let parts: Vec<_> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| pods[*list].as_array().unwrap())
        .map(|container| json!({"name": container["name"], "image": container["image"], "env": container["env"]}))
        .collect();
    insta::assert_yaml_snapshot!("own_of_the_color", parts);
}

#[test]
fn which_image_runs() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    for (patch, image) in [
        (json!({}), "lyonger/cicd_test:v1.0.0".to_owned()),
        (json!({"blue": {"digest": digest}}), format!("lyonger/cicd_test:v1.0.0@{digest}")),
        (json!({"blue": {"tag": null, "digest": digest}}), format!("lyonger/cicd_test@{digest}")),
        (json!({"blue": {"image": "localhost:5000/x"}}), "localhost:5000/x:v1.0.0".to_owned()),
    ] {
        let app = app(patch);
        assert_eq!(stored_of(&app, Color::Blue, 1).image(), Some(image.as_str()));
    }
    assert_eq!(render(&app(json!({"green": null})), Color::Green), None);
}

#[test]
fn which_probe_the_pods_get() {
    for (patch, probe) in [
        (json!(null), json!({"httpGet": {"path": "/", "port": 8888}})),
        (
            json!({"httpGet": null, "periodSeconds": 3}),
            json!({"httpGet": {"path": "/", "port": 8888}, "periodSeconds": 3}),
        ),
        (json!({"httpGet": {"path": null}}), json!({"httpGet": {"path": "/", "port": 8888}})),
        (
            json!({"httpGet": {"path": "/healthz", "port": "admin", "scheme": "HTTPS", "host": "x", "httpHeaders": [{"name": "a", "value": "b"}]}}),
            json!({"httpGet": {"path": "/healthz", "port": "admin", "scheme": "HTTPS", "host": "x", "httpHeaders": [{"name": "a", "value": "b"}]}}),
        ),
        (json!({"httpGet": null, "tcpSocket": {}}), json!({"tcpSocket": {"port": 8888}})),
        (json!({"httpGet": null, "grpc": {}}), json!({"grpc": {"port": 8888}})),
        (
            json!({"httpGet": null, "grpc": {"port": 1, "service": "s"}}),
            json!({"grpc": {"port": 1, "service": "s"}}),
        ),
        (
            json!({"httpGet": null, "exec": {"command": ["a", "b"]}, "initialDelaySeconds": 0, "timeoutSeconds": 2, "successThreshold": 4, "failureThreshold": 5}),
            json!({"exec": {"command": ["a", "b"]}, "initialDelaySeconds": 0, "timeoutSeconds": 2, "successThreshold": 4, "failureThreshold": 5}),
        ),
    ] {
        let template = template_of(&app(json!({"readinessProbe": patch})), Color::Blue);
        assert_eq!(template["spec"]["containers"][0]["readinessProbe"], probe, "{patch}");
    }
}

#[test]
fn the_sleep_before_the_end_always_fits_into_the_grace_period() {
    let lifecycle = |lifecycle: Value| json!([{"name": "app", "lifecycle": lifecycle}]);
    for (patch, sleep, grace) in [
        (json!({}), Some(5), 35),
        (json!({"drainSeconds": 0}), None, 30),
        (json!({"drainSeconds": 2}), Some(2), 30),
        (json!({"drainSeconds": 600}), Some(5), 605),
        (json!({"template": {"spec": {"terminationGracePeriodSeconds": 3}}}), Some(3), 3),
        (json!({"template": {"spec": {"terminationGracePeriodSeconds": 0}}}), None, 0),
        (
            json!({"template": {"spec": {"containers": lifecycle(json!({"preStop": {"sleep": {"seconds": 60}}}))}}}),
            Some(60),
            90,
        ),
        (
            json!({"template": {"spec": {"containers": lifecycle(json!({"postStart": {"exec": {}}}))}}}),
            Some(5),
            35,
        ),
    ] {
        let template = template_of(&app(patch.clone()), Color::Blue);
        let pre_stop = &template["spec"]["containers"][0]["lifecycle"]["preStop"];
        assert_eq!(pre_stop["sleep"]["seconds"].as_i64(), sleep, "{patch}");
        assert_eq!(template["spec"]["terminationGracePeriodSeconds"], grace, "{patch}");
    }
    let own = app(
        json!({"template": {"spec": {"containers": lifecycle(json!({"preStop": {"exec": {"command": ["x"]}}}))}}}),
    );
    let container = template_of(&own, Color::Blue)["spec"]["containers"][0].take();
    assert_eq!(
        container["lifecycle"]["preStop"],
        json!({"exec": {"command": ["x"]}}),
        "its own, and only that"
    );
}

#[test]
fn nothing_in_an_overlay_can_take_a_pod_out_of_its_selector() {
    let app = app(json!({"template": {"metadata": {"labels": {
        "bluegreen.dev/app": "other", "bluegreen.dev/color": "green", "bluegreen.dev/revision": "99"}}}}));
    let body = deployment(&app, Color::Blue, &stored_of(&app, Color::Blue, 4), 1, "7.1");
    let labels = &body["spec"]["template"]["metadata"]["labels"];
    for (key, value) in body["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[key], value);
    }
    assert_eq!(labels["bluegreen.dev/revision"], "4");
    assert_eq!(labels.get("bluegreen.dev/fence"), None, "a new token must not roll the pods");
    assert_eq!(body["metadata"].get("annotations"), None, "nor bump the Deployment's generation");
}

/// The model found it: a delete of the revision that came late, after the block had come back with another tag. What was
/// recovered then passed for the new tag, and could be switched to.
#[test]
fn is_an_edit_still_seen_when_the_revision_that_it_changed_was_lost() {
    let before = app(json!({}));
    let stored = stored_of(&before, Color::Blue, 1);
    let running = serde_json::from_value(deployment(&before, Color::Blue, &stored, 2, "7.1")).unwrap();
    let after = app(json!({"blue": {"tag": "v9"}}));

    let recovered = recover(&after, Color::Blue, &running).unwrap();
    assert_eq!(Some(&recovered.block), block_hash(&before.spec, Color::Blue).as_ref());
    assert_ne!(Some(&recovered.block), block_hash(&after.spec, Color::Blue).as_ref());
    assert_eq!(recovered.inputs, stored.rendered.inputs);
}

#[test]
fn a_revision_reads_back_as_it_was_written() {
    let app = app(json!({}));
    let written = stored_of(&app, Color::Green, 7);
    let body = revision(&app, Color::Green, 7, &written.rendered);
    let object: ControllerRevision = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(stored(&object), Ok(written));

    for (pointer, error) in [
        ("/data", RevisionError::Empty),
        ("/data/block", RevisionError::Field("data.block")),
        ("/data/inputs", RevisionError::Field("data.inputs")),
        ("/data/deployment", RevisionError::Field("data.deployment.template")),
        ("/data/deployment/template/spec/containers", RevisionError::Field("data.deployment.template")),
    ] {
        let mut damaged = body.clone();
        *damaged.pointer_mut(pointer).unwrap() = Value::Null;
        let object: ControllerRevision = serde_json::from_value(damaged).unwrap();
        assert_eq!(stored(&object), Err(error), "{pointer}");
    }
}

#[test]
fn each_edit_renders_the_colors_anew_that_it_should() {
    let before = stored_of(&app(json!({})), Color::Blue, 1).rendered;
    // Is the block the same, and would the pods be?
    let same = |patch: Value| {
        let spec = app(patch).spec;
        (
            block_hash(&spec, Color::Blue).as_ref() == Some(&before.block),
            before.has_pods_of(&spec, Color::Blue),
        )
    };
    for patch in [
        json!({"blue": {"tag": "v9"}}),
        json!({"blue": {"revision": "2"}}),
        json!({"blue": {"env": [{"name": "A"}]}}),
        json!({"blue": {"image": "other"}}),
    ] {
        assert_eq!(same(patch.clone()), (false, false), "{patch}: the color's own");
    }
    for patch in [
        json!({"image": "other"}),
        json!({"port": 1}),
        json!({"portName": "web"}),
        json!({"readinessProbe": {"httpGet": {"path": "/x"}}}),
        json!({"template": {"metadata": {"labels": {"a": "b"}}}}),
    ] {
        assert_eq!(same(patch.clone()), (true, false), "{patch}: shared");
    }
    for patch in [
        json!({"active": "green"}),
        json!({"green": {"tag": "v9"}}),
        json!({"replicas": 9, "standby": {"replicas": 1}}),
        json!({"service": {"port": 80}, "appProtocol": "http"}),
        json!({"service": {"extraPorts": [{"name": "a", "port": 1}]}, "commonMetadata": {"labels": {"a": "b"}}}),
        json!({"activeUpdatePolicy": "RollingUpdate", "paused": true}),
        json!({"minReadySeconds": 1, "progressDeadlineSeconds": 601, "drainSeconds": 31, "maxSurge": 1}),
    ] {
        assert_eq!(same(patch.clone()), (true, true), "{patch}: none of its business");
    }
}

/// So that an upgrade of the operator leaves the pods alone, also of a color that was rendered before its settings changed.
#[test]
fn a_revision_of_an_earlier_release_is_compared_with_the_settings_that_it_was_rendered_with() {
    let slow =
        app(json!({"minReadySeconds": 7, "progressDeadlineSeconds": 900, "drainSeconds": 60, "maxSurge": 1}));
    let mut before = stored_of(&slow, Color::Blue, 1).rendered;
    before.drain_seconds = None;
    assert!(before.has_pods_of(&slow.spec, Color::Blue));
    let edited = |patch: Value| {
        let mut spec = slow.spec.clone();
        (spec.min_ready_seconds, spec.max_surge) = (0, app(json!({})).spec.max_surge);
        spec.progress_deadline_seconds = 1200;
        spec.template = app(patch).spec.template;
        spec
    };
    assert!(before.has_pods_of(&edited(json!({})), Color::Blue));
    assert!(
        !before.has_pods_of(&edited(json!({"template": {"metadata": {"labels": {"a": "b"}}}})), Color::Blue)
    );
}

#[test]
fn the_hashes_are_the_ones_that_earlier_releases_wrote() {
    let spec = app(json!({})).spec;
    insta::assert_yaml_snapshot!(
        "hashes",
        json!({
            "block": block_hash(&spec, Color::Blue), "inputs": inputs_hash(&spec, Color::Blue),
        })
    );
}

#[test]
fn what_a_selector_selects() {
    let service = |selector: Value| serde_json::from_value(json!({"spec": {"selector": selector}})).unwrap();
    for (selector, selection) in [
        (json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "blue"}), Selection::Color(Color::Blue)),
        (
            json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "green"}),
            Selection::Color(Color::Green),
        ),
        (json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "none"}), Selection::None_),
        (json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "red"}), Selection::Foreign),
        (json!({"bluegreen.dev/app": "other", "bluegreen.dev/color": "blue"}), Selection::Foreign),
        (json!({"bluegreen.dev/color": "blue"}), Selection::Foreign),
        (json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "blue", "x": "y"}), Selection::Foreign),
        (json!({}), Selection::Foreign),
        (json!(null), Selection::Foreign),
    ] {
        assert_eq!(selects(&service(selector.clone()), "hello"), selection, "{selector}");
    }
    for color in [None, Some(Color::Blue), Some(Color::Green)] {
        let body = live_service(&app(json!({})), &LiveService { selects: color, ..live() });
        let selection = selects(&serde_json::from_value(body).unwrap(), "hello");
        assert_eq!(selection, color.map_or(Selection::None_, Selection::Color));
    }
}

#[test]
fn every_child_belongs_to_the_app_and_copies_nothing_of_it() {
    let app = app(json!({}));
    let stored = stored_of(&app, Color::Blue, 1);
    for body in [
        revision(&app, Color::Blue, 1, &stored.rendered),
        deployment(&app, Color::Blue, &stored, 1, "7.1"),
        color_service(&app, Color::Blue, false),
        live_service(&app, &live()),
    ] {
        let metadata = &body["metadata"];
        assert_eq!(metadata["namespace"], "shop");
        assert_eq!(metadata["labels"]["bluegreen.dev/app"], "hello");
        assert_eq!(
            metadata["ownerReferences"],
            json!([{
                "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello",
                "uid": "11111111-2222-3333-4444-555555555555", "controller": true,
            }])
        );
        assert!(!body.to_string().contains("never-copied"));
    }
}
