//! Does the API server accept what the documents tell people to write?

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Stored, deployment, render};
use k8s_openapi::DeepMerge;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::Value;

use crate::harness::{Kind, Sandbox, app};

#[path = "../docs/blocks.rs"]
#[allow(dead_code)]
mod blocks;

use blocks::Way;

#[tokio::test]
async fn is_every_recipe_of_the_documents_accepted_with_the_deployments_that_come_out_of_it() -> Result<()> {
    let sandbox = Sandbox::new("recipes").await?;
    let mut tried = 0;
    for (document, text) in blocks::documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
        let parts = blocks::blocks(&text).into_iter().filter(|block| block.way == Some(Way::Manifest));
        // Whole objects are in the suite `chart`, with all other manifests.
        for block in parts.filter(|block| !block.text.contains("kind:")) {
            let here = || format!("{}:{}:\n{}", document.display(), block.line, block.text);
            attempt(&sandbox, &block.text).await.with_context(here)?;
            tried += 1;
        }
    }
    println!("{tried} of {tried} parts of apps accepted");
    ensure!(tried > 3, "only {tried} recipes were found");
    sandbox.finish().await
}

/// Creates the app of a recipe, which may be a part of one, and its Deployments. Nothing is stored.
async fn attempt(sandbox: &Sandbox, yaml: &str) -> Result<()> {
    let mut object = app("hello").object();
    object.merge_from(serde_yaml_ng::from_str::<Value>(yaml)?);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let apps = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let created = apps.create(&params, &serde_json::from_value::<DynamicObject>(object)?).await?;
    let app: BlueGreenApp = serde_json::from_value(serde_json::to_value(created)?)?;
    for color in Color::ALL {
        let rendered = render(&app, color).context("the color has a block")?;
        let body = deployment(&app, color, &Stored { number: 1, rendered }, app.spec.replicas, "lease.1.1");
        let params = PatchParams::apply("recipes").dry_run();
        let name = format!("hello-{color}");
        Kind::Deployment
            .api(&sandbox.client, &sandbox.namespace)
            .patch(&name, &params, &Patch::Apply(&body))
            .await?;
    }
    Ok(())
}
