//! The tenant that harms: what its rights in one namespace allow it to write.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use bluegreen_cluster::{get, patiently};
use futures::{StreamExt, stream};
use kube::api::{Api, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::e2e::harness::app;
use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::pods;

/// Its namespace.
pub const NAMESPACE: &str = "storm";

/// How many objects the operator can't read: a Deployment without an app, the Deployment of an app.
pub const UNREADABLE: u64 = 2;

/// Go's last time, a day after the last one that Rust's library can hold.
const FAR: &str = "9999-12-31T23:59:59Z";

/// A name of an image that clears the screen and names the window of a terminal that is given it. The spec's own images are
/// repositories, which can't hold it.
const ESCAPES: &str = "x\u{1b}]0;mine\u{7}\u{1b}[2J";

/// The app with such an image.
pub const ESCAPED: &str = "escaped";

/// Writes at the same time.
const AT_ONCE: usize = 4;

/// How much of everything.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Deployments with an app's label, of 1 MB each.
    deployments: usize,
    /// Apps of each kind: with very many variables, and with large ones.
    apps: usize,
    /// Pods of 0.6 MB each that are never ready.
    pods: i32,
    /// Requests to the operator's HTTP port of which only a part is ever sent.
    requests: usize,
}

impl Scale {
    /// What is known to have harmed.
    pub const FULL: Self = Self { deployments: 150, apps: 40, pods: 100, requests: 700 };

    /// A few of each.
    pub const SMALL: Self = Self { deployments: 5, apps: 2, pods: 5, requests: 100 };
}

/// Writes it, and holds connections.
pub struct Storm {
    client: Client,
    scale: Scale,
    held: Vec<TcpStream>,
}

impl Storm {
    /// Nothing yet.
    pub fn new(client: &Client, scale: Scale) -> Self {
        Self { client: client.clone(), scale, held: Vec::new() }
    }

