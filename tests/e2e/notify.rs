//! The notifier as a process beside a real operator, with a real receiver: what is told, and that nothing is told twice.
//!
//! | file | holds |
//! |---|---|
//! | `exporter` | the recipe for an exporter of Events, with a real one |
//! | `lost` | the node of the notifier is lost |
//! | `receiver` | a receiver over HTTP that fails, hangs, refuses and comes back |
//! | `process` | the notifier with the account and the rights that the chart gives it |
//! | `restarts` | restarts of the notifier and of the API server |

mod exporter;
mod lost;
mod process;
mod receiver;
mod restarts;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{BlueGreenApp, Color, Phase};
use bluegreen_cluster::patiently;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use self::process::{Account, RULES};
use self::receiver::{Mode, Receiver};
use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World, app, check, cluster};

const APP: &str = "hello";

/// How long a message may take on a busy machine.
const SOON: Duration = Duration::from_secs(45);

/// Switches, and waits until the status has it in its history.
async fn switch(sandbox: &Sandbox, color: Color) -> Result<()> {
    let before = switches(&sandbox.world());
    sandbox.activate(APP, color).await?;
    let done = |world: &World| world.serves(APP, color) && switches(world) > before;
    sandbox.until("the switch is in the history", done).await
}

fn switches(world: &World) -> usize {
    world.status(APP).map_or(0, |status| status.history.len())
}

/// Waits until a metric of the notifier has this value.
async fn counts(notifier: &Operator, series: &str, wanted: u64) -> Result<()> {
    let attempt = async || {
        let found = notifier.metric(series).await?;
        ensure!(found == wanted, "{series} is {found} instead of {wanted}\n{}", notifier.log(20));
        Ok(())
    };
    patiently(SOON, attempt).await
}

/// A receiver that is told each switch in this namespace.
fn hook(receiver: &Receiver, namespace: &str) -> [String; 1] {
    let kinds = "[Activated, Switched, RolledBack, SwitchedBack]";
    let url = receiver.url();
    [format!("{{name: hook, type: webhook, url: '{url}/hook', kinds: {kinds}, namespaces: [{namespace}]}}")]
}

fn result(receiver: &str, result: &str) -> String {
    format!(r#"bluegreen_notify_messages_total{{receiver="{receiver}",result="{result}"}}"#)
}

#[tokio::test]
async fn does_a_receiver_that_fails_hangs_and_comes_back_hear_nothing_twice() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("notify", &app(APP).drain(0)).await?;
    let mut receiver = Receiver::start().await?;
    let receivers = hook(&receiver, &sandbox.namespace);
    let account = Account::new(&sandbox).await?;
    let notifier = account.notifier(&sandbox, &receivers, &["--timeout=2s"]).await?;
    assert!(receiver.heard("/hook").is_empty(), "what was before the start is told");

    switch(&sandbox, Green).await?;
    receiver.until("/hook", 1).await?;
    // What an answer of 500 has done nobody knows.
    receiver.answer(Mode::Status(500));
    switch(&sandbox, Blue).await?;
    receiver.until("/hook", 2).await?;
    counts(&notifier, &result("hook", "unknown"), 1).await?;
    receiver.answer(Mode::Hang);
    switch(&sandbox, Green).await?;
    receiver.until("/hook", 3).await?;
    counts(&notifier, &result("hook", "unknown"), 2).await?;
    // A receiver that is gone has got nothing, so it is tried again.
    receiver.stop().await;
    switch(&sandbox, Blue).await?;
    notifier.says("trying again", SOON).await?;
    switch(&sandbox, Green).await?;
    receiver.answer(Mode::Status(204));
    receiver.come_back().await?;
    receiver.until("/hook", 5).await?;
    // So is one that says that it has taken nothing.
    receiver.answer(Mode::Busy);
    switch(&sandbox, Blue).await?;
    receiver.until("/hook", 6).await?;
    receiver.answer(Mode::Status(200));
    counts(&notifier, &result("hook", "told"), 4).await?;

    let taken = receiver.taken("/hook");
    let ids: Vec<_> = taken.iter().map(|body| body["id"].to_string()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "told twice: {ids:#?}");
    // In order, and none is missing: each was sent once.
    let history = sandbox.world().status(APP).context("status")?.history;
    let done: Vec<_> =
        history.iter().rev().skip(1).map(|entry| (json!(entry.to), json!(entry.finished_at))).collect();
    let told: Vec<_> = taken.iter().map(|body| (body["color"].clone(), body["time"].clone())).collect();
    assert_eq!(told, done);
    drop(notifier);
    account.remove(&sandbox).await?;
    sandbox.finish().await
}

