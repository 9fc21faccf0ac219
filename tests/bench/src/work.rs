//! What a user does to apps, and what it costs in requests.

use anyhow::Result;
use bluegreen_cluster::{AuditLog, Cluster, Entry, Offset};
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

/// Requests of the controller, Leases aside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    /// Writes of everything but Events.
    pub writes: usize,
    /// Writes of Events.
    pub events: usize,
    /// Gets and lists; watches are aside.
    pub reads: usize,
}

impl<'a> User<'a> {
    /// A cluster admin.
    pub fn new(side: &'a dyn Side, cluster: &Cluster) -> Result<Self> {
        Ok(Self { side, client: cluster.client()?, audit: cluster.audit()? })
    }

    /// Creates an app and what belongs to it.
    pub async fn create(&self, name: &str, pods: i32) -> Result<()> {
        for object in self.side.app(name, pods) {
            let (api, _) = self.api_of(&object);
            api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
        Ok(())
    }

    /// Where an object is, and its name.
    fn api_of(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        (self.api((group, version, text("kind"))), name.to_owned())
    }

    /// Edits an app.
    pub async fn edit(&self, name: &str, patch: Value) -> Result<()> {
        let api = self.api(self.side.edited());
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Deletes an app and what was created with it; the garbage collector takes its children.
    pub async fn delete(&self, name: &str) -> Result<()> {
        for object in self.side.app(name, 0).iter().rev() {
            let (api, of) = self.api_of(object);
            api.delete(&of, &DeleteParams::background()).await?;
        }
        Ok(())
    }

    /// The audit log's end.
    pub fn mark(&self) -> Result<Offset> {
        self.audit.end()
    }

    /// What the controller asked for since then.
    pub fn requests(&self, since: Offset) -> Result<Requests> {
        let all = self.audit.matching(since, |e| e.user == USER && e.resource != "leases")?;
        let count = |wanted: &dyn Fn(&Entry) -> bool| all.iter().filter(|entry| wanted(entry)).count();
        let events = count(&|entry| entry.is_write() && entry.resource == "events");
        Ok(Requests {
            writes: count(&Entry::is_write) - events,
            events,
            reads: count(&|entry| ["get", "list"].contains(&entry.verb.as_str())),
        })
    }

    fn api(&self, (group, version, kind): (&str, &str, &str)) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }
}
