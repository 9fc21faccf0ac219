//! Which edit is a command, when is it a mistake, and when does a wait end?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use bluegreen_api::Color::{Blue, Green};
use fixture::{app, condition, settled, switching};
use kubectl_bluegreen::edit::{deploy, rollback, switch, take_back};
use kubectl_bluegreen::goal::{Goal, Verdict, verdict};
use serde_json::{Value, json};

fn with(pointer: &str, value: Value) -> Value {
    let mut app = settled();
    *app.pointer_mut(pointer).unwrap() = value;
    app
}

#[test]
fn a_deploy_goes_onto_the_idle_color_whichever_it_is() {
    let edit = deploy(&app(settled()), None, Some("v3"), None).unwrap();
    assert_eq!(edit.patch, Some(json!({"green": {"tag": "v3", "digest": null}})));
    let mut other = settled();
    other["spec"]["active"] = json!("green");
    other["status"]["active"] = json!("green");
    let edit = deploy(&app(other), None, Some("v3"), None).unwrap();
    assert_eq!(edit.patch, Some(json!({"blue": {"tag": "v3", "digest": null}})));
}

#[test]
fn a_deploy_onto_the_live_color_is_refused_unless_it_may_roll() {
    let words = deploy(&app(settled()), Some(Blue), Some("v3"), None).unwrap_err().to_string();
    assert!(words.contains("deploy to green and switch"), "{words}");
    let mut rolls = settled();
    rolls["spec"]["activeUpdatePolicy"] = json!("RollingUpdate");
    assert!(deploy(&app(rolls), Some(Blue), Some("v3"), None).is_ok());
}

#[test]
fn a_deploy_during_a_switch_must_name_its_color() {
    let words = deploy(&app(switching()), None, Some("v3"), None).unwrap_err().to_string();
    assert!(words.contains("a switch from blue to green is under way"), "{words}");
    assert!(deploy(&app(switching()), Some(Green), Some("v3"), None).is_ok());
}

#[test]
fn a_deploy_of_what_is_there_changes_nothing() {
    assert_eq!(deploy(&app(settled()), None, Some("v2.0.0"), None).unwrap().patch, None);
}

#[test]
fn a_deploy_of_what_serves_keeps_the_way_back() {
    let words = deploy(&app(settled()), None, Some("v1.0.0"), None).unwrap_err().to_string();
    assert!(words.contains("blue is live and already runs v1.0.0"), "{words}");
    assert!(
        deploy(&app(settled()), Some(Green), Some("v1.0.0"), None).is_ok(),
        "who names the color means it"
    );
    let mut held = settled();
    held["spec"]["blue"]["tag"] = json!("v3");
    held["status"]["blue"]["held"] = json!("registry.example.com/team/hello:v3");
    assert!(deploy(&app(held), None, Some("v3"), None).is_ok(), "v3 is held, and does not serve");
}

#[test]
fn a_switch_with_a_tag_goes_to_the_color_that_runs_it_or_nowhere() {
    let edit = switch(&app(settled()), None, Some("v2.0.0")).unwrap();
    assert_eq!(edit.patch, Some(json!({"active": "green"})));
    assert_eq!(switch(&app(settled()), None, Some("v1.0.0")).unwrap().patch, None, "it serves already");
    // Another pipeline has put something else there meanwhile.
    for color in [None, Some(Green)] {
        let words = switch(&app(settled()), color, Some("v3")).unwrap_err().to_string();
        assert!(
            words.contains("spec.green has v2.0.0, not v3") || words.contains("and spec.blue has"),
            "{words}"
        );
    }
    assert!(switch(&app(settled()), Some(Blue), Some("v2.0.0")).is_err(), "not onto that color");
    let twice = with("/spec/green/tag", json!("v1.0.0"));
    assert_eq!(switch(&app(twice), None, Some("v1.0.0")).unwrap().patch, None, "what serves goes on serving");
}

#[test]
fn a_switch_is_taken_back_unless_somebody_asked_for_something_else() {
    assert_eq!(take_back(&app(switching()), Green, Blue).patch, Some(json!({"active": "blue"})));
    assert_eq!(take_back(&app(settled()), Green, Blue).patch, None);
}

