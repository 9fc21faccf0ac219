//! An operator for a list of namespaces: it serves all of them, no other, and each for itself.

use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{UserAccount, patiently};
use bluegreen_proxy::{FrameEffect, FrameRule, Proxy, Request};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::operator::Operator;
use crate::harness::{Kind, Sandbox, World, app, setup};

/// The longest pause between two tries of a watch is half a minute, and up to twice that with its jitter.
const NEXT_TRY: Duration = Duration::from_secs(120);

const LEADS: Duration = Duration::from_secs(30);

/// A watch of BlueGreenApps, and for how long it fails.
fn failing(namespace: &str) -> String {
    series("BlueGreenApp", namespace)
}

fn series(kind: &str, namespace: &str) -> String {
    format!(r#"bluegreen_watch_failing_seconds{{kind="{kind}",watched_namespace="{namespace}"}}"#)
}

#[tokio::test]
async fn does_a_namespace_without_rights_stop_no_other() -> Result<()> {
    let (shop, web, other) =
        (Sandbox::new("shop").await?, Sandbox::new("web").await?, Sandbox::new("other").await?);
    setup::allow(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    let proxy = Proxy::start(shop.user.config.clone(), 0).await?;
    let operator = shop.operator_behind_with(&proxy, &[&web.namespace])?;
    for sandbox in [&shop, &web, &other] {
        sandbox.apply(&app("hello").drain(0)).await?;
    }
    for sandbox in [&shop, &web] {
        sandbox.until("blue serves", |world| world.settled("hello")).await?;
    }
    // It may not even look there, and has not tried: the end of the test asks the audit log.
    let is_left_alone = |world: &World| world.children("hello").is_empty() && world.status("hello").is_none();
    ensure!(is_left_alone(&other.world()), "an app outside of the list was touched");
    operator.is_ready().await?;

    // The right goes, and the watch of the apps begins with a new list, as after a compaction.
    setup::withdraw(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    let there = web.namespace.clone();
    let of_web = move |watch: &Request| watch.resource == "bluegreenapps" && watch.namespace == there;
    proxy.script().add_frames(FrameRule::new(move |watch, _| of_web(watch), FrameEffect::Expire).times(1));
    web.activate("hello", Green).await?;
    let words =
        ["WARN", "watching BlueGreenApps failed", &format!("namespace=\"{}\"", web.namespace), "forbidden"];
    operator.says_in_a_line(&words, LEADS).await?;
    let is_told = async || {
        let blind = operator.gauge(&failing(&web.namespace)).await?;
        ensure!(blind > 3.0, "the metric says {blind}");
        Ok(())
    };
    patiently(LEADS, is_told).await?;
    ensure!(operator.gauge(&failing(&shop.namespace)).await? == 0.0, "the other namespace is told, too");
    for color in [Green, Blue, Green] {
        shop.activate("hello", color).await?;
        shop.until("it serves", |world| world.serves("hello", color)).await?;
    }
    ensure!(web.world().selects("hello") == "blue", "an app was switched without a right");
    operator.is_ready().await?;

    // It goes on there by itself, with what was asked for meanwhile.
    setup::allow(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    web.within(NEXT_TRY, "green serves", |world| world.serves("hello", Green)).await?;
    sees(&operator, &failing(&web.namespace)).await?;
    ensure!(is_left_alone(&other.world()), "an app outside of the list was touched");
    operator.terminate().await?;
    let blind = web.namespace.clone();
    web.finish().await?;
    other.finish().await?;
    shop.finish_without_rights_in(&[&blind]).await
}

/// Waits until this watch works.
async fn sees(operator: &Operator, series: &str) -> Result<()> {
    let attempt = async || {
        let blind = operator.gauge(series).await?;
        ensure!(blind == 0.0, "{series} has failed for {blind} s");
        Ok(())
    };
    patiently(NEXT_TRY, attempt).await
}

/// As after a restart, with one namespace that does not allow anything and one that does not exist. Where only some of the
/// rights are there, nothing is touched: children that can't be seen look as if they had been deleted.
#[tokio::test]
async fn does_an_operator_begin_without_a_namespace_and_take_it_up_once_all_of_it_can_be_seen() -> Result<()>
{
    let (shop, web) = (Sandbox::new("shop").await?, Sandbox::new("web").await?);
    let late = format!("{}-late", shop.namespace);
    setup::allow(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    let operator = shop.operator_with(&[&web.namespace])?;
    for sandbox in [&shop, &web] {
        sandbox.apply(&app("hello").drain(0)).await?;
    }
    for sandbox in [&shop, &web] {
        sandbox.until("blue serves", |world| world.settled("hello")).await?;
    }
    operator.terminate().await?;
    setup::withdraw(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    web.activate("hello", Green).await?;

    let since = shop.asked_until_now()?;
    let operator = shop.operator_with(&[&web.namespace, &late])?;
    shop.activate("hello", Green).await?;
    shop.until("green serves", |world| world.serves("hello", Green)).await?;
    operator.is_ready().await?;
    for namespace in [&web.namespace, &late] {
        let words = ["WARN", "a watch failed", &format!("namespace=\"{namespace}\""), "forbidden"];
        operator.says_in_a_line(&words, LEADS).await?;
    }

    // Its apps may be seen now, and nothing of what belongs to them.
    allow_to_see_apps(&shop.client, &web.namespace, &shop.user).await?;
    sees(&operator, &failing(&web.namespace)).await?;
    shop.activate("hello", Blue).await?;
    shop.until("blue serves", |world| world.serves("hello", Blue)).await?;
    ensure!(operator.gauge(&series("Service", &web.namespace)).await? > 0.0, "it may not see Services there");
    if let Some(since) = since {
        let acts = |verb: &str| !matches!(verb, "list" | "watch");
        let asked = shop.asked(since, |entry| entry.namespace == web.namespace && acts(&entry.verb))?;
        let asked: Vec<_> =
            asked.into_iter().flatten().map(|entry| format!("{} {}", entry.verb, entry.resource)).collect();
        ensure!(asked.is_empty(), "it acts on what it can't see: {asked:?}");
    }

    setup::allow(&shop.client, &web.namespace, &shop.user, setup::ROLE).await?;
    web.within(NEXT_TRY, "green serves", |world| world.serves("hello", Green)).await?;

    let namespaces: Api<Namespace> = Api::all(shop.client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": late}}))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    setup::allow(&shop.client, &late, &shop.user, setup::ROLE).await?;
    let apps = Kind::App.api(&shop.client, &late);
    apps.patch("hello", &PatchParams::apply("e2e"), &Patch::Apply(app("hello").object())).await?;
    let serves = async || {
        let app = apps.get("hello").await?;
        ensure!(app.data["status"]["active"] == "blue", "{}", app.data["status"]);
        Ok(())
    };
    patiently(NEXT_TRY, serves).await?;
    operator.terminate().await?;
    namespaces.delete(&late, &DeleteParams::background()).await?;
    let blind = web.namespace.clone();
    web.finish().await?;
    shop.finish_without_rights_in(&[&blind, &late]).await
}

async fn allow_to_see_apps(client: &Client, namespace: &str, user: &UserAccount) -> Result<()> {
    let role: Role = serde_json::from_value(json!({
        "metadata": {"name": "see-apps"},
        "rules": [{"apiGroups": ["bluegreen.dev"], "resources": ["bluegreenapps"], "verbs": ["list", "watch"]}],
    }))?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "see-apps"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "see-apps"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}],
    }))?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &role).await?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await?;
    Ok(())
}
