//! What the contestants have in common.

use std::path::Path;

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::{Value, json};

/// Group, version and kind.
pub type Kind = (&'static str, &'static str, &'static str);

/// Tells an app and the version that all its requests go to from an object; `None` as long as there is not one such version.
pub type Version = Box<dyn Fn(&Value) -> Option<(String, String)> + Send>;

/// By what an observer sees which version all requests to an app go to.
pub struct Served {
    /// The object that says so.
    pub kind: Kind,
    /// What it says.
    pub version: Version,
}

/// The version is what the live Service, which has the app's name, selects by this key.
pub fn selects(key: &'static str) -> Served {
    let version = move |service: &Value| {
        let value = service["spec"]["selector"][key].as_str().unwrap_or_default();
        Some((service["metadata"]["name"].as_str()?.to_owned(), value.to_owned()))
    };
    Served { kind: ("", "v1", "Service"), version: Box::new(version) }
}

/// A pod of a peer, as a user declares it in full.
pub fn pod(version: &str) -> Value {
    json!({"containers": [{
        "name": "app", "image": format!("hello:{version}"), "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
    }]})
}

/// Who does the work, and how it is told to.
pub trait Side: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;
    /// The controller's program.
    fn program(&self) -> &Path;
    /// Its arguments: two ports that are free, the kubeconfig for one that does not take it from the environment, and what it needs
    /// besides.
    fn arguments(&self, ports: [u16; 2], kubeconfig: &Path) -> Vec<String>;
    /// What its log says as soon as it leads.
    fn leads(&self) -> &'static str;
    /// Brings its CRDs into the cluster.
    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>>;
    /// The kind of its app.
    fn kind(&self) -> Kind;
    /// The kind of what a user edits for a new version: an object of the app's name.
    fn edited(&self) -> Kind {
        self.kind()
    }
    /// What a user applies for an app of one version: the app last.
    fn app(&self, name: &str, pods: i32) -> Vec<Value>;
    /// The merge patch that deploys a new version and makes it live in one edit.
    fn deploy(&self, version: &str) -> Value;
    /// The merge patch that goes back to the version that still runs.
    fn back(&self) -> Value;
    /// Tells whether an app says of itself that it is healthy, at its newest generation.
    fn verdict(&self) -> fn(&Value) -> bool;
    /// By what it is seen that an app has moved.
    fn served(&self) -> Served;
    /// The Service that has the pods of [`Side::deploy`]'s version and no others, for a side that waits for its EndpointSlices.
    fn trial(&self, _app: &str) -> Option<String> {
        None
    }
}
