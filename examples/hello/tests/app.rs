//! What a client of the running program sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::{Connection, Hello};

#[test]
fn every_response_says_who_answered() {
    let hello = Hello::start(&[("VERSION", "v2.0.0"), ("HOSTNAME", "hello-green-7d9c5b8f6-x2k4p")]);
    for (path, status) in
        [("/", 200), ("/healthz", 200), ("/slow?ms=x", 400), ("/nowhere", 404), ("/admin/ready", 404)]
    {
        let response = hello.get(path, &[]);
        assert_eq!(response.status, status, "{path}");
        assert_eq!(response.header("x-app-version"), Some("v2.0.0"), "{path}");
        assert_eq!(response.header("x-app-color"), Some("green"), "{path}");
        assert_eq!(response.header("x-app-pod"), Some("hello-green-7d9c5b8f6-x2k4p"), "{path}");
    }
    let mut connection = Connection::open(hello.port);
    connection.send("POST / HTTP/1.1\r\nHost: hello\r\nContent-Length: 0\r\n\r\n");
    let refused = connection.response();
    assert_eq!((refused.status, refused.header("x-app-color")), (405, Some("green")));
}

#[test]
fn the_page_in_three_forms() {
    let hello = Hello::start(&[("VERSION", "v1.0.0"), ("COLOR", "blue"), ("HOSTNAME", "pod-1")]);
    assert_eq!(
        hello.get("/", &["Accept: */*"]).body,
        "Title: Welcome to LaGou Education WebSite!\nVersion: v1.0.0\nColor: blue\nHostname: pod-1\n"
    );
    let html = hello.get("/", &["Accept: text/html"]);
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    for expected in ["<h1>Welcome to LaGou Education WebSite!</h1>", "v1.0.0", "pod-1", "--accent: #1d5fd1"] {
        assert!(html.body.contains(expected), "{expected}");
    }
    assert_eq!(
        hello.get("/", &["Accept: application/json"]).body,
        "{\"title\":\"Welcome to LaGou Education WebSite!\",\"version\":\"v1.0.0\",\"color\":\"blue\",\"hostname\":\"pod-1\"}\n"
    );
}

#[test]
fn readiness_follows_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-ready");
    let hello = Hello::start(&[("FAIL_READINESS", file.to_str().unwrap())]);
    assert_eq!(hello.get("/healthz", &[]).status, 200);
    std::fs::write(&file, "").unwrap();
    assert_eq!(hello.get("/healthz", &[]).status, 503);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(hello.get("/healthz", &[]).status, 200);
}

#[test]
fn a_probe_on_the_page_sees_readiness_and_a_person_sees_the_page() {
    let hello = Hello::start(&[("FAIL_READINESS", "always")]);
    assert_eq!(hello.get("/", &["User-Agent: kube-probe/1.35"]).status, 503);
    assert_eq!(hello.get("/", &["User-Agent: curl/8"]).status, 200);
}

#[test]
fn readiness_can_be_toggled_where_allowed() {
    let hello = Hello::start(&[("ENABLE_ADMIN", "1")]);
    assert_eq!(hello.get("/admin/ready?value=false", &[]).body, "ready: false\n");
    assert_eq!(hello.get("/healthz", &[]).status, 503);
    assert_eq!(hello.get("/admin/ready?value=maybe", &[]).status, 400);
    assert_eq!(hello.get("/admin/ready", &[]).body, "ready: false\n", "asking changes nothing");
    assert_eq!(hello.get("/admin/ready?value=true", &[]).body, "ready: true\n");
    assert_eq!(hello.get("/healthz", &[]).status, 200);
}

#[test]
fn slowness_on_request_and_by_setting() {
    let hello = Hello::start(&[("SLOW_MS", "200")]);
    for (path, at_least) in [("/", 200), ("/slow?ms=300", 500)] {
        let before = Instant::now();
        assert_eq!(hello.get(path, &[]).status, 200);
        assert!(before.elapsed() >= Duration::from_millis(at_least), "{path}");
    }
}

#[test]
fn a_bad_version_fails_some_requests_counts_them_and_is_ready() {
    let hello = Hello::start(&[("FAIL_PERCENT", "50"), ("VERSION", "v2"), ("COLOR", "green")]);
    let statuses: Vec<u16> = (0..4).map(|_| hello.get("/", &[]).status).collect();
    assert_eq!(statuses, [200, 500, 200, 500]);
    assert_eq!(hello.get("/", &["User-Agent: kube-probe/1.35"]).status, 200);
    assert_eq!(hello.get("/healthz", &[]).status, 200);
    let metrics = hello.get("/metrics", &[]);
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for code in [200, 500] {
        let line = format!("hello_requests_total{{version=\"v2\",color=\"green\",code=\"{code}\"}} 2\n");
        assert!(metrics.body.contains(&line), "{}", metrics.body);
    }
}

#[test]
fn a_stream_ticks_every_second() {
    let hello = Hello::start(&[("COLOR", "green"), ("VERSION", "v2"), ("HOSTNAME", "p")]);
    let before = Instant::now();
    let response = hello.get("/stream?seconds=1", &[]);
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert_eq!(response.body, "tick 0 green v2 p\ntick 1 green v2 p\n");
    assert!(before.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_slow_start_refuses_connections_until_it_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let before = Instant::now();
    let hello = Hello::start_unheard(&[("START_DELAY_SECONDS", "1"), ("PORT", &port.to_string())]);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "listens too early");
    let hello = hello.wait_until_listening();
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!(hello.get("/healthz", &[]).status, 200);
}

#[test]
fn a_bad_setting_is_named() {
    let (code, log) = Hello::start_unheard(&[("SLOW_MS", "fast")]).wait();
    assert_eq!(code, Some(1));
    assert!(log.contains("SLOW_MS must be a whole number of milliseconds, not \"fast\""), "{log}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, log) = Hello::start_unheard(&[("PORT", &port)]).wait();
    assert_eq!(code, Some(1));
    assert!(log.contains(&format!("could not listen on port {port}: Address already in use")), "{log}");
}
