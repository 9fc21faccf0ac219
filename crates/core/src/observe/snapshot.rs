//! A [`Snapshot`]: the objects of one app, as one read brought them.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::PartialObjectMeta;
use kube::core::params::Preconditions;
use kube::{Resource, ResourceExt};

use crate::desired::{self, names};
use bluegreen_api::{BlueGreenApp, Color, PerColor};

/// The label with which the EndpointSlice controller names the Service of a slice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The objects of one app, as they were read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The app itself.
    pub app: Arc<BlueGreenApp>,
    /// The live Service, whoever owns it.
    pub service: Option<Arc<Service>>,
    /// The Service of the idle color, whoever owns it.
    pub preview: Option<Arc<Service>>,
    /// Each color's own Service.
    pub color_services: PerColor<Option<Arc<Service>>>,
    /// Each color's Deployment.
    pub deployments: PerColor<Option<Arc<Deployment>>>,
    /// The stored revisions of both colors.
    pub stored: PerColor<Vec<ReadRevision>>,
    /// The EndpointSlices of the live Service.
    pub live_slices: Vec<Arc<EndpointSlice>>,
    /// The EndpointSlices of each color's own Service.
    pub color_slices: PerColor<Vec<Arc<EndpointSlice>>>,
    /// The Jobs of the app's checks; `None`: not read.
    pub jobs: Option<Vec<Arc<Job>>>,
    /// The ReplicaSets and pods of each color. Only a live read fills it.
    pub proof: PerColor<Option<Proof>>,
}

/// A stored revision, as it was read.
#[derive(Clone, Debug)]
pub struct ReadRevision {
    /// The revision's content.
    pub stored: desired::Stored,
    /// When it was stored, by the API server's clock.
    pub created: Option<Timestamp>,
    /// Preconditions that name this very object. Its name is not enough, because the number may be used again.
    pub exactly: Preconditions,
    /// Whose it is.
    pub origin: Origin,
}

/// Whose a stored revision is. What it says runs in the app's pods, so not every object of a fitting name is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The app controls it.
    App,
    /// Nobody owns it. It was left behind on purpose, or came back from a backup; or somebody made it who may create
    /// ControllerRevisions and nothing else.
    Nobody,
    /// Another object owns it, or it is not what the operator writes.
    Others,
}

/// The resourceVersions of the objects that a plan depends on.
///
/// They are compared as numbers. Kubernetes guarantees since 1.35 (KEP-5504) that they are numbers, and with etcd
/// they always were. A resourceVersion that is not a number never counts as behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions([Option<u128>; 4]);

impl Versions {
    /// Returns true if any object is older than in `latest`, or is missing here.
    pub fn is_behind(&self, latest: &Self) -> bool {
        self.0.iter().zip(&latest.0).any(|(here, there)| here < there)
    }

    /// Returns the versions as they are after a write of the app's status that was answered with this version.
    pub fn with_app(mut self, version: Option<&str>) -> Self {
        self.0[0] = version.and_then(|version| version.parse().ok()).or(self.0[0]);
        self
    }
}

/// The ReplicaSets and pods of one color, with their metadata only.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The ReplicaSets with the color's labels.
    pub replica_sets: Vec<PartialObjectMeta<ReplicaSet>>,
    /// The pods with the color's labels.
    pub pods: Vec<PartialObjectMeta<Pod>>,
}

impl Proof {
    /// Returns the uids of the ReplicaSets that this Deployment controls and that carry this revision.
    ///
    /// There is more than one if somebody has set another image on the Deployment for a while. The counts in a
    /// Deployment's status span all its ReplicaSets, so they alone prove nothing about one revision.
    pub fn replica_sets(&self, deployment: &Deployment, revision: i64) -> BTreeSet<&str> {
        let (uid, revision) = (deployment.meta().uid.as_deref(), revision.to_string());
        self.replica_sets
            .iter()
            .filter(|set| uid.is_some_and(|uid| controlled_by(*set, uid)))
            .filter(|set| set.labels().get(names::REVISION) == Some(&revision))
            .filter_map(|set| set.metadata.uid.as_deref())
            .collect()
    }

