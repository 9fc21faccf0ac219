//! Sizes: of a color that serves, of one that is to serve, of one that drains, and of one that waits.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Kind, Verb};
use serde_json::json;

use crate::rig::{APP, Rig, spec, spec_with};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_number_of_replicas_reaches_both_colors() {
    let mut rig = Rig::serving(spec()).await;
    for count in [4, 1, 3] {
        rig.edit(|spec| spec["replicas"] = json!(count));
        rig.settle().await;
        let world = rig.world();
        assert_eq!([Blue, Green].map(|color| world.size(APP, color)), [Some(count); 2]);
        assert_eq!(rig.status().replicas, count);
    }
    rig.finish();
}

#[tokio::test]
async fn a_reduced_standby_grows_to_full_size_before_a_switch() {
    let mut rig = Rig::serving(spec_with(json!({ "replicas": 3, "standby": { "replicas": 1 } }))).await;
    assert_eq!(rig.says("StandbyReady"), "True/Reduced");
    assert_eq!(rig.world().size(APP, Green), Some(1));
    rig.activate(Green);
    // The guard sees to it that green has three pods when it is selected.
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.says("StandbyReady"), "True/Reduced");
    assert_eq!(rig.world().size(APP, Blue), Some(1));
    rig.finish();
}

/// One pod of the new live color comes and goes. It serves with enough of them, and the old color has long lost its
/// endpoints.
#[tokio::test]
async fn a_pod_that_comes_and_goes_does_not_hold_up_the_end_of_the_drain() {
    // Of two pods one stays, or none.
    for few in [1, 0] {
        let mut rig =
            Rig::serving(spec_with(json!({ "drainSeconds": 4, "standby": { "replicas": 0 } }))).await;
        rig.activate(Green);
        rig.run(SECOND).await;
        assert_eq!(rig.world().selects(APP), "green");
        for turn in 0..20 {
            if turn % 3 == 2 {
                rig.controllers.ready("hello-green", few);
            } else {
                rig.controllers.heal("hello-green");
            }
            rig.step();
            rig.run(SECOND / 2).await;
        }
        assert_eq!(
            rig.world().size(APP, Blue),
            Some(0),
            "ten seconds after the switch, with a drain of four"
        );
    }
}

/// A quota has no room for the pods that an autoscaler asks for in the drain: only those of the old color make room.
#[tokio::test]
async fn a_live_color_that_a_quota_keeps_small_does_not_hold_up_the_end_of_the_drain() {
    let tight = json!({ "replicas": 4, "drainSeconds": 5, "standby": { "replicas": 0 } });
    let mut rig = Rig::serving(spec_with(tight)).await;
    rig.activate(Green);
    rig.run(SECOND).await;
    for deployment in ["hello-blue", "hello-green"] {
        rig.controllers.ready(deployment, 4);
    }
    rig.edit(|spec| spec["replicas"] = json!(6));
    rig.run(SECOND * 3).await;
    assert_eq!(rig.app()["status"]["switch"]["to"], "green", "blue drains");
    rig.run(SECOND * 3).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0));
    assert!(rig.world().settled(APP) || rig.says("Ready") == "True/Scaling", "{:#}", rig.app()["status"]);
    rig.controllers.heal("hello-green");
    rig.run(SECOND).await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// An autoscaler asks for one pod more, again and again, while the target comes up, and the pods of both colors take as long
/// to get ready: the target is selected during the growth, with as many pods as the live color has.
#[tokio::test]
async fn a_size_that_grows_does_not_keep_a_switch_waiting() {
    let mut rig = Rig::serving(spec_with(json!({ "standby": { "replicas": 0 } }))).await;
    rig.activate(Green);
    let size = |rig: &Rig, color| usize::try_from(rig.world().size(APP, color).unwrap_or(0)).unwrap();
    let mut asked = (2, 0);
    for _ in 0..8 {
        rig.pass().await;
        // A pod takes one step to get ready: those that were asked for before are.
        rig.controllers.ready("hello-blue", asked.0);
        rig.controllers.ready("hello-green", asked.1);
        rig.step();
        asked = (size(&rig, Blue), size(&rig, Green));
        rig.pass().await;
        rig.edit(|spec| spec["replicas"] = json!(spec["replicas"].as_i64().unwrap() + 1));
    }
    assert_eq!(rig.world().selects(APP), "green");
}

