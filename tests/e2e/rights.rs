//! Are the operator's rights exactly those that it uses, and what stops everybody else from getting more through it?

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::Offset;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use serde_json::json;
use tokio::net::TcpListener;

use crate::contested::webhook::{Webhook, register};
use crate::harness::{Kind, Sandbox, World, app, cluster};
use crate::tls::Tls;

const RIGHTS: &str = include_str!("../../config/rbac/role.yaml");
const ELECTION: &str = include_str!("../../config/rbac/leader_election_role.yaml");

/// `group/resource verb`, one for each right.
fn granted() -> Result<BTreeSet<String>> {
    let role: ClusterRole = serde_yaml_ng::from_str(RIGHTS)?;
    let election: Role = serde_yaml_ng::from_str(ELECTION)?;
    let rules = role.rules.into_iter().chain(election.rules).flatten();
    Ok(rules.flat_map(|rule| rights(&rule)).collect())
}

fn rights(rule: &PolicyRule) -> Vec<String> {
    let (groups, resources) = (rule.api_groups.iter().flatten(), rule.resources.iter().flatten());
    let pairs = groups.flat_map(|group| resources.clone().map(move |resource| (group, resource)));
    pairs
        .flat_map(|(group, name)| rule.verbs.iter().map(move |verb| format!("{group}/{name} {verb}")))
        .collect()
}

/// A life with everything in it that makes the operator ask for something.
#[tokio::test]
async fn is_every_right_used_and_none_missing() -> Result<()> {
    let Ok(audit) = cluster().await?.audit() else {
        eprintln!("skipped: this cluster's audit log can't be read");
        return Ok(());
    };
    let sandbox = Sandbox::new("rights").await?;
    let operator = sandbox.operator()?;
    sandbox.apply(&app("hello").drain(0)).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    // The watch of an app and the switch itself; a new revision, and one too many.
    for (number, color) in [Green, Blue, Green].into_iter().enumerate() {
        let tag = json!({"active": color, color.as_str(): {"tag": format!("v1{number}")}});
        sandbox.edit("hello", tag).await?;
        sandbox.until("it serves", |world| world.serves("hello", color)).await?;
    }
    // A check whose Job passes, and whose Job nothing needs once its switch is canceled.
    let template = json!({
        "metadata": {"annotations": {"test.bluegreen.dev/exit": "0"}},
        "spec": {"containers": [{"name": "c", "image": "team/check"}]},
    });
    let check = json!([{"name": "smoke", "when": "Before", "job": {"template": template}}]);
    sandbox.edit("hello", json!({"checks": check, "active": "blue", "blue": {"tag": "v20"}})).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v21"}})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.edit("hello", json!({"checks": null})).await?;
    let no_jobs = |world: &World| world.all(Kind::Job).next().is_none();
    sandbox.until("the Jobs are gone", no_jobs).await?;
    // An Event that repeats another is a patch of it.
    for _ in 0..2 {
        sandbox
            .patch(Kind::Service, "hello", json!({"spec": {"selector": {"bluegreen.dev/color": "blue"}}}))
            .await?;
        sandbox.until("it is put back", |world| world.serves("hello", Green)).await?;
    }
    // Removing a color removes its objects.
    sandbox.edit("hello", json!({"blue": null})).await?;
    sandbox
        .until("blue's objects are gone", |world| {
            !world.children("hello").iter().any(|child| child.contains("hello-blue"))
        })
        .await?;
    // A webhook for Deployments that is gone, when another leader fences.
    sandbox.edit("hello", json!({"blue": {"tag": "v1"}})).await?;
    sandbox.until("blue is back", |world| world.says("hello", "StandbyReady").is_some()).await?;
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    register(&sandbox, port, Tls::bind().await?.certificate.clone(), "Fail").await?;
    operator.terminate().await?;
    let operator = sandbox.operator()?;
    sandbox.activate("hello", Blue).await?;
    let back = sandbox.until("blue serves", |world| world.serves("hello", Blue)).await;
    Webhook::unregister(&sandbox).await?;
    back?;
    operator.terminate().await?;

    let used: BTreeSet<String> = audit
        .matching(Offset::default(), |entry| entry.user == sandbox.user.name)?
        .into_iter()
        .filter(|entry| !entry.resource.is_empty())
        .flat_map(|entry| {
            let slash = if entry.subresource.is_empty() { "" } else { "/" };
            let what = format!("{}/{}{slash}{}", entry.group, entry.resource, entry.subresource);
            // An apply that creates is asked for both rights, and logged as the patch that it is.
            let created = (entry.verb == "patch" && entry.code == 201).then(|| format!("{what} create"));
            std::iter::once(format!("{what} {}", entry.verb)).chain(created)
        })
        .collect();
    let granted = granted()?;
    let never: Vec<_> = granted.difference(&used).collect();
    let missing: Vec<_> = used.difference(&granted).collect();
    println!("{} rights granted, {} used", granted.len(), granted.intersection(&used).count());
    ensure!(missing.is_empty(), "asked for without a right: {missing:?}");
    ensure!(never.is_empty(), "granted and never used: {never:?}");
    sandbox.finish().await
}
