//! What is asked, and what does a measurement say of each kind of answer? A real Prometheus answers in `tests/checker`.

use clap::Parser;

use super::*;
use crate::args::{Check, Cli};
use crate::stub::{Step, Stub, answer, closed_port};
use crate::verdict::Finding;

fn prometheus(address: &str, more: &[&str]) -> Result<Prometheus, String> {
    let flags = ["check", "prometheus", "--address", address, "--timeout-seconds", "1"];
    let flags = [&flags, more].concat();
    let Check::Prometheus(args) = Cli::try_parse_from(flags).map_err(|error| error.to_string())?.check else {
        panic!()
    };
    Prometheus::new(*args, |name| (name == "BLUEGREEN_NAMESPACE").then(|| "shop".to_owned()))
}

fn value(value: &str) -> Step {
    let body =
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"VALUE"]}]}}"#;
    answer("200 OK", &body.replace("VALUE", value))
}

async fn measure(step: Step, limits: &[&str]) -> Measurement {
    let server = Stub::start([step]).await;
    let address = format!("http://127.0.0.1:{}", server.port);
    prometheus(&address, &[&["--query", "up"], limits].concat()).unwrap().measure().await
}

#[track_caller]
fn is(measurement: &Measurement, finding: Finding, words: &str) {
    assert_eq!(measurement.finding, finding, "{}", measurement.words);
    assert!(measurement.words.contains(words), "{}", measurement.words);
}

#[tokio::test]
async fn limits_belong_to_what_is_good() {
    for (answer, limits, finding, words) in [
        ("0.01", &["--max", "0.01"][..], Finding::Good, "the query answered 0.01, which max 0.01 allows"),
        ("0.0100000001", &["--max", "0.01"], Finding::Bad, "more than max 0.01"),
        ("1e-02", &["--min", "0.01", "--max", "0.010"], Finding::Good, "which min 0.01 and max 0.010 allows"),
        ("-3", &["--min", "-2.5"], Finding::Bad, "the query answered -3, less than min -2.5"),
        ("-2.5", &["--min=-2.5"], Finding::Good, "-2.5"),
    ] {
        is(&measure(value(answer), limits).await, finding, words);
    }
}

