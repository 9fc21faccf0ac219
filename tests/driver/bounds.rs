//! What the operator does with answers that say no, or not yet.

use bluegreen_apiserver::{Fault, Kind, Verb};
use bluegreen_operator::api::Color::Green;
use serde_json::json;

use crate::rig::{Rig, spec};

/// A template that the API server refuses stalls the app, with the API server's words and an Event.
#[tokio::test(start_paused = true)]
async fn a_target_that_is_refused_stalls_the_app_with_the_words_of_the_api_server() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.fault(|request| {
        let edits =
            request.is(Verb::Apply, Kind::Deployment, "hello-green") && !request.body["spec"].is_null();
        edits.then(|| Fault::answer(422, "Deployment.apps \"hello-green\" is invalid: bad label"))
    });
    rig.edit(|spec| {
        spec["active"] = json!("green");
        spec["green"]["tag"] = json!("v3");
    });
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Refused");
    assert!(rig.condition("Stalled").message.contains("bad label"));
    assert_eq!(rig.world().selects("hello"), "blue");
    let blocked = rig.events().await;
    assert!(blocked.iter().any(|event| event.starts_with("Warning SwitchBlocked: Refused:")), "{blocked:?}");

    rig.server.no_faults();
    rig.edit(|spec| spec["green"]["tag"] = json!("v4"));
    rig.settle().await;
    assert!(rig.world().serves("hello", Green));
    rig.finish();
}
