//! Restarts of the notifier and of the API server.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bluegreen_api::BlueGreenApp;
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Cluster, Node, Options, patiently};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use super::process::Account;
use super::receiver::{Mode, Receiver};
use super::{APP, SOON, counts, hook, result, switch};
use crate::harness::operator::{Operator, environment};
use crate::harness::{Sandbox, app, setup};

#[tokio::test]
async fn does_a_notifier_that_was_killed_tell_nothing_again() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("notify-again", &app(APP).drain(0)).await?;
    let receiver = Receiver::start().await?;
    let receivers = hook(&receiver, &sandbox.namespace);
    let account = Account::new(&sandbox).await?;
    let notifier = account.notifier(&sandbox, &receivers, &[]).await?;
    switch(&sandbox, Green).await?;
    receiver.until("/hook", 1).await?;
    // Killed while a message is under way: nobody knows of it afterwards, and it is not sent again.
    receiver.answer(Mode::Hang);
    switch(&sandbox, Blue).await?;
    receiver.until("/hook", 2).await?;
    notifier.kill()?;
    receiver.answer(Mode::Status(200));
    // Nobody is there to tell this one.
    switch(&sandbox, Green).await?;
    let notifier = account.notifier(&sandbox, &receivers, &[]).await?;
    switch(&sandbox, Blue).await?;
    receiver.until("/hook", 3).await?;
    // Told to end while a message is under way: it is sent to its end.
    receiver.answer(Mode::Hang);
    switch(&sandbox, Green).await?;
    receiver.until("/hook", 4).await?;
    let status = notifier.terminate().await?;
    ensure!(status.success(), "{status}");

    let ids: Vec<_> = receiver.heard("/hook").iter().map(|body| body["id"].to_string()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:#?}");
    let history = sandbox.world().status(APP).context("status")?.history;
    let done: Vec<_> = history.iter().rev().map(|entry| entry.finished_at.0.to_string()).collect();
    let told: Vec<_> = receiver
        .heard("/hook")
        .iter()
        .map(|body| body["time"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(told, [1, 2, 4, 5].map(|index| done[index].clone()), "{done:#?}");
    account.remove(&sandbox).await?;
    sandbox.finish().await
}

/// A cluster of its own, since its API server is restarted.
#[tokio::test]
async fn do_restarts_of_the_api_server_make_nothing_be_told_twice() -> Result<()> {
    const NAMESPACE: &str = "default";
    let cluster =
        Cluster::start(Options { node: Node::Simulated { count: 1 }, ..Options::default() }).await?;
    setup::install(&cluster).await?;
    let admin = cluster.client()?;
    let receiver = Receiver::start().await?;
    let receivers = hook(&receiver, NAMESPACE);
    let user = cluster.user("anybody", &[]).await?;
    let account = Account::of(&admin, NAMESPACE, &user.kubeconfig).await?;
    let variables = environment(&cluster, account.kubeconfig())?;
    let notifier = account.start(&variables, &receivers, &[]).await?;
    let flags = [
        "--lease-namespace=default",
        "--health-addr=127.0.0.1:0",
        "--metrics-addr=127.0.0.1:0",
        "--log-format=text",
    ];
    // It rides out the restarts: a lost Lease would end it.
    let lease = ["--lease-duration=90s", "--lease-renew-deadline=80s", "--lease-retry-period=2s"];
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notify-restarts-operator.log");
    let arguments: Vec<_> = flags.into_iter().chain(lease).map(str::to_owned).collect();
    let _operator = Operator::start(&arguments, &environment(&cluster, cluster.kubeconfig())?, &log)?;

    let apps: Api<BlueGreenApp> = Api::namespaced(admin, NAMESPACE);
    apps.create(&PostParams::default(), &serde_json::from_value(app(APP).drain(0).object())?).await?;
    let history = async |count: usize| {
        let attempt = async || {
            let status = apps.get(APP).await?.status.context("no status")?;
            ensure!(status.history.len() >= count && status.switch.is_none(), "{:#?}", status.history);
            Ok(status.history)
        };
        patiently(SOON * 2, attempt).await
    };
    history(1).await?;
    receiver.until("/hook", 1).await?;
    for (count, color) in [(2, Green), (3, Blue)] {
        cluster.restart_apiserver().await?;
        let patch = Patch::Merge(json!({"spec": {"active": color}}));
        let attempt = async || Ok(apps.patch(APP, &PatchParams::default(), &patch).await?);
        patiently(SOON, attempt).await?;
        // The switch itself may be done while the notifier has no connection.
        history(count).await?;
    }
    cluster.restart_apiserver().await?;
    counts(&notifier, &result("hook", "told"), 3).await?;
    let told: Vec<_> = receiver
        .heard("/hook")
        .iter()
        .map(|body| body["time"].as_str().unwrap_or_default().to_owned())
        .collect();
    let done: Vec<_> = history(3).await?.iter().rev().map(|entry| entry.finished_at.0.to_string()).collect();
    assert_eq!(told, done);
    drop((notifier, _operator));
    cluster.stop().await
}
