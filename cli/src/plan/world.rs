//! The cluster, played: objects as they would be, and what Kubernetes does with them when nothing fails.

use std::sync::Arc;
use std::time::Duration;

use bluegreen_operator::api::{BlueGreenApp, BlueGreenAppSpec, BlueGreenAppStatus, Color, PerColor};
use bluegreen_operator::desired::{self, LiveService, Rendered, Stored, names};
use bluegreen_operator::fence::Token;
use bluegreen_operator::observe::read::ReadRevision;
use bluegreen_operator::observe::{self, Held, Snapshot};
use bluegreen_operator::plan::{self, Action, Live, Observed, Plan, Selection};
use bluegreen_operator::status::{self, Report, Trouble};
use jiff::Timestamp;
use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::Preconditions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Who, runs};

/// The owner of all objects of an app that is not in a cluster.
const UID: &str = "not-in-a-cluster";

/// The objects, and what time it is.
pub struct World {
    pub seen: Snapshot,
    token: Token,
    now: Timestamp,
    /// Since when the live endpoints are as they should be, for this color.
    held: Option<(Color, Timestamp)>,
}

impl World {
    /// An app without children.
    pub fn empty(mut app: BlueGreenApp, now: Timestamp) -> Self {
        app.metadata.uid.get_or_insert_with(|| UID.to_owned());
        app.metadata.generation.get_or_insert(1);
        app.status = None;
        let seen = Snapshot {
            app: Arc::new(app),
            service: None,
            color_services: PerColor::default(),
            deployments: PerColor::default(),
            stored: PerColor::default(),
            live_slices: Vec::new(),
            color_slices: PerColor::default(),
            proof: PerColor::default(),
        };
        Self::seen(seen, now)
    }

    /// Objects as they were read. The operator that holds them is the one that goes on.
    pub fn seen(seen: Snapshot, now: Timestamp) -> Self {
        let held = |service: &Arc<Service>| {
            let label = service.labels().get(names::FENCE)?;
            Token::read(label, service.annotations().get(names::OPERATOR)?)
        };
        let token = seen.service.as_ref().and_then(held).unwrap_or_else(|| Token {
            operator: "plan/plan".to_owned(),
            lease: "plan".to_owned(),
            epoch: 1,
            attempt: 0,
        });
        Self { seen, token, now, held: None }
    }

    /// The edit.
    pub fn edit(&mut self, spec: BlueGreenAppSpec) {
        let app = Arc::make_mut(&mut self.seen.app);
        if app.spec != spec {
            app.spec = spec;
            app.metadata.generation = app.metadata.generation.map(|generation| generation + 1);
        }
    }

    /// What serves.
    pub fn serves(&self) -> String {
        let Some(color) = self.status().active else { return "nothing serves".to_owned() };
        let image = self.seen.deployments.get(color).as_ref().and_then(|d| observe::running_image(d));
        format!("{} serves", runs(color, image.as_deref()))
    }

    pub fn status(&self) -> BlueGreenAppStatus {
        self.seen.app.status.clone().unwrap_or_default()
    }

    /// The facts and the plan, as in the operator.
    pub fn plan(&self) -> (Observed, Plan) {
        let routing = observe::routing(&self.seen, &self.token);
        let live = routing.live();
        let passed = self
            .held
            .filter(|(color, _)| Live::Selected(*color) == live)
            .map(|(_, since)| Duration::try_from(self.now.duration_since(since)).unwrap_or_default());
        let held = Held { moved: passed, cleared: passed };
        let facts = observe::observe(&self.seen, routing, &self.token, held, self.now);
        let plan = plan::plan(&observe::intent(&self.seen.app), &facts);
        (facts, plan)
    }

    /// Writes the status, if it says something new.
    pub fn reports(&mut self, facts: &Observed, plan: &Plan) -> bool {
        let trouble = Trouble {
            conflicts: observe::conflicts(&self.seen, facts),
            collecting: observe::collecting(&self.seen, facts),
            ..Trouble::default()
        };
        let images = PerColor::from_fn(|color| {
            self.seen
                .deployments
                .get(color)
                .as_ref()
                .and_then(|deployment| observe::running_image(deployment))
        });
        let new = status::status(&Report {
            app: &self.seen.app,
            plan,
            seen: facts,
            service: observe::addresses(&self.seen, facts),
            images,
            trouble: &trouble,
            now: self.now,
        });
        let app = Arc::make_mut(&mut self.seen.app);
        let differs = app.status.as_ref() != Some(&new);
        app.status = Some(new);
        differs
    }