    /// Returns the uids of the pods of those ReplicaSets that are not being deleted. A slice that lags behind may
    /// still list a pod that is being deleted, and such a pod proves nothing.
    pub fn pods_of(&self, deployment: &Deployment, revision: i64) -> BTreeSet<&str> {
        let sets = self.replica_sets(deployment, revision);
        self.pods
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter(|pod| controllers(*pod).any(|uid| sets.contains(uid)))
            .filter_map(|pod| pod.metadata.uid.as_deref())
            .collect()
    }
}

fn controlled_by<K: Resource>(object: &K, uid: &str) -> bool {
    controllers(object).any(|controller| controller == uid)
}

/// Returns true if this owner is an app of the same name that is gone: the garbage collector deletes what it owned.
fn is_earlier(app: &BlueGreenApp, owner: &OwnerReference) -> bool {
    let same_kind = owner.kind == BlueGreenApp::kind(&()) && owner.api_version.starts_with("bluegreen.dev/");
    same_kind && owner.name == app.name_any() && Some(&owner.uid) != app.meta().uid.as_ref()
}

/// The uids of the owners that control an object; the API server lets it have one.
fn controllers<K: Resource>(object: &K) -> impl Iterator<Item = &str> {
    let owners = object.owner_references().iter();
    owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

impl Snapshot {
    /// An app without children.
    pub fn of(app: BlueGreenApp) -> Self {
        Self {
            app: Arc::new(app),
            service: None,
            preview: None,
            color_services: PerColor::default(),
            deployments: PerColor::default(),
            stored: PerColor::default(),
            live_slices: Vec::new(),
            color_slices: PerColor::default(),
            jobs: None,
            proof: PerColor::default(),
        }
    }

    /// Returns how new this snapshot is.
    pub fn versions(&self) -> Versions {
        fn version<K: Resource>(object: Option<&K>) -> Option<u128> {
            object?.meta().resource_version.as_deref()?.parse().ok()
        }
        Versions([
            version(Some(self.app.as_ref())),
            version(self.service.as_deref()),
            version(self.deployments.blue.as_deref()),
            version(self.deployments.green.as_deref()),
        ])
    }

    /// Returns the stored revisions of one color that are believed.
    pub fn revisions(&self, color: Color) -> Vec<&desired::Stored> {
        let (believed, _) = self.by_belief(color);
        believed.into_iter().map(|read| &read.stored).collect()
    }

    /// Returns one stored revision that is believed, as it was read.
    pub fn read_revision(&self, color: Color, number: i64) -> Option<&ReadRevision> {
        let mut all = self.stored.get(color).iter().filter(|read| read.stored.number == number);
        all.find(|read| self.is_believed(color, read))
    }

    /// Returns the highest number that an object has which is not believed; zero if there is none. Its name is taken.
    pub fn taken(&self, color: Color) -> i64 {
        let (_, others) = self.by_belief(color);
        others.into_iter().map(|read| read.stored.number).max().unwrap_or(0)
    }

    fn by_belief(&self, color: Color) -> (Vec<&ReadRevision>, Vec<&ReadRevision>) {
        self.stored.get(color).iter().partition(|read| self.is_believed(color, read))
    }

    /// Returns true if a revision is believed. One without an owner is, only if something names it that is not so easily made up:
    /// the Deployment runs it, or the Service or the status records it. So it is after a restore.
    fn is_believed(&self, color: Color, read: &ReadRevision) -> bool {
        let number = Some(read.stored.number);
        match read.origin {
            Origin::App => true,
            Origin::Others => false,
            Origin::Nobody => {
                let running = self.deployments.get(color).as_deref().and_then(desired::running_revision);
                let served =
                    self.service.as_ref().and_then(|service| service.annotations().get(names::served(color)));
                let served = served.and_then(|number| names::revision_number(number));
                let status = self.app.status.as_ref().and_then(|status| status.color(color));
                number == running
                    || number == served
                    || status.is_some_and(|status| {
                        number == Some(status.revision) || number == status.served_revision
                    })
            }
        }
    }

    /// Returns the content of one stored revision.
    pub fn revision(&self, color: Color, number: i64) -> Option<&desired::Stored> {
        self.read_revision(color, number).map(|read| &read.stored)
    }

    /// Returns when that revision was stored, by the API server's clock.
    pub fn revision_created(&self, color: Color, number: i64) -> Option<Timestamp> {
        self.read_revision(color, number).and_then(|read| read.created)
    }

    /// Sorts an app's revisions by color. One that cannot be decoded is not believed, as if it were lost. One whose name is not
    /// that of its number is left out: it is in nobody's way.
    pub fn sort_revisions(
        app: &BlueGreenApp,
        revisions: impl IntoIterator<Item = Arc<ControllerRevision>>,
    ) -> PerColor<Vec<ReadRevision>> {
        let mut sorted = PerColor::<Vec<_>>::default();
        for revision in revisions {
            let label = |key: &str| revision.labels().get(key).map(String::as_str);
            let Some(color) = label(names::COLOR).and_then(Color::parse) else { continue };
            let named =
                names::revision_name(&app.name_any(), color, revision.revision) == revision.name_any();
            // One of an earlier app of this name is about to go.
            let is_going = revision.owner_references().iter().any(|owner| is_earlier(app, owner));
            if !named || is_going || !names::is_revision(revision.revision) {
                continue;
            }
            let origin = if controlled_by(revision.as_ref(), app.meta().uid.as_deref().unwrap_or_default()) {
                Origin::App
            } else if revision.owner_references().is_empty()
                && label(names::KUBE_MANAGED_BY) == Some(names::MANAGER)
            {
                Origin::Nobody
            } else {
                Origin::Others
            };
            let (stored, origin) = desired::stored(&revision).map_or_else(
                |error| {
                    tracing::warn!(revision = revision.name_any(), %error, "unreadable revision ignored");
                    (desired::Stored::unreadable(revision.revision), Origin::Others)
                },
                |stored| (stored, origin),
            );
            let created = revision.creation_timestamp().map(|time| time.0);
            let exactly =
                Preconditions { uid: revision.uid(), resource_version: revision.resource_version() };
            sorted.get_mut(color).push(ReadRevision { stored, created, exactly, origin });
        }
        sorted
    }
}

/// Returns the revision with the highest number.
pub(super) fn last<'a>(stored: &[&'a desired::Stored]) -> Option<&'a desired::Stored> {
    stored.iter().copied().max_by_key(|revision| revision.number)
}