/// The live color's pods are ready before the target's each time: no switch makes the load per pod larger, so this one waits
/// for the end of the growth, and for one rollout more.
#[tokio::test]
async fn a_switch_waits_for_the_end_of_a_growth_that_it_can_not_follow() {
    let mut rig = Rig::serving(spec_with(json!({ "standby": { "replicas": 0 } }))).await;
    rig.activate(Green);
    let mut asked = 0;
    for _ in 0..8 {
        rig.pass().await;
        rig.controllers.ready("hello-green", asked);
        rig.step();
        asked = usize::try_from(rig.world().size(APP, Green).unwrap_or(0)).unwrap();
        rig.pass().await;
        rig.edit(|spec| spec["replicas"] = json!(spec["replicas"].as_i64().unwrap() + 1));
    }
    assert_eq!(rig.world().selects(APP), "blue");
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
}

/// `scaleDownAfterSeconds` is counted from the end of the drain.
#[tokio::test]
async fn an_idle_color_is_reduced_so_long_after_the_end_of_its_drain() {
    let timed = json!({ "drainSeconds": 10, "standby": { "scaleDownAfterSeconds": 20 } });
    let mut rig = Rig::serving(spec_with(timed)).await;
    rig.advance(SECOND * 60);
    rig.settle().await;
    rig.activate(Green);
    rig.run(SECOND * 12).await;
    assert!(rig.world().serves(APP, Green), "the drain is over");
    rig.run(SECOND * 12).await;
    assert_eq!(rig.world().size(APP, Blue), Some(2), "24 seconds after the switch, 14 after the drain");
    rig.run(SECOND * 10).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0), "34 seconds after the switch, 24 after the drain");
    rig.finish();
}

#[tokio::test]
async fn the_old_color_stays_warm_for_as_long_as_asked_and_then_goes_to_sleep() {
    let mut rig = Rig::serving(spec_with(json!({ "standby": { "scaleDownAfterSeconds": 10 } }))).await;
    rig.activate(Green);
    rig.run(SECOND * 8).await;
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(rig.world().size(APP, Blue), Some(2));
    rig.run(SECOND * 5).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0));
    assert_eq!(rig.says("StandbyReady"), "False/ScaledDown");
    assert!(rig.world().serves(APP, Green), "a standby that sleeps is no fault");

    // An edit of its block wakes it, and it goes to sleep again.
    rig.edit(|spec| spec["blue"]["tag"] = json!("v3"));
    rig.run(SECOND * 2).await;
    assert!(rig.says("StandbyReady").starts_with("True/"));
    rig.run(SECOND * 12).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0));

    // So does a switch, to full size.
    rig.activate(Blue);
    rig.run(SECOND * 3).await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.served()[2], "team/hello:v3");
    rig.finish();
}

#[tokio::test]
async fn a_size_that_was_set_by_hand_is_taken_back() {
    let mut rig = Rig::serving(spec()).await;
    for (name, size) in [("hello-blue", 1), ("hello-blue", 4), ("hello-green", 0), ("hello-green", 3)] {
        rig.server.patch(Kind::Deployment, name, &json!({ "spec": { "replicas": size } }));
        rig.settle().await;
        let world = rig.world();
        assert_eq!([Blue, Green].map(|color| world.size(APP, color)), [Some(2); 2], "{name} {size}");
        assert!(world.serves(APP, Blue));
    }
    assert_eq!(rig.count(|request| request.is(Verb::Apply, Kind::Deployment, "")), 4);
    rig.finish();
}
