//! What is called stalled, and what is not.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

const SECOND: Duration = Duration::from_secs(1);

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Ten pods, one more of them ready each second, with a deadline of five seconds for each step.
#[tokio::test]
async fn a_switch_that_makes_progress_is_not_stalled() {
    let slow = json!({ "replicas": 10, "progressDeadlineSeconds": 5, "standby": { "replicas": 0 } });
    let mut rig = Rig::serving(spec_with(slow)).await;
    rig.activate(Green);
    for ready in 0..10 {
        rig.controllers.ready("hello-green", ready);
        rig.run(SECOND).await;
        assert_eq!(
            rig.condition("Stalled").reason,
            "",
            "{ready} of 10 pods are ready: {:#}",
            rig.app()["status"]
        );
    }
    rig.controllers.heal("hello-green");
    rig.run(SECOND).await;
    assert_eq!(rig.status().active, Some(Green));
    rig.finish();
}

/// The idle color is warm, and a new tag comes with the switch: its old pods are no progress of the new revision, and must not
/// make that of its new pods invisible.
#[tokio::test]
async fn a_new_tag_that_comes_with_the_switch_and_makes_progress_is_not_stalled() {
    let slow = json!({ "replicas": 10, "progressDeadlineSeconds": 5, "maxSurge": "100%" });
    let mut rig = Rig::serving(spec_with(slow)).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    for ready in 0..10 {
        rig.controllers.ready("hello-green", ready);
        rig.run(SECOND).await;
        assert_eq!(rig.condition("Stalled").reason, "", "{ready} of 10: {:#}", rig.app()["status"]);
    }
    rig.controllers.heal("hello-green");
    rig.run(SECOND * 3).await;
    assert_eq!(rig.status().active, Some(Green));
}

#[tokio::test]
async fn a_switch_without_progress_is_stalled_after_its_deadline_and_not_before() {
    let mut rig = Rig::serving(spec_with(json!({ "progressDeadlineSeconds": 10 }))).await;
    rig.controllers.ready("hello-green", 1);
    rig.deploy(Green, "v3");
    rig.run(SECOND * 8).await;
    assert_eq!(rig.condition("Stalled").reason, "", "{:#}", rig.app()["status"]);
    rig.run(SECOND * 4).await;
    assert_eq!(rig.says("Stalled"), "True/ProgressDeadlineExceeded");
    assert_eq!(rig.world().selects(APP), "blue");
    assert!(rig.condition("Stalled").message.contains("green"));
    assert!(!rig.world().ready(APP) && rig.condition("Reconciling").status.is_empty());

    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn giving_up_on_a_broken_target_ends_the_stall() {
    let mut rig = Rig::serving(spec_with(json!({ "progressDeadlineSeconds": 10 }))).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.run(SECOND * 12).await;
    assert_eq!(rig.says("Stalled"), "True/ProgressDeadlineExceeded");
    rig.activate(Blue);
    rig.run(SECOND * 2).await;
    assert!(rig.world().serves(APP, Blue), "blue is all that is asked for");
    assert!(rig.says("StandbyReady").starts_with("False/"));
    assert_eq!(rig.switches().len(), 1);
    rig.finish();
}

#[tokio::test]
async fn a_first_activation_that_never_gets_ready_recovers_when_it_is_mended() {
    let mut rig = Rig::new(spec_with(json!({ "progressDeadlineSeconds": 10 })));
    rig.controllers.ready("hello-blue", 0);
    rig.run(SECOND * 12).await;
    assert_eq!(rig.says("Stalled"), "True/ProgressDeadlineExceeded");
    assert_eq!(rig.world().selects(APP), "none");
    rig.edit(|spec| spec["blue"]["tag"] = json!("v1.1"));
    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.served(), ["team/hello:v1.1"]);
    rig.finish();
}

