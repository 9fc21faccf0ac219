//! What is put back when somebody deletes or edits a child?

use super::fixtures::*;
use super::*;

#[test]
fn a_new_app_gets_its_objects_and_serves_nothing_yet() {
    let world = new_app();
    assert_eq!(
        world.actions(),
        [
            Action::CreateService,
            Action::ApplyColorService(Blue),
            store(Blue, 1),
            Action::ApplyColorService(Green),
            store(Green, 1),
        ]
    );
    assert_eq!(world.stage(), Stage::Preparing { target: Blue, missing: Missing::Revision });
}

#[test]
fn a_lost_selector_is_put_back_at_once_without_gate_or_fence() {
    for selects in [Selection::Nothing, Selection::Edited, Selection::Color(Green)] {
        let world = stable().service(|s| s.selects = selects).unready(Blue).unfenced();
        assert_eq!(world.actions(), [Action::Restore { to: Blue }]);
    }
}

/// A create has no precondition but absence: a late one could select a color that was left long ago.
#[test]
fn a_lost_service_is_created_without_pods_then_gets_its_color_back() {
    let lost = stable().with(|w| w.seen.service = Child::Absent);
    assert_eq!(lost.actions(), [Action::CreateService]);
    let created = stable().service(|s| {
        s.selects = Selection::Nothing;
        s.committed = None;
    });
    assert_eq!(created.actions(), [Action::Restore { to: Blue }]);
}

#[test]
fn a_lost_deployment_comes_back_from_its_stored_rendering() {
    for color in Color::ALL {
        let world = stable().color(color, |c| c.deployment = Child::Absent);
        assert_eq!(world.actions(), [Action::CreateDeployment { color, replicas: FULL }]);
    }
    // A held edit does not sneak in that way.
    let world = stable().edited(Blue).color(Blue, |c| c.deployment = Child::Absent);
    assert_eq!(world.actions(), [Action::CreateDeployment { color: Blue, replicas: FULL }]);
}

#[test]
fn without_the_rendering_that_it_is_to_run_no_deployment_is_made() {
    let world = stable().color(Blue, |c| (c.current, c.deployment) = (None, Child::Absent));
    assert!(world.actions().is_empty(), "{:?}", world.actions());
}

#[test]
fn a_lost_rendering_is_recovered_from_what_runs() {
    for color in Color::ALL {
        let world = stable().color(color, |c| (c.newest, c.current) = (None, None));
        assert_eq!(world.actions(), [Action::RecoverRevision { color, number: 1 }]);
        // Somebody took the number off the pods.
        let bare = world.deployment(color, |d| d.revision = 0);
        assert_eq!(bare.actions(), [Action::RecoverRevision { color, number: 1 }]);
    }
}

#[test]
fn a_color_service_is_created_or_corrected() {
    for service in [Child::Absent, Child::Ours(false)] {
        let world = stable().color(Green, |c| c.service = service.clone());
        assert_eq!(world.actions(), [Action::ApplyColorService(Green)]);
    }
}

#[test]
fn other_fields_of_the_service_are_declared_again() {
    assert_eq!(stable().service(|s| s.current = false).actions(), [Action::UpdateService]);
}

#[test]
fn what_belongs_to_somebody_else_or_is_going_is_left_alone() {
    let foreign = new_app().with(|w| {
        w.seen.service = Child::Foreign;
        for color in Color::ALL {
            let facts = w.seen.colors.get_mut(color);
            facts.service = Child::Foreign;
            facts.deployment = Child::Collecting;
            facts.newest = Some(Stored { number: 1, change: Change::None });
            facts.current = facts.newest;
        }
    });
    assert!(foreign.actions().is_empty(), "{:?}", foreign.actions());
}

#[test]
fn without_a_service_of_ours_no_pod_is_made_unready() {
    let world = stable().edited(Green).stored(Green, 2).with(|w| w.seen.service = Child::Foreign);
    assert!(world.actions().is_empty(), "{:?}", world.actions());
}

