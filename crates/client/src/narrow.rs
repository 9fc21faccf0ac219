//! The confirming read: it gets by name only the objects that a switch depends on.
//!
//! The API server answers a consistent list from its cache, as soon as the cache is known to be new enough. That
//! takes up to 100 ms if there was another such list shortly before. A GET goes to etcd and does not wait. So a
//! switch that the watch caches ask for is confirmed by GETs alone. Their names come from an earlier read.
//!
//! `docs/decisions.md` lists what this read can't see, and explains why a switch may rest on it nevertheless. Nothing
//! else may rest on it, and it starts no clock, because what it leaves out is as old as the earlier read.

use std::collections::BTreeSet;
use std::sync::Arc;

use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::desired::names;
use bluegreen_core::observe::keeps_to_nodes;
use bluegreen_core::observe::snapshot::{Proof, Snapshot, of_color, of_service};
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, PartialObjectMeta};
use kube::{Client, ResourceExt};
use tokio::sync::Semaphore;

use crate::objects::{self, Namespaced};

/// Pods that are read one by one; more are listed.
const FEW: usize = 16;

/// The number of requests at the same time. A complete live read makes as many, so there are connections for them.
const AT_ONCE: usize = 8;

/// Reads again, object by object, what a switch to the color `to` depends on.
///
/// That is the app, the live Service and both Deployments. Of the target, it is also its own Service, its stored
/// revisions and the number after them, its EndpointSlices, pods and ReplicaSets. Everything else is taken from
/// `known`: the slices of the live Service, and the slices, Service and revisions of the other color. Returns
/// `Ok(None)` if this read is not enough, so that everything has to be read.
///
/// # Errors
/// The error of any read that fails.
pub async fn read(client: &Client, known: &Snapshot, to: Color) -> kube::Result<Option<Snapshot>> {
    let Some(names) = Names::of(known, to) else { return Ok(None) };
    let reads = Reads::new(client, known, to);
    // The first two are followed by further reads, so they get their slots first.
    let (owners, slices, seen) =
        futures::try_join!(reads.owners(&names.pods), reads.slices(&names.slices), reads.objects(&names),)?;
    let (Some(slices), Some(mut seen)) = (slices, seen) else { return Ok(None) };
    if keeps_to_nodes(&seen) {
        return Ok(None);
    }
    *seen.color_slices.get_mut(to) = of_service(&slices, &reads.of_color);
    *seen.proof.get_mut(to) = Some(owners);
    Ok(Some(seen))
}

/// The names of the objects to read, besides those whose names never change.
struct Names {
    /// The revisions that must exist.
    revisions: Vec<String>,
    /// The next revision, which must not exist, because it would be newer. (A Deployment that runs a newer revision
    /// does not pass the gate.)
    next: String,
    slices: Vec<String>,
    pods: Vec<String>,
}

impl Names {
    /// Returns the names, or `None` if reads by name are not enough.
    fn of(known: &Snapshot, to: Color) -> Option<Self> {
        if keeps_to_nodes(known) {
            return None;
        }
        let (app, slices) = (known.app.name_any(), known.color_slices.get(to));
        let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
        let targets = endpoints.map(|endpoint| endpoint.target_ref.as_ref()?.name.clone());
        let numbers = || known.stored.get(to).iter().map(|revision| revision.stored.number);
        let named = |number: i64| names::revision_name(&app, to, number);
        Some(Self {
            revisions: numbers().map(named).collect(),
            next: named(numbers().max().unwrap_or(0).saturating_add(1)),
            slices: slices.iter().map(|slice| slice.name_any()).collect(),
            pods: targets.collect::<Option<BTreeSet<_>>>()?.into_iter().collect(),
        })
    }
}

/// The ReplicaSet that made a pod of this name, if it was one: it appends a dash and some letters to its own.
fn set_of(pod: &str) -> Option<&str> {
    pod.rsplit_once('-').map(|(set, _)| set)
}

/// Reads the objects of one app.
struct Reads<'a> {
    client: &'a Client,
    known: &'a Snapshot,
    namespace: String,
    app: String,
    to: Color,
    /// The name of the target's own Service.
    of_color: String,
    slots: Semaphore,
}

impl<'a> Reads<'a> {
    fn new(client: &'a Client, known: &'a Snapshot, to: Color) -> Self {
        let (namespace, app) = (known.app.namespace().unwrap_or_default(), known.app.name_any());
        let of_color = names::color_service_name(&app, to);
        Self { client, known, namespace, app, to, of_color, slots: Semaphore::new(AT_ONCE) }
    }

    /// Makes a request when a slot is free. It always gets one, because the slots are never closed.
    async fn in_turn<T>(&self, request: impl Future<Output = T>) -> T {
        let _slot = self.slots.acquire().await;
        request.await
    }

    async fn get<K: Namespaced + Default>(&self, name: &str) -> kube::Result<Option<Arc<K>>> {
        self.in_turn(objects::child(self.client, &self.namespace, name)).await
    }

