//! Bad input, as a person meets it: at the API server.

mod case;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color::Blue;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::DeepMerge;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, app};
use case::{Case, cases};

const SMALLEST: &str = include_str!("../golden_smallest.yaml");

fn smallest(patch: &Value) -> Result<Value> {
    let mut object: Value = serde_yaml_ng::from_str(SMALLEST)?;
    if !patch.is_null() {
        object["spec"].merge_from(patch.clone());
    }
    Ok(object)
}

/// What the API server says to creating it; nothing is stored.
async fn refusal(api: &Api<DynamicObject>, object: Value) -> Result<Option<String>> {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&params, &serde_json::from_value(object)?).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) => Ok(Some(status.message.clone())),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test]
async fn is_every_bad_input_refused_with_a_message_that_names_the_field() -> Result<()> {
    let sandbox = Sandbox::new("input").await?;
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let cases = cases()?;
    ensure!(cases.len() >= 80);
    let wrong: Vec<String> = futures::stream::iter(cases)
        .map(|case| {
            let api = &api;
            async move { check(api, &case).await }
        })
        .buffer_unordered(4)
        .try_filter_map(|wrong| async move { Ok(wrong) })
        .try_collect()
        .await?;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    sandbox.finish().await
}

/// What is wrong with the answer to one bad input.
async fn check(api: &Api<DynamicObject>, case: &Case) -> Result<Option<String>> {
    let Case { case, name, patch, field, says, schema } = case;
    let mut object = smallest(patch)?;
    if let Some(name) = name {
        object["metadata"]["name"] = json!(name);
    }
    let Some(message) = refusal(api, object).await? else {
        return Ok(Some(format!("{case}: accepted")));
    };
    if !message.contains(field.as_str()) {
        return Ok(Some(format!("{case}: does not name {field}: {message}")));
    }
    let silent = !schema && !message.contains(says.as_str());
    Ok(silent.then(|| format!("{case}: does not say {says:?}: {message}")))
}

/// In the API server's words, which are those of `kubectl bluegreen lint`.
#[tokio::test]
async fn does_a_list_that_is_too_long_name_its_bound() -> Result<()> {
    let sandbox = Sandbox::new("long").await?;
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let volumes = |count: usize| -> Vec<Value> {
        (0..count).map(|i| json!({"name": format!("v{i}"), "emptyDir": {}})).collect()
    };
    let with = |count| smallest(&json!({"template": {"spec": {"volumes": volumes(count)}}}));
    ensure!(refusal(&api, with(256)?).await?.is_none(), "so many are accepted");
    let message = refusal(&api, with(257)?).await?.context("one more is accepted")?;
    for words in ["spec.template.spec.volumes", "must have at most 256 items"] {
        ensure!(message.contains(words), "{message}");
    }
    sandbox.finish().await
}

#[tokio::test]
async fn are_good_inputs_accepted() -> Result<()> {
    let sandbox = Sandbox::new("good").await?;
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let patches: Vec<Value> = serde_yaml_ng::from_str(include_str!("../golden_accepted.yaml"))?;
    for patch in patches {
        if let Some(message) = refusal(&api, smallest(&patch)?).await? {
            bail!("{patch}: {message}");
        }
    }
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_bad_edit_leave_what_serves_alone() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("bad-edit", &app("hello")).await?;
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let state = || {
        let world = sandbox.world();
        let version = |kind, name| world.raw(kind, name).map(|o| o["metadata"]["resourceVersion"].clone());
        [
            (Kind::App, "hello"),
            (Kind::Service, "hello"),
            (Kind::Deployment, "hello-blue"),
            (Kind::Deployment, "hello-green"),
        ]
        .map(|(kind, name)| version(kind, name))
    };
    let before = state();
    // What only an edit can get wrong comes first.
    for (spec, field, says) in [
        (json!({"port": 9999}), "spec.port", "set spec.service.port to the port that clients use"),
        (json!({"portName": "web"}), "spec.portName", "can't be changed"),
        (json!({"active": "red"}), "spec.active", "supported values: \"blue\", \"green\""),
        (json!({"active": "green", "green": null}), "spec.active", "add that block"),
        (json!({"blue": null}), "spec.active", "add that block"),
        (json!({"image": "team/hello:v3"}), "spec.image", "move what follows ':' or '@'"),
        (json!({"blue": {"tag": null}}), "spec.blue", "tag or digest is required"),
        (json!({"replicas": 0}), "spec.replicas", "greater than or equal to 1"),
        // Once stored, nobody could read the object any more.
        (json!({"replicas": 2_147_483_648_u64}), "spec.replicas", "less than or equal to 2147483647"),
        (json!({"maxSurge": 2_147_483_648_u64}), "spec.maxSurge", "less than or equal to 2147483647"),
        (json!({"template": {"spec": {"priority": 2_147_483_648_u64}}}), "priority", "less than or equal to"),
        (json!({"replicas": "three"}), "spec.replicas", "must be of type integer"),
        (json!({"service": {"type": "Nodeport"}}), "spec.service.type", "supported values"),
        (json!({"activeUpdatePolicy": "Rolling"}), "spec.activeUpdatePolicy", "supported values"),
        (json!({"minReadySeconds": 600}), "spec.minReadySeconds", "must be less than"),
        (json!({"paused": "yes"}), "spec.paused", "must be of type boolean"),
    ] {
        let patch = json!({ "spec": spec });
        let error = api.patch("hello", &PatchParams::default(), &Patch::Merge(&patch)).await.err();
        let message = error.with_context(|| format!("{patch} was accepted"))?.to_string();
        assert!(message.contains(field) && message.contains(says), "{patch}: {message}");
    }
    assert_eq!(state(), before);
    assert!(sandbox.world().serves("hello", Blue));
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_misspelled_field_pointed_out_by_kubectl() -> Result<()> {
    let sandbox = Sandbox::new("typo").await?;
    let mut object = app("hello").object();
    object["spec"]["replica"] = json!(3);
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", sandbox.namespace));
    std::fs::write(&file, object.to_string())?;
    let refused = sandbox.kubectl(&["apply", "-f", &file.display().to_string()]).await;
    let message = refused.err().context("accepted")?.to_string();
    assert!(message.contains("unknown field \"spec.replica\""), "{message}");
    sandbox.finish().await
}
