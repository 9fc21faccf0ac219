//! What does an autoscaler that writes `spec.replicas` at any moment do to a switch?

use super::fixtures::*;
use super::*;

fn to_green() -> World {
    stable().active(Green).switching()
}

/// Of `size` pods, so many are ready, all of the newest revision.
fn partly(world: World, color: Color, size: i32, have: i32) -> World {
    world
        .color(color, |c| (c.endpoints, c.ported) = (have, have))
        .deployment(color, |d| *d = DeploymentFacts { total: have, updated: have, ..ready(d.revision, size) })
        .deployment(color, |d| (d.ready, d.available) = (have, have))
}

fn first_roll_out(world: World) -> World {
    world.deployment(Green, |d| d.rolled_out = false)
}

#[test]
fn a_target_that_is_larger_than_asked_for_is_selected_and_made_smaller_only_then() {
    // Lowered since the switch: the way back is open at once, in the drain too.
    let back = draining().active(Blue).replicas(1);
    assert_eq!(back.actions(), [switch(Green, Blue)]);
    let warm = stable().active(Green).replicas(1);
    assert_eq!(warm.stage(), Stage::Switching { to: Green });
    assert_eq!(warm.actions(), [edit(Blue, 1)], "the live color follows, the target waits for its record");
    assert_eq!(warm.switching().actions(), [switch(Blue, Green)]);
    assert_eq!(committed().replicas(1).moved(0).actions(), [edit(Green, 1)], "it is live");
}

#[test]
fn a_target_that_carries_what_the_live_color_carries_is_selected_before_it_grows() {
    let world = to_green().replicas(4);
    assert_eq!(world.actions(), [switch(Blue, Green)]);
    assert_eq!(
        to_green().replicas(4).sized(Blue, 4).stage(),
        Stage::Preparing { target: Green, missing: Missing::Size { have: FULL, want: 4 } }
    );
}

#[test]
fn a_target_that_comes_up_is_not_grown_while_it_would_be_enough() {
    let coming = first_roll_out(partly(to_green(), Green, FULL, 1)).replicas(5);
    assert_eq!(
        coming.stage(),
        Stage::Preparing { target: Green, missing: Missing::Pods { have: 1, want: FULL } }
    );
    assert_eq!(coming.actions(), [edit(Blue, 5)]);
    // New pods of the live color have become ready: now it is too small.
    assert_eq!(coming.sized(Blue, 5).actions(), [edit(Green, 5)]);
}

/// It may be too large for the cluster, and lowering `replicas` is how a person says so.
#[test]
fn a_target_that_does_not_come_up_is_made_smaller() {
    let stuck = first_roll_out(partly(to_green().sized(Blue, 2), Green, 10, 7)).replicas(3);
    assert_eq!(stuck.actions(), [edit(Blue, 3), edit(Green, 3)]);
}

#[test]
fn the_first_roll_out_of_a_revision_must_be_complete() {
    // Two of the live color's three pods have failed.
    let world = partly(to_green(), Blue, FULL, 1);
    let coming = first_roll_out(partly(world.clone(), Green, FULL, 1));
    assert!(coming.actions().is_empty(), "{:?}", coming.actions());
    // One that was complete once is as good as the pods that it has.
    let has_been = partly(world.clone(), Green, FULL, 1);
    assert_eq!(has_been.actions(), [switch(Blue, Green)]);
    assert!(partly(world, Green, FULL, 0).actions().is_empty(), "one pod is the least");
}

/// A node takes a pod of each color with it; or both have just been scaled up.
#[test]
fn what_is_missing_of_both_colors_stops_no_way_back() {
    let failed = partly(partly(to_green(), Blue, FULL, 2), Green, FULL, 2);
    assert_eq!(failed.actions(), [switch(Blue, Green)]);
    let back = |green: i32| partly(partly(draining().active(Blue), Blue, 5, 3), Green, 5, green).replicas(5);
    assert_eq!(back(3).actions(), [switch(Green, Blue)], "both grow from 3 to 5");
    assert!(back(4).actions().is_empty(), "the live color has grown, this one has not yet");
    // Of the other revision it must have nothing.
    let old = failed.deployment(Green, |d| d.total += 1);
    assert!(old.actions().is_empty(), "{:?}", old.actions());
}

