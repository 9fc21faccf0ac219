//! OUT: the only module that writes to the cluster. One function per action.
//!
//! Every write is a server-side apply (or a delete) that carries the uid and the resourceVersion of the very
//! copy that the plan was made from, so a late or stale request fails instead of committing. A create carries a
//! resourceVersion that no object has: it fails where an object of that name exists. Nothing is retried blindly: a
//! conflict means "look again", a timeout means "unknown".

mod outcome;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use outcome::{Outcome, Refusal};

use crate::api::{BlueGreenApp, Color, PerColor, ServiceStatus};
use crate::desired::{self, LiveService, Rendered, names};
use crate::fence::Token;
use crate::leader::Tenure;
use crate::metrics::{Metrics, WriteOutcome};
use crate::observe::Snapshot;
use crate::plan::{Action, Observed, Selection};

/// Field manager of the stamp alone, so that stamping declares nothing else about an object.
const FENCE_MANAGER: &str = "bluegreen-operator-fence";

/// A resourceVersion that no stored object has: an apply that carries it can only create.
const NO_SUCH_VERSION: &str = "1";

/// What every write needs.
#[derive(Clone)]
pub struct Writer {
    /// A client that never retries by itself.
    pub client: Client,
    /// Proof of leadership, asked before each write.
    pub tenure: Tenure,
    /// How long one request may take; shorter than the margin of the Lease.
    pub deadline: Duration,
    /// Counts writes.
    pub metrics: Metrics,
}

/// One app, as it was observed, and this leader's claim on it.
pub struct Target<'a> {
    /// The objects that the plan rests on.
    pub seen: &'a Snapshot,
    /// The facts that the plan rests on.
    pub facts: &'a Observed,
    /// This leader's token.
    pub token: &'a Token,
}

impl Target<'_> {
    fn namespace(&self) -> String {
        self.seen.app.namespace().unwrap_or_default()
    }

    fn app(&self) -> &BlueGreenApp {
        &self.seen.app
    }

    fn name(&self) -> String {
        self.seen.app.name_any()
    }
}

impl Writer {
    /// Carries out one action.
    pub async fn apply(&self, target: &Target<'_>, action: &Action) -> Outcome {
        match action {
            Action::CreateService => self.create_service(target).await,
            Action::Restore { to } => self.select(target, *to, None).await,
            Action::Switch { from: _, to } => self.switch(target, *to).await,
            Action::UpdateService => self.update_service(target).await,
            Action::ApplyColorService(color) => self.apply_color_service(target, *color).await,
            Action::StoreRevision { color, number } => self.store_revision(target, *color, *number).await,
            Action::RecoverRevision { color, number } => self.recover_revision(target, *color, *number).await,
            Action::Promote { color, number } => self.promote(target, *color, *number).await,
            Action::CreateDeployment { color, replicas } | Action::EditDeployment { color, replicas } => {
                self.apply_deployment(target, *color, *replicas).await
            }
            Action::Fence { service, colors } => self.fence(target, *service, colors).await,
            Action::DropRevision { color, number } => self.drop_revision(target, *color, *number).await,
            Action::RemoveColor(color) => self.remove_color(target, *color).await,
        }
    }

    /// Writes the status, if nobody changed the app since it was read; also returns the new resourceVersion.
    pub async fn status(&self, app: &BlueGreenApp) -> (Outcome, Option<String>) {
        let api: Api<BlueGreenApp> = self.api(&app.namespace().unwrap_or_default());
        let params = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
        let name = app.name_any();
        let mut version = None;
        let request = async {
            api.replace_status(&name, &params, app).await.map(|app| version = app.resource_version())
        };
        let outcome = self.send("status", request).await;
        (outcome, version)
    }

    async fn create_service(&self, target: &Target<'_>) -> Outcome {
        let status = target.app().status.as_ref();
        let served = PerColor::from_fn(|color| {
            status.and_then(|status| status.color(color)).and_then(|color| color.served_revision)
        });
        let token = target.token.to_string();
        let recorded = status.and_then(|status| status.service.clone()).unwrap_or_default();
        let body = |addresses: ServiceStatus| {
            desired::live_service(
                target.app(),
                &LiveService {
                    selects: None,
                    active: None,
                    served,
                    fence: &token,
                    operator: &target.token.operator,
                    node_port: addresses.node_port,
                    cluster_ip: addresses.cluster_ip,
                },
            )
        };
        let name = target.name();
        match self.put::<Service>(target, "service", &name, body(recorded.clone()), None).await {
            // Somebody has taken the old addresses: serving at new ones beats not serving.
            Outcome::Refused(_) if recorded != ServiceStatus::default() => {
                self.put::<Service>(target, "service", &name, body(ServiceStatus::default()), None).await
            }
            outcome => outcome,
        }
    }

