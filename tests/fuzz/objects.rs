//! An app that serves, with everything around it, as JSON; and what may be put into it.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::desired::{self, Asked, LiveService, Stored, names};
use bluegreen_core::observe::{Proof, Snapshot};
use bluegreen_core::plan::Run;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::PartialObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const TOKEN: &str = "0a1b2c3d.3.0";

/// When everything began.
const START: &str = "2026-01-01T00:00:00Z";

/// All objects of one app.
#[derive(Clone, Debug)]
pub struct Objects {
    pub app: Value,
    pub service: Value,
    color_services: PerColor<Value>,
    pub deployments: PerColor<Value>,
    pub revisions: Vec<Value>,
    pub live_slice: Value,
    slices: PerColor<Value>,
    replica_sets: PerColor<Value>,
    pods: PerColor<Vec<Value>>,
    pub jobs: Vec<Value>,
}

fn app(u: &mut Unstructured<'_>) -> Result<Value> {
    let replicas = u.int_in_range(1..=3)?;
    let policy = if u.ratio(1, 4)? { "RollingUpdate" } else { "Freeze" };
    let mut app = json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "n", "uid": "app", "generation": 4, "resourceVersion": "9"},
        "spec": {
            "active": "blue", "image": "team/hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
            "replicas": replicas, "port": 8080, "drainSeconds": 30, "activeUpdatePolicy": policy,
            "service": {"type": "ClusterIP"},
            "template": {"metadata": {"labels": {"team": "a"}}, "spec": {"containers": [
                {"name": "app", "resources": {"requests": {"cpu": "100m"}}, "env": [{"name": "A", "value": "b"}]},
                {"name": "sidecar", "image": "team/sidecar:v1"},
            ]}},
        },
        "status": {
            "observedGeneration": 4, "active": "blue", "phase": "Stable", "selector": "", "replicas": replicas,
            "blue": {"image": "team/hello:v1", "revision": 1, "servedRevision": 1, "replicas": replicas,
                     "readyReplicas": replicas, "endpoints": replicas},
            "history": [],
            "conditions": [{"type": "Ready", "status": "True", "reason": "Serving", "message": "serves",
                            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 4}],
        },
    });
    if u.ratio(1, 2)? {
        check(u, &mut app)?;
    }
    Ok(app)
}

/// A switch to green is under way, with a check of each kind.
fn check(u: &mut Unstructured<'_>, app: &mut Value) -> Result<()> {
    app["spec"]["active"] = json!("green");
    app["spec"]["checks"] = json!([
        {"name": "smoke", "when": "Before", "job": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "c", "image": "x", "env": [{"name": "A", "value": "$(BLUEGREEN_URL)"}]}]}}}},
        {"name": "answers", "when": "Before", "http": {"path": "/x", "status": "200-299", "httpHeaders": [
            {"name": "A", "value": "b"}]}},
        {"name": "errors", "when": "After", "prometheus": {"address": "http://prom:9090", "query": "up", "max": "1",
            "tokenSecret": {"name": "s", "key": "k"}}},
    ]);
    app["status"]["switch"] = json!({"from": "blue", "to": "green", "startedAt": START, "generation": 4});
    let of = |name: &str, when: &str, result: &str| {
        json!({"name": name, "when": when, "color": "green", "revision": 1, "generation": 4, "hash": "h",
            "attempts": 1, "result": result, "startedAt": START, "message": "m"})
    };
    let result = *u.choose(&["Running", "Passed", "Failed", "Inconclusive"])?;
    app["status"]["checks"] = json!([of("smoke", "Before", result), of("errors", "After", "Running")]);
    if u.ratio(1, 3)? {
        app["status"]["rejected"] = json!({"color": "green", "revision": 1, "block": "b", "checks": "c",
            "check": "smoke", "when": "Before", "result": "Failed", "message": "m", "at": START});
    }
    Ok(())
}

/// The first Job of each check, which has ended in one way or another.
fn jobs(u: &mut Unstructured<'_>, app: &BlueGreenApp) -> Result<Vec<Value>> {
    let run = Run { color: Color::Green, revision: 1, generation: 4, open: true, guarded: true };
    let asked = Asked { image: "team/hello:v2", address: Some("10.0.0.9"), checker: "operator" };
    let mut jobs = Vec::new();
    for check in &app.spec.checks {
        let mut job = desired::job(app, &run, check, 1, &asked);
        let type_ = *u.choose(&["Complete", "Failed", "Suspended"])?;
        let reason = *u.choose(&["PodFailurePolicy", "BackoffLimitExceeded"])?;
        let condition = json!({"type": type_, "status": "True", "reason": reason, "message": "m"});
        job["status"] = json!({"conditions": [condition]});
        jobs.push(job);
    }
    Ok(jobs)
}

