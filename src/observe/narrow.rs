//! Reads by name the little that a switch turns on.
//!
//! A list that has to be up to date is answered from the API server's cache as soon as that is sure to be so: after up
//! to 100 ms if another such list came shortly before. A GET goes to the store and does not wait. So a switch that the
//! caches ask for is confirmed by GETs alone, by names that an earlier look told.
//!
//! What this look can't see, and why a switch may rest on it all the same, is argued in `docs/decisions.md`. Nothing else
//! may rest on it, and no clock starts at it: what it leaves out is as old as the earlier look.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::keeps_to_nodes;
use super::read::{Proof, Snapshot, of_color, of_service};
use crate::api::{BlueGreenApp, Color, PerColor};
use crate::desired::names;

/// Pods that are read one by one; more are listed.
const FEW: usize = 16;

/// Confirms, object by object, what `known` says of a switch to the color `to`: the app, its Services and Deployments, the
/// stored revisions and the numbers after them, and the target's EndpointSlices, pods and ReplicaSets. The live Service's
/// slices and the other color's are those of `known`.
///
/// # Errors
/// Any read that fails; `Ok(None)` when this look can't tell, so that everything has to be read.
pub async fn read(client: &Client, known: &Snapshot, to: Color) -> kube::Result<Option<Snapshot>> {
    let Some(names) = Names::of(known, to) else { return Ok(None) };
    let reads = Reads::new(client, known, to);
    let (objects, slices, pods) =
        futures::try_join!(reads.objects(&names), reads.slices(&names.slices), reads.pods(&names.pods))?;
    let (Some(mut seen), true) = objects else { return Ok(None) };
    let (replica_sets, unchanged) = futures::try_join!(reads.replica_sets(&pods), reads.are_still(&slices))?;
    if !unchanged || keeps_to_nodes(&seen) {
        return Ok(None);
    }
    *seen.color_slices.get_mut(to) = of_service(&slices, &reads.of_color);
    *seen.proof.get_mut(to) = Some(Proof { replica_sets, pods });
    Ok(Some(seen))
}

/// What is asked for besides the objects whose names never change.
struct Names {
    /// The revisions that must be there.
    revisions: Vec<String>,
    /// Those that must not be there: they would be newer.
    next: Vec<String>,
    slices: Vec<String>,
    pods: Vec<String>,
}

impl Names {
    /// `None` where names are not enough.
    fn of(known: &Snapshot, to: Color) -> Option<Self> {
        if keeps_to_nodes(known) {
            return None;
        }
        let (app, slices) = (known.app.name_any(), known.color_slices.get(to));
        let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
        let targets = endpoints.map(|endpoint| endpoint.target_ref.as_ref()?.name.clone());
        let revisions = |color: Color| known.stored.get(color).iter().map(move |r| (color, r.stored.number));
        let named = |(color, number): (Color, i64)| names::revision_name(&app, color, number);
        Some(Self {
            revisions: Color::ALL.into_iter().flat_map(revisions).map(named).collect(),
            next: Color::ALL.into_iter().map(|color| (color, next(known, color))).map(named).collect(),
            slices: slices.iter().map(|slice| slice.name_any()).collect(),
            pods: targets.collect::<Option<BTreeSet<_>>>()?.into_iter().collect(),
        })
    }
}

/// The number that a newer revision would have. (A Deployment that runs a newer one already is not what is asked for.)
fn next(known: &Snapshot, color: Color) -> i64 {
    let stored = known.stored.get(color).iter().map(|revision| revision.stored.number);
    stored.max().unwrap_or(0).saturating_add(1)
}

/// How one app's objects are asked for.
struct Reads<'a> {
    client: &'a Client,
    known: &'a Snapshot,
    namespace: String,
    app: String,
    to: Color,
    /// The target's own Service.
    of_color: String,
}

impl<'a> Reads<'a> {
    fn new(client: &'a Client, known: &'a Snapshot, to: Color) -> Self {
        let (namespace, app) = (known.app.namespace().unwrap_or_default(), known.app.name_any());
        let of_color = names::color_service_name(&app, to);
        Self { client, known, namespace, app, to, of_color }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn get<K>(&self, name: &str) -> kube::Result<Option<Arc<K>>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        Ok(self.api().get_opt(name).await?.map(Arc::new))
    }

