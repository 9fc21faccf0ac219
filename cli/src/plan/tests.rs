//! Does a plan do to the objects what the operator would do?

use std::sync::Arc;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{block_hash, checks_hash, names};
use bluegreen_core::observe::Snapshot;
use bluegreen_core::plan::Action;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::World;
use super::{Start, Who, foresee, play};

fn app(green: &str) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"},
        "spec": {"active": "blue", "image": "team/hello", "blue": {"tag": "v1"}, "green": {"tag": green},
            "replicas": 3, "port": 8888},
    }))
    .unwrap()
}

/// All that the app asks for is there.
fn settled() -> Snapshot {
    let mut world = World::empty(app("v2"), Timestamp::UNIX_EPOCH);
    play(&mut world);
    world.seen
}

/// The Deployment's labels tell what its pods were rendered from, so that the edit is still seen as one.
#[test]
fn an_edit_that_came_with_the_loss_of_the_revision_is_rolled_out() {
    let mut seen = settled();
    seen.stored.green.clear();
    let foreseen = foresee(Start::Seen(Box::new(seen)), app("v3"), Timestamp::UNIX_EPOCH).unwrap();
    let steps: Vec<&str> = foreseen
        .steps
        .iter()
        .filter(|step| step.who == Who::Operator)
        .map(|step| step.what.as_str())
        .collect();
    let position = |words: &str| steps.iter().position(|step| step.contains(words));
    let order = ["was lost", "revision 2", "updates Deployment hello-green to revision 2"].map(position);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}: {steps:#?}");
}

/// A manifest may ask for more pods than there is memory for objects. It is a mistake of a person or of a merge request.
#[test]
fn a_plan_for_two_billion_pods_makes_no_object_for_each() {
    let mut wanted = app("v2");
    wanted.spec.replicas = i32::MAX;
    wanted.spec.active = Color::Green;
    let foreseen = foresee(Start::Seen(Box::new(settled())), wanted, Timestamp::UNIX_EPOCH).unwrap();
    assert!(foreseen.good, "{foreseen:#?}");
    assert_eq!(foreseen.after, "green (team/hello:v2) is live");
    let ready = "green's 2147483647 pods are ready, and are endpoints of Service hello-green";
    assert!(foreseen.steps.iter().any(|step| step.what == ready), "{foreseen:#?}");
}

