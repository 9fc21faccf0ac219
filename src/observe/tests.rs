use serde_json::json;

use super::*;

/// A Service that is deleted right after a switch is created again from a status that does not know of the switch yet.
#[test]
fn a_service_that_forgot_what_served_is_reminded_by_the_status() {
    let app: BlueGreenApp = serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": { "name": "hello", "uid": "1" },
        "spec": { "active": "blue", "image": "team/hello", "port": 8080, "blue": { "tag": "v1" } },
        "status": { "green": { "servedRevision": 4, "image": "", "revision": 4, "replicas": 0, "readyReplicas": 0, "endpoints": 0 } },
    }))
    .unwrap();
    let service: Service = serde_json::from_value(json!({
        "metadata": {
            "name": "hello", "annotations": { "bluegreen.dev/served-blue": "2" },
            "ownerReferences": [{
                "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello", "uid": "1",
                "controller": true,
            }],
        },
    }))
    .unwrap();
    let seen = Snapshot {
        app: app.into(),
        service: Some(service.into()),
        color_services: PerColor::default(),
        deployments: PerColor::default(),
        stored: PerColor::default(),
        live_slices: Vec::new(),
        color_slices: PerColor::default(),
        proof: PerColor::default(),
    };
    let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
    let facts = observe(&seen, &token, Held::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(facts.service.ours().unwrap().served, PerColor { blue: Some(2), green: Some(4) });
}
