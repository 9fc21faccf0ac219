//! What the status records of a drain, and when it counts.

use std::sync::Arc;

use serde_json::json;

use super::tests::{service, with_status};
use super::*;
use bluegreen_api::Color;

#[test]
fn what_is_recorded_of_a_drain_counts_for_the_same_switch_and_service_and_never_as_all_of_it() {
    let counts = |passed: i32, live: Color, version: Option<&str>| {
        let drain = json!({"passedSeconds": passed, "serviceVersion": "7"});
        let switch =
            json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:00Z", "drain": drain});
        let mut seen = with_status(json!({"active": "blue", "switch": switch}));
        Arc::make_mut(&mut seen.app).spec.drain_seconds = 60;
        seen.service = version.map(|version| Arc::new(service(json!({"resourceVersion": version}))));
        drained(&seen, live).as_secs()
    };
    assert_eq!(counts(45, Color::Blue, Some("7")), 45);
    assert_eq!(counts(45, Color::Blue, Some("8")), 0, "somebody has written the Service");
    assert_eq!(counts(45, Color::Blue, None), 0, "there is no Service");
    assert_eq!(counts(45, Color::Green, Some("7")), 0, "it is about a switch to another color");
    assert_eq!(counts(600, Color::Blue, Some("7")), 45, "each leader waits for the last quarter itself");
    assert_eq!(counts(-5, Color::Blue, Some("7")), 0);
}
