//! When does an app wait for a person, and is told what to do?

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::observe::{Snapshot, Stranger};

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
    let refused = failing(FailureKind::Refused, None);
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

/// The phase is `Switching` only where traffic moves: back to the color before, after a check has failed.
#[test]
fn a_switch_that_is_refused_has_the_phase_of_what_is_stalled() {
    let refused = failing(FailureKind::Refused, None);
    let mut app = app("green");
    app.status.get_or_insert_default().switch = serde_json::from_value(serde_json::json!({
        "from": "blue", "to": "green", "startedAt": "1970-01-01T00:00:00Z", "generation": 7
    }))
    .unwrap();
    let status = told(&app, Stage::Switching { to: Color::Green }, &refused);
    assert_eq!(status.switch.as_ref().map(|switch| switch.to), Some(Color::Green));
    assert_eq!((says(&status, STALLED), status.phase), (("True", "Refused"), Some(Phase::Stalled)));
    let status = told(&app, Stage::Switching { to: Color::Green }, &Problems::default());
    assert_eq!(status.phase, Some(Phase::Switching));
}

/// What an earlier app left behind, what nobody owns, and what somebody else owns have different remedies.
#[test]
fn all_conflicts_are_told_at_once_each_with_what_to_do() {
    let (app, mut seen) = (app("blue"), seen());
    seen.service = Child::Foreign;
    for color in Color::ALL {
        (seen.colors.get_mut(color).service, seen.colors.get_mut(color).deployment) =
            (Child::Foreign, Child::Foreign);
    }
    let strangers = [
        ("Service hello", Stranger::LeftBehind),
        ("Deployment hello-blue", Stranger::LeftBehind),
        ("Deployment hello-green", Stranger::Controlled("Rollout web".to_owned())),
    ];
    let strangers = strangers.map(|(what, why)| (what.to_owned(), why)).into();
    let material = Material { strangers, ..Material::default() };
    let plan = plan::plan(&observe::intent(&app), &seen);
    let status = told_at(Timestamp::UNIX_EPOCH, &app, &seen, &plan, &Problems::default(), material);
    assert_eq!(
        message(&status, STALLED),
        "Service hello and Deployment hello-blue exist with the label bluegreen.dev/app: hello and without an owner; to \
         take them over, annotate the app: kubectl annotate bluegreenapp hello bluegreen.dev/adopt=true. \
         Service hello-blue and Service hello-green exist and do not belong to this app; delete them, or hand each over \
         with the annotation bluegreen.dev/adopt: hello. \
         Deployment hello-green exists and belongs to Rollout web; delete it, or give this app another name"
    );
}

/// Its selector is immutable and selects other pods, so an annotation would lead into a dead end.
#[test]
fn nobody_is_told_to_hand_over_a_deployment_that_was_never_an_apps() {
    let app = app("blue");
    let mut seen = seen();
    seen.colors.get_mut(Color::Blue).deployment = Child::Foreign;
    let plan = plan::plan(&observe::intent(&app), &seen);
    let status =
        told_at(Timestamp::UNIX_EPOCH, &app, &seen, &plan, &Problems::default(), Material::default());
    assert_eq!(
        message(&status, STALLED),
        "Deployment hello-blue exists and does not belong to this app; delete it; add --cascade=orphan to keep the pods \
         running"
    );
}

