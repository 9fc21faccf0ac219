//! Tests of the loop against an API server that answers, fails, hangs, and loses the Lease.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State as Shared,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::super::*;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

/// How the API server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Overloaded,
    Silent,
}

#[derive(Debug)]
struct Server {
    mood: Mood,
    lease: Option<Value>,
    version: u64,
    requests: usize,
}

type Handle = Arc<Mutex<Server>>;

async fn server() -> (kube::Config, Handle) {
    let server = Server { mood: Mood::Fine, lease: None, version: 0, requests: 0 };
    let server = Arc::new(Mutex::new(server));
    let router = Router::new()
        .route(PATH, axum::routing::post(create))
        .route(&format!("{PATH}/lease"), get(read).put(replace))
        .layer(axum::middleware::from_fn_with_state(server.clone(), mood))
        .with_state(server.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (kube::Config::new(format!("http://{address}").parse().unwrap()), server)
}

async fn mood(
    Shared(server): Shared<Handle>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let mood = {
        let mut server = server.lock().unwrap();
        server.requests += 1;
        server.mood
    };
    match mood {
        Mood::Fine => next.run(request).await,
        Mood::Overloaded => status(StatusCode::SERVICE_UNAVAILABLE),
        Mood::Silent => std::future::pending().await,
    }
}

fn status(code: StatusCode) -> Response {
    let reason = match code {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        _ => "ServiceUnavailable",
    };
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "as the test wants it",
        "reason": reason, "code": code.as_u16()});
    (code, body.to_string()).into_response()
}

async fn read(Shared(server): Shared<Handle>) -> Response {
    match &server.lock().unwrap().lease {
        Some(lease) => lease.to_string().into_response(),
        None => status(StatusCode::NOT_FOUND),
    }
}

async fn create(Shared(server): Shared<Handle>, body: String) -> Response {
    let mut lease: Value = serde_json::from_str(&body).unwrap();
    let mut server = server.lock().unwrap();
    if server.lease.is_some() {
        return status(StatusCode::CONFLICT);
    }
    server.version += 1;
    lease["metadata"]["uid"] = json!(format!("uid-{}", server.version));
    server.store(lease)
}

async fn replace(Shared(server): Shared<Handle>, body: String) -> Response {
    let lease: Value = serde_json::from_str(&body).unwrap();
    let mut server = server.lock().unwrap();
    let same = |old: &Value| {
        ["uid", "resourceVersion"].iter().all(|key| old["metadata"][key] == lease["metadata"][key])
    };
    // As on the API server, a PUT may create the Lease, unless it names a uid.
    if server.lease.as_ref().is_none_or(|old| !same(old)) {
        return status(StatusCode::CONFLICT);
    }
    server.store(lease)
}

impl Server {
    fn store(&mut self, mut lease: Value) -> Response {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        lease.to_string().into_response()
    }
}

/// Short times that a busy machine can still keep.
fn cfg(identity: &str) -> LeaseConfig {
    LeaseConfig {
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_secs(2),
        retry_period: Duration::from_millis(200),
        ..LeaseConfig::new("ns", "lease", identity)
    }
}

