//! How much memory does the operator keep of each kind of object that a tenant can make?
//!
//! The stores take the object as a watch would deliver it, and a counting allocator says what stays. `UPDATE_DOCS=1` writes the
//! table into `docs/tenants.md`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

// Of a package that starts clusters, which this test does not need.
#[path = "cluster/src/document.rs"]
mod document;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bluegreen_api::BlueGreenApp;
use bluegreen_operator::stores::{ByApp, Cache, Reduce};
use kube::runtime::watcher::Event;
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

use document::put_between;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Objects of each kind: enough that the growth of the maps counts little.
const COUNT: usize = 64;

/// What the stores may keep of an object that no app owns, in KiB, however large it is.
const OF_NOBODY: usize = 8;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

struct Row {
    what: &'static str,
    /// KiB of JSON.
    json: usize,
    /// KiB that stay.
    kept: usize,
    of_nobody: bool,
}

/// Rounded up, so that nothing is called free.
fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

/// Puts objects into their store, and returns what one of them takes.
fn kept<K: Reduce>(
    what: &'static str,
    of_nobody: bool,
    store: fn(&Cache) -> &ByApp<K>,
    object: &Value,
) -> Row {
    let cache = Cache::default();
    let named = |number: usize| {
        let mut object = object.clone();
        object["metadata"]["name"] = match object["metadata"]["name"].as_str() {
            // A child has the name that its app gives it.
            Some(name) => json!(name.replace("APP", &format!("app-{number}"))),
            None => json!(format!("object-{number}")),
        };
        object["metadata"]["namespace"] = json!("shop");
        if object["metadata"]["labels"][SERVICE_NAME] == "APP" {
            object["metadata"]["labels"][SERVICE_NAME] = json!(format!("app-{number}"));
        }
        let app = if of_nobody { "hello".to_owned() } else { format!("app-{number}") };
        object["metadata"]["labels"]["bluegreen.dev/app"] = json!(app);
        object
    };
    // The first object brings the maps along.
    store(&cache).take(Event::Apply(serde_json::from_value::<K>(named(COUNT)).unwrap()));
    let before = ALLOCATOR.current_usage();
    for number in 0..COUNT {
        store(&cache).take(Event::Apply(serde_json::from_value::<K>(named(number)).unwrap()));
    }
    let grown = ALLOCATOR.current_usage().saturating_sub(before);
    Row { what, json: kib(object.to_string().len()), kept: kib(grown / COUNT), of_nobody }
}

/// An app is kept as it is.
fn kept_of_app(what: &'static str, app: &Value) -> Row {
    let before = ALLOCATOR.current_usage();
    let decode = |_| Arc::new(serde_json::from_value::<BlueGreenApp>(app.clone()).unwrap());
    let apps: Vec<_> = (0..COUNT).map(decode).collect();
    let grown = ALLOCATOR.current_usage().saturating_sub(before);
    drop(apps);
    Row { what, json: kib(app.to_string().len()), kept: kib(grown / COUNT), of_nobody: false }
}

fn env(count: usize, size: usize) -> Value {
    let value = "x".repeat(size);
    (0..count).map(|number| json!({"name": format!("A{number:04}"), "value": value})).collect()
}

fn owned(name: &str) -> Value {
    json!({"name": name, "uid": "2f1a6f6e-6d0f-4a51-9a0e-0d7f2b0a7c11", "ownerReferences": [{
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello", "controller": true,
        "uid": "7c0c3f0e-1f0e-4a7e-8d65-3b6f7f3f3c55"}]})
}

fn deployment(metadata: Value, env: Value) -> Value {
    json!({"metadata": metadata, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app", "image": "i", "env": env}]}}}})
}

fn app(template: Value) -> Value {
    json!({"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "shop"},
        "spec": {"active": "blue", "image": "shop/hello", "port": 8080, "blue": {"tag": "v1"}, "green": {"tag": "v2"},
            "template": template}})
}

fn slice(metadata: Value, service: &str, endpoints: usize) -> Value {
    let endpoint = |number: usize| {
        json!({
        "addresses": [format!("10.1.{}.{}", number / 250, number % 250)],
        "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "node-1",
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": format!("hello-blue-7c9d8b6f5d-{number:05}"),
            "uid": format!("00000000-0000-0000-0000-{number:012}")}})
    };
    let mut metadata = metadata;
    metadata["labels"][SERVICE_NAME] = json!(service);
    json!({"metadata": metadata, "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
        "endpoints": (0..endpoints).map(endpoint).collect::<Vec<_>>()})
}

#[test]
fn what_is_kept_of_an_object_is_bounded_by_its_size_and_small_if_it_is_nobodys() {
    let megabyte = "x".repeat(1_000_000);
    let nobody = || json!({"annotations": {"note": "x".repeat(200_000)}});
    let variables = json!({"spec": {"containers": [{"name": "app", "env": env(1024, 8)}, {
        "name": "side", "image": "i", "env": env(1024, 8)}]}});
    let rows = [
        kept_of_app("a usual app", &app(Value::Null)),
        kept_of_app("an app with 2 × 1,024 variables", &app(variables.clone())),
        kept_of_app(
            "an app with a template of 240 kB",
            &app(json!({"spec": {"containers": [{"name": "app", "env": env(4, 60_000)}]}})),
        ),
        kept("a Deployment of an app", false, |c| &c.deployments, &deployment(owned("APP-blue"), env(3, 20))),
        kept(
            "a Deployment of an app, with 1,024 variables",
            false,
            |c| &c.deployments,
            &deployment(owned("APP-blue"), env(1024, 8)),
        ),
        kept(
            "an EndpointSlice of an app's Service, with 1,000 endpoints",
            false,
            |c| &c.slices,
            &slice(json!({}), "APP", 1000),
        ),
        kept("a Deployment of nobody", true, |c| &c.deployments, &deployment(nobody(), env(1, 1_000_000))),
        // It may be the record of what a color runs. The roles `edit` and `admin` of Kubernetes may not create one.
        kept(
            "a ControllerRevision without an owner",
            false,
            |c| &c.revisions,
            &json!({"metadata": nobody(), "revision": 1, "data": {"a": megabyte}}),
        ),
        kept(
            "a Service of nobody",
            true,
            |c| &c.services,
            &json!({"metadata": nobody(), "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
        ),
        kept("an EndpointSlice of nobody", true, |c| &c.slices, &slice(nobody(), "other", 1000)),
        kept(
            "a Job of nobody",
            true,
            |c| &c.jobs,
            &json!({"metadata": nobody(), "spec": {"template": {"spec": {"containers": [
                {"name": "c", "image": "i", "env": env(1, 1_000_000)}], "restartPolicy": "Never"}}}}),
        ),
    ];
    let mut table = "| object | its JSON | kept of it |\n|---|---|---|\n".to_owned();
    for Row { what, json, kept, .. } in &rows {
        writeln!(table, "| {what} | {json} KiB | {kept} KiB |").unwrap();
    }
    println!("{table}");
    for Row { what, json, kept, of_nobody } in rows {
        let most = if of_nobody { OF_NOBODY } else { 16 + 16 * json };
        assert!(kept <= most, "{what}: {kept} KiB of {json} KiB are kept, more than {most}");
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tenants.md"));
        put_between(path, "kept", &table).unwrap();
    }
}
