//! What becomes of `spec.template`.

use std::time::Duration;

use bluegreen_api::Color::Green;
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{Rig, spec, spec_with};

/// The definition in the cluster may be older than the rule. An apply of this template would be answered with 500.
#[tokio::test]
async fn an_item_that_a_list_has_twice_is_told_with_its_path_and_nothing_is_written() {
    let mut rig = Rig::serving(spec()).await;
    let ports = json!([{ "containerPort": 9090 }, { "containerPort": 9090, "protocol": "TCP" }]);
    rig.edit(|spec| {
        spec["template"] = json!({ "spec": { "containers": [{ "name": "app", "ports": ports }] } });
        spec["green"]["tag"] = json!("v3");
    });
    rig.run(Duration::from_secs(2)).await;
    assert_eq!(rig.says("Stalled"), "True/InvalidSpec");
    let told = rig.condition("Stalled").message;
    assert!(told.contains("spec.template.spec.containers[0].ports: `9090/TCP` is there twice"), "{told}");
    assert!(rig.runs(Green, "v2"));
}

/// The names of the variables of a color's container, in their order.
fn variables(rig: &Rig) -> Vec<Value> {
    let deployment = rig.server.get(Kind::Deployment, "hello-green").unwrap();
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    env.as_array().unwrap().iter().map(|variable| variable["name"].clone()).collect()
}

#[tokio::test]
async fn the_order_of_variables_that_an_earlier_release_rendered_makes_no_revision() {
    let env = json!([{ "name": "URL", "value": "http://$(SLOT)" }]);
    let mut rig = Rig::serving(spec_with(json!({
        "template": { "spec": { "containers": [{ "name": "app", "env": env }] } },
        "green": { "tag": "v2", "env": [{ "name": "SLOT", "value": "green" }] },
    })))
    .await;
    assert_eq!(variables(&rig), ["SLOT", "URL"]);
    let earlier = |template: &mut Value| {
        template["spec"]["containers"][0]["env"].as_array_mut().unwrap().reverse();
    };
    rig.server.edit(Kind::Deployment, "hello-green", |object| earlier(&mut object["spec"]["template"]));
    rig.server.edit(Kind::Revision, "hello-green-1", |object| {
        earlier(&mut object["data"]["deployment"]["template"])
    });
    rig.settle().await;
    rig.restart();
    rig.settle().await;
    assert_eq!(variables(&rig), ["URL", "SLOT"]);
    assert_eq!(rig.status().green.unwrap().revision, 1);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    assert_eq!(rig.status().green.unwrap().revision, 2);
    rig.finish();
}
