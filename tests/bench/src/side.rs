//! What the two contestants have in common.

use std::path::Path;

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::Value;

/// Who does the work, and how it is told to.
pub trait Side: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;
    /// The controller's program.
    fn program(&self) -> &Path;
    /// Its arguments: two ports that are free, and what it needs besides.
    fn arguments(&self, ports: [u16; 2]) -> Vec<String>;
    /// What its log says as soon as it leads.
    fn leads(&self) -> &'static str;
    /// Brings its CRDs into the cluster.
    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>>;
    /// The API version and kind of its app.
    fn kind(&self) -> (&'static str, &'static str, &'static str);
    /// What a user applies for an app of one version: the app last.
    fn app(&self, name: &str, pods: i32) -> Vec<Value>;
    /// The merge patch that deploys a new version and makes it live in one edit.
    fn deploy(&self, version: &str) -> Value;
    /// The merge patch that goes back to the version that still runs.
    fn back(&self) -> Value;
    /// Tells whether an app says of itself that it is healthy, at its newest generation.
    fn verdict(&self) -> fn(&Value) -> bool;
    /// The key of the live Service's selector that tells versions apart.
    fn key(&self) -> &'static str;
}
