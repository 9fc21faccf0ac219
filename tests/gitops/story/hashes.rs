//! ConfigMaps whose names have a hash, as `docs/kustomize.md` has them: pruned, the live color's next pod could not start.

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::manifests;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::{APP, PATIENCE, Story, settled};
use crate::e2e::harness::{Kind, World};
use crate::root;
use bluegreen_api::Color::{self, Blue, Green};

/// The name of the ConfigMap that a color's Deployment names.
fn named(world: &World, color: Color) -> Option<String> {
    let deployment = world.raw(Kind::Deployment, &format!("{APP}-{color}"))?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    container["envFrom"][0]["configMapRef"]["name"].as_str().map(str::to_owned)
}

/// The names of the ConfigMaps that begin so.
async fn config_maps(story: &Story, start: &str) -> Result<Vec<String>> {
    let api: Api<ConfigMap> = Api::namespaced(story.sandbox.client.clone(), &story.sandbox.namespace);
    let all = api.list(&ListParams::default()).await?.items;
    Ok(all.iter().map(ResourceExt::name_any).filter(|name| name.starts_with(start)).collect())
}

/// With blue live; afterwards all is as before.
pub async fn are_kept_while_a_color_names_them(story: &mut Story) -> Result<()> {
    let before = story.head().await?;
    let recipe = manifests(include_str!("../../../docs/kustomize.md"), "ConfigMaps with a hash");
    let recipe =
        recipe.first().context("a recipe")?.replace("  - hello.yaml\n", "  - hello.yaml\n  - other.yaml\n");
    // The same without the annotations.
    let guarded = format!("{recipe}  - name: unguarded\n    literals:\n      - TEXT=one\n");
    std::fs::write(story.clone.folder.join("hello/kustomization.yaml"), guarded)?;
    let apps = root().join("config/apps");
    let container = "  template:\\n    spec:\\n      containers:\\n        - name: app\\n          envFrom: \
                     [{configMapRef: {name: settings}}]\\n";
    let edit = format!("cp -r {} apps && printf '{container}' >>hello/hello.yaml", apps.display());
    story.commit(&edit, "settings").await?;
    story.serves("green has its settings", Blue, "v1.0.0").await?;
    let has_settings = |world: &World| settled(world) && named(world, Green).is_some();
    story.look_when("green waits with its settings", has_settings).await?;
    story
        .commit("sed -i 's/active: blue/active: green/' hello/hello.yaml", "green with its settings")
        .await?;
    story.serves("green went live with its settings", Green, "v2.0.0").await?;
    story.look_when("green serves with its settings", settled).await?;
    let old = named(&story.sandbox.world(), Green).context("the live color's ConfigMap")?;

    let edit = "sed -i 's/TEXT=one/TEXT=two/' hello/kustomization.yaml \
                && sed -i '/^  blue:/,/tag:/ s/tag: .*/tag: v2.0.0/' hello/hello.yaml";
    story.commit(edit, "other settings, with a tag").await?;
    story.serves("other settings reach blue", Green, "v2.0.0").await?;
    let apart = |world: &World| settled(world) && named(world, Blue).is_some_and(|new| new != old);
    story.look_when("blue waits with other settings", apart).await?;
    ensure!(named(&story.sandbox.world(), Green).as_ref() == Some(&old), "the live color was edited");
    let (guarded, unguarded) =
        (config_maps(story, "settings-").await?, config_maps(story, "unguarded-").await?);
    ensure!(guarded.len() == 2 && guarded.contains(&old), "{guarded:?}");
    ensure!(unguarded.len() == 1, "nothing was pruned: {unguarded:?}");
    replace_a_live_pod(story).await?;
    story.serves("a live pod came back", Green, "v2.0.0").await?;

    let undo = format!(
        "git rm -rq apps && git checkout --quiet {before} -- hello && git rm -q hello/kustomization.yaml"
    );
    story.commit(&undo, "as before").await?;
    story.serves("without settings", Blue, "v1.0.0").await?;
    // Green keeps what it ran, with its settings.
    story.look_when("blue serves without settings", settled).await
}

/// As when its node goes.
async fn replace_a_live_pod(story: &Story) -> Result<()> {
    let of_green = |pod: &Value| {
        let labels = &pod["metadata"]["labels"];
        labels["bluegreen.dev/app"] == APP && labels["bluegreen.dev/color"] == "green"
    };
    let pods = |world: &World| -> Vec<String> {
        world.all(Kind::Pod).filter(|(_, pod)| of_green(pod)).map(|(name, _)| name.to_owned()).collect()
    };
    let first = pods(&story.sandbox.world()).into_iter().next().context("a pod of green")?;
    story.sandbox.delete(Kind::Pod, &first).await?;
    let is_back =
        |world: &World| world.serves(APP, Green) && !pods(world).contains(&first) && pods(world).len() == 3;
    story.sandbox.within(PATIENCE, "a pod in its place", is_back).await
}
