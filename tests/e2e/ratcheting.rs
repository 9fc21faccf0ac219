//! A definition that gets a bound: what becomes of an app that is above it?
//!
//! The definition here is the real one, in a group of its own, so that the apps of other tests keep theirs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::patiently;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::harness::Sandbox;

const GROUP: &str = "ratcheting.test";
const NAME: &str = "bluegreenapps.ratcheting.test";
const VOLUMES: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/template/properties/spec\
                       /properties/volumes";

fn definition(is_bounded: bool) -> Result<CustomResourceDefinition> {
    let mut crd = serde_json::to_value(bluegreen_api::crd()?)?;
    (crd["metadata"]["name"], crd["spec"]["group"]) = (json!(NAME), json!(GROUP));
    let volumes = crd.pointer_mut(VOLUMES).and_then(Value::as_object_mut).context("it has no volumes")?;
    ensure!(volumes.contains_key("maxItems"), "the list has no bound");
    if !is_bounded {
        volumes.remove("maxItems");
    }
    Ok(serde_json::from_value(crd)?)
}

fn volumes(count: usize) -> Value {
    let all: Vec<Value> = (0..count).map(|i| json!({"name": format!("v{i}"), "emptyDir": {}})).collect();
    json!({"spec": {"template": {"spec": {"volumes": all}}}})
}

#[tokio::test]
async fn may_an_app_that_is_above_a_new_bound_be_switched_and_reported() -> Result<()> {
    let sandbox = Sandbox::new("ratcheting").await?;
    let definitions: Api<CustomResourceDefinition> = Api::all(sandbox.client.clone());
    // What a run that was killed has left.
    let _ = definitions.delete(NAME, &DeleteParams::default()).await;
    let create = async || {
        definitions.create(&PostParams::default(), &definition(false)?).await?;
        Ok(())
    };
    patiently(Duration::from_secs(30), create).await?;
    let result = above_a_bound(&sandbox.client, &sandbox.namespace, &definitions).await;
    definitions.delete(NAME, &DeleteParams::default()).await?;
    result?;
    sandbox.finish().await
}

async fn above_a_bound(
    client: &Client,
    namespace: &str,
    definitions: &Api<CustomResourceDefinition>,
) -> Result<()> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1alpha1", "BlueGreenApp"));
    let apps: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let mut app: Value = serde_yaml_ng::from_str(include_str!("../golden_smallest.yaml"))?;
    (app["apiVersion"], app["spec"]["template"]) =
        (json!(format!("{GROUP}/v1alpha1")), volumes(300)["spec"]["template"].clone());
    let app: DynamicObject = serde_json::from_value(app)?;
    let name = app.metadata.name.clone().context("it has no name")?;
    let store = async || Ok(apps.create(&PostParams::default(), &app).await.map(drop)?);
    patiently(Duration::from_secs(30), store).await?;

    let bounded = serde_json::to_value(definition(true)?)?;
    let params = PatchParams::default();
    definitions.patch(NAME, &params, &Patch::Merge(&bounded)).await?;
    let edit = async |patch: Value| apps.patch(&name, &params, &Patch::Merge(&patch)).await;
    // A moment passes before the API server knows the new definition.
    let refused = async || {
        let longer = PatchParams { dry_run: true, ..PatchParams::default() };
        let answer = apps.patch(&name, &longer, &Patch::Merge(volumes(301))).await;
        let error = answer.err().context("a longer list is accepted")?.to_string();
        ensure!(error.contains("must have at most 256 items"), "{error}");
        Ok(())
    };
    patiently(Duration::from_secs(30), refused).await?;
    edit(json!({"spec": {"replicas": 3}})).await.context("a new size is refused")?;
    edit(json!({"spec": {"blue": {"tag": "v7"}}})).await.context("a new tag is refused")?;
    let status = json!({"status": {"observedGeneration": 1}});
    apps.patch_status(&name, &params, &Patch::Merge(&status)).await.context("the status is refused")?;
    edit(volumes(10)).await.context("a shorter list is refused")?;
    Ok(())
}
