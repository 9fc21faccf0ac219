//! What a person and their tools are told.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::plan::{
    self, Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Holder, Missing, Recorded, Selection,
    ServiceFacts, Stored, Waits,
};

fn app(active: &str) -> BlueGreenApp {
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

fn seen() -> Observed {
    Observed {
        service: Child::Ours(ServiceFacts {
            selects: Selection::Color(Color::Blue),
            committed: Some(Color::Blue),
            served: PerColor { blue: Some(1), green: None },
            fence: Fence::Mine,
            current: true,
        }),
        colors: PerColor { blue: color(true), green: color(false) },
        recorded: Recorded { active: Some(Color::Blue), switching: false, settled: true },
        elapsed: Elapsed { moved: None, cleared: None, switching: None, idle: PerColor::default() },
    }
}

/// A plan that stands at this stage, with what it then waits for.
fn standing(stage: Stage) -> Plan {
    let late = |missing| missing == Missing::Deadline;
    let waits = match stage {
        Stage::Yielding => {
            Waits { holder: Some(Holder::Installation("other/op".to_owned())), ..Waits::default() }
        }
        Stage::Preparing { target, missing } => {
            Waits { gate: Some((target, missing)), late: late(missing), ..Waits::default() }
        }
        Stage::Unready { missing } => {
            Waits { gate: Some((Color::Blue, missing)), late: late(missing), ..Waits::default() }
        }
        Stage::Draining { old } => Waits { drain: Some(old), ..Waits::default() },
        Stage::Invalid | Stage::Paused | Stage::Pausing | Stage::Switching { .. } | Stage::Serving => {
            Waits::default()
        }
    };
    Plan { actions: Vec::new(), stage, live: Live::Selected(Color::Blue), held: None, waits, wake: None }
}

fn told_of(app: &BlueGreenApp, seen: &Observed, plan: &Plan, problems: &Problems) -> BlueGreenAppStatus {
    let images = PerColor { blue: Some("hello:v1".into()), green: Some("hello:v2".into()) };
    let material = Material { images, ..Material::default() };
    status(&Report { app, plan, seen, material, problems, now: Timestamp::UNIX_EPOCH })
}

fn told(app: &BlueGreenApp, stage: Stage, problems: &Problems) -> BlueGreenAppStatus {
    told_of(app, &seen(), &standing(stage), problems)
}

/// What is told of these facts, by the planner's own decision.
fn decided(app: &BlueGreenApp, seen: &Observed) -> BlueGreenAppStatus {
    told_of(app, seen, &plan::plan(&observe::intent(app), seen), &Problems::default())
}

fn deployment(seen: &mut Observed, color: Color) -> &mut DeploymentFacts {
    match &mut seen.colors.get_mut(color).deployment {
        Child::Ours(deployment) => deployment,
        _ => panic!("it has a Deployment"),
    }
}

/// (status, reason) of a condition.
fn says<'a>(status: &'a BlueGreenAppStatus, type_: &str) -> (&'a str, &'a str) {
    status.condition(type_).map_or(("", ""), |c| (c.status.as_str(), c.reason.as_str()))
}

fn message<'a>(status: &'a BlueGreenAppStatus, type_: &str) -> &'a str {
    status.condition(type_).map_or("", |c| c.message.as_str())
}

/// An edit of the color that was just left waits for its drain: `kubectl wait --for=condition=StandbyReady` must, too.
#[test]
fn the_version_before_is_not_told_as_the_standby_that_was_asked_for() {
    let app = app("blue");
    let plan = standing(Stage::Draining { old: Color::Green });
    let mut seen = seen();
    let tell = |seen: &Observed| {
        let status = told_of(&app, seen, &plan, &Problems::default());
        status.condition(STANDBY_READY).map(|c| (c.status.clone(), c.reason.clone()))
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
        Missing::Observed,
        Missing::Pods { have: 1, want: 2 },
        Missing::Deadline,
        Missing::ReplicaSet,
        Missing::Endpoints { have: 1, want: 2 },
        Missing::Nodes { uncovered: 1 },
    ];
    let mut stages = vec![
        Stage::Yielding,
        Stage::Invalid,
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
        let status = told(&app("green"), stage, &Problems::default());
        assert_eq!(status.observed_generation, 7);
        for condition in &status.conditions {
            assert_eq!(condition.observed_generation, Some(7), "{stage:?}: {}", condition.type_);
        }
    }
}

#[test]
fn ready_is_always_there_and_reconciling_and_stalled_never_together() {
    for stage in every_stage() {
        let status = told(&app("green"), stage, &Problems::default());
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
        for condition in told(&app("green"), stage, &Problems::default()).conditions {
            assert!(REASONS.contains(&condition.reason.as_str()), "{}", condition.reason);
        }
    }
}

