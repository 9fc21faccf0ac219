//! What does a measurement say of each kind of server?

use std::time::Duration;

use clap::Parser;

use super::*;
use crate::args::{Check, Cli};
use crate::stub::{Step, Stub, answer, closed_port, deaf_port, head};
use crate::verdict::Finding;

const HOST: &str = "hello-green.shop.svc";

fn http(scheme: &str, port: u16, more: &[&str]) -> Http {
    let url = format!("{scheme}://127.0.0.1:{port}/healthz?a=b");
    let flags = ["check", "http", "--url", &url, "--host", HOST];
    let Check::Http(args) = Cli::try_parse_from([&flags, more].concat()).unwrap().check else { panic!() };
    Http::new(*args).unwrap()
}

/// One measurement of a server that does `step`.
async fn measure(step: Step, more: &[&str]) -> Measurement {
    let server = Stub::start([step]).await;
    http("http", server.port, more).measure().await
}

#[track_caller]
fn is(measurement: &Measurement, finding: Finding, words: &str) {
    assert_eq!(measurement.finding, finding, "{}", measurement.words);
    assert!(measurement.words.contains(words), "{}", measurement.words);
}

#[tokio::test]
async fn an_answer_with_the_right_status_is_good() {
    for (status, flag) in [("200 OK", "200-399"), ("204 No Content", "204"), ("404 Not Found", "404-410")] {
        let measurement = measure(answer(status, ""), &["--status", flag]).await;
        is(&measurement, Finding::Good, "GET http://hello-green.shop.svc/healthz?a=b answered ");
    }
}

#[tokio::test]
async fn another_status_is_bad() {
    let measurement = measure(answer("503 Service Unavailable", ""), &[]).await;
    is(&measurement, Finding::Bad, "/healthz?a=b answered 503 instead of 200-399");
    is(&measure(answer("203 Low", ""), &["--status", "204-399"]).await, Finding::Bad, "203 instead of");
    is(&measure(answer("400 High", ""), &[]).await, Finding::Bad, "400 instead of");
}

