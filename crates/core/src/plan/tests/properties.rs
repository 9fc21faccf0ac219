//! What holds for any facts at all, possible or not?

use proptest::prelude::*;

use super::fixtures::*;
use super::*;

fn any_color() -> impl Strategy<Value = Color> {
    prop_oneof![Just(Blue), Just(Green)]
}

fn any_fence() -> impl Strategy<Value = Fence> {
    prop_oneof![
        6 => Just(Fence::Mine),
        2 => Just(Fence::Stale),
        1 => Just(Fence::Newer),
        1 => Just(Fence::Foreign("other/operator".to_owned())),
    ]
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), Just(29), Just(30), Just(31), Just(u64::MAX)].prop_map(Duration::from_secs)
}

/// Sizes that are near each other, so that they are often equal, and the extremes.
fn any_count() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..4, 1 => Just(i32::MAX), 1 => Just(i32::MIN)]
}

fn child<T: std::fmt::Debug + Clone>(ours: impl Strategy<Value = T>) -> impl Strategy<Value = Child<T>> {
    prop_oneof![
        7 => ours.prop_map(Child::Ours),
        1 => Just(Child::Absent),
        1 => Just(Child::Collecting),
        1 => Just(Child::Foreign),
    ]
}

fn any_stored() -> impl Strategy<Value = Option<Stored>> {
    let change = prop_oneof![3 => Just(Change::None), 1 => Just(Change::Shared), 1 => Just(Change::Block)];
    proptest::option::weighted(0.9, (1..3_i64, change).prop_map(|(number, change)| Stored { number, change }))
}

fn any_deployment() -> impl Strategy<Value = DeploymentFacts> {
    let counts = prop_oneof![
        3 => any_count().prop_map(|n| [n; 5]),
        1 => [any_count(), any_count(), any_count(), any_count(), any_count()],
    ];
    let mostly = || proptest::bool::weighted(0.8);
    (1..3_i64, any_fence(), counts, prop::array::uniform7(mostly())).prop_map(
        |(
            revision,
            fence,
            [replicas, total, updated, ready, available],
            [stored, matches, settings, observed, out, in_time, proven],
        )| {
            DeploymentFacts {
                revision,
                stored,
                matches,
                settings,
                fence,
                replicas,
                observed,
                total,
                updated,
                ready,
                available,
                rolled_out: out,
                deadline_exceeded: !in_time,
                proven,
            }
        },
    )
}

fn any_facts() -> impl Strategy<Value = ColorFacts> {
    let service = child(proptest::bool::weighted(0.9));
    let obsolete = proptest::collection::vec(1..9_i64, 0..2);
    (service, any_stored(), any_stored(), any::<[bool; 4]>(), obsolete, child(any_deployment()), any_count())
        .prop_map(
            |(service, newest, other, [served, same, covers, lists], obsolete, deployment, endpoints)| {
                ColorFacts {
                    service,
                    newest,
                    current: if same { newest } else { other },
                    served,
                    taken: 0,
                    obsolete,
                    deployment,
                    endpoints,
                    ported: if lists { endpoints } else { 0 },
                    sparse: Vec::new(),
                    unlisted: if lists { Vec::new() } else { vec!["port x".to_owned()] },
                    uncovered: if covers { Vec::new() } else { vec!["node-2".to_owned()] },
                }
            },
        )
}

fn any_service() -> impl Strategy<Value = Child<ServiceFacts>> {
    let selects = prop_oneof![
        6 => any_color().prop_map(Selection::Color),
        1 => Just(Selection::Nothing),
        1 => Just(Selection::Edited),
    ];
    let served = || proptest::option::of(1..3_i64);
    child(
        (
            selects,
            proptest::option::of(any_color()),
            served(),
            served(),
            any_fence(),
            any::<bool>(),
            any_count(),
        )
            .prop_map(|(selects, committed, blue, green, fence, current, endpoints)| ServiceFacts {
                selects,
                committed,
                served: PerColor { blue, green },
                fence,
                current,
                endpoints,
            }),
    )
}

