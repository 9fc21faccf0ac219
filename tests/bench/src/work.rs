//! What a user does to apps, and what it costs in requests.

use anyhow::Result;
use bluegreen_cluster::{AuditLog, Cluster, Offset};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use serde_json::Value;

use crate::program::USER;
use crate::side::Side;
use crate::watched::NAMESPACE;

/// A user of one side.
pub struct User<'a> {
    side: &'a dyn Side,
    client: Client,
    audit: AuditLog,
}

/// Write requests of the controller, by what they were about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writes {
    /// Everything but Events and Leases.
    pub objects: usize,
    /// Events.
    pub events: usize,
}

impl<'a> User<'a> {
    /// A cluster admin.
    pub fn new(side: &'a dyn Side, cluster: &Cluster) -> Result<Self> {
        Ok(Self { side, client: cluster.client()?, audit: cluster.audit()? })
    }

    /// Creates an app and what belongs to it.
    pub async fn create(&self, name: &str, pods: i32) -> Result<()> {
        for object in self.side.app(name, pods) {
            let text = |field: &str| object[field].as_str().unwrap_or_default();
            let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
            let api = self.api((group, version, text("kind")));
            api.create(&PostParams::default(), &serde_json::from_value(object.clone())?).await?;
        }
        Ok(())
    }

    /// Edits an app; returns its new generation.
    pub async fn edit(&self, name: &str, patch: Value) -> Result<i64> {
        let api = self.api(self.side.kind());
        let app = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(app.metadata.generation.unwrap_or(0))
    }

    /// Deletes an app; the garbage collector takes its children.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.api(self.side.kind()).delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// The audit log's end.
    pub fn mark(&self) -> Result<Offset> {
        self.audit.end()
    }

    /// What the controller wrote since then.
    pub fn writes(&self, since: Offset) -> Result<Writes> {
        let all = self.audit.matching(since, |e| e.user == USER && e.is_write() && e.resource != "leases")?;
        let events = all.iter().filter(|entry| entry.resource == "events").count();
        Ok(Writes { objects: all.len() - events, events })
    }

    fn api(&self, (group, version, kind): (&str, &str, &str)) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }
}
