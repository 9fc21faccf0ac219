//! What holds of checks for any facts at all, possible or not?

use bluegreen_api::{CheckResult, CheckTime};
use proptest::prelude::*;

use super::fixtures::*;
use super::*;
use crate::plan::JobPods;
use crate::plan::checks::is_exempt;
use crate::plan::verdicts;

fn any_result() -> impl Strategy<Value = CheckResult> {
    prop_oneof![
        1 => Just(CheckResult::Running),
        3 => Just(CheckResult::Passed),
        1 => Just(CheckResult::Failed),
        1 => Just(CheckResult::Inconclusive),
    ]
}

fn any_when() -> impl Strategy<Value = CheckTime> {
    prop_oneof![Just(CheckTime::Before), Just(CheckTime::After)]
}

fn any_check() -> impl Strategy<Value = CheckFacts> {
    let left = prop_oneof![Just(Duration::ZERO), Just(Duration::from_secs(9))];
    let verdict =
        (any_result(), 0..4_u8, left).prop_map(|(result, attempts, left)| Verdict { result, attempts, left });
    let job = prop_oneof![
        1 => Just(CheckJob::Unread),
        2 => Just(CheckJob::Absent),
        1 => Just(CheckJob::Foreign),
        2 => (1..3_u8, any_result()).prop_map(|(attempt, result)| CheckJob::Ours { attempt, result }),
    ];
    (any_when(), proptest::bool::weighted(0.8), proptest::option::weighted(0.7, verdict), job).prop_map(
        |(when, enforced, recorded, job)| CheckFacts { when, enforced, recorded, job, pods: JobPods::Fine },
    )
}

fn any_color() -> impl Strategy<Value = Color> {
    prop_oneof![Just(Blue), Just(Green)]
}

fn any_checks() -> impl Strategy<Value = Checks> {
    let mostly = || proptest::bool::weighted(0.8);
    let run = (any_color(), prop_oneof![4 => Just(1_i64), 1 => Just(2)], mostly(), mostly())
        .prop_map(|(color, revision, open, guarded)| Run { color, revision, generation: 1, open, guarded });
    let refuses = prop_oneof![3 => Just(CheckResult::Failed), 1 => Just(CheckResult::Inconclusive)];
    let rejected =
        (any_color(), any_when(), refuses).prop_map(|(color, when, result)| Rejected { color, when, result });
    let unproven = || proptest::option::weighted(0.6, prop_oneof![5 => Just(1_i64), 1 => Just(2)]);
    (
        proptest::option::weighted(0.9, run),
        prop::collection::vec(any_check(), 0..4),
        proptest::option::weighted(0.3, rejected),
        (unproven(), unproven()),
        0..3_u8,
        proptest::bool::weighted(0.1),
    )
        .prop_map(|(run, all, rejected, (blue, green), strays, full)| Checks {
            run,
            all,
            rejected,
            unproven: PerColor { blue, green },
            full,
            strays,
        })
}

prop_compose! {
    /// One color is live and both are ready, as far as the gate asks; what checks, records and clocks say is anything.
    fn checked_world()(
        checks in any_checks().boxed(),
        [live, active] in [any_color(), any_color()],
        [switching, paused, full_drain, reduced] in [
            proptest::bool::weighted(0.8),
            proptest::bool::weighted(0.1),
            proptest::bool::weighted(0.5),
            proptest::bool::weighted(0.5),
        ],
        served in (proptest::bool::weighted(0.6), proptest::bool::weighted(0.6)),
        edited in (proptest::bool::weighted(0.2), proptest::bool::weighted(0.2)),
        wanted in (proptest::bool::weighted(0.9), proptest::bool::weighted(0.9)),
        clocks in (proptest::option::weighted(0.8, any_time()), proptest::option::weighted(0.8, any_time())),
    ) -> World {
        let mut world = stable();
        let served = PerColor { blue: served.0 || live == Blue, green: served.1 || live == Green };
        let edited = PerColor { blue: edited.0, green: edited.1 };
        for color in Color::ALL {
            let facts = world.seen.colors.get_mut(color);
            facts.served = *served.get(color);
            if *edited.get(color) {
                let stored = Stored { number: 1, change: Change::Block };
                (facts.newest, facts.current) = (Some(stored), Some(stored));
            }
        }
        if let Child::Ours(service) = &mut world.seen.service {
            (service.selects, service.committed) = (Selection::Color(live), Some(live));
            service.served = served.map(|served| served.then_some(1));
        }
        world.seen.recorded = Recorded { active: Some(live), switching, settled: false };
        let drain = if full_drain { Duration::from_secs(900) } else { Duration::ZERO };
        world.seen.elapsed.moved = clocks.0.map(|_| drain);
        world.seen.elapsed.cleared = clocks.1.map(|_| drain);
        world.intent.active = active;
        world.intent.paused = paused;
        world.intent.wanted = PerColor { blue: wanted.0, green: wanted.1 };
        if reduced {
            world.intent.standby = Standby::Reduced { replicas: 0, after: Duration::ZERO };
        }
        world.seen.checks = checks;
        world
    }
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), Just(Duration::from_secs(900))]
}

