//! Which objects does each action write, and what to them?

use super::fixtures::*;
use super::*;

const STORED: Inventory<'static> = Inventory {
    served: PerColor { blue: Some(7), green: None },
    stored: PerColor { blue: &[1], green: &[1, 2] },
};

fn written(world: &World, action: &Action) -> Result<Vec<Write>, Mismatch> {
    writes(action, &world.seen, &STORED)
}

/// The live Service of [`stable`], as it is declared.
fn service() -> ServiceWrite {
    ServiceWrite {
        create: false,
        selects: Selection::Color(Blue),
        committed: Some(Blue),
        served: PerColor { blue: Some(1), green: None },
    }
}

#[test]
fn what_does_each_action_write() {
    let on_green = ServiceWrite { selects: Selection::Color(Green), committed: Some(Green), ..service() };
    let served = |blue, green| PerColor { blue, green };
    let created =
        ServiceWrite { create: true, selects: Selection::Nothing, committed: None, served: STORED.served };
    let deployment = |replicas, create| Write::Deployment { color: Green, number: 1, replicas, create };
    let revision = |from| Write::Revision { color: Green, number: 3, from };
    for (action, wants) in [
        (Action::CreateService, vec![Write::Service(created)]),
        (Action::Restore { to: Blue }, vec![Write::Service(service())]),
        (Action::Restore { to: Green }, vec![Write::Service(on_green)]),
        (
            Action::Switch { from: Some(Blue), to: Green },
            vec![Write::Service(ServiceWrite { served: served(Some(1), Some(1)), ..on_green })],
        ),
        (Action::UpdateService, vec![Write::Service(service())]),
        (
            Action::Promote { color: Blue, number: 2 },
            vec![Write::Service(ServiceWrite { served: served(Some(2), None), ..service() })],
        ),
        (Action::ApplyColorService(Blue), vec![Write::ColorService { color: Blue, create: false }]),
        (Action::ApplyPreview(Green), vec![Write::Preview { color: Green, create: true }]),
        (Action::StoreRevision { color: Green, number: 3 }, vec![revision(Source::Spec)]),
        (Action::RecoverRevision { color: Green, number: 3 }, vec![revision(Source::Running)]),
        (Action::CreateDeployment { color: Green, replicas: 2 }, vec![deployment(2, true)]),
        (Action::EditDeployment { color: Green, replicas: 5 }, vec![deployment(5, false)]),
        (
            Action::Fence { service: true, colors: vec![Blue, Green] },
            vec![Write::StampService, Write::StampDeployment(Blue), Write::StampDeployment(Green)],
        ),
        (Action::Fence { service: false, colors: vec![Green] }, vec![Write::StampDeployment(Green)]),
        (
            Action::DropRevision { color: Green, number: 1 },
            vec![Write::DeleteRevision { color: Green, number: 1 }],
        ),
        (
            Action::RemoveColor(Green),
            vec![
                Write::DeleteDeployment(Green),
                Write::DeleteColorService(Green),
                Write::DeleteRevision { color: Green, number: 1 },
                Write::DeleteRevision { color: Green, number: 2 },
            ],
        ),
    ] {
        assert_eq!(written(&stable(), &action), Ok(wants), "{action:?}");
    }
}

/// A Service that a person handed over keeps its own selector until a color is selected.
#[test]
fn which_selector_is_declared() {
    for (is, action, wants) in [
        (Selection::Edited, Action::UpdateService, Selection::Edited),
        (Selection::Edited, Action::Promote { color: Blue, number: 2 }, Selection::Edited),
        (Selection::Edited, Action::Restore { to: Blue }, Selection::Color(Blue)),
        (Selection::Edited, Action::Switch { from: None, to: Green }, Selection::Color(Green)),
        (Selection::Nothing, Action::UpdateService, Selection::Nothing),
        (Selection::Color(Blue), Action::Promote { color: Blue, number: 2 }, Selection::Color(Blue)),
    ] {
        let world = stable().service(|service| service.selects = is);
        let written = written(&world, &action).unwrap();
        let [Write::Service(service)] = written.as_slice() else { panic!("{action:?}: {written:?}") };
        assert_eq!(service.selects, wants, "{is:?}, {action:?}");
    }
}

#[test]
fn what_is_not_ours_is_neither_stamped_nor_deleted() {
    let world = stable().with(|world| {
        world.seen.service = Child::Foreign;
        world.seen.colors.green.deployment = Child::Collecting;
        world.seen.colors.green.service = Child::Foreign;
    });
    let stamps = Action::Fence { service: true, colors: vec![Blue, Green] };
    assert_eq!(written(&world, &stamps), Ok(vec![Write::StampDeployment(Blue)]));
    let revisions = [1, 2].map(|number| Write::DeleteRevision { color: Green, number });
    assert_eq!(written(&world, &Action::RemoveColor(Green)), Ok(revisions.to_vec()));
}

/// Nothing is made up: without what it rests on, an action writes nothing.
#[test]
fn an_action_that_does_not_fit_what_was_read_writes_nothing() {
    let none = stable().with(|world| {
        world.seen.service = Child::Absent;
        world.seen.colors.green.deployment = Child::Absent;
    });
    let unstored = stable().color(Green, |color| color.current = None);
    let to = Green;
    for (world, action) in [
        (&none, Action::Restore { to }),
        (&none, Action::Switch { from: Some(Blue), to }),
        (&none, Action::UpdateService),
        (&none, Action::Promote { color: Blue, number: 2 }),
        (&none, Action::RecoverRevision { color: Green, number: 1 }),
        (&none, Action::EditDeployment { color: Green, replicas: 2 }),
        (&unstored, Action::EditDeployment { color: Green, replicas: 2 }),
        (&unstored, Action::CreateDeployment { color: Green, replicas: 2 }),
    ] {
        assert_eq!(written(world, &action), Err(Mismatch), "{action:?}");
    }
}

#[test]
fn a_color_service_that_is_missing_is_created() {
    let world = stable().color(Green, |color| color.service = Child::Absent);
    let wants = Write::ColorService { color: Green, create: true };
    assert_eq!(written(&world, &Action::ApplyColorService(Green)), Ok(vec![wants]));
}

/// What a removal deletes last is what makes the next pass plan it again.
#[test]
fn only_deletions_wait_for_those_before_them() {
    let waits = |action: &Action| {
        let writes = written(&stable(), action).unwrap();
        writes.iter().map(Write::waits).collect::<Vec<_>>()
    };
    assert_eq!(waits(&Action::RemoveColor(Green)), [true; 4]);
    assert_eq!(waits(&Action::Fence { service: true, colors: vec![Blue, Green] }), [false; 3]);
    assert_eq!(waits(&Action::UpdateService), [false]);
}
