//! When may a group of apps switch, and what becomes of it when the API server or an app does not go along?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use bluegreen_api::BlueGreenApp;
use bluegreen_api::Color::{Blue, Green};
use fixture::{app, condition, settled, switching};
use kubectl_bluegreen::exit::End;
use kubectl_bluegreen::group::{Wish, edit, edits, end};
use kubectl_bluegreen::shape::MemberState::{Refused, Untouched};
use serde_json::{Value, json};

const TO_GREEN: Wish<'static> = Wish { color: Some(Green), tag: None, count: None };
const TO_BLUE: Wish<'static> = Wish { color: Some(Blue), tag: None, count: None };

fn with(pointer: &str, value: Value) -> BlueGreenApp {
    let mut app = settled();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    app.pointer_mut(parent).unwrap()[key] = value;
    fixture::app(app)
}

fn says(conditions: Value) -> BlueGreenApp {
    with("/status/conditions", conditions)
}

fn named(name: &str, mut app: BlueGreenApp) -> BlueGreenApp {
    app.metadata.name = Some(name.to_owned());
    app
}

/// Each of these, among others that can, keeps the whole group where it is.
#[test]
fn one_that_can_not_switch_keeps_all_where_they_are() {
    let standby = |reason: &str| {
        says(json!([
            condition("Ready", "True", "Serving", "m"),
            condition("StandbyReady", "False", reason, "why not")
        ]))
    };
    let mut young = settled();
    young.as_object_mut().unwrap().remove("status");
    let mut alone = settled();
    alone["spec"].as_object_mut().unwrap().remove("green");
    let late = json!([
        condition("Ready", "False", "ProgressDeadlineExceeded", "too slow"),
        condition("Stalled", "True", "ProgressDeadlineExceeded", "too slow")
    ]);
    let mut stuck = switching();
    stuck["status"]["conditions"] = late.clone();
    let mut refused = switching();
    refused["status"]["rejected"] = json!({"color": "green", "revision": 1, "block": "x", "checks": "y", "check": "smoke",
        "when": "Before", "result": "Failed", "at": "2026-01-01T00:00:00Z"});
    let cases = [
        (app(refused), "check smoke has refused green, and spec.active is green already"),
        (with("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")), "it is being deleted"),
        (with("/spec/paused", json!(true)), "spec.paused is true"),
        (with("/metadata/generation", json!(5)), "has not observed its last edit yet"),
        (says(late), "it is stalled: ProgressDeadlineExceeded: too slow"),
        (standby("NotReady"), "NotReady: why not"),
        (standby("ProgressDeadlineExceeded"), "ProgressDeadlineExceeded: why not"),
        (says(json!([condition("Ready", "True", "Serving", "m")])), "no color is live yet"),
        (app(young), "has not observed its last edit yet"),
        (app(alone), "spec.green is not set"),
        (app(stuck), "ProgressDeadlineExceeded: too slow"),
    ];
    for (case, words) in cases {
        let apps = [named("a", app(settled())), named("b", case), named("c", app(settled()))];
        let (why, members) = edits(&apps, TO_GREEN).unwrap_err();
        assert_eq!(why, "1 of 3 apps can't switch, so none was touched", "{words}");
        assert_eq!([members[0].state, members[1].state, members[2].state], [Untouched, Refused, Untouched]);
        assert!(members[1].why.contains(words), "{words}: {}", members[1].why);
        assert_eq!((members[0].to.as_deref(), members[1].to.as_deref()), (Some("green"), None));
    }
}

#[test]
fn each_app_goes_to_its_own_other_color_or_all_to_one() {
    let mut other = settled();
    other["spec"]["active"] = json!("green");
    other["status"]["active"] = json!("green");
    let apps = [app(settled()), app(other)];
    let patches = |wish| edits(&apps, wish).unwrap().into_iter().map(|edit| edit.patch).collect::<Vec<_>>();
    let (blue, green) = (Some(json!({"active": "blue"})), Some(json!({"active": "green"})));
    assert_eq!(patches(Wish::default()), [green.clone(), blue.clone()]);
    assert_eq!(patches(TO_GREEN), [green, None], "who is there stays, so the command can run again");
    assert_eq!(patches(TO_BLUE), [None, blue]);
}

/// What was scaled down to save pods gets ready once it is asked for; and going back needs only what serves.
#[test]
fn an_idle_color_may_be_scaled_down_and_a_switch_under_way_may_be_canceled() {
    let scaled = condition("StandbyReady", "False", "ScaledDown", "green is scaled to 0");
    let scaled = says(json!([condition("Ready", "True", "Serving", "m"), scaled]));
    assert!(edit(&scaled, TO_GREEN).unwrap().patch.is_some());
    let mut stalled = switching();
    stalled["status"]["conditions"] =
        json!([condition("Stalled", "True", "ProgressDeadlineExceeded", "late")]);
    assert_eq!(edit(&app(stalled), TO_BLUE).unwrap().patch, Some(json!({"active": "blue"})));
    assert_eq!(edit(&app(switching()), TO_GREEN).unwrap().patch, None, "it is on the way");
}

#[test]
fn a_group_that_is_not_the_one_that_was_meant_is_refused() {
    let words = |apps: &[BlueGreenApp], count| edits(apps, Wish { count, ..TO_GREEN }).unwrap_err().0;
    assert_eq!(words(&[], None), "no app matches, so none was touched");
    assert_eq!(words(&[app(settled())], Some(2)), "1 apps match, not 2, so none was touched");
    assert!(edits(&[app(settled())], Wish { count: Some(1), ..TO_GREEN }).is_ok());
    let twice = Wish { tag: Some("v2.0.0"), ..Wish::default() };
    let other = with("/spec/green/tag", json!("v2.0.1"));
    let (_, members) = edits(&[app(settled()), other], twice).unwrap_err();
    assert!(members[1].why.contains("not v2.0.0"), "{}", members[1].why);
}

#[test]
fn the_exit_code_is_that_of_what_can_not_be_reached() {
    assert_eq!(end(&[End::Reached, End::Reached]), End::Reached);
    assert_eq!(end(&[End::Reached, End::TimedOut]), End::TimedOut);
    assert_eq!(end(&[End::TimedOut, End::Failed, End::Reached]), End::Failed);
}
