//! The smallest app, and what the operator renders of it.

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Stored, render};
use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

/// The smallest app, as it comes back from a cluster, with a JSON merge patch on its spec.
pub fn app(patch: Value) -> BlueGreenApp {
    let mut app: Value = serde_yaml_ng::from_str(include_str!("../golden_smallest.yaml")).unwrap();
    app["metadata"] = json!({
        "name": "hello",
        "namespace": "shop",
        "uid": "11111111-2222-3333-4444-555555555555",
        "labels": {"of-the-app": "never-copied"},
        "annotations": {"of-the-app": "never-copied"},
    });
    app["spec"].merge_from(patch);
    serde_json::from_value(app).unwrap()
}

pub fn stored_of(app: &BlueGreenApp, color: Color, number: i64) -> Stored {
    Stored { number, rendered: render(app, color).unwrap() }
}

pub fn template_of(app: &BlueGreenApp, color: Color) -> Value {
    render(app, color).unwrap().deployment["template"].take()
}