fn is_paused(world: &World) -> bool {
    world.status(APP).is_some_and(|status| status.phase == Some(Phase::Paused))
}

/// An app that is created, is taken back by a check, is paused and goes on.
async fn life(sandbox: &Sandbox) -> Result<()> {
    let tags = json!({"blue": {"tag": "00aa11bb"}, "green": {"tag": "0a1b2c3d"}});
    sandbox.apply(&app(APP).drain(0).with(tags)).await?;
    sandbox.until("blue serves", |world| world.serves(APP, Blue)).await?;
    let failing = check("errors", "After", &json!({"exit": "1"}));
    sandbox.edit(APP, json!({ "checks": [failing], "active": "green" })).await?;
    sandbox.until("it is taken back", |world| world.stalled(APP, "CheckFailed")).await?;
    sandbox.edit(APP, json!({"checks": null, "active": "blue"})).await?;
    sandbox
        .until("it has recovered", |world| world.settled(APP) && !world.stalled(APP, "CheckFailed"))
        .await?;
    sandbox.edit(APP, json!({"paused": true})).await?;
    sandbox.until("it is paused", is_paused).await?;
    sandbox.edit(APP, json!({"paused": false})).await?;
    sandbox.until("it goes on", |world| world.settled(APP) && !is_paused(world)).await
}

/// The command of docs/notifications.md, section "Events".
async fn events(sandbox: &Sandbox) -> Result<()> {
    let (_, section) =
        include_str!("../../docs/notifications.md").split_once("\n## Events\n").context("section")?;
    let line = section.lines().find_map(|line| line.strip_prefix("$ kubectl ")).context("a command")?;
    let line = line.replace('\'', "");
    let words: Vec<_> = line.split_whitespace().collect();
    let attempt = async || {
        let printed = sandbox.kubectl(&words).await?;
        ensure!(printed.starts_with("Switched back from green to blue"), "{printed:?}");
        Ok(())
    };
    patiently(SOON, attempt).await
}

