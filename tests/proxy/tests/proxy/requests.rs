//! Does each effect do to a request what its name says?

use std::time::{Duration, Instant};

use crate::common::{World, client, send, world};
use bluegreen_proxy::{Answer, Breakpoint, Effect, Gate, Past, Point, Rule, Stops, Verdict};
use http::{Method, StatusCode};

const SERVICE: &str = "services/web";

fn always(effect: Effect) -> Rule {
    Rule::new(|request| request.is_change(), effect)
}

async fn patch(world: &World) -> Option<u16> {
    send(&world.client, Method::PATCH, SERVICE).await.map(|status| status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_everything_is_forwarded_and_counted() {
    let world = world().await;
    assert_eq!(patch(&world).await, Some(200));
    assert_eq!(send(&world.client, Method::GET, SERVICE).await, Some(StatusCode::OK));
    assert_eq!(world.upstream.seen().len(), 2);
    let records = world.proxy.log().since(0);
    assert_eq!(records[0].request.to_string(), "patch services/web");
    assert!(records.iter().all(|record| record.verdict == Verdict::Forwarded(200)));
    assert_eq!(world.proxy.log().count(|record| record.request.is_write()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_instead_never_reaches_the_server_and_an_answer_after_does() {
    let world = world().await;
    let rule = world.proxy.script().add(always(Effect::Answer(Answer::too_many_requests(7))));
    let response = world
        .client
        .send(http::Request::patch("/api/v1/namespaces/a/services/web").body(Vec::new().into()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    assert!(world.upstream.seen().is_empty());

    world.proxy.script().remove(rule);
    world.proxy.script().add(always(Effect::AnswerAfter(Answer::code(504))));
    assert_eq!(patch(&world).await, Some(504));
    assert_eq!(world.upstream.seen().len(), 1);
    assert_eq!(world.proxy.log().since(1)[0].verdict, Verdict::AnsweredAfter { actual: 200, told: 504 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_was_committed_and_a_cut_request_was_not() {
    let world = world().await;
    world.proxy.script().add(always(Effect::LoseReply).times(1));
    world.proxy.script().add(always(Effect::Cut).skip(1).times(1));
    assert_eq!(patch(&world).await, None);
    assert_eq!(world.upstream.seen().len(), 1);
    assert_eq!(patch(&world).await, None);
    assert_eq!(world.upstream.seen().len(), 1);
    assert_eq!(patch(&world).await, Some(200), "both rules are used up");
    let verdicts: Vec<_> = world.proxy.log().since(0).into_iter().map(|record| record.verdict).collect();
    assert_eq!(verdicts, [Verdict::ReplyLost(200), Verdict::Cut, Verdict::Forwarded(200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_commits_though_its_sender_has_given_up() {
    let world = world().await;
    let gate = Gate::new();
    world.proxy.script().add(always(Effect::Hold(gate.clone())));
    assert!(tokio::time::timeout(Duration::from_millis(200), patch(&world)).await.is_err());
    assert!(world.upstream.seen().is_empty());
    gate.reached().await;
    gate.open();
    let start = Instant::now();
    while world.upstream.seen().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(5), "never committed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_comes_before_the_commit_and_a_delay_of_the_reply_after_it() {
    let world = world().await;
    let wait = Duration::from_millis(200)..=Duration::from_millis(200);
    let rule = world.proxy.script().add(always(Effect::Delay(wait.clone())));
    let (start, seen) = (Instant::now(), tokio::time::sleep(Duration::from_millis(100)));
    let committed = async {
        seen.await;
        world.upstream.seen().len()
    };
    assert_eq!(tokio::join!(patch(&world), committed), (Some(200), 0));
    assert!(start.elapsed() >= *wait.start());

    world.proxy.script().remove(rule);
    world.proxy.script().add(always(Effect::DelayReply(wait.clone())));
    let committed = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.upstream.seen().len()
    };
    assert_eq!(tokio::join!(patch(&world), committed), (Some(200), 2));
}

/// A patch that is stopped at `point`; what the server has seen by then.
async fn stopped_patch(point: Point) -> (World, tokio::task::JoinHandle<Option<StatusCode>>, Stops, usize) {
    let world = world().await;
    let (breakpoint, mut stops) = Breakpoint::new(point);
    world.proxy.script().add(always(Effect::Stop(breakpoint)).times(1));
    let sender = client(&world.proxy);
    let sent = tokio::spawn(async move { send(&sender, Method::PATCH, SERVICE).await });
    let stopped = stops.next().await.unwrap();
    assert_eq!(stopped.request.to_string(), "patch services/web");
    let seen = world.upstream.seen().len();
    // Nothing else gets through meanwhile.
    let other = client(&world.proxy);
    let other = tokio::spawn(async move { send(&other, Method::GET, SERVICE).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.upstream.seen().len(), seen);
    stopped.abandon();
    assert_eq!(other.await.unwrap(), None, "who waited is cut off too");
    (world, sent, stops, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_before_it_is_forwarded_and_abandoned_it_never_happened() {
    let (world, sent, _stops, seen) = stopped_patch(Point::BeforeForward).await;
    assert_eq!((sent.await.unwrap(), seen), (None, 0));
    assert!(world.upstream.seen().is_empty());
    assert_eq!(patch(&world).await, Some(200), "the next one goes through");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_after_the_commit_and_abandoned_its_reply_never_arrives() {
    let (world, sent, _stops, seen) = stopped_patch(Point::AfterCommit).await;
    assert_eq!((sent.await.unwrap(), seen), (None, 1));
    assert_eq!(patch(&world).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_after_the_reply_its_sender_has_it() {
    let (world, sent, _stops, seen) = stopped_patch(Point::AfterReply).await;
    assert_eq!((sent.await.unwrap(), seen), (Some(StatusCode::OK), 1));
    assert_eq!(patch(&world).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_list_is_asked_for_as_of_then_and_a_read_of_one_object_is_not() {
    let world = world().await;
    // An hour ago nothing was followed yet: the oldest state that is known stands in.
    let past = Past::follow(world.config.clone(), Duration::from_secs(3_600)).await.unwrap();
    world.proxy.script().add(Rule::new(|_| true, Effect::Stale(past)));
    for (path, query) in [
        ("services?limit=500", "limit=500&resourceVersion=7&resourceVersionMatch=Exact"),
        ("services", "resourceVersion=7&resourceVersionMatch=Exact"),
        ("services?limit=5&continue=x", "limit=5&continue=x"),
        ("services/web", ""),
    ] {
        assert_eq!(send(&world.client, Method::GET, path).await, Some(StatusCode::OK));
        let asked = world.upstream.queries();
        assert!(asked.contains(&query.to_owned()), "{path}: {asked:?}");
    }
}