#[test]
fn a_rollback_with_a_tag_goes_away_from_that_one_only() {
    assert!(rollback(&app(settled()), Some("v1.0.0"), None).unwrap().patch.is_some());
    let words = rollback(&app(settled()), Some("v2.0.0"), None).unwrap_err().to_string();
    assert!(words.contains("spec.active is blue with v1.0.0, not v2.0.0"), "{words}");
    assert!(rollback(&app(switching()), Some("v2.0.0"), None).unwrap().patch.is_some(), "canceled");
}

#[test]
fn a_rollback_to_a_version_goes_to_that_one_only() {
    assert!(rollback(&app(settled()), None, Some("v2.0.0")).unwrap().patch.is_some());
    let words = rollback(&app(settled()), None, Some("v1.9.0")).unwrap_err().to_string();
    assert!(words.contains("spec.green has v2.0.0, not v1.9.0"), "{words}");
    assert!(rollback(&app(switching()), None, Some("v1.0.0")).unwrap().patch.is_some(), "canceled");
    let mut digest = settled();
    digest["spec"]["green"] = json!({"digest": "sha256:0"});
    digest["status"]["green"]["image"] = json!("registry.example.com/team/hello@sha256:0");
    assert!(rollback(&app(digest), None, Some("sha256:0")).is_ok(), "without a tag, by its digest");
}

#[test]
fn a_switch_needs_a_block_to_switch_to() {
    let mut alone = settled();
    alone["spec"].as_object_mut().unwrap().remove("green");
    assert!(switch(&app(alone), None, None).unwrap_err().to_string().contains("spec.green is not set"));
    assert_eq!(switch(&app(settled()), Some(Blue), None).unwrap().patch, None, "it serves already");
    assert!(switch(&app(switching()), None, None).is_err(), "which color is meant?");
}

#[test]
fn a_rollback_goes_to_the_color_that_served_before() {
    assert_eq!(rollback(&app(settled()), None, None).unwrap().patch, Some(json!({"active": "green"})));
}

#[test]
fn a_rollback_during_a_switch_cancels_it() {
    assert_eq!(rollback(&app(switching()), None, None).unwrap().patch, Some(json!({"active": "blue"})));
}

#[test]
fn a_rollback_to_a_color_that_was_deployed_anew_would_be_no_way_back() {
    let words = rollback(&app(with("/status/green/revision", json!(2))), None, None).unwrap_err().to_string();
    assert!(words.contains("green has been changed since it was live"), "{words}");
    assert!(rollback(&app(with("/status/history", json!([]))), None, None).is_err());
    // The operator has not observed that edit yet.
    let words = rollback(&app(with("/spec/green/tag", json!("v9"))), None, None).unwrap_err().to_string();
    assert!(words.contains("if you want registry.example.com/team/hello:v9, use"), "{words}");
}

#[test]
fn a_wait_at_a_gate_has_an_end() {
    let app = app(settled());
    assert!(matches!(verdict(Goal::Ready, &app), Verdict::Reached(_)));
    assert!(matches!(verdict(Goal::Standby, &app), Verdict::Reached(_)));
    let Verdict::Failed(why) = verdict(Goal::Active(Green), &app) else {
        panic!("no switch to green was requested")
    };
    assert!(why.contains("no switch to green was requested"), "{why}");
}

/// Ready is True while pods are added or updated. A wait for `ready` waits for all of them; a wait for a live color waits for
/// the version that was asked for, or a deployment to the live color would succeed before its rollout begins.
#[test]
fn a_wait_goes_on_while_the_live_color_is_scaled_or_updated() {
    for (reason, is_live) in [("Scaling", true), ("Updating", false)] {
        let mut scaling = settled();
        scaling["status"]["conditions"] =
            json!([condition("Ready", "True", reason, "blue has 2 of 4 pods available")]);
        let scaling = app(scaling);
        assert!(matches!(verdict(Goal::Ready, &scaling), Verdict::Waiting(_)), "{reason}");
        let reached = matches!(verdict(Goal::Active(Blue), &scaling), Verdict::Reached(_));
        assert_eq!(reached, is_live, "{reason}");
    }
}

