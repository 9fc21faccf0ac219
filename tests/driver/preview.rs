//! The Service of the idle color (`spec.service.preview`).

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Verb};
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

const PREVIEW: &str = "hello-preview";

/// The color that a Service selects.
fn selects(rig: &Rig, service: &str) -> Option<Value> {
    let service = rig.server.get(Kind::Service, service)?;
    Some(service["spec"]["selector"]["bluegreen.dev/color"].clone())
}

fn with_preview() -> Value {
    spec_with(json!({ "service": { "type": "ClusterIP", "preview": true } }))
}

#[tokio::test]
async fn it_follows_each_switch_and_goes_with_the_spec() {
    let mut rig = Rig::serving(with_preview()).await;
    assert_eq!(selects(&rig, PREVIEW), Some(json!("green")));
    for (color, idle) in [(Green, "blue"), (Blue, "green")] {
        let _ = rig.server.take_log();
        rig.activate(color);
        rig.settle().await;
        assert!(rig.world().serves(APP, color));
        assert_eq!(selects(&rig, PREVIEW), Some(json!(idle)));
        // After the switch, and once.
        let writes: Vec<String> =
            rig.writes().into_iter().filter(|write| write.contains("Service")).collect();
        let [switch, preview] = writes.as_slice() else { panic!("{writes:?}") };
        assert!(!switch.contains(PREVIEW) && preview.contains(PREVIEW), "{writes:?}");
    }
    // Ports and common metadata follow, and what somebody has edited is put back.
    rig.edit(|spec| {
        spec["service"]["extraPorts"] = json!([{ "name": "dns", "port": 53, "protocol": "UDP" }]);
        spec["commonMetadata"] = json!({ "labels": { "team": "a" } });
    });
    rig.server.patch(
        Kind::Service,
        PREVIEW,
        &json!({ "spec": { "selector": { "bluegreen.dev/color": "blue" } } }),
    );
    rig.settle().await;
    let service = rig.server.get(Kind::Service, PREVIEW).unwrap();
    assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(2));
    assert_eq!(service["metadata"]["labels"]["team"], "a");
    assert_eq!(selects(&rig, PREVIEW), Some(json!("green")));

    rig.edit(|spec| spec["service"]["preview"] = json!(false));
    rig.settle().await;
    assert_eq!(selects(&rig, PREVIEW), None);
    assert!(rig.world().settled(APP));
    rig.finish();
}

/// Whatever becomes of it: no switch waits for it.
#[tokio::test]
async fn a_switch_does_not_wait_for_a_preview_that_is_refused() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.fault(|request| {
        request.is(Verb::Apply, Kind::Service, PREVIEW).then(|| Fault::answer(403, "exceeded quota"))
    });
    rig.edit(|spec| spec["service"] = json!({ "type": "ClusterIP", "preview": true }));
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving", "it concerns the idle color alone");
    assert!(rig.condition("StandbyReady").message.contains("quota"), "{:?}", rig.condition("StandbyReady"));
    for color in [Green, Blue] {
        rig.activate(color);
        rig.settle().await;
        assert!(rig.world().selects(APP) == color.as_str());
    }
    rig.finish();
}

/// Somebody else's Service has its name.
#[tokio::test]
async fn a_service_of_somebody_else_is_left_alone_and_told_and_holds_up_no_switch() {
    let mut rig = Rig::serving(spec()).await;
    let foreign = json!({ "metadata": { "name": PREVIEW }, "spec": { "ports": [{ "port": 1 }], "selector": { "a": "b" } } });
    rig.server.create(Kind::Service, foreign);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving", "nobody asked for a preview");
    rig.edit(|spec| spec["service"]["preview"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/NameConflict");
    assert!(rig.condition("Stalled").message.contains("Service hello-preview exists"));
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(rig.server.get(Kind::Service, PREVIEW).unwrap()["spec"]["selector"], json!({ "a": "b" }));
    rig.edit(|spec| spec["service"]["preview"] = json!(false));
    rig.settle().await;
    assert!(rig.server.get(Kind::Service, PREVIEW).is_some(), "it is not ours to delete");
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}
