//! What is recorded of a switch, and which Events tell of it?

use super::super::record::record;
use super::*;
use bluegreen_api::SwitchStatus;

#[test]
fn a_switch_under_way_keeps_its_start() {
    let mut app = app("green");
    let preparing = Stage::Preparing { target: Color::Green, missing: Missing::Observed };
    let first = told(&app, preparing, &Problems::default());
    let start = first.switch.clone().unwrap();
    assert_eq!((start.from, start.to), (Some(Color::Blue), Color::Green));
    app.status = Some(first);
    assert_eq!(told(&app, preparing, &Problems::default()).switch, Some(start));
}

/// What later decisions read back is the same, however it is written.
#[test]
fn the_record_is_what_is_read_back_from_the_status() {
    for stage in every_stage() {
        for active in ["blue", "green"] {
            let app = app(active);
            let plan = standing(stage);
            let intent = observe::intent(&app);
            let new = told_of(&app, &seen(), &plan, &Problems::default());
            let old = Record::from(&app.status.clone().unwrap_or_default());
            assert_eq!(Record::from(&new), record(&old, &intent, &seen(), &plan, None), "{stage:?}");
        }
    }
}

#[test]
fn each_transition_is_one_event_and_a_steady_state_none() {
    let before = told(&app("blue"), Stage::Serving, &Problems::default());
    assert_eq!(events(&before, &before), []);
    let preparing = Stage::Preparing { target: Color::Green, missing: Missing::Observed };
    let after = told(&app("green"), preparing, &Problems::default());
    let reasons: Vec<_> = events(&before, &after).into_iter().map(|note| note.reason).collect();
    assert_eq!(reasons, ["SwitchStarted"]);
    let canceled: Vec<_> = events(&after, &before).into_iter().map(|note| note.reason).collect();
    assert_eq!(canceled, ["SwitchCanceled"]);
}

/// Green served before, so it is left alone for a drain after the cancel too: the status keeps a record of that.
#[test]
fn canceling_a_switch_to_a_color_that_served_before_is_told_as_a_cancel() {
    let switch = |from, to| SwitchStatus {
        from: Some(from),
        to,
        started_at: Time(Timestamp::UNIX_EPOCH),
        generation: 1,
        available_replicas: 0,
        progressed_at: None,
        drain: None,
    };
    let with =
        |switch| BlueGreenAppStatus { active: Some(Color::Blue), switch, ..BlueGreenAppStatus::default() };
    let asked = with(Some(switch(Color::Blue, Color::Green)));
    let drains = with(Some(switch(Color::Green, Color::Blue)));
    let reasons = |old, new| events(old, new).into_iter().map(|note| note.reason).collect::<Vec<_>>();
    assert_eq!(reasons(&asked, &drains), ["SwitchCanceled"]);
    let over = with(None);
    assert_eq!(reasons(&drains, &over), ["Drained"]);
    let first = with(Some(SwitchStatus { from: None, ..switch(Color::Green, Color::Blue) }));
    assert!(reasons(&first, &over).is_empty(), "no color was left by a first activation");
}

/// The user went to green and back to blue, and blue's pods turned unready in the very moment in which it was
/// committed: without the record, green would be scaled down with its connections open.
#[test]
fn a_switch_back_keeps_its_record_while_its_pods_are_unready() {
    let mut app = app("blue");
    app.status = Some(BlueGreenAppStatus {
        active: Some(Color::Blue),
        switch: Some(SwitchStatus {
            from: Some(Color::Blue),
            to: Color::Green,
            started_at: Time(Timestamp::UNIX_EPOCH),
            generation: 1,
            available_replicas: 0,
            progressed_at: None,
            drain: None,
        }),
        ..BlueGreenAppStatus::default()
    });
    let stage = Stage::Unready { missing: Missing::Pods { have: 0, want: 2 } };
    let kept = told(&app, stage, &Problems::default()).switch.unwrap();
    assert_eq!((kept.from, kept.to), (Some(Color::Green), Color::Blue));
}

/// What `kubectl describe` shows of a first activation, a switch and a switch back.
#[test]
fn the_events_of_a_switch_read_as_sentences() {
    let switch = |from, to| {
        Some(SwitchStatus {
            from,
            to,
            started_at: Time(Timestamp::UNIX_EPOCH),
            generation: 1,
            available_replicas: 0,
            progressed_at: None,
            drain: None,
        })
    };
    let image = |served| {
        Some(ColorStatus {
            image: "hello:v1".into(),
            revision: 1,
            served_revision: served,
            ..ColorStatus::default()
        })
    };
    let at = |active, switch, green| BlueGreenAppStatus {
        active,
        switch,
        blue: image(Some(1)),
        green: image(green),
        ..BlueGreenAppStatus::default()
    };
    let (blue, green) = (Color::Blue, Color::Green);
    let told = |old: &BlueGreenAppStatus, new: &BlueGreenAppStatus| {
        events(old, new).into_iter().map(|note| format!("{} {}", note.reason, note.note)).collect::<Vec<_>>()
    };
    let (nothing, first) = (at(None, None, None), at(None, switch(None, blue), None));
    assert_eq!(told(&nothing, &first), ["SwitchStarted Switching to blue"]);
    let stable = at(Some(blue), None, None);
    assert_eq!(told(&first, &stable), ["Activated Switched to blue, the first live color (hello:v1)"]);
    let asked = at(Some(blue), switch(Some(blue), green), None);
    assert_eq!(told(&stable, &asked), ["SwitchStarted Switching from blue to green"]);
    assert_eq!(told(&asked, &stable), ["SwitchCanceled Switch to green canceled; blue stays live"]);
    let drains = at(Some(green), switch(Some(blue), green), Some(1));
    assert_eq!(told(&asked, &drains), ["Switched Switched from blue to green (hello:v1)"]);
    let done = at(Some(green), None, Some(1));
    assert_eq!(told(&drains, &done), ["Drained blue has drained; it may be scaled down or changed now"]);
    assert_eq!(told(&done, &stable), ["RolledBack Switched back from green to blue (hello:v1)"]);
}

/// The cause is told again when it is gone, so that the Event can be read alone.
#[test]
fn what_is_resolved_is_named() {
    let stalled = told(&app("blue"), Stage::Serving, &failing(FailureKind::Refused, None));
    let fine = told(&app("blue"), Stage::Serving, &Problems::default());
    let notes = events(&stalled, &fine);
    let told: Vec<_> = notes.iter().map(|note| (note.reason, note.note.as_str())).collect();
    assert_eq!(told, [("Recovered", "Resolved: Refused: quota")]);
}
