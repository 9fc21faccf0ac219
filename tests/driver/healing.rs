//! What people do to children by hand.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Verb};
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

/// All is as it was at first: blue `v1` serves, green `v2` is warm.
fn is_as_before(rig: &Rig) {
    let world = rig.world();
    assert!(world.serves(APP, Blue), "{:#}", rig.app()["status"]);
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    assert!(rig.runs(Blue, "v1") && rig.runs(Green, "v2"));
    for color in [Blue, Green] {
        assert!(world.size(APP, color) == Some(2) && world.rolled_out(APP, color), "{color}");
    }
}

#[tokio::test]
async fn a_selector_that_somebody_edited_is_put_back_in_the_next_pass() {
    let mut rig = Rig::serving(spec()).await;
    let selector = |patch: Value| json!({ "spec": { "selector": patch } });
    for edit in [
        selector(json!({ "bluegreen.dev/color": "green" })),
        // Without it, both colors would serve.
        selector(json!({ "bluegreen.dev/color": null })),
        selector(json!({ "bluegreen.dev/app": "another" })),
        selector(json!({ "tier": "web" })),
        selector(json!({ "bluegreen.dev/color": "none" })),
        selector(Value::Null),
        // The record of what was committed, together with the selector.
        json!({
            "metadata": { "annotations": { "bluegreen.dev/active": "green" } },
            "spec": { "selector": { "bluegreen.dev/color": "green" } },
        }),
    ] {
        rig.server.patch(Kind::Service, APP, &edit);
        rig.pass().await;
        assert_eq!(rig.world().selects(APP), "blue", "after {edit}");
        rig.settle().await;
        is_as_before(&rig);
        // Else it would be taken for a fight.
        rig.advance(Duration::from_secs(60));
    }
    assert_eq!(rig.switches(), [Blue]);
    let events = rig.events().await;
    assert!(events.iter().any(|event| event.starts_with("Warning SelectorRestored:")), "{events:?}");
    rig.finish();
}

#[tokio::test]
async fn a_live_service_that_was_deleted_comes_back_with_its_addresses() {
    let mut rig = Rig::serving(spec_with(json!({ "service": { "type": "NodePort" } }))).await;
    let addresses = |rig: &Rig| {
        let service = rig.server.get(Kind::Service, APP).unwrap();
        (service["spec"]["clusterIP"].clone(), service["spec"]["ports"][0]["nodePort"].clone())
    };
    let before = addresses(&rig);
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    is_as_before(&rig);
    assert_eq!(addresses(&rig), before);
    let events = rig.events().await;
    assert!(!events.iter().any(|event| event.contains("AddressChanged")), "{events:?}");
    // It still knows which revision served: a switch there and back makes no pod anew.
    let pods = rig.world().pods(APP, Blue);
    for color in [Green, Blue] {
        rig.activate(color);
        rig.settle().await;
        assert!(rig.world().serves(APP, color));
    }
    assert_eq!(rig.world().pods(APP, Blue), pods);
}

/// Whoever uses an old address must be able to learn that it is no longer the app's.
#[tokio::test]
async fn a_service_that_comes_back_at_other_addresses_says_which_they_were_and_are() {
    let more = json!([{ "name": "grpc", "port": 9090, "targetPort": 19090 }]);
    let mut rig =
        Rig::serving(spec_with(json!({ "service": { "type": "NodePort", "extraPorts": more } }))).await;
    let addresses = |rig: &Rig| {
        let service = rig.server.get(Kind::Service, APP).unwrap();
        let address = service["spec"]["clusterIP"].as_str().unwrap().to_owned();
        (address, [0, 1].map(|port| service["spec"]["ports"][port]["nodePort"].as_i64().unwrap()))
    };
    let (old, old_ports) = addresses(&rig);
    let taken = old.clone();
    rig.server.fault(move |request| {
        let asks = request.is(Verb::Apply, Kind::Service, APP)
            && request.body["spec"]["clusterIP"] == taken.as_str();
        asks.then(|| Fault::answer(422, "provided IP is already allocated"))
    });
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    is_as_before(&rig);
    let (new, new_ports) = addresses(&rig);
    assert!(new != old && new_ports != old_ports, "{new}");
    let events = rig.events().await;
    let told: Vec<_> = events.iter().filter(|event| event.contains(" AddressChanged: ")).collect();
    let words = format!(
        "Its cluster IP was {old} and is {new}; its node port was {} and is {}; its node port grpc was {} and is {}. Whoever",
        old_ports[0], new_ports[0], old_ports[1], new_ports[1]
    );
    assert!(told.len() == 1 && told[0].starts_with("Warning") && told[0].contains(&words), "{events:?}");
}

