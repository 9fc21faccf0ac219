//! Sends requests: asks for leadership before each, and tells what became of it.
//!
//! Nothing is retried blindly: a conflict means "read again", no answer means "unknown".

mod outcome;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::future::join_all;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use bluegreen_api::BlueGreenApp;
use bluegreen_core::apply::{Fallback, Only, Outcome, Request, Target, Verb, requests, silence};
use bluegreen_core::desired::names;
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
    pub async fn apply(&self, target: &Target<'_>, action: &Action) -> Outcome {
        match requests(action, target) {
            Ok(requests) => self.send(&requests).await,
            Err(Mismatch) => Outcome::Stale,
        }
    }

    /// Sends the requests of one action and returns the gravest outcome: together, except that one that waits is sent
    /// only if all before it have succeeded.
    pub async fn send(&self, requests: &[Request]) -> Outcome {
        let mut outcome = Outcome::Done;
        for together in requests.chunk_by(|_, next| !next.waits) {
            if outcome != Outcome::Done {
                break;
            }
            let outcomes = join_all(together.iter().map(|request| self.one(request))).await;
            outcome = outcomes.into_iter().fold(outcome, Outcome::and);
        }
        outcome
    }

    /// Writes the status, if nobody changed the app since it was read; also returns the new resourceVersion.
    pub async fn status(&self, app: &BlueGreenApp) -> (Outcome, Option<String>) {
        let api: Api<BlueGreenApp> =
            Api::namespaced(self.client.clone(), &app.namespace().unwrap_or_default());
        let params = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
        let name = app.name_any();
        let mut version = None;
        let request = async {
            api.replace_status(&name, &params, app).await.map(|app| version = app.resource_version())
        };
        let outcome = self.guarded("status", "the status", request).await;
        (outcome, version)
    }

    async fn one(&self, request: &Request) -> Outcome {
        match &request.verb {
            Verb::Apply { manager, body, fallback } => {
                let first = self.put(request, manager, body, None).await;
                match (first, fallback) {
                    (Outcome::Refused(_), Some(Fallback::Body(body))) => {
                        self.put(request, manager, body, None).await
                    }
                    // A stamp that is still in flight does no harm, and fails once this one is there.
                    (
                        Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Unknown(_),
                        Some(Fallback::Status(body)),
                    ) => self.put(request, manager, body, Some("status")).await,
                    (outcome, _) => outcome,
                }
            }
            Verb::TakeOver { body } => match self.take_over(request, body).await {
                // The owners have changed, and so has what the next apply removes.
                Outcome::Done => Outcome::Stale,
                other => other,
            },
            Verb::Delete => self.delete(request).await,
        }
    }

    async fn put(
        &self,
        request: &Request,
        manager: &str,
        body: &Value,
        subresource: Option<&str>,
    ) -> Outcome {
        let body = request.only.inside(body.clone());
        let params = PatchParams::apply(manager).force();
        let api = self.api(request);
        let (name, patch) = (&request.name, Patch::Apply(&body));
        let sent = async {
            match subresource {
                Some(subresource) => api.patch_subresource(subresource, name, &params, &patch).await,
                None => api.patch(name, &params, &patch).await,
            }
            .map(|_| ())
        };
        self.guarded(request.object.label(), &what(request), sent).await
    }

    async fn take_over(&self, request: &Request, body: &Value) -> Outcome {
        let body = request.only.inside(body.clone());
        let params = PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(request);
        let sent = async { api.patch(&request.name, &params, &Patch::Merge(&body)).await.map(|_| ()) };
        self.guarded(request.object.label(), &what(request), sent).await
    }

    /// Deletes; what is gone already is as good as deleted.
    async fn delete(&self, request: &Request) -> Outcome {
        let preconditions = match &request.only {
            Only::Absent => return Outcome::Done,
            Only::Unchanged(read) => Some(read.clone()),
        };
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        let api = self.api(request);
        let sent = async { api.delete(&request.name, &params).await.map(|_| ()) };
        match self.guarded(request.object.label(), &what(request), sent).await {
            Outcome::Gone => Outcome::Done,
            other => other,
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

    fn api(&self, request: &Request) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &request.namespace, &request.object.resource())
    }
}

/// The object of a request, as a person names it.
fn what(request: &Request) -> String {
    format!("{} {}", request.object.kind(), request.name)
}