    /// Does to the objects what the operator's write would do.
    pub fn act(&mut self, facts: &Observed, action: &Action) {
        match action {
            Action::CreateService => self.put_service(facts, |live| live.active = None),
            Action::UpdateService => self.put_service(facts, |_| ()),
            Action::Restore { to } => {
                self.put_service(facts, |live| (live.selects, live.active) = (Some(*to), Some(*to)))
            }
            Action::Switch { from: _, to } => {
                let number = facts.colors.get(*to).current.map(|stored| stored.number);
                self.put_service(facts, |live| {
                    (live.selects, live.active) = (Some(*to), Some(*to));
                    *live.served.get_mut(*to) = number;
                });
            }
            Action::Promote { color, number } => {
                self.put_service(facts, |live| *live.served.get_mut(*color) = Some(*number));
            }
            Action::ApplyColorService(color) => {
                let body = desired::color_service(&self.seen.app, *color);
                put(self.seen.color_services.get_mut(*color), body);
            }
            Action::StoreRevision { color, number } => {
                if let Some(rendered) = desired::render(&self.seen.app, *color) {
                    self.store(*color, Stored { number: *number, rendered });
                }
            }
            Action::RecoverRevision { color, number } => self.recover(*color, *number),
            Action::CreateDeployment { color, replicas } | Action::EditDeployment { color, replicas } => {
                self.put_deployment(facts, *color, *replicas);
            }
            Action::Fence { service, colors } => self.fence(*service, colors),
            Action::DropRevision { color, number } => {
                self.seen.stored.get_mut(*color).retain(|read| read.stored.number != *number);
            }
            Action::RemoveColor(color) => {
                *self.seen.deployments.get_mut(*color) = None;
                *self.seen.color_services.get_mut(*color) = None;
                self.seen.stored.get_mut(*color).clear();
                self.seen.color_slices.get_mut(*color).clear();
            }
        }
    }

    fn store(&mut self, color: Color, stored: Stored) {
        self.seen.stored.get_mut(color).push(ReadRevision {
            stored,
            created: Some(self.now),
            exactly: Preconditions::default(),
        });
    }

    fn recover(&mut self, color: Color, number: i64) {
        let spec = self.seen.deployments.get(color).as_ref().and_then(|d| serde_json::to_value(&d.spec).ok());
        let Some(Value::Object(mut spec)) = spec else { return };
        spec.retain(|field, _| !["replicas", "selector", "paused"].contains(&field.as_str()));
        let app = self.seen.app.clone();
        let rendered = Rendered {
            block: desired::block_hash(&app.spec, color).unwrap_or_default(),
            inputs: desired::inputs_hash(&app.spec, color).unwrap_or_default(),
            deployment: Value::Object(spec),
        };
        self.store(color, Stored { number, rendered });
    }

    fn put_service(&mut self, facts: &Observed, change: impl FnOnce(&mut LiveService)) {
        let ours = facts.service.ours();
        let token = self.token.to_string();
        let mut live = LiveService {
            selects: ours.and_then(|service| match service.selects {
                Selection::Color(color) => Some(color),
                Selection::Nothing | Selection::Edited => None,
            }),
            active: ours.and_then(|service| service.committed),
            served: ours.map_or_else(
                || PerColor::from_fn(|color| self.status().color(color).and_then(|c| c.served_revision)),
                |service| service.served,
            ),
            fence: &token,
            operator: &self.token.operator,
            node_port: None,
            cluster_ip: None,
        };
        change(&mut live);
        let body = desired::live_service(&self.seen.app, &live);
        put(&mut self.seen.service, body);
    }

    fn put_deployment(&mut self, facts: &Observed, color: Color, replicas: i32) {
        let Some(current) = facts.colors.get(color).current else { return };
        let Some(stored) = self.seen.revision(color, current.number).cloned() else { return };
        let body = desired::deployment(&self.seen.app, color, &stored, replicas, &self.token.to_string());
        let slot = self.seen.deployments.get_mut(color);
        put(slot, body);
        if let Some(deployment) = slot {
            let generation = &mut Arc::make_mut(deployment).metadata.generation;
            *generation = Some(generation.unwrap_or(0) + 1);
        }
    }

