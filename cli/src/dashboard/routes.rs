//! What the dashboard answers to which request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::act::{self, Request as Asked};
use super::guard::{Entry, Guard, HEADERS, Refused};
use super::hub::Hub;
use super::stream;
use crate::cluster::Cluster;

/// How often a silent stream is told that it still is one.
const ALIVE: Duration = Duration::from_secs(15);

/// Longest body of a request, in bytes.
const BODY: usize = 4096;

/// The files of the page, by path: name, kind and content.
const FILES: [(&str, &str, &str); 8] = [
    ("/style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("/app.js", JS, include_str!("assets/app.js")),
    ("/dom.js", JS, include_str!("assets/dom.js")),
    ("/list.js", JS, include_str!("assets/list.js")),
    ("/picture.js", JS, include_str!("assets/picture.js")),
    ("/parts.js", JS, include_str!("assets/parts.js")),
    ("/dialog.js", JS, include_str!("assets/dialog.js")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];
const JS: &str = "text/javascript; charset=utf-8";
const PAGE: &str = include_str!("assets/index.html");

/// What the answers are made of.
pub struct Dashboard {
    /// Who is let in.
    pub guard: Guard,
    /// The token has been exchanged.
    pub exchanged: AtomicBool,
    /// What the watches have delivered.
    pub hub: Arc<Hub>,
    /// For reads and edits.
    pub cluster: Cluster,
    /// Only this namespace; none for all.
    pub namespace: Option<String>,
    /// The page may edit.
    pub edits: bool,
}

type Shared = State<Arc<Dashboard>>;

/// All paths, behind the guard.
pub fn router(dashboard: Arc<Dashboard>) -> Router {
    let mut router = Router::new().route("/", get(page));
    for (path, kind, content) in FILES {
        router = router
            .route(path, get(async move || ([(CONTENT_TYPE, HeaderValue::from_static(kind))], content)));
    }
    router
        .route("/api/dashboard", get(about))
        .route("/api/apps", get(list))
        .route("/api/apps/{namespace}/{name}", get(one))
        .route("/api/apps/{namespace}/{name}/plan", post(plan))
        .route("/api/apps/{namespace}/{name}/edit", post(edit))
        .layer(axum::extract::DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(dashboard.clone(), guarded))
        .with_state(dashboard)
}

/// Lets a request in or refuses it, and says the same to the browser with every answer.
async fn guarded(State(dashboard): Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut answer = match dashboard.guard.judge(&parts) {
        Ok(Entry::Session) => next.run(Request::from_parts(parts, body)).await,
        Ok(Entry::Token) if dashboard.exchanged.swap(true, Ordering::SeqCst) => refused(Refused(
            StatusCode::UNAUTHORIZED,
            "this address was used before, in another browser: it works once. End the dashboard and start it again",
        )),
        Ok(Entry::Token) => {
            let mut answer = next.run(Request::from_parts(parts, body)).await;
            if let Ok(cookie) = HeaderValue::from_str(&dashboard.guard.cookie()) {
                answer.headers_mut().insert(SET_COOKIE, cookie);
            }
            answer
        }
        Err(why) => refused(why),
    };
    answer.headers_mut().extend(HEADERS);
    answer
}

fn refused(Refused(code, why): Refused) -> Response {
    (code, format!("{why}\n")).into_response()
}

async fn page() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], PAGE).into_response()
}

async fn about(State(dashboard): Shared) -> Response {
    let Dashboard { namespace, edits, .. } = &*dashboard;
    answer(StatusCode::OK, &json!({ "namespace": namespace, "edits": edits }))
}

async fn list(State(dashboard): Shared) -> Response {
    let alive = KeepAlive::new().interval(ALIVE);
    Sse::new(stream::messages(&dashboard.hub, None)).keep_alive(alive).into_response()
}

async fn one(State(dashboard): Shared, Path(key): Path<(String, String)>) -> Response {
    let alive = KeepAlive::new().interval(ALIVE);
    Sse::new(stream::messages(&dashboard.hub, Some(key))).keep_alive(alive).into_response()
}

async fn plan(State(dashboard): Shared, Path(key): Path<(String, String)>, body: Bytes) -> Response {
    let (cluster, name, asked) = match understood(&dashboard, key, &body) {
        Ok(understood) => understood,
        Err(refused) => return *refused,
    };
    match act::outlook(&cluster, &name, &asked.action).await {
        Ok(outlook) => answer(StatusCode::OK, &outlook),
        Err(why) => failed(StatusCode::BAD_GATEWAY, &format!("{why:#}")),
    }
}

async fn edit(State(dashboard): Shared, Path(key): Path<(String, String)>, body: Bytes) -> Response {
    if !dashboard.edits {
        let words = "this dashboard only shows: start it with --allow-edits";
        return failed(StatusCode::FORBIDDEN, words);
    }
    let (cluster, name, asked) = match understood(&dashboard, key, &body) {
        Ok(understood) => understood,
        Err(refused) => return *refused,
    };
    // A task of its own: an edit that was begun is brought to its end, also if the page is closed.
    match tokio::spawn(act::carry_out(cluster, name, asked)).await {
        Ok(Ok(told)) => answer(StatusCode::OK, &told),
        Ok(Err(why)) => failed(StatusCode::CONFLICT, &format!("{why:#}")),
        Err(ended) => failed(StatusCode::INTERNAL_SERVER_ERROR, &ended.to_string()),
    }
}

/// The namespace, the app and the request; or why they make no sense here.
fn understood(
    dashboard: &Dashboard,
    (namespace, name): (String, String),
    body: &Bytes,
) -> Result<(Cluster, String, Asked), Box<Response>> {
    if dashboard.namespace.as_ref().is_some_and(|only| *only != namespace) {
        let words = format!("this dashboard does not show namespace {namespace:?}");
        return Err(Box::new(failed(StatusCode::NOT_FOUND, &words)));
    }
    let asked = serde_json::from_slice(body);
    let asked = asked.map_err(|why| Box::new(failed(StatusCode::BAD_REQUEST, &why.to_string())))?;
    Ok((dashboard.cluster.within(&namespace), name, asked))
}

fn failed(code: StatusCode, why: &str) -> Response {
    answer(code, &json!({ "refused": why }))
}

fn answer(code: StatusCode, content: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json");
    match serde_json::to_string(content) {
        Ok(text) => (code, [(CONTENT_TYPE, json)], text).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}
