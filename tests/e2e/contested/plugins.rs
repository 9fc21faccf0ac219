//! Admission plug-ins that add to the pods of Deployments: to what the spec declares, and beside it.

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use serde_json::{Value, json};

use super::contested;
use super::webhook::{Habit, Webhook};
use crate::harness::guard::Rule;
use crate::harness::operator::Operator;
use crate::harness::{Kind, Sandbox, World, app, cluster};

const POD: &str = "/spec/template/spec";

fn pod(deployment: &Value) -> &Value {
    deployment.pointer(POD).unwrap_or(&Value::Null)
}

fn tolerates(deployment: &Value) -> bool {
    pod(deployment)["tolerations"].as_array().is_some_and(|all| all.iter().any(|one| one["key"] == "spot"))
}

/// Adds an entry to a list that the spec declares.
const TOLERATES: Habit = Habit {
    change: |request| {
        let toleration = json!({"key": "spot", "operator": "Exists"});
        let path = format!("{POD}/tolerations/-");
        (!tolerates(&request["object"])).then(|| json!([{"op": "add", "path": path, "value": toleration}]))
    },
    shows: tolerates,
};

fn is_placed(deployment: &Value) -> bool {
    pod(deployment)["nodeSelector"]["team"] == "shop"
}

/// Adds a key to a map that the spec declares, and that says as a whole where pods may run.
const PLACES: Habit = Habit {
    change: |request| {
        let path = format!("{POD}/nodeSelector/team");
        (!is_placed(&request["object"])).then(|| json!([{"op": "add", "path": path, "value": "shop"}]))
    },
    shows: is_placed,
};

fn is_traced(deployment: &Value) -> bool {
    pod(deployment)["containers"][1]["name"] == "tracing"
}

