//! What does not get ready, and how it recovers.

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::{Kind, Sandbox, World, app};

#[tokio::test]
async fn does_a_node_port_that_is_taken_stall_until_it_is_free() -> Result<()> {
    let sandbox = Sandbox::new("node-port").await?;
    let _operator = sandbox.operator()?;
    let ports =
        |app: crate::harness::App| app.with(json!({"service": {"type": "NodePort", "nodePort": 31_907}}));
    sandbox.apply(&ports(app("one"))).await?;
    sandbox.until("one serves", |world| world.serves("one", Blue)).await?;
    sandbox.apply(&ports(app("two"))).await?;
    sandbox.until("two is refused", |world| world.stalled("two", "Refused")).await?;
    let (_, message) = sandbox.world().says("two", "Stalled").context("stalled")?;
    assert!(message.contains("31907"), "{message}");
    sandbox.delete(Kind::App, "one").await?;
    sandbox.until("two serves", |world| world.serves("two", Blue)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_quota_that_is_used_up_stall_with_its_words_and_recover_when_raised() -> Result<()> {
    let quick = app("hello").with(json!({"progressDeadlineSeconds": 5}));
    let (sandbox, _operator) = Sandbox::serving("quota", &quick).await?;
    let quotas: Api<ResourceQuota> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let quota = |pods: &str| json!({"metadata": {"name": "pods"}, "spec": {"hard": {"pods": pods}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota("4"))?).await?;
    // No pod can be added, and none is taken away before.
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v3"}})).await?;
    sandbox
        .until("it gives up and says why", |world| {
            world.says("hello", "Stalled").is_some_and(|(reason, message)| {
                reason == "ProgressDeadlineExceeded" && message.contains("exceeded quota")
            })
        })
        .await?;
    assert_eq!(sandbox.world().selects("hello"), "blue");

    quotas.patch("pods", &PatchParams::default(), &Patch::Merge(quota("10"))).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// An autoscaler asks for more pods in the drain than the quota has room for: only the old color's can make room.
#[tokio::test]
async fn does_a_drain_end_while_a_quota_keeps_the_live_color_small_and_do_the_old_pods_make_room()
-> Result<()> {
    let tight = json!({"replicas": 4, "drainSeconds": 15, "standby": {"replicas": 0}});
    let (sandbox, _operator) = Sandbox::serving("quota-drain", &app("hello").with(tight)).await?;
    let quota = json!({"metadata": {"name": "pods"}, "spec": {"hard": {"pods": "8"}}});
    Api::<ResourceQuota>::namespaced(sandbox.client.clone(), &sandbox.namespace)
        .create(&PostParams::default(), &serde_json::from_value(quota)?)
        .await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("blue drains", |world| world.selects("hello") == "green").await?;
    sandbox.kubectl(&["scale", "bga/hello", "--replicas=6"]).await?;
    let says_so = |world: &World| {
        let ready = world.says("hello", "Ready");
        ready.is_some_and(|(_, message)| message.contains("4 of 6") && message.contains("exceeded quota"))
    };
    sandbox.until("it says what keeps green small", says_so).await?;
    assert_eq!(sandbox.world().pods("hello", Blue).len(), 4, "blue drains");
    let all = |world: &World| world.serves("hello", Green) && world.pods("hello", Green).len() == 6;
    sandbox.until("green has all pods", all).await?;
    assert_eq!(sandbox.world().size("hello", Blue), Some(0));
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_app_recover_from_a_service_account_that_was_never_there() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("account", &app("hello")).await?;
    for field in ["serviceAccountName", "serviceAccount"] {
        let account = |name: serde_json::Value| json!({"template": {"spec": {field: name}}});
        sandbox.edit("hello", account(json!("nobody"))).await?;
        sandbox
            .until("green can't be made", |world| {
                world.condition("hello", "StandbyReady", "False", "NotReady")
            })
            .await?;
        sandbox.edit("hello", account(serde_json::Value::Null)).await?;
        sandbox.until("green is whole", |world| world.says("hello", "StandbyReady").is_some()).await?;
    }
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}
