//! What do the probes answer?

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::*;
use crate::health::HealthLimits;

/// What a broken server would keep a test waiting for.
const TOO_LONG: Duration = Duration::from_secs(30);

async fn get_path(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(TOO_LONG, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

/// A server with these limits on a free port: its address, what ends it, and its task.
async fn start(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let (pages, shutdown) = (Pages::Health(Health::new(HealthLimits::default())), CancellationToken::new());
    let any = "127.0.0.1:0".parse().unwrap();
    let (bound, server) = serve(any, limits, pages, shutdown.clone()).await.unwrap();
    (bound, shutdown, tokio::spawn(server))
}

/// A client that has sent half of its request, and sends no more.
async fn half_a_request(address: SocketAddr) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost:").await.unwrap();
    stream
}

#[tokio::test]
async fn a_free_port_is_bound_and_every_path_answers() {
    let health = Health::new(HealthLimits::default());
    let metrics = Metrics::new("abc").unwrap();
    metrics.set_leader(true);
    let shutdown = CancellationToken::new();
    let any = "127.0.0.1:0".parse().unwrap();
    let probes = Pages::Health(health.clone());
    let (bound, server) = serve(any, Limits::default(), probes, shutdown.clone()).await.unwrap();
    let server = tokio::spawn(server);
    let (metrics_bound, metrics_server) =
        serve(any, Limits::default(), Pages::Metrics(metrics), shutdown.clone()).await.unwrap();
    let metrics_server = tokio::spawn(metrics_server);
    assert_ne!(bound.port(), 0);

    let (status, body) = get_path(bound, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.ends_with("starting\n"), "{body}");
    health.set_ready();
    assert_eq!(get_path(bound, "/readyz").await.0, 200);
    assert_eq!(get_path(bound, "/livez").await.0, 200);
    assert_eq!(get_path(bound, "/").await.0, 404);
    assert_eq!(get_path(bound, "/metrics").await.0, 404, "who may reach the probes sees no names of apps");

    assert_eq!(get_path(metrics_bound, "/livez").await.0, 404);
    let (status, body) = get_path(metrics_bound, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("content-type: text/plain; version=0.0.4"), "{body}");
    assert!(body.contains("\nbluegreen_leader 1\n"), "{body}");

    shutdown.cancel();
    server.await.unwrap();
    metrics_server.await.unwrap();
}

/// Otherwise, whoever holds as many connections as are allowed has the kubelet restart the process.
#[tokio::test]
async fn clients_that_hold_connections_do_not_keep_a_probe_waiting() {
    let forever = Duration::from_secs(3600);
    let limits = Limits { request: forever, connection: forever, connections: 4, ..Limits::default() };
    let (address, _shutdown, _server) = start(limits).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(half_a_request(address).await);
        assert_eq!(get_path(address, "/livez").await.0, 200);
    }
    assert_eq!(held[0].read(&mut [0]).await.unwrap_or(0), 0, "the oldest is closed");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_does_not_keep_the_process() {
    let forever = Duration::from_secs(3600);
    let limits = Limits {
        request: forever,
        connection: forever,
        end: Duration::from_millis(10),
        connections: 2,
        ..Limits::default()
    };
    let (address, shutdown, server) = start(limits).await;
    let mut client = half_a_request(address).await;
    // Connections are accepted in order: once this one is answered, that of the client is being served.
    assert_eq!(get_path(address, "/livez").await.0, 200);
    shutdown.cancel();
    tokio::time::timeout(TOO_LONG, server).await.unwrap().unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0, "its connection is closed");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_loses_its_connection_and_the_next_is_served() {
    let limits = Limits { request: Duration::from_millis(10), connections: 1, ..Limits::default() };
    let (address, _shutdown, _server) = start(limits).await;
    let mut slow = half_a_request(address).await;
    assert_eq!(get_path(address, "/livez").await.0, 200);
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
}

/// A head of half a megabyte from each of 64 clients would be an eighth of the container's memory.
#[tokio::test]
async fn a_request_whose_head_is_too_long_loses_its_connection() {
    let forever = Duration::from_secs(3600);
    let limits = Limits { request: forever, connection: forever, ..Limits::default() };
    let (address, _shutdown, _server) = start(limits).await;
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nHost: {}", "x".repeat(400_000));
    // The server may close the connection before it has read all of it.
    let _ = client.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(TOO_LONG, client.read_to_end(&mut answer)).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    assert_eq!(get_path(address, "/livez").await.0, 200);
}

/// As a client that asks for the metrics and never reads them.
#[tokio::test]
async fn a_connection_is_not_kept_longer_than_its_limit() {
    let forever = Duration::from_secs(3600);
    let limits = Limits {
        request: forever,
        connection: Duration::from_millis(10),
        connections: 1,
        end: forever,
        ..Limits::default()
    };
    let (address, _shutdown, _server) = start(limits).await;
    let _slow = half_a_request(address).await;
    assert_eq!(get_path(address, "/livez").await.0, 200);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = held.local_addr().unwrap();
    let pages = Pages::Metrics(Metrics::new("abc").unwrap());
    let result = serve(address, Limits::default(), pages, CancellationToken::new()).await;
    let message = result.err().unwrap().to_string();
    assert!(message.contains(&address.to_string()), "{message}");
}

/// Thousands of apps take a while to render. This runtime has one thread, which answers the kubelet meanwhile.
#[tokio::test]
async fn a_scrape_that_takes_long_does_not_keep_a_probe_waiting() {
    let metrics = Metrics::new("abc").unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (released, rendering) = (Mutex::new(released), Arc::new(AtomicBool::new(false)));
    let (was_released, began) = (Arc::new(AtomicBool::new(false)), rendering.clone());
    let told = was_released.clone();
    // Only the leader exports apps.
    metrics.set_leader(true);
    metrics
        .export_apps(move || {
            began.store(true, Ordering::SeqCst);
            let answer = released.lock().unwrap().recv_timeout(Duration::from_secs(10));
            told.store(answer.is_ok(), Ordering::SeqCst);
            Vec::new()
        })
        .unwrap();
    let (any, shutdown) = ("127.0.0.1:0".parse().unwrap(), CancellationToken::new());
    let (scraped, server) = serve(any, Limits::default(), Pages::Metrics(metrics), shutdown).await.unwrap();
    tokio::spawn(server);
    let (probed, _shutdown, _server) = start(Limits::default()).await;

    let scrape = tokio::spawn(async move { get_path(scraped, "/metrics").await.0 });
    let renders = async {
        while !rendering.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(TOO_LONG, renders).await.unwrap();
    assert_eq!(get_path(probed, "/livez").await.0, 200);
    release.send(()).ok();
    assert_eq!(scrape.await.unwrap(), 200);
    assert!(was_released.load(Ordering::SeqCst), "the probe was answered after the scrape");
}
