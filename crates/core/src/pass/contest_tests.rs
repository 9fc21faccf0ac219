use super::*;
use crate::desired::Difference;
use crate::observe::Deviation;
use bluegreen_api::Color;

const EDIT: [Action; 1] = [Action::EditDeployment { color: Color::Green, replicas: 3 }];

const NOW: Occasion = (1, 0);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn what(_: &Action) -> Option<Reverted> {
    Some(Reverted { object: "Deployment hello-green".into(), color: None, deviation: None, later: false })
}

/// Equal writes, each as soon as it is allowed; whether each lasted before it was undone.
fn fight(actions: &[Action], rounds: u32, lasts: bool, urgent: bool) -> (Contest, Vec<Duration>, Duration) {
    let (mut contest, mut pauses, mut now) = (Contest::default(), Vec::new(), at(0));
    for _ in 0..rounds {
        contest.planned(actions, NOW, now, what);
        contest.done(actions, NOW, now, |_| urgent);
        if lasts {
            contest.planned(&[], NOW, now, what);
        }
        contest.planned(actions, NOW, now, what);
        let pause = contest.hold(&actions[0], NOW, now);
        pauses.extend(pause);
        now += pause.unwrap_or(at(1));
    }
    (contest, pauses, now)
}

#[test]
fn equal_writes_one_after_the_other_are_a_contest() {
    for (rounds, told) in [(3, 0), (4, 1), (5, 1)] {
        let (contest, _, now) = fight(&EDIT, rounds, false, false);
        assert_eq!(contest.told(now).len(), told, "after {rounds}");
    }
}

#[test]
fn the_pause_grows_up_to_a_bound_that_depends_on_who_waits() {
    for (lasts, urgent, (first, longest)) in
        [(false, false, AT_ONCE), (true, false, LATER), (true, true, URGENT), (false, true, URGENT)]
    {
        let (contest, pauses, now) = fight(&EDIT, 20, lasts, urgent);
        assert_eq!((pauses.first(), pauses.last()), (Some(&first), Some(&longest)));
        assert!(pauses.is_sorted());
        assert_eq!(contest.hold(&EDIT[0], NOW, now), None);
        assert_eq!(contest.told(now).first().map(|it| it.later), Some(lasts));
    }
}

#[test]
fn other_actions_are_never_held_up() {
    let (contest, _, _) = fight(&EDIT, 10, false, false);
    let switch = Action::Switch { from: Some(Color::Green), to: Color::Blue };
    assert_eq!(contest.hold(&switch, NOW, at(1)), None);
}

#[test]
fn other_actions_in_between_do_not_hide_a_contest() {
    let mut contest = Contest::default();
    for second in 0..4 {
        contest.planned(&EDIT, NOW, at(second), what);
        contest.done(&EDIT, NOW, at(second), |_| false);
        contest.done(&[Action::UpdateService], NOW, at(second), |_| false);
    }
    contest.planned(&EDIT, NOW, at(3), what);
    assert!(contest.hold(&EDIT[0], NOW, at(3)).is_some());
}

#[test]
fn a_write_that_is_no_longer_changed_ends_the_contest_at_once() {
    let (mut contest, _, now) = fight(&EDIT, 6, false, false);
    contest.planned(&[], NOW, now, what);
    assert!(contest.told(now).is_empty());
}

#[test]
fn a_write_that_is_undone_later_is_a_contest_until_it_has_lasted() {
    let (mut contest, _, now) = fight(&EDIT, 6, true, false);
    contest.planned(&[], NOW, now, what);
    let left = contest.ends_in(now).unwrap_or_default();
    assert!(left > at(0) && !contest.told(now).is_empty());
    assert!(contest.told(now + left).is_empty());
}

#[test]
fn writes_that_are_far_apart_are_no_contest() {
    let mut contest = Contest::default();
    for n in 1..20 {
        contest.planned(&EDIT, NOW, at(61 * n), what);
        contest.done(&EDIT, NOW, at(61 * n), |_| false);
    }
    assert!(contest.told(at(61 * 19)).is_empty());
}

/// Four edits of the Service's annotations in a minute, or four fences in a row while the API server gives no answers.
#[test]
fn writes_of_another_generation_or_of_another_token_are_no_contest() {
    let mut contest = Contest::default();
    for n in 1..20 {
        for occasion in [(n, 0), (1, u32::try_from(n).unwrap_or(0))] {
            contest.planned(&EDIT, occasion, at(1), what);
            contest.done(&EDIT, occasion, at(1), |_| false);
            assert_eq!(contest.hold(&EDIT[0], occasion, at(1)), None);
        }
    }
    assert!(contest.told(at(1)).is_empty());
}

/// Before it removes what others have added, the operator takes a label off by itself.
#[test]
fn what_somebody_is_known_to_have_written_is_told_and_not_what_only_differs() {
    let written = |path: &str, manager: Option<&str>| {
        let difference = Difference { path: path.into(), declared: "1".into(), live: "absent".into() };
        let deviation = Some(Deviation { difference, manager: manager.map(str::to_owned) });
        Some(Reverted { object: "Deployment hello-green".into(), color: None, deviation, later: false })
    };
    let (mut contest, _, now) = fight(&EDIT, 4, false, false);
    let mut tells = |what: Option<Reverted>| {
        contest.planned(&EDIT, NOW, now, |_| what.clone());
        let told = contest.told(now).into_iter().next().unwrap();
        told.deviation.map(|deviation| deviation.difference.path)
    };
    assert_eq!(tells(written("tolerations", Some("kubectl"))).as_deref(), Some("tolerations"));
    assert_eq!(tells(written("label", None)).as_deref(), Some("tolerations"));
    assert_eq!(tells(None).as_deref(), Some("tolerations"));
    assert_eq!(tells(written("replicas", Some("hpa"))).as_deref(), Some("replicas"));
}

#[test]
fn each_field_is_told_of_once_and_no_more_fields_than_tell_something_new() {
    let (mut contest, _, _) = fight(&EDIT, 1, false, false);
    for field in 0..TOLD {
        let path = field.to_string();
        assert!(!contest.has_told(&EDIT[0], &path, NOW), "{path}");
        contest.tells(vec![(EDIT[0].clone(), path.clone())], NOW);
        assert!(contest.has_told(&EDIT[0], &path, NOW), "{path}");
    }
    assert!(contest.has_told(&EDIT[0], "another", NOW));
    assert!(!contest.has_told(&EDIT[0], "another", (2, 0)), "another generation");
}
