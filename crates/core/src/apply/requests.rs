//! The requests that carry out an action: pure, with neither a client nor a clock.
//!
//! Every request is a server-side apply, a delete, or a patch of the owners of fields, that carries the uid and the
//! resourceVersion of the very copy that the plan was made from, so a late or stale request fails instead of taking effect. A
//! create carries a resourceVersion that no object has, so it fails where an object of that name exists. Only the Job of a check
//! is created by POST, for which the operator needs no right to change Jobs.

use kube::core::ApiResource;
use kube::core::params::Preconditions;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::request::{Fallback, Object, Only, Request, Verb};
use super::take_over::{take_over_pods, take_over_ports};
use crate::desired::{self, LiveService, names};
use crate::fence::Token;
use crate::observe::{self, Snapshot};
use crate::plan::{Action, Inventory, Mismatch, Observed, Selection, ServiceWrite, Source, Write, writes};
use bluegreen_api::{CheckTime, PerColor, ServiceGuards, ServiceStatus};

/// One app as it was read, and this leader's token.
pub struct Target<'a> {
    /// The objects that the plan rests on.
    pub seen: &'a Snapshot,
    /// The facts that the plan rests on.
    pub facts: &'a Observed,
    /// This leader's token.
    pub token: &'a Token,
    /// The image with the program of the checks' short forms.
    pub checker: &'a str,
}

/// Returns the requests of an action, in order; none where nothing of it is there any more.
///
/// # Errors
/// [`Mismatch`] when the action does not fit what was read: then nothing may be sent.
pub fn requests(action: &Action, target: &Target<'_>) -> Result<Vec<Request>, Mismatch> {
    // A switch without a read of who owns the pods would rest on counts alone.
    if let Action::Switch { from: _, to } = action
        && target.seen.proof.get(*to).is_none()
    {
        return Err(Mismatch);
    }
    let numbers = PerColor::from_fn(|color| {
        let stored = target.seen.revisions(color);
        stored.iter().map(|stored| stored.number).collect::<Vec<_>>()
    });
    let inventory = Inventory {
        served: observe::recorded_served(&target.seen.app),
        stored: numbers.as_ref().map(Vec::as_slice),
    };
    writes(action, target.facts, &inventory)?.iter().map(|write| target.request(write)).collect()
}

