//! Names that somebody else uses already.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::Blue;
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

/// An object of somebody else where a child should be: the app says so, leaves it alone, and goes on as soon
/// as it has gone.
async fn conflict(test: &str, kind: Kind, object: Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("name")?.to_owned();
    let sandbox = Sandbox::new(test).await?;
    sandbox.create(kind, object).await?;
    let spec = |sandbox: &Sandbox| {
        let world = sandbox.world();
        world
            .raw(kind, &name)
            .map(|o| (o["metadata"]["uid"].clone(), o["metadata"]["labels"].clone(), o["spec"].clone()))
    };
    let before = spec(&sandbox);
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello")).await?;
    sandbox.until("it is stalled", |world| world.stalled("hello", "NameConflict")).await?;
    let (_, message) = sandbox.world().says("hello", "Stalled").context("stalled")?;
    assert!(
        message.contains(&format!("{kind:?} {name} exists")) && message.contains("delete it"),
        "{message}"
    );
    // Long enough for the last event of its own to have passed: nothing announces that the object goes.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(spec(&sandbox), before, "it is untouched");

    sandbox.delete(kind, &name).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.until("green is warm", |world| world.says("hello", "StandbyReady").is_some()).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_foreign_deployment_left_alone_until_it_goes() -> Result<()> {
    conflict("foreign-blue", Kind::Deployment, deployment("hello-blue")).await
}

#[tokio::test]
async fn is_a_foreign_deployment_of_the_idle_color_left_alone_until_it_goes() -> Result<()> {
    conflict("foreign-green", Kind::Deployment, deployment("hello-green")).await
}

#[tokio::test]
async fn is_a_foreign_service_left_alone_until_it_goes() -> Result<()> {
    conflict("foreign-service", Kind::Service, service("hello")).await
}

#[tokio::test]
async fn is_a_foreign_service_of_a_color_left_alone_until_it_goes() -> Result<()> {
    conflict("foreign-preview", Kind::Service, service("hello-blue")).await
}

#[tokio::test]
async fn does_an_object_that_is_handed_over_become_a_child() -> Result<()> {
    let sandbox = Sandbox::new("adopt").await?;
    // What `kubectl delete bga hello --cascade=orphan` leaves: the right selector, and nobody's.
    let mut left_over = deployment("hello-blue");
    let labels = json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "blue"});
    left_over["spec"]["selector"]["matchLabels"] = labels.clone();
    left_over["spec"]["template"]["metadata"]["labels"] = labels;
    sandbox.create(Kind::Deployment, left_over).await?;
    let uid = |world: &World| world.raw(Kind::Deployment, "hello-blue").map(|o| o["metadata"]["uid"].clone());
    let before = uid(&sandbox.world());
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello")).await?;
    sandbox.until("it is stalled", |world| world.stalled("hello", "NameConflict")).await?;

    let hand_over = json!({"metadata": {"annotations": {"bluegreen.dev/adopt": "hello"}}});
    sandbox.patch(Kind::Deployment, "hello-blue", hand_over).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    let world = sandbox.world();
    assert_eq!(uid(&world), before, "it is the very object");
    assert_eq!(world.image("hello", Blue).as_deref(), Some("team/hello:v1"));
    sandbox.finish().await
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