#[tokio::test]
async fn the_query_is_expanded_and_asked_of_the_api_below_the_address() {
    let server = Stub::start([value("1")]).await;
    for path in ["", "/", "/tenant/prometheus/"] {
        let address = format!("http://127.0.0.1:{}{path}", server.port);
        let query = r#"up{namespace="$(BLUEGREEN_NAMESPACE)"} + 1"#;
        prometheus(&address, &["--query", query, "--max", "1"]).unwrap().measure().await;
    }
    let lines: Vec<_> =
        server.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    let query = "/api/v1/query?query=up%7Bnamespace%3D%22shop%22%7D+%2B+1&timeout=1s";
    let line = |prefix: &str| format!("GET {prefix}{query} HTTP/1.1");
    assert_eq!(lines, [line(""), line(""), line("/tenant/prometheus")]);
    let request = server.requests().concat().to_lowercase();
    assert!(request.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{request}");
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn what_is_not_an_answer_with_one_number_says_nothing() {
    let error = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter"}"#;
    let redirect = Step::Answer("HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_owned());
    for (step, words) in [
        (value("NaN"), "the query answered NaN"),
        (answer("400 Bad Request", error), "answered 400: bad_data: invalid parameter"),
        (answer("401 Unauthorized", "secret"), "answered 401; check `tokenSecret`"),
        (answer("404 Not Found", "<html>"), "answered 404; check the path of `address`"),
        (answer("503 Service Unavailable", ""), "answered 503"),
        (redirect, "answered 301; redirects are not followed"),
        (answer("200 OK", "<html>"), "not that of Prometheus' API"),
        (answer("200 OK", &"x".repeat(READ_OF_ANSWER + 1)), "longer than 1 MiB"),
        (Step::Stall(String::new()), "no answer within 1 s"),
        (Step::Reset, "connection reset"),
    ] {
        let measurement = measure(step, &["--max", "1"]).await;
        is(&measurement, Finding::Unknown, words);
        assert!(!measurement.words.contains("secret"), "{}", measurement.words);
    }
    let address = format!("http://127.0.0.1:{}", closed_port().await);
    let mut closed = prometheus(&address, &["--query", "up", "--max", "1"]).unwrap();
    is(&closed.measure().await, Finding::Unknown, "connection refused");
    // Also after an answer: an outage of Prometheus is none of the app.
    let server = Stub::start([value("1")]).await;
    let address = format!("http://127.0.0.1:{}", server.port);
    let mut prometheus = prometheus(&address, &["--query", "up", "--max", "1"]).unwrap();
    is(&prometheus.measure().await, Finding::Good, "answered 1");
    server.stop().await;
    is(&prometheus.measure().await, Finding::Unknown, "connection refused");
}

#[tokio::test]
async fn the_token_is_read_for_every_measurement_and_never_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let server = Stub::start([value("1")]).await;
    let address = format!("http://127.0.0.1:{}", server.port);
    let flags = ["--query", "up", "--max", "1", "--token-file", file.to_str().unwrap()];
    let mut prometheus = prometheus(&address, &flags).unwrap();
    is(&prometheus.measure().await, Finding::Unknown, "can't use the token");
    for (token, finding) in [
        ("first\n", Finding::Good),
        ("", Finding::Unknown),
        ("a\nsecret", Finding::Unknown),
        ("second", Finding::Good),
    ] {
        std::fs::write(&file, token).unwrap();
        let measurement = prometheus.measure().await;
        is(&measurement, finding, "");
        assert!(!measurement.words.contains("secret"), "{}", measurement.words);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for (request, token) in requests.iter().zip(["first", "second"]) {
        assert!(request.to_lowercase().contains(&format!("authorization: bearer {token}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn a_certificate_is_checked_with_the_ca_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (server, certificate) = Stub::start_tls("localhost", [value("1")]).await;
    let (_, other) = Stub::start_tls("localhost", [value("1")]).await;
    let (good, wrong) = (folder.path().join("good.crt"), folder.path().join("wrong.crt"));
    std::fs::write(&good, certificate).unwrap();
    std::fs::write(&wrong, other).unwrap();
    let asked = async |host: &str, ca: Option<&Path>| {
        let address = format!("https://{host}:{}", server.port);
        let ca = ca.map(|file| ["--ca-file", file.to_str().unwrap()]);
        let flags =
            [&["--query", "up", "--max", "1"][..], ca.as_ref().map_or(&[][..], |ca| &ca[..])].concat();
        prometheus(&address, &flags).unwrap().measure().await
    };
    is(&asked("localhost", Some(&good)).await, Finding::Good, "answered 1");
    is(&asked("127.0.0.1", Some(&good)).await, Finding::Unknown, "certificate not valid for name");
    is(&asked("localhost", Some(&wrong)).await, Finding::Unknown, "check `ca`");
    is(&asked("localhost", None).await, Finding::Unknown, "check `ca`");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_can_never_work_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "no certificate").unwrap();
    let empty = empty.to_str().unwrap();
    let missing = folder.path().join("missing");
    for (flags, words) in [
        (&["--min", "2", "--max", "1"][..], "--min 2 is more than --max 1"),
        (&["--max", "1", "--ca-file", empty], "holds no certificate"),
        (&["--max", "1", "--ca-file", missing.to_str().unwrap()], "can't use --ca-file"),
    ] {
        let flags = [&["--query", "up"], flags].concat();
        let error = prometheus("https://prometheus:9090", &flags).err().unwrap();
        assert!(error.contains(words), "{error}");
    }
    for query in ["$(BLUEGREEN_NAMESPASE)", "$(BLUEGREEN_TAG)"] {
        assert!(prometheus("http://prometheus:9090", &["--query", query, "--max", "1"]).is_err());
    }
}
