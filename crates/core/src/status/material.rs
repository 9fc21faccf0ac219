//! PURE: what the status shows of the objects beyond the planner's facts: addresses, images, foreign endpoints.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;

use crate::observe::{Snapshot, Stranger, strangers};
use crate::plan::Observed;
use bluegreen_api::{APP_CONTAINER, PerColor, ServiceStatus};

/// Label of an EndpointSlice: who made it.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY`] on slices that Kubernetes' EndpointSlice controller made from a Service's selector.
const CONTROLLER: &str = "endpointslice-controller.k8s.io";

/// How many addresses of one slice are named.
const SHOWN: usize = 3;

/// What the status is made of beside the facts and the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// The live Service's addresses; `None` while there is no such Service of ours.
    pub service: Option<ServiceStatus>,
    /// The images that the Deployments run.
    pub images: PerColor<Option<String>>,
    /// EndpointSlices of the live Service that the EndpointSlice controller did not make, each with its addresses.
    pub foreign_slices: Vec<String>,
    /// Objects that have a child's name and are not this app's, as `Kind name`.
    pub strangers: Vec<(String, Stranger)>,
}

impl Material {
    /// As the objects show it.
    pub fn of(seen: &Snapshot, facts: &Observed) -> Self {
        Self {
            service: addresses(seen, facts),
            images: PerColor::from_fn(|color| seen.deployments.get(color).as_deref().and_then(running_image)),
            foreign_slices: seen.live_slices.iter().filter_map(|slice| foreign(slice)).collect(),
            strangers: strangers(seen),
        }
    }
}

/// Where clients reach the live Service.
fn addresses(seen: &Snapshot, facts: &Observed) -> Option<ServiceStatus> {
    facts.service.ours()?;
    let spec = seen.service.as_ref()?.spec.as_ref()?;
    let node_port = spec.ports.iter().flatten().find_map(|port| port.node_port);
    Some(ServiceStatus { cluster_ip: spec.cluster_ip.clone(), node_port })
}

/// The image that the app's container runs.
pub fn running_image(deployment: &Deployment) -> Option<String> {
    let pods = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pods.containers.iter().find(|container| container.name == APP_CONTAINER)?.image.clone()
}

/// A slice that somebody else made, with the first of its addresses. kube-proxy forwards to it like to any other.
fn foreign(slice: &EndpointSlice) -> Option<String> {
    if slice.labels().get(MANAGED_BY).is_some_and(|manager| manager == CONTROLLER) {
        return None;
    }
    let all: Vec<&str> = slice.endpoints.iter().flat_map(|e| &e.addresses).map(String::as_str).collect();
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let words = match (all.len(), all.len().saturating_sub(SHOWN)) {
        (0, _) => return None,
        (_, 0) => shown,
        (_, more) => format!("{shown} and {more} more"),
    };
    Some(format!("EndpointSlice {} ({words})", slice.name_any()))
}
