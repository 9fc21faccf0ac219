//! What a person and their tools are told.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::api::{PerColor, SwitchStatus};
use crate::plan::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Live, Missing, Recorded, Selection,
    ServiceFacts, Stored,
};

pub(super) fn app(active: &str) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "n", "uid": "u", "generation": 7},
        "spec": {"active": active, "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
                 "replicas": 2, "port": 8888},
        "status": {}
    }))
    .unwrap()
}

fn color(served: bool) -> ColorFacts {
    let stored = Some(Stored { number: 1, change: Change::None });
    ColorFacts {
        service: Child::Ours(true),
        newest: stored,
        current: stored,
        served,
        obsolete: Vec::new(),
        deployment: Child::Ours(DeploymentFacts {
            revision: 1,
            stored: true,
            matches: true,
            fence: Fence::Mine,
            replicas: 2,
            observed: true,
            total: 2,
            updated: 2,
            ready: 2,
            available: 2,
            rolled_out: true,
            deadline_exceeded: false,
            proven: true,
        }),
        endpoints: 2,
        uncovered: vec!["node-2".into()],
    }
}

pub(super) fn seen() -> Observed {
    Observed {
        service: Child::Ours(ServiceFacts {
            selects: Selection::Color(Color::Blue),
            committed: Some(Color::Blue),
            served: PerColor { blue: Some(1), green: None },
            fence: Fence::Mine,
            current: true,
            endpoints: 2,
        }),
        colors: PerColor { blue: color(true), green: color(false) },
        recorded: Recorded { active: Some(Color::Blue), switching: false, settled: true },
        elapsed: Elapsed { moved: None, cleared: None, switching: None, idle: PerColor::default() },
    }
}

fn told(app: &BlueGreenApp, stage: Stage, trouble: &Trouble) -> BlueGreenAppStatus {
    let live = Live::Selected(Color::Blue);
    let plan = Plan { actions: Vec::new(), stage, live, switched: false, held: None, wake: None };
    let seen = seen();
    let images = PerColor { blue: Some("hello:v1".into()), green: Some("hello:v2".into()) };
    let now = Timestamp::UNIX_EPOCH;
    status(&Report { app, plan: &plan, seen: &seen, service: None, images, trouble, now })
}

/// An edit of the color that was just left waits for its drain: `kubectl wait --for=condition=StandbyReady` must, too.
#[test]
fn the_version_before_is_not_told_as_the_standby_that_was_asked_for() {
    let app = app("blue");
    let stage = Stage::Draining { old: Color::Green };
    let plan = Plan {
        actions: Vec::new(),
        stage,
        live: Live::Selected(Color::Blue),
        switched: false,
        held: None,
        wake: None,
    };
    let mut seen = seen();
    let tell = |seen: &Observed| {
        let (now, images) = (Timestamp::UNIX_EPOCH, PerColor::default());
        let trouble = Trouble::default();
        let report = Report { app: &app, plan: &plan, seen, service: None, images, trouble: &trouble, now };
        status(&report).condition(STANDBY_READY).map(|c| (c.status.clone(), c.reason.clone()))
    };
    let says = |status: &str, reason: &str| Some((status.to_owned(), reason.to_owned()));
    assert_eq!(tell(&seen), says("True", "Warm"));
    // All new pods are ready, and an old one still answers on the color's own Service.
    if let Child::Ours(deployment) = &mut seen.colors.green.deployment {
        (deployment.total, deployment.ready, deployment.available) = (3, 3, 3);
    }
    assert_eq!(tell(&seen), says("False", "NotReady"));
    if let Child::Ours(deployment) = &mut seen.colors.green.deployment {
        (deployment.total, deployment.ready, deployment.available) = (2, 2, 2);
    }
    assert_eq!(tell(&seen), says("True", "Warm"));
    seen.colors.green.newest = Some(Stored { number: 1, change: Change::Block });
    assert_eq!(tell(&seen), says("False", "NotReady"));
}

