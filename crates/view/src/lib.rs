//! PURE: the objects of one app → what the tree shows of them. `get -o report` prints this.
//!
//! [`Row`] is one app as a line of a list, and [`Picture`] is what the dashboard shows beside the report.

pub mod managed;
mod picture;
mod row;
mod state;

pub use picture::{DrainView, EndpointView, Picture};
pub use row::{Row, Version};
pub use state::State;

use bluegreen_api::{BlueGreenApp, CheckStatus, Color, HistoryEntry, Phase, Rejection, SwitchStatus};
use bluegreen_core::desired::{self, Selection, names};
use bluegreen_core::status::{READY, RECONCILING, STALLED, STANDBY_READY};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Resource, ResourceExt};
use schemars::JsonSchema;
use serde::Serialize;

/// One app and what belongs to it, as read.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The app.
    pub app: BlueGreenApp,
    /// Its Services.
    pub services: Vec<Service>,
    /// Its Deployments.
    pub deployments: Vec<Deployment>,
    /// Their ReplicaSets.
    pub replica_sets: Vec<ReplicaSet>,
    /// Their pods.
    pub pods: Vec<Pod>,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
}

/// What is shown of an app.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The status is about the present generation.
    pub observed: bool,
    /// The live color; none before the first activation.
    pub live: Option<Color>,
    /// `spec.active`.
    pub target: Color,
    /// `status.phase`.
    pub phase: Option<Phase>,
    /// The conditions that the status has, the most important first.
    pub conditions: Vec<Mark>,
    /// The switch that is under way.
    pub switch: Option<SwitchStatus>,
    /// The last switch.
    pub last: Option<HistoryEntry>,
    /// The checks of the newest switch that was checked.
    pub checks: Vec<CheckStatus>,
    /// What a check has refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,
    /// The live Service.
    pub service: Option<ServiceView>,
    /// The Service that shows the idle color, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<ServiceView>,
    /// The colors that are in use.
    pub colors: Vec<ColorView>,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its status is True.
    pub is_true: bool,
    /// Its reason, in CamelCase.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// The color that it selects; none if it selects no pods, or its selector was edited.
    pub selects: Option<Color>,
    /// Its selector was edited.
    pub edited: bool,
    /// `spec.clusterIP`.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: String,
    /// Its ports, as kubectl prints them: the port, and after a colon the node port.
    pub ports: String,
    /// Seconds since its creation.
    pub age: i64,
}

/// One color.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColorView {
    /// The color.
    pub color: Color,
    /// It is the live color.
    pub live: bool,
    /// The image that runs; before there are pods, the image in the spec.
    pub image: String,
    /// The image of a held edit.
    pub held: Option<String>,
    /// When somebody restarted the Deployment by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarted: Option<String>,
    /// The number of the revision that runs.
    pub revision: i64,
    /// Ready pods.
    pub ready: i32,
    /// `spec.replicas`.
    pub size: i32,
    /// Its own Service.
    pub service: Option<ServiceView>,
    /// Its ReplicaSets that have pods, newest first.
    pub replica_sets: Vec<SetView>,
}

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetView {
    /// Its name.
    pub name: String,
    /// Ready pods.
    pub ready: i32,
    /// `spec.replicas`.
    pub size: i32,
    /// Seconds since its creation.
    pub age: i64,
    /// Its pods.
    pub pods: Vec<PodView>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// As in `kubectl get pods`.
    pub status: String,
    /// Its condition Ready is True, and it is not terminating.
    pub is_ready: bool,
    /// Ready containers.
    pub ready: usize,
    /// Containers.
    pub containers: usize,
    /// Seconds since its creation.
    pub age: i64,
}

impl Report {
    /// What to show of these objects.
    #[must_use]
    pub fn of(objects: &Objects, now: Timestamp) -> Self {
        let app = &objects.app;
        let status = app.status.clone().unwrap_or_default();
        let mark = |type_: &str| {
            status.condition(type_).map(|condition| Mark {
                type_: type_.to_owned(),
                is_true: condition.status == "True",
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            })
        };
        Self {
            name: app.name_any(),
            namespace: app.namespace().unwrap_or_default(),
            observed: Some(status.observed_generation) == app.metadata.generation,
            live: status.active,
            target: app.spec.active,
            phase: status.phase,
            conditions: [READY, STANDBY_READY, RECONCILING, STALLED].into_iter().filter_map(mark).collect(),
            switch: status.switch.clone(),
            last: status.history.first().cloned(),
            checks: status.checks.clone(),
            rejected: status.rejected.clone(),
            service: service(objects, &names::live_service_name(&app.name_any()), now),
            preview: service(objects, &names::preview_service_name(&app.name_any()), now),
            colors: Color::ALL.into_iter().filter_map(|color| color_view(objects, color, now)).collect(),
            unreadable: objects.unreadable.clone(),
        }
    }

