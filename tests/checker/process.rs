//! How does the process end, and what does it take from its environment?

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::program::{check, start};

/// An app on loopback.
struct App {
    address: String,
    /// Gets a word for each request that is never answered.
    hanging: mpsc::UnboundedReceiver<()>,
    _serving: JoinSet<()>,
}

async fn app() -> App {
    let (request, hanging) = mpsc::unbounded_channel();
    let hang = async move || {
        request.send(()).unwrap();
        std::future::pending::<()>().await
    };
    let pages = Router::new()
        .route("/healthz", get("ok"))
        .route("/broken", get(StatusCode::SERVICE_UNAVAILABLE))
        .route("/slow", get(hang));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, pages).await.unwrap() });
    App { address, hanging, _serving: serving }
}

const HOST: [&str; 2] = ["--host", "hello.shop.svc"];

#[tokio::test]
async fn does_each_verdict_have_its_exit_code_and_its_last_words() {
    let app = app().await;
    let at = async |path: &str, more: &[&str]| {
        let url = format!("{}{path}", app.address);
        check(&[&["http", "--url", &url], &HOST[..], more].concat(), &[]).await
    };
    at("/healthz", &["--contains", "ok"])
        .await
        .is(0, "GET http://hello.shop.svc/healthz answered 200 after ");
    at("/broken", &[]).await.is(1, "GET http://hello.shop.svc/broken answered 503 instead of 200-399");
    let more = ["--for-seconds", "2", "--period-seconds", "1", "--max-failures", "2"];
    at("/broken", &more)
        .await
        .is(1, "answered 503 instead of 200-399; 3 of 3 measurements were bad, and maxFailures is 2");
    at("/healthz", &["--no-such-flag"]).await.is(75, "can't run: ");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/");
    check(&[&["http", "--url", &url], &HOST[..]].concat(), &[]).await.is(75, "connection refused");
}

#[tokio::test]
async fn is_a_proxy_of_the_environment_not_used() {
    let app = app().await;
    let url = format!("{}/healthz", app.address);
    let proxy = "http://127.0.0.1:1";
    let environment =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"].map(|name| (name, proxy));
    check(&[&["http", "--url", &url], &HOST[..]].concat(), &environment).await.is(0, "answered 200");
}

/// The operator reads these, and stops where a value is wrong. A check's container has the first one, with another meaning.
#[tokio::test]
async fn are_the_operators_own_variables_none_of_the_check() {
    let app = app().await;
    let url = format!("{}/healthz", app.address);
    let environment = [("BLUEGREEN_NAMESPACE", "shop"), ("BLUEGREEN_CONCURRENCY", "many")];
    check(&[&["http", "--url", &url], &HOST[..]].concat(), &environment).await.is(0, "answered 200");
}

#[tokio::test]
async fn does_sigterm_end_a_check_whatever_it_does() {
    let mut app = app().await;
    let (fast, slow) = (format!("{}/healthz", app.address), format!("{}/slow", app.address));
    let often = ["--for-seconds", "3600", "--period-seconds", "3600", "--timeout-seconds", "3600"];
    for signal in [Signal::TERM, Signal::INT] {
        // Between two measurements.
        let mut running = start(&[&["http", "--url", &fast], &HOST[..], &often].concat(), &[]);
        assert!(running.line().await.unwrap().starts_with("good: "));
        running.signal(signal);
        running.end().await.is(143, "ended by a signal");
        // In the middle of one.
        let running = start(&[&["http", "--url", &slow], &HOST[..], &often].concat(), &[]);
        app.hanging.recv().await.unwrap();
        running.signal(signal);
        running.end().await.is(143, "ended by a signal");
    }
}
