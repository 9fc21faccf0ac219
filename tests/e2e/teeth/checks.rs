//! Promises about checks, and about who decides which color serves.

use serde_json::{Value, json};

use super::{History, deployment};
use crate::harness::Kind;
use crate::harness::guard::Rule;

/// A check with a Job.
fn check(when: &str) -> Value {
    json!({"name": "smoke", "when": when, "job": {"template": {"spec": {"containers": [{"name": "c"}]}}}})
}

/// What the status records of that check about revision 7 of green.
fn verdict(when: &str, result: &str) -> Value {
    json!({
        "name": "smoke", "when": when, "color": "green", "revision": 7, "hash": "", "result": result,
        "startedAt": "2000-01-01T00:00:00Z",
    })
}

/// Blue serves, green runs its revision 7 and is asked for, under that check.
fn asked(when: &str) -> History {
    let mut history = History::serving();
    let mut green = deployment(2, 2, "v2");
    green["spec"]["template"]["metadata"] = json!({"labels": {"bluegreen.dev/revision": "7"}});
    history.add(2, Kind::Deployment, "hello-green", green);
    history.edit(3, json!({"active": "green", "checks": [check(when)]}));
    history
}

/// Green was selected under a check after the switch, of which the status says this.
fn watched(entry: &Value) -> History {
    let mut history = asked("After");
    history.select(4, "green");
    history.slice(4, "hello", "green", 2);
    let green = json!({"unprovenRevision": 7});
    history.report(5, json!({"observedGeneration": 2, "checks": [entry], "green": green}));
    history
}

#[test]
fn is_a_color_noticed_that_was_selected_though_nobody_asked_for_it() {
    let mut history = History::serving();
    history.select(2, "green");
    assert_eq!(history.broken(), [Rule::SelectedAsAsked]);

    // A write that was on its way when the wish was taken back, and one that can't have been.
    for (second, broken) in [(10, vec![]), (30, vec![Rule::SelectedAsAsked])] {
        let mut history = History::serving();
        history.edit(2, json!({"active": "green"}));
        history.edit(3, json!({"active": "blue"}));
        history.select(second, "green");
        assert_eq!(history.broken(), broken, "in the {second}th second");
    }
}

#[test]
fn is_a_switch_back_noticed_that_no_failed_check_has_asked_for() {
    let rows = [
        (verdict("After", "Failed"), vec![]),
        (verdict("After", "Inconclusive"), vec![Rule::SelectedAsAsked]),
        (verdict("After", "Running"), vec![Rule::SelectedAsAsked]),
        (verdict("Before", "Failed"), vec![Rule::SelectedAsAsked]),
    ];
    for (entry, broken) in rows {
        let mut history = watched(&entry);
        // Blue was asked for a while ago, which excuses nothing by then.
        history.select(40, "blue");
        assert_eq!(history.broken(), broken, "{entry}");
    }
}

/// Green, with its revision 7, is left for blue by hand, whose check fails.
#[test]
fn is_a_switch_back_noticed_to_what_its_own_check_has_failed() {
    let suspect = json!({"unprovenRevision": 7});
    let mut lenient = check("After");
    lenient["enforce"] = json!(false);
    let rows = [
        ("Passed", json!({}), None, vec![]),
        ("Inconclusive", json!({}), None, vec![]),
        ("Failed", json!({}), None, vec![Rule::SelectedAsAsked]),
        ("Running", suspect.clone(), None, vec![Rule::SelectedAsAsked]),
        ("Failed", json!({}), Some(lenient), vec![]),
    ];
    for (result, green, edit, broken) in rows {
        let mut history = watched(&verdict("After", result));
        if let Some(edit) = edit {
            history.edit(6, json!({"checks": [edit]}));
            history.edit(7, json!({"checks": [check("After")]}));
        }
        history.edit(60, json!({"active": "blue"}));
        history.select(60, "blue");
        history.slice(60, "hello", "blue", 2);
        let mut entry = verdict("After", "Failed");
        (entry["color"], entry["revision"]) = (json!("blue"), json!(1));
        history.report(61, json!({"observedGeneration": 3, "checks": [entry], "green": green}));
        // Green was asked for a while ago, which excuses nothing by then.
        history.select(120, "green");
        assert_eq!(history.broken(), broken, "{result} {green}");
    }
}

#[test]
fn is_a_revision_noticed_that_was_selected_before_its_checks_have_passed() {
    let of_another = |key: &str, value: Value| {
        let mut entry = verdict("Before", "Passed");
        entry[key] = value;
        entry
    };
    let rows = [
        (json!([verdict("Before", "Passed")]), vec![]),
        (json!([]), vec![Rule::CheckedBeforeSelected]),
        (json!([verdict("Before", "Running")]), vec![Rule::CheckedBeforeSelected]),
        (json!([verdict("Before", "Inconclusive")]), vec![Rule::CheckedBeforeSelected]),
        (json!([of_another("revision", json!(6))]), vec![Rule::CheckedBeforeSelected]),
        (json!([of_another("color", json!("blue"))]), vec![Rule::CheckedBeforeSelected]),
        (json!([of_another("name", json!("load"))]), vec![Rule::CheckedBeforeSelected]),
    ];
    for (checks, broken) in rows {
        let mut history = asked("Before");
        history.report(4, json!({"observedGeneration": 2, "checks": checks}));
        history.select(5, "green");
        assert_eq!(history.broken(), broken, "{checks}");
    }
}

#[test]
fn does_a_revision_that_has_served_need_no_check() {
    let mut history = asked("After");
    history.select(4, "green");
    history.slice(4, "hello", "green", 2);
    history.edit(60, json!({"active": "blue"}));
    history.select(60, "blue");
    history.slice(60, "hello", "blue", 2);
    history.edit(90, json!({"active": "green", "checks": [check("Before")]}));
    history.select(90, "green");
    assert_eq!(history.broken(), []);
}

#[test]
fn is_an_old_color_noticed_that_was_touched_while_the_new_one_is_watched() {
    let rows = [
        (verdict("After", "Running"), vec![Rule::KeptForASwitchBack]),
        (verdict("After", "Passed"), vec![]),
        (verdict("After", "Inconclusive"), vec![]),
    ];
    for (entry, broken) in rows {
        // Long after its drain.
        let mut history = watched(&entry);
        history.add(60, Kind::Deployment, "hello-blue", deployment(0, 0, "v1"));
        assert_eq!(history.broken(), broken, "{entry}");
    }
    // Nothing goes back to a color whose block is taken out.
    let mut history = watched(&verdict("After", "Running"));
    history.edit(20, json!({"blue": null}));
    history.add(60, Kind::Deployment, "hello-blue", deployment(0, 0, "v1"));
    assert_eq!(history.broken(), []);
    // After the first activation there is nothing to go back to.
    let mut history = History::serving();
    let mut entry = verdict("After", "Running");
    (entry["color"], entry["revision"]) = (json!("blue"), json!(1));
    history.edit(2, json!({"checks": [check("After")]}));
    history.report(3, json!({"checks": [entry], "blue": {"unprovenRevision": 1}}));
    history.add(60, Kind::Deployment, "hello-green", deployment(0, 0, "v2"));
    assert_eq!(history.broken(), []);
}
