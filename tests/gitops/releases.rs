//! What `helm upgrade --wait` says about releases that change something.

use anyhow::{Result, ensure};
use bluegreen_api::Color;
use serde_json::{Value, json};

use crate::check::{self, Expected};
use crate::e2e::harness::{App, Kind, app, pods};
use crate::full;
use crate::helm::{Answer, RELEASE};
use crate::stage::Stage;
use crate::verdict::Verdict;

const REPLICAS: i32 = 2;

/// Longer than any switch takes, on the busiest machine.
const PATIENCE: &str = "150s";

/// Pods that need a moment, so that a wait that returns too early is seen.
fn hello() -> App {
    app(RELEASE).replicas(REPLICAS).with(pods(json!({"ready-after": "1s"})))
}

fn spec(app: &App) -> Value {
    app.object()["spec"].clone()
}

async fn wait_for(stage: &Stage, app: &App) -> Result<Answer> {
    stage.helm.upgrade(&spec(app), &["--wait", "--timeout", PATIENCE]).await
}

/// What is wrong at this moment; nothing if this color and tag serve.
async fn problems(stage: &Stage, color: Color, tag: &str) -> Result<Vec<String>> {
    let expected = Expected { color, image: format!("team/hello:{tag}"), replicas: REPLICAS };
    let live = check::look(&stage.sandbox.client, &stage.sandbox.namespace, RELEASE).await?;
    Ok(check::problems(&expected, &live))
}

#[tokio::test(flavor = "multi_thread")]
async fn does_a_release_return_only_when_its_color_serves() -> Result<()> {
    let stage = Stage::new("releases").await?;
    let (mut release, mut wrong) = (hello(), Vec::new());
    wait_for(&stage, &release).await?.worked()?;
    wrong.extend(problems(&stage, Color::Blue, "v1").await?);
    let switches = if full() { 10 } else { 2 };
    for turn in 0..switches {
        let (color, tag) = (if turn % 2 == 0 { Color::Green } else { Color::Blue }, format!("v1{turn}"));
        release = release.with(json!({"active": color, color.as_str(): {"tag": tag}}));
        let took = wait_for(&stage, &release).await?.worked()?.took;
        let found = problems(&stage, color, &tag).await?;
        println!(
            "{color} {tag}: {:.1} s, {}",
            took.as_secs_f64(),
            if found.is_empty() { "serves" } else { "WRONG" }
        );
        wrong.extend(found);
    }
    // To the release before the last: the color that was live then, with the tag that it had.
    stage.helm.run(&["rollback", RELEASE, "--wait", "--timeout", PATIENCE]).await?.worked()?;
    let before = format!("v1{}", switches - 2);
    wrong.extend(problems(&stage, Color::Green, &before).await?);
    println!("{} releases and a rollback waited for, {} problems", switches + 1, wrong.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.sandbox.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn does_the_release_that_ends_a_stall_succeed() -> Result<()> {
    let mut stage = Stage::new("fixed").await?;
    let quick = hello().with(json!({"progressDeadlineSeconds": 30}));
    stage.serve(&quick).await?;
    // A tag on the live color is held: told at once, and the fix is to put it where it belongs.
    let held = wait_for(&stage, &quick.clone().with(json!({"blue": {"tag": "v3"}}))).await?;
    ensure!(held.verdict()? == Verdict::Failed, "{held:?}");
    ensure!(held.words.contains("set spec.active to green"), "it says what to do: {}", held.words);
    ensure!(problems(&stage, Color::Blue, "v1").await?.is_empty());
    let moved = quick.clone().with(json!({"active": "green", "green": {"tag": "v3"}}));
    wait_for(&stage, &moved).await?.worked()?;
    ensure!(problems(&stage, Color::Green, "v3").await?.is_empty());

    // A target that never gets ready fails when its deadline is over; blue's new tag never serves.
    let next = moved.with(json!({"active": "blue", "blue": {"tag": "v4"}}));
    let late = wait_for(&stage, &next.clone().with(pods(json!({"ready": "never"})))).await?;
    ensure!(late.verdict()? == Verdict::Failed, "{late:?}");
    println!("a target that never gets ready: failed after {:.1} s", late.took.as_secs_f64());
    ensure!(problems(&stage, Color::Green, "v3").await?.is_empty());
    wait_for(&stage, &next).await?.worked()?;
    ensure!(problems(&stage, Color::Blue, "v4").await?.is_empty());
    stage.sandbox.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn is_a_spec_that_makes_no_sense_refused_before_anything_is_touched() -> Result<()> {
    let mut stage = Stage::new("senseless").await?;
    stage.serve(&hello()).await?;
    let version = |stage: &Stage| {
        stage.sandbox.world().raw(Kind::App, RELEASE).map(|object| object["metadata"]["generation"].clone())
    };
    let before = version(&stage);
    let answer = wait_for(&stage, &hello().with(json!({"active": "green"})).without(Color::Green)).await?;
    ensure!(!answer.ok && answer.words.contains("spec"), "{answer:?}");
    println!("refused after {:.1} s: {}", answer.took.as_secs_f64(), answer.words.trim());
    ensure!(version(&stage) == before && problems(&stage, Color::Blue, "v1").await?.is_empty());
    stage.sandbox.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn do_the_commands_of_the_document_do_what_it_says() -> Result<()> {
    let stage = Stage::new("documented").await?;
    let shell = stage.shell().await?;
    shell.follow("Helm").await?;
    // Rolled back to the release before the last: v2.1.0 waits on green.
    let live = check::look(&stage.sandbox.client, &stage.sandbox.namespace, RELEASE).await?;
    ensure!(live.selects == "blue" && live.serving.len() == 3, "{live:?}");
    let world = stage.sandbox.world();
    ensure!(world.image(RELEASE, Color::Green).as_deref() == Some("docker.io/library/hello:v2.1.0"));
    stage.sandbox.finish().await
}
