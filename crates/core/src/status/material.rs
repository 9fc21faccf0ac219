//! PURE: what the status shows of the objects beyond the planner's facts: addresses, images, foreign endpoints.

use k8s_openapi::api::apps::v1::Deployment;

use crate::observe::{Snapshot, Stranger, foreign_slices, strangers};
use crate::plan::Observed;
use bluegreen_api::{APP_CONTAINER, PerColor, ServiceStatus};

/// What the status is made of beside the facts and the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// The live Service's addresses; `None` while there is no such Service of ours.
    pub service: Option<ServiceStatus>,
    /// The images that the Deployments run.
    pub images: PerColor<Option<String>>,
    /// EndpointSlices of the live Service that the EndpointSlice controller did not make, each with its manager.
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
            foreign_slices: foreign_slices(&seen.live_slices),
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
