//! Objects into which somebody has written what the operator can't read, though the API server takes it.

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Kind, Server};
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec};

/// Go's last time, a day after the last one that this operator can hold.
const FAR: &str = "9999-12-31T23:59:59Z";

/// What a person needs to find it.
const FIELD: &str = "(spec.template.metadata.creationTimestamp: ";

fn poison(server: &Server, deployment: &str) {
    server.edit(Kind::Deployment, deployment, |deployment| {
        deployment["spec"]["template"]["metadata"]["creationTimestamp"] = json!(FAR);
    });
}

fn undo(server: &Server, deployment: &str) {
    server.edit(Kind::Deployment, deployment, |deployment| {
        deployment["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    });
}

/// What somebody wrote: everything but what the controllers write.
fn declared(server: &Server, deployment: &str) -> (Value, Value) {
    let object = server.get(Kind::Deployment, deployment).unwrap();
    (object["spec"].clone(), object["metadata"]["managedFields"].clone())
}

async fn serving() -> Rig {
    let mut rig = Rig::new(spec());
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    rig
}

#[tokio::test]
async fn a_child_that_cannot_be_read_is_named_and_left_alone_until_the_edit_is_undone() {
    for color in ["hello-blue", "hello-green"] {
        let mut rig = serving().await;
        poison(&rig.server, color);
        let poisoned = declared(&rig.server, color);
        rig.settle().await;
        assert_eq!(rig.says("Stalled"), "True/Unreadable");
        let words = rig.condition("Stalled").message;
        assert!(
            words.starts_with(&format!("Deployment {color} holds a value")) && words.contains(FIELD),
            "{words}"
        );
        assert_eq!(declared(&rig.server, color), poisoned, "it is left alone");
        assert_eq!(rig.world().selects(APP), "blue", "traffic goes on");

        undo(&rig.server, color);
        rig.settle().await;
        assert_eq!(rig.says("Ready"), "True/Serving");
        rig.finish();
    }
}

#[tokio::test]
async fn traffic_moves_away_from_a_color_that_cannot_be_read() {
    let mut rig = serving().await;
    poison(&rig.server, "hello-blue");
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.status().active, Some(Green), "{:#}", rig.app()["status"]);
    assert_eq!(rig.says("StandbyReady"), "False/NotReady");
    undo(&rig.server, "hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// Whoever may patch an app may write this into it.
#[tokio::test]
async fn field_managers_that_cannot_be_held_stop_nothing() {
    let mut rig = serving().await;
    let entry = json!({ "manager": "x", "operation": "Update", "apiVersion": "v1", "time": FAR,
        "fieldsType": "FieldsV1", "fieldsV1": { "f:metadata": {} } });
    for (kind, name) in [(Kind::App, APP), (Kind::Deployment, "hello-green"), (Kind::Service, APP)] {
        rig.server.edit(kind, name, |object| {
            let managers = &mut object["metadata"]["managedFields"];
            *managers =
                managers.as_array().cloned().unwrap_or_default().into_iter().chain([entry.clone()]).collect();
        });
    }
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert_eq!(rig.status().active, Some(Green), "{:#}", rig.app()["status"]);
    let deployment = rig.server.get(Kind::Deployment, "hello-green").unwrap();
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "team/hello:v3");
    assert_eq!((rig.says("Ready"), rig.says("StandbyReady")), ("True/Serving".into(), "True/Warm".into()));
    rig.finish();
}
