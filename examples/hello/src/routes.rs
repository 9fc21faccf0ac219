//! What each path answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tokio::{sync::watch, time::Instant};

use crate::{
    config::{Config, FailReadiness},
    page::{Form, Page},
    serve::Phase,
    tally::Tally,
};

/// Longer waits would outlive any sensible test and hold a connection for nothing.
const LONGEST: Duration = Duration::from_secs(600);

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    config: Config,
    /// What `/admin/ready` was last told.
    told_ready: AtomicBool,
    tally: Tally,
    phase: watch::Receiver<Phase>,
}

impl App {
    /// The state behind the routes; `phase` tells them when the server is shutting down.
    #[must_use]
    pub fn new(config: Config, phase: watch::Receiver<Phase>) -> Self {
        let tally = Tally::new(config.fail_percent);
        Self { config, told_ready: AtomicBool::new(true), tally, phase }
    }

    /// Why the app is not ready, if it isn't.
    fn unready(&self) -> Option<String> {
        if !self.told_ready.load(Ordering::Relaxed) {
            return Some("told so through /admin/ready".to_owned());
        }
        match &self.config.fail_readiness {
            FailReadiness::Never => None,
            FailReadiness::Always => Some("FAIL_READINESS=always".to_owned()),
            FailReadiness::WhileFileExists(path) => {
                path.exists().then(|| format!("{} exists (FAIL_READINESS)", path.display()))
            }
        }
    }
}

/// All routes, with the identifying headers on every response, errors included.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/slow", get(slow))
        .route("/stream", get(stream));
    if app.config.admin {
        router = router.route("/admin/ready", any(admin_ready));
    }
    router.layer(middleware::from_fn_with_state(app.clone(), identify)).with_state(app)
}

/// Says on every response who answered, adds the wait asked for by `SLOW_MS`, and while the server is leaving tells
/// keep-alive clients to go elsewhere for their next request.
async fn identify(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // Administration stays quick, so that a test can always undo what it did.
    if !app.config.slow.is_zero() && !request.uri().path().starts_with("/admin/") {
        tokio::time::sleep(app.config.slow).await;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-app-version", &app.config.version),
        ("x-app-color", &app.config.color),
        ("x-app-pod", &app.config.hostname),
    ] {
        // `Config` has checked that these can be header values.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    // A cached page would show a color that no longer serves.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if *app.phase.borrow() != Phase::Serving {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn index(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    // Many apps have their readiness probe on `/`, as this one once had; only the kubelet sees "not ready" there.
    if is_probe(&headers)
        && let Some(reason) = app.unready()
    {
        return not_ready(&reason);
    }
    // A probe is no request of a user: a version that fails some of these is ready all the same.
    if !is_probe(&headers) && app.tally.fails() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "this request fails (FAIL_PERCENT)\n").into_response();
    }
    let page = Page::new(&app.config.version, &app.config.color, &app.config.hostname);
    let form = Form::wanted(&headers);
    let body = match form {
        Form::Html => page.html(),
        Form::Text => page.text(),
        Form::Json => match serde_json::to_string(&page) {
            Ok(json) => json + "\n",
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        },
    };
    ([(header::CONTENT_TYPE, form.content_type()), (header::VARY, "accept")], body).into_response()
}

async fn healthz(State(app): State<Arc<App>>) -> Response {
    match app.unready() {
        None => "ok\n".into_response(),
        Some(reason) => not_ready(&reason),
    }
}

/// The counters, as Prometheus reads them.
async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = app.tally.metrics(&app.config.version, &app.config.color);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn is_probe(headers: &HeaderMap) -> bool {
    headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .is_some_and(|agent| agent.starts_with("kube-probe/"))
}

fn not_ready(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
}

/// `/slow?ms=N` answers after N milliseconds (1000 by default).
async fn slow(RawQuery(query): RawQuery) -> Response {
    let wait = match number(query.as_deref(), "ms") {
        Ok(ms) => ms.map_or(Duration::from_secs(1), Duration::from_millis).min(LONGEST),
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    tokio::time::sleep(wait).await;
    format!("waited {} ms\n", wait.as_millis()).into_response()
}

/// `/stream` sends a line every second, for `?seconds=N` or until the server stops. An open-ended stream ends in good
/// order then (the last chunk is complete), so a client can tell a shutdown from a cut connection.
async fn stream(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let seconds = match number(query.as_deref(), "seconds") {
        Ok(seconds) => seconds,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    let started = Instant::now();
    let ticks = futures::stream::unfold((0_u64, false), move |(tick, last)| {
        let app = app.clone();
        async move {
            if last || seconds.is_some_and(|seconds| tick > seconds) {
                return None;
            }
            let mut phase = app.phase.clone();
            let stopped = async {
                match seconds {
                    // A stream with an end is a request like any other and gets the time to finish.
                    Some(_) => std::future::pending().await,
                    // An error means that the server is gone: stopped, too.
                    None => drop(phase.wait_for(|phase| *phase == Phase::Closing).await),
                }
            };
            let config = &app.config;
            let (line, last) = tokio::select! {
                () = tokio::time::sleep_until(started + Duration::from_secs(tick)) => {
                    (format!("tick {tick} {} {} {}\n", config.color, config.version, config.hostname), false)
                }
                () = stopped => ("bye\n".to_owned(), true),
            };
            Some((Ok::<_, std::convert::Infallible>(line), (tick + 1, last)))
        }
    });
    ([(header::CONTENT_TYPE, Form::Text.content_type())], Body::from_stream(ticks)).into_response()
}

/// `/admin/ready?value=false` makes the app report "not ready" until told otherwise.
async fn admin_ready(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    match parameter(query.as_deref(), "value") {
        Some("true") => app.told_ready.store(true, Ordering::Relaxed),
        Some("false") => app.told_ready.store(false, Ordering::Relaxed),
        Some(other) => {
            let message = format!("value must be true or false, not {other:?}\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
        None => {}
    }
    format!("ready: {}\n", app.unready().is_none()).into_response()
}

fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
}

fn number(query: Option<&str>, name: &str) -> Result<Option<u64>, String> {
    parameter(query, name)
        .map(|value| value.parse().map_err(|_| format!("{name} must be a whole number, not {value:?}\n")))
        .transpose()
}