fn every_stage() -> Vec<Stage> {
    let missing = [
        Missing::Block,
        Missing::Revision,
        Missing::Deployment,
        Missing::Rollout,
        Missing::Size { have: 1, want: 2 },
        Missing::Observed,
        Missing::Pods { have: 1, want: 2 },
        Missing::Deadline,
        Missing::ReplicaSet,
        Missing::Endpoints { have: 1, want: 2 },
        Missing::Nodes { uncovered: 1 },
    ];
    let mut stages = vec![
        Stage::Yielding,
        Stage::Paused,
        Stage::Pausing,
        Stage::Switching { to: Color::Green },
        Stage::Draining { old: Color::Green },
        Stage::Serving,
    ];
    for missing in missing {
        stages.extend([Stage::Preparing { target: Color::Green, missing }, Stage::Unready { missing }]);
    }
    stages
}

#[test]
fn every_condition_says_which_generation_it_is_about() {
    for stage in every_stage() {
        let status = told(&app("green"), stage, &Trouble::default());
        assert_eq!(status.observed_generation, 7);
        for condition in &status.conditions {
            assert_eq!(condition.observed_generation, Some(7), "{stage:?}: {}", condition.type_);
        }
    }
}

#[test]
fn ready_is_always_there_and_reconciling_and_stalled_never_together() {
    for stage in every_stage() {
        let status = told(&app("green"), stage, &Trouble::default());
        let is = |type_| status.condition(type_).is_some();
        assert!(is(READY) && is(STANDBY_READY), "{stage:?}");
        assert!(!(is(RECONCILING) && is(STALLED)), "{stage:?}");
        let present = [RECONCILING, STALLED].into_iter().filter_map(|type_| status.condition(type_));
        assert!(present.into_iter().all(|condition| condition.status == "True"), "{stage:?}");
    }
}

#[test]
fn every_reason_that_is_said_is_in_the_list() {
    for stage in every_stage() {
        for condition in told(&app("green"), stage, &Trouble::default()).conditions {
            assert!(REASONS.contains(&condition.reason.as_str()), "{}", condition.reason);
        }
    }
}

/// A stalled app is never Ready: `helm --wait` and `kubectl wait` must not take it for done.
#[test]
fn whatever_stalls_makes_ready_false_with_the_same_reason() {
    let troubles = [
        Trouble { invalid: vec!["spec.image: no".into()], ..Trouble::default() },
        Trouble { conflicts: vec!["Service hello exists".into()], ..Trouble::default() },
        Trouble { other_operator: Some("other/op".into()), ..Trouble::default() },
        Trouble {
            refused: Some(Refusal { color: None, words: "port is taken".into() }),
            ..Trouble::default()
        },
    ];
    for trouble in troubles {
        let status = told(&app("blue"), Stage::Serving, &trouble);
        let (ready, stalled) = (status.condition(READY).unwrap(), status.condition(STALLED).unwrap());
        assert_eq!((ready.status.as_str(), &ready.reason), ("False", &stalled.reason));
        assert_eq!(status.phase, Some(Phase::Stalled));
    }
}

#[test]
fn what_is_refused_for_the_idle_color_alone_shows_only_there() {
    let refused = Some(Refusal { color: Some(Color::Green), words: "quota".into() });
    let status = told(&app("blue"), Stage::Serving, &Trouble { refused, ..Trouble::default() });
    assert_eq!(status.condition(READY).unwrap().status, "True");
    assert_eq!(status.condition(STANDBY_READY).unwrap().reason, "Refused");
    assert!(status.condition(STALLED).is_none());
}

/// A person's pending decision is a healthy state: the idle color is there, and nobody has switched yet.
#[test]
fn waiting_for_a_person_is_ready_and_quiet() {
    let status = told(&app("blue"), Stage::Serving, &Trouble::default());
    assert_eq!(status.condition(READY).unwrap().status, "True");
    assert_eq!(status.condition(STANDBY_READY).unwrap().reason, "Warm");
    assert_eq!(status.conditions.len(), 2);
}