#[tokio::test]
async fn children_that_were_deleted_come_back_as_they_were() {
    let mut rig = Rig::serving(spec()).await;
    // Serve with both once, so that both keep what they run, and change what a new rendering would give.
    for color in [Green, Blue] {
        rig.activate(color);
        rig.settle().await;
    }
    rig.edit(|spec| spec["template"] = json!({ "metadata": { "labels": { "team": "new" } } }));
    rig.settle().await;
    is_as_before(&rig);
    for (kind, name) in [
        (Kind::Deployment, "hello-blue"),
        (Kind::Deployment, "hello-green"),
        (Kind::Service, "hello-blue"),
        (Kind::Service, "hello-green"),
    ] {
        rig.server.delete(kind, name);
        rig.step();
        rig.settle().await;
        is_as_before(&rig);
    }
    for color in [Blue, Green] {
        assert_eq!(rig.label(color, "team"), Value::Null, "{color} was rendered anew");
    }
}

#[tokio::test]
async fn a_lost_revision_is_recovered_without_touching_a_pod() {
    let mut rig = Rig::serving(spec()).await;
    let before = [Blue, Green].map(|color| rig.world().pods(APP, color));
    for lost in [vec!["hello-blue-1"], vec!["hello-green-1"], vec!["hello-blue-1", "hello-green-1"]] {
        for name in &lost {
            rig.server.delete(Kind::Revision, name);
        }
        rig.settle().await;
        is_as_before(&rig);
        assert_eq!(rig.server.all(Kind::Revision).len(), 2, "after {lost:?}");
    }
    assert_eq!([Blue, Green].map(|color| rig.world().pods(APP, color)), before);
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// An edit waited while the revision was lost: it is still seen as an edit.
#[tokio::test]
async fn an_edit_that_came_while_a_revision_was_lost_is_still_seen() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.delete(Kind::Revision, "hello-blue-1");
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/LiveColorEditHeld");
    assert!(rig.runs(Blue, "v1"));
    rig.finish();
}

#[tokio::test]
async fn an_image_that_was_set_by_hand_is_taken_back() {
    let mut rig = Rig::serving(spec()).await;
    for name in ["hello-green", "hello-blue"] {
        rig.set_image(name, "evil/image:v666");
        rig.settle().await;
        is_as_before(&rig);
    }
    rig.finish();
}

#[tokio::test]
async fn a_target_that_was_edited_by_hand_is_never_switched_to() {
    let mut rig = Rig::serving(spec()).await;
    // While nobody looks: the edited pods get ready, and the switch is asked for.
    rig.set_image("hello-green", "evil/image:v666");
    for _ in 0..5 {
        rig.step();
    }
    assert!(rig.world().rolled_out(APP, Green));
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.served()[1], "team/hello:v2");
    rig.finish();
}

#[tokio::test]
async fn the_labels_by_which_children_are_found_are_put_back() {
    let mut rig = Rig::serving(spec()).await;
    let without = json!({ "metadata": { "labels": { "bluegreen.dev/app": null } } });
    for (kind, name) in [
        (Kind::Service, "hello"),
        (Kind::Service, "hello-blue"),
        (Kind::Deployment, "hello-blue"),
        (Kind::Deployment, "hello-green"),
    ] {
        rig.server.patch(kind, name, &without);
        rig.settle().await;
        let object = rig.server.get(kind, name).unwrap();
        assert_eq!(object["metadata"]["labels"]["bluegreen.dev/app"], APP, "{name}");
        is_as_before(&rig);
    }
    rig.finish();
}