/// A stalled app is never Ready: `helm --wait` and `kubectl wait` must not take it for done.
#[test]
fn whatever_stalls_makes_ready_false_with_the_same_reason() {
    let mut invalid = app("blue");
    invalid.spec.image = "no image".to_owned();
    let fenced = |fence: Fence| {
        let mut seen = seen();
        if let Child::Ours(service) = &mut seen.service {
            service.fence = fence;
        }
        seen
    };
    let mut foreign = seen();
    foreign.colors.green.service = Child::Foreign;
    let refused = Some(Refusal { color: None, words: "port is taken".into() });
    let refused = Problems { refused, ..Problems::default() };
    for (status, reason) in [
        (decided(&invalid, &seen()), "InvalidSpec"),
        (decided(&app("blue"), &foreign), "NameConflict"),
        (decided(&app("blue"), &fenced(Fence::Foreign("other/op".into()))), "TwoOperators"),
        (decided(&app("blue"), &fenced(Fence::Newer)), "FenceConflict"),
        (told(&app("blue"), Stage::Serving, &refused), "Refused"),
    ] {
        assert_eq!((says(&status, READY), says(&status, STALLED)), (("False", reason), ("True", reason)));
        assert_eq!(message(&status, READY), message(&status, STALLED));
        assert!(!message(&status, READY).is_empty());
        assert_eq!(status.phase, Some(Phase::Stalled));
    }
}

/// A label that somebody forged stops the operator: then it has to say so, and how to go on.
#[test]
fn a_token_of_a_later_leader_is_told_with_the_object_and_the_remedy() {
    let mut seen = seen();
    deployment(&mut seen, Color::Green).fence = Fence::Newer;
    let status = decided(&app("blue"), &seen);
    assert_eq!(says(&status, STALLED), ("True", "FenceConflict"));
    let words = message(&status, STALLED);
    assert!(words.ends_with("kubectl label deployment/hello-green bluegreen.dev/fence-"), "{words}");
}

#[test]
fn what_is_refused_for_the_idle_color_alone_shows_only_there() {
    let refused = Some(Refusal { color: Some(Color::Green), words: "quota".into() });
    let status = told(&app("blue"), Stage::Serving, &Problems { refused, ..Problems::default() });
    assert_eq!(status.condition(READY).unwrap().status, "True");
    assert_eq!(status.condition(STANDBY_READY).unwrap().reason, "Refused");
    assert!(status.condition(STALLED).is_none());
}

/// A person's pending decision is a healthy state: the idle color is there, and nobody has switched yet.
#[test]
fn waiting_for_a_person_is_ready_and_quiet() {
    let status = told(&app("blue"), Stage::Serving, &Problems::default());
    assert_eq!(status.condition(READY).unwrap().status, "True");
    assert_eq!(status.condition(STANDBY_READY).unwrap().reason, "Warm");
    assert_eq!(status.conditions.len(), 2);
}

#[test]
fn a_transition_time_moves_only_with_the_status() {
    let mut app = app("blue");
    app.status = Some(told(&app, Stage::Serving, &Problems::default()));
    let plan = standing(Stage::Draining { old: Color::Green });
    let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60);
    let (seen, problems, material) = (seen(), Problems::default(), Material::default());
    let new =
        status(&Report { app: &app, plan: &plan, seen: &seen, material, problems: &problems, now: later });
    assert_eq!(new.condition(READY).unwrap().last_transition_time.0, Timestamp::UNIX_EPOCH);
}

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

#[test]
fn a_pause_in_the_middle_of_a_switch_is_stalled() {
    let mut app = app("green");
    app.spec.paused = true;
    let stalled = decided(&app, &seen());
    assert_eq!(says(&stalled, STALLED), ("True", "Paused"));
    let mut app = self::app("blue");
    app.spec.paused = true;
    let fine = decided(&app, &seen());
    assert_eq!((says(&fine, READY), fine.condition(STALLED)), (("True", "Paused"), None));
}

/// `spec.paused` silences no alert: an app without a ready pod is not Ready, whoever paused it.
#[test]
fn a_paused_app_whose_pods_fail_is_not_ready() {
    for active in ["blue", "green"] {
        let (mut app, mut seen) = (app(active), seen());
        app.spec.paused = true;
        let was = decided(&app, &seen);
        let live = deployment(&mut seen, Color::Blue);
        (live.ready, live.available) = (0, 0);
        let status = decided(&app, &seen);
        assert_eq!(says(&status, READY), ("False", "LiveNotReady"), "active: {active}");
        assert_eq!(
            message(&status, READY),
            "blue has 0 of 2 pods available; spec.paused is true, so the operator changes nothing"
        );
        // A switch that is held back besides is told, too.
        assert_eq!(says(&status, STALLED).0, if active == "green" { "True" } else { "" });
        assert_eq!(status.phase, Some(Phase::Paused));
        let reasons: Vec<_> = events(&was, &status).into_iter().map(|note| note.reason).collect();
        assert_eq!(reasons, ["LiveDegraded"]);
    }
}