    async fn get_all<K: Namespaced + Default>(&self, names: &[String]) -> kube::Result<Vec<Option<Arc<K>>>> {
        try_join_all(names.iter().map(|name| self.get(name))).await
    }

    /// Reads the objects of which there is one, and the revisions. Returns `None` if the revisions are not the known
    /// ones.
    async fn objects(&self, names: &Names) -> kube::Result<Option<Snapshot>> {
        let deployment = |color| names::deployment_name(&self.app, color);
        let (blue, green) = (deployment(Color::Blue), deployment(Color::Green));
        let (app, service, blue, green, color_service, revisions, next) = futures::try_join!(
            self.in_turn(objects::get::<BlueGreenApp>(self.client, &self.namespace, &self.app)),
            self.get::<Service>(&self.app),
            self.get::<Deployment>(&blue),
            self.get::<Deployment>(&green),
            self.get::<Service>(&self.of_color),
            self.get_all::<ControllerRevision>(&names.revisions),
            self.get::<ControllerRevision>(&names.next),
        )?;
        let (Some(app), Some(revisions), None) =
            (app, revisions.into_iter().collect::<Option<Vec<_>>>(), next)
        else {
            return Ok(None);
        };
        // The complete read says what is wrong with an app that can't be decoded.
        let Ok(app) = app.0 else { return Ok(None) };
        let app = Arc::new(app);
        // Jobs decide nothing: the status that was read does.
        let (jobs, deployments) = (None, PerColor { blue, green });
        let mut seen = Snapshot { app, service, deployments, jobs, ..self.known.clone() };
        *seen.color_services.get_mut(self.to) = color_service;
        let mut stored = Snapshot::sort_revisions(&seen.app, revisions);
        *seen.stored.get_mut(self.to) = std::mem::take(stored.get_mut(self.to));
        seen.proof = PerColor::default();
        Ok(Some(seen))
    }

    /// Reads the target's slices. Returns `None` if they may not have existed like that at any one moment. Several
    /// slices are of one moment if none of them has changed by the time that all were read.
    async fn slices(&self, names: &[String]) -> kube::Result<Option<Vec<Arc<EndpointSlice>>>> {
        let slices = self.get_all(names).await?;
        if names.len() > 1 {
            let again = self.get_all(names).await?;
            let version =
                |slice: &Option<Arc<EndpointSlice>>| slice.as_ref().map(|s| (s.uid(), s.resource_version()));
            if !slices.iter().map(version).eq(again.iter().map(version)) {
                return Ok(None);
            }
        }
        Ok(Some(slices.into_iter().flatten().collect()))
    }

    /// Reads the pods, and the ReplicaSets that they name as their controllers. The names of the pods tell which those are, so
    /// that nothing waits for the pods; one that is named otherwise is read after them.
    async fn owners(&self, names: &[String]) -> kube::Result<Proof> {
        let guessed: BTreeSet<&str> = names.iter().filter_map(|pod| set_of(pod)).collect();
        let (pods, mut sets) = futures::try_join!(self.pods(names), self.sets(&guessed))?;
        let owners = pods.iter().flat_map(|pod| pod.owner_references());
        let owners = owners.filter(|owner| owner.controller == Some(true) && owner.kind == "ReplicaSet");
        let owners: BTreeSet<&str> = owners.map(|owner| owner.name.as_str()).collect();
        sets.extend(self.sets(&owners.difference(&guessed).copied().collect()).await?);
        Ok(Proof { replica_sets: self.ours(sets), pods })
    }

    async fn sets(&self, names: &BTreeSet<&str>) -> kube::Result<Vec<Option<PartialObjectMeta<ReplicaSet>>>> {
        try_join_all(names.iter().map(|name| self.metadata(name))).await
    }

    async fn pods(&self, names: &[String]) -> kube::Result<Vec<PartialObjectMeta<Pod>>> {
        if names.len() > FEW {
            let ours = ListParams::default().labels(&format!("{}={}", names::APP, self.app));
            return Ok(of_color(&objects::all_metadata(self.client, &self.namespace, &ours).await?, self.to));
        }
        let pods = names.iter().map(|name| self.metadata::<Pod>(name));
        Ok(self.ours(try_join_all(pods).await?))
    }

    async fn metadata<K: Namespaced>(&self, name: &str) -> kube::Result<Option<PartialObjectMeta<K>>> {
        self.in_turn(objects::metadata(self.client, &self.namespace, name)).await
    }

    /// Returns the objects that carry the labels by which a list would have selected them.
    fn ours<K: ResourceExt + Clone>(&self, objects: Vec<Option<K>>) -> Vec<K> {
        let mut objects: Vec<K> = objects.into_iter().flatten().collect();
        objects.retain(|object| object.labels().get(names::APP) == Some(&self.app));
        of_color(&objects, self.to)
    }
}
