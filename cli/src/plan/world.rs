//! A simulated cluster: its objects, and what Kubernetes does with them when nothing fails.

use std::sync::Arc;
use std::time::Duration;

use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec, BlueGreenAppStatus, Color, PerColor};
use bluegreen_core::apply::{Request, Target, Verb, requests};
use bluegreen_core::desired::{self, Listing, names};
use bluegreen_core::fence::Token;
use bluegreen_core::observe::{self, Held, Proof, Snapshot};
use bluegreen_core::plan::{self, Action, Child, Intent, Live, Observed, Plan};
use bluegreen_core::status::{self, Material, Problems, Report};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PodSpec, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::merge::merge;
use super::runs;

/// Stands for the operator's image, which a plan does not know.
const CHECKER: &str = "bluegreen-operator";

/// The uid of an app that is not in a cluster.
const UID: &str = "not-in-a-cluster";

/// How many pods of a color the simulated EndpointSlice lists: a manifest may ask for two billion.
const LISTED: i32 = 1000;

/// What goes on without the operator.
pub enum Next {
    /// Kubernetes' own controllers, or the pods, do this.
    Happens(String),
    /// So many seconds pass.
    Passes(u64),
}

/// The objects and the time.
pub struct World {
    pub seen: Snapshot,
    token: Token,
    now: Timestamp,
    /// The color that the live Service's endpoints belong to, and since when.
    held: Option<(Color, Timestamp)>,
    /// How many pods each color has that the simulated slice stands for.
    pods: PerColor<Option<i32>>,
}

impl World {
    /// An app without children.
    pub fn empty(mut app: BlueGreenApp, now: Timestamp) -> Self {
        app.metadata.uid.get_or_insert_with(|| UID.to_owned());
        app.metadata.generation.get_or_insert(1);
        app.status = None;
        Self::seen(Snapshot::of(app), now)
    }

    /// The objects as they were read. The operator whose token they carry goes on.
    pub fn seen(mut seen: Snapshot, now: Timestamp) -> Self {
        // They are read only for an app that has checks already.
        seen.jobs.get_or_insert_default();
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
        Self { seen, token, now, held: None, pods: PerColor::default() }
    }

    /// Applies an edit of the spec.
    pub fn edit(&mut self, spec: BlueGreenAppSpec) {
        let app = Arc::make_mut(&mut self.seen.app);
        if app.spec != spec {
            app.spec = spec;
            app.metadata.generation = app.metadata.generation.map(|generation| generation + 1);
        }
    }

    /// What is live, in words.
    pub fn live(&self) -> String {
        let Some(color) = self.status().active else { return "no color is live".to_owned() };
        let image = self.seen.deployments.get(color).as_ref().and_then(|d| status::running_image(d));
        format!("{} is live", runs(color, image.as_deref()))
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
        let held = Held { moved: passed, cleared: passed, lost: None };
        let mut facts = observe::observe(&self.seen, routing, &self.token, held, self.now);
        self.count(&mut facts);
        let plan = plan::plan(&observe::intent(&self.seen.app), &facts);
        (facts, plan)
    }

    /// What the spec asks for, with the aim in place of `spec.active`, as the operator writes and tells it.
    pub fn intent(&self, facts: &Observed) -> Intent {
        observe::intent(&self.seen.app).aimed(facts)
    }

    /// Counts all pods that a simulated slice stands for.
    fn count(&self, facts: &mut Observed) {
        for color in Color::ALL {
            let Some(pods) = *self.pods.get(color) else { continue };
            let facts_of = facts.colors.get_mut(color);
            facts_of.endpoints = pods;
            // Simulated pods of one template have the same ports.
            if facts_of.unlisted.is_empty() {
                facts_of.ported = pods;
            }
            let mut same = self.seen.live_slices.iter().zip(self.seen.color_slices.get(color));
            if let Child::Ours(service) = &mut facts.service
                && same.any(|(live, own)| Arc::ptr_eq(live, own))
            {
                service.endpoints = pods;
            }
        }
    }

    /// Writes the status, and returns true if it has changed.
    pub fn reports(&mut self, facts: &Observed, plan: &Plan) -> bool {
        let new = status::status(&Report {
            app: &self.seen.app,
            intent: &self.intent(facts),
            plan,
            seen: facts,
            material: Material::of(&self.seen, facts),
            problems: &Problems::default(),
            now: self.now,
        });
        let app = Arc::make_mut(&mut self.seen.app);
        let differs = app.status.as_ref() != Some(&new);
        app.status = Some(new);
        differs
    }