fn current(world: &World, color: Color) -> Option<i64> {
    world.seen.colors.get(color).current.map(|current| current.number)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// A switch to what has not served well has a recorded pass of every check for exactly this run. What can't tell, what
    /// fails and what says nothing yet is none.
    #[test]
    fn nothing_is_selected_that_has_neither_served_well_nor_passed(world in checked_world()) {
        for action in world.actions() {
            let Action::Switch { to, .. } = action else { continue };
            if is_exempt(&world.seen, to) {
                continue;
            }
            let checks = &world.seen.checks;
            for check in checks.at(CheckTime::Before).filter(|check| check.enforced) {
                prop_assert_eq!(check.recorded.map(|verdict| verdict.result), Some(CheckResult::Passed));
                let run = checks.run.unwrap();
                prop_assert!(run.open && run.color == to && Some(run.revision) == current(&world, to));
            }
            if checks.at(CheckTime::After).next().is_some() {
                prop_assert_eq!(*checks.unproven.get(to), current(&world, to), "it is recorded as unproven first");
            }
        }
    }

    /// Only a check that failed after a switch takes it back, and only to what has served well.
    #[test]
    fn nothing_is_selected_unasked_but_what_has_served_well_after_a_failure(world in checked_world()) {
        for action in world.actions() {
            let Action::Switch { from, to } = action else { continue };
            if to == world.intent.active {
                continue;
            }
            let rejected = world.seen.checks.rejected.unwrap();
            prop_assert_eq!((rejected.when, rejected.result), (CheckTime::After, CheckResult::Failed));
            prop_assert_eq!(rejected.color, to.other());
            prop_assert!(from != Some(to.other()) || is_exempt(&world.seen, to));
        }
    }

    /// While checks may take the switch back, the old color may grow, and nothing else.
    #[test]
    fn the_old_color_is_kept_for_a_verdict(world in checked_world()) {
        let plan = world.plan();
        let Live::Selected(live) = plan.live else { return Ok(()) };
        let old = live.other();
        let checks = &world.seen.checks;
        let is_open = checks.run.is_some_and(|run| {
            run.open && run.guarded && run.color == live && Some(run.revision) == current(&world, live)
        });
        let is_suspect = *checks.unproven.get(live) == current(&world, live);
        let waits = |check: &CheckFacts| check.enforced && !check.recorded.is_some_and(|it| it.result.is_final());
        let served = world.seen.service.ours().is_some_and(|service| service.served.get(old).is_some());
        let switching = world.seen.recorded.switching && served;
        let holds = is_open && is_suspect && switching && checks.rejected.is_none();
        if !holds || world.intent.active != live || !checks.at(CheckTime::After).any(waits) {
            return Ok(());
        }
        for action in &plan.actions {
            prop_assert!(*action != Action::RemoveColor(old));
            let renders = matches!(action, Action::StoreRevision { color, .. } if *color == old);
            prop_assert!(!renders || world.seen.colors.get(old).newest.is_none());
            if let Action::EditDeployment { color, replicas } = action && *color == old {
                let deployment = world.seen.colors.get(old).deployment.ours().unwrap();
                prop_assert!(*replicas > deployment.replicas && deployment.matches, "{:?}", action);
            }
        }
    }

    #[test]
    fn no_job_is_created_for_a_paused_app_or_after_a_refusal(world in checked_world()) {
        let begins = world.actions().iter().any(|action| matches!(action, Action::RunCheck { .. }));
        let checks = &world.seen.checks;
        let must_not = world.intent.paused || world.intent.invalid || checks.rejected.is_some() || checks.full;
        prop_assert!(!(begins && must_not));
    }

    /// Where both colors have served well, checks change nothing about what is selected.
    #[test]
    fn checks_change_no_switch_between_colors_that_have_served_well(world in checked_world()) {
        let mut with = world;
        (with.seen.checks.rejected, with.seen.checks.unproven) = (None, PerColor::default());
        // Nothing that is watched is exempt.
        if !Color::ALL.into_iter().all(|color| is_exempt(&with.seen, color)) {
            return Ok(());
        }
        let mut without = with.clone();
        without.seen.checks = Checks::default();
        let switches = |world: &World| -> Vec<Action> {
            world.actions().into_iter().filter(|action| matches!(action, Action::Switch { .. })).collect()
        };
        prop_assert_eq!(switches(&with), switches(&without));
        prop_assert_eq!(with.plan().stage, without.plan().stage);
    }

    /// What is live is under suspicion until every check of its switch that decides something is over, and for ever if one of
    /// them has failed. What is not live stays as it was left.
    #[test]
    fn suspicion_ends_only_when_no_check_has_anything_to_say(world in checked_world()) {
        let plan = world.plan();
        let checks = &world.seen.checks;
        let entries = verdicts::entries(&world.seen, &plan, None);
        let after = verdicts::unproven(&world.seen, &plan, &entries);
        for color in Color::ALL {
            let before = *checks.unproven.get(color);
            if before != current(&world, color) || *after.get(color) == before {
                continue;
            }
            prop_assert_eq!(plan.live, Live::Selected(color));
            let its_run = checks.run.filter(|run| run.color == color && Some(run.revision) == before);
            let is_past = its_run.is_some_and(|run| !run.open);
            for (check, entry) in checks.all.iter().zip(&entries).filter(|(check, _)| check.when == CheckTime::After) {
                prop_assert!(entry.map_or(is_past, |entry| entry.result.is_final()));
                prop_assert!(!check.enforced || entry.is_none_or(|entry| entry.result != CheckResult::Failed));
            }
        }
    }
}