/// The port that the pods lack is foreseen, and not only met at the switch.
#[test]
fn a_port_that_no_container_of_the_target_has_is_foreseen() {
    let mut wanted = app("v2");
    wanted.spec.active = Color::Green;
    let extra = json!([{"name": "grpc", "port": 9090, "targetPort": "grpc"}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    wanted.spec.service.extra_ports = serde_json::from_value(extra).unwrap();
    let foreseen = foresee(Start::Seen(Box::new(settled())), wanted.clone(), Timestamp::UNIX_EPOCH).unwrap();
    assert!(!foreseen.good, "{foreseen:#?}");
    assert!(foreseen.end.contains("with port grpc (targetPort grpc, TCP)"), "{foreseen:#?}");
    let template = json!({"spec": {"containers": [{"name": "app", "ports": [{"name": "grpc", "containerPort": 9090}]}]}});
    wanted.spec.template = serde_json::from_value(template).unwrap();
    let foreseen = foresee(Start::Seen(Box::new(settled())), wanted, Timestamp::UNIX_EPOCH).unwrap();
    assert!(foreseen.good, "{foreseen:#?}");
}

/// What was tested on green is replaced by what was not: the plan says so before it happens.
#[test]
fn a_shared_edit_that_comes_with_the_switch_is_pointed_out() {
    let mut wanted = app("v2");
    wanted.spec.active = Color::Green;
    wanted.spec.port = 9999;
    let foreseen = foresee(Start::Seen(Box::new(settled())), wanted, Timestamp::UNIX_EPOCH).unwrap();
    let steps: Vec<&str> = foreseen.steps.iter().map(|step| step.what.as_str()).collect();
    let stores = steps.iter().find(|step| step.starts_with("stores revision 2 of green")).unwrap();
    for words in ["rendered anew as revision 2 with the switch", "ports", "set spec.active to blue"] {
        assert!(stores.contains(words), "{stores}");
    }
}

/// A check has refused green before the switch, so blue is to stay live, and no switch replaces green's pods.
#[test]
fn a_shared_edit_after_a_check_has_refused_the_switch_comes_with_no_switch() {
    let mut wanted = app("v2");
    wanted.spec.active = Color::Green;
    wanted.spec.checks =
        serde_json::from_value(json!([{"name": "smoke", "when": "Before", "http": {}}])).unwrap();
    let mut world = World::seen(settled(), Timestamp::UNIX_EPOCH);
    world.edit(wanted.spec.clone());
    let mut refused = world.status();
    refused.rejected = serde_json::from_value(json!({
        "color": "green", "revision": 1, "block": block_hash(&wanted.spec, Color::Green),
        "checks": checks_hash(&wanted.spec), "check": "smoke", "when": "Before", "result": "Failed", "generation": 2,
        "at": Timestamp::UNIX_EPOCH,
    }))
    .unwrap();
    Arc::make_mut(&mut world.seen.app).status = Some(refused);

    wanted.spec.port = 9999;
    let start = Start::Seen(Box::new(world.seen));
    let foreseen = foresee(start, wanted, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(foreseen.after, "blue (team/hello:v1) is live");
    let steps: Vec<&str> = foreseen.steps.iter().map(|step| step.what.as_str()).collect();
    assert!(steps.contains(&"stores revision 2 of green (team/hello:v2)"), "{steps:#?}");
}

/// A plan takes over what others own, as the operator does, and ends.
#[test]
fn an_edit_of_pods_to_which_somebody_added_a_variable_is_rolled_out() {
    let mut seen = settled();
    let mut green = serde_json::to_value(seen.deployments.green.as_deref()).unwrap();
    green["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "B", "value": "1"}]);
    let owned = json!({"f:containers": {r#"k:{"name":"app"}"#: {"f:env": {r#"k:{"name":"B"}"#: {}}}}});
    green["metadata"]["managedFields"] = json!([{
        "manager": "kubectl-set", "operation": "Update", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": owned}}},
    }]);
    seen.deployments.green = Some(Arc::new(serde_json::from_value(green).unwrap()));
    let foreseen = foresee(Start::Seen(Box::new(seen)), app("v3"), Timestamp::UNIX_EPOCH).unwrap();
    assert!(foreseen.good, "{foreseen:#?}");
}

/// A Service that a person handed over sends its traffic where it did until a color is selected.
#[test]
fn a_service_that_was_handed_over_keeps_its_targets_until_the_switch() {
    let mut world = World::empty(app("v2"), Timestamp::UNIX_EPOCH);
    let service = json!({
        "metadata": {"name": "hello", "annotations": {(names::ADOPT): "hello"}},
        "spec": {"selector": {"team": "ours"}, "ports": [{"port": 8888, "protocol": "TCP", "targetPort": 9999}]},
    });
    world.seen.service = Some(Arc::new(serde_json::from_value(service).unwrap()));
    let says = |world: &World| -> Value { serde_json::to_value(world.seen.service.as_deref()).unwrap() };
    let (facts, _) = world.plan();
    world.act(&facts, &Action::UpdateService);
    let service = says(&world);
    assert_eq!(service["spec"]["selector"], json!({"team": "ours"}));
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 9999);
    assert_eq!(service["metadata"]["labels"][names::APP], "hello", "it was updated");

    play(&mut world);
    let service = says(&world);
    assert_eq!(service["spec"]["selector"], json!({names::APP: "hello", names::COLOR: "blue"}));
    assert_ne!(service["spec"]["ports"][0]["targetPort"], 9999);
}

/// A stamp declares nothing but the token.
#[test]
fn a_stamp_leaves_everything_else_as_it_is() {
    let mut world = World::seen(settled(), Timestamp::UNIX_EPOCH);
    let bare = |world: &World| {
        let mut objects = json!([world.seen.service.as_deref(), world.seen.deployments.blue.as_deref()]);
        for object in objects.as_array_mut().unwrap() {
            object["metadata"]["labels"].as_object_mut().unwrap().remove(names::FENCE).unwrap();
        }
        objects
    };
    let before = bare(&world);
    let (facts, _) = world.plan();
    world.act(&facts, &Action::Fence { service: true, colors: Color::ALL.to_vec() });
    assert_eq!(bare(&world), before);
}

#[test]
fn a_removed_color_leaves_nothing() {
    let mut world = World::seen(settled(), Timestamp::UNIX_EPOCH);
    let (facts, _) = world.plan();
    world.act(&facts, &Action::RemoveColor(Color::Green));
    let Snapshot { color_services, deployments, stored, color_slices, .. } = &world.seen;
    assert!(color_services.green.is_none() && deployments.green.is_none());
    assert!(stored.green.is_empty() && color_slices.green.is_empty());
    assert!(color_services.blue.is_some() && deployments.blue.is_some() && !stored.blue.is_empty());
}

/// With checks, too, a plan is what happens when nothing fails; it says what is checked, and when.
#[test]
fn a_plan_says_which_checks_run_before_the_switch_and_after_it() {
    let mut wanted = app("v2");
    wanted.spec.active = Color::Green;
    let job = json!({"template": {"spec": {"containers": [{"name": "c", "image": "team/smoke:1"}]}}});
    wanted.spec.checks = serde_json::from_value(json!([
        {"name": "smoke", "when": "Before", "job": job}, {"name": "answers", "when": "After", "http": {}},
        {"name": "tries", "when": "Before", "enforce": false, "http": {}},
    ]))
    .unwrap();
    let mut before = settled();
    before.jobs = None;
    for start in [Start::Seen(Box::new(before)), Start::settled(app("v2"))] {
        let foreseen = foresee(start, wanted.clone(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(foreseen.good, "{foreseen:#?}");
        assert_eq!(foreseen.after, "green (team/hello:v2) is live");
        let steps: Vec<&str> = foreseen.steps.iter().map(|step| step.what.as_str()).collect();
        let position = |words: &str| steps.iter().position(|step| step.contains(words));
        let order = [
            "creates the Job of check smoke, which gates the switch to green",
            "assuming that the Job of check smoke passes",
            "switches Service hello from blue to green",
            "creates the Job of check answers, which guards the switch to green",
            "assuming that the Job of check answers passes",
        ]
        .map(position);
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}: {steps:#?}");
        assert!(position("creates the Job of check tries, which only reports").is_some(), "{steps:#?}");
    }
}
