//! The four conditions, above all of a healthy app and of its idle color.

use std::collections::BTreeSet;

use super::*;

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

/// A phase was documented that nothing ever reported.
#[test]
fn every_phase_is_reported() {
    let number = |phase| match phase {
        Phase::Preparing => 0,
        Phase::Switching => 1,
        Phase::Draining => 2,
        Phase::Stable => 3,
        Phase::Stalled => 4,
        Phase::Paused => 5,
        Phase::Checking => 6,
    };
    let told = every_stage().into_iter().map(|stage| told(&app("green"), stage, &Problems::default()));
    let reported: BTreeSet<usize> = told.filter_map(|status| status.phase).map(number).collect();
    assert_eq!(reported, (0..7).collect());
}

#[test]
fn every_reason_that_is_said_is_in_the_list() {
    for stage in every_stage() {
        for condition in told(&app("green"), stage, &Problems::default()).conditions {
            assert!(REASONS.contains(&condition.reason.as_str()), "{}", condition.reason);
        }
    }
}

#[test]
fn what_is_refused_for_the_idle_color_alone_shows_only_there() {
    let status = told(&app("blue"), Stage::Serving, &failing(FailureKind::Refused, Some(Color::Green)));
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
    let new = told_at(later, &app, &seen(), &plan, &Problems::default(), Material::default());
    assert_eq!(new.condition(READY).unwrap().last_transition_time.0, Timestamp::UNIX_EPOCH);
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
    assert_eq!(message(&status, STANDBY_READY), "Deployment hello-green is not updated yet");
    assert_eq!(says(&status, RECONCILING), ("True", "StandbyUpdating"));
}