/// What others put beside what the operator declares is theirs.
#[tokio::test]
async fn what_others_add_to_a_child_stays() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.patch(
        Kind::Service,
        APP,
        &json!({ "metadata": { "annotations": { "example.com/mesh": "on" } } }),
    );
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    let service = rig.server.get(Kind::Service, APP).unwrap();
    assert_eq!(service["metadata"]["annotations"]["example.com/mesh"], "on");
    rig.finish();
}

/// `kubectl set image`, `kubectl scale` and `kubectl edit` of what belongs to the app.
#[tokio::test]
async fn an_edit_by_hand_that_is_taken_back_is_told_once_with_who_and_what() {
    type Edit = fn(&mut Value);
    let told = async |rig: &Rig| -> Vec<String> {
        let all = rig.events().await;
        all.into_iter().filter(|event| event.starts_with("Warning EditReverted:")).collect()
    };
    let size = |object: &mut Value| object["spec"]["replicas"] = json!(5);
    let variable = |object: &mut Value| {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["env"] = json!([{ "name": "DEBUG", "value": "1" }]);
    };
    let port = |object: &mut Value| object["spec"]["ports"][0]["targetPort"] = json!(9);
    let edits: [(Kind, &str, Edit, &[&str]); 4] = [
        (
            Kind::Deployment,
            "hello-blue",
            size,
            &["changed spec.replicas to 5; it is 2 again", "Scale BlueGreenApp"],
        ),
        (Kind::Deployment, "hello-blue", variable, &["DEBUG", "in BlueGreenApp hello"]),
        (Kind::Deployment, "hello-green", variable, &["DEBUG", "in BlueGreenApp hello"]),
        (Kind::Service, "hello-green", port, &["spec.ports", "to 9", "in BlueGreenApp hello"]),
    ];
    for (kind, name, edit, words) in edits {
        let mut rig = Rig::serving(spec()).await;
        rig.server.edit(kind, name, edit);
        rig.settle().await;
        is_as_before(&rig);
        let events = told(&rig).await;
        assert_eq!(events.len(), 1, "{name}, {words:?}: {events:?}");
        let start = format!("Warning EditReverted: {kind:?} {name}: the field manager test changed ");
        let event = events.first().unwrap();
        assert!(event.starts_with(&start) && words.iter().all(|part| event.contains(part)), "{event}");
        let all = rig.events().await;
        assert!(!all.iter().any(|event| event.contains("PodsMutated")), "no plug-in did it: {all:?}");
        rig.finish();
    }

    // `kubectl rollout undo` on the live color.
    let mut rig = Rig::serving(spec()).await;
    rig.deploy(Green, "v3");
    rig.settle().await;
    let old = rig.server.get(Kind::Deployment, "hello-green").unwrap()["spec"]["template"].clone();
    rig.activate(Green);
    rig.settle().await;
    rig.activate(Blue);
    rig.settle().await;
    rig.deploy(Green, "v4");
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    rig.server.edit(Kind::Deployment, "hello-green", |deployment| deployment["spec"]["template"] = old);
    rig.settle().await;
    let events = told(&rig).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].contains("Deployment hello-green: the field manager test changed spec.template"),
        "{events:?}"
    );
    assert!(rig.world().serves(APP, Green));
    rig.finish();

    // What the app itself asks for is nobody's edit, whoever owned the field before.
    let mut rig = Rig::serving(spec()).await;
    rig.server.patch(Kind::Deployment, "hello-blue", &json!({ "spec": { "replicas": 2, "paused": false } }));
    rig.edit(|spec| spec["replicas"] = json!(3));
    rig.settle().await;
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(told(&rig).await, [""; 0]);
    rig.finish();
}
