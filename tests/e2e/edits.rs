//! What each edit of the spec means.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{self, Blue, Green};
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app};

/// The value of a label that a color's pod template has.
fn label(world: &World, color: Color, key: &str) -> Option<String> {
    let template = world.deployment("hello", color)?.spec?.template;
    template.metadata?.labels?.get(key).cloned()
}

fn team(name: &str) -> Value {
    json!({"template": {"metadata": {"labels": {"team": name}}}})
}

/// Both colors are up and nothing is under way.
fn all_up(world: &World) -> bool {
    world.settled("hello") && world.says("hello", "StandbyReady").is_some()
}

async fn switch(sandbox: &Sandbox, color: Color) -> Result<()> {
    sandbox.activate("hello", color).await?;
    sandbox.until(&format!("{color} serves"), |world| world.serves("hello", color)).await
}

#[tokio::test]
async fn does_an_edit_of_the_idle_color_change_its_pods_alone_and_show_on_its_own_service() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("idle-edit", &app("hello")).await?;
    let blue = sandbox.world().pods("hello", Blue);
    sandbox.edit("hello", json!({"green": {"tag": "v3"}})).await?;
    sandbox
        .until("green runs it and can be reached", |world| {
            let endpoints = world.endpoints("hello-green");
            all_up(world)
                && world.image("hello", Green).as_deref() == Some("team/hello:v3")
                && endpoints.iter().filter(|endpoint| endpoint.ready).count() == 2
                && endpoints.iter().all(|endpoint| endpoint.pod.starts_with("hello-green-"))
        })
        .await?;
    let world = sandbox.world();
    assert_eq!(world.pods("hello", Blue), blue);
    assert!(world.endpoints("hello").iter().all(|endpoint| endpoint.pod.starts_with("hello-blue-")));
    assert_eq!(world.selects("hello"), "blue");
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_shared_edit_reach_only_a_color_that_is_being_prepared() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("shared", &app("hello")).await?;
    sandbox.edit("hello", team("a")).await?;
    sandbox
        .until("green, which never served, takes it", |world| {
            all_up(world) && label(world, Green, "team").as_deref() == Some("a")
        })
        .await?;
    assert_eq!(label(&sandbox.world(), Blue, "team"), None, "blue is live and keeps what it runs");

    switch(&sandbox, Green).await?;
    let pods = (sandbox.world().pods("hello", Blue), sandbox.world().pods("hello", Green));
    sandbox.edit("hello", team("b")).await?;
    sandbox.until("it is seen", all_up).await?;
    sandbox.throughout(Duration::from_secs(2), "nothing changes", all_up).await?;
    let world = sandbox.world();
    assert_eq!(label(&world, Green, "team").as_deref(), Some("a"), "green is live");
    assert_eq!(label(&world, Blue, "team"), None, "blue served last and is what a rollback goes back to");
    assert_eq!((world.pods("hello", Blue), world.pods("hello", Green)), pods);

    sandbox.edit("hello", json!({"blue": {"tag": "v3"}})).await?;
    sandbox
        .until("an edit of its own block brings blue up to date", |world| {
            all_up(world) && label(world, Blue, "team").as_deref() == Some("b")
        })
        .await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_revision_render_a_color_anew_with_nothing_else_changed() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("rerender", &app("hello")).await?;
    switch(&sandbox, Green).await?;
    sandbox.edit("hello", team("a")).await?;
    sandbox.edit("hello", json!({"blue": {"revision": "2"}})).await?;
    sandbox
        .until("blue is rendered anew", |world| {
            all_up(world) && label(world, Blue, "team").as_deref() == Some("a")
        })
        .await?;
    assert_eq!(label(&sandbox.world(), Green, "team"), None);
    let status = sandbox.world().status("hello").context("status")?;
    assert_eq!(status.blue.context("blue")?.revision, 2);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_rollback_bring_the_old_configuration_back_without_a_new_pod() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("rollback", &app("hello")).await?;
    let blue = |world: &World| {
        let template = world.deployment("hello", Blue).and_then(|d| d.spec).map(|spec| spec.template);
        (world.pods("hello", Blue), template)
    };
    let before = blue(&sandbox.world());
    // Probe, template, tag and `active` in one commit.
    let commit = json!({
        "active": "green",
        "green": {"tag": "v3"},
        "readinessProbe": {"httpGet": {"path": "/healthz"}},
        "template": team("b")["template"],
    });
    sandbox.edit("hello", commit).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(label(&sandbox.world(), Green, "team").as_deref(), Some("b"));

    switch(&sandbox, Blue).await?;
    assert_eq!(blue(&sandbox.world()), before);
    assert_eq!(sandbox.guard().switches[2].image, "team/hello:v1");
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_rolling_update_policy_roll_the_live_color_without_a_gap() -> Result<()> {
    // With a single pod, "never empty" is "never below its size".
    let rolling = app("hello").replicas(1).with(json!({"activeUpdatePolicy": "RollingUpdate"}));
    let (sandbox, _operator) = Sandbox::serving("rolling", &rolling).await?;
    sandbox.edit("hello", json!({"blue": {"tag": "v9"}})).await?;
    sandbox
        .until("blue runs it", |world| {
            world.serves("hello", Blue) && world.image("hello", Blue).as_deref() == Some("team/hello:v9")
        })
        .await?;
    assert_eq!(sandbox.guard().switches.len(), 1, "nothing was switched");
    // What serves now is what a rollback goes back to.
    switch(&sandbox, Green).await?;
    let pods = sandbox.world().pods("hello", Blue);
    switch(&sandbox, Blue).await?;
    assert_eq!(sandbox.world().pods("hello", Blue), pods);
    sandbox.finish().await
}

