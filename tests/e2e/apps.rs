//! The shapes of apps in `examples/apps`: does the real API server take each manifest as it is, and can each be switched and
//! switched back? `real.rs` runs them, as far as their programs can be had.

mod images;
mod real;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, PersistentVolume};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World};

/// A manifest: its file's name, its app, and what else is in it.
struct Shape {
    file: String,
    app: Value,
    others: Vec<Value>,
}

impl Shape {
    fn name(&self) -> &str {
        self.app["metadata"]["name"].as_str().unwrap_or_default()
    }
}

fn shapes() -> Result<Vec<Shape>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/apps");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let documents: Vec<Value> =
            serde_yaml_ng::Deserializer::from_str(&text).map(Value::deserialize).collect::<Result<_, _>>()?;
        let (apps, others): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|document| document["kind"] == "BlueGreenApp");
        let file = path.file_name().context("a file")?.to_string_lossy().into_owned();
        let [app] = apps.try_into().ok().with_context(|| format!("{file} is of one app"))?;
        all.push(Shape { file, app, others });
    }
    all.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(all)
}

/// What a shape needs of a cluster: a Windows node, which only tolerating pods get, and a volume for the claim.
async fn prepare(sandbox: &Sandbox) -> Result<()> {
    let name = &sandbox.namespace;
    let node = json!({
        "metadata": {
            "name": name, "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "windows"},
        },
        "status": {
            "allocatable": {"cpu": "1000", "memory": "1Ti", "pods": "100"},
            "capacity": {"cpu": "1000", "memory": "1Ti", "pods": "100"},
        },
    });
    let nodes: Api<Node> = Api::all(sandbox.client.clone());
    nodes.create(&PostParams::default(), &serde_json::from_value(node)?).await?;
    // As admission would leave it, and the controller for that is off here.
    let taints = json!({"spec": {"taints": [{"key": "os", "value": "windows", "effect": "NoSchedule"}]}});
    nodes.patch(name, &PatchParams::default(), &Patch::Merge(taints)).await?;
    let volumes: Api<PersistentVolume> = Api::all(sandbox.client.clone());
    volumes.create(&PostParams::default(), &volume(name, "/nowhere")?).await?;
    Ok(())
}

/// A volume for the claim of a namespace, by whose name it is called.
fn volume(namespace: &str, path: &str) -> Result<PersistentVolume> {
    let volume = json!({
        "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": path, "type": "DirectoryOrCreate"},
            "claimRef": {"namespace": namespace, "name": "wiki-data"}, "persistentVolumeReclaimPolicy": "Retain",
        },
    });
    Ok(serde_json::from_value(volume)?)
}

async fn clean_up(sandbox: &Sandbox) -> Result<()> {
    let (name, params) = (&sandbox.namespace, DeleteParams::default());
    Api::<Node>::all(sandbox.client.clone()).delete(name, &params).await?;
    Api::<PersistentVolume>::all(sandbox.client.clone()).delete(name, &params).await?;
    Ok(())
}

async fn create_other(sandbox: &Sandbox, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let types = object.types.as_ref().context("a kind")?;
    let kind = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    let api: Api<DynamicObject> = Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &kind);
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

/// The ports that the slices of a Service list for ready pods are those of the Service.
fn leads_everywhere(world: &World, name: &str) -> bool {
    let of_service = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name;
    let names = |ports: &Value| -> Vec<String> {
        let mut all: Vec<String> =
            ports.as_array().into_iter().flatten().map(|port| port["name"].to_string()).collect();
        all.sort();
        all
    };
    let wanted = world.raw(Kind::Service, name).map(|service| names(&service["spec"]["ports"]));
    let slices: Vec<&Value> = world.all(Kind::Slice).map(|(_, slice)| slice).filter(of_service).collect();
    let filled =
        slices.iter().filter(|slice| slice["endpoints"].as_array().is_some_and(|all| !all.is_empty()));
    let mut filled = filled.peekable();
    filled.peek().is_some() && filled.all(|slice| Some(names(&slice["ports"])) == wanted)
}

/// As it is, but for the time of the drain, which tests don't have.
async fn lives(sandbox: &Sandbox, shape: &Shape) -> Result<()> {
    for other in &shape.others {
        create_other(sandbox, other).await?;
    }
    let mut object = shape.app.clone();
    object["spec"]["drainSeconds"] = json!(1);
    let name = shape.name();
    sandbox.create(Kind::App, object).await?;
    let serves = |color| move |world: &World| world.serves(name, color) && leads_everywhere(world, name);
    // Four of them begin at once, beside all other tests.
    sandbox.within(Duration::from_secs(120), &format!("{name} serves"), serves(Blue)).await?;
    for color in [Green, Blue] {
        sandbox.activate(name, color).await?;
        sandbox.until(&format!("{name} serves {color}"), serves(color)).await?;
    }
    println!("{}: applied, switched and switched back", shape.file);
    Ok(())
}

#[tokio::test]
async fn does_every_shape_of_the_examples_serve_switch_and_switch_back() -> Result<()> {
    let sandbox = Sandbox::new("apps").await?;
    let shapes = shapes()?;
    ensure!(shapes.len() > 10, "{} shapes", shapes.len());
    let _operator = sandbox.operator()?;
    prepare(&sandbox).await?;
    let sandbox_ref = &sandbox;
    let all = futures::stream::iter(&shapes)
        .map(|shape| async move { lives(sandbox_ref, shape).await.with_context(|| shape.file.clone()) })
        .buffer_unordered(4)
        .try_collect::<Vec<()>>()
        .await;
    clean_up(&sandbox).await?;
    println!("{} of {} shapes", all.as_ref().map_or(0, Vec::len), shapes.len());
    all?;

    // What the manifests promise of their pods.
    let world = sandbox.world();
    let container = |app: &str, list: &str, name: &str| -> Option<Value> {
        let template = &world.raw(Kind::Deployment, &format!("{app}-green"))?["spec"]["template"]["spec"];
        template[list].as_array()?.iter().find(|container| container["name"] == name).cloned()
    };
    for (app, list, name, image) in [
        ("store", "initContainers", "migrate", "registry.example.com/shop/store:v1.1.0"),
        ("store", "containers", "worker", "registry.example.com/shop/store:v1.1.0"),
        ("shop", "initContainers", "code", "registry.example.com/shop/php:v1.1.0"),
        ("shop", "containers", "nginx", "nginx:1.29"),
    ] {
        let found = container(app, list, name).with_context(|| format!("{app} has no {name}"))?;
        assert_eq!(found["image"], image, "{app} {name}");
    }
    let worker = container("store", "containers", "worker").context("worker")?;
    assert_eq!(worker["env"][0], json!({"name": "BLUEGREEN_COLOR", "value": "green"}));
    // Only one version works once the drain is over.
    assert_eq!(world.size("mailer", Green), Some(0));
    sandbox.finish().await
}
