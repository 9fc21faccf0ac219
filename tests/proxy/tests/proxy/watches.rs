//! Does each effect do to a watch what its name says?

use std::time::{Duration, Instant};

use crate::common::{Watch, world};
use bluegreen_proxy::{FrameEffect, FrameRule, Gate};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_events_come_as_they_are() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    world.upstream.event("services", "one");
    assert_eq!(services.name().await, "one");
    let counts = world.proxy.log().frames()["services"];
    assert_eq!((counts.received, counts.passed, counts.delayed, counts.lost), (1, 1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_event_holds_up_its_own_watch_and_is_overtaken_by_another() {
    let world = world().await;
    let (mut services, mut deployments) =
        (Watch::open(&world.client, "services").await, Watch::open(&world.client, "deployments").await);
    let gate = Gate::new();
    world.proxy.script().add_frames(FrameRule::of("services", FrameEffect::Hold(gate.clone())).times(1));
    world.upstream.event("services", "first");
    world.upstream.event("services", "second");
    world.upstream.event("deployments", "third");
    assert_eq!(deployments.name().await, "third");
    assert!(services.is_silent().await);
    gate.open();
    assert_eq!((services.name().await, services.name().await), ("first".to_owned(), "second".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_keep_the_order_and_do_not_add_up() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    let late = Duration::from_millis(100)..=Duration::from_millis(300);
    world.proxy.script().add_frames(FrameRule::of("services", FrameEffect::Delay(late)));
    let start = Instant::now();
    let names: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    names.iter().for_each(|name| world.upstream.event("services", name));
    for name in &names {
        assert_eq!(services.name().await, *name);
    }
    let took = start.elapsed().as_millis();
    assert!((100..1_000).contains(&took), "{took} ms");
    assert_eq!(world.proxy.log().frames()["services"].delayed, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_event_is_missing_and_the_next_comes() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    world.proxy.script().add_frames(FrameRule::new(|_, frame| frame.name() == "lost", FrameEffect::Drop));
    world.upstream.event("services", "lost");
    world.upstream.event("services", "found");
    assert_eq!(services.name().await, "found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_event_is_cut_off_in_its_middle() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    world.proxy.script().add_frames(FrameRule::of("services", FrameEffect::Truncate).skip(1));
    world.upstream.event("services", "whole");
    assert_eq!(services.name().await, "whole");
    world.upstream.event("services", "half");
    let half = services.next().await.unwrap();
    assert!(half.starts_with('{') && !half.ends_with('\n'), "{half}");
    assert_eq!(services.next().await, Err("cut"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_can_be_cut_off_or_expire() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    world.proxy.script().add_frames(FrameRule::of("services", FrameEffect::End).times(1));
    world.upstream.event("services", "one");
    assert_eq!(services.next().await, Err("cut"));

    let mut services = Watch::open(&world.client, "services").await;
    world.proxy.script().add_frames(FrameRule::of("services", FrameEffect::Expire));
    world.upstream.event("services", "two");
    let error = services.next().await.unwrap();
    assert!(error.contains(r#""code":410"#) && error.contains(r#""type":"ERROR""#), "{error}");
    assert_eq!(services.next().await, Err("end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn overtaken_events_keep_their_order_object_by_object_only() {
    let world = world().await;
    let mut services = Watch::open(&world.client, "services").await;
    let late = Duration::from_millis(400)..=Duration::from_millis(400);
    let slow = FrameRule::new(|_, frame| frame.name() == "slow", FrameEffect::Overtaken(late));
    world.proxy.script().add_frames(slow.times(1));
    // The second one of "slow" is not delayed by itself, and must not come first all the same.
    world.proxy.script().add_frames(
        FrameRule::new(
            |_, frame| frame.name() == "slow",
            FrameEffect::Overtaken(Duration::ZERO..=Duration::ZERO),
        )
        .skip(1),
    );
    for kind in ["ADDED", "MODIFIED"] {
        world.upstream.event_of("services", kind, "slow");
    }
    world.upstream.event("services", "fast");
    assert_eq!(services.name().await, "fast");
    for kind in ["ADDED", "MODIFIED"] {
        let line = services.next().await.unwrap();
        assert!(line.contains(kind) && line.contains("slow"), "{line}");
    }
}
