//! An app's objects after writes of them, without another read: what the API server answers to a write is the object as it
//! stored it.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;

use super::snapshot::Snapshot;
use bluegreen_api::{Color, PerColor};

/// An object as the answer to a write shows it.
#[derive(Clone, Debug)]
pub enum Written {
    /// The live Service.
    Service(Arc<Service>),
    /// A color's own Service.
    ColorService(Color, Arc<Service>),
    /// The Service of the idle color.
    Preview(Arc<Service>),
    /// A color's Deployment.
    Deployment(Color, Arc<Deployment>),
    /// A stored revision.
    Revision(Arc<ControllerRevision>),
    /// A stored revision that was deleted.
    NoRevision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
}

impl Snapshot {
    /// The same objects with those in their place that were written.
    ///
    /// Everything else is as old as this snapshot. Who owns the pods was read before the writes, so it is left out.
    #[must_use]
    pub fn after(&self, written: Vec<Written>) -> Self {
        let mut after = Self { proof: PerColor::default(), ..self.clone() };
        for object in written {
            match object {
                Written::Service(service) => after.service = Some(service),
                Written::ColorService(color, service) => {
                    *after.color_services.get_mut(color) = Some(service);
                }
                Written::Preview(service) => after.preview = Some(service),
                Written::Deployment(color, deployment) => {
                    *after.deployments.get_mut(color) = Some(deployment);
                }
                Written::Revision(revision) => {
                    let sorted = Self::sort_revisions(&after.app, [revision]);
                    for color in Color::ALL {
                        for revision in sorted.get(color) {
                            let stored = after.stored.get_mut(color);
                            stored.retain(|other| other.stored.number != revision.stored.number);
                            stored.push(revision.clone());
                        }
                    }
                }
                Written::NoRevision { color, number } => {
                    after.stored.get_mut(color).retain(|revision| revision.stored.number != number);
                }
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired;
    use crate::observe::Proof;
    use kube::ResourceExt;

    fn snapshot() -> Snapshot {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": "hello", "namespace": "n", "uid": "app"},
            "spec": {"active": "blue", "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
                "replicas": 1, "port": 80},
        });
        Snapshot::of(serde_json::from_value(app).unwrap())
    }

    fn revision(seen: &Snapshot, number: i64, version: &str) -> Written {
        let rendered = desired::render(&seen.app, Color::Green).unwrap();
        let mut body = desired::revision(&seen.app, Color::Green, number, &rendered);
        body["metadata"]["resourceVersion"] = json!(version);
        Written::Revision(Arc::new(serde_json::from_value(body).unwrap()))
    }

    fn numbers(seen: &Snapshot) -> Vec<(i64, Option<String>)> {
        let stored = seen.stored.green.iter();
        stored.map(|revision| (revision.stored.number, revision.exactly.resource_version.clone())).collect()
    }

    #[test]
    fn what_was_written_takes_the_place_of_what_was_read() {
        let mut seen = snapshot();
        seen.proof.green = Some(Proof::default());
        let deployment = |version: &str| -> Arc<Deployment> {
            Arc::new(serde_json::from_value(json!({"metadata": {"resourceVersion": version}})).unwrap())
        };
        seen.deployments = PerColor { blue: Some(deployment("3")), green: Some(deployment("4")) };
        let after = seen.after(vec![Written::Deployment(Color::Green, deployment("5"))]);
        let version = |color| after.deployments.get(color).as_ref()?.resource_version();
        assert_eq!((version(Color::Blue), version(Color::Green)), (Some("3".into()), Some("5".into())));
        assert!(after.proof.green.is_none(), "the pods' owners were read before the write");
    }

    #[test]
    fn a_revision_replaces_the_one_of_its_number_and_goes_when_it_is_deleted() {
        let seen = snapshot();
        let seen = seen.after(vec![revision(&seen, 1, "5"), revision(&seen, 2, "6")]);
        assert_eq!(numbers(&seen), [(1, Some("5".into())), (2, Some("6".into()))]);
        let again = seen.after(vec![revision(&seen, 1, "7")]);
        assert_eq!(numbers(&again), [(2, Some("6".into())), (1, Some("7".into()))]);
        let gone = again.after(vec![Written::NoRevision { color: Color::Green, number: 2 }]);
        assert_eq!(numbers(&gone), [(1, Some("7".into()))]);
    }
}
