//! An app at rest: the operator reads its caches and sends nothing.

use bluegreen_api::Color;
use serde_json::json;

use crate::rig::{Rig, spec, spec_with};

/// Passes of an app at rest; each resync makes one.
const PASSES: usize = 20;

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
