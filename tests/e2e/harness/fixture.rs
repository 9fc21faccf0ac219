//! Apps to test with, written as one sentence: `app("hello").replicas(3).drain(2)`.

use bluegreen_api::Color;
use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

/// A `BlueGreenApp` in the making.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name.
    pub name: String,
    spec: Value,
}

/// Blue `v1` serves, green `v2` waits; two pods each, a drain of one second, a ClusterIP Service (node ports
/// are few in a cluster that many tests share).
pub fn app(name: &str) -> App {
    let spec = json!({
        "active": "blue",
        "image": "team/hello",
        "blue": {"tag": "v1"},
        "green": {"tag": "v2"},
        "replicas": 2,
        "port": 8888,
        "drainSeconds": 1,
        "service": {"type": "ClusterIP"},
    });
    App { name: name.to_owned(), spec }
}

impl App {
    /// Leaves a color's block out.
    pub fn without(mut self, color: Color) -> Self {
        if let Some(spec) = self.spec.as_object_mut() {
            spec.remove(color.as_str());
        }
        self
    }

    /// `spec.replicas`.
    pub fn replicas(self, count: i32) -> Self {
        self.with(json!({"replicas": count}))
    }

    /// `spec.drainSeconds`.
    pub fn drain(self, seconds: i32) -> Self {
        self.with(json!({"drainSeconds": seconds}))
    }

    /// How simulated nodes treat the pods: see [`pods`].
    pub fn pods(self, behavior: Value) -> Self {
        self.with(pods(behavior))
    }

    /// Anything else, merged into the spec.
    pub fn with(mut self, patch: Value) -> Self {
        self.spec.merge_from(patch);
        self
    }

    /// The object.
    pub fn object(&self) -> Value {
        let Self { name, spec } = self;
        json!({
            "apiVersion": "bluegreen.dev/v1alpha1",
            "kind": "BlueGreenApp",
            "metadata": {"name": name},
            "spec": spec,
        })
    }
}

/// A check with a Job of its own; `behavior` is what simulated nodes do to its pod: `{"exit": "1"}`, or `{}` for a pod that
/// runs until a test ends it.
pub fn check(name: &str, when: &str, behavior: &Value) -> Value {
    let mut template = pods(behavior.clone())["template"].take();
    template["spec"] = json!({"containers": [{"name": "c", "image": "team/check:1"}]});
    json!({"name": name, "when": when, "job": {"template": template}})
}

/// A change of the spec after which simulated nodes treat new pods in this way: `{"ready": "never"}`,
/// `{"ready-after": "2s"}`, `{"stop-after": "3s"}`; `null` takes one back.
pub fn pods(behavior: Value) -> Value {
    let mut annotations = serde_json::Map::new();
    for (key, value) in behavior.as_object().into_iter().flatten() {
        annotations.insert(format!("test.bluegreen.dev/{key}"), value.clone());
    }
    json!({"template": {"metadata": {"annotations": annotations}}})
}
