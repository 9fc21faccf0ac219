//! Whether an app keeps the size that an autoscaler gave it when `replicas` leaves a chart: with Helm's client-side apply, which is the
//! only one of Helm 3, as `docs/scaling.md` tells it.

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::Blue;

use crate::e2e::harness::{Sandbox, World, cluster};
use crate::helm::{Helm, RELEASE};

const DOCUMENT: &str = include_str!("../../docs/scaling.md");

/// The lines of the document that name the size which the app has.
fn documented() -> Result<&'static str> {
    let start = DOCUMENT.find("{{- $app := lookup").context("the document has no such lines")?;
    let lines = &DOCUMENT[start..];
    Ok(lines.split("```").next().unwrap_or_default())
}

/// A chart whose app says so much about its size.
fn chart(helm: &Helm, size: &str) -> Result<String> {
    let folder = helm.folder.join("chart");
    std::fs::create_dir_all(folder.join("templates"))?;
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: hello\nversion: 0.1.0\n")?;
    let app = format!(
        "apiVersion: bluegreen.dev/v1alpha1\nkind: BlueGreenApp\nmetadata: {{name: hello}}\nspec:\n  active: blue\n  \
         image: team/hello\n  blue: {{tag: v1}}\n  port: 8888\n  drainSeconds: 1\n  service: {{type: ClusterIP}}\n{size}\n"
    );
    std::fs::write(folder.join("templates/app.yaml"), app)?;
    Ok(folder.display().to_string())
}

async fn upgrade(helm: &Helm, size: &str) -> Result<()> {
    let chart = chart(helm, size)?;
    helm.run(&["upgrade", "--install", RELEASE, &chart, "--server-side=false"]).await?.worked().map(drop)
}

/// As an autoscaler does it.
async fn scale(sandbox: &Sandbox, size: i64) -> Result<()> {
    sandbox.kubectl(&["scale", "bga/hello", &format!("--replicas={size}")]).await?;
    is(sandbox, size).await
}

async fn is(sandbox: &Sandbox, size: i64) -> Result<()> {
    let asked = sandbox.kubectl(&["get", "bga/hello", "-o", "jsonpath={.spec.replicas}"]).await?;
    ensure!(asked.trim() == size.to_string(), "the app has replicas: {asked} and not {size}");
    let has = |world: &World| world.size("hello", Blue).map(i64::from) == Some(size);
    sandbox.until("the live color has that size", has).await
}

#[tokio::test(flavor = "multi_thread")]
async fn does_the_size_stay_with_helm_where_the_chart_looks_it_up() -> Result<()> {
    let sandbox = Sandbox::new("helm-sizes").await?;
    let _operator = sandbox.operator()?;
    let helm = Helm::new(cluster().await?, &sandbox.namespace).await?;
    upgrade(&helm, "  replicas: 2").await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    scale(&sandbox, 3).await?;
    // What the document warns of.
    upgrade(&helm, "").await?;
    is(&sandbox, 1).await?;

    upgrade(&helm, "  replicas: 2").await?;
    scale(&sandbox, 3).await?;
    for size in [3, 4] {
        scale(&sandbox, size).await?;
        upgrade(&helm, documented()?).await?;
        is(&sandbox, size).await?;
    }
    sandbox.finish().await
}