/// Generation 2 is refused, generation 3 is well: nothing that is said of generation 3 may speak of the refusal.
#[tokio::test]
async fn a_refusal_that_is_over_is_not_told_of_the_generation_that_mends_it() {
    let mut rig = Rig::serving(spec()).await;
    rig.refuse_edits("hello-green", 422, "Deployment.apps \"hello-green\" is invalid: bad label");
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Refused");

    rig.server.no_faults();
    rig.edit(|spec| spec["green"]["tag"] = json!("v4"));
    let mended = rig.app()["metadata"]["generation"].clone();
    rig.settle().await;
    for change in rig.server.history().iter().filter(|change| change.kind == Kind::App) {
        let status = &change.object["status"];
        if status["observedGeneration"] == mended {
            assert!(!status.to_string().contains("Refused"), "{status:#}");
        }
    }
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn a_switch_whose_endpoints_never_move_is_stalled() {
    let deadline = json!({ "progressDeadlineSeconds": 10 });
    // The target is warm, or comes up during the switch.
    for standby in [json!({}), json!({ "replicas": 0 })] {
        let mut spec = spec_with(deadline.clone());
        if standby != json!({}) {
            spec["standby"] = standby;
        }
        let mut rig = Rig::serving(spec).await;
        rig.controllers.hold_endpoints(APP);
        rig.activate(Green);
        rig.run(SECOND * 5).await;
        assert_eq!(rig.status().active, Some(Green));
        assert_eq!(rig.condition("Stalled").reason, "", "it has ten seconds");
        rig.run(SECOND * 10).await;
        assert_eq!(rig.says("Stalled"), "True/ProgressDeadlineExceeded");
        rig.controllers.release_endpoints(APP);
        rig.run(SECOND).await;
        assert!(rig.world().serves(APP, Green));
    }
}

/// A mesh's slice on the live Service, or one made by hand as the Kubernetes documentation shows it: with the Service's name
/// alone, so that no watch tells of it.
#[tokio::test]
async fn a_foreign_slice_is_named_from_the_start_and_never_waited_for() {
    for labels in [json!({}), json!({ "bluegreen.dev/app": APP }), json!({ MANAGED_BY: "a-mesh" })] {
        let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": 5 }))).await;
        let mut labels = labels;
        labels["kubernetes.io/service-name"] = json!(APP);
        rig.server.create(
            Kind::Slice,
            json!({
                "metadata": { "name": "by-hand", "labels": labels }, "addressType": "IPv4",
                "endpoints": [{ "addresses": ["192.0.2.99"], "conditions": { "ready": true } }],
            }),
        );
        rig.activate(Green);
        rig.run(SECOND * 2).await;
        let named = |rig: &Rig| rig.condition("Ready").message.contains("EndpointSlice by-hand");
        assert!(named(&rig), "{:?}", rig.condition("Ready"));
        assert_eq!(rig.app()["status"]["phase"], "Draining", "{:#}", rig.app()["status"]);
        rig.run(SECOND * 5).await;
        assert!(rig.world().settled(APP) && rig.says("Ready") == "True/Serving" && named(&rig));
        let told = rig.events().await;
        assert!(told.iter().any(|event| event.starts_with("Warning ForeignEndpoints:")), "{told:?}");
        let before = rig.server.version();
        rig.run(SECOND * 5).await;
        assert_eq!(rig.server.version(), before, "nothing is written at rest");

        rig.server.delete(Kind::Slice, "by-hand");
        rig.run(SECOND).await;
        assert!(!named(&rig));
        rig.finish();
    }
}

/// Whoever waits for the idle color must be told that waiting is of no use.
#[tokio::test]
async fn an_idle_color_that_passed_its_deadline_is_called_failed() {
    let mut rig = Rig::serving(spec_with(json!({ "progressDeadlineSeconds": 10 }))).await;
    rig.controllers.ready("hello-green", 0);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    assert_eq!(rig.says("StandbyReady"), "False/NotReady");
    rig.advance(SECOND * 11);
    rig.settle().await;
    assert_eq!(rig.says("StandbyReady"), "False/ProgressDeadlineExceeded");
    assert_eq!(rig.says("Ready"), "True/Serving", "what serves is not concerned");
    assert_eq!(rig.condition("Stalled").reason, "");
    rig.finish();
}

/// The label of a later term, put there by hand while this operator leads.
#[tokio::test]
async fn a_forged_fence_stalls_the_app_and_says_what_to_do() {
    let mut rig = Rig::serving(spec()).await;
    let forged = json!({ "metadata": { "labels": { "bluegreen.dev/fence": "0a1b2c3d.99.0" } } });
    rig.server.patch(Kind::Deployment, "hello-green", &forged);
    rig.activate(Green);
    rig.settle().await;
    let stalled = rig.condition("Stalled");
    assert_eq!(stalled.status, "True", "{:#}", rig.app()["status"]);
    assert!(stalled.message.contains("bluegreen.dev/fence"), "{stalled:?}");
    assert_eq!(rig.world().selects(APP), "blue");

    // The remedy.
    let without = json!({ "metadata": { "labels": { "bluegreen.dev/fence": Value::Null } } });
    rig.server.patch(Kind::Deployment, "hello-green", &without);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}
