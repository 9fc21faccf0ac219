//! What a client sees while the program shuts down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::{Connection, GET, Hello};

#[test]
fn new_clients_are_served_while_it_leaves_and_told_to_go() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "1")]);
    let mut kept = Connection::open(hello.port);
    kept.send(GET);
    assert_eq!(kept.response().header("connection"), None, "kept alive before the signal");

    hello.signal("TERM");
    hello.wait_for("serving");
    let response = hello.get("/", &[]);
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));

    kept.send(GET);
    assert_eq!(kept.response().header("connection"), Some("close"));
    assert!(kept.is_closed(), "closed by the server after that response");
    let (code, log) = hello.wait();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn idle_connections_are_closed_and_do_not_hold_up_the_end() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "0"), ("DRAIN_LIMIT_SECONDS", "20")]);
    let mut used = Connection::open(hello.port);
    used.send(GET);
    used.response();
    let mut silent = Connection::open(hello.port);

    let before = Instant::now();
    hello.signal("TERM");
    assert!(used.is_closed());
    assert!(silent.is_closed());
    let (code, log) = hello.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("every connection finished"), "{log}");
    assert!(before.elapsed() < Duration::from_secs(5), "waited for idle connections");
}

#[test]
fn a_request_in_flight_is_finished() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "0")]);
    let mut busy = Connection::open(hello.port);
    busy.send("GET /slow?ms=1500 HTTP/1.1\r\nHost: hello\r\n\r\n");
    std::thread::sleep(Duration::from_millis(300));
    hello.signal("TERM");
    let response = busy.response();
    assert_eq!((response.status, response.body.as_str()), (200, "waited 1500 ms\n"));
    assert!(busy.is_closed());
    assert_eq!(hello.wait().0, Some(0));
}

#[test]
fn a_connection_accepted_just_before_the_end_still_gets_its_answer() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "0")]);
    let mut late = Connection::open(hello.port);
    hello.signal("TERM");
    hello.wait_for("SIGTERM");
    std::thread::sleep(Duration::from_millis(100));
    late.send(GET);
    assert_eq!(late.response().status, 200);
    assert_eq!(hello.wait().0, Some(0));
}

#[test]
fn nothing_is_lost_while_connections_pour_in_during_the_shutdown() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "2")]);
    let port = hello.port;
    // Ends before the delay does: the kernel resets a connection that completes in the instant in which the listener
    // closes, and no server can prevent that. By then no one should be sending any more.
    let until = Instant::now() + Duration::from_millis(1500);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut answered = 0;
                while Instant::now() < until {
                    let mut connection = Connection::open(port);
                    connection.send(GET);
                    assert_eq!(connection.response().status, 200);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    hello.signal("TERM");
    let answered: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 100, "only {answered}");
    assert_eq!(hello.wait().0, Some(0));
}

#[test]
fn an_endless_stream_ends_in_good_order() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "0")]);
    let mut connection = Connection::open(hello.port);
    connection.send("GET /stream HTTP/1.1\r\nHost: hello\r\n\r\n");
    std::thread::sleep(Duration::from_millis(300));
    hello.signal("TERM");
    let response = connection.response();
    assert!(response.body.starts_with("tick 0 "), "{}", response.body);
    assert!(response.body.ends_with("bye\n"), "{}", response.body);
    assert_eq!(hello.wait().0, Some(0));
}

#[test]
fn what_does_not_finish_is_cut_off() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "0"), ("DRAIN_LIMIT_SECONDS", "1")]);
    let mut stuck = Connection::open(hello.port);
    stuck.send("GET /slow?ms=60000 HTTP/1.1\r\nHost: hello\r\n\r\n");
    std::thread::sleep(Duration::from_millis(300));
    hello.signal("TERM");
    let (code, log) = hello.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("1 connections did not finish in time"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let hello = Hello::start(&[("SHUTDOWN_DELAY_SECONDS", "60")]);
    hello.signal("INT");
    hello.wait_for("SIGINT");
    hello.signal("INT");
    let (code, log) = hello.wait();
    assert_eq!(code, Some(1));
    assert!(log.contains("second SIGINT"), "{log}");
}

#[test]
fn a_signal_during_a_slow_start_ends_it_at_once() {
    let hello = Hello::start_unheard(&[("START_DELAY_SECONDS", "60")]);
    hello.wait_for("starting in");
    hello.signal("TERM");
    assert_eq!(hello.wait().0, Some(0));
}

/// The kernel gives PID 1 no default action for SIGTERM, so only a handler of its own stops it.
#[test]
fn it_stops_as_process_1() {
    let Some(hello) = Hello::start_as_process_1(&[("SHUTDOWN_DELAY_SECONDS", "0")]) else {
        eprintln!("skipped: no right to make a PID namespace here");
        return;
    };
    assert_eq!(hello.get("/healthz", &[]).status, 200);
    hello.signal("TERM");
    let (code, log) = hello.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("every connection finished"), "{log}");
}
