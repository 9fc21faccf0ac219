//! An app and its children as files: as the older release left them, to be put into a cluster where it never ran.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bluegreen_api::BlueGreenApp;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World};
use crate::moments::Moment;

/// Who wrote the children.
const MANAGER: &str = "bluegreen-operator";

/// The commit of the older release.
pub fn previous() -> &'static str {
    let text = include_str!("previous");
    text.lines().find(|line| !line.starts_with('#')).expect("a commit").trim()
}

fn file(moment: Moment) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("upgrade");
    folder.join(&previous()[..7]).join(format!("{}.yaml", moment.name()))
}

/// Writes what is there now, without what only this cluster gave it.
pub fn record(moment: Moment, world: &World) -> Result<()> {
    let mut text = format!(
        "# Written by the operator of commit {}, {}: `RECORD=1 make upgrade-test`.\n",
        previous(),
        moment.name()
    );
    for kind in [Kind::App, Kind::Revision, Kind::Deployment, Kind::Service] {
        for (_, object) in world.all(kind) {
            text += &format!("---\n{}", serde_yaml_ng::to_string(&portable(object))?);
        }
    }
    let path = file(moment);
    std::fs::create_dir_all(path.parent().context("folder")?)?;
    Ok(std::fs::write(path, text)?)
}

fn portable(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = &object["metadata"];
    let mut kept = json!({"name": metadata["name"]});
    for key in ["labels", "annotations"] {
        if let Some(mut map) = metadata[key].as_object().cloned() {
            // The Deployment controller's own.
            map.retain(|key, _| key.starts_with("bluegreen.dev/") || key.starts_with("app.kubernetes.io/"));
            kept[key] = Value::Object(map);
        }
    }
    object["metadata"] = kept;
    if object["kind"] != "BlueGreenApp"
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
    if object["kind"] == "Service"
        && let Some(spec) = object["spec"].as_object_mut()
    {
        for given in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            spec.remove(given);
        }
    }
    object
}

/// Puts the recorded objects into the namespace, with their pods, as if their operator had just ended.
pub async fn restore(moment: Moment, sandbox: &Sandbox) -> Result<()> {
    let text = std::fs::read_to_string(file(moment))
        .with_context(|| format!("nothing recorded of {}: make upgrade-test", previous()))?;
    let objects: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(Value::deserialize)
        .collect::<Result<_, _>>()
        .context("no YAML")?;
    let (apps, children): (Vec<_>, Vec<_>) =
        objects.into_iter().filter(|object| !object.is_null()).partition(|o| o["kind"] == "BlueGreenApp");
    let recorded = apps.into_iter().next().context("no app")?;
    let api: Api<BlueGreenApp> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let mut bare = recorded.clone();
    bare.as_object_mut().context("object")?.remove("status");
    let app = api.patch("hello", &PatchParams::apply("person"), &Patch::Apply(bare)).await?;

    let (live, others): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|o| o["kind"] == "Service" && o["metadata"]["name"] == "hello");
    for child in others {
        put(sandbox, &app, child).await?;
    }
    let live = live.into_iter().next().context("no Service")?;
    let selected = live["spec"]["selector"]["bluegreen.dev/color"].as_str().context("selector")?.to_owned();
    let color = bluegreen_api::Color::parse(&selected).context("color")?;
    // The pods are new, and have to be what they were.
    let ready = |world: &World| {
        world.rolled_out("hello", color)
            && world.endpoints(&format!("hello-{color}")).iter().filter(|endpoint| endpoint.ready).count()
                == 2
    };
    sandbox.until("what served is ready", ready).await?;
    if !matches!(moment, Moment::Switching) {
        sandbox.until("what waits is ready", |world| world.rolled_out("hello", color.other())).await?;
    }
    let service = put(sandbox, &app, live).await?;
    sandbox
        .until("it serves", |world| world.endpoints("hello").iter().filter(|e| e.ready).count() == 2)
        .await?;

    let mut status = recorded["status"].clone();
    let generation = app.metadata.generation.context("generation")?;
    follow(&mut status, generation);
    status["service"] = json!({"clusterIP": service["spec"]["clusterIP"]});
    if let Some(started) = status.pointer_mut("/switch/startedAt") {
        *started = json!(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::now()));
    }
    // The phases went by in the other cluster: here they are told in short, for the guard.
    for status in [json!({"phase": "Preparing"}), status] {
        let status = Patch::Merge(json!({ "status": status }));
        api.patch_status("hello", &PatchParams::default(), &status).await?;
    }
    sandbox.until("the status is there", |world| world.status("hello").is_some()).await
}

/// The app is new, so it starts from its first generation.
fn follow(value: &mut Value, generation: i64) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "observedGeneration" {
                    *value = json!(generation);
                } else {
                    follow(value, generation);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| follow(item, generation)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn put(sandbox: &Sandbox, app: &BlueGreenApp, mut child: Value) -> Result<Value> {
    let kind = match child["kind"].as_str() {
        Some("Service") => Kind::Service,
        Some("Deployment") => Kind::Deployment,
        Some("ControllerRevision") => Kind::Revision,
        other => anyhow::bail!("{other:?} is no child"),
    };
    child["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello", "controller": true,
        "uid": app.metadata.uid,
    }]);
    if let Some(operator) = child.pointer_mut("/metadata/annotations/bluegreen.dev~1operator") {
        // The same installation: its Lease is in the sandbox's namespace.
        *operator = json!(format!("{}/{}", sandbox.namespace, crate::harness::setup::LEASE));
    }
    let name = child["metadata"]["name"].as_str().context("name")?.to_owned();
    let api = kind.api(&sandbox.client, &sandbox.namespace);
    let created = api.patch(&name, &PatchParams::apply(MANAGER), &Patch::Apply(child)).await?;
    anyhow::ensure!(created.name_any() == name);
    Ok(serde_json::to_value(created)?)
}
