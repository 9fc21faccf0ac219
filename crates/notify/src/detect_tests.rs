use serde_json::{Value, json};

use super::*;
use crate::samples::{app, check, condition, entry};

/// Kinds and ids of what is told from one status to the next.
fn told(before: &Value, after: &Value) -> Vec<Kind> {
    transitions(&app(before), &app(after)).into_iter().map(|transition| transition.kind).collect()
}

fn with(mut value: Value, key: &str, what: impl Into<Value>) -> Value {
    value[key] = what.into();
    value
}

#[test]
fn a_status_that_says_the_same_tells_nothing() {
    let status = json!({
        "active": "green", "history": [entry()], "checks": [check("Failed")],
        "conditions": [condition("Stalled", "True", "CheckFailed", 1), condition("Ready", "False", "LiveNotReady", 2)],
        "switch": {"from": "green", "to": "blue", "startedAt": "2026-01-01T10:00:07Z"},
    });
    assert_eq!(told(&json!({}), &status).len(), 5, "{:?}", told(&json!({}), &status));
    assert_eq!(told(&status, &status), []);
}

#[test]
fn a_new_entry_of_the_history_is_a_switch_and_says_which() {
    let older = with(entry(), "finishedAt", "2026-01-01T08:00:00Z");
    for (history, wanted) in [
        (json!([entry()]), Kind::Switched),
        (json!([with(entry(), "from", Value::Null)]), Kind::Activated),
        (json!([with(entry(), "cause", "Check")]), Kind::SwitchedBack),
        (json!([entry(), older]), Kind::RolledBack),
    ] {
        let old = json!({"history": history.as_array().unwrap()[1..]});
        assert_eq!(told(&old, &json!({ "history": history })), [wanted]);
    }
    // The history has forgotten that it was live before; the color has not.
    let served = json!({"green": {"revision": 2, "servedRevision": 2}});
    assert_eq!(told(&served, &json!({"history": [entry()]})), [Kind::RolledBack]);
}

#[test]
fn several_switches_that_nobody_saw_are_told_oldest_first() {
    let later = json!({
        "from": "green", "to": "blue", "image": "shop/hello:v3", "revision": 3, "generation": 5,
        "startedAt": "2026-01-01T11:00:00Z", "finishedAt": "2026-01-01T11:00:05Z",
    });
    let found = transitions(&app(&json!({})), &app(&json!({"history": [later, entry()]})));
    let images: Vec<_> = found.iter().map(|transition| transition.image.as_deref().unwrap()).collect();
    assert_eq!(images, ["shop/hello:0a1b2c3d", "shop/hello:v3"]);
    assert_ne!(found[0].id, found[1].id);
}

#[test]
fn the_end_of_a_drain_is_told_once_and_is_no_switch() {
    let drained = with(entry(), "drainedAt", "2026-01-01T10:01:00Z");
    let (old, new) = (json!({"history": [entry()]}), json!({"history": [drained]}));
    assert_eq!(told(&old, &new), [Kind::Drained]);
    assert_eq!(told(&json!({}), &new), [Kind::Switched, Kind::Drained]);
    assert_eq!(told(&new, &new), []);
}

#[test]
fn a_switch_begins_and_is_done_or_canceled() {
    let record = json!({"from": "blue", "to": "green", "startedAt": "2026-01-01T10:00:00Z", "generation": 3});
    let (idle, asked) = (json!({"active": "blue"}), json!({"active": "blue", "switch": record}));
    assert_eq!(told(&idle, &asked), [Kind::SwitchStarted]);
    assert_eq!(told(&asked, &idle), [Kind::SwitchCanceled]);
    // A pause gives the record another generation; it is the same switch.
    let resumed = json!({"active": "blue", "switch": with(record.clone(), "generation", 4)});
    assert_eq!(told(&asked, &resumed), []);
    let done = json!({"active": "green", "history": [entry()]});
    assert_eq!(told(&asked, &done), [Kind::Switched]);
    // The record stays until the drain is over.
    let draining = json!({"active": "green", "switch": record, "history": [entry()]});
    assert_eq!(told(&asked, &draining), [Kind::Switched]);
    assert_eq!(told(&draining, &done), []);
    // There and back while nobody looked.
    let back = with(with(entry(), "to", "blue"), "from", "green");
    let both = json!({"active": "blue", "history": [back, entry()]});
    assert_eq!(told(&asked, &both), [Kind::Switched, Kind::Switched]);
    // Nobody knows what became of it if the history has lost that time.
    let later =
        with(with(entry(), "startedAt", "2026-01-01T12:00:00Z"), "finishedAt", "2026-01-01T12:00:05Z");
    let many: Vec<_> = (0..10).map(|number| with(later.clone(), "generation", 10 + number)).collect();
    let lost = json!({"active": "blue", "history": many});
    assert!(!told(&asked, &lost).contains(&Kind::SwitchCanceled));
    assert!(told(&asked, &json!({"active": "blue", "history": many[1..]})).contains(&Kind::SwitchCanceled));
}