impl Target<'_> {
    fn request(&self, write: &Write) -> Result<Request, Mismatch> {
        let mut named = None;
        let (object, verb, only) = match *write {
            Write::Service(service) => self.service(&service)?,
            Write::ColorService { color, create } => {
                let body = desired::color_service(
                    &self.seen.app,
                    color,
                    desired::is_dual_stack(self.seen.service.as_deref()),
                );
                let read = self.seen.color_services.get(color).as_deref();
                let only = if create { Only::Absent } else { unchanged(read)? };
                (Object::ColorService(color), take_over_ports(read, &body).unwrap_or(apply(body)), only)
            }
            Write::Preview { color, create } => {
                let body = desired::preview_service(&self.seen.app, color);
                let read = self.seen.preview.as_deref();
                let only = if create { Only::Absent } else { unchanged(read)? };
                (Object::Preview, take_over_ports(read, &body).unwrap_or(apply(body)), only)
            }
            Write::DeletePreview => (Object::Preview, Verb::Delete, unchanged(self.seen.preview.as_deref())?),
            Write::Revision { color, number, from } => {
                let rendered = match from {
                    Source::Spec => desired::render(&self.seen.app, color),
                    Source::Running => {
                        let running = self.seen.deployments.get(color).as_deref();
                        running.and_then(|running| desired::recover(&self.seen.app, color, running))
                    }
                };
                let body = desired::revision(&self.seen.app, color, number, &rendered.ok_or(Mismatch)?);
                (Object::Revision { color, number }, apply(body), Only::Absent)
            }
            Write::Deployment { color, number, replicas, create } => {
                let stored = self.seen.revision(color, number).ok_or(Mismatch)?;
                let token = self.token.to_string();
                let body = desired::deployment(&self.seen.app, color, stored, replicas, &token);
                let read = self.seen.deployments.get(color).as_deref();
                let only = if create { Only::Absent } else { unchanged(read)? };
                (Object::Deployment(color), take_over_pods(read, number).unwrap_or(apply(body)), only)
            }
            Write::StampService => {
                let annotations = json!({ names::OPERATOR: self.token.operator });
                let read = self.seen.service.as_deref();
                (Object::Service, self.stamp(Object::Service, Some(annotations), None), unchanged(read)?)
            }
            Write::StampDeployment(color) => {
                let object = Object::Deployment(color);
                let read = self.seen.deployments.get(color).as_deref();
                (object, self.stamp(object, None, Some(self.stamp_of_status(object))), unchanged(read)?)
            }
            Write::DeleteDeployment(color) => {
                let read = self.seen.deployments.get(color).as_deref();
                (Object::Deployment(color), Verb::Delete, unchanged(read)?)
            }
            Write::DeleteColorService(color) => {
                let read = self.seen.color_services.get(color).as_deref();
                (Object::ColorService(color), Verb::Delete, unchanged(read)?)
            }
            Write::DeleteRevision { color, number } => {
                let read = self.seen.read_revision(color, number).ok_or(Mismatch)?;
                (Object::Revision { color, number }, Verb::Delete, Only::Unchanged(read.exactly.clone()))
            }
            Write::Job { check, attempt } => {
                let (name, body) = self.job(check, attempt)?;
                named = Some(name);
                (Object::Job, Verb::Create { body }, Only::Absent)
            }
            Write::DeleteJob(stray) => {
                let checks = &self.facts.checks;
                let strays = observe::stray_jobs(self.seen, checks.run.as_ref(), &checks.all);
                let job = strays.get(usize::from(stray)).ok_or(Mismatch)?;
                named = job.metadata.name.clone();
                (Object::Job, Verb::Delete, unchanged(Some(job.as_ref()))?)
            }
        };
        let app = &self.seen.app;
        Ok(Request {
            object,
            namespace: app.namespace().unwrap_or_default(),
            name: named.unwrap_or_else(|| object.name(&app.name_any())),
            verb,
            only,
            waits: write.waits(),
        })
    }

    /// Declares the Job of a check, by its place in the spec, with its name.
    fn job(&self, check: u8, attempt: u8) -> Result<(String, Value), Mismatch> {
        let (app, run) = (&self.seen.app, self.facts.checks.run.ok_or(Mismatch)?);
        let check = app.spec.checks.get(usize::from(check)).ok_or(Mismatch)?;
        let stored = self.seen.revision(run.color, run.revision).ok_or(Mismatch)?;
        let service = match check.when {
            CheckTime::Before => self.seen.color_services.get(run.color).as_deref(),
            CheckTime::After => self.seen.service.as_deref(),
        };
        let asked = desired::Asked {
            image: stored.image().unwrap_or_default(),
            address: service.and_then(|service| service.spec.as_ref()?.cluster_ip.as_deref()),
            checker: self.checker,
        };
        Ok((desired::job_name(app, &run, check, attempt), desired::job(app, &run, check, attempt, &asked)))
    }

    /// Declares the live Service. One that is created again asks for the addresses that it had; where somebody has taken them,
    /// serving at new addresses is better than not serving. It is never created less guarded than it was.
    fn service(&self, write: &ServiceWrite) -> Result<(Object, Verb, Only), Mismatch> {
        let (app, read) = (&self.seen.app, self.seen.service.as_deref());
        let (had, only) = if write.create {
            let status = app.status.as_ref();
            (status.and_then(|status| status.service.clone()).unwrap_or_default(), Only::Absent)
        } else {
            let guards = read.map(|read| desired::restored_guards(app, read)).unwrap_or_default();
            (ServiceStatus { guards, ..ServiceStatus::default() }, unchanged(read)?)
        };
        let guards = had.guards.clone();
        let had_addresses =
            ServiceStatus { guards: ServiceGuards::default(), ..had.clone() } != ServiceStatus::default();
        let mut body = self.declared(write, had);
        if write.selects == Selection::Edited {
            desired::keep_targets(&mut body, read.ok_or(Mismatch)?);
        }
        if let Some(take_over) = take_over_ports(read, &body) {
            return Ok((Object::Service, take_over, only));
        }
        let elsewhere = ServiceStatus { guards, ..ServiceStatus::default() };
        let fallback = had_addresses.then(|| Fallback::Body(self.declared(write, elsewhere)));
        Ok((Object::Service, Verb::Apply { manager: names::MANAGER, body, fallback }, only))
    }

    fn declared(&self, write: &ServiceWrite, had: ServiceStatus) -> Value {
        let selects = match write.selects {
            Selection::Color(color) => Some(color),
            Selection::Nothing | Selection::Edited => None,
        };
        let live = LiveService {
            selects,
            active: write.committed,
            served: write.served,
            fence: &self.token.to_string(),
            operator: &self.token.operator,
            had,
        };
        desired::live_service(&self.seen.app, &live)
    }

    /// Declares only the token. The Service also names the operator, since a token alone tells the terms of one Lease apart.
    fn stamp(&self, object: Object, annotations: Option<Value>, fallback: Option<Fallback>) -> Verb {
        let mut metadata = json!({ "labels": { names::FENCE: self.token.to_string() } });
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        Verb::Apply { manager: names::FENCE_MANAGER, body: self.body(object, metadata), fallback }
    }

    /// Declares the token in an annotation, written to the subresource `status`. A webhook or a policy for Deployments that
    /// fails does not see it, so it can't keep an app from being switched back. The API server resets labels there
    /// (`deploymentStatusStrategy`), and the Deployment controller copies annotations to the ReplicaSets, so this is not
    /// the first choice.
    fn stamp_of_status(&self, object: Object) -> Fallback {
        let metadata = json!({ "annotations": { names::FENCE: self.token.to_string() } });
        Fallback::Status(self.body(object, metadata))
    }

    /// Declares the object with this metadata and nothing else.
    fn body(&self, object: Object, mut metadata: Value) -> Value {
        let ApiResource { api_version, kind, .. } = object.resource();
        metadata["name"] = object.name(&self.seen.app.name_any()).into();
        json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata })
    }
}

fn apply(body: Value) -> Verb {
    Verb::Apply { manager: names::MANAGER, body, fallback: None }
}

/// Returns the precondition that the object is still as it was read.
fn unchanged<K: Resource>(read: Option<&K>) -> Result<Only, Mismatch> {
    let metadata = read.ok_or(Mismatch)?.meta();
    let (uid, resource_version) = (metadata.uid.clone(), metadata.resource_version.clone());
    Ok(Only::Unchanged(Preconditions { uid, resource_version }))
}
