//! Apps and transitions for tests.

use bluegreen_api::BlueGreenApp;
use serde_json::{Value, json};

use crate::detect::transitions;
use crate::transition::Transition;

/// The app `shop/hello` with this status.
pub fn app(status: &Value) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1",
        "kind": "BlueGreenApp",
        "metadata": {"namespace": "shop", "name": "hello", "uid": "u-1", "generation": 3},
        "spec": {"active": "blue", "image": "shop/hello", "blue": {"tag": "v1"}, "green": {"tag": "0a1b2c3d"}, "port": 80},
        "status": status,
    }))
    .unwrap()
}

/// An entry of the history: a switch to green, revision 2.
pub fn entry() -> Value {
    json!({
        "from": "blue", "to": "green", "image": "shop/hello:0a1b2c3d", "revision": 2, "generation": 3,
        "startedAt": "2026-01-01T10:00:00Z", "finishedAt": "2026-01-01T10:00:05Z",
    })
}

/// A check of green that ended like this.
pub fn check(result: &str) -> Value {
    json!({
        "name": "smoke", "when": "Before", "color": "green", "revision": 2, "generation": 3, "hash": "h", "attempts": 1,
        "result": result, "startedAt": "2026-01-01T09:59:00Z", "finishedAt": "2026-01-01T10:00:00Z", "message": "503 <!channel>",
    })
}

/// A condition that became True at this second.
pub fn condition(type_: &str, status: &str, reason: &str, second: u32) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": format!("{reason} in words"),
        "observedGeneration": 3, "lastTransitionTime": format!("2026-01-01T10:00:{second:02}Z"),
    })
}

/// The switch of [`entry`].
pub fn switched() -> Transition {
    transitions(&app(&json!({})), &app(&json!({"history": [entry()]}))).remove(0)
}
