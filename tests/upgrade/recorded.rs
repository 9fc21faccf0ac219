//! This release meets what the one before it left in the cluster.

use anyhow::Result;
use bluegreen_api::Color::Green;
use serde_json::json;

use crate::files::restore;
use crate::harness::operator::Operator;
use crate::harness::{Kind, Sandbox, World, cluster};
use crate::moments::{Moment, claims, looked, running, told_once};

async fn meets(moment: Moment) -> Result<(Sandbox, Operator)> {
    let sandbox = Sandbox::new(&format!("met-{}", moment.name())).await?;
    restore(moment, &sandbox).await?;
    let before = running(&sandbox.world(), None);
    let operator = sandbox.operator()?;
    looked(&operator).await?;
    moment.end(&sandbox).await?;
    assert_eq!(running(&sandbox.world(), None), before, "no pod and no template was touched");
    Ok((sandbox, operator))
}

#[tokio::test]
async fn is_only_the_status_written_and_only_once_when_it_finds_all_as_it_should_be() -> Result<()> {
    let Ok(audit) = cluster().await?.audit() else {
        eprintln!("skipped: this cluster's audit log can't be read");
        return Ok(());
    };
    let sandbox = Sandbox::new("met").await?;
    restore(Moment::Resting, &sandbox).await?;
    let (before, claimed) = (running(&sandbox.world(), None), claims(&sandbox.world()));
    let since = audit.end()?;
    let operator = sandbox.operator()?;
    looked(&operator).await?;
    told_once(&sandbox, since).await?;
    assert_eq!(running(&sandbox.world(), None), before);
    assert_eq!(claims(&sandbox.world()), claimed, "the words are new, what they claim is not");
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_app_at_rest_go_on_with_the_pods_that_it_has() -> Result<()> {
    let (sandbox, _operator) = meets(Moment::Resting).await?;
    // What the older release did not write comes with the next edit, and with no other roll than that one.
    sandbox.edit("hello", json!({"green": {"tag": "v9"}})).await?;
    let rolled = |world: &World| {
        world.image("hello", Green).as_deref() == Some("team/hello:v9") && Moment::Resting.is_now(world)
    };
    sandbox.until("green is rolled", rolled).await?;
    let label = |color: &str| {
        let world = sandbox.world();
        let deployment = world.raw(Kind::Deployment, &format!("hello-{color}"));
        deployment.map(|object| object["metadata"]["labels"]["bluegreen.dev/block"].is_string())
    };
    assert_eq!((label("green"), label("blue")), (Some(true), Some(false)));
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_switch_that_was_begun_finished() -> Result<()> {
    let (sandbox, _operator) = meets(Moment::Switching).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_rollback_in_the_drain_need_no_write_to_the_pods_first() -> Result<()> {
    let (sandbox, _operator) = meets(Moment::Draining).await?;
    sandbox.finish().await
}
