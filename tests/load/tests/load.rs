//! Does the generator tell the truth? Against servers whose every failure is known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bluegreen_load::{Client, Kind, Load, Plan, Report};
use common::{Act, Server};
use tokio::time::sleep;

fn plan(server: &Server, clients: Vec<Client>) -> Plan {
    Plan { clients, ..Plan::new(server.address) }
}

async fn run(plan: Plan, duration: Duration) -> Report {
    let load = Load::start(plan).unwrap();
    sleep(duration).await;
    load.stop().await.unwrap()
}

/// How many requests a client must have sent: one at the start of each interval that has begun.
fn due(report: &Report, rate: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let due = (report.duration.as_secs_f64() * rate).ceil() as u64;
    due
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

const BLUE: fn(usize) -> Act = |_| Act::Answer("blue");

#[tokio::test]
async fn each_client_keeps_its_rate() {
    let server = Server::start(BLUE);
    let clients = vec![Client::fresh(150.0), Client::keep_alive(75.0), Client::long(10.0, Duration::ZERO)];
    let report = run(plan(&server, clients), Duration::from_secs(1)).await;
    for (kind, rate) in [(Kind::Fresh, 150.0), (Kind::KeepAlive, 75.0), (Kind::Long, 10.0)] {
        assert_eq!(report.by_kind[&kind].sent, due(&report, rate), "{kind}\n{report}");
    }
    assert_eq!((report.total.ok, report.total.failed()), (report.total.sent, 0), "{report}");
    assert_eq!(usize::try_from(report.total.sent).unwrap(), server.requests());
    assert_eq!(report.total.by_color, counts(&[("blue", report.total.sent)]));
    assert_eq!(report.total.by_pod, counts(&[("blue-1", report.total.sent)]));
    assert_eq!(report.requests().count(), server.requests());
}

#[tokio::test]
async fn fresh_means_a_connection_each_and_kept_means_a_few() {
    let server = Server::start(BLUE);
    let report = run(plan(&server, vec![Client::fresh(100.0)]), Duration::from_millis(500)).await;
    assert_eq!((report.total.connections, server.connections()), (report.total.sent, server.requests()));

    let server = Server::start(BLUE);
    let client = Client { connections: 4, ..Client::keep_alive(50.0) };
    let report = run(plan(&server, vec![client]), Duration::from_secs(1)).await;
    assert!(report.total.sent >= 50);
    // A stall of this machine may need one more for a moment.
    assert!((4..=8).contains(&server.connections()), "{}", server.connections());
}

#[tokio::test]
async fn a_hanging_server_does_not_slow_the_load_down() {
    let server = Server::start(|_| Act::Wait(Duration::from_millis(700)));
    let report = run(plan(&server, vec![Client::keep_alive(100.0)]), Duration::from_millis(500)).await;
    assert_eq!(report.total.sent, due(&report, 100.0), "a closed loop of 8 would have sent 8");
    assert_eq!(report.total.failed(), 0, "{report}");
    assert!(report.total.latency.p50 >= Duration::from_millis(700));
}

#[tokio::test(flavor = "current_thread")]
async fn a_busy_program_around_it_does_not_slow_the_load_down() {
    let server = Server::start(BLUE);
    let load = Load::start(plan(&server, vec![Client::fresh(50.0)])).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(load.counts().sent > 5, "{:?}", load.counts());
    assert_eq!(load.stop().await.unwrap().total.failed(), 0);
}

#[tokio::test]
async fn lost_requests_are_counted_exactly_and_by_cause() {
    for kind in [Client::fresh(200.0), Client::keep_alive(200.0)] {
        let server = Server::start(|n| match n {
            10..17 => Act::Close,
            20..25 => Act::Reset,
            30..33 => Act::Status(503),
            40..42 => Act::BreakOff,
            50..54 => Act::Nonsense,
            60 => Act::Hang,
            _ => Act::Answer("blue"),
        });
        let plan = Plan { request_timeout: Duration::from_secs(2), ..plan(&server, vec![kind]) };
        let report = run(plan, Duration::from_secs(1)).await;
        let expected = [("closed", 7 + 2), ("reset", 5), ("status 503", 3), ("protocol", 4), ("timeout", 1)];
        assert_eq!(report.total.failures, counts(&expected), "{report}");
        assert_eq!(report.total.ok, report.total.sent - 22);
        assert_eq!(usize::try_from(report.total.sent).unwrap(), server.requests(), "none sent twice");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_refuses() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clients = vec![Client::fresh(50.0), Client::keep_alive(50.0)];
    let report = run(Plan { clients, ..Plan::new(port) }, Duration::from_millis(200)).await;
    assert_eq!(report.total.failures, counts(&[("refused", report.total.sent)]));
    assert!(report.total.sent > 10);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_while_idle_loses_nothing() {
    let server = Server::start(|_| Act::AnswerAndClose("blue"));
    let client = Client { connections: 2, ..Client::keep_alive(20.0) };
    let report = run(plan(&server, vec![client]), Duration::from_secs(1)).await;
    assert_eq!(report.total.failed(), 0, "{report}");
    assert_eq!(server.connections(), server.requests());
}

#[tokio::test]
async fn the_wrong_color_is_seen() {
    let green = Arc::new(AtomicBool::new(false));
    let now = green.clone();
    let server = Server::start(move |n| match now.load(Ordering::SeqCst) {
        // Every tenth answer still comes from the old color.
        true if n % 10 != 0 => Act::Answer("green"),
        _ => Act::Answer("blue"),
    });
    let load = Load::start(plan(&server, vec![Client::fresh(100.0)])).unwrap();
    sleep(Duration::from_millis(300)).await;
    let before = server.requests();
    green.store(true, Ordering::SeqCst);
    load.mark("switched");
    sleep(Duration::from_secs(1)).await;
    load.mark("end");
    let report = load.stop().await.unwrap();

    let after = report.after("switched").unwrap();
    let started = after.started().count();
    let blue = after.count_started_later("blue", Duration::ZERO);
    assert!(blue.abs_diff(started / 10) <= 2, "{blue} of {started}");
    let late = after.count_started_later("blue", Duration::from_millis(500));
    assert!(late > 0 && late < blue, "{late} of {blue}");
    assert_eq!(after.count_started_later("blue", Duration::from_secs(60)), 0);
    assert!(after.first("green").unwrap() < after.last("blue").unwrap());
    assert_eq!(after.kind(Kind::KeepAlive).first("green"), None);
    assert!(after.until("end").started().count() <= started);
    assert_eq!(after.failed(), 0);
    assert!(before >= 25 && report.total.by_color["blue"] >= before as u64);
    assert_eq!(report.after("never marked").map(|_| ()), None);
}

#[tokio::test]
async fn connections_come_from_each_source_in_turn() {
    let server = Server::start(BLUE);
    let sources = ["127.0.0.2", "127.0.0.3"].map(|ip| ip.parse().unwrap());
    let plan = Plan { source_addresses: sources.to_vec(), ..plan(&server, vec![Client::fresh(100.0)]) };
    let report = run(plan, Duration::from_millis(300)).await;
    assert_eq!(report.total.failed(), 0, "{report}");
    let clients = server.clients.lock().unwrap();
    for source in sources {
        let share = clients.iter().filter(|client| **client == source).count();
        assert!(share.abs_diff(clients.len() / 2) <= 1, "{source}: {share} of {}", clients.len());
    }
}

#[tokio::test]
async fn too_many_in_flight_are_blamed_on_this_machine() {
    let server = Server::start(|_| Act::Hang);
    let plan = Plan {
        max_in_flight: 5,
        request_timeout: Duration::from_secs(1),
        ..plan(&server, vec![Client::fresh(100.0)])
    };
    let report = run(plan, Duration::from_millis(300)).await;
    assert_eq!(report.total.failures, counts(&[("local", report.total.sent - 5), ("timeout", 5)]));
}

#[tokio::test]
async fn a_dropped_load_ends() {
    let server = Server::start(BLUE);
    drop(Load::start(plan(&server, vec![Client::fresh(100.0)])).unwrap());
    sleep(Duration::from_millis(200)).await;
    let then = server.requests();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.requests(), then);
}

#[tokio::test]
async fn the_report_reads_well() {
    let server = Server::start(|n| if n == 3 { Act::Close } else { Act::Answer("blue") });
    let load = Load::start(plan(&server, vec![Client::fresh(50.0), Client::keep_alive(50.0)])).unwrap();
    sleep(Duration::from_millis(300)).await;
    load.mark("switch patched");
    let report = load.stop().await.unwrap();
    let text = report.to_string();
    for expected in [
        &format!("{} requests to {} in 0.3 s, 1 lost\n", report.total.sent, server.address),
        "keepalive",
        &format!("colors    blue {}\n", report.total.ok),
        "1 × closed, due from 0.0",
        "s  switch patched\n",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn load_on_strangers_is_refused() {
    let clients = || vec![Client::fresh(1.0)];
    let before = Instant::now();
    // 192.0.2.0/24 is reserved for documentation, so nothing is there even if this test should fail.
    let stranger = Plan { clients: clients(), ..Plan::new("192.0.2.1:80".parse().unwrap()) };
    let error = Load::start(stranger.clone()).unwrap_err().to_string();
    assert!(error.contains("192.0.2.1:80 is neither this machine"), "{error}");
    assert!(Load::start(Plan { clients: vec![], ..stranger }).is_err());
    assert!(before.elapsed() < Duration::from_secs(1));
}