#[tokio::test]
async fn does_removing_the_idle_color_take_its_objects_after_the_drain() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("removal", &app("hello").drain(3)).await?;
    switch(&sandbox, Green).await?;
    switch(&sandbox, Blue).await?;
    // The edit comes with the switch; the guard checks that blue rests for its drain.
    sandbox.edit("hello", json!({"active": "green", "blue": null})).await?;
    sandbox
        .until("all of blue is gone", |world| {
            world.settled("hello")
                && world.children("hello").iter().all(|child| !child.contains("hello-blue"))
                && world.pods("hello", Blue).is_empty()
        })
        .await?;
    assert!(sandbox.world().condition("hello", "StandbyReady", "False", "Absent"));
    assert_eq!(sandbox.world().selects("hello"), "green");

    sandbox.edit("hello", json!({"blue": {"tag": "v5"}})).await?;
    sandbox.until("blue is back", all_up).await?;
    switch(&sandbox, Blue).await?;
    assert_eq!(sandbox.world().image("hello", Blue).as_deref(), Some("team/hello:v5"));
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_paused_app_stay_as_it_is_and_go_on_later() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("paused", &app("hello")).await?;
    sandbox.edit("hello", json!({"paused": true})).await?;
    sandbox.until("it says so", |world| world.condition("hello", "Ready", "True", "Paused")).await?;

    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v3"}})).await?;
    sandbox.until("a change that waits is no success", |world| world.stalled("hello", "Paused")).await?;
    sandbox
        .throughout(Duration::from_secs(2), "nothing is changed", |world| {
            world.selects("hello") == "blue"
                && world.image("hello", Green).as_deref() == Some("team/hello:v2")
        })
        .await?;
    sandbox.edit("hello", json!({"paused": false})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(sandbox.guard().switches[1].image, "team/hello:v3");
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_pause_in_the_middle_of_a_switch_stop_it() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("pause-midway", &app("hello")).await?;
    let slow = crate::harness::pods(json!({"ready-after": "4s"}));
    sandbox
        .edit("hello", json!({"active": "green", "green": {"tag": "v3"}, "template": slow["template"]}))
        .await?;
    sandbox
        .until("green is being rolled", |world| {
            world.image("hello", Green).as_deref() == Some("team/hello:v3")
        })
        .await?;
    sandbox.edit("hello", json!({"paused": true})).await?;
    sandbox.until("it is paused", |world| world.stalled("hello", "Paused")).await?;
    // Green becomes ready meanwhile.
    sandbox
        .throughout(Duration::from_secs(7), "blue serves", |world| world.selects("hello") == "blue")
        .await?;
    sandbox.edit("hello", json!({"paused": false})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_number_of_replicas_reach_both_colors() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("replicas", &app("hello")).await?;
    for count in [4, 1, 3] {
        sandbox.edit("hello", json!({"replicas": count})).await?;
        sandbox
            .until(&format!("both have {count}"), |world| {
                all_up(world) && [Blue, Green].iter().all(|&color| world.size("hello", color) == Some(count))
            })
            .await?;
        assert_eq!(sandbox.world().status("hello").context("status")?.replicas, count);
    }
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_scale_subresource_work_as_an_autoscaler_needs_it() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("scale", &app("hello")).await?;
    sandbox.kubectl(&["scale", "bga", "hello", "--replicas=3"]).await?;
    sandbox
        .until("it is scaled", |world| {
            all_up(world) && world.status("hello").is_some_and(|s| s.replicas == 3)
        })
        .await?;
    let scale: Value = serde_json::from_str(
        &sandbox.kubectl(&["get", "bga", "hello", "--subresource=scale", "-o", "json"]).await?,
    )?;
    assert_eq!(scale["spec"]["replicas"], 3);
    assert_eq!(scale["status"]["replicas"], 3);
    let selector = scale["status"]["selector"].as_str().context("selector")?.to_owned();
    let live = sandbox.kubectl(&["get", "pods", "-l", &selector, "-o", "name"]).await?;
    assert_eq!(live.lines().count(), 3, "the live color's pods alone: {live}");
    assert!(live.lines().all(|pod| pod.starts_with("pod/hello-blue-")), "{live}");
    sandbox.finish().await
}

#[tokio::test]
async fn do_edits_of_the_service_leave_its_selector_alone() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("service-edit", &app("hello")).await?;
    let edit = json!({"service": {
        "type": "NodePort", "port": 80, "sessionAffinity": "ClientIP", "annotations": {"example.com/x": "y"},
    }});
    sandbox.edit("hello", edit).await?;
    let service = |world: &World| world.service("hello").and_then(|service| service.spec).unwrap_or_default();
    sandbox
        .until("they are there", |world| {
            let spec = service(world);
            world.serves("hello", Blue)
                && spec.type_.as_deref() == Some("NodePort")
                && spec.session_affinity.as_deref() == Some("ClientIP")
                && spec.ports.is_some_and(|ports| ports[0].port == 80)
        })
        .await?;
    let back = json!({"service": {
        "type": "ClusterIP", "port": null, "sessionAffinity": null, "annotations": null,
    }});
    sandbox.edit("hello", back).await?;
    sandbox
        .until("they are gone", |world| {
            let spec = service(world);
            let annotations = world.service("hello").and_then(|service| service.metadata.annotations);
            world.serves("hello", Blue)
                && spec.type_.as_deref() == Some("ClusterIP")
                && spec.session_affinity.as_deref() == Some("None")
                && spec.ports.is_some_and(|ports| ports[0].port == 8888)
                && annotations.is_some_and(|a| !a.contains_key("example.com/x"))
        })
        .await?;
    sandbox.finish().await
}
