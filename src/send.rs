//! Sends requests: asks for leadership before each, and tells what became of it.
//!
//! Nothing is retried blindly: a conflict means "read again", no answer means "unknown".

mod answer;
mod outcome;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::future::join_all;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde_json::Value;

use bluegreen_api::BlueGreenApp;
use bluegreen_core::apply::{Fallback, Only, Outcome, Request, Target, Verb, requests, silence};
use bluegreen_core::desired::names;
use bluegreen_core::observe::Written;
use bluegreen_core::plan::{Action, Mismatch};

use crate::leader::Tenure;
use crate::metrics::{Metrics, WriteOutcome};

/// What every write needs.
#[derive(Clone)]
pub struct Writer {
    /// A client that never retries by itself.
    pub client: Client,
    /// Proof of leadership, asked for before each write.
    pub tenure: Tenure,
    /// How long one request may take; shorter than the margin of the Lease.
    pub deadline: Duration,
    /// Counts writes.
    pub metrics: Metrics,
}

impl Writer {
    /// Carries out one action.
    pub async fn apply(&self, target: &Target<'_>, action: &Action) -> Carried {
        match requests(action, target) {
            Ok(requests) => self.send(&requests).await,
            Err(Mismatch) => Carried { outcome: Outcome::Stale, written: None },
        }
    }

    /// Sends the requests of one action and returns the gravest outcome: together, except that one that waits is sent
    /// only if all before it have succeeded.
    pub async fn send(&self, requests: &[Request]) -> Carried {
        let mut carried = Carried { outcome: Outcome::Done, written: Some(Vec::new()) };
        for together in requests.chunk_by(|_, next| !next.waits) {
            if carried.outcome != Outcome::Done {
                break;
            }
            for (outcome, object) in join_all(together.iter().map(|request| self.one(request))).await {
                carried.outcome = carried.outcome.and(outcome);
                carried.written = carried.written.zip(object).map(|(mut written, object)| {
                    written.push(object);
                    written
                });
            }
        }
        carried
    }

    /// Writes the status, if nobody changed the app since it was read; also returns the new resourceVersion.
    pub async fn status(&self, app: &BlueGreenApp) -> (Outcome, Option<String>) {
        let params = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
        let url = BlueGreenApp::url_path(&(), app.namespace().as_deref());
        let mut version = None;
        let request = async {
            let body = serde_json::to_vec(app).map_err(kube::Error::SerdeError)?;
            let request =
                kube::core::Request::new(url).replace_subresource("status", &app.name_any(), &params, body);
            version = answer::version(&self.text(request).await?).map_err(kube::Error::SerdeError)?;
            Ok(())
        };
        let outcome = self.guarded("status", "the status", request).await;
        (outcome, version)
    }

    /// What became of a request, and the object as its answer shows it.
    async fn one(&self, request: &Request) -> (Outcome, Option<Written>) {
        match &request.verb {
            Verb::Apply { manager, body, fallback } => {
                let first = self.put(request, manager, body, None).await;
                match fallback.as_ref().and_then(|fallback| second(&first.0, fallback)) {
                    Some((body, subresource)) => self.put(request, manager, body, subresource).await,
                    None => first,
                }
            }
            Verb::TakeOver { body } => match self.take_over(request, body).await {
                // The owners have changed, and so has what the next apply removes.
                Outcome::Done => (Outcome::Stale, None),
                failed @ (Outcome::Stale
                | Outcome::Gone
                | Outcome::Refused(_)
                | Outcome::Failed(_)
                | Outcome::Unknown(_)
                | Outcome::Later(_)
                | Outcome::NotLeading) => (failed, None),
            },
            Verb::Create { body } => (self.create(request, body).await, None),
            Verb::Delete => (self.delete(request).await, answer::deleted(request.object)),
        }
    }

    async fn put(
        &self,
        request: &Request,
        manager: &str,
        body: &Value,
        subresource: Option<&str>,
    ) -> (Outcome, Option<Written>) {
        let body = request.only.inside(body.clone());
        let params = PatchParams::apply(manager).force();
        let (name, patch, url) = (&request.name, Patch::Apply(&body), url(request));
        let mut written = None;
        let sent = async {
            let text = self.text(match subresource {
                Some(subresource) => url.patch_subresource(subresource, name, &params, &patch),
                None => url.patch(name, &params, &patch),
            });
            written = answer::stored(request.object, &text.await?);
            Ok(())
        };
        let outcome = self.guarded(request.object.label(), &what(request), sent).await;
        (outcome, written)
    }