/// Returns the slices of one Service.
pub fn of_service(slices: &[Arc<EndpointSlice>], service: &str) -> Vec<Arc<EndpointSlice>> {
    let ours =
        |slice: &&Arc<EndpointSlice>| slice.labels().get(SERVICE_NAME).map(String::as_str) == Some(service);
    slices.iter().filter(ours).cloned().collect()
}

/// Returns the objects that carry the label of this color.
pub fn of_color<K: ResourceExt + Clone>(objects: &[K], color: Color) -> Vec<K> {
    let colored = |object: &&K| object.labels().get(names::COLOR).map(String::as_str) == Some(color.as_str());
    objects.iter().filter(colored).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn object<T: DeserializeOwned>(uid: &str, owner: &str, deleted: Option<&str>) -> T {
        let metadata = json!({
            "uid": uid, "name": uid, "labels": { (names::REVISION): "1" }, "deletionTimestamp": deleted,
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "x", "name": owner, "uid": owner, "controller": true }],
        });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    /// After a color was scaled down and up again, its slices may lag behind and list a pod that is being deleted.
    #[test]
    fn a_pod_on_its_way_out_proves_no_endpoint() {
        let proof = Proof {
            replica_sets: vec![object("set", "deployment", None)],
            pods: vec![object("old", "set", Some("2026-01-01T00:00:00Z")), object("new", "set", None)],
        };
        let pods = proof.pods_of(&object("deployment", "app", None), 1);
        assert_eq!(pods.into_iter().collect::<Vec<_>>(), ["new"]);
    }

    /// Somebody set another image, and the operator took it back. Two ReplicaSets carry the same revision then, and
    /// the API server may list the empty one first.
    #[test]
    fn a_foreign_image_that_was_taken_back_does_not_hide_the_pods() {
        let proof = Proof {
            replica_sets: vec![object("foreign", "deployment", None), object("ours", "deployment", None)],
            pods: vec![object("pod", "ours", None)],
        };
        let pods = proof.pods_of(&object("deployment", "app", None), 1);
        assert_eq!(pods.into_iter().collect::<Vec<_>>(), ["pod"]);
    }
}