    async fn get_all<K>(&self, names: &[String]) -> kube::Result<Vec<Option<Arc<K>>>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        try_join_all(names.iter().map(|name| self.get(name))).await
    }

    async fn per_color<K>(&self, name: fn(&str, Color) -> String) -> kube::Result<PerColor<Option<Arc<K>>>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let (blue, green) = (name(&self.app, Color::Blue), name(&self.app, Color::Green));
        let (blue, green) = futures::try_join!(self.get(&blue), self.get(&green))?;
        Ok(PerColor { blue, green })
    }

    /// The objects of which there is one, and the revisions; `false` if those are not the known ones.
    async fn objects(&self, names: &Names) -> kube::Result<(Option<Snapshot>, bool)> {
        let (app, service, color_services, deployments, revisions, next) = futures::try_join!(
            self.get::<BlueGreenApp>(&self.app),
            self.get::<Service>(&self.app),
            self.per_color::<Service>(names::color_service_name),
            self.per_color::<Deployment>(names::deployment_name),
            self.get_all::<ControllerRevision>(&names.revisions),
            self.get_all::<ControllerRevision>(&names.next),
        )?;
        let Some(app) = app else { return Ok((None, false)) };
        let as_known = revisions.iter().all(Option::is_some) && next.iter().all(Option::is_none);
        let seen = Snapshot {
            stored: Snapshot::sort_revisions(&app, revisions.into_iter().flatten()),
            app,
            service,
            color_services,
            deployments,
            live_slices: self.known.live_slices.clone(),
            color_slices: self.known.color_slices.clone(),
            proof: PerColor::default(),
        };
        Ok((Some(seen), as_known))
    }

    async fn slices(&self, names: &[String]) -> kube::Result<Vec<Arc<EndpointSlice>>> {
        Ok(self.get_all(names).await?.into_iter().flatten().collect())
    }

    /// Several slices are a picture of one moment only if none of them has changed by the time that all were read.
    async fn are_still(&self, slices: &[Arc<EndpointSlice>]) -> kube::Result<bool> {
        if slices.len() < 2 {
            return Ok(true);
        }
        let names: Vec<String> = slices.iter().map(|slice| slice.name_any()).collect();
        let again = self.slices(&names).await?;
        let versions = |slices: &[Arc<EndpointSlice>]| -> Vec<_> {
            slices.iter().map(|slice| (slice.uid(), slice.resource_version())).collect()
        };
        Ok(versions(&again) == versions(slices))
    }

    async fn pods(&self, names: &[String]) -> kube::Result<Vec<PartialObjectMeta<Pod>>> {
        let api: Api<Pod> = self.api();
        if names.len() > FEW {
            let ours = ListParams::default().labels(&format!("{}={}", names::APP, self.app));
            return Ok(of_color(&api.list_metadata(&ours).await?.items, self.to));
        }
        let pods = try_join_all(names.iter().map(|name| api.get_metadata_opt(name))).await?;
        Ok(self.ours(pods))
    }

    /// The ReplicaSets that these pods say are theirs.
    async fn replica_sets(
        &self,
        pods: &[PartialObjectMeta<Pod>],
    ) -> kube::Result<Vec<PartialObjectMeta<ReplicaSet>>> {
        let owners = pods.iter().flat_map(|pod| pod.owner_references());
        let owners = owners.filter(|owner| owner.controller == Some(true) && owner.kind == "ReplicaSet");
        let names: BTreeSet<&str> = owners.map(|owner| owner.name.as_str()).collect();
        let api: Api<ReplicaSet> = self.api();
        let sets = try_join_all(names.iter().map(|name| api.get_metadata_opt(name))).await?;
        Ok(self.ours(sets))
    }

    /// Those that carry the labels by which everything would have been listed.
    fn ours<K: ResourceExt + Clone>(&self, objects: Vec<Option<K>>) -> Vec<K> {
        let mut objects: Vec<K> = objects.into_iter().flatten().collect();
        objects.retain(|object| object.labels().get(names::APP) == Some(&self.app));
        of_color(&objects, self.to)
    }
}