#[tokio::test]
async fn is_a_whole_life_told_to_each_type_of_receiver() -> Result<()> {
    let sandbox = Sandbox::new("notify-life").await?;
    let receiver = Receiver::start().await?;
    let url = receiver.url();
    let namespaces = format!("namespaces: [{}]", sandbox.namespace);
    let receivers = [
        format!("{{name: hook, type: webhook, url: '{url}/hook', headers: {{X-Key: k}}, {namespaces}}}"),
        format!("{{name: bus, type: cloudevents, url: '{url}/bus', token: t, {namespaces}}}"),
        format!("{{name: chat, type: slack, url: '{url}/chat', {namespaces}}}"),
        format!(
            "{{name: gitlab, type: gitlab, url: '{url}', token: g, project: team/hello, environment: production, ref: main, {namespaces}}}"
        ),
        format!("{{name: others, type: webhook, url: '{url}/others', namespaces: [elsewhere]}}"),
    ];
    let account = Account::new(&sandbox).await?;
    let _notifier = account.notifier(&sandbox, &receivers, &[]).await?;
    let _operator = sandbox.operator()?;
    life(&sandbox).await?;

    let wanted = [
        "Activated",
        "SwitchStarted",
        "Switched",
        "CheckFailed",
        "SwitchedBack",
        "Stalled",
        "Recovered",
        "Paused",
        "Resumed",
    ];
    let attempt = async || {
        let kinds: Vec<_> = receiver
            .heard("/hook")
            .iter()
            // A stall is called a blocked switch while the drain of that switch goes on.
            .map(|body| body["kind"].as_str().unwrap_or_default().replace("SwitchBlocked", "Stalled"))
            .collect();
        let missing: Vec<_> = wanted.iter().filter(|kind| !kinds.iter().any(|told| told == *kind)).collect();
        ensure!(missing.is_empty(), "{missing:?} is missing in {kinds:?}");
        Ok(kinds.len())
    };
    let count = patiently(SOON, attempt).await?;
    for path in ["/bus", "/chat"] {
        receiver.until(path, count).await?;
    }
    let ids = |path: &str, all: Vec<Value>| -> Result<Vec<String>> {
        let ids: Vec<_> = all.iter().map(|body| body["id"].to_string()).collect();
        ensure!(ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), "{path} was told twice: {ids:#?}");
        Ok(ids)
    };
    assert_eq!(ids("/bus", receiver.heard("/bus"))?, ids("/hook", receiver.heard("/hook"))?);
    let texts = receiver.heard("/chat");
    let starts = format!("test: {}/{APP}: Activated: Switched to blue", sandbox.namespace);
    assert!(
        texts.iter().any(|body| body["text"].as_str().is_some_and(|text| text.starts_with(&starts))),
        "{texts:#?}"
    );
    let deployments = receiver.heard("/api/v4/projects/team%2Fhello/deployments");
    let told: Vec<_> = deployments.iter().map(|body| format!("{} {}", body["sha"], body["status"])).collect();
    let of = |sha: &str, status: &str| format!("\"{sha}\" \"{status}\"");
    let wanted = [
        of("00aa11bb", "success"),
        of("0a1b2c3d", "success"),
        of("0a1b2c3d", "failed"),
        of("00aa11bb", "success"),
    ];
    assert_eq!(told, wanted);
    assert!(receiver.heard("/others").is_empty());
    events(&sandbox).await?;
    for (path, header, value) in [
        ("/hook", "x-key", "k"),
        ("/bus", "authorization", "Bearer t"),
        ("/bus", "content-type", "application/cloudevents+json"),
    ] {
        assert_eq!(receiver.header(path, header).as_deref(), Some(value), "{path}");
    }
    assert_eq!(
        receiver.header("/api/v4/projects/team%2Fhello/deployments", "private-token").as_deref(),
        Some("g")
    );
    account.remove(&sandbox).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn may_the_notifier_list_and_watch_apps_and_nothing_else() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("notify-rights", &app(APP).drain(0)).await?;
    let receiver = Receiver::start().await?;
    let account = Account::new(&sandbox).await?;
    let began = cluster().await?.audit().ok().map(|audit| audit.end()).transpose()?;
    let receivers = hook(&receiver, &sandbox.namespace);
    let notifier = account.notifier(&sandbox, &receivers, &[]).await?;
    switch(&sandbox, Green).await?;
    receiver.until("/hook", 1).await?;
    notifier.terminate().await?;
    if let Some(began) = began {
        let entries = cluster().await?.audit()?.matching(began, |entry| entry.user == account.user)?;
        let used: BTreeSet<_> = entries
            .iter()
            .map(|entry| format!("{} {}/{} {}", entry.verb, entry.group, entry.resource, entry.code))
            .collect();
        let wanted = ["list bluegreen.dev/bluegreenapps 200", "watch bluegreen.dev/bluegreenapps 200"];
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    }
    // Whoever has its token can do no more with it.
    let client: Client = account.client().await?;
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), &sandbox.namespace);
    assert_eq!(apps.list(&ListParams::default()).await?.items.len(), 1);
    let switching = Patch::Merge(json!({"spec": {"active": "blue"}}));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &sandbox.namespace);
    let pods: Api<Pod> = Api::namespaced(client, &sandbox.namespace);
    for (what, refused) in [
        ("get an app", apps.get(APP).await.map(drop)),
        ("patch an app", apps.patch(APP, &PatchParams::default(), &switching).await.map(drop)),
        ("patch a status", apps.patch_status(APP, &PatchParams::default(), &switching).await.map(drop)),
        ("list Secrets", secrets.list(&ListParams::default()).await.map(drop)),
        ("list pods", pods.list(&ListParams::default()).await.map(drop)),
    ] {
        let code = match refused {
            Err(kube::Error::Api(status)) => status.code,
            other => anyhow::bail!("{what}: {other:?}"),
        };
        assert_eq!(code, 403, "{what}");
    }
    assert!(RULES.contains("verbs: [list, watch]"));
    account.remove(&sandbox).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_configuration_that_is_wrong_named_and_no_notifier_started() -> Result<()> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, log) = (folder.join("notify-wrong.yaml"), folder.join("notify-wrong.log"));
    for (text, words) in [
        (None, "can't read --config"),
        (
            Some("receivers: [{name: a, type: slack, url: 'hooks.example.com/s3cret'}]"),
            "receivers[0].url: must be a URL",
        ),
        (
            Some("receivers: [{name: a, type: slack, url: 'https://h/', token: [s3cret]}]"),
            "receivers[0].token: has a value of the wrong type",
        ),
    ] {
        match text {
            None => drop(std::fs::remove_file(&file)),
            Some(text) => std::fs::write(&file, text)?,
        }
        let arguments = ["notify".to_owned(), format!("--config={}", file.display())];
        let mut notifier = Operator::start(&arguments, &[], &log)?;
        let status = notifier.ended(SOON).await?;
        let said = notifier.log(20);
        assert!(!status.success() && said.contains(words) && !said.contains("s3cret"), "{said}");
    }
    Ok(())
}
