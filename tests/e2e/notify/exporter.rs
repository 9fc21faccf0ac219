//! The recipe for an exporter of Events, with a real OpenTelemetry Collector.

use std::fs::File;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::Green;
use bluegreen_cluster::{Tools, manifests, patiently, target};
use serde_json::{Map, Value};
use tokio::process::{Child, Command};

use super::receiver::Receiver;
use super::{APP, SOON, switch};
use crate::harness::{Sandbox, World, app, cluster};

/// What differs on this machine: who the Collector is for the API server, that it sends what a test can read, and that it opens no
/// port of its own. All else is the document's.
const HERE: [&str; 4] = [
    "yaml:receivers::k8sobjects::auth_type: kubeConfig",
    "yaml:exporters::otlphttp::encoding: json",
    "yaml:exporters::otlphttp::compression: none",
    "yaml:service::telemetry::metrics::level: none",
];

/// A Collector that sends to this receiver, once it watches. Dropping it ends it.
async fn collector(sandbox: &Sandbox, receiver: &Receiver) -> Result<Child> {
    let program = tokio::task::spawn_blocking(|| Tools::collector(&target()?)).await??;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let config = folder.join(format!("{}-collector.yaml", sandbox.namespace));
    let log = folder.join(format!("{}-collector.log", sandbox.namespace));
    let documented = manifests(include_str!("../../../docs/notifications.md"), "Events");
    tokio::fs::write(&config, documented.first().context("a configuration")?).await?;
    let output = File::create(&log)?;
    let child = Command::new(program)
        .arg("--config")
        .arg(config)
        .args(HERE.iter().flat_map(|change| ["--config", change]))
        // The operator's account may not read Events.
        .env("KUBECONFIG", cluster().await?.kubeconfig())
        .env("OTLP_ENDPOINT", receiver.url())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .context("the Collector does not start")?;
    let watches = async || {
        let said = tokio::fs::read_to_string(&log).await?;
        ensure!(said.contains("Started collecting"), "the Collector does not watch:\n{said}");
        Ok(())
    };
    patiently(SOON, watches).await?;
    Ok(child)
}

/// A value of the OpenTelemetry protocol as plain JSON.
fn plain(value: &Value) -> Value {
    let members = |list: &Value| list["values"].as_array().cloned().unwrap_or_default();
    if let Some(list) = value.get("kvlistValue") {
        let pair = |pair: Value| Some((pair["key"].as_str()?.to_owned(), plain(&pair["value"])));
        return Value::Object(members(list).into_iter().filter_map(pair).collect::<Map<_, _>>());
    }
    if let Some(list) = value.get("arrayValue") {
        return members(list).iter().map(plain).collect();
    }
    value.as_object().and_then(|kind| kind.values().next()).cloned().unwrap_or_default()
}

/// The Events that were sent.
fn events(receiver: &Receiver) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let requests = receiver.heard("/v1/logs");
    let resources = requests.iter().flat_map(|request| list(request, "resourceLogs"));
    let scopes = resources.flat_map(|resource| list(&resource, "scopeLogs"));
    scopes
        .flat_map(|scope| list(&scope, "logRecords"))
        .map(|record| plain(&record["body"])["object"].take())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds an OpenTelemetry Collector the first time: `make notify-test`"]
async fn does_a_collector_with_the_documented_configuration_send_the_events_of_apps_and_no_others()
-> Result<()> {
    let sandbox = Sandbox::new("exporter").await?;
    let receiver = Receiver::start().await?;
    let _collector = collector(&sandbox, &receiver).await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app(APP)).await?;
    sandbox.until("it serves", |world: &World| world.settled(APP)).await?;
    switch(&sandbox, Green).await?;

    let told = async || {
        let all = events(&receiver);
        let of_us =
            all.iter().filter(|event| event["involvedObject"]["namespace"] == sandbox.namespace.as_str());
        let reasons: Vec<_> = of_us.filter_map(|event| event["reason"].as_str()).collect();
        for wanted in ["Activated", "Switched"] {
            ensure!(reasons.contains(&wanted), "{wanted} is missing in {reasons:?}");
        }
        Ok(all)
    };
    for event in patiently(SOON, told).await? {
        assert_eq!(event["involvedObject"]["kind"], "BlueGreenApp", "{event:#}");
        assert!(event["message"].is_string(), "{event:#}");
    }
    sandbox.finish().await
}