    /// Does to the objects what the operator's requests would do.
    pub fn act(&mut self, facts: &Observed, action: &Action) {
        loop {
            // Every simulated pod belongs to its Deployment, so a switch needs no read of the pods' owners.
            let proof = PerColor::from_fn(|_| Some(Proof::default()));
            let seen = Snapshot { proof, ..self.seen.clone() };
            let target = Target { seen: &seen, facts, token: &self.token, checker: CHECKER };
            // An action that does not fit the objects is not sent, as in the operator.
            let requests: Vec<Request> = requests(action, &target).into_iter().flatten().collect();
            for request in &requests {
                merge(&mut self.seen, request, self.now);
            }
            // The apply comes after the fields were taken over from others.
            if !requests.iter().any(|request| matches!(request.verb, Verb::TakeOver { .. })) {
                return;
            }
        }
    }

    /// The next thing that happens without the operator; `None` if there is nothing to wait for.
    pub fn goes_on(&mut self, plan: &Plan) -> Option<Next> {
        if let Live::Selected(color) = plan.live
            && let Some(words) = self.endpoints_follow(color)
        {
            return Some(Next::Happens(words));
        }
        if let Some(words) = Color::ALL.into_iter().find_map(|color| self.roll_out(color)) {
            return Some(Next::Happens(words));
        }
        if let Some(words) = self.check_passes() {
            return Some(Next::Happens(words));
        }
        let wake = plan.wake.filter(|wake| !wake.is_zero())?;
        self.now = self.now.checked_add(wake).ok()?;
        Some(Next::Passes(wake.as_secs().max(1)))
    }

    /// The live Service's endpoints become the pods of the color that it selects, and the drain starts.
    fn endpoints_follow(&mut self, color: Color) -> Option<String> {
        if self.held.map(|(color, _)| color) == Some(color) {
            return None;
        }
        self.seen.live_slices.clone_from(self.seen.color_slices.get(color));
        if !observe::endpoints(&self.seen, color).moved {
            return None;
        }
        self.held = Some((color, self.now));
        Some(format!("the endpoints of Service {} are only {color}'s pods now", self.seen.app.name_any()))
    }

    /// Completes the Job of a check: a plan is what happens when nothing fails.
    fn check_passes(&mut self) -> Option<String> {
        let jobs = self.seen.jobs.as_mut()?;
        let job = jobs.iter_mut().find(|job| observe::job_ended(job).is_none())?;
        let check = job.labels().get(desired::CHECK).cloned().unwrap_or_default();
        let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        Arc::make_mut(job).status = serde_json::from_value(complete).ok();
        Some(format!("assuming that the Job of check {check} passes"))
    }

    /// Completes the rollout of a color's Deployment.
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
        let stands_for_all = *self.pods.get(color) == Some(replicas);
        if is_done && (stands_for_all || usize::try_from(replicas).is_ok_and(|replicas| replicas == listed)) {
            return None;
        }
        Arc::make_mut(deployment).status = serde_json::from_value(json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        }))
        .ok();
        let template =
            deployment.spec.as_ref().and_then(|spec| spec.template.spec.clone()).unwrap_or_default();
        let ports = listed_ports(&desired::listings(&self.seen.app.spec), &template);
        let slice = slice(&format!("{app}-{color}"), &number, replicas.min(LISTED), &ports);
        *self.pods.get_mut(color) = (replicas > LISTED).then_some(replicas);
        *self.seen.color_slices.get_mut(color) = slice.into_iter().map(Arc::new).collect();
        if self.status().active == Some(color) && !self.seen.live_slices.is_empty() {
            self.seen.live_slices.clone_from(self.seen.color_slices.get(color));
        }
        Some(match replicas {
            0 => format!("{color}'s pods are terminated"),
            1 => format!("{color}'s pod is ready, and is an endpoint of Service {app}-{color}"),
            _ => format!("{color}'s {replicas} pods are ready, and are endpoints of Service {app}-{color}"),
        })
    }
}

/// The ports with which the EndpointSlice controller would list these pods.
fn listed_ports(ports: &[Listing], pods: &PodSpec) -> Vec<Value> {
    let named = |name: &String, protocol: &str| {
        let mut all = pods.containers.iter().flat_map(|container| container.ports.iter().flatten());
        let found = all.find(|port| {
            port.name.as_ref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
        });
        found.map(|port| port.container_port)
    };
    let listed = ports.iter().filter_map(|port| {
        let number = match &port.target {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => named(name, port.protocol)?,
        };
        Some(json!({"name": port.name, "port": number, "protocol": port.protocol}))
    });
    listed.collect()
}

fn slice(service: &str, revision: &str, count: i32, ports: &[Value]) -> Option<EndpointSlice> {
    let endpoint = |index: i32| {
        json!({
            "addresses": [format!("192.0.2.{index}")], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": format!("{service}-{revision}-{index}")},
        })
    };
    let endpoints: Vec<Value> = (0..count).map(endpoint).collect();
    let labels = json!({"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"});
    serde_json::from_value(json!({
        "metadata": {"name": service, "labels": labels}, "addressType": "IPv4", "endpoints": endpoints,
        "ports": ports,
    }))
    .ok()
}
