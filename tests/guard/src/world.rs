//! The objects of a namespace at one moment, and what tests ask about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Color};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::record::Kind;

/// The objects of a namespace at one moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    objects: BTreeMap<(Kind, String), Arc<Value>>,
}

/// One address behind a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod's name.
    pub pod: String,
    /// Ready to serve.
    pub ready: bool,
}

impl World {
    /// Puts an object, or takes it away.
    pub fn put(&mut self, kind: Kind, name: &str, object: Option<Arc<Value>>) {
        let key = (kind, name.to_owned());
        match object {
            Some(object) => self.objects.insert(key, object),
            None => self.objects.remove(&key),
        };
    }

    /// One object.
    pub fn get<K: DeserializeOwned>(&self, kind: Kind, name: &str) -> Option<K> {
        self.raw(kind, name).and_then(|object| serde_json::from_value(object.clone()).ok())
    }

    /// One object as it came.
    pub fn raw(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_owned())).map(Arc::as_ref)
    }

    /// All objects of a kind.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (&str, &Value)> {
        self.objects.iter().filter(move |((k, _), _)| *k == kind).map(|((_, n), o)| (n.as_str(), o.as_ref()))
    }

    /// An app.
    pub fn app(&self, name: &str) -> Option<BlueGreenApp> {
        self.get(Kind::App, name)
    }

    /// An app's status, as long as it is about the present spec.
    pub fn status(&self, name: &str) -> Option<BlueGreenAppStatus> {
        let app = self.app(name)?;
        let status = app.status?;
        (Some(status.observed_generation) == app.metadata.generation).then_some(status)
    }

    /// Reason and message of a condition that is True for the present spec.
    pub fn says(&self, name: &str, condition: &str) -> Option<(String, String)> {
        let status = self.status(name)?;
        let found = status.condition(condition)?;
        (found.status == "True").then(|| (found.reason.clone(), found.message.clone()))
    }

    /// Has the condition this status and this reason, for the present spec?
    pub fn condition(&self, name: &str, condition: &str, status: &str, reason: &str) -> bool {
        self.status(name).is_some_and(|now| {
            now.condition(condition).is_some_and(|c| c.status == status && c.reason == reason)
        })
    }

    /// Is the app stalled for this reason?
    pub fn stalled(&self, name: &str, reason: &str) -> bool {
        self.condition(name, "Stalled", "True", reason)
    }

    /// Is the app ready, in the sense of `kubectl wait --for=condition=Ready`?
    pub fn ready(&self, name: &str) -> bool {
        self.says(name, "Ready").is_some()
    }

    /// Ready, with no work and no drain going on.
    pub fn settled(&self, name: &str) -> bool {
        let done =
            |status: BlueGreenAppStatus| status.condition("Reconciling").is_none() && status.switch.is_none();
        self.ready(name) && self.status(name).is_some_and(done)
    }

    /// Does this color serve, all done?
    pub fn serves(&self, name: &str, color: Color) -> bool {
        self.settled(name) && self.selects(name) == color.as_str()
    }

    /// What the live Service selects: `blue`, `green`, `none`, `edited`; `missing` without a Service.
    pub fn selects(&self, name: &str) -> &str {
        self.raw(Kind::Service, name).map_or("missing", |service| selection(service, name))
    }

    /// A color's Deployment.
    pub fn deployment(&self, name: &str, color: Color) -> Option<Deployment> {
        self.get(Kind::Deployment, &format!("{name}-{color}"))
    }

    /// The image that a color's Deployment asks for.
    pub fn image(&self, name: &str, color: Color) -> Option<String> {
        let deployment = self.deployment(name, color)?;
        let containers = deployment.spec?.template.spec?.containers;
        containers.into_iter().find(|container| container.name == "app")?.image
    }

    /// `spec.replicas` of a color's Deployment.
    pub fn size(&self, name: &str, color: Color) -> Option<i32> {
        self.deployment(name, color)?.spec?.replicas
    }

    /// Has a color's Deployment nothing left to do?
    pub fn rolled_out(&self, name: &str, color: Color) -> bool {
        self.deployment(name, color).is_some_and(|deployment| {
            let size = deployment.spec.and_then(|spec| spec.replicas);
            let status = deployment.status.unwrap_or_default();
            status.observed_generation == deployment.metadata.generation
                && [status.replicas, status.updated_replicas, status.available_replicas] == [size; 3]
        })
    }

    /// The uids of a color's pods that are not on their way out.
    pub fn pods(&self, name: &str, color: Color) -> Vec<String> {
        let labels = |pod: &Pod| {
            let label = |key: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(key).cloned());
            label("bluegreen.dev/app").as_deref() == Some(name)
                && label("bluegreen.dev/color").as_deref() == Some(color.as_str())
        };
        self.all(Kind::Pod)
            .filter_map(|(_, pod)| serde_json::from_value::<Pod>(pod.clone()).ok())
            .filter(|pod| labels(pod) && pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| pod.metadata.uid)
            .collect()
    }

    /// What stands behind a Service.
    pub fn endpoints(&self, service: &str) -> Vec<Endpoint> {
        let of_service = |slice: &EndpointSlice| {
            let labels = slice.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get("kubernetes.io/service-name")).is_some_and(|s| s == service)
        };
        self.all(Kind::Slice)
            .filter_map(|(_, slice)| serde_json::from_value::<EndpointSlice>(slice.clone()).ok())
            .filter(of_service)
            .flat_map(|slice| slice.endpoints)
            .map(|endpoint| Endpoint {
                pod: endpoint.target_ref.and_then(|target| target.name).unwrap_or_default(),
                ready: endpoint.conditions.is_some_and(|c| {
                    c.ready == Some(true) && c.serving != Some(false) && c.terminating != Some(true)
                }),
            })
            .collect()
    }

    /// The live Service.
    pub fn service(&self, name: &str) -> Option<Service> {
        self.get(Kind::Service, name)
    }

    /// All objects of these kinds that the app owns, as `Kind name`.
    pub fn children(&self, name: &str) -> Vec<String> {
        let kinds = [Kind::Service, Kind::Deployment, Kind::Revision];
        let ours = |object: &Value| object["metadata"]["labels"]["bluegreen.dev/app"] == name;
        kinds
            .into_iter()
            .flat_map(|kind| {
                self.all(kind).filter(|(_, o)| ours(o)).map(move |(n, _)| format!("{kind:?} {n}"))
            })
            .collect()
    }
}

/// What a live Service selects.
pub fn selection<'a>(service: &'a Value, app: &str) -> &'a str {
    let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object) else {
        return "edited";
    };
    if selector.len() != 2 || selector.get("bluegreen.dev/app").and_then(Value::as_str) != Some(app) {
        return "edited";
    }
    match selector.get("bluegreen.dev/color").and_then(Value::as_str) {
        Some(color @ ("blue" | "green" | "none")) => color,
        Some(_) | None => "edited",
    }
}