fn any_intent() -> impl Strategy<Value = Intent> {
    let standby = prop_oneof![
        Just(Standby::Warm),
        (any_count(), any_time()).prop_map(|(replicas, after)| Standby::Reduced { replicas, after }),
    ];
    let policy = prop_oneof![Just(ActiveUpdatePolicy::Freeze), Just(ActiveUpdatePolicy::RollingUpdate)];
    let present = || proptest::bool::weighted(0.8);
    (
        any_color(),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.05),
        any_count(),
        standby,
        any_time(),
        policy,
        present(),
        present(),
    )
        .prop_map(|(active, paused, invalid, replicas, standby, drain, policy, blue, green)| Intent {
            active,
            paused,
            invalid,
            replicas,
            standby,
            drain,
            deadline: Duration::from_secs(600),
            policy,
            wanted: PerColor { blue, green },
            preview: false,
        })
}

prop_compose! {
    fn any_world()(
        intent in any_intent(),
        service in any_service(),
        blue in any_facts(),
        green in any_facts(),
        active in proptest::option::of(any_color()),
        [switching, settled] in any::<[bool; 2]>(),
        [moved, cleared, since] in [(); 3].map(|()| proptest::option::of(any_time())),
        idle in [any_time(), any_time()],
        (wants_preview, preview) in (any::<bool>(), child(proptest::option::of(any_color()))),
    ) -> World {
        let [idle_blue, idle_green] = idle;
        World {
            intent: Intent { preview: wants_preview, ..intent },
            seen: Observed {
                service,
                preview,
                colors: PerColor { blue, green },
                recorded: Recorded { active, switching, settled },
                elapsed: Elapsed { moved, cleared, switching: since, idle: PerColor { blue: idle_blue, green: idle_green } },
                checks: Checks::default(),
            },
        }
    }
}

/// The Deployments that an action changes or deletes.
fn touches(action: &Action) -> Option<Color> {
    match action {
        Action::EditDeployment { color, .. } | Action::RemoveColor(color) => Some(*color),
        Action::CreateService
        | Action::Restore { .. }
        | Action::UpdateService
        | Action::ApplyColorService(_)
        | Action::StoreRevision { .. }
        | Action::RecoverRevision { .. }
        | Action::Promote { .. }
        | Action::CreateDeployment { .. }
        | Action::Fence { .. }
        | Action::Switch { .. }
        | Action::RunCheck { .. }
        | Action::DropJob { .. }
        | Action::DropRevision { .. }
        | Action::ApplyPreview(_)
        | Action::RemovePreview => None,
    }
}

fn drained(world: &World) -> bool {
    let passed = |time: Option<Duration>| time.is_some_and(|time| time >= world.intent.drain);
    passed(world.seen.elapsed.cleared)
}