    fn fence(&mut self, service: bool, colors: &[Color]) {
        let token = self.token.to_string();
        if let Some(service) = self.seen.service.as_mut().filter(|_| service) {
            let service = Arc::make_mut(service);
            service.labels_mut().insert(names::FENCE.to_owned(), token.clone());
            service.annotations_mut().insert(names::OPERATOR.to_owned(), self.token.operator.clone());
        }
        for color in colors {
            if let Some(deployment) = self.seen.deployments.get_mut(*color) {
                Arc::make_mut(deployment).labels_mut().insert(names::FENCE.to_owned(), token.clone());
            }
        }
    }

    /// The next thing that happens by itself; `None` when nothing is to be waited for.
    pub fn goes_on(&mut self, plan: &Plan) -> Option<(Who, String)> {
        if let Live::Selected(color) = plan.live
            && let Some(words) = self.endpoints_follow(color)
        {
            return Some((Who::Cluster, words));
        }
        if let Some(words) = Color::ALL.into_iter().find_map(|color| self.roll_out(color)) {
            return Some((Who::Cluster, words));
        }
        let wake = plan.wake.filter(|wake| !wake.is_zero())?;
        self.now = self.now.checked_add(wake).ok()?;
        Some((Who::Clock, format!("{} s pass", wake.as_secs().max(1))))
    }

    /// The live Service's endpoints become those of the color that it selects, and the clock of the drain starts.
    fn endpoints_follow(&mut self, color: Color) -> Option<String> {
        if self.held.map(|(color, _)| color) == Some(color) {
            return None;
        }
        self.seen.live_slices.clone_from(self.seen.color_slices.get(color));
        if !observe::endpoints(&self.seen, color).moved {
            return None;
        }
        self.held = Some((color, self.now));
        Some(format!("the endpoints of Service {} are {color}'s pods alone", self.seen.app.name_any()))
    }

    /// Brings a color's Deployment to the end of its roll-out.
    fn roll_out(&mut self, color: Color) -> Option<String> {
        let app = self.seen.app.name_any();
        let deployment = self.seen.deployments.get_mut(color).as_mut()?;
        let replicas = deployment.spec.as_ref()?.replicas.unwrap_or(1);
        let generation = deployment.metadata.generation;
        let status = deployment.status.clone().unwrap_or_default();
        let counts =
            [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
        let is_done = status.observed_generation == generation
            && counts.iter().all(|count| count.unwrap_or(0) == replicas);
        let number = deployment
            .spec
            .as_ref()?
            .template
            .metadata
            .as_ref()?
            .labels
            .as_ref()?
            .get(names::REVISION)?
            .clone();
        let listed: usize = self.seen.color_slices.get(color).iter().map(|slice| slice.endpoints.len()).sum();
        if is_done && usize::try_from(replicas).is_ok_and(|replicas| replicas == listed) {
            return None;
        }
        Arc::make_mut(deployment).status = serde_json::from_value(json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        }))
        .ok();
        let slice = slice(&format!("{app}-{color}"), &number, replicas);
        *self.seen.color_slices.get_mut(color) = slice.into_iter().map(Arc::new).collect();
        if self.status().active == Some(color) && !self.seen.live_slices.is_empty() {
            self.seen.live_slices.clone_from(self.seen.color_slices.get(color));
        }
        Some(match replicas {
            0 => format!("{color}'s pods end"),
            1 => format!("{color}'s pod becomes ready, and its Service lists it"),
            _ => format!("{color}'s {replicas} pods become ready, and its Service lists them"),
        })
    }
}

fn slice(service: &str, revision: &str, count: i32) -> Option<EndpointSlice> {
    let endpoint = |index: i32| {
        json!({
            "addresses": [format!("192.0.2.{index}")], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": format!("{service}-{revision}-{index}")},
        })
    };
    let endpoints: Vec<Value> = (0..count).map(endpoint).collect();
    serde_json::from_value(json!({
        "metadata": {"name": service}, "addressType": "IPv4", "endpoints": endpoints,
    }))
    .ok()
}

/// Server-side apply, as far as it matters here: what is declared is as declared, and the rest stays.
fn put<K: Serialize + DeserializeOwned>(slot: &mut Option<Arc<K>>, body: Value) {
    let mut object =
        slot.as_ref().and_then(|object| serde_json::to_value(object.as_ref()).ok()).unwrap_or(json!({}));
    // A selector is one value, not a map of fields.
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("selector");
    }
    object.merge_from(body);
    *slot = serde_json::from_value(object).ok().map(Arc::new);
}
