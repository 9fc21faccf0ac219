//! An app at rest: the operator reads its caches and sends nothing.

use std::time::Duration;

use bluegreen_api::Color;
use serde_json::{Value, json};

use crate::rig::{Rig, spec, spec_with};

/// Passes of an app at rest; each resync makes one.
const PASSES: usize = 20;

/// The CPU time of one pass over the largest app that is allowed. A pass holds a worker, and with it everybody's apps. The
/// release build needs a fraction of what the tests' build does.
const BUDGET: Duration = Duration::from_millis(400);

async fn stays_quiet(rig: &mut Rig) {
    let _ = rig.server.take_log();
    for _ in 0..PASSES {
        rig.pass().await;
        rig.step();
    }
    let requests: Vec<String> = rig.server.take_log().iter().map(|logged| logged.words()).collect();
    assert_eq!(requests, [""; 0]);
}

#[tokio::test]
async fn an_app_at_rest_causes_no_request() {
    for spec in [
        spec(),
        spec_with(json!({ "standby": { "replicas": 0 } })),
        spec_with(json!({ "service": { "type": "NodePort" } })),
        spec_with(
            json!({ "service": { "type": "ClusterIP", "preview": true, "internalTrafficPolicy": "Cluster",
            "extraPorts": [{ "name": "dns", "port": 53, "protocol": "UDP" }] } }),
        ),
        spec_with(
            json!({ "commonMetadata": { "labels": { "team": "a" }, "annotations": { "example.com/x": "y" } } }),
        ),
        spec_with(json!({ "template": { "spec": { "serviceAccountName": "hello" } } })),
    ] {
        let mut rig = Rig::serving(spec).await;
        stays_quiet(&mut rig).await;
        rig.activate(Color::Green);
        rig.settle().await;
        assert_eq!(rig.status().active, Some(Color::Green));
        stays_quiet(&mut rig).await;
        rig.finish();
    }
}

/// How long this thread has run on a CPU: a busy machine makes no difference.
fn used() -> Duration {
    // The kernel adds up a thread's time when it leaves the CPU.
    std::thread::sleep(Duration::from_micros(50));
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_pass_over_the_largest_app_that_is_allowed_is_within_its_budget() {
    // Two lists as long as one may be: all variables together may not be more.
    let variables: Vec<Value> =
        (0..1024).map(|number| json!({ "name": format!("A{number}"), "value": "x".repeat(80) })).collect();
    let mut rig = Rig::serving(spec_with(json!({ "template": { "spec": { "containers": [
        { "name": "app", "env": variables },
        { "name": "side", "image": "side", "env": variables },
    ] } } })))
    .await;
    // Only what the operator does with what its caches hold.
    rig.operator.lags = true;
    let mut least = Duration::MAX;
    for _ in 0..PASSES {
        let start = used();
        rig.pass().await;
        least = least.min(used().saturating_sub(start));
    }
    println!("one pass over the largest app: {least:?}");
    assert!(least <= BUDGET, "{least:?}");
    rig.finish();
}