fn owned(name: &str, uid: &str, by: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "x", "metadata": {
        "name": name, "uid": uid, "labels": { (names::REVISION): "1" },
        "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "x", "name": by, "uid": by, "controller": true }],
    } })
}

fn slice(pods: &[Value]) -> Value {
    let endpoint = |pod: &Value| {
        json!({ "addresses": ["10.0.0.1"], "conditions": {"ready": true}, "nodeName": "node-1",
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]} })
    };
    let labels = json!({"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"});
    json!({ "addressType": "IPv4", "metadata": {"name": "s", "labels": labels}, "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}] })
}

impl Objects {
    /// Blue serves and green waits; all is as the operator and Kubernetes would have made it.
    pub fn serving(u: &mut Unstructured<'_>) -> Result<Self> {
        let app = app(u)?;
        let real: BlueGreenApp = serde_json::from_value(app.clone()).unwrap();
        let count = real.spec.replicas;
        let jobs = jobs(u, &real)?;
        let live = LiveService {
            selects: Some(Color::Blue),
            active: Some(Color::Blue),
            served: PerColor { blue: Some(1), green: None },
            fence: TOKEN,
            operator: "system/operator",
            had: bluegreen_api::ServiceStatus::default(),
        };
        let stored = |color| Stored { number: 1, rendered: desired::render(&real, color).unwrap() };
        let pods = PerColor::from_fn(|color| {
            (0..count)
                .map(|n| owned(&format!("{color}-{n}"), &format!("{color}-{n}"), &format!("{color}-set")))
                .collect::<Vec<_>>()
        });
        Ok(Self {
            service: desired::live_service(&real, &live),
            color_services: PerColor::from_fn(|color| desired::color_service(&real, color, false)),
            deployments: PerColor::from_fn(|color| {
                let mut body = desired::deployment(&real, color, &stored(color), count, TOKEN);
                (body["metadata"]["uid"], body["metadata"]["generation"]) = (json!(color), json!(2));
                body["status"] = json!({
                    "observedGeneration": 2, "replicas": count, "updatedReplicas": count, "readyReplicas": count,
                    "availableReplicas": count,
                    "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
                });
                body
            }),
            revisions: Color::ALL
                .map(|color| desired::revision(&real, color, 1, &stored(color).rendered))
                .to_vec(),
            live_slice: slice(&pods.blue),
            slices: PerColor { blue: slice(&pods.blue), green: slice(&pods.green) },
            replica_sets: PerColor::from_fn(|color| {
                owned(&format!("{color}-set"), &format!("{color}-set"), color.as_str())
            }),
            pods,
            jobs,
            app,
        })
    }

    /// Puts anything anywhere, up to six times.
    pub fn spoil(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        for _ in 0..u.int_in_range(1..=6)? {
            let mut all: Vec<&mut Value> = vec![&mut self.app, &mut self.service, &mut self.live_slice];
            all.extend(&mut self.revisions);
            all.extend(&mut self.jobs);
            for part in
                [&mut self.color_services, &mut self.deployments, &mut self.slices, &mut self.replica_sets]
            {
                let PerColor { blue, green } = part;
                all.extend([blue, green]);
            }
            all.extend(self.pods.blue.iter_mut().chain(&mut self.pods.green));
            let index = if u.ratio(1, 2)? { 0 } else { u.choose_index(all.len())? };
            spoil(u, all.swap_remove(index), 0)?;
        }
        Ok(())
    }

    /// Puts anything anywhere in the spec; what identifies the app stays.
    pub fn spoil_spec(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        for _ in 0..u.int_in_range(1..=6)? {
            spoil(u, &mut self.app["spec"], 0)?;
        }
        self.app["metadata"]["generation"] = json!(5);
        Ok(())
    }

    /// As the operator reads them: a child that can't be decoded is none. `None`: the app can't be.
    pub fn decode(&self) -> Option<Snapshot> {
        let app: BlueGreenApp = from(&self.app)?;
        let some = |slice: &Value| from::<EndpointSlice>(slice).map(Arc::new).into_iter().collect::<Vec<_>>();
        let proof = |color: Color| Proof {
            replica_sets: from::<PartialObjectMeta<ReplicaSet>>(self.replica_sets.get(color))
                .into_iter()
                .collect(),
            pods: self.pods.get(color).iter().filter_map(from::<PartialObjectMeta<Pod>>).collect(),
        };
        let revisions = self.revisions.iter().filter_map(from).map(Arc::new);
        Some(Snapshot {
            stored: Snapshot::sort_revisions(&app, revisions),
            service: from(&self.service).map(Arc::new),
            preview: None,
            color_services: PerColor::from_fn(|color| from(self.color_services.get(color)).map(Arc::new)),
            deployments: PerColor::from_fn(|color| from(self.deployments.get(color)).map(Arc::new)),
            live_slices: some(&self.live_slice),
            jobs: Some(self.jobs.iter().filter_map(from).map(Arc::new).collect()),
            color_slices: PerColor::from_fn(|color| some(self.slices.get(color))),
            proof: PerColor::from_fn(|color| Some(proof(color))),
            app: Arc::new(app),
        })
    }
}

fn from<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// Goes down somewhere, and puts anything there.
pub fn spoil(u: &mut Unstructured<'_>, value: &mut Value, depth: u32) -> Result<()> {
    let stop = depth > 0 && u.ratio(1, 6)?;
    match value {
        Value::Object(fields) if !fields.is_empty() && !stop => {
            if u.ratio(1, 12)? {
                let name = *u.choose(&[
                    "env", "digest", "image", "revision", "standby", "paused", "maxSurge", "green", "exec",
                    "volumes", "extra",
                ])?;
                fields.insert(name.to_owned(), anything(u, 2)?);
                return Ok(());
            }
            let index = u.choose_index(fields.len())?;
            let name = fields.keys().nth(index).cloned().unwrap_or_default();
            if u.ratio(1, 12)? {
                fields.remove(&name);
            } else if let Some(field) = fields.get_mut(&name) {
                spoil(u, field, depth + 1)?;
            }
        }
        Value::Array(items) if !items.is_empty() && !stop => {
            let index = u.choose_index(items.len())?;
            if u.ratio(1, 6)? {
                items.push(items[index].clone());
            } else {
                spoil(u, &mut items[index], depth + 1)?;
            }
        }
        // Mostly of the same type, or little would be decoded.
        Value::Number(_) if u.ratio(3, 4)? => *value = number(u)?,
        Value::String(_) if u.ratio(3, 4)? => *value = json!(string(u)?),
        Value::Bool(is) if u.ratio(3, 4)? => *is = !*is,
        other => *other = anything(u, 2)?,
    }
    Ok(())
}

/// Any JSON, not too deep.
pub fn anything(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 3 } else { 5 })? {
        0 => Value::Null,
        1 => json!(u.arbitrary::<bool>()?),
        2 => number(u)?,
        3 => json!(string(u)?),
        4 => (0..u.int_in_range(0..=3)?).map(|_| anything(u, depth - 1)).collect::<Result<Value>>()?,
        _ => {
            let mut fields = serde_json::Map::new();
            for _ in 0..u.int_in_range(0..=3)? {
                fields.insert(string(u)?, anything(u, depth - 1)?);
            }
            Value::Object(fields)
        }
    })
}

fn number(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=9)? {
        0..=3 => json!(u.int_in_range(0..=4_i64)?),
        4 => json!(i32::MAX),
        5 => json!(i32::MIN),
        6 => json!(u.arbitrary::<i64>()?),
        7 => json!(u64::MAX),
        8 => json!(u.arbitrary::<f64>()?),
        _ => json!(u.arbitrary::<i32>()?),
    })
}

fn string(u: &mut Unstructured<'_>) -> Result<String> {
    let known = [
        "",
        "blue",
        "green",
        "none",
        "v1",
        "v2",
        "1",
        "app",
        "25%",
        "0%",
        "9999999999999999999",
        "hello",
        "RollingUpdate",
        "Local",
        "NodePort",
        "LoadBalancer",
        "2026-01-01T00:00:00Z",
        "0a1b2c3d.9.9",
        "0a1b2c3d.3.4294967296",
        "bluegreen.dev/color",
        "\u{0}",
        "\u{1F4A5}",
    ];
    match u.int_in_range(0..=7)? {
        0 => u.arbitrary(),
        1 => Ok("x".repeat(u.int_in_range(1..=5_000)?)),
        _ => Ok((*u.choose(&known)?).to_owned()),
    }
}
