//! What the API server does not take as it is.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Verb};
use serde_json::json;

use crate::rig::{APP, Rig, spec, spec_with};

/// As the API server answers a label that is none.
fn refuse_bad_labels(rig: &Rig) {
    rig.server.fault(|request| {
        let deployment = request.is(Verb::Apply, Kind::Deployment, "");
        let bad = request.body["spec"]["template"]["metadata"]["labels"]["team"] == "no such value!";
        (deployment && bad).then(|| Fault::answer(422, "Deployment.apps is invalid: \"no such value!\""))
    });
}

/// Ways in which the API server says that it will never carry out a write. The second is server-side apply's, of a field that
/// this version of Kubernetes does not know, or of a key that is twice in a list.
const REFUSALS: [(u16, &str); 3] = [
    (422, "Deployment.apps \"hello-green\" is invalid: bad label"),
    (
        500,
        "failed to create typed patch object (n/hello-green; apps/v1, Kind=Deployment): \
         .spec.template.spec.hostnameOverride: field not declared in schema",
    ),
    (500, "admission webhook \"policy.example.com\" denied the request: no"),
];

fn refused() -> serde_json::Value {
    json!({ "metadata": { "labels": { "team": "no such value!" } } })
}

fn accepted() -> serde_json::Value {
    json!({ "metadata": { "labels": { "team": "a" } } })
}

/// A template that the API server refuses stalls the app, with the API server's words and an Event.
#[tokio::test]
async fn a_target_that_is_refused_stalls_the_app_with_the_words_of_the_api_server() {
    for (code, words) in REFUSALS {
        let mut rig = Rig::serving(spec()).await;
        let tokens = rig.world().deployment(APP, Green).unwrap().metadata.labels;
        rig.refuse_edits("hello-green", code, words);
        rig.deploy(Green, "v3");
        rig.settle().await;
        assert_eq!(rig.says("Stalled"), "True/Refused");
        assert!(rig.condition("Stalled").message.contains(words));
        assert_eq!(rig.world().selects(APP), "blue");
        // Nothing is in flight, so nothing is fenced.
        assert_eq!(rig.world().deployment(APP, Green).unwrap().metadata.labels, tokens);
        let blocked = rig.events().await;
        let told = |event: &String| event.starts_with("Warning SwitchBlocked: Refused:");
        assert!(blocked.iter().any(told), "{blocked:?}");

        rig.server.no_faults();
        rig.edit(|spec| spec["green"]["tag"] = json!("v4"));
        rig.settle().await;
        assert!(rig.world().serves(APP, Green));
        rig.finish();
    }
}

/// A new app says why it does not begin.
#[tokio::test]
async fn an_app_whose_first_color_is_refused_says_so() {
    for (code, words) in REFUSALS {
        let mut rig = Rig::new(spec());
        rig.refuse_edits("hello-blue", code, words);
        rig.settle().await;
        assert_eq!(rig.says("Stalled"), "True/Refused");
        assert!(rig.condition("Ready").message.contains(words));
        assert!(rig.events().await.iter().any(|event| event.contains(words)));
    }
}

#[tokio::test]
async fn a_target_whose_shared_fields_are_refused_goes_on_when_they_are_mended() {
    let mut rig = Rig::serving(spec()).await;
    refuse_bad_labels(&rig);
    rig.edit(|spec| {
        spec["active"] = json!("green");
        spec["green"]["tag"] = json!("v3");
        spec["template"] = refused();
    });
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Refused");
    assert!(rig.condition("Stalled").message.contains("no such value!"));
    assert_eq!(rig.world().selects(APP), "blue");
    rig.edit(|spec| spec["template"] = accepted());
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.served()[1], "team/hello:v3");
    rig.finish();
}

#[tokio::test]
async fn an_idle_color_that_is_refused_troubles_only_the_standby_and_is_tried_less_and_less() {
    let mut rig = Rig::serving(spec()).await;
    refuse_bad_labels(&rig);
    rig.edit(|spec| {
        spec["green"]["tag"] = json!("v3");
        spec["template"] = refused();
    });
    let _ = rig.server.take_log();
    let start = rig.server.now();
    while rig.server.now().duration_since(start).as_secs() < 60 {
        let wait = rig.pass().await;
        assert_eq!(rig.says("Ready"), "True/Serving");
        assert_eq!(rig.world().selects(APP), "blue");
        rig.advance(wait);
    }
    assert_eq!(rig.says("StandbyReady"), "False/Refused");
    assert!(rig.world().settled(APP), "nothing is under way");
    let tries = rig.count(|request| request.is(Verb::Apply, Kind::Deployment, "hello-green"));
    assert!((2..20).contains(&tries), "{tries} tries in a minute");

    rig.edit(|spec| spec["template"] = accepted());
    rig.settle().await;
    assert!(rig.world().settled(APP) && rig.runs(Green, "v3"));
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    rig.finish();
}