/// A label that somebody forged stops the operator: then it has to say so, and how to go on.
#[test]
fn a_token_of_a_later_leader_is_told_with_the_object_and_the_remedy() {
    let mut seen = seen();
    deployment(&mut seen, Color::Green).fence = Fence::Newer;
    let status = decided(&app("blue"), &seen);
    assert_eq!(says(&status, STALLED), ("True", "FenceConflict"));
    let words = message(&status, STALLED);
    assert!(words.ends_with("kubectl annotate deployment/hello-green bluegreen.dev/fence-"), "{words}");
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

/// The live color's size follows during the pause: an autoscaler's write neither stalls nor degrades the app.
#[test]
fn a_paused_app_with_a_new_size_is_neither_stalled_nor_degraded() {
    let mut app = app("blue");
    (app.spec.paused, app.spec.replicas) = (true, 5);
    let status = decided(&app, &seen());
    assert_eq!((says(&status, READY), says(&status, STALLED)), (("True", "Paused"), ("", "")));
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

/// The Service selects green, and its slices do not follow. One that somebody made by hand is named from the start.
#[test]
fn a_switch_whose_endpoints_do_not_follow_is_stalled_at_the_deadline() {
    let (app, mut seen) = (app("green"), seen());
    if let Child::Ours(service) = &mut seen.service {
        (service.selects, service.committed) = (Selection::Color(Color::Green), Some(Color::Green));
    }
    seen.recorded = Recorded { active: Some(Color::Green), switching: true, settled: false };
    let tell = |passed: u64| {
        let mut seen = seen.clone();
        seen.elapsed.switching = Some(Duration::from_secs(passed));
        let plan = plan::plan(&observe::intent(&app), &seen);
        let foreign_slices = vec!["EndpointSlice hello-by-hand".to_owned()];
        let material = Material { foreign_slices, ..Material::default() };
        told_at(Timestamp::UNIX_EPOCH, &app, &seen, &plan, &Problems::default(), material)
    };
    let waits = tell(599);
    assert_eq!(
        (says(&waits, READY), says(&waits, RECONCILING)),
        (("False", "Switching"), ("True", "Switching"))
    );
    assert_eq!(says(&waits, STALLED), ("", ""));
    let late = tell(600);
    assert_eq!(says(&late, STALLED), ("True", "ProgressDeadlineExceeded"));
    for status in [waits, late] {
        let named = "Service hello also sends traffic to the addresses in EndpointSlice hello-by-hand, which";
        assert!(message(&status, READY).contains(named), "{status:?}");
    }
}

/// Slices that somebody adds to the live Service get traffic like any other: they are named, with who made them.
#[test]
fn slices_that_the_endpoint_slice_controller_did_not_make_are_named() {
    let slice = |name: &str, manager: &str, addresses: &[&str]| {
        let endpoints: Vec<_> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
        let labels =
            json!({"kubernetes.io/service-name": "hello", "endpointslice.kubernetes.io/managed-by": manager});
        let metadata = json!({"name": name, "labels": labels});
        let slice = json!({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints});
        Arc::new(serde_json::from_value(slice).unwrap())
    };
    let snapshot = Snapshot {
        live_slices: vec![
            slice("hello-x7k2p", "endpointslice-controller.k8s.io", &["10.0.0.1"]),
            slice("hello-mirrored", "endpointslicemirroring-controller.k8s.io", &["192.0.2.1", "192.0.2.2"]),
            slice("hello-by-hand", "somebody", &["192.0.2.7"]),
            slice("hello-empty", "somebody", &[]),
        ],
        ..Snapshot::of(app("blue"))
    };
    assert_eq!(
        Material::of(&snapshot, &seen()).foreign_slices,
        [
            "EndpointSlice hello-by-hand (managed by somebody)",
            "EndpointSlice hello-mirrored (managed by endpointslicemirroring-controller.k8s.io)",
        ]
    );
}

/// The switch to green was sent and got no answer, and the user went back: it may still arrive, and blue must drain then.
#[test]
fn a_switch_that_may_still_take_effect_is_not_called_canceled() {
    let (mut app, mut seen) = (app("blue"), seen());
    let switch = json!({"from": "blue", "to": "green", "startedAt": Timestamp::UNIX_EPOCH.to_string()});
    let mut status = serde_json::to_value(app.status.clone().unwrap()).unwrap();
    status["switch"] = switch;
    status["active"] = json!("blue");
    app.status = serde_json::from_value(status).unwrap();
    seen.recorded = Recorded { active: Some(Color::Blue), switching: true, settled: false };
    (seen.elapsed.moved, seen.elapsed.cleared) =
        (Some(Duration::from_secs(99)), Some(Duration::from_secs(99)));
    for (fence, is_kept) in [(Fence::Stale, true), (Fence::Mine, false)] {
        deployment(&mut seen, Color::Green).fence = fence;
        let plan = plan::plan(&observe::intent(&app), &seen);
        let status = told_of(&app, &seen, &plan, &failing(FailureKind::Failed, Some(Color::Green)));
        assert_eq!(status.switch.is_some(), is_kept, "{status:?}");
        let phase = if is_kept { Phase::Switching } else { Phase::Stable };
        assert_eq!(status.phase, Some(phase), "{status:?}");
    }
}

/// What is called done is not fenced any more: a write of an earlier leader could then still arrive.
#[test]
fn nothing_is_called_done_while_an_earlier_write_may_still_take_effect() {
    let (app, mut seen) = (app("blue"), seen());
    seen.recorded.settled = false;
    for (fence, is_told) in [(Fence::Stale, "True"), (Fence::Mine, "")] {
        deployment(&mut seen, Color::Green).fence = fence;
        let plan = plan::plan(&observe::intent(&app), &seen);
        let status = told_of(&app, &seen, &plan, &failing(FailureKind::Refused, Some(Color::Green)));
        assert_eq!(says(&status, RECONCILING).0, is_told, "{status:?}");
    }
}

/// kstatus knows no object that fails and makes progress. Whatever stalls an app, what may still take effect is fenced before
/// the app counts as settled.
#[test]
fn what_may_still_take_effect_leaves_an_app_unsettled_whether_or_not_it_is_stalled() {
    let kinds = [FailureKind::Refused, FailureKind::Reverted, FailureKind::Failed];
    let colors = [None, Some(Color::Blue), Some(Color::Green)];
    let failures = kinds.iter().flat_map(|kind| colors.iter().map(|color| failing(*kind, *color)));
    let (mut seen, mut stalled_apps) = (seen(), 0);
    seen.recorded.settled = false;
    deployment(&mut seen, Color::Green).fence = Fence::Stale;
    for problems in failures {
        for (active, paused, late) in
            [("blue", false, false), ("green", false, false), ("green", false, true), ("green", true, false)]
        {
            let mut app = app(active);
            app.spec.paused = paused;
            seen.elapsed.switching = late.then_some(Duration::from_secs(10_000));
            let plan = plan::plan(&observe::intent(&app), &seen);
            let status = told_of(&app, &seen, &plan, &problems);
            let is = |type_| status.condition(type_).is_some();
            assert!(is(RECONCILING) != is(STALLED) && !status.is_settled(), "{status:?}");
            stalled_apps += usize::from(is(STALLED));
        }
    }
    assert!(stalled_apps > 0, "some of them are stalled");
}

/// The size of a paused app's live color was written and got no answer: until that is fenced, the pause is not reported.
#[test]
fn a_pause_is_not_told_while_a_new_size_may_still_take_effect() {
    let (mut app, mut seen) = (app("green"), seen());
    (app.spec.paused, app.spec.replicas) = (true, 5);
    for (fence, told, settled) in [(Fence::Stale, RECONCILING, false), (Fence::Mine, STALLED, true)] {
        deployment(&mut seen, Color::Green).fence = fence;
        let status = decided(&app, &seen);
        assert_eq!((says(&status, told).0, status.is_settled()), ("True", settled), "{status:?}");
    }
}

#[test]
fn what_is_left_over_hides_nobody_who_fights_for_the_live_color() {
    let app = app("blue");
    let left = Failure {
        color: Some(Color::Blue),
        check: None,
        leftover: true,
        kind: FailureKind::Refused,
        words: "a webhook".into(),
    };
    let fight = Reverted {
        object: "Deployment hello-blue".into(),
        color: Some(Color::Blue),
        deviation: None,
        later: true,
    };
    let problems = Problems { failure: Some(left), reverted: vec![fight], ..Problems::default() };
    assert!(!problems.failures(&app, Color::Blue)[0].leftover);
    let status = told(&app, Stage::Serving, &problems);
    assert_eq!(status.condition("Stalled").map(|it| &*it.reason), Some("Contested"));
}

/// A check took the switch to green back, so green is idle again, although `spec.active` still names it.
#[test]
fn what_fails_on_a_color_that_a_check_refused_hides_nobody_who_fights_for_the_live_one() {
    let app = app("green");
    let fight = Reverted {
        object: "Deployment hello-blue".into(),
        color: Some(Color::Blue),
        deviation: None,
        later: true,
    };
    let problems = Problems { reverted: vec![fight], ..failing(FailureKind::Refused, Some(Color::Green)) };
    let colors = |aim| problems.failures(&app, aim).iter().map(|failure| failure.color).collect::<Vec<_>>();
    assert_eq!(colors(Color::Blue), [Some(Color::Blue), Some(Color::Green)]);
    assert_eq!(colors(Color::Green), [Some(Color::Green), Some(Color::Blue)]);
}
