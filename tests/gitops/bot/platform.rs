//! What a bot asks beside Git: a stand-in for the API of a Gitea with one repository, and for a registry with one image.
//!
//! It answers what Renovate asks for, and Renovate holds each answer of the platform against its own schema. Git itself is real.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::repository::Repository;

/// Of the example image, behind its registry.
const IMAGE: &str = "team/hello";

/// The repository, as the platform calls it.
pub const REPOSITORY: &str = "team/deploy";

struct Desk {
    url: String,
    bare: PathBuf,
    tags: Vec<String>,
    pulls: Vec<Value>,
    asked: Vec<String>,
}

/// Both, at one address.
pub struct Platform {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    _serving: JoinSet<()>,
}

impl Platform {
    /// With no pull request, and no image yet.
    pub async fn start(repository: &Repository) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (url, bare) = (repository.url.clone(), repository.bare.clone());
        let desk = Desk { url, bare, tags: Vec::new(), pulls: Vec::new(), asked: Vec::new() };
        let desk = Arc::new(Mutex::new(desk));
        let routes = Router::new().fallback(answer).with_state(desk.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, desk, _serving: serving })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The image, with its registry.
    pub fn image(&self) -> String {
        format!("{}/{IMAGE}", self.address)
    }

    /// Somebody pushes images.
    pub fn push(&self, tags: &[&str]) {
        self.desk().tags.extend(tags.iter().map(ToString::to_string));
    }

    /// The branches for which there are pull requests that are open.
    pub fn pulls(&self) -> Vec<String> {
        let open = |pull: &&Value| pull["state"] == "open";
        let branch = |pull: &Value| Some(pull["head"]["label"].as_str()?.to_owned());
        self.desk().pulls.iter().filter(open).filter_map(branch).collect()
    }

    /// What becomes of all pull requests when a person has merged them with Git.
    pub fn merged(&self) {
        for pull in &mut self.desk().pulls {
            pull["state"] = json!("closed");
            pull["merged"] = json!(true);
            pull["closed_at"] = json!(NOW);
        }
    }

    /// What was asked, with the status of each answer.
    pub fn asked(&self) -> String {
        self.desk().asked.join("\n")
    }
}

/// Nobody compares it with a clock.
const NOW: &str = "2026-01-01T00:00:00Z";

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, answer) = match desk.answer(&method, uri.path(), &body) {
        Ok(answer) if method == Method::POST => (StatusCode::CREATED, answer),
        Ok(answer) => (StatusCode::OK, answer),
        Err(_) => (StatusCode::NOT_FOUND, json!({"message": "there is no such thing"})),
    };
    desk.asked.push(format!("{method} {uri} {}", status.as_u16()));
    (status, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

impl Desk {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> Result<Value> {
        let user = json!({"id": 1, "login": "bot", "full_name": "a bot", "email": "bot@example.com"});
        let rest = path.strip_prefix("/api/v1").unwrap_or(path);
        let rest =
            rest.strip_prefix("/repos/").and_then(|rest| rest.strip_prefix(REPOSITORY)).unwrap_or(rest);
        Ok(match (method.as_str(), rest) {
            ("GET", "/user") => user,
            ("GET", "/version") => json!({"version": "1.25.0"}),
            ("GET", "") => json!({
                "id": 1,
                "full_name": REPOSITORY,
                "owner": {"id": 2, "login": "team"},
                "default_branch": "main",
                "permissions": {"admin": false, "pull": true, "push": true},
                "default_merge_style": "merge",
                "allow_merge_commits": true,
                "has_pull_requests": true,
                "ssh_url": self.url,
            }),
            ("GET", "/pulls") => json!(self.pulls),
            ("POST", "/pulls") => {
                let asked: Value = serde_json::from_slice(body)?;
                let branch = asked["head"].as_str().context("a branch")?;
                let commit = std::fs::read_to_string(self.bare.join("refs/heads").join(branch))?;
                let pull = json!({
                    "number": self.pulls.len() + 1,
                    "state": "open",
                    "title": asked["title"],
                    "body": asked["body"],
                    "mergeable": true,
                    "created_at": NOW,
                    "updated_at": NOW,
                    "base": {"ref": asked["base"]},
                    "head": {"label": branch, "sha": commit.trim(), "repo": {"full_name": REPOSITORY}},
                    "user": user,
                });
                self.pulls.push(pull.clone());
                pull
            }
            ("GET", "/v2/") => json!({}),
            ("GET", "/v2/team/hello/tags/list") => json!({"name": IMAGE, "tags": self.tags}),
            _ => anyhow::bail!("nothing that is known here"),
        })
    }
}
