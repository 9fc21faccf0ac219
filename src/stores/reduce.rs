//! What the stores keep of an object that is no child of an app.
//!
//! Whoever may create Deployments can give them an app's label, as many and as large as they want, and the watch delivers
//! them. Of an object that no app owns, only its metadata can matter: whose it is not. So the rest is dropped, and memory
//! does not grow with it. A live read sees the object as it is, and nothing is written without one.

use bluegreen_api::Color;
use bluegreen_core::desired::names;
use bluegreen_core::observe::is_app;
use bluegreen_core::observe::snapshot::SERVICE_NAME;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Labels and annotations that are kept of every object.
const KEPT: &[&str] =
    &[names::APP, names::COLOR, names::REVISION, names::FENCE, names::ADOPT, names::UNREADABLE, SERVICE_NAME];

/// A kind of child.
pub trait Reduce: Resource<DynamicType = ()> + Serialize + DeserializeOwned {
    /// Returns true if the app of this name may need the object as it is.
    fn is_needed(&self, app: &str) -> bool;

    /// Drops all that is not metadata.
    fn drop_content(&mut self);

    /// Drops what no app needs.
    fn reduce(&mut self, app: &str) {
        if self.is_needed(app) {
            return;
        }
        self.drop_content();
        self.drop_words();
    }

    /// Drops the metadata that no app needs.
    fn drop_words(&mut self) {
        let meta = self.meta_mut();
        (meta.managed_fields, meta.finalizers) = (None, None);
        for words in [&mut meta.labels, &mut meta.annotations].into_iter().flatten() {
            words.retain(|key, _| KEPT.contains(&key.as_str()));
        }
    }
}

/// Returns true if an app controls the object, or somebody has handed it over.
fn is_child<K: Resource>(object: &K) -> bool {
    object.owner_references().iter().any(|owner| owner.controller == Some(true) && is_app(owner))
        || object.annotations().contains_key(names::ADOPT)
}

fn is_of_color(name: &str, app: &str) -> bool {
    Color::ALL.into_iter().any(|color| name == names::color_service_name(app, color))
}

impl Reduce for Service {
    fn is_needed(&self, app: &str) -> bool {
        let name = self.name_any();
        let of_app = [names::live_service_name(app), names::preview_service_name(app)];
        is_child(self) && (of_app.contains(&name) || is_of_color(&name, app))
    }

    fn drop_content(&mut self) {
        (self.spec, self.status) = (None, None);
    }
}

impl Reduce for Deployment {
    fn is_needed(&self, app: &str) -> bool {
        let name = self.name_any();
        is_child(self) && Color::ALL.into_iter().any(|color| name == names::deployment_name(app, color))
    }

    fn drop_content(&mut self) {
        (self.spec, self.status) = (None, None);
    }
}

impl Reduce for ControllerRevision {
    /// One without an owner was left behind on purpose, and still records what a color runs.
    fn is_needed(&self, _: &str) -> bool {
        is_child(self) || self.owner_references().is_empty()
    }

    fn drop_content(&mut self) {
        self.data = None;
    }
}

impl Reduce for Job {
    fn is_needed(&self, _: &str) -> bool {
        is_child(self)
    }

    fn drop_content(&mut self) {
        (self.spec, self.status) = (None, None);
    }

    /// What it runs is nobody's business any more once it is there.
    fn reduce(&mut self, app: &str) {
        self.spec = None;
        self.meta_mut().managed_fields = None;
        if !self.is_needed(app) {
            self.drop_content();
            self.drop_words();
        }
    }
}

impl Reduce for EndpointSlice {
    /// The label tells the Service. Whoever may write slices may write any of them.
    fn is_needed(&self, app: &str) -> bool {
        let service = self.labels().get(SERVICE_NAME);
        service.is_some_and(|name| *name == names::live_service_name(app) || is_of_color(name, app))
    }

    fn drop_content(&mut self) {
        (self.endpoints, self.ports) = (Vec::new(), None);
    }
}
