//! One app in a namespace of its own, and a record of everything that happens there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color;
use bluegreen_cluster::{get, patiently};
use bluegreen_demo::curl;
use bluegreen_guard::{Event, Kind, Record, World, guard};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::rows::{APP, Row};
use crate::stage::Stage;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The app of one row.
pub struct Scene<'a> {
    /// Where it is.
    pub stage: &'a Stage,
    /// The row.
    pub row: &'static Row,
    /// Where to send requests, node by node.
    pub addresses: Vec<SocketAddr>,
    /// Its namespace.
    pub namespace: String,
    record: Record,
}

impl<'a> Scene<'a> {
    /// Declares the app and waits until blue serves and green is as idle as the row wants it.
    pub async fn set(stage: &'a mut Stage, row: &'static Row) -> Result<Self> {
        let port = row.has_traffic().then(|| stage.take_port());
        let stage: &Stage = stage;
        let namespace = namespace(stage, row.name).await?;
        let record = Record::start(&stage.client, &namespace).await?;
        let addresses = match port {
            Some(port) => stage.nodes.iter().map(|node| SocketAddr::new(*node, port)).collect(),
            None => Vec::new(),
        };
        let scene = Self { stage, row, addresses, namespace, record };
        let app = serde_json::from_value(row.app(port)?)?;
        Kind::App.api(&stage.client, &scene.namespace).create(&PostParams::default(), &app).await?;
        let idle = |world: &World| {
            world.says(APP, "StandbyReady").is_some()
                || world.condition(APP, "StandbyReady", "False", "ScaledDown")
        };
        scene.until("the app serves", |world| world.serves(APP, Color::Blue) && idle(world)).await?;
        for address in &scene.addresses {
            curl::first_answer(&[*address]).await?;
        }
        Ok(scene)
    }

    /// Changes the app's spec, as `kubectl patch` does.
    pub async fn edit(&self, spec: Value) -> Result<()> {
        let api = Kind::App.api(&self.stage.client, &self.namespace);
        api.patch(APP, &PatchParams::default(), &Patch::Merge(json!({ "spec": spec }))).await?;
        Ok(())
    }

    /// Waits until that holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        match self.record.until(PATIENCE, holds).await? {
            Some(()) => Ok(()),
            None => {
                let now = self.record.world().app(APP).map(|app| serde_json::to_string(&app.status));
                bail!("not within {PATIENCE:?}: {what}; the app's status is {now:?}")
            }
        }
    }

    /// Whether it still does not hold after that long.
    pub async fn never(&self, time: Duration, holds: impl Fn(&World) -> bool) -> Result<bool> {
        Ok(self.record.until(time, holds).await?.is_none())
    }

    /// When the Service was last moved to this color, as a watch told.
    pub fn moved_to(&self, color: Color) -> Result<Instant> {
        let (mut before, mut moved) = (String::new(), None);
        for event in self.record.events() {
            if event.kind == Kind::Service && event.name == APP {
                let now = bluegreen_guard::selection(&event.object, APP).to_owned();
                if now == color.as_str() && now != before {
                    moved = Some(event.at);
                }
                before = now;
            }
        }
        moved.with_context(|| format!("the Service never moved to {color}"))
    }

    /// Since when this color had that many ready pods, after that moment.
    pub fn ready_since(&self, color: Color, count: i32, after: Instant) -> Option<Instant> {
        let name = format!("{APP}-{color}");
        let events = self.record.events();
        let mut of_color = events.iter().filter(|event| event.kind == Kind::Deployment && event.name == name);
        let ready = |event: &&Event| {
            event.at > after && event.object["status"]["readyReplicas"].as_i64() >= Some(count.into())
        };
        of_color.find(ready).map(|event| event.at)
    }

    /// The uids of a color's pods that are not on their way out.
    pub fn pod_uids(&self, color: Color) -> Vec<String> {
        self.record.world().pods(APP, color)
    }

    /// A pod of this color that is to stay: its name and address.
    pub async fn a_pod(&self, color: Color) -> Result<(String, String)> {
        let pods: Api<Pod> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        let labels = format!("bluegreen.dev/app={APP},bluegreen.dev/color={color}");
        let all = pods.list(&ListParams::default().labels(&labels)).await?;
        let pod = all.into_iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
        let pod = pod.with_context(|| format!("{color} has no pod"))?;
        let address =
            pod.status.as_ref().and_then(|status| status.pod_ip.clone()).context("the pod has no address")?;
        Ok((pod.name_any(), address))
    }

    /// Tells the app in a pod whether it is ready.
    pub async fn tell_ready(&self, address: &str, ready: bool) -> Result<()> {
        get((address, 8888), &format!("/admin/ready?value={ready}")).await.map(drop)
    }

    /// Lets no new pod run on the last node, or lets them again.
    pub async fn cordon(&self, cordoned: bool) -> Result<String> {
        let name = format!("node-{}", self.stage.nodes.len());
        let nodes: Api<Node> = Api::all(self.stage.client.clone());
        let patch = json!({"spec": {"unschedulable": cordoned}});
        nodes.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        // What the scheduler honors is the taint that a controller makes of it.
        let attempt = async || {
            let taints = nodes.get(&name).await?.spec.and_then(|spec| spec.taints).unwrap_or_default();
            let tainted = taints.iter().any(|taint| taint.key == "node.kubernetes.io/unschedulable");
            ensure!(tainted == cordoned, "the taint of {name} does not follow");
            Ok(())
        };
        patiently(PATIENCE, attempt).await?;
        Ok(name)
    }

    /// What the guard saw so far.
    pub async fn guard(&self) -> guard::Guard {
        // What was written until now must have been heard of.
        tokio::time::sleep(Duration::from_millis(200)).await;
        guard::replay(&self.record.events(), &self.record.foreign())
    }

    /// Deletes everything, without waiting for its end.
    pub async fn strike(self) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.stage.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await?;
        Ok(())
    }
}

/// A new namespace for a row.
pub async fn namespace(stage: &Stage, row: &str) -> Result<String> {
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"generateName": format!("traffic-{row}-")}}))?;
    Ok(namespaces.create(&PostParams::default(), &namespace).await?.name_any())
}

/// All pods of a color, those on their way out included.
pub fn pods(world: &World, color: Color) -> usize {
    let of_color = |pod: &Value| pod["metadata"]["labels"]["bluegreen.dev/color"] == color.as_str();
    world.all(Kind::Pod).filter(|(_, pod)| of_color(pod)).count()
}