/// What a confirming read takes from an earlier one was different then.
fn as_seen_earlier(mut world: World, color: Color, bits: u8) -> World {
    let facts = world.seen.colors.get_mut(color);
    let is = |bit: u8| bits & bit == 0;
    facts.endpoints = if is(1) { 0 } else { FULL };
    facts.ported = facts.endpoints;
    facts.service = if is(2) { Child::Absent } else { Child::Ours(false) };
    facts.newest = is(4).then_some(Stored { number: 7, change: Change::Block });
    facts.current = if is(8) { facts.newest } else { None };
    facts.served = is(4);
    facts.obsolete = vec![5];
    if let Child::Ours(deployment) = &mut facts.deployment {
        // Compared with a revision.
        (deployment.proven, deployment.matches) = (is(8), is(4));
    }
    let time = |bit: u8| is(bit).then_some(Duration::MAX);
    (world.seen.elapsed.moved, world.seen.elapsed.cleared) = (time(16), time(32));
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn planning_is_total_and_gives_the_same_answer_twice(world in any_world()) {
        prop_assert_eq!(world.plan(), world.plan());
    }

    #[test]
    fn nothing_is_selected_that_fails_the_gate(world in any_world()) {
        for action in world.actions() {
            if let Action::Switch { to, .. } = action {
                prop_assert_eq!(gate(&world.intent, &world.seen, to), Ok(()));
                prop_assert_eq!(to, world.intent.active);
                let facts = world.seen.colors.get(to);
                let deployment = facts.deployment.ours().unwrap();
                prop_assert!(deployment.observed && deployment.matches && deployment.proven);
                let carries = match world.plan().live.color() {
                    Some(live) => world.seen.colors.get(live).deployment.ours().map_or(0, |d| d.ready),
                    None => world.intent.replicas,
                };
                // Never more load per pod than before the switch.
                let enough = carries.min(world.intent.replicas).max(1);
                prop_assert!(deployment.available >= enough && deployment.total == deployment.updated);
                prop_assert!(facts.endpoints >= enough && facts.ported >= enough);
                let moves = world.plan().live.color().is_some();
                prop_assert!(!moves || facts.served || facts.uncovered.is_empty());
                prop_assert!(facts.current.unwrap().change != Change::Block);
            }
        }
    }

    /// Nothing depends on a preview, whatever became of it, but the words that somebody else has its name, or that a pause
    /// holds it back.
    #[test]
    fn a_preview_changes_nothing_else_that_is_planned(world in any_world()) {
        let mut without = world.clone();
        (without.intent.preview, without.seen.preview) = (false, Child::Absent);
        let is_preview = |action: &Action| matches!(action, Action::ApplyPreview(_) | Action::RemovePreview);
        let mut plan = world.plan();
        let before = plan.actions.len();
        plan.actions.retain(|action| !is_preview(action));
        prop_assert!(before <= plan.actions.len() + 1);
        let mut other = without.plan();
        (plan.waits.paused, other.waits.paused) = (false, false);
        prop_assert_eq!(plan, other);
    }

    #[test]
    fn no_pod_is_risked_before_everything_carries_the_token(world in any_world()) {
        let plan = world.plan();
        let risks = plan.actions.iter().any(|action| {
            touches(action).is_some() || matches!(action, Action::Switch { .. } | Action::Promote { .. })
        });
        if risks {
            prop_assert_eq!(world.seen.service.ours().map(|s| &s.fence), Some(&Fence::Mine));
            for color in Color::ALL {
                let fence = world.seen.colors.get(color).deployment.ours().map(|d| &d.fence);
                prop_assert!(fence.is_none_or(|fence| *fence == Fence::Mine));
            }
        }
    }

    #[test]
    fn a_frozen_live_color_is_only_ever_brought_to_its_own_rendering_and_size(world in any_world()) {
        let plan = world.plan();
        let Some(live) = plan.live.color() else { return Ok(()) };
        for action in &plan.actions {
            prop_assert!(*action != Action::RemoveColor(live));
            if let Action::EditDeployment { color, replicas } = action && *color == live {
                // The size that the user asks for; the rendering is `current`, which for a live color is what serves.
                prop_assert_eq!(*replicas, world.intent.replicas);
            }
            if world.intent.policy == ActiveUpdatePolicy::Freeze {
                let renders = matches!(action, Action::StoreRevision { color, .. } if *color == live);
                // Where neither a rendering nor pods are left there is nothing to preserve.
                prop_assert!(!renders || world.seen.colors.get(live).newest.is_none());
                if let Action::Promote { color, number } = action {
                    // Only back to what its pods run already.
                    let runs = world.seen.colors.get(*color).deployment.ours().map(|d| d.revision);
                    prop_assert_eq!(runs, Some(*number));
                }
            }
        }
    }

    #[test]
    fn the_old_color_is_not_touched_before_its_drain_has_passed(world in any_world()) {
        let plan = world.plan();
        let Some(live) = plan.live.color() else { return Ok(()) };
        let old = live.other();
        let recorded = &world.seen.recorded;
        let served = world.seen.service.ours().is_some_and(|s| s.served.get(old).is_some());
        let over = recorded.active == Some(live) && !recorded.switching;
        if !served || over || drained(&world) {
            return Ok(());
        }
        for action in plan.actions.iter().filter(|action| touches(action) == Some(old)) {
            let Action::EditDeployment { replicas, .. } = action else { panic!("{action:?}") };
            let facts = world.seen.colors.get(old);
            let deployment = facts.deployment.ours().unwrap();
            let keeps = deployment.matches
                && facts.current.map(|c| c.number) == Some(deployment.revision)
                && *replicas > deployment.replicas;
            // Only an enlargement.
            prop_assert!(keeps, "{:?}", action);
        }
    }

    #[test]
    fn whether_to_switch_turns_on_nothing_that_a_look_by_name_leaves_out(world in any_world()) {
        let plan = world.plan();
        let Some(to) = plan.moves_to(&world.seen) else { return Ok(()) };
        for bits in 0..64 {
            let other = as_seen_earlier(world.clone(), to.other(), bits);
            let then = other.plan();
            prop_assert_eq!(gate(&other.intent, &other.seen, to), Ok(()));
            prop_assert_eq!((then.stage, then.live), (plan.stage, plan.live));
            // Before it is recorded, there may be something else to do first.
            if world.seen.recorded.switching {
                prop_assert_eq!(then.actions, plan.actions.clone());
            }
        }
    }

    #[test]
    fn a_pause_allows_nothing_but_stamps_and_the_live_colors_size(world in any_world()) {
        let world = World { intent: Intent { paused: true, ..world.intent }, ..world };
        let plan = world.plan();
        for action in &plan.actions {
            let size_of_live = matches!(action, Action::EditDeployment { color, replicas }
                if plan.live == Live::Selected(*color) && *replicas == world.intent.replicas && {
                    let facts = world.seen.colors.get(*color);
                    let deployment = facts.deployment.ours().unwrap();
                    deployment.matches && facts.current.map(|c| c.number) == Some(deployment.revision)
                });
            prop_assert!(size_of_live || matches!(action, Action::Fence { .. }), "{:?}", action);
        }
    }

    #[test]
    fn a_target_that_passes_the_gate_keeps_its_size_until_it_is_live(world in any_world()) {
        let plan = world.plan();
        let target = world.intent.active;
        if plan.live != Live::Selected(target) && gate(&world.intent, &world.seen, target).is_ok() {
            let facts = world.seen.colors.get(target);
            let size = facts.deployment.ours().map(|deployment| deployment.replicas);
            let is_kept = |action: &Action| match action {
                // What has served passes the gate without its settings, which change no pod.
                Action::EditDeployment { replicas, .. } => facts.served && size == Some(*replicas),
                _ => false,
            };
            let edits = plan.actions.iter().any(|action| touches(action) == Some(target) && !is_kept(action));
            prop_assert!(!edits, "{:?}", plan.actions);
        }
    }

    #[test]
    fn to_do_nothing_means_done_or_waiting_for_something_named(world in any_world()) {
        let plan = world.plan();
        if !plan.actions.is_empty() {
            return Ok(());
        }
        let seen = &world.seen;
        let service_is_ours = seen.service.ours().is_some();
        match plan.stage {
            // Each names what it waits for.
            Stage::Yielding
            | Stage::Invalid
            | Stage::Paused
            | Stage::Preparing { .. }
            | Stage::Checking { .. }
            | Stage::Watching { .. }
            | Stage::Unready { .. } => {}
            Stage::Pausing => prop_assert!(false, "a pause that never ends"),
            // For the endpoints, for its record in the status, or for a Service that somebody else holds.
            Stage::Switching { .. } => {
                let endpoints = seen.elapsed.moved.is_none() && plan.live == Live::Selected(world.intent.active);
                prop_assert!(endpoints || !seen.recorded.switching || !service_is_ours);
            }
            Stage::Draining { .. } => {
                prop_assert!(!drained(&world));
                // A clock that runs wakes the planner up; one that does not waits for the endpoints.
                prop_assert!(plan.wake.is_some() || seen.elapsed.cleared.is_none());
            }
            Stage::Serving => {
                prop_assert_eq!(plan.live, Live::Selected(world.intent.active));
                let idle = world.intent.active.other();
                let facts = seen.colors.get(idle);
                if *world.intent.wanted.get(idle) {
                    let current = facts.current.is_some_and(|c| c.change != Change::Block);
                    let matches = facts.deployment.ours().is_none_or(|d| d.matches);
                    let odd = facts.newest.is_none() != facts.current.is_none();
                    prop_assert!(odd || (current && matches), "an edit of the idle color is forgotten");
                } else {
                    prop_assert!(facts.deployment.ours().is_none() && facts.newest.is_none());
                }
            }
        }
    }
}
