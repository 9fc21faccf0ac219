//! Events and metrics: what is published of a transition.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::json;

use crate::rig::{APP, Rig, spec};

/// The API server takes 1024 bytes of a note, 128 of an action, and 1.5 MB of an object. A refusal may be longer, and not all of
/// it ASCII.
#[tokio::test]
async fn a_refusal_of_any_length_reaches_the_status_and_an_event() {
    let mut rig = Rig::serving(spec()).await;
    let words = format!("admission webhook \"policy\" denied the request: {}", "ü".repeat(750_000));
    rig.refuse_edits("hello-green", 403, &words);
    rig.deploy(Green, "v3");
    rig.settle().await;
    let events = rig.events().await;
    let blocked = events.iter().find(|event| event.starts_with("Warning SwitchBlocked:"));
    let blocked = blocked.unwrap_or_else(|| panic!("{events:?}"));
    assert!(blocked.contains("admission webhook"), "{blocked}");
    assert!(rig.condition("Stalled").message.contains("admission webhook"));
    assert!(rig.app()["status"].to_string().len() < 50_000);
}

#[tokio::test]
async fn a_switch_and_a_rollback_are_told_once_each() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.settle().await;
    rig.activate(Blue);
    rig.settle().await;
    let events = rig.events().await;
    for reason in ["Activated", "Switched", "RolledBack"] {
        let told = events.iter().filter(|event| event.starts_with(&format!("Normal {reason}:"))).count();
        assert_eq!(told, 1, "{reason}: {events:?}");
    }
    assert!(events.iter().all(|event| event.starts_with("Normal")), "{events:?}");
    rig.finish();
}

/// `rollme` of a Helm chart: a random value in the template, with each upgrade.
#[tokio::test]
async fn a_shared_edit_that_comes_with_the_switch_and_replaces_tested_pods_is_told() {
    let rollme = |value: &str| json!({ "metadata": { "annotations": { "rollme": value } } });
    // A new tag is rendered anew by its own edit, and a color that has served keeps its pods.
    for (to, tag, told) in [(Green, "v2", true), (Green, "v3", false), (Blue, "v1", false)] {
        let mut rig = Rig::serving(spec()).await;
        if to == Blue {
            rig.activate(Green);
            rig.settle().await;
        }
        rig.edit(|spec| spec["template"] = rollme("x"));
        rig.deploy(to, tag);
        rig.settle().await;
        assert!(rig.world().serves(APP, to));
        let events = rig.events().await;
        let words = "Warning TestedPodsReplaced: green was rendered anew as revision 2 with the switch, because a field that \
                     both colors share was edited (spec.template.metadata.annotations of Deployment hello-green)";
        assert_eq!(events.iter().any(|event| event.starts_with(words)), told, "{tag}: {events:?}");
        assert_eq!(events.iter().any(|event| event.contains("TestedPods")), told, "{tag}: {events:?}");
        rig.finish();
    }
}

/// Somebody else's controller edits the selector back after every pass, for as long as it is put back.
#[tokio::test]
async fn a_fight_over_several_passes_is_told_and_damped() {
    const EDITS: usize = 40;
    let mut rig = Rig::serving(spec()).await;
    let wrong = json!({ "spec": { "selector": { "bluegreen.dev/color": "green" } } });
    let mut wait = Duration::ZERO;
    let mut restored = 0;
    for _ in 0..EDITS {
        if rig.world().selects(APP) == "blue" {
            restored += 1;
            rig.server.patch(Kind::Service, APP, &wrong);
        }
        wait = rig.pass().await;
        rig.step();
        rig.advance(Duration::from_millis(50));
    }
    assert!(restored < EDITS / 2, "put back {restored} times in two seconds");
    assert!(wait > Duration::from_millis(100), "{wait:?}");
    let events = rig.events().await;
    assert!(events.iter().any(|event| event.starts_with("Warning Contested:")), "{events:?}");

    // When the other one gives up, the operator does not.
    rig.run(Duration::from_secs(120)).await;
    assert!(rig.world().serves(APP, Blue));
}

/// What ten switches of half a second came to, as the histogram has it.
#[tokio::test]
async fn the_time_of_a_switch_is_not_rounded_to_seconds() {
    let mut rig = Rig::serving(spec()).await;
    let sum = |rig: &Rig| -> f64 {
        let text = rig.operator.metrics.render().unwrap();
        let lines = text.lines().filter(|line| line.starts_with("bluegreenapp_switch_duration_seconds_sum"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let before = sum(&rig);
    for turn in 0..10 {
        let color = if turn % 2 == 0 { Green } else { Blue };
        rig.advance(Duration::from_millis(430));
        rig.controllers.ready(&format!("hello-{color}"), 1);
        rig.step();
        rig.activate(color);
        rig.pass().await;
        rig.advance(Duration::from_millis(500));
        rig.controllers.heal(&format!("hello-{color}"));
        rig.settle().await;
        assert_eq!(rig.status().active, Some(color));
    }
    let took = sum(&rig) - before;
    assert!((4.5..=5.5).contains(&took), "ten switches of 0.5 s are told as {took} s in all");
}
