//! `switch --selector`: all apps of a group switch, or none stays switched.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use serde_json::{Value, json};

use super::e2e::harness::operator::Operator;
use super::e2e::harness::{Kind, Sandbox, World, app, pods};
use super::ends;

const APPS: [&str; 5] = ["cart", "front", "mail", "search", "stock"];
const SELECTOR: &str = "release=42";

/// Five apps that serve, and one that belongs to another release.
async fn apps(name: &str, special: &Value) -> Result<(Sandbox, Operator)> {
    let sandbox = Sandbox::new(name).await?;
    let operator = sandbox.operator()?;
    for name in APPS.into_iter().chain(["other"]) {
        let app = app(name).replicas(1);
        sandbox.apply(&if name == "mail" { app.with(special.clone()) } else { app }).await?;
        let release = if name == "other" { "release=41" } else { SELECTOR };
        sandbox.kubectl(&["label", "bga", name, release]).await?;
    }
    for name in APPS {
        let idle = |world: &World| {
            world.says(name, "StandbyReady").is_some()
                || world.condition(name, "StandbyReady", "False", "ScaledDown")
        };
        sandbox.until("the app serves", |world| world.settled(name) && idle(world)).await?;
    }
    Ok((sandbox, operator))
}

/// `spec.active` and what the Service selects, of each app of the group.
fn colors(sandbox: &Sandbox) -> Result<Vec<(String, String)>> {
    let world = sandbox.world();
    let of = |name: &&str| {
        let active = world.raw(Kind::App, name).context("app")?["spec"]["active"].clone();
        Ok((active.as_str().context("a color")?.to_owned(), world.selects(name).to_owned()))
    };
    APPS.iter().map(of).collect()
}

fn all(color: &str) -> Vec<(String, String)> {
    vec![(color.to_owned(), color.to_owned()); APPS.len()]
}

#[tokio::test]
async fn do_the_apps_of_a_group_switch_together_or_none_of_them() -> Result<()> {
    let (sandbox, _operator) = apps("cli-group", &json!({})).await?;
    let generations = || APPS.map(|name| sandbox.world().app(name).and_then(|app| app.metadata.generation));
    // One color is not ready: nothing is touched, and the reason is told.
    sandbox.edit("mail", pods(json!({"ready": "never"}))).await?;
    sandbox
        .until("mail's green is late", |world| world.condition("mail", "StandbyReady", "False", "NotReady"))
        .await?;
    let before = generations();
    let command = ["switch", "-l", SELECTOR, "--to", "green", "--wait", "--timeout", "60s"];
    let refused = ends(&sandbox, 1, &command).await?;
    assert!(refused.all.contains("1 of 5 apps can't switch, so none was touched"), "{}", refused.all);
    assert!(refused.out.contains("/mail: blue → ?: refused: NotReady"), "{}", refused.all);
    assert_eq!((generations(), colors(&sandbox)?), (before, all("blue")));
    sandbox.edit("mail", pods(json!({"ready": null}))).await?;
    sandbox.until("mail's green is ready", |world| world.says("mail", "StandbyReady").is_some()).await?;
    // Another number of apps than was meant; a dry run.
    let before = generations();
    ends(&sandbox, 1, &[&command[..], &["--count", "6"]].concat()).await?;
    ends(&sandbox, 1, &["switch", "-l", "release=43"]).await?;
    let tried = ends(&sandbox, 0, &["switch", "-l", SELECTOR, "--dry-run=server"]).await?;
    assert_eq!(tried.out.matches("blue → green: server dry run").count(), APPS.len(), "{}", tried.all);
    assert_eq!((generations(), colors(&sandbox)?), (before, all("blue")));
    // Now all of them, and once more: who is there stays.
    ends(&sandbox, 0, &[&command[..], &["--count", "5", "--rollback-on-failure"]].concat()).await?;
    assert_eq!(colors(&sandbox)?, all("green"));
    let again = ends(&sandbox, 0, &[&command[..], &["-o", "json"]].concat()).await?;
    let again: Value = serde_json::from_str(&again.out)?;
    assert_eq!((&again["kind"], &again["switched"]), (&json!("GroupSwitch"), &json!(true)));
    // And all back.
    ends(&sandbox, 0, &["switch", "-l", SELECTOR, "--to", "blue", "--wait", "--timeout", "60s"]).await?;
    assert_eq!((colors(&sandbox)?, sandbox.world().selects("other")), (all("blue"), "blue"));
    sandbox.finish().await
}

#[tokio::test]
async fn does_one_app_that_fails_take_the_whole_group_back() -> Result<()> {
    // Its green has no pods until it is asked for, and the quota has no room for one: nobody can tell beforehand.
    let scaled = json!({"standby": {"replicas": 0, "scaleDownAfterSeconds": 1}});
    let (sandbox, _operator) = apps("cli-group-back", &scaled).await?;
    sandbox
        .until("mail's green is scaled down", |world| {
            world.condition("mail", "StandbyReady", "False", "ScaledDown")
                && world.says("other", "StandbyReady").is_some()
        })
        .await?;
    let pods = APPS.len() * 2 + 1;
    sandbox.kubectl(&["create", "quota", "pods", &format!("--hard=pods={pods}")]).await?;
    let used = format!("--for=jsonpath={{.status.used.pods}}={pods}");
    sandbox.kubectl(&["wait", "quota/pods", &used, "--timeout=60s"]).await?;
    let blue = || APPS.map(|name| sandbox.world().pods(name, Blue));
    let before = blue();
    let command = ["switch", "-l", SELECTOR, "--to", "green", "--wait", "--timeout", "10s", "-o", "json"];
    let ended = ends(&sandbox, 3, &[&command[..], &["--rollback-on-failure"]].concat()).await?;
    let result: Value = serde_json::from_str(&ended.out)?;
    let apps = result["apps"].as_array().context("apps")?;
    let states: Vec<_> = apps.iter().map(|app| app["state"].as_str().unwrap_or_default()).collect();
    assert_eq!((states, &result["switched"]), (vec!["TakenBack"; 5], &json!(false)), "{}", ended.all);
    let told = |app: &&Value| app["why"].as_str().is_some_and(|why| why.contains("it failed: "));
    let failed: Vec<_> = apps.iter().filter(told).map(|app| app["name"].clone()).collect();
    assert_eq!(failed, [json!("mail")], "{}", ended.all);
    // Four had moved, and each is back on the very same pods.
    assert_eq!((colors(&sandbox)?, blue()), (all("blue"), before));
    let switched: Vec<_> = APPS.into_iter().filter(|name| *name != "mail").collect();
    for name in switched {
        let history = sandbox.world().status(name).context("status")?.history;
        let last: Vec<_> = history.iter().take(2).map(|entry| (entry.from, entry.to)).collect();
        ensure!(last == [(Some(Green), Blue), (Some(Blue), Green)], "{name}: {last:?}");
    }
    // And what could switch now does not switch by itself.
    sandbox.kubectl(&["delete", "quota", "pods"]).await?;
    sandbox.throughout(Duration::from_secs(3), "blue stays", |world| world.selects("mail") == "blue").await?;
    assert_eq!(colors(&sandbox)?, all("blue"));
    sandbox.finish().await
}