#[test]
fn a_report_on_an_earlier_edit_counts_for_nothing() {
    let stale = app(with("/metadata/generation", json!(5)));
    assert!(matches!(verdict(Goal::Ready, &stale), Verdict::Waiting(_)));
    let mut stalled = with("/metadata/generation", json!(5));
    stalled["status"]["conditions"] = json!([condition("Stalled", "True", "Refused", "no")]);
    assert!(matches!(verdict(Goal::Ready, &app(stalled)), Verdict::Waiting(_)), "that edit is history");
}

#[test]
fn a_wait_for_what_will_not_come_fails_at_once() {
    let mut stalled = settled();
    stalled["status"]["conditions"] = json!([
        condition("Ready", "False", "NameConflict", "Service hello exists"),
        condition("Stalled", "True", "NameConflict", "Service hello exists"),
    ]);
    for goal in [Goal::Ready, Goal::Standby, Goal::Active(Blue)] {
        assert_eq!(
            verdict(goal, &app(stalled.clone())),
            Verdict::Failed("NameConflict: Service hello exists".to_owned())
        );
    }
    for reason in ["ScaledDown", "Refused", "ProgressDeadlineExceeded"] {
        let mut idle = settled();
        idle["status"]["conditions"][1] = condition("StandbyReady", "False", reason, "m");
        assert!(matches!(verdict(Goal::Standby, &app(idle)), Verdict::Failed(_)), "{reason}");
    }
    let mut alone = settled();
    alone["spec"].as_object_mut().unwrap().remove("green");
    assert!(matches!(verdict(Goal::Standby, &app(alone)), Verdict::Failed(_)));
}

#[test]
fn a_switch_under_way_is_waited_for() {
    let app = app(switching());
    for goal in [Goal::Ready, Goal::Standby, Goal::Active(Green)] {
        let Verdict::Waiting(why) = verdict(goal, &app) else { panic!("{goal}") };
        assert!(why.contains("can't be pulled"), "{why}");
    }
    assert!(matches!(verdict(Goal::Active(Blue), &app), Verdict::Failed(_)));
}

#[test]
fn goals_are_read_as_they_are_written() {
    for goal in [Goal::Ready, Goal::Standby, Goal::Active(Blue), Goal::Active(Green)] {
        assert_eq!(Goal::parse(&goal.to_string()), Some(goal));
    }
    assert_eq!(Goal::parse("active=red"), None);
}

/// Blue is live, and a check has refused green, which the spec still asks for.
fn refused() -> Value {
    let mut app = settled();
    app["spec"]["active"] = json!("green");
    app["status"]["rejected"] = json!({"color": "green", "revision": 2, "block": "a", "checks": "b", "check": "smoke",
        "when": "Before", "result": "Failed", "message": "exit code 1", "at": "2026-01-01T00:00:00Z"});
    app
}

/// Otherwise, the new version would go live at once, and nobody has asked for that.
#[test]
fn a_deploy_onto_a_color_that_was_refused_asks_for_the_live_color_in_the_same_edit() {
    for explicit in [None, Some(Green)] {
        let edit = deploy(&app(refused()), explicit, Some("v3"), None).unwrap();
        let patch = json!({"active": "blue", "green": {"tag": "v3", "digest": null}});
        assert_eq!((edit.patch, edit.goal), (Some(patch), Goal::Standby));
        let note = edit.note.unwrap();
        assert!(note.contains("check smoke has refused green"), "{note}");
    }
}

#[test]
fn a_switch_to_what_was_refused_says_what_would_try_it_again() {
    for color in [None, Some(Green)] {
        let words = switch(&app(refused()), color, None).unwrap_err().to_string();
        assert!(
            words.contains("check smoke has refused green") && words.contains("spec.green.revision"),
            "{words}"
        );
    }
    assert_eq!(switch(&app(refused()), Some(Blue), None).unwrap().patch, Some(json!({"active": "blue"})));
}
