//! What does not get ready, and how it recovers.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::{Blue, Green};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, app, pods};

/// A change after which new pods never get ready.
fn never() -> Value {
    pods(json!({"ready": "never"}))["template"].clone()
}

/// Takes [`never`] back.
fn again() -> Value {
    pods(json!({"ready": null}))["template"].clone()
}

#[tokio::test]
async fn does_a_target_that_never_gets_ready_stall_and_recover_when_fixed() -> Result<()> {
    let quick = app("hello").with(json!({"progressDeadlineSeconds": 4}));
    let (sandbox, _operator) = Sandbox::serving("never", &quick).await?;
    let pods_of_blue = sandbox.world().pods("hello", Blue);
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v3"}, "template": never()})).await?;
    sandbox.until("it gives up", |world| world.stalled("hello", "ProgressDeadlineExceeded")).await?;

    let world = sandbox.world();
    let (_, message) = world.says("hello", "Stalled").context("stalled")?;
    assert!(message.contains("green"), "{message}");
    assert!(!world.ready("hello") && world.says("hello", "Reconciling").is_none());
    assert_eq!(world.selects("hello"), "blue");
    assert_eq!(world.pods("hello", Blue), pods_of_blue);

    sandbox.edit("hello", json!({"template": again()})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(sandbox.guard().switches[1].image, "team/hello:v3");
    sandbox.finish().await
}

#[tokio::test]
async fn does_giving_up_on_a_broken_target_end_the_stall() -> Result<()> {
    let quick = app("hello").with(json!({"progressDeadlineSeconds": 4}));
    let (sandbox, _operator) = Sandbox::serving("give-up", &quick).await?;
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v3"}, "template": never()})).await?;
    sandbox.until("it gives up", |world| world.stalled("hello", "ProgressDeadlineExceeded")).await?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue is all that is asked for", |world| world.serves("hello", Blue)).await?;
    assert!(sandbox.world().condition("hello", "StandbyReady", "False", "NotReady"));
    assert_eq!(sandbox.guard().switches.len(), 1);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_broken_idle_color_show_only_as_a_standby_that_is_not_ready() -> Result<()> {
    let quick = app("hello").with(json!({"progressDeadlineSeconds": 3}));
    let (sandbox, _operator) = Sandbox::serving("idle", &quick).await?;
    sandbox.edit("hello", json!({"green": {"tag": "v3"}, "template": never()})).await?;
    sandbox
        .until("green is called not ready", |world| {
            world.settled("hello") && world.condition("hello", "StandbyReady", "False", "NotReady")
        })
        .await?;
    sandbox
        .throughout(Duration::from_secs(5), "the app is ready", |world| {
            world.ready("hello") && world.says("hello", "Stalled").is_none()
        })
        .await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_first_activation_that_never_gets_ready_recover_when_fixed() -> Result<()> {
    let sandbox = Sandbox::new("first-never").await?;
    let _operator = sandbox.operator()?;
    let broken = app("hello").with(json!({"progressDeadlineSeconds": 3})).pods(json!({"ready": "never"}));
    sandbox.apply(&broken).await?;
    sandbox.until("it gives up", |world| world.stalled("hello", "ProgressDeadlineExceeded")).await?;
    assert_eq!(sandbox.world().selects("hello"), "none");
    sandbox.edit("hello", json!({"blue": {"tag": "v1.1"}, "template": again()})).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.guard().switches[0].image, "team/hello:v1.1");
    sandbox.finish().await
}

#[tokio::test]
async fn can_a_failing_live_color_be_left_for_a_healthy_one() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("leave", &app("hello").drain(5)).await?;
    for name in names(&sandbox, Kind::Pod, "hello-blue-") {
        sandbox.patch(Kind::Pod, &name, annotation("never")).await?;
    }
    sandbox
        .until("it says that blue fails", |world| world.condition("hello", "Ready", "False", "LiveNotReady"))
        .await?;
    assert_eq!(sandbox.world().selects("hello"), "blue", "nobody asked for a switch");
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_live_color_that_recovers_by_itself_become_ready_again() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("recover", &app("hello")).await?;
    let pods = names(&sandbox, Kind::Pod, "hello-blue-");
    sandbox.patch(Kind::Pod, &pods[0], annotation("never")).await?;
    sandbox
        .until("it is not ready", |world| world.condition("hello", "Ready", "False", "LiveNotReady"))
        .await?;
    sandbox.patch(Kind::Pod, &pods[0], annotation("true")).await?;
    sandbox.until("it is ready", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

/// A template that the schema of the app takes and the API server refuses in a Deployment.
fn refused() -> Value {
    json!({"metadata": {"labels": {"team": "no such value!"}}})
}

fn accepted() -> Value {
    json!({"metadata": {"labels": {"team": "a"}}})
}

#[tokio::test]
async fn does_a_target_whose_template_is_refused_stall_with_the_words_of_the_api_server() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("refused", &app("hello")).await?;
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v3"}, "template": refused()})).await?;
    sandbox.until("it is refused", |world| world.stalled("hello", "Refused")).await?;
    let (_, message) = sandbox.world().says("hello", "Stalled").context("stalled")?;
    assert!(message.contains("no such value!"), "{message}");
    assert_eq!(sandbox.world().selects("hello"), "blue");
    sandbox.edit("hello", json!({"template": accepted()})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(sandbox.guard().switches[1].image, "team/hello:v3");
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_idle_color_whose_template_is_refused_trouble_only_the_standby() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("refused-idle", &app("hello")).await?;
    sandbox.edit("hello", json!({"green": {"tag": "v3"}, "template": refused()})).await?;
    sandbox
        .until("the standby says so", |world| world.condition("hello", "StandbyReady", "False", "Refused"))
        .await?;
    sandbox
        .throughout(Duration::from_secs(6), "blue serves", |world| {
            world.ready("hello") && world.selects("hello") == "blue"
        })
        .await?;
    let tries = operator.log(10_000).matches("EditDeployment { color: Green").count();
    assert!(tries < 15, "it backs off: {tries} tries in 6 s");
    sandbox.until("nothing is under way", |world| world.settled("hello")).await?;
    sandbox.edit("hello", json!({"template": accepted()})).await?;
    sandbox
        .until("green is updated", |world| {
            world.settled("hello")
                && world.says("hello", "StandbyReady").is_some()
                && world.image("hello", Green).as_deref() == Some("team/hello:v3")
        })
        .await?;
    sandbox.finish().await
}

/// `make hostile` found it: the update stayed wanted, and the edit that undid it was held behind it for ever.
#[tokio::test]
async fn is_a_refused_update_in_place_taken_back_when_the_policy_is_freeze_again() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("refused-live", &app("hello")).await?;
    let pods = sandbox.world().pods("hello", Blue);
    let edit = json!({
        "activeUpdatePolicy": "RollingUpdate", "blue": {"tag": "v9"}, "template": refused(),
    });
    sandbox.edit("hello", edit).await?;
    sandbox.until("it is refused", |world| world.stalled("hello", "Refused")).await?;
    sandbox
        .edit("hello", json!({"activeUpdatePolicy": "Freeze", "blue": {"tag": "v1"}, "template": null}))
        .await?;
    sandbox.until("all is well", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.world().pods("hello", Blue), pods, "nothing was rolled");
    for color in [Green, Blue] {
        sandbox.edit("hello", json!({"active": color})).await?;
        sandbox.until("it serves", |world| world.serves("hello", color)).await?;
    }
    sandbox.finish().await
}

/// What the colors share may be what refuses it: mending that is enough.
#[tokio::test]
async fn does_a_refused_update_in_place_go_on_when_a_shared_field_is_mended() -> Result<()> {
    let rolling = app("hello").with(json!({"activeUpdatePolicy": "RollingUpdate"}));
    let (sandbox, _operator) = Sandbox::serving("mended-live", &rolling).await?;
    sandbox.edit("hello", json!({"blue": {"tag": "v9"}, "template": refused()})).await?;
    sandbox.until("it is refused", |world| world.stalled("hello", "Refused")).await?;
    sandbox.edit("hello", json!({"template": accepted()})).await?;
    sandbox
        .until("blue runs it", |world| {
            world.serves("hello", Blue) && world.image("hello", Blue).as_deref() == Some("team/hello:v9")
        })
        .await?;
    sandbox.finish().await
}

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

fn names(sandbox: &Sandbox, kind: Kind, prefix: &str) -> Vec<String> {
    let world = sandbox.world();
    world.all(kind).map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(prefix)).collect()
}

fn annotation(ready: &str) -> Value {
    json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": ready}}})
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
