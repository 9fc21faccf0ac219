//! Names that somebody else uses already.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app};

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {
                "metadata": {"labels": {"app": "other"}},
                "spec": {"containers": [{"name": "app", "image": "other:v1"}]},
            },
        },
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "other"}, "ports": [{"port": 1234}]},
    })
}

/// What people have: the Service names the port's number, and the pods' port has no name at all.
#[tokio::test]
async fn does_a_service_that_is_handed_over_reach_its_old_pods_until_the_switch() -> Result<()> {
    let sandbox = Sandbox::new("adopt-service").await?;
    let mut old = deployment("old");
    old["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 8888}]);
    sandbox.create(Kind::Deployment, old).await?;
    let mut service = service("hello");
    service["metadata"]["annotations"] = json!({"bluegreen.dev/adopt": "hello"});
    service["spec"]["ports"] = json!([{"port": 8888, "targetPort": 8888}]);
    sandbox.create(Kind::Service, service).await?;
    // Addresses count only together with a port.
    let reached = |world: &World| {
        let slices = world.all(Kind::Slice).map(|(_, slice)| slice);
        let live =
            slices.filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == "hello");
        live.filter(|slice| slice["ports"].as_array().is_some_and(|ports| !ports.is_empty()))
            .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default())
            .filter(|endpoint| endpoint["conditions"]["ready"] == true)
            .count()
    };
    sandbox.until("the old pod serves", |world| reached(world) == 1).await?;

    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello").pods(json!({"ready-after": "4s"}))).await?;
    let ours = |world: &World| world.children("hello").iter().any(|child| child == "Service hello");
    sandbox.until("it is taken over", ours).await?;
    let old_or_new = |world: &World| {
        reached(world) >= 1 && (world.selects("hello") == "edited" || world.selects("hello") == "blue")
    };
    sandbox.throughout(Duration::from_secs(8), "somebody serves", old_or_new).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    // Now by its name: a color may have another number.
    let live = sandbox.world().raw(Kind::Service, "hello").context("Service")?.clone();
    assert_eq!(live["spec"]["ports"][0]["targetPort"], "http");
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_app_that_comes_back_take_over_what_it_left_behind_without_touching_a_pod() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("orphans", &app("hello")).await?;
    let pods = |world: &World| [Blue, Green].map(|color| world.pods("hello", color));
    let before = pods(&sandbox.world());
    sandbox.kubectl(&["delete", "bga", "hello", "--cascade=orphan"]).await?;
    let orphaned = |world: &World| {
        let service = world.raw(Kind::Service, "hello");
        service.is_some_and(|service| service["metadata"]["ownerReferences"].is_null())
    };
    sandbox.until("the Service is nobody's", orphaned).await?;
    sandbox.apply(&app("hello")).await?;
    let five = |world: &World| {
        let says = world.says("hello", "Stalled");
        says.is_some_and(|(_, message)| {
            message.matches("hello-").count() == 4 && message.contains("adopt=true")
        })
    };
    sandbox.until("all conflicts are told", five).await?;
    sandbox.kubectl(&["annotate", "bga", "hello", "bluegreen.dev/adopt=true"]).await?;
    sandbox.until("it serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(pods(&sandbox.world()), before);
    sandbox.finish().await
}

/// As the Kubernetes documentation shows how to make one by hand: it carries no label of ours.
#[tokio::test]
async fn is_a_foreign_slice_named_and_not_waited_for() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("foreign-slice", &app("hello")).await?;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "by-hand", "labels": {"kubernetes.io/service-name": "hello"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8888}],
        "endpoints": [{"addresses": ["192.0.2.99"], "conditions": {"ready": true}}],
    });
    sandbox.create(Kind::Slice, slice).await?;
    sandbox.activate("hello", Green).await?;
    let named = |world: &World| {
        let ready = world.says("hello", "Ready");
        world.serves("hello", Green)
            && ready.is_some_and(|(_, message)| message.contains("EndpointSlice by-hand,"))
    };
    sandbox.until("green serves, and the slice is named", named).await?;
    sandbox.finish().await
}
