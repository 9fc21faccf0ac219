//! From one color to the other.

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::Phase;
use serde_json::json;

use crate::harness::{Kind, Sandbox, app};

#[tokio::test]
async fn does_a_switch_move_the_service_and_keep_the_old_color_warm() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("switch", &app("hello").replicas(3).drain(2)).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.ready("hello")).await?;
    assert_eq!(sandbox.world().selects("hello"), "green", "Ready means that it serves");
    assert_eq!(sandbox.world().status("hello").context("status")?.phase, Some(Phase::Draining));
    sandbox.until("blue has drained", |world| world.serves("hello", Green)).await?;

    let status = sandbox.world().status("hello").context("status")?;
    assert_eq!(status.phase, Some(Phase::Stable));
    assert_eq!(status.history.len(), 2);
    assert_eq!(status.history[0].from, Some(Blue));
    assert_eq!(status.history[0].image, "team/hello:v2");
    assert_eq!(sandbox.world().size("hello", Blue), Some(3));
    assert!(sandbox.world().condition("hello", "StandbyReady", "True", "Warm"));
    sandbox.finish().await
}

#[tokio::test]
async fn does_kubectl_wait_return_only_when_the_new_color_serves() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("wait", &app("hello")).await?;
    for turn in 0..6 {
        let color = if turn % 2 == 0 { Green } else { Blue };
        let patch = json!({"spec": {"active": color}}).to_string();
        sandbox.kubectl(&["patch", "bga", "hello", "--type=merge", "-p", &patch]).await?;
        sandbox.kubectl(&["wait", "bga/hello", "--for=condition=Ready", "--timeout=40s"]).await?;
        let path = r"jsonpath={.spec.selector.bluegreen\.dev/color}";
        let selected = sandbox.kubectl(&["get", "service", "hello", "-o", path]).await?;
        assert_eq!(selected, color.as_str(), "turn {turn}");
    }
    sandbox.finish().await
}

#[tokio::test]
async fn do_two_apps_side_by_side_not_touch_each_other() -> Result<()> {
    // One's name begins with the other's.
    let (sandbox, _operator) = Sandbox::serving("two-apps", &app("hello")).await?;
    sandbox.apply(&app("hello-world").drain(3)).await?;
    sandbox
        .until("both serve", |world| world.serves("hello-world", Blue) && world.serves("hello", Blue))
        .await?;
    sandbox.until("all is up", |world| world.says("hello-world", "StandbyReady").is_some()).await?;

    let version = |kind, name: &str| {
        let world = sandbox.world();
        world.raw(kind, name).map(|object| object["metadata"]["resourceVersion"].to_string())
    };
    let others = || {
        [
            (Kind::App, "hello"),
            (Kind::Service, "hello"),
            (Kind::Service, "hello-blue"),
            (Kind::Deployment, "hello-blue"),
        ]
        .map(|(kind, name)| version(kind, name))
    };
    let before = others();
    sandbox.activate("hello-world", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello-world", Green)).await?;
    assert_eq!(others(), before);

    // Both at once, in opposite directions.
    sandbox.activate("hello-world", Blue).await?;
    sandbox.activate("hello", Green).await?;
    sandbox
        .until("both moved", |world| world.serves("hello", Green) && world.serves("hello-world", Blue))
        .await?;
    sandbox.finish().await
}

#[tokio::test]
async fn can_a_color_that_listens_on_another_port_be_switched_to() -> Result<()> {
    let (sandbox, _operator) =
        Sandbox::serving("port", &app("hello").with(json!({"service": {"port": 80}}))).await?;
    let ports = |service: &str| -> Vec<i64> {
        let of_service =
            |slice: &serde_json::Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
        let world = sandbox.world();
        let slices = world.all(Kind::Slice).filter(|(_, slice)| of_service(slice));
        slices.filter_map(|(_, slice)| slice["ports"][0]["port"].as_i64()).collect()
    };
    assert_eq!(ports("hello"), [8888]);
    sandbox.edit("hello", json!({"port": 9999, "active": "green"})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(ports("hello"), [9999]);
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(ports("hello"), [8888], "blue is as it was");
    sandbox.finish().await
}
