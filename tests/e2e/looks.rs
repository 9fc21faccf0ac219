//! What does a look by name read, and does it see what the caches have not been told?

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::Green;
use bluegreen_core::desired::names;
use bluegreen_proxy::{Effect, FrameEffect, FrameRule, Gate, Proxy, Record, Rule, Verb};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::harness::operator::Operator;
use crate::harness::{App, Kind, Sandbox, World, app};

/// Blue serves, green is warm, and what the operator says and hears goes through a proxy.
async fn proxied(name: &str, app: &App) -> Result<(Sandbox, Proxy, Operator)> {
    let sandbox = Sandbox::new(name).await?;
    let proxy = Proxy::start(sandbox.user.config.clone(), 1).await?;
    let operator = sandbox.operator_behind(&proxy)?;
    sandbox.apply(app).await?;
    let warm = |world: &World| world.settled("hello") && world.says("hello", "StandbyReady").is_some();
    sandbox.until("blue serves, green is warm", warm).await?;
    Ok((sandbox, proxy, operator))
}

/// What was asked from that place in the log on until the Service was written.
fn until_the_switch(proxy: &Proxy, from: usize) -> Result<Vec<Record>> {
    let mut log = proxy.log().since(from);
    let is_switch = |record: &Record| {
        record.request.is_change() && record.request.resource == "services" && record.request.name == "hello"
    };
    let end = log.iter().position(is_switch).context("no switch")?;
    log.truncate(end);
    Ok(log)
}

fn lists(log: &[Record]) -> Vec<String> {
    let lists = log.iter().filter(|record| record.request.verb == Verb::List);
    lists.map(|record| record.request.uri.clone()).collect()
}

/// A list that has to be up to date keeps the switch waiting.
#[tokio::test(flavor = "multi_thread")]
async fn is_a_switch_confirmed_without_a_list() -> Result<()> {
    let (sandbox, proxy, _operator) = proxied("byname", &app("hello")).await?;
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    let log = until_the_switch(&proxy, before)?;
    assert_eq!(lists(&log), Vec::<String>::new());
    for resource in [
        "bluegreenapps",
        "services",
        "deployments",
        "controllerrevisions",
        "endpointslices",
        "pods",
        "replicasets",
    ] {
        let read = |record: &Record| record.request.verb == Verb::Get && record.request.resource == resource;
        assert!(log.iter().any(read), "{resource} was not read");
    }
    sandbox.finish().await
}

/// The caches say that green is ready, and it is not any more.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_look_by_name_see_pods_that_have_failed_since() -> Result<()> {
    let (sandbox, proxy, _operator) = proxied("failed", &app("hello")).await?;
    let late = [Gate::new(), Gate::new()];
    for (gate, resource) in late.iter().zip(["deployments", "endpointslices"]) {
        proxy.script().add_frames(FrameRule::of(resource, FrameEffect::Hold(gate.clone())));
    }
    annotate(&sandbox, "never").await?;
    let unready = |world: &World| {
        let green = world.raw(Kind::Deployment, "hello-green");
        green.is_some_and(|green| green["status"]["readyReplicas"].as_u64().unwrap_or(0) == 0)
    };
    sandbox.until("green is unready", unready).await?;
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    let unmoved = |world: &World| world.selects("hello") == "blue";
    sandbox.throughout(Duration::from_secs(3), "blue is selected", unmoved).await?;
    let by_name = |record: &Record| record.request.verb == Verb::Get && record.request.resource == "pods";
    let log = proxy.log().since(before);
    assert!(log.iter().any(by_name), "the caches did not ask for a switch");

    for gate in &late {
        gate.open();
    }
    annotate(&sandbox, "true").await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

async fn annotate(sandbox: &Sandbox, ready: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": ready}}});
    let world = sandbox.world();
    for (pod, _) in world.all(Kind::Pod).filter(|(name, _)| name.starts_with("hello-green-")) {
        sandbox.patch(Kind::Pod, pod, patch.clone()).await?;
    }
    Ok(())
}

/// A newer rendering of green, as an operator may have left it that was cut off before it edited the Deployment.
async fn store(sandbox: &Sandbox, number: i64) -> Result<()> {
    let api: Api<ControllerRevision> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let mut next = api.get(&names::revision_name("hello", Green, 1)).await?;
    next.metadata.name = Some(names::revision_name("hello", Green, number));
    (next.metadata.resource_version, next.metadata.uid) = (None, None);
    next.revision = number;
    if let Some(data) = &mut next.data {
        data.0["block"] = json!("0badc0de");
    }
    api.create(&PostParams::default(), &next).await?;
    Ok(())
}