#[test]
fn a_transition_time_moves_only_with_the_status() {
    let mut app = app("blue");
    app.status = Some(told(&app, Stage::Serving, &Trouble::default()));
    let plan = Plan {
        actions: Vec::new(),
        stage: Stage::Draining { old: Color::Green },
        live: Live::Selected(Color::Blue),
        switched: false,
        held: None,
        wake: None,
    };
    let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60);
    let (seen, trouble) = (seen(), Trouble::default());
    let new = status(&Report {
        app: &app,
        plan: &plan,
        seen: &seen,
        service: None,
        images: PerColor::default(),
        trouble: &trouble,
        now: later,
    });
    assert_eq!(new.condition(READY).unwrap().last_transition_time.0, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_switch_under_way_keeps_its_start() {
    let mut app = app("green");
    let preparing = Stage::Preparing { target: Color::Green, missing: Missing::Observed };
    let first = told(&app, preparing, &Trouble::default());
    let start = first.switch.clone().unwrap();
    assert_eq!((start.from, start.to), (Some(Color::Blue), Color::Green));
    app.status = Some(first);
    assert_eq!(told(&app, preparing, &Trouble::default()).switch, Some(start));
}

#[test]
fn a_pause_in_the_middle_of_a_switch_is_stalled() {
    let mut app = app("green");
    app.spec.paused = true;
    let stalled = told(&app, Stage::Paused, &Trouble::default());
    assert_eq!(stalled.condition(STALLED).unwrap().reason, "Paused");
    let mut app = self::app("blue");
    app.spec.paused = true;
    let fine = told(&app, Stage::Paused, &Trouble::default());
    assert_eq!(fine.condition(READY).unwrap().status, "True");
}

#[test]
fn the_deadline_of_a_switch_stalls_it_and_names_what_is_missing() {
    let app = app("green");
    let missing = Missing::Pods { have: 1, want: 2 };
    let plan = Plan {
        actions: Vec::new(),
        stage: Stage::Preparing { target: Color::Green, missing },
        live: Live::Selected(Color::Blue),
        switched: false,
        held: None,
        wake: None,
    };
    let mut seen = seen();
    seen.elapsed.switching = Some(Duration::from_secs(600));
    let pods = PerColor { blue: None, green: Some("1 pod: the image hello:v2 can't be pulled".into()) };
    let trouble = Trouble { pods, ..Trouble::default() };
    let images = PerColor::default();
    let now = Timestamp::UNIX_EPOCH;
    let new = status(&Report {
        app: &app,
        plan: &plan,
        seen: &seen,
        service: None,
        images,
        trouble: &trouble,
        now,
    });
    let stalled = new.condition(STALLED).unwrap();
    assert_eq!(stalled.reason, "ProgressDeadlineExceeded");
    assert_eq!(stalled.message, "green has 1 of 2 pods available: 1 pod: the image hello:v2 can't be pulled");
}

#[test]
fn each_transition_is_one_event_and_a_steady_state_none() {
    let before = told(&app("blue"), Stage::Serving, &Trouble::default());
    assert_eq!(events(&before, &before), []);
    let preparing = Stage::Preparing { target: Color::Green, missing: Missing::Observed };
    let after = told(&app("green"), preparing, &Trouble::default());
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
        available_replicas: 0,
        progressed_at: None,
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
            available_replicas: 0,
            progressed_at: None,
        }),
        ..BlueGreenAppStatus::default()
    });
    let stage = Stage::Unready { missing: Missing::Pods { have: 0, want: 2 } };
    let kept = told(&app, stage, &Trouble::default()).switch.unwrap();
    assert_eq!((kept.from, kept.to), (Some(Color::Green), Color::Blue));
}