/// The update stays wanted, and the edit that undoes it must not be held behind it.
#[tokio::test]
async fn a_refused_update_in_place_is_taken_back_when_the_policy_is_freeze_again() {
    let mut rig = Rig::serving(spec()).await;
    let pods = rig.world().pods(APP, Blue);
    refuse_bad_labels(&rig);
    rig.edit(|spec| {
        spec["activeUpdatePolicy"] = json!("RollingUpdate");
        spec["blue"]["tag"] = json!("v9");
        spec["template"] = refused();
    });
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Refused");
    rig.edit(|spec| {
        spec["activeUpdatePolicy"] = json!("Freeze");
        spec["blue"]["tag"] = json!("v1");
        spec.as_object_mut().unwrap().remove("template");
    });
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue), "{:#}", rig.app()["status"]);
    assert_eq!(rig.world().pods(APP, Blue), pods, "nothing was rolled");
    for color in [Green, Blue] {
        rig.activate(color);
        rig.settle().await;
        assert!(rig.world().serves(APP, color));
    }
    rig.finish();
}

/// What the colors share may be what is refused: mending that is enough.
#[tokio::test]
async fn a_refused_update_in_place_goes_on_when_a_shared_field_is_mended() {
    let mut rig = Rig::serving(spec_with(json!({ "activeUpdatePolicy": "RollingUpdate" }))).await;
    refuse_bad_labels(&rig);
    rig.edit(|spec| {
        spec["blue"]["tag"] = json!("v9");
        spec["template"] = refused();
    });
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Refused");
    rig.edit(|spec| spec["template"] = accepted());
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue) && rig.runs(Blue, "v9"));
    rig.finish();
}

/// The API server asks for patience: the operator waits as long as it says, and does no more meanwhile.
#[tokio::test]
async fn a_write_that_is_throttled_waits_for_as_long_as_it_was_asked_to() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.fault(|request| {
        let edits = request.is(Verb::Apply, Kind::Deployment, "hello-green");
        edits.then(|| Fault::Answer(bluegreen_apiserver::Status::throttled(7)))
    });
    rig.edit(|spec| spec["replicas"] = json!(3));
    let wait = rig.pass().await;
    assert_eq!(wait, Duration::from_secs(7));
    let tries = rig.count(|request| request.is(Verb::Apply, Kind::Deployment, "hello-green"));
    assert_eq!(tries, 1);
}

/// A policy against one color's objects is no policy against the other's size.
#[tokio::test]
async fn a_color_that_can_not_be_made_does_not_keep_the_other_from_its_size() {
    let mut rig = Rig::serving(spec_with(json!({ "green": null }))).await;
    rig.refuse_edits(
        "hello-green",
        403,
        "admission webhook \"quota\" denied the request: one color is enough",
    );
    rig.edit(|spec| {
        spec["green"] = json!({ "tag": "v2" });
        spec["replicas"] = json!(4);
    });
    rig.settle().await;
    assert_eq!(rig.says("StandbyReady"), "False/Refused");
    assert_eq!(rig.world().size(APP, Blue), Some(4));
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

/// A revision that nothing needs any more, of the live color and of the idle one, can't be deleted: that is told, and no more.
#[tokio::test]
async fn what_is_left_over_and_cannot_be_deleted_is_told_and_holds_nothing_up() {
    for (code, told) in [(403, "admission webhook denied the request"), (500, "the webhook did not answer")] {
        for live in [Green, Blue] {
            let mut rig = Rig::serving(spec()).await;
            rig.server.fault(move |request| {
                request.is(Verb::Delete, Kind::Revision, "").then(|| Fault::answer(code, told))
            });
            rig.edit(|spec| {
                spec["green"]["tag"] = json!("v3");
                spec["active"] = json!(live);
            });
            rig.settle().await;
            rig.run(Duration::from_secs(5)).await;
            assert_eq!(rig.world().selects(APP), live.as_str());
            assert_eq!(rig.says("Ready"), "True/Serving", "{code}");
            assert_eq!(rig.says("StandbyReady"), "True/Warm", "{code}");
            assert_eq!(rig.says("Stalled"), "/", "{code}");
            let message = rig.condition("Ready").message;
            assert!(
                message.contains("is not needed any more can't be deleted") && message.contains(told),
                "{message}"
            );
            assert!(rig.server.get(Kind::Revision, "hello-green-1").is_some());

            rig.server.no_faults();
            rig.run(Duration::from_secs(300)).await;
            assert!(rig.server.get(Kind::Revision, "hello-green-1").is_none(), "it goes in the end");
            assert_eq!(rig.condition("Ready").message, format!("{live} is live and fully ready"));
        }
    }
}
