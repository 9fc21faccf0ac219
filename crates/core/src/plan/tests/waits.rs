//! What does a plan say that it waits for?

use super::fixtures::*;
use super::*;

#[test]
fn a_plan_that_has_nothing_to_do_waits_for_nothing() {
    assert_eq!(stable().plan().waits, Waits::default());
}

#[test]
fn who_holds_the_objects_is_named() {
    let foreign = stable().service(|s| s.fence = Fence::Foreign("other/op".to_owned()));
    assert_eq!(foreign.plan().waits.holder, Some(Holder::Installation("other/op".to_owned())));
    let newer = stable().deployment(Green, |d| d.fence = Fence::Newer);
    let leader = |service, colors| Some(Holder::Leader { service, colors });
    assert_eq!(newer.plan().waits.holder, leader(false, vec![Green]));
    let all = newer.service(|s| s.fence = Fence::Newer).deployment(Blue, |d| d.fence = Fence::Newer);
    assert_eq!(all.plan().waits.holder, leader(true, vec![Blue, Green]));
    let both = all.service(|s| s.fence = Fence::Foreign("other/op".to_owned()));
    assert!(both.plan().waits.is_other_installation());
}

/// Neither a switch nor an edit may follow from a spec that breaks a rule; what is live stays as it is.
#[test]
fn an_invalid_spec_asks_for_nothing() {
    for world in [
        stable().active(Green).switching(),
        stable().edited(Green),
        stable().replicas(9),
        stable().without(Green),
    ] {
        assert_ne!(world.actions(), [], "the edit is one that would do something");
        let invalid = world.with(|world| world.intent.invalid = true);
        assert_eq!((invalid.stage(), invalid.actions()), (Stage::Invalid, vec![]));
        let yields = invalid.deployment(Blue, |d| d.fence = Fence::Newer);
        assert_eq!(yields.stage(), Stage::Yielding, "whose spec it is, is another question");
    }
}

#[test]
fn a_pause_tells_whether_it_holds_back_a_change() {
    assert!(!stable().paused().plan().waits.paused);
    for world in [stable().paused().active(Green), stable().paused().edited(Green)] {
        assert!(world.plan().waits.paused);
    }
    // The live color's size follows, and the idle color's follows it afterwards.
    assert!(!stable().paused().replicas(FULL + 1).plan().waits.paused);
}

#[test]
fn a_pause_tells_which_pods_of_the_live_color_fail() {
    let fails = |world: World| world.deployment(Blue, |d| d.available = 0).plan().waits.gate;
    let missing = Missing::Pods { have: 0, want: FULL };
    assert_eq!(fails(stable().paused()), Some((Blue, missing)));
    assert_eq!(fails(stable().paused().active(Green)), Some((Blue, missing)), "blue is live still");
    assert_eq!(fails(stable().paused().replicas(FULL + 1)), Some((Blue, missing)), "at the size that it has");
    assert_eq!(stable().paused().replicas(FULL + 1).plan().waits.gate, None);
    let gone = stable().paused().with(|world| world.seen.colors.blue.deployment = Child::Absent);
    assert_eq!(gone.plan().waits.gate, Some((Blue, Missing::Deployment)));
}

#[test]
fn the_deadline_counts_for_a_target_and_for_the_endpoints_after_the_switch() {
    let passed = |world: World, seconds: u64| {
        let world = world.with(|world| world.seen.elapsed.switching = Some(Duration::from_secs(seconds)));
        world.plan().waits
    };
    let target = stable().active(Green).deployment(Green, |d| d.available = 1);
    assert!(!passed(target.clone(), 599).late && passed(target, 600).late);
    let selected = committed();
    let waits = passed(selected.clone(), 599);
    assert_eq!((waits.endpoints, waits.late), (Some(Green), false));
    assert!(passed(selected, 600).late);
    // A switch that is about to be made has nothing to wait for, however late it is.
    let ready = stable().active(Green);
    assert_eq!(passed(ready, 600), Waits::default());
}
