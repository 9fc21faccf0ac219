//! From nothing to an app that serves.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use crate::harness::{Sandbox, app};

#[tokio::test]
async fn does_the_first_activation_wait_until_every_pod_is_ready() -> Result<()> {
    let sandbox = Sandbox::new("first").await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello").replicas(3).pods(json!({"ready-after": "3s"}))).await?;
    sandbox
        .until("it says that it waits for pods", |world| {
            world.says("hello", "Reconciling").is_some_and(|(reason, message)| {
                reason == "WaitingForTarget" && message.contains("of 3 pods available")
            })
        })
        .await?;
    assert_eq!(sandbox.world().selects("hello"), "none", "the live Service is there and selects nothing");
    assert!(!sandbox.world().ready("hello"));

    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    let status = sandbox.world().status("hello").context("status")?;
    assert_eq!(status.active, Some(Blue));
    assert_eq!(status.history.len(), 1);
    assert_eq!(status.replicas, 3);
    assert_eq!(status.blue.context("blue")?.image, "team/hello:v1");
    sandbox.until("green is warm", |world| world.condition("hello", "StandbyReady", "True", "Warm")).await?;
    assert_eq!(sandbox.world().size("hello", Green), Some(3));
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_app_of_one_color_serve_and_say_that_there_is_no_standby() -> Result<()> {
    let sandbox = Sandbox::new("single").await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello").without(Green)).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert!(sandbox.world().condition("hello", "StandbyReady", "False", "Absent"));
    let children = sandbox.world().children("hello");
    assert_eq!(
        children,
        ["Service hello", "Service hello-blue", "Deployment hello-blue", "Revision hello-blue-1",]
    );

    sandbox.edit("hello", json!({"green": {"tag": "v2"}})).await?;
    sandbox.until("green is warm", |world| world.condition("hello", "StandbyReady", "True", "Warm")).await?;
    sandbox.throughout(Duration::from_secs(1), "blue serves on", |world| world.ready("hello")).await?;
    sandbox.finish().await
}

/// `make hostile` found it: declared again and again, since it never came to be what was declared.
#[tokio::test]
async fn is_an_app_content_with_the_defaults_that_replace_its_zeros() -> Result<()> {
    let probe = json!({"httpGet": {"path": "", "port": 8888}});
    let container = json!({
        "name": "app", "imagePullPolicy": "", "terminationMessagePath": "", "terminationMessagePolicy": "",
        "resources": {"requests": {"cpu": "100u"}, "limits": {"cpu": "1.0005"}},
        "livenessProbe": {
            "httpGet": {"path": "", "port": 8888, "scheme": ""},
            "periodSeconds": 0, "timeoutSeconds": 0, "successThreshold": 0, "failureThreshold": 0,
        },
        "ports": [{"containerPort": 9999, "name": "other", "protocol": ""}],
    });
    let pods = json!({"containers": [container], "dnsPolicy": "", "schedulerName": ""});
    let zeros = app("hello").with(json!({"readinessProbe": probe, "template": {"spec": pods}}));
    let (sandbox, operator) = Sandbox::serving("zeros", &zeros).await?;
    sandbox.until("all is well", |world| world.serves("hello", Blue) && world.settled("hello")).await?;
    assert!(!operator.log(10_000).contains("EditDeployment"), "{}", operator.log(10_000));
    sandbox.finish().await
}