    async fn take_over(&self, request: &Request, body: &Value) -> Outcome {
        let body = request.only.inside(body.clone());
        let params = PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
        let sent = self.sent(url(request).patch(&request.name, &params, &Patch::Merge(&body)));
        self.guarded(request.object.label(), &what(request), sent).await
    }

    /// Creates by POST, which fails where an object of this name exists.
    async fn create(&self, request: &Request, body: &Value) -> Outcome {
        let params = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
        let sent = async {
            let body = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
            self.sent(url(request).create(&params, body)).await
        };
        self.guarded(request.object.label(), &what(request), sent).await
    }

    /// Deletes; what is gone already is as good as deleted.
    async fn delete(&self, request: &Request) -> Outcome {
        let preconditions = match &request.only {
            Only::Absent => return Outcome::Done,
            Only::Unchanged(read) => Some(read.clone()),
        };
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        let sent = self.sent(url(request).delete(&request.name, &params));
        match self.guarded(request.object.label(), &what(request), sent).await {
            Outcome::Gone => Outcome::Done,
            outcome @ (Outcome::Done
            | Outcome::Stale
            | Outcome::Refused(_)
            | Outcome::Failed(_)
            | Outcome::Unknown(_)
            | Outcome::Later(_)
            | Outcome::NotLeading) => outcome,
        }
    }

    /// Sends one request, if leadership outlasts it. `kind` is the metric's label, `what` the object in words.
    async fn guarded(
        &self,
        kind: &str,
        what: &str,
        request: impl Future<Output = kube::Result<()>>,
    ) -> Outcome {
        if !self.tenure.may_write(self.deadline) {
            self.metrics.record_write(kind, WriteOutcome::NotLeader);
            return Outcome::NotLeading;
        }
        let outcome = match tokio::time::timeout(self.deadline, request).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => outcome::of(what, error),
            Err(_) => silence(what, self.deadline),
        };
        self.metrics.record_write(kind, outcome::metric(&outcome));
        outcome
    }

    /// Sends a request whose answer tells nothing but that it has succeeded.
    async fn sent(&self, request: Built) -> kube::Result<()> {
        self.text(request).await.map(drop)
    }

    /// Sends a request, and returns the answer to one that has succeeded as it came. It is an object in which tenants may write:
    /// nothing in it can make a success look like a failure.
    async fn text(&self, request: Built) -> kube::Result<String> {
        self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await
    }
}

/// What became of an action.
#[derive(Debug)]
pub struct Carried {
    /// The gravest outcome of its requests.
    pub outcome: Outcome,
    /// All that it wrote, as the answers show it; `None` where one of them does not.
    pub written: Option<Vec<Written>>,
}

/// The body of a second try after this outcome of the first, and the subresource that it goes to.
fn second<'a>(first: &Outcome, fallback: &'a Fallback) -> Option<(&'a Value, Option<&'static str>)> {
    match (first, fallback) {
        (Outcome::Refused(_), Fallback::Body(body)) => Some((body, None)),
        // A stamp that is still in flight does no harm, and fails once this one is there.
        (Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Unknown(_), Fallback::Status(body)) => {
            Some((body, Some("status")))
        }
        (Outcome::Failed(_) | Outcome::Unknown(_), Fallback::Body(_))
        | (
            Outcome::Done | Outcome::Stale | Outcome::Gone | Outcome::Later(_) | Outcome::NotLeading,
            Fallback::Body(_) | Fallback::Status(_),
        ) => None,
    }
}

/// A request as kube builds it.
type Built = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

fn url(request: &Request) -> kube::core::Request {
    kube::core::Request::new(DynamicObject::url_path(&request.object.resource(), Some(&request.namespace)))
}

/// The object of a request, as a person names it.
fn what(request: &Request) -> String {
    format!("{} {}", request.object.kind(), request.name)
}
