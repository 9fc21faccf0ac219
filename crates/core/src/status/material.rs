//! PURE: what the status shows of the objects beyond the planner's facts: addresses, images, foreign endpoints.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ServicePort;

use crate::desired;
use crate::harmless::harmless;
use crate::observe::{Snapshot, Stranger, foreign_slices, job_ended, job_of, strangers};
use crate::plan::{CheckFacts, CheckJob, Observed, Run};
use bluegreen_api::{APP_CONTAINER, BlueGreenAppSpec, Check, Color, PerColor, ServiceStatus};

/// How many bytes of an image are told. Whoever may edit a Deployment may have written it.
const IMAGE: usize = 1024;

/// How many bytes are told of what a Job says.
const WORDS: usize = 800;

/// How many bytes of the time are told that an annotation names.
const TIME: usize = 64;

/// What the status is made of beside the facts and the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// The live Service's addresses; `None` while there is no such Service of ours.
    pub service: Option<ServiceStatus>,
    /// The resourceVersion of the live Service.
    pub service_version: Option<String>,
    /// The images that the Deployments run.
    pub images: PerColor<Option<String>>,
    /// When somebody restarted each Deployment by hand, as `kubectl rollout restart` notes it.
    pub restarted: PerColor<Option<String>>,
    /// EndpointSlices of the live Service that the EndpointSlice controller did not make, each with its manager.
    pub foreign_slices: Vec<String>,
    /// What the Job of each check of the spec says at its end.
    pub jobs: Vec<Option<String>>,
    /// The hash of the block of each color's present revision.
    pub blocks: PerColor<Option<String>>,
    /// Objects that have a child's name and are not this app's, as `Kind name`.
    pub strangers: Vec<(String, Stranger)>,
}

impl Material {
    /// Reads the material from the objects.
    pub fn of(seen: &Snapshot, facts: &Observed) -> Self {
        Self {
            service: addresses(seen, facts),
            service_version: seen
                .service
                .as_ref()
                .and_then(|service| service.metadata.resource_version.clone()),
            images: PerColor::from_fn(|color| {
                Some(harmless(&running_image(own_deployment(seen, facts, color)?)?, IMAGE))
            }),
            restarted: PerColor::from_fn(|color| {
                let declared = facts.colors.get(color).current.and_then(|it| seen.revision(color, it.number));
                Some(harmless(&restarted(own_deployment(seen, facts, color)?, declared)?, TIME))
            }),
            foreign_slices: foreign_slices(&seen.live_slices),
            jobs: jobs(seen, facts),
            blocks: PerColor::from_fn(|color| {
                let number = facts.colors.get(color).current?.number;
                Some(seen.revision(color, number)?.rendered.block.clone())
            }),
            strangers: strangers(seen),
        }
    }
}

/// Returns what the Job controller says of each check's Job.
fn jobs(seen: &Snapshot, facts: &Observed) -> Vec<Option<String>> {
    let words = |(check, facts): (&Check, &CheckFacts), run: &Run| {
        let CheckJob::Ours { attempt, .. } = facts.job else { return None };
        let end = job_ended(job_of(seen, run, check, attempt)?)?;
        end.message.as_deref().filter(|it| !it.is_empty()).map(|it| harmless(it, WORDS))
    };
    let all = seen.app.spec.checks.iter().zip(&facts.checks.all);
    all.map(|check| facts.checks.run.as_ref().and_then(|run| words(check, run))).collect()
}

/// The Deployment of this color, if it is the app's.
fn own_deployment<'a>(seen: &'a Snapshot, facts: &Observed, color: Color) -> Option<&'a Deployment> {
    facts.colors.get(color).deployment.ours()?;
    seen.deployments.get(color).as_deref()
}

/// Returns where clients reach the live Service.
fn addresses(seen: &Snapshot, facts: &Observed) -> Option<ServiceStatus> {
    let current = facts.service.ours()?.current;
    let service = seen.service.as_ref()?;
    let spec = service.spec.as_ref()?;
    let (node_port, extra_node_ports) = node_ports(spec.ports.as_deref().unwrap_or_default(), &seen.app.spec);
    // What has left the spec and is not applied yet is none of it.
    let recorded = || seen.app.status.as_ref()?.service.as_ref().map(|service| service.guards.clone());
    let guards = if current { desired::guards(&seen.app, service) } else { recorded().unwrap_or_default() };
    Some(ServiceStatus {
        cluster_ip: spec.cluster_ip.clone(),
        node_port,
        extra_node_ports,
        health_check_node_port: spec.health_check_node_port.filter(|port| *port > 0),
        guards,
    })
}

/// The ports on every node: that of the app's own port, and those of the extra ports by their names.
fn node_ports(ports: &[ServicePort], spec: &BlueGreenAppSpec) -> (Option<i32>, BTreeMap<String, i32>) {
    let named = ports.iter().filter_map(|port| Some((port.name.clone()?, port.node_port?)));
    let mut extra: BTreeMap<String, i32> = named.collect();
    // A Service that was adopted may have given its port another name.
    let own = extra.remove(&spec.port_name).or_else(|| ports.iter().find_map(|port| port.node_port));
    extra.retain(|name, _| spec.service.extra_ports.iter().any(|port| port.name == *name));
    (own, extra)
}

/// The image that the app's container runs.
pub fn running_image(deployment: &Deployment) -> Option<String> {
    let pods = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pods.containers.iter().find(|container| container.name == APP_CONTAINER)?.image.clone()
}

/// Returns when somebody restarted the pods, unless the app's own template says so.
fn restarted(deployment: &Deployment, declared: Option<&desired::Stored>) -> Option<String> {
    let template = deployment.spec.as_ref()?.template.metadata.as_ref()?;
    let at = template.annotations.as_ref()?.get(desired::RESTARTED_AT)?;
    let metadata = declared.and_then(|stored| stored.rendered.deployment.pointer("/template/metadata"));
    let own = metadata.and_then(|metadata| metadata.get("annotations")?.get(desired::RESTARTED_AT));
    own.is_none().then(|| at.clone())
}