/// Without the last line the removal would be asked for at every look, for ever.
#[test]
fn of_a_color_that_left_the_spec_whatever_is_left_goes_and_then_nothing() {
    let gone = stable().without(Green).color(Green, |c| {
        (c.service, c.deployment) = (Child::Absent, Child::Absent);
        (c.newest, c.current) = (None, None);
    });
    let left: [fn(&mut ColorFacts); 3] = [
        |c| c.service = Child::Ours(true),
        |c| c.deployment = Child::Ours(ready(1, FULL)),
        |c| c.newest = Some(Stored { number: 1, change: Change::Block }),
    ];
    for leave in left {
        assert_eq!(gone.clone().color(Green, leave).actions(), [Action::RemoveColor(Green)]);
    }
    let others = gone.clone().color(Green, |c| (c.service, c.deployment) = (Child::Foreign, Child::Foreign));
    for world in [gone, others] {
        assert!(world.actions().is_empty(), "{:?}", world.actions());
    }
}

/// What the API server refuses is told of the color that it is about: a broken idle color must not stall the app.
#[test]
fn which_color_is_an_action_about() {
    let (service, color) = (None, Some(Green));
    for (action, about) in [
        (Action::CreateService, service),
        (Action::Restore { to: Green }, service),
        (Action::UpdateService, service),
        (Action::Promote { color: Green, number: 2 }, service),
        (Action::Fence { service: true, colors: vec![Green] }, service),
        (Action::Switch { from: None, to: Green }, service),
        (Action::ApplyColorService(Green), color),
        (Action::ApplyPreview(Green), color),
        (Action::RemovePreview, service),
        (Action::RemoveColor(Green), color),
        (Action::StoreRevision { color: Green, number: 2 }, color),
        (Action::RecoverRevision { color: Green, number: 1 }, color),
        (Action::CreateDeployment { color: Green, replicas: 1 }, color),
        (Action::EditDeployment { color: Green, replicas: 1 }, color),
        (Action::DropRevision { color: Green, number: 1 }, color),
    ] {
        assert_eq!(action.color(), about, "{action:?}");
    }
}

#[test]
fn a_preview_follows_the_idle_color_after_the_switch() {
    let with = |world: World, is: Child<Option<Color>>| {
        world.with(|w| (w.intent.preview, w.seen.preview) = (true, is.clone()))
    };
    let shows = |color| Child::Ours(Some(color));
    assert_eq!(with(stable(), Child::Absent).actions(), [Action::ApplyPreview(Green)]);
    assert!(with(stable(), shows(Green)).actions().is_empty());
    for wrong in [shows(Blue), Child::Ours(None)] {
        assert_eq!(with(stable(), wrong).actions(), [Action::ApplyPreview(Green)]);
    }
    for others in [Child::Foreign, Child::Collecting] {
        assert!(with(stable(), others).actions().is_empty());
    }
    let to_green = || stable().active(Green).with(|w| w.seen.recorded.switching = true);
    // Before the switch it shows the target, and the switch comes first; what is wrong with it holds up nothing.
    for is in [shows(Green), shows(Blue), Child::Absent, Child::Foreign, Child::Collecting] {
        assert_eq!(with(to_green(), is.clone()).actions(), [Action::Switch { from: Some(Blue), to: Green }]);
        let announced = with(to_green(), is).with(|w| w.seen.recorded.switching = false);
        assert!(announced.actions().is_empty(), "the record of the switch waits for no preview");
    }
    // A stamp comes alone: what follows rests on it.
    let unstamped = with(stable().replicas(FULL + 1), Child::Absent).with(|w| {
        if let Child::Ours(service) = &mut w.seen.service {
            service.fence = Fence::Stale
        }
    });
    assert_eq!(unstamped.actions(), [Action::Fence { service: true, colors: vec![] }]);
    // Turned off.
    let off = with(stable(), shows(Green)).with(|w| w.intent.preview = false);
    assert_eq!(off.actions(), [Action::RemovePreview]);
}