    /// The same without ages: two of these differ only if something happened.
    #[must_use]
    pub fn ageless(&self) -> Self {
        let mut report = self.clone();
        let colors = report.colors.iter_mut();
        let services = colors.filter_map(|color| color.service.as_mut());
        for service in report.service.iter_mut().chain(report.preview.iter_mut()).chain(services) {
            service.age = 0;
        }
        for set in report.colors.iter_mut().flat_map(|color| &mut color.replica_sets) {
            set.age = 0;
            set.pods.iter_mut().for_each(|pod| pod.age = 0);
        }
        report
    }

    /// A condition, if the status has it.
    #[must_use]
    pub fn mark(&self, type_: &str) -> Option<&Mark> {
        self.conditions.iter().find(|mark| mark.type_ == type_)
    }
}

fn age<K: Resource>(object: &K, now: Timestamp) -> i64 {
    object.meta().creation_timestamp.as_ref().map_or(0, |time| now.duration_since(time.0).as_secs().max(0))
}

fn service(objects: &Objects, name: &str, now: Timestamp) -> Option<ServiceView> {
    let service = objects.services.iter().find(|service| service.name_any() == name)?;
    let selection = desired::selects(service, &objects.app.name_any());
    let spec = service.spec.clone().unwrap_or_default();
    let ports = spec.ports.unwrap_or_default().into_iter().map(|port| match port.node_port {
        Some(node_port) => format!("{}:{node_port}", port.port),
        None => port.port.to_string(),
    });
    Some(ServiceView {
        name: name.to_owned(),
        selects: match selection {
            Selection::Color(color) => Some(color),
            Selection::None_ | Selection::Foreign => None,
        },
        edited: selection == Selection::Foreign,
        cluster_ip: spec.cluster_ip.unwrap_or_default(),
        ports: ports.collect::<Vec<_>>().join(","),
        age: age(service, now),
    })
}

fn color_view(objects: &Objects, color: Color, now: Timestamp) -> Option<ColorView> {
    let app = &objects.app;
    let status = app.status.clone().unwrap_or_default();
    let pods = status.color(color);
    let wanted = app.spec.image_of(color);
    if wanted.is_none() && pods.is_none() {
        return None;
    }
    let deployment_name = names::deployment_name(&app.name_any(), color);
    let deployment = objects.deployments.iter().find(|deployment| deployment.name_any() == deployment_name);
    let replicas = deployment.and_then(|deployment| deployment.spec.as_ref()?.replicas);
    let image = pods.map(|pods| pods.image.clone()).filter(|image| !image.is_empty()).or(wanted);
    Some(ColorView {
        color,
        live: status.active == Some(color),
        image: image.unwrap_or_default(),
        held: pods.and_then(|pods| pods.held.clone()),
        restarted: pods.and_then(|pods| pods.restarted_at.clone()),
        revision: pods.map_or(0, |pods| pods.revision),
        ready: pods.map_or(0, |pods| pods.ready_replicas),
        size: replicas.unwrap_or_else(|| pods.map_or(0, |pods| pods.replicas)),
        service: service(objects, &names::color_service_name(&app.name_any(), color), now),
        replica_sets: sets(objects, color, now),
    })
}

fn has_color(object: &impl ResourceExt, color: Color) -> bool {
    object.labels().get(names::COLOR).map(String::as_str) == Some(color.as_str())
}

fn sets(objects: &Objects, color: Color, now: Timestamp) -> Vec<SetView> {
    let mut sets: Vec<SetView> = objects
        .replica_sets
        .iter()
        .filter(|set| has_color(*set, color))
        .map(|set| {
            let spec = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
            let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
            SetView {
                name: set.name_any(),
                ready,
                size: spec,
                age: age(set, now),
                pods: pods(objects, set, now),
            }
        })
        .filter(|set| set.size > 0 || !set.pods.is_empty())
        .collect();
    sets.sort_by(|a, b| (a.age, &a.name).cmp(&(b.age, &b.name)));
    sets
}

fn pods(objects: &Objects, set: &ReplicaSet, now: Timestamp) -> Vec<PodView> {
    let owned =
        |pod: &&Pod| pod.owner_references().iter().any(|owner| Some(&owner.uid) == set.meta().uid.as_ref());
    let mut pods: Vec<PodView> = objects.pods.iter().filter(owned).map(|pod| pod_view(pod, now)).collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}

fn pod_view(pod: &Pod, now: Timestamp) -> PodView {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let waiting = containers.iter().find_map(|container| {
        let state = container.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        waiting.or_else(|| state.terminated.as_ref().and_then(|terminated| terminated.reason.clone()))
    });
    let is_ready = status
        .conditions
        .iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let is_leaving = pod.metadata.deletion_timestamp.is_some();
    PodView {
        name: pod.name_any(),
        status: if is_leaving {
            "Terminating".to_owned()
        } else {
            waiting.or(status.phase).unwrap_or_default()
        },
        is_ready: is_ready && !is_leaving,
        ready: containers.iter().filter(|container| container.ready).count(),
        containers: pod.spec.as_ref().map_or(0, |spec| spec.containers.len()),
        age: age(pod, now),
    }
}
