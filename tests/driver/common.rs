//! `spec.commonMetadata`: labels and annotations for all that the operator makes.

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

const CHILDREN: [(Kind, &str); 5] = [
    (Kind::Service, APP),
    (Kind::Service, "hello-blue"),
    (Kind::Service, "hello-green"),
    (Kind::Deployment, "hello-blue"),
    (Kind::Deployment, "hello-green"),
];

/// A label and an annotation of each child.
fn of_children(rig: &Rig) -> Vec<[Value; 2]> {
    let of = |(kind, name): &(Kind, &str)| {
        let metadata = rig.server.get(*kind, name).unwrap()["metadata"].take();
        [metadata["labels"]["team"].clone(), metadata["annotations"]["example.com/owner"].clone()]
    };
    CHILDREN.iter().map(of).collect()
}

fn common(team: &str) -> Value {
    json!({ "labels": { "team": team }, "annotations": { "example.com/owner": team } })
}

#[tokio::test]
async fn an_edit_reaches_every_child_and_no_pod_and_what_is_removed_is_gone() {
    let mut rig = Rig::serving(spec_with(json!({ "commonMetadata": common("a") }))).await;
    assert_eq!(of_children(&rig), vec![[json!("a"), json!("a")]; 5]);
    let revision = rig.server.get(Kind::Revision, "hello-blue-1").unwrap();
    assert_eq!(revision["metadata"]["labels"]["team"], "a");
    let pods = |rig: &Rig| [Blue, Green].map(|color| rig.world().pods(APP, color));
    let before = pods(&rig);
    for (metadata, expected) in [
        (common("b"), [json!("b"), json!("b")]),
        (json!({ "labels": { "team": "c" } }), [json!("c"), Value::Null]),
        (Value::Null, [Value::Null, Value::Null]),
    ] {
        rig.edit(|spec| spec["commonMetadata"] = metadata);
        rig.settle().await;
        assert_eq!(of_children(&rig), vec![expected; 5]);
        assert_eq!(rig.says("Ready"), "True/Serving");
        // And then nothing more is written.
        let _ = rig.server.take_log();
        rig.settle().await;
        assert_eq!(rig.writes(), Vec::<String>::new());
    }
    assert_eq!(pods(&rig), before);
    assert_eq!(rig.status().blue.map(|blue| blue.revision), Some(1));
    rig.finish();
}

/// As the fields that say how pods are rolled out: a write of it must not hold up a switch back.
#[tokio::test]
async fn a_way_back_does_not_wait_for_it_and_a_drain_is_left_alone() {
    let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": 60 }))).await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    rig.refuse_edits("hello-blue", 403, "no");
    rig.edit(|spec| spec["commonMetadata"] = common("a"));
    rig.settle().await;
    let team = |rig: &Rig, name| {
        rig.server.get(Kind::Deployment, name).unwrap()["metadata"]["labels"]["team"].take()
    };
    assert_eq!([team(&rig, "hello-green"), team(&rig, "hello-blue")], [json!("a"), Value::Null]);
    rig.activate(Blue);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}

/// Somebody who takes it away from one object by hand.
#[tokio::test]
async fn it_is_put_back_where_somebody_removed_it() {
    let mut rig = Rig::serving(spec_with(json!({ "commonMetadata": common("a") }))).await;
    for (kind, name) in CHILDREN {
        rig.server.patch(kind, name, &json!({ "metadata": { "labels": { "team": null } } }));
        rig.settle().await;
        assert_eq!(of_children(&rig), vec![[json!("a"), json!("a")]; 5], "{name}");
    }
    rig.finish();
}

/// An app of an earlier release is left as it is.
#[tokio::test]
async fn without_it_nothing_is_declared() {
    let rig = Rig::serving(spec()).await;
    let deployment = rig.server.get(Kind::Deployment, "hello-blue").unwrap();
    assert_eq!(deployment["metadata"]["labels"].get("bluegreen.dev/common"), None);
    rig.finish();
}