    /// Objects that the API server takes and the operator can't decode, field managers that it can't hold, an app that is
    /// refused with more words than an Event or a status can hold, and one with words that a terminal obeys.
    pub async fn poison(&self) -> Result<()> {
        let far = |api_version: &str| {
            json!({"manager": "x", "operation": "Update", "apiVersion": api_version, "time": FAR,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:paused": {}}}})
        };
        let sidecar = json!({"template": {"spec": {"containers": [
            {"name": "app"}, {"name": "side", "image": ESCAPES}]}}});
        self.create(APPS, &app(ESCAPED).with(sidecar).object()).await?;
        for name in ["far", "deep", "victim"] {
            self.create(APPS, &app(name).object()).await?;
        }
        for name in ["escaped-green", "far-green", "victim-green"] {
            patiently(Duration::from_secs(60), async || {
                let get = |url: &Request| url.get(name, &GetParams::default());
                self.request(DEPLOYMENTS, get).await.map(drop)
            })
            .await
            .with_context(|| format!("there is no Deployment {name}"))?;
        }
        // As many volumes as there may be, each with a name that is none: the refusal has a cause for each.
        let volumes: Vec<Value> =
            (0..256).map(|number| json!({"name": format!("_{number}"), "emptyDir": {}})).collect();
        let wordy = app("wordy").with(json!({"template": {"spec": {"volumes": volumes}}}));
        self.create(APPS, &wordy.object()).await?;
        let managers = json!({"metadata": {"managedFields": [far("bluegreen.dev/v1alpha1")]}});
        self.patch(APPS, "far", &managers).await?;
        // As text: no library builds a value that is nested so deep.
        let deep = format!("{}{{}}{}", r#"{"f:a":"#.repeat(150), "}".repeat(150));
        let entry = format!(
            r#"{{"manager":"x","operation":"Update","apiVersion":"bluegreen.dev/v1alpha1","time":"2025-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{deep}}}"#
        );
        let body = format!(r#"{{"metadata":{{"managedFields":[{entry}]}}}}"#);
        let request = http::Request::patch(format!("{APPS}/deep"))
            .header("content-type", "application/merge-patch+json")
            .body(body.into_bytes())?;
        self.client.request_text(request).await?;

        let template = json!({"metadata": {"creationTimestamp": FAR}});
        self.create(DEPLOYMENTS, &deployment("poison", &template)).await?;
        self.patch(DEPLOYMENTS, "victim-green", &json!({"spec": {"template": template}})).await?;
        // Its field managers alone are no reason to leave an object alone.
        let managers = json!({"metadata": {"managedFields": [far("apps/v1")]}});
        self.patch(DEPLOYMENTS, "far-green", &managers).await?;
        // An Event says what was changed by hand, and by whom, once nothing of the app itself is under way.
        patiently(Duration::from_secs(60), async || {
            let get = |url: &Request| url.get(ESCAPED, &GetParams::default());
            let app: BlueGreenApp = serde_json::from_str(&self.request(APPS, get).await?)?;
            let status = app.status.unwrap_or_default();
            ensure!(status.active.is_some() && status.is_settled(), "{ESCAPED}: {:?}", status.conditions);
            Ok(())
        })
        .await?;
        let image =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": ESCAPES}]}}}});
        let edit =
            |url: &Request| url.patch("escaped-green", &PatchParams::default(), &Patch::Strategic(&image));
        self.request(DEPLOYMENTS, edit).await.map(drop)
    }

    /// More and larger objects than anybody needs. Returns rows of a table that say how many were taken.
    pub async fn flood(&mut self, operator: &Operator) -> Result<String> {
        let mut rows = String::new();
        let large = "x".repeat(1_000_000);
        let with_value = json!({"spec": {"containers": [
            {"name": "c", "image": "i", "env": [{"name": "A", "value": large}]}]}});
        let deployments = (0..self.scale.deployments)
            .map(|number| deployment(&format!("large-{number}"), &with_value))
            .collect();
        let taken = self.create_all(DEPLOYMENTS, deployments).await;
        writeln!(rows, "| Deployments with an app's label, 1 MB each, taken by the API server | {taken} |")?;

        let all = self.scale.apps;
        for (name, containers, each, is_taken) in [
            ("many", 1, 15_000, false),
            // Each list is within its bound.
            ("spread", 15, 1000, false),
            // The most that there may be.
            ("most", 2, 1024, true),
        ] {
            let with = many_variables(containers, each);
            let apps = (0..all).map(|number| app(&format!("{name}-{number}")).with(with.clone()).object());
            let taken = self.create_all(APPS, apps.collect()).await;
            ensure!(taken == if is_taken { all } else { 0 }, "{taken} of {all} {name} were taken");
            writeln!(
                rows,
                "| of {all} apps with {containers} × {each} variables each, taken by the API server | {taken} |"
            )?;
        }

        let value = "x".repeat(60_000);
        let variables: Vec<Value> =
            (0..4).map(|number| json!({"name": format!("A{number}"), "value": value})).collect();
        let large = json!({"template": {"spec": {"containers": [{"name": "app", "env": variables}]}}});
        let apps = (0..self.scale.apps)
            .map(|number| app(&format!("large-{number}")).replicas(1).with(large.clone()).object());
        let taken = self.create_all(APPS, apps.collect()).await;
        writeln!(
            rows,
            "| of {all} apps with a template of 240 kB each, taken by the API server | {taken} |"
        )?;

        let late = app("late").replicas(self.scale.pods).with(pods(json!({"ready": "never"})));
        self.create(APPS, &late.object()).await?;
        let pods = self.scale.pods;
        let annotation = json!({"metadata": {"annotations": {"note": "x".repeat(200_000)}},
            "spec": {"containers": [{"name": "side", "image": "i",
                "env": [{"name": "A", "value": "x".repeat(400_000)}]}]}});
        let pods_alone = (0..pods).map(|number| pod(&format!("late-{number}"), &annotation)).collect();
        let taken = self.create_all(PODS, pods_alone).await;
        writeln!(
            rows,
            "| late pods with the labels of an app, 0.6 MB each, taken by the API server | {taken} |"
        )?;
        self.press(operator).await?;
        let held = self.held.len();
        writeln!(
            rows,
            "| requests with a header of 400 kB, half of it sent, to the operator's port | {held} |"
        )?;
        Ok(rows)
    }

    /// Sends parts of requests to this operator's port, and no more.
    pub async fn press(&mut self, operator: &Operator) -> Result<()> {
        self.held.clear();
        let address = operator.address("/readyz")?;
        let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX-A: {}", "a".repeat(400_000));
        for _ in 0..self.scale.requests {
            let mut stream = TcpStream::connect(&address).await?;
            // It may be closed, and it may not be read from: both is the operator's right.
            let sent = stream.write_all(head.as_bytes());
            let _ = tokio::time::timeout(Duration::from_millis(5), sent).await;
            self.held.push(stream);
        }
        // Otherwise the kubelet would restart it.
        let answer = get(&address, "/livez").await?;
        ensure!(answer == "ok\n", "/livez answers {answer:?}");
        Ok(())
    }

    /// Waits until the operator has nothing to do for the apps that were taken.
    pub async fn worked_off(&self) -> Result<()> {
        let apps: Api<Careful<BlueGreenApp>> = Api::namespaced(self.client.clone(), NAMESPACE);
        let attempt = async || {
            let apps = apps.list(&ListParams::default()).await?.items;
            let is_large = |app: &BlueGreenApp| {
                ["most-", "large-"].iter().any(|start| app.name_any().starts_with(start))
            };
            let serves = |app: &BlueGreenApp| {
                let status = app.status.clone().unwrap_or_default();
                let is =
                    |kind: &str| status.condition(kind).is_some_and(|condition| condition.status == "True");
                is("Ready") && is("StandbyReady")
            };
            let late = apps
                .iter()
                .filter_map(|app| app.0.as_ref().ok())
                .filter(|app| is_large(app) && !serves(app))
                .count();
            ensure!(late == 0, "{late} apps are not served yet");
            Ok(())
        };
        patiently(Duration::from_secs(240), attempt).await
    }

    async fn create_all(&self, url: &str, objects: Vec<Value>) -> usize {
        let created = stream::iter(objects)
            .map(|object| async move { self.create(url, &object).await })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        let created = created.await;
        if let Some(Err(error)) = created.iter().find(|created| created.is_err()) {
            let words: String = format!("{error:#}").chars().take(300).collect();
            eprintln!("not all were taken: {words}");
        }
        created.iter().filter(|created| created.is_ok()).count()
    }

    async fn create(&self, url: &str, object: &Value) -> Result<String> {
        let body = serde_json::to_vec(object)?;
        self.request(url, |url| url.create(&PostParams::default(), body)).await
    }

    async fn patch(&self, url: &str, name: &str, patch: &Value) -> Result<String> {
        self.request(url, |url| url.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await
    }

    /// The answer is not decoded, since it can't always be.
    async fn request(
        &self,
        url: &str,
        build: impl FnOnce(&Request) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<String> {
        Ok(self.client.request_text(build(&Request::new(url))?).await?)
    }
}

const APPS: &str = "/apis/bluegreen.dev/v1alpha1/namespaces/storm/bluegreenapps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/storm/deployments";
const PODS: &str = "/api/v1/namespaces/storm/pods";

/// Containers with so many variables each.
fn many_variables(containers: usize, each: usize) -> Value {
    let variables: Vec<Value> = (0..each).map(|number| json!({"name": format!("A{number:05}")})).collect();
    let container = |number: usize| match number {
        0 => json!({"name": "app", "env": variables}),
        _ => json!({"name": format!("side-{number}"), "image": "i", "env": variables}),
    };
    let containers: Vec<Value> = (0..containers).map(container).collect();
    json!({"template": {"spec": {"containers": containers}}})
}

/// A Deployment without pods that carries an app's label and belongs to no app.
fn deployment(name: &str, template: &Value) -> Value {
    let labels = json!({"a": "b"});
    let mut template = template.clone();
    template["metadata"]["labels"] = labels.clone();
    if template["spec"].is_null() {
        template["spec"] = json!({"containers": [{"name": "c", "image": "i"}]});
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"bluegreen.dev/app": "x"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    })
}

/// A pod that nobody runs, with the labels of the app `late`.
fn pod(name: &str, rest: &Value) -> Value {
    let mut pod = rest.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["labels"] = json!({"bluegreen.dev/app": "late", "bluegreen.dev/color": "blue"});
    pod["spec"]["schedulerName"] = json!("nobody");
    pod
}