async fn lead(kube: &kube::Config, identity: &str) -> Leadership {
    acquire(kube.clone(), cfg(identity), CancellationToken::new()).await.unwrap().unwrap()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

fn holder(server: &Handle) -> String {
    let server = server.lock().unwrap();
    server.lease.as_ref().and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or("-").to_owned()
}

#[tokio::test]
async fn a_leader_renews_and_its_release_hands_over_at_once() {
    let (kube, server) = server().await;
    let first = lead(&kube, "first").await;
    assert_eq!((first.term.epoch, first.term.lease_uid.as_str()), (1, "uid-1"));
    assert!(first.may_write(Duration::from_millis(500)));
    assert!(!first.may_write(Duration::from_secs(2)), "that would end after the term");
    let valid_until = first.valid_until();
    eventually("a renewal", || first.valid_until() > valid_until).await;

    let kube_too = kube.clone();
    let second = tokio::spawn(async move { lead(&kube_too, "second").await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!second.is_finished());
    {
        let mut server = server.lock().unwrap();
        let mut labeled = server.lease.clone().unwrap();
        labeled["metadata"]["labels"] = json!({"team": "shop"});
        server.store(labeled);
    }

    let tenure = first.tenure();
    let released = Instant::now();
    first.release().await;
    assert!(!tenure.may_write(Duration::ZERO));
    assert_eq!(tenure.lost().await, LossReason::Released);
    let second = second.await.unwrap();
    assert!(released.elapsed() < cfg("").duration, "not waited for");
    assert_eq!((second.term.epoch, second.term.lease_uid.as_str()), (2, "uid-1"));
    let lease = server.lock().unwrap().lease.clone().unwrap();
    assert_eq!(lease["metadata"]["labels"]["team"], "shop", "what others set is kept");
    assert_eq!(lease["spec"]["holderIdentity"], "second");
}

#[tokio::test]
async fn an_overloaded_or_silent_api_server_ends_leadership_in_time() {
    for mood in [Mood::Overloaded, Mood::Silent] {
        let (kube, server) = server().await;
        let leader = lead(&kube, "first").await;
        let before = {
            let mut server = server.lock().unwrap();
            server.mood = mood;
            server.requests
        };
        let broken = Instant::now();
        assert_eq!(leader.lost().await, LossReason::Expired);
        assert!(broken.elapsed() < Duration::from_millis(2500), "{mood:?}: {:?}", broken.elapsed());
        assert!(!leader.may_write(Duration::ZERO));
        let requests = server.lock().unwrap().requests - before;
        assert!((3..=12).contains(&requests), "{mood:?}: {requests} requests in 2 s, one each 200 ms");
    }
}

#[tokio::test]
async fn a_short_outage_is_survived_in_the_same_term() {
    let (kube, server) = server().await;
    let leader = lead(&kube, "first").await;
    server.lock().unwrap().mood = Mood::Silent;
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.lock().unwrap().mood = Mood::Fine;
    let valid_until = leader.valid_until();
    eventually("a renewal", || leader.valid_until() > valid_until).await;
    assert_eq!(leader.term.epoch, 1);
    assert!(leader.may_write(Duration::from_millis(100)));
}

#[tokio::test]
async fn a_deleted_lease_ends_leadership_and_is_not_brought_back() {
    let (kube, server) = server().await;
    let leader = lead(&kube, "first").await;
    server.lock().unwrap().lease = None;
    assert_eq!(leader.lost().await, LossReason::Deleted);
    assert_eq!(holder(&server), "-");
}

#[tokio::test]
async fn a_lease_taken_by_somebody_else_ends_leadership() {
    let (kube, server) = server().await;
    let leader = lead(&kube, "first").await;
    {
        let mut server = server.lock().unwrap();
        let mut lease = server.lease.clone().unwrap();
        lease["spec"]["holderIdentity"] = json!("other");
        server.store(lease);
    }
    assert_eq!(leader.lost().await, LossReason::TakenOver { by: "other".to_owned() });
}

/// Watches that go on after a restore from a backup miss what changed, so every process has to begin anew.
#[tokio::test]
async fn a_lease_that_goes_back_in_time_ends_leaders_and_candidates() {
    let (kube, server) = server().await;
    let leader = lead(&kube, "first").await;
    let candidate = tokio::spawn(acquire(kube.clone(), cfg("second"), CancellationToken::new()));
    let earlier = server.lock().unwrap().lease.clone();
    tokio::time::sleep(Duration::from_secs(1)).await;
    {
        let mut server = server.lock().unwrap();
        (server.lease, server.version) = (earlier, 1);
    }
    assert_eq!(leader.lost().await, LossReason::Restored);
    assert!(!leader.may_write(Duration::ZERO));
    let ended = candidate.await.unwrap().unwrap_err();
    assert!(ended.to_string().contains("restored from a backup"), "{ended}");
}

#[tokio::test]
async fn a_leadership_that_is_dropped_runs_out_and_is_not_released() {
    let (kube, server) = server().await;
    let leader = lead(&kube, "first").await;
    let tenure = leader.tenure();
    drop(leader);
    assert_eq!(tenure.lost().await, LossReason::Stopped);
    assert_eq!(holder(&server), "first", "writes may be in flight");
}

#[tokio::test]
async fn a_candidate_can_be_called_off() {
    let (kube, server) = server().await;
    let _leader = lead(&kube, "first").await;
    let shutdown = CancellationToken::new();
    let candidate = tokio::spawn(acquire(kube.clone(), cfg("second"), shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    shutdown.cancel();
    assert!(candidate.await.unwrap().unwrap().is_none());
    assert_eq!(holder(&server), "first");
}

#[tokio::test]
async fn a_candidate_outlasts_an_api_server_that_is_not_there_yet() {
    let (kube, server) = server().await;
    server.lock().unwrap().mood = Mood::Overloaded;
    let candidate = tokio::spawn(acquire(kube, cfg("first"), CancellationToken::new()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!candidate.is_finished());
    server.lock().unwrap().mood = Mood::Fine;
    assert_eq!(candidate.await.unwrap().unwrap().unwrap().term.epoch, 1);
}

#[tokio::test]
async fn timings_that_contradict_each_other_are_refused() {
    let (kube, _server) = server().await;
    let wrong = LeaseConfig { duration: Duration::from_secs(2), ..cfg("first") };
    let refused = acquire(kube, wrong, CancellationToken::new()).await.unwrap_err();
    assert!(refused.to_string().contains("longer than the renew deadline"), "{refused}");
}

#[tokio::test]
async fn without_election_the_epoch_is_the_time_and_grows() {
    let leader = Leadership::unelected("ns", "lease");
    assert!(leader.term.epoch > 1_700_000_000);
    assert!(leader.may_write(Duration::from_secs(3600)));
    let tenure = leader.tenure();
    leader.release().await;
    assert!(!tenure.may_write(Duration::ZERO));
    assert_eq!(tenure.lost().await, LossReason::Released);
}

#[test]
fn two_processes_of_one_pod_have_different_identities() {
    let one = unique_identity(Some("operator-0"));
    assert!(one.starts_with("operator-0_"));
    assert_ne!(one, unique_identity(Some("operator-0")));
}