/// A size that was edited during the pause is a change that waits, not a pod that fails.
#[test]
fn a_paused_app_with_a_new_size_is_stalled_and_not_degraded() {
    let mut app = app("blue");
    (app.spec.paused, app.spec.replicas) = (true, 5);
    let status = decided(&app, &seen());
    assert_eq!((says(&status, READY), says(&status, STALLED)), (("False", "Paused"), ("True", "Paused")));
}

#[test]
fn the_deadline_of_a_switch_stalls_it_and_names_what_is_missing() {
    let app = app("green");
    let mut seen = seen();
    seen.elapsed.switching = Some(Duration::from_secs(600));
    deployment(&mut seen, Color::Green).available = 1;
    let plan = plan::plan(&observe::intent(&app), &seen);
    let pods = PerColor { blue: None, green: Some("1 pod: the image hello:v2 can't be pulled".into()) };
    let new = told_of(&app, &seen, &plan, &Problems { pods, ..Problems::default() });
    assert_eq!(says(&new, STALLED), ("True", "ProgressDeadlineExceeded"));
    assert_eq!(
        message(&new, STALLED),
        "green has 1 of 2 pods available: 1 pod: the image hello:v2 can't be pulled"
    );
}

/// The Service selects green, and a slice that somebody made by hand keeps it from having green's endpoints only.
#[test]
fn a_switch_whose_endpoints_do_not_follow_is_stalled_at_the_deadline_and_names_the_foreign_slice() {
    let (app, mut seen) = (app("green"), seen());
    if let Child::Ours(service) = &mut seen.service {
        (service.selects, service.committed) = (Selection::Color(Color::Green), Some(Color::Green));
    }
    seen.recorded = Recorded { active: Some(Color::Green), switching: true, settled: false };
    let tell = |passed: u64| {
        let mut seen = seen.clone();
        seen.elapsed.switching = Some(Duration::from_secs(passed));
        let plan = plan::plan(&observe::intent(&app), &seen);
        let foreign_slices = vec!["EndpointSlice hello-by-hand (192.0.2.7)".to_owned()];
        let material = Material { foreign_slices, ..Material::default() };
        let problems = Problems::default();
        let now = Timestamp::UNIX_EPOCH;
        status(&Report { app: &app, plan: &plan, seen: &seen, material, problems: &problems, now })
    };
    let waits = tell(599);
    assert_eq!(
        (says(&waits, READY), says(&waits, RECONCILING)),
        (("False", "Switching"), ("True", "Switching"))
    );
    assert_eq!(says(&waits, STALLED), ("", ""));
    let late = tell(600);
    assert_eq!(says(&late, STALLED), ("True", "ProgressDeadlineExceeded"));
    assert!(message(&late, STALLED).ends_with("delete EndpointSlice hello-by-hand (192.0.2.7)"), "{late:?}");
}

/// `kubectl bluegreen deploy --wait` ends with 1 then, instead of waiting for its own timeout.
#[test]
fn an_idle_color_that_exceeded_its_deadline_has_failed() {
    let (app, mut seen) = (app("blue"), seen());
    let green = deployment(&mut seen, Color::Green);
    (green.ready, green.available, green.rolled_out) = (0, 0, false);
    assert_eq!(says(&decided(&app, &seen), STANDBY_READY), ("False", "NotReady"));
    deployment(&mut seen, Color::Green).deadline_exceeded = true;
    let status = decided(&app, &seen);
    assert_eq!(says(&status, STANDBY_READY), ("False", "ProgressDeadlineExceeded"));
    assert_eq!(message(&status, STANDBY_READY), "Deployment hello-green exceeded its progress deadline");
    assert_eq!(says(&status, READY), ("True", "Serving"), "a broken idle color is no fault of the app");
}

/// Somebody edits the idle color's Deployment again and again: all of its pods are ready, and they are not what was asked for.
#[test]
fn an_idle_deployment_that_differs_from_its_revision_is_being_updated() {
    let (app, mut seen) = (app("blue"), seen());
    deployment(&mut seen, Color::Green).matches = false;
    let status = decided(&app, &seen);
    assert_eq!(says(&status, STANDBY_READY), ("False", "NotReady"));
    assert_eq!(message(&status, STANDBY_READY), "Waiting for Deployment hello-green to be updated");
    assert_eq!(says(&status, RECONCILING), ("True", "StandbyUpdating"));
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
            assert_eq!(
                Record::from(&new),
                record(&old, &intent, &seen(), &plan, Refused::Nothing),
                "{stage:?}"
            );
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
    let switch = |from, to| SwitchStatus { from: Some(from), to, started_at: Time(Timestamp::UNIX_EPOCH) };
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
        }),
        ..BlueGreenAppStatus::default()
    });
    let stage = Stage::Unready { missing: Missing::Pods { have: 0, want: 2 } };
    let kept = told(&app, stage, &Problems::default()).switch.unwrap();
    assert_eq!((kept.from, kept.to), (Some(Color::Green), Color::Blue));
}