#[tokio::test]
async fn the_request_goes_to_the_address_with_the_name_of_the_service_and_the_headers() {
    let server = Stub::start([answer("200 OK", "")]).await;
    http("http", server.port, &["--header", "X-Tenant: a", "--header", "x-tenant: b"]).measure().await;
    let [request] = &server.requests()[..] else { panic!() };
    let mut lines: Vec<_> = request.lines().map(str::to_lowercase).collect();
    assert_eq!(lines.remove(0), "get /healthz?a=b http/1.1");
    lines.sort_unstable();
    let expected = [
        "",
        "accept: */*",
        "connection: close",
        "host: hello-green.shop.svc",
        "user-agent: bluegreen-operator",
        "x-tenant: a",
        "x-tenant: b",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_header_replaces_what_the_checker_would_send() {
    let server = Stub::start([answer("200 OK", "")]).await;
    http("http", server.port, &["--header", "Host: shop.example", "--header", "User-Agent: me"])
        .measure()
        .await;
    let request = server.requests().concat().to_lowercase();
    assert!(
        request.contains("host: shop.example\r\n") && request.contains("user-agent: me\r\n"),
        "{request}"
    );
    assert!(!request.contains(HOST) && !request.contains("bluegreen-operator"), "{request}");
}

#[tokio::test]
async fn each_measurement_has_a_connection_of_its_own() {
    let keeps = Step::Stall(head("200 OK", 0));
    let server = Stub::start([keeps]).await;
    let mut http = http("http", server.port, &[]);
    for _ in 0..3 {
        is(&http.measure().await, Finding::Good, "answered 200");
    }
    // The server answers only the first request of a connection.
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Stub::start([answer("200 OK", "")]).await;
    let location = format!("http://127.0.0.1:{}/", elsewhere.port);
    let redirect =
        Step::Answer(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
    is(&measure(redirect.clone(), &[]).await, Finding::Good, "answered 302");
    is(&measure(redirect, &["--status", "200"]).await, Finding::Bad, "answered 302 instead of 200");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_text_is_looked_for_in_the_first_64_kib_and_nowhere_else() {
    let contains = ["--contains", "versión 2"];
    is(&measure(answer("200 OK", "this is versión 2."), &contains).await, Finding::Good, "answered 200");
    let measurement = measure(answer("200 OK", "this is versión 1."), &contains).await;
    is(&measurement, Finding::Bad, "answered 200, but \"versión 2\" is not in its answer");
    let at = |room: usize| format!("{}versión 2{}", "x".repeat(READ_OF_BODY - room), "x".repeat(999));
    let whole = "versión 2".len();
    is(&measure(answer("200 OK", &at(whole)), &contains).await, Finding::Good, "answered 200");
    let measurement = measure(answer("200 OK", &at(whole - 1)), &contains).await;
    is(&measurement, Finding::Bad, "is not in the first 64 KiB of its answer");
}

#[tokio::test]
async fn what_comes_after_64_kib_is_not_waited_for() {
    let body = "x".repeat(READ_OF_BODY + 1);
    let stalls = Step::Stall(format!("{}{body}", head("200 OK", 1_000_000_000)));
    is(&measure(stalls, &[]).await, Finding::Good, "answered 200");
}

#[tokio::test]
async fn the_time_of_the_whole_answer_counts() {
    let slow = |first: &str, second: &str| {
        Step::Pause(first.to_owned(), Duration::from_millis(150), second.to_owned())
    };
    let (early, late) = (format!("{}o", head("200 OK", 2)), head("200 OK", 2) + "ok");
    for step in [slow(&early, "k"), slow("", &late)] {
        is(
            &measure(step.clone(), &["--max-milliseconds", "100"]).await,
            Finding::Bad,
            "more than maxMilliseconds 100",
        );
        is(&measure(step, &["--max-milliseconds", "900"]).await, Finding::Good, "answered 200");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_bad_after_the_time_limit() {
    let (nothing, half) = (Step::Stall(String::new()), Step::Stall(head("200 OK", 10)));
    is(&measure(nothing, &[]).await, Finding::Bad, "no answer within 1 s");
    is(&measure(half, &[]).await, Finding::Bad, "200, but no end of the answer within 1 s");
}

#[tokio::test]
async fn a_connection_that_breaks_is_bad() {
    is(&measure(Step::Reset, &[]).await, Finding::Bad, "connection reset");
    is(&measure(Step::Answer(String::new()), &[]).await, Finding::Bad, "connection closed");
    let short = Step::Answer(head("200 OK", 10) + "short");
    is(&measure(short, &[]).await, Finding::Bad, "200, but the answer broke off");
    is(&measure(Step::Answer("SSH-2.0-hello\r\n".to_owned()), &[]).await, Finding::Bad, "no answer: ");
}

#[tokio::test]
async fn without_a_connection_nobody_knows() {
    let mut refused = http("http", closed_port().await, &[]);
    is(&refused.measure().await, Finding::Unknown, "connection refused");
    is(&refused.measure().await, Finding::Unknown, "NetworkPolicy");
    let (port, _listener, _queued) = deaf_port().await;
    is(&http("http", port, &[]).measure().await, Finding::Unknown, "no connection within 1 s");
}

#[tokio::test]
async fn once_there_was_a_connection_the_next_one_without_is_bad() {
    let server = Stub::start([answer("200 OK", "")]).await;
    let mut http = http("http", server.port, &[]);
    is(&http.measure().await, Finding::Good, "answered 200");
    server.stop().await;
    is(&http.measure().await, Finding::Bad, "connection refused");
}

#[tokio::test]
async fn a_certificate_is_not_checked_and_the_name_of_the_service_is_asked_for() {
    let (server, _) = Stub::start_tls("somebody.else", [answer("200 OK", "")]).await;
    let measurement = http("https", server.port, &[]).measure().await;
    is(&measurement, Finding::Good, "GET https://hello-green.shop.svc/healthz?a=b answered 200");
    http("https", server.port, &["--header", "Host: shop.example:8443"]).measure().await;
    // An address is not asked for by TLS.
    http("https", server.port, &["--header", "Host: 10.0.0.1"]).measure().await;
    assert_eq!(server.names(), [HOST, "shop.example", "none"]);
}

#[tokio::test]
async fn a_server_without_tls_is_bad_if_tls_is_asked_for() {
    let server = Stub::start([answer("200 OK", "")]).await;
    let silent = http("https", server.port, &[]).measure().await;
    assert_eq!(silent.finding, Finding::Bad, "{}", silent.words);
    let (server, _) = Stub::start_tls("a", [answer("200 OK", "")]).await;
    is(&http("http", server.port, &[]).measure().await, Finding::Bad, "no answer");
}
