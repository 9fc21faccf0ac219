//! The PodDisruptionBudgets of docs/scaling.md, judged by Kubernetes' own disruption controller and eviction API.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color;
use bluegreen_cluster::patiently;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, EvictParams, ListParams, PostParams};
use serde::Deserialize;
use serde_json::json;

use crate::harness::{Sandbox, app};

/// Those of the document.
fn recipe() -> Result<Vec<PodDisruptionBudget>> {
    let document = include_str!("../../docs/scaling.md");
    let blocks = document.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let block =
        blocks.into_iter().find(|block| block.contains("kind: PodDisruptionBudget")).context("a recipe")?;
    serde_yaml_ng::Deserializer::from_str(block)
        .map(|object| Ok(PodDisruptionBudget::deserialize(object)?))
        .collect()
}

/// The names of a color's pods.
async fn pods(api: &Api<Pod>, color: Color) -> Result<Vec<String>> {
    let of_color =
        ListParams::default().labels(&format!("bluegreen.dev/app=hello,bluegreen.dev/color={color}"));
    Ok(api.list(&of_color).await?.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn is_one_pod_of_each_color_evicted_and_no_second_one_before_it_is_back() -> Result<()> {
    let slow = app("hello").replicas(3).pods(json!({"ready-after": "20s"}));
    let (sandbox, _operator) = Sandbox::serving("budgets", &slow).await?;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    for budget in recipe()? {
        budgets.create(&PostParams::default(), &budget).await?;
    }
    let api: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let settled = async || {
        let all = budgets.list(&ListParams::default()).await?;
        let allowed = all.iter().filter_map(|budget| budget.status.as_ref()?.disruptions_allowed.into());
        ensure!(all.items.len() == 2 && allowed.sum::<i32>() == 2, "one of each color: {all:?}");
        Ok(())
    };
    patiently(Duration::from_secs(60), settled).await?;
    for color in Color::ALL {
        let names = pods(&api, color).await?;
        let [first, second, ..] = &names[..] else { anyhow::bail!("{names:?}") };
        api.evict(first, &EvictParams::default()).await?;
        // The client tries again for as long as the answer is 429.
        let params = EvictParams::default();
        let tried = tokio::time::timeout(Duration::from_secs(3), api.evict(second, &params)).await;
        assert!(tried.is_err(), "{color}: a second pod is evicted before the first is back: {tried:?}");
        let budget = budgets.get(&format!("hello-{color}")).await?;
        assert_eq!(budget.status.map(|status| status.disruptions_allowed), Some(0));
    }
    sandbox.finish().await
}
