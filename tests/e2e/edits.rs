//! What each edit of the spec means.

use anyhow::{Context, Result};
use bluegreen_api::Color::{self, Blue, Green};
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app};

/// Both colors are up and nothing is under way.
fn all_up(world: &World) -> bool {
    world.settled("hello") && world.says("hello", "StandbyReady").is_some()
}

async fn switch(sandbox: &Sandbox, color: Color) -> Result<()> {
    sandbox.activate("hello", color).await?;
    sandbox.until(&format!("{color} serves"), |world| world.serves("hello", color)).await
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

/// The live list is merged by name. Its order is that of what is applied.
#[tokio::test]
async fn does_a_variable_of_the_color_come_before_one_of_the_template_that_refers_to_it() -> Result<()> {
    let env = json!([{"name": "URL", "value": "http://$(SLOT)"}, {"name": "A", "value": "1"}]);
    let template = json!({"template": {"spec": {"containers": [{"name": "app", "env": env}]}}});
    let (sandbox, _operator) = Sandbox::serving("references", &app("hello").with(template)).await?;
    sandbox.edit("hello", json!({"green": {"env": [{"name": "SLOT", "value": "green"}]}})).await?;
    let names = |world: &World| {
        let pods = world.deployment("hello", Green)?.spec?.template.spec?;
        let env = pods.containers.into_iter().next()?.env?;
        Some(env.into_iter().map(|variable| variable.name).collect::<Vec<_>>())
    };
    sandbox
        .until("green has them in this order", |world| {
            all_up(world) && names(world).is_some_and(|names| names == ["SLOT", "URL", "A"])
        })
        .await?;
    sandbox.finish().await
}

/// `rollme` of a Helm chart: a random value in the template, with each upgrade.
#[tokio::test]
async fn is_a_shared_edit_in_the_apply_that_switches_told_where_it_replaces_tested_pods() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("rollme", &app("hello")).await?;
    let warm = |world: &World| world.condition("hello", "StandbyReady", "True", "Warm");
    sandbox.until("green is warm, and can be tested", warm).await?;
    let tested = sandbox.world().pods("hello", Green);
    assert_eq!(tested.len(), 2);
    let with = |value: &str, active| {
        let template = json!({"metadata": {"annotations": {"rollme": value}}});
        app("hello").with(json!({"active": active, "template": template}))
    };
    sandbox.apply(&with("x", Green)).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    let serve = sandbox.world().pods("hello", Green);
    assert!(serve.iter().all(|pod| !tested.contains(pod)), "none of them was tested");

    let events = sandbox.told("TestedPodsReplaced").await?;
    let told: Vec<_> =
        events.iter().filter_map(|event| Some((event.type_.as_deref()?, event.note.as_deref()?))).collect();
    let words = "green was rendered anew as revision 2 with the switch, because a field that both colors share was edited \
                 (spec.template.metadata.annotations of Deployment hello-green). Its pods of revision 1, which were \
                 ready, are replaced, and the new ones go live untested. To test them first, set spec.active to blue";
    assert_eq!(told, [("Warning", words)]);
    let about = events[0].regarding.clone().unwrap_or_default();
    assert_eq!((about.kind.as_deref(), about.name.as_deref()), (Some("BlueGreenApp"), Some("hello")));

    // A color that has served goes back to what it ran, whatever comes with the switch.
    let pods = sandbox.world().pods("hello", Blue);
    sandbox.apply(&with("y", Blue)).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.world().pods("hello", Blue), pods);
    assert_eq!(sandbox.told("TestedPodsReplaced").await?.len(), 1);
    sandbox.finish().await
}
