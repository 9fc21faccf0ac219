//! An image that never pulls, on a real node: a real kubelet asks a real container runtime for it.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Cluster, answer_image};
use serde_json::json;

use crate::harness::{App, Sandbox, app, setup};

/// Real pods start in their own time.
const PATIENCE: Duration = Duration::from_secs(120);

fn answering() -> App {
    app("hello").with(json!({
        "image": "localhost/answer",
        "port": 8080,
        "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 1},
        "template": {"spec": {"terminationGracePeriodSeconds": 5}},
    }))
}

/// The live color's pods, each with the number of times that its container was started again.
fn blue(sandbox: &Sandbox) -> Vec<(String, i64)> {
    let world = sandbox.world();
    let pods = world.all(crate::harness::Kind::Pod).filter(|(name, _)| name.starts_with("hello-blue-"));
    pods.map(|(name, pod)| {
        (name.to_owned(), pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or(-1))
    })
    .collect()
}

#[tokio::test]
async fn does_an_image_that_never_pulls_stall_with_its_name_and_recover_when_the_tag_is_fixed() -> Result<()>
{
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = setup::real_node().await?;
    let folder = cluster.dir()?;
    for tag in ["v1", "v2"] {
        cluster.load_image(&answer_image(folder, "answer", tag)?).await?;
    }
    let sandbox = Sandbox::on(cluster, "pull").await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&answering()).await?;
    sandbox.within(PATIENCE, "blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.within(PATIENCE, "green is warm", |world| world.says("hello", "StandbyReady").is_some()).await?;
    let before = blue(&sandbox);

    let typo = json!({"active": "green", "green": {"tag": "v2-typo"}, "progressDeadlineSeconds": 10});
    sandbox.edit("hello", typo).await?;
    sandbox
        .within(PATIENCE, "it gives up", |world| world.stalled("hello", "ProgressDeadlineExceeded"))
        .await?;
    let told = |world: &crate::harness::World| {
        world.says("hello", "Stalled").is_some_and(|(_, words)| {
            words.contains("the image localhost/answer:v2-typo can't be pulled") && words.contains("green")
        })
    };
    sandbox.until("it says why", told).await?;
    let (_, message) = sandbox.world().says("hello", "Stalled").context("stalled")?;
    println!("Stalled: {message}");
    assert_eq!(blue(&sandbox), before, "what serves is untouched");
    assert_eq!(sandbox.world().selects("hello"), "blue");
    let ready = sandbox.world().endpoints("hello").iter().filter(|endpoint| endpoint.ready).count();
    assert_eq!(ready, 2);

    sandbox.edit("hello", json!({"green": {"tag": "v2"}, "progressDeadlineSeconds": 600})).await?;
    sandbox.within(PATIENCE, "green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(blue(&sandbox), before);
    sandbox.finish().await
}