/// The newest record of what green is to run is one that the caches do not know. Were it not asked for, revision 1 would be
/// committed, and 2 would be newer than what serves.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_look_by_name_ask_for_the_next_revision() -> Result<()> {
    let (sandbox, proxy, _operator) = proxied("next", &app("hello")).await?;
    let late = Gate::new();
    proxy.script().add_frames(FrameRule::of("controllerrevisions", FrameEffect::Hold(late.clone())));
    store(&sandbox, 2).await?;
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.selects("hello") == "green").await?;
    let asked = until_the_switch(&proxy, before)?;
    let by_name = |record: &Record| record.request.name == names::revision_name("hello", Green, 2);
    assert!(asked.iter().any(by_name), "the caches knew of it");
    let service = sandbox.world().raw(Kind::Service, "hello").cloned().context("the Service")?;
    assert_eq!(service["metadata"]["annotations"][names::SERVED_GREEN], "3", "{service:#}");
    late.open();
    sandbox.until("all is done", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// The record of what green runs was lost, and the caches do not know.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_look_by_name_miss_a_revision_that_is_gone() -> Result<()> {
    let (sandbox, proxy, _operator) = proxied("gone", &app("hello")).await?;
    let late = Gate::new();
    proxy.script().add_frames(FrameRule::of("controllerrevisions", FrameEffect::Hold(late.clone())));
    sandbox.delete(Kind::Revision, &names::revision_name("hello", Green, 1)).await?;
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.selects("hello") == "green").await?;
    let recovers =
        |record: &Record| record.request.is_change() && record.request.resource == "controllerrevisions";
    assert!(until_the_switch(&proxy, before)?.iter().any(recovers), "it was selected without a record");
    late.open();
    sandbox.until("all is done", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// Which nodes serve now is told by the live Service's slices, which a look by name does not read.
#[tokio::test(flavor = "multi_thread")]
async fn is_everything_read_where_traffic_keeps_to_its_node() -> Result<()> {
    // All pods on one node: green must be ready on each node where blue is, and the scheduler may well
    // place the two colors on different nodes.
    let local = json!({
        "service": {"type": "NodePort", "externalTrafficPolicy": "Local"},
        "template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "node-1"}}},
    });
    let (sandbox, proxy, _operator) = proxied("local", &app("hello").with(local)).await?;
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    let lists = lists(&until_the_switch(&proxy, before)?);
    assert!(lists.iter().any(|uri| uri.contains("endpointslices")), "{lists:?}");
    sandbox.finish().await
}

/// Two slices, read one after the other: what each says may never have been so at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn are_several_slices_read_until_they_are_of_one_moment() -> Result<()> {
    let (sandbox, proxy, _operator) = proxied("torn", &app("hello")).await?;
    let api: Api<EndpointSlice> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let second: EndpointSlice = serde_json::from_value(second_slice(&sandbox)?)?;
    let second = api.create(&PostParams::default(), &second).await?.name_any();
    // The caches must know of both.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (reply, name) = (Gate::new(), second.clone());
    let is_second = move |request: &bluegreen_proxy::Request| {
        request.verb == Verb::Get && request.resource == "endpointslices" && request.name == name
    };
    proxy.script().add(Rule::new(is_second, Effect::HoldReply(reply.clone())).times(1));
    let before = proxy.log().len();
    sandbox.activate("hello", Green).await?;
    reply.reached().await;
    // The first slice changes when it has been read, and the second has not.
    annotate(&sandbox, "never").await?;
    let empty = |world: &World| world.endpoints("hello-green").iter().all(|endpoint| !endpoint.ready);
    sandbox.until("green's slice is empty", empty).await?;
    reply.open();
    let unmoved = |world: &World| world.selects("hello") == "blue";
    sandbox.throughout(Duration::from_secs(2), "blue is selected", unmoved).await?;
    let said = |record: &Record| record.request.is_change() && record.request.subresource == "status";
    let all =
        |record: &Record| record.request.verb == Verb::List && record.request.resource == "endpointslices";
    let log = proxy.log().since(before);
    let first = log.iter().find(|record| said(record) || all(record)).context("nothing happened")?;
    assert!(all(first), "it was reported on what had not been so at any one moment");
    annotate(&sandbox, "true").await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// A slice without endpoints, as if the color had many.
fn second_slice(sandbox: &Sandbox) -> Result<Value> {
    let world = sandbox.world();
    let service = |slice: &Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == "hello-green";
    let (_, first) = world.all(Kind::Slice).find(|(_, slice)| service(slice)).context("no slice")?;
    let mut labels = first["metadata"]["labels"].clone();
    // The EndpointSlice controller would tidy it up.
    labels["endpointslice.kubernetes.io/managed-by"] = json!("a-test");
    Ok(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "hello-green-second", "labels": labels},
        "addressType": first["addressType"], "endpoints": [], "ports": first["ports"],
    }))
}