#[test]
fn a_live_color_without_a_ready_pod_is_left_for_one_that_has_one() {
    assert_eq!(to_green().unready(Blue).standby(1, 0).sized(Green, 1).actions(), [switch(Blue, Green)]);
    let lost = to_green().color(Blue, |c| c.deployment = Child::Absent).sized(Green, 1);
    assert_eq!(lost.actions(), [switch(Blue, Green)]);
}

#[test]
fn an_idle_color_is_not_made_smaller_while_the_live_one_has_no_ready_pod() {
    let world = rolled_over().standby(0, 0);
    assert_eq!(world.clone().actions(), [edit(Blue, 0)]);
    assert!(world.clone().unready(Green).actions().is_empty());
    assert!(!world.color(Green, |c| c.deployment = Child::Absent).actions().contains(&edit(Blue, 0)));
}

#[test]
fn the_live_color_follows_replicas_while_paused_and_nothing_else_does() {
    let world = stable().paused().replicas(5);
    assert_eq!(world.actions(), [edit(Blue, 5)]);
    assert_eq!(world.stage(), Stage::Paused);
    assert_eq!(world.clone().sized(Blue, 5).actions(), [], "green stays as it is");
    assert_eq!(world.clone().unfenced().actions(), [stamp_all()]);
    assert!(world.clone().deployment(Blue, |d| d.matches = false).actions().is_empty());
    assert!(world.clone().service(|s| s.selects = Selection::Edited).actions().is_empty());
    assert_eq!(world.clone().active(Green).actions(), [edit(Blue, 5)], "the switch waits");
    let held = |world: &World| paused_midway(&world.intent, &world.seen);
    let settled = world.clone().sized(Blue, 5);
    assert!(!held(&world) && !held(&settled), "a size is no change that waits");
    assert!(!held(&settled.clone().unfenced()), "nor is it after another leader took over");
    assert!(held(&settled.clone().active(Green)));
    assert!(held(&settled.clone().edited(Green)));
    assert!(held(&settled.deployment(Green, |d| d.matches = false)));
}

/// Takes the steps that the planner asks for; pods come later.
fn act(world: World) -> World {
    let mut world = world;
    for action in world.actions() {
        world = match action {
            Action::EditDeployment { color, replicas } => world.deployment(color, |d| d.replicas = replicas),
            Action::Switch { to, .. } => {
                world.service(|s| (s.selects, s.committed) = (Selection::Color(to), Some(to)))
            }
            other => panic!("{other:?}"),
        };
    }
    world
}

fn ready_pods(world: &World, color: Color) -> i32 {
    world.seen.colors.get(color).deployment.ours().map_or(0, |d| d.ready)
}

fn pods_get_ready(world: World, color: Color) -> World {
    let size = world.seen.colors.get(color).deployment.ours().map_or(0, |d| d.replicas);
    partly(world, color, size, size)
}

/// An autoscaler adds one pod at each step. How many steps does a switch to a color without pods take, if pods are ready one
/// step after they were asked for, or (`quick`) those of the live color at once?
fn steps_of_a_switch(quick: bool, most: i32) -> i32 {
    let mut world = to_green().standby(0, 0).sized(Green, 0);
    for n in 0..50 {
        world = world.replicas((FULL + n).min(most));
        if quick {
            let asked = world.intent.replicas;
            world = partly(world, Blue, asked, asked);
        }
        world = act(act(world));
        if world.plan().live == Live::Selected(Green) {
            let (now, before) = (ready_pods(&world, Green), ready_pods(&world, Blue));
            assert!(now >= before, "{now} pods carry what {before} carried");
            return n;
        }
        world = pods_get_ready(pods_get_ready(world, Blue), Green);
    }
    panic!("never");
}

#[test]
fn a_switch_under_steady_growth_is_done_within_one_roll_out_of_its_last_step() {
    assert_eq!(steps_of_a_switch(false, 40), 1, "each has what was asked for one step ago");
    // The live color is always one pod ahead, until the autoscaler's last step.
    assert_eq!(steps_of_a_switch(true, 10), 10 - FULL + 1);
}