    /// The selector moves, and with it, in the same request, the record of what was committed.
    async fn switch(&self, target: &Target<'_>, to: Color) -> Outcome {
        if target.seen.proof.get(to).is_none() {
            // The pods' owners were not looked at: never switch on trust.
            return Outcome::Stale;
        }
        let number = target.facts.colors.get(to).current.map(|stored| stored.number);
        self.select(target, to, number).await
    }

    /// `served` is the revision that begins to serve; `None` keeps the records as they are.
    async fn select(&self, target: &Target<'_>, to: Color, served: Option<i64>) -> Outcome {
        self.service(target, |body| {
            body.selects = Some(to);
            body.active = Some(to);
            if served.is_some() {
                *body.served.get_mut(to) = served;
            }
        })
        .await
    }

    async fn update_service(&self, target: &Target<'_>) -> Outcome {
        self.service(target, |_| ()).await
    }

    async fn promote(&self, target: &Target<'_>, color: Color, number: i64) -> Outcome {
        self.service(target, |body| *body.served.get_mut(color) = Some(number)).await
    }

    /// Applies the live Service as it is, with one change.
    async fn service(&self, target: &Target<'_>, change: impl FnOnce(&mut LiveService)) -> Outcome {
        let (Some(service), Some(facts)) = (&target.seen.service, target.facts.service.ours()) else {
            return Outcome::Stale;
        };
        let token = target.token.to_string();
        let mut declared = LiveService {
            selects: match facts.selects {
                Selection::Color(color) => Some(color),
                Selection::Nothing | Selection::Edited => None,
            },
            active: facts.committed,
            served: facts.served,
            fence: &token,
            operator: &target.token.operator,
            node_port: None,
            cluster_ip: None,
        };
        change(&mut declared);
        let mut body = desired::live_service(target.app(), &declared);
        if declared.selects.is_none() && facts.selects == Selection::Edited {
            desired::keep_targets(&mut body, service);
        }
        self.put(target, "service", &target.name(), body, Some(service.as_ref())).await
    }

    async fn apply_color_service(&self, target: &Target<'_>, color: Color) -> Outcome {
        let body = desired::color_service(target.app(), color);
        let name = names::color_service_name(&target.name(), color);
        let existing = target.seen.color_services.get(color).as_deref();
        self.put::<Service>(target, "service", &name, body, existing).await
    }

    async fn store_revision(&self, target: &Target<'_>, color: Color, number: i64) -> Outcome {
        match desired::render(target.app(), color) {
            Some(rendered) => self.put_revision(target, color, number, &rendered).await,
            None => Outcome::Stale,
        }
    }

    /// Keeps what the color's Deployment runs.
    async fn recover_revision(&self, target: &Target<'_>, color: Color, number: i64) -> Outcome {
        let running = target.seen.deployments.get(color).as_deref();
        match running.and_then(|deployment| desired::recover(target.app(), color, deployment)) {
            Some(rendered) => self.put_revision(target, color, number, &rendered).await,
            None => Outcome::Stale,
        }
    }

    async fn put_revision(
        &self,
        target: &Target<'_>,
        color: Color,
        number: i64,
        rendered: &Rendered,
    ) -> Outcome {
        let body = desired::revision(target.app(), color, number, rendered);
        let name = names::revision_name(&target.name(), color, number);
        self.put::<ControllerRevision>(target, "controllerrevision", &name, body, None).await
    }

    async fn apply_deployment(&self, target: &Target<'_>, color: Color, replicas: i32) -> Outcome {
        let current = target.facts.colors.get(color).current;
        let Some(stored) = current.and_then(|current| target.seen.revision(color, current.number)) else {
            return Outcome::Stale;
        };
        let body = desired::deployment(target.app(), color, stored, replicas, &target.token.to_string());
        let name = names::deployment_name(&target.name(), color);
        let existing = target.seen.deployments.get(color).as_deref();
        self.put(target, "deployment", &name, body, existing).await
    }