/// Adds a container, a variable, a volume and a label, and the same each time, as an agent for tracing does.
const TRACES: Habit = Habit {
    change: |request| {
        let object = &request["object"];
        let mut env = pod(object)["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        env.push(json!({"name": "TRACING", "value": "on"}));
        (!is_traced(object)).then(|| {
            json!([
                {"op": "add", "path": format!("{POD}/containers/-"), "value": {"name": "tracing", "image": "team/tracing:v1"}},
                {"op": "add", "path": format!("{POD}/containers/0/env"), "value": env},
                {"op": "add", "path": format!("{POD}/volumes"), "value": [{"name": "tracing", "emptyDir": {}}]},
                {"op": "add", "path": "/spec/template/metadata/labels/tracing", "value": "on"},
            ])
        })
    },
    shows: is_traced,
};

/// An app with one toleration and one place for its pods.
async fn serving(namespace: &str) -> Result<Option<(Sandbox, Operator)>> {
    if cluster().await?.dir().is_err() {
        eprintln!("skipped: this cluster's API server may not reach a webhook here");
        return Ok(None);
    }
    let template = json!({"spec": {
        "tolerations": [{"key": "team", "operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
    }});
    Sandbox::serving(namespace, &app("hello").with(json!({"template": template}))).await.map(Some)
}

async fn is_named(namespace: &str, habit: Habit, named: &str) -> Result<()> {
    let Some((sandbox, _operator)) = serving(namespace).await? else { return Ok(()) };
    let _webhook = Webhook::start(&sandbox, habit, "hello-green").await?;
    sandbox.edit("hello", json!({"green": {"tag": "v3"}})).await?;
    let told = |world: &World| {
        world.ready("hello") && world.condition("hello", "StandbyReady", "False", "Contested")
    };
    sandbox.until("the standby is called contested", told).await?;
    let note = contested(&sandbox, "hello").await?;
    ensure!(note.contains(named), "{note}");
    Webhook::unregister(&sandbox).await?;
    sandbox
        .until("green is as declared", |world| world.condition("hello", "StandbyReady", "True", "Warm"))
        .await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_entry_named_that_a_plug_in_adds_to_a_list_of_the_spec() -> Result<()> {
    is_named("plug-in-list", TOLERATES, "Deployment hello-green: spec.template.spec.tolerations should be")
        .await
}

#[tokio::test]
async fn is_a_key_named_that_a_plug_in_adds_to_a_selector_of_the_spec() -> Result<()> {
    is_named("plug-in-map", PLACES, "Deployment hello-green: spec.template.spec.nodeSelector.team should be")
        .await
}

/// What the spec says nothing about is the plug-in's, if it is the same each time.
#[tokio::test]
async fn is_what_a_plug_in_adds_beside_the_spec_left_in_the_pods() -> Result<()> {
    let Some((sandbox, _operator)) = serving("plug-in-beside").await? else { return Ok(()) };
    let webhook = Webhook::start(&sandbox, TRACES, "hello-green").await?;
    let traced = |world: &World| world.raw(Kind::Deployment, "hello-green").is_some_and(is_traced);
    for tag in ["v2.1", "v3"] {
        sandbox.edit("hello", json!({"green": {"tag": tag}})).await?;
        let runs = |world: &World| {
            let green = world.raw(Kind::Deployment, "hello-green").unwrap_or_default();
            pod(green)["containers"][0]["image"] == format!("team/hello:{tag}")
        };
        sandbox
            .until("green has what was added", |world| {
                runs(world) && traced(world) && world.condition("hello", "StandbyReady", "True", "Warm")
            })
            .await?;
    }
    sandbox.activate("hello", Green).await?;
    let serves = |world: &World| world.serves("hello", Green) && world.ready("hello");
    sandbox.until("green serves, with it", |world| traced(world) && serves(world)).await?;
    let (before, pods) = (webhook.changed(), sandbox.world().pods("hello", Green));
    sandbox
        .throughout(super::WATCHED, "nobody takes it away", |world| {
            traced(world) && serves(world) && world.pods("hello", Green) == pods
        })
        .await?;
    ensure!(webhook.changed() - before <= 1, "Deployments are written again and again");
    // A way back finds pods without it, which are as good.
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue) && world.ready("hello")).await?;
    // Without the plug-in, the next revision has nothing of it.
    Webhook::unregister(&sandbox).await?;
    sandbox.edit("hello", json!({"green": {"tag": "v4"}})).await?;
    let is_clean = |world: &World| {
        let green = world.raw(Kind::Deployment, "hello-green").unwrap_or_default();
        let template = green["spec"]["template"].to_string();
        template.contains("hello:v4") && !template.to_ascii_lowercase().contains("tracing")
    };
    sandbox
        .until("green is as declared", |world| {
            is_clean(world) && world.condition("hello", "StandbyReady", "True", "Warm")
        })
        .await?;
    sandbox.finish().await
}

/// It was installed while the app served, and its changes come with the next write of any kind.
#[tokio::test]
async fn is_a_plug_in_told_of_that_changes_the_live_pods_with_another_write() -> Result<()> {
    let Some((sandbox, _operator)) = serving("plug-in-late").await? else { return Ok(()) };
    let _webhook = Webhook::start(&sandbox, TRACES, "hello-blue").await?;
    sandbox.edit("hello", json!({"replicas": 3})).await?;
    sandbox.until("blue has three", |world| world.size("hello", Blue) == Some(3)).await?;
    let events = sandbox.told("PodsMutated").await?;
    let notes: Vec<_> = events.into_iter().filter_map(|event| event.note).collect();
    let words = "Deployment hello-blue: as the operator wrote it, an admission policy or webhook changed spec.template";
    ensure!(notes.iter().any(|note| note.starts_with(words)), "{notes:?}");
    sandbox.until("blue serves", |world| world.serves("hello", Blue) && world.ready("hello")).await?;
    Webhook::unregister(&sandbox).await?;
    // Which is what the Event tells.
    sandbox.finish_allowing(&[Rule::LiveKeepsItsTemplate]).await
}
