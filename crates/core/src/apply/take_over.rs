//! The patches with which the operator takes a place over from other field managers.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::request::Verb;
use crate::desired::{self, Place, names};

/// Returns the patch that takes the template over from other managers; `None`: nobody else owns any of it. It comes before the
/// template is declared: what leaves the template must leave the pods. A restart by hand, and what admission plug-ins have added,
/// stay as long as the revision, since to take them back would replace the pods once more.
pub(super) fn take_over_pods(read: Option<&Deployment>, number: i64) -> Option<Verb> {
    let read = read?;
    let is_next = desired::running_revision(read) != Some(number);
    let api_version = Deployment::api_version(&());
    let entries = read.managed_fields();
    let owners = if is_next {
        desired::take_over_leftovers(entries, &api_version, &serde_json::to_value(read).ok()?)
    } else {
        desired::take_over(entries, Place::Template, &api_version, false)
    }?;
    // The label is declared: as long as it is missing, even a cached read shows that the Deployment must be applied.
    Some(take_over(&owners, json!({ "labels": { names::REVISION: null } })))
}

/// Returns the patch that takes the ports of a Service over, as [`take_over_pods`] does the template: where somebody else owns a
/// port that is not declared, the API server would keep it, or refuse two of one name.
pub(super) fn take_over_ports(read: Option<&Service>, declared: &Value) -> Option<Verb> {
    let read = read?;
    let live = serde_json::to_value(read).ok()?;
    desired::addition(read.managed_fields(), Place::Ports, declared, &live)?;
    let api_version = Service::api_version(&());
    let owners = desired::take_over(read.managed_fields(), Place::Ports, &api_version, true)?;
    Some(take_over(&owners, json!({ "annotations": { names::DECLARED: null } })))
}

fn take_over(owners: &[ManagedFieldsEntry], mark: Value) -> Verb {
    let mut metadata = mark;
    metadata["managedFields"] = json!(owners);
    Verb::TakeOver { body: json!({ "metadata": metadata }) }
}
