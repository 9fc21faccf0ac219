//! The Service of the idle color (`spec.service.preview`), as Kubernetes sees it.

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use crate::harness::{Kind, Sandbox, World, app};

const PREVIEW: &str = "hello-preview";

/// All ready endpoints of the preview are pods of this color, and there are some.
fn shows(world: &World, color: &str) -> bool {
    let endpoints = world.endpoints(PREVIEW);
    let ready: Vec<_> = endpoints.iter().filter(|endpoint| endpoint.ready).collect();
    !ready.is_empty() && ready.iter().all(|endpoint| endpoint.pod.starts_with(&format!("hello-{color}-")))
}

#[tokio::test]
async fn does_the_preview_lead_to_the_idle_color_before_and_after_each_switch() -> Result<()> {
    let (sandbox, _operator) =
        Sandbox::serving("preview", &app("hello").with(json!({"service": {"preview": true}}))).await?;
    sandbox.until("it shows green", |world| shows(world, "green")).await?;
    for (color, idle) in [(Green, "blue"), (Blue, "green")] {
        sandbox.activate("hello", color).await?;
        sandbox.until("it serves", |world| world.serves("hello", color)).await?;
        sandbox.until("the preview follows", |world| shows(world, idle)).await?;
    }
    // An app may not take its name.
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    let object = serde_json::from_value(app(PREVIEW).object())?;
    let refused =
        api.create(&kube::api::PostParams::default(), &object).await.err().context("it was taken")?;
    assert!(refused.to_string().contains("must not end in -blue, -green or -preview"), "{refused}");

    sandbox.edit("hello", json!({"service": {"preview": null}})).await?;
    sandbox.until("it is gone", |world| world.raw(Kind::Service, PREVIEW).is_none()).await?;
    sandbox.until("all is well", |world| world.settled("hello")).await?;
    sandbox.finish().await
}
