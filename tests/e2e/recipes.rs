//! Does the API server accept what the documents tell people to write?

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Stored, deployment, render};
use k8s_openapi::DeepMerge;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::Value;

use crate::harness::{Kind, Sandbox, app};

#[tokio::test]
async fn is_every_recipe_of_the_documents_accepted_with_the_deployments_that_come_out_of_it() -> Result<()> {
    let sandbox = Sandbox::new("recipes").await?;
    let mut tried = 0;
    for document in ["concepts.md", "troubleshooting.md", "operations.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
        let text = std::fs::read_to_string(path)?;
        for block in text.split("```yaml\n").skip(1) {
            let yaml = block.split("```").next().unwrap_or_default();
            attempt(&sandbox, yaml).await.with_context(|| format!("docs/{document}:\n{yaml}"))?;
            tried += 1;
        }
    }
    ensure!(tried > 0, "no document has a recipe");
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
