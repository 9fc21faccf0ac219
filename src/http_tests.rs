//! What do the probes answer?

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn get_path(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

#[tokio::test]
async fn a_free_port_is_bound_and_every_path_answers() {
    let health = Health::new(HealthLimits::default());
    let metrics = Metrics::new().unwrap();
    metrics.set_leader(true);
    let shutdown = CancellationToken::new();
    let any = "127.0.0.1:0".parse().unwrap();
    let (bound, server) = serve(any, health.clone(), metrics, shutdown.clone()).await.unwrap();
    let server = tokio::spawn(server);
    assert_ne!(bound.port(), 0);

    let (status, body) = get_path(bound, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.ends_with("starting\n"), "{body}");
    health.set_ready();
    assert_eq!(get_path(bound, "/readyz").await.0, 200);
    assert_eq!(get_path(bound, "/livez").await.0, 200);
    assert_eq!(get_path(bound, "/").await.0, 404);

    let (status, body) = get_path(bound, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("content-type: text/plain; version=0.0.4"), "{body}");
    assert!(body.contains("\nbluegreen_leader 1\n"), "{body}");

    shutdown.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = held.local_addr().unwrap();
    let health = Health::new(HealthLimits::default());
    let result = serve(address, health, Metrics::new().unwrap(), CancellationToken::new()).await;
    let message = result.err().unwrap().to_string();
    assert!(message.contains(&address.to_string()), "{message}");
}

fn limits() -> HealthLimits {
    HealthLimits { heartbeat: Duration::from_secs(30), reconcile: Duration::from_secs(120) }
}

#[test]
fn a_standby_that_never_beats_is_live() {
    let health = Health::new(limits());
    assert_eq!(health.live_at(Instant::now() + Duration::from_secs(3600)), Ok(()));
}

#[test]
fn a_loop_that_stops_is_not_live() {
    let health = Health::new(limits());
    health.beat();
    let now = Instant::now();
    assert_eq!(health.live_at(now + Duration::from_secs(29)), Ok(()));
    let why = health.live_at(now + Duration::from_secs(31)).unwrap_err();
    assert!(why.contains("silent for 31 s"), "{why}");
}

#[test]
fn a_reconcile_that_hangs_is_not_live_until_it_ends() {
    let health = Health::new(limits());
    let hanging = health.reconciling();
    let other = health.reconciling();
    let later = Instant::now() + Duration::from_secs(121);
    assert!(health.live_at(later).unwrap_err().contains("reconcile has been running for 121 s"));
    drop(hanging);
    drop(other);
    assert_eq!(health.live_at(later), Ok(()));
}

#[test]
fn readiness_can_be_lost_again() {
    let health = Health::new(limits());
    health.set_ready();
    health.set_not_ready("stores are not synced");
    assert_eq!(health.ready(), Err("stores are not synced".to_owned()));
}