#[test]
fn a_check_is_told_when_it_ends_and_again_when_it_ends_again() {
    let of = |result: &str| json!({"checks": [check(result)]});
    let running =
        json!({"checks": [with(with(check("Running"), "finishedAt", Value::Null), "message", Value::Null)]});
    assert_eq!(told(&json!({}), &running), []);
    for (result, wanted) in [
        ("Passed", Kind::CheckPassed),
        ("Failed", Kind::CheckFailed),
        ("Inconclusive", Kind::CheckInconclusive),
    ] {
        assert_eq!(told(&running, &of(result)), [wanted]);
        assert_eq!(told(&of(result), &of(result)), []);
    }
    let again = json!({"checks": [with(check("Failed"), "finishedAt", "2026-01-01T11:00:00Z")]});
    let (first, second) =
        (transitions(&app(&running), &app(&of("Failed"))), transitions(&app(&of("Failed")), &app(&again)));
    assert_ne!(first[0].id, second[0].id);
    assert!(first[0].message.contains("smoke of green (revision 2) has failed: 503"));
}

#[test]
fn a_stall_is_told_by_its_reason_and_ends_once() {
    let stalled =
        |reason: &str, second: u32| json!({"conditions": [condition("Stalled", "True", reason, second)]});
    let none = json!({});
    assert_eq!(told(&none, &stalled("InvalidSpec", 1)), [Kind::Stalled]);
    let switch = json!({"from": "blue", "to": "green", "startedAt": "2026-01-01T10:00:00Z"});
    let blocked = with(stalled("ProgressDeadlineExceeded", 1), "switch", switch.clone());
    assert_eq!(told(&json!({ "switch": switch }), &blocked), [Kind::SwitchBlocked]);
    assert_eq!(told(&stalled("InvalidSpec", 1), &none), [Kind::Recovered]);
    assert_eq!(told(&stalled("InvalidSpec", 1), &stalled("Refused", 1)), [Kind::Stalled]);
    // It was gone and came back while nobody looked.
    assert_eq!(told(&stalled("InvalidSpec", 1), &stalled("InvalidSpec", 9)), [Kind::Stalled]);
    let reworded = with(
        stalled("InvalidSpec", 1),
        "conditions",
        json!([with(condition("Stalled", "True", "InvalidSpec", 1), "message", "other")]),
    );
    assert_eq!(told(&stalled("InvalidSpec", 1), &reworded), []);
}

#[test]
fn a_pause_is_told_with_and_without_a_condition_and_is_no_stall() {
    let paused = json!({"phase": "Paused", "observedGeneration": 4});
    let in_a_switch = with(paused.clone(), "conditions", json!([condition("Stalled", "True", "Paused", 1)]));
    let goes_on = json!({"phase": "Stable", "observedGeneration": 5});
    for paused in [paused, in_a_switch] {
        assert_eq!(told(&json!({"phase": "Stable"}), &paused), [Kind::Paused]);
        assert_eq!(told(&paused, &paused), []);
        assert_eq!(told(&paused, &goes_on), [Kind::Resumed]);
    }
}

#[test]
fn a_live_color_that_loses_pods_is_told_and_when_it_has_them_again() {
    let ready = |status: &str, reason: &str| json!({"active": "blue", "conditions": [condition("Ready", status, reason, 1)]});
    let (serves, lacks) = (ready("True", "Serving"), ready("False", "LiveNotReady"));
    assert_eq!(told(&serves, &lacks), [Kind::LiveDegraded]);
    assert_eq!(told(&lacks, &serves), [Kind::LiveRecovered]);
    assert_eq!(told(&serves, &ready("False", "WaitingForTarget")), []);
    assert_eq!(told(&lacks, &ready("False", "WaitingForTarget")), []);
}

#[test]
fn an_id_is_the_same_wherever_a_transition_is_detected_and_no_other_has_it() {
    let status = json!({
        "active": "green", "history": [with(entry(), "drainedAt", "2026-01-01T10:01:00Z")],
        "checks": [check("Failed"), with(check("Failed"), "name", "other")],
        "conditions": [condition("Stalled", "True", "CheckFailed", 1), condition("Ready", "False", "LiveNotReady", 1)],
        "switch": {"from": "green", "to": "blue", "startedAt": "2026-01-01T10:00:07Z"},
    });
    let ids = |before: &Value| -> Vec<String> {
        transitions(&app(before), &app(&status)).into_iter().map(|transition| transition.id).collect()
    };
    let all = ids(&json!({}));
    let apart: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), apart.len()), (7, 7), "{all:#?}");
    assert!(all.iter().all(|id| id.starts_with("u-1/")), "{all:#?}");
    // As another process sees it, which was there for a part.
    let part = ids(&json!({"active": "green", "history": [entry()]}));
    assert!(part.iter().all(|id| all.contains(id)), "{part:#?} {all:#?}");
}

#[test]
fn an_id_does_not_depend_on_what_was_seen_before() {
    let only = |before: &Value, after: &Value| transitions(&app(before), &app(after)).remove(0);
    let done = json!({"history": [entry()]});
    let (first, again) = (only(&json!({}), &done), only(&json!({"green": {"servedRevision": 2}}), &done));
    assert_eq!((first.kind, again.kind), (Kind::Switched, Kind::RolledBack));
    assert_eq!(first.id, again.id);
    let stalled = json!({"conditions": [condition("Stalled", "True", "CheckFailed", 1)]});
    let switch = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T10:00:07Z"});
    let blocked = with(stalled.clone(), "switch", switch.clone());
    let (late, early) = (only(&json!({}), &stalled), only(&json!({ "switch": switch }), &blocked));
    assert_eq!((late.kind, early.kind), (Kind::Stalled, Kind::SwitchBlocked));
    assert_eq!(late.id, early.id);
}