    /// Stamps in parallel; each stamp stands for itself.
    async fn fence(&self, target: &Target<'_>, service: bool, colors: &[Color]) -> Outcome {
        let app = target.name();
        let label = json!({ names::FENCE: target.token.to_string() });
        let on_service = async {
            match (&target.seen.service, service) {
                (Some(object), true) => {
                    let metadata =
                        json!({ "labels": label, "annotations": { names::OPERATOR: target.token.operator } });
                    self.stamp::<Service>(target, "service", &app, metadata, object).await
                }
                (None | Some(_), _) => Outcome::Done,
            }
        };
        let on_deployment = async |color: Color| match target.seen.deployments.get(color) {
            Some(object) if colors.contains(&color) => {
                let name = names::deployment_name(&app, color);
                let metadata = json!({ "labels": label });
                self.stamp::<Deployment>(target, "deployment", &name, metadata, object).await
            }
            None | Some(_) => Outcome::Done,
        };
        let (service, blue, green) =
            tokio::join!(on_service, on_deployment(Color::Blue), on_deployment(Color::Green));
        service.and(blue).and(green)
    }

    async fn stamp<K>(
        &self,
        target: &Target<'_>,
        kind: &str,
        name: &str,
        metadata: Value,
        object: &K,
    ) -> Outcome
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let body = json!({ "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata });
        self.put_as(target, kind, name, body, Some(object), FENCE_MANAGER).await
    }

    async fn drop_revision(&self, target: &Target<'_>, color: Color, number: i64) -> Outcome {
        let Some(read) = target.seen.read_revision(color, number) else { return Outcome::Stale };
        let name = names::revision_name(&target.name(), color, number);
        self.delete::<ControllerRevision>(target, "controllerrevision", &name, read.exactly.clone()).await
    }

    async fn remove_color(&self, target: &Target<'_>, color: Color) -> Outcome {
        let (seen, app) = (target.seen, target.name());
        let mut outcome = Outcome::Done;
        if let (Some(object), Some(_)) =
            (seen.deployments.get(color), target.facts.colors.get(color).deployment.ours())
        {
            let name = names::deployment_name(&app, color);
            outcome = self.delete::<Deployment>(target, "deployment", &name, exactly(object.as_ref())).await;
        }
        if let (Some(object), Some(_)) =
            (seen.color_services.get(color), target.facts.colors.get(color).service.ours())
            && outcome == Outcome::Done
        {
            let name = names::color_service_name(&app, color);
            outcome = self.delete::<Service>(target, "service", &name, exactly(object.as_ref())).await;
        }
        for stored in seen.revisions(color) {
            if outcome == Outcome::Done {
                outcome = self.drop_revision(target, color, stored.number).await;
            }
        }
        outcome
    }

    async fn put<K>(
        &self,
        target: &Target<'_>,
        kind: &str,
        name: &str,
        body: Value,
        existing: Option<&K>,
    ) -> Outcome
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.put_as(target, kind, name, body, existing, names::MANAGER).await
    }

    /// The one server-side apply: forced, since the object is ours by uid; never without a precondition.
    async fn put_as<K>(
        &self,
        target: &Target<'_>,
        kind: &str,
        name: &str,
        mut body: Value,
        existing: Option<&K>,
        manager: &str,
    ) -> Outcome
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let version = existing.and_then(|object| object.resource_version());
        body["metadata"]["name"] = json!(name);
        body["metadata"]["resourceVersion"] = json!(version.as_deref().unwrap_or(NO_SUCH_VERSION));
        if let Some(uid) = existing.and_then(|object| object.meta().uid.clone()) {
            body["metadata"]["uid"] = json!(uid);
        }
        let api: Api<K> = self.api(&target.namespace());
        let params = PatchParams::apply(manager).force();
        self.send(kind, async { api.patch(name, &params, &Patch::Apply(&body)).await.map(|_| ()) }).await
    }

    async fn delete<K>(&self, target: &Target<'_>, kind: &str, name: &str, only: Preconditions) -> Outcome
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api: Api<K> = self.api(&target.namespace());
        let params = DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
        match self.send(kind, async { api.delete(name, &params).await.map(|_| ()) }).await {
            Outcome::Gone => Outcome::Done,
            other => other,
        }
    }

    /// Sends one request, if leadership outlasts it.
    async fn send(&self, kind: &str, request: impl Future<Output = kube::Result<()>>) -> Outcome {
        if !self.tenure.may_write(self.deadline) {
            self.metrics.record_write(kind, WriteOutcome::NotLeader);
            return Outcome::NotLeading;
        }
        let outcome = match tokio::time::timeout(self.deadline, request).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => outcome::of(kind, error),
            Err(_) => Outcome::Unknown(format!("no answer within {:?}", self.deadline)),
        };
        self.metrics.record_write(kind, outcome.metric());
        outcome
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// This very object, as it was read.
fn exactly<K: Resource>(object: &K) -> Preconditions {
    Preconditions { uid: object.meta().uid.clone(), resource_version: object.meta().resource_version.clone() }
}
