//! What a request says: of which object, what is asked for, and what must hold.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::core::ApiResource;
use kube::core::params::Preconditions;
use serde_json::{Value, json};

use crate::desired::names;
use bluegreen_api::Color;

/// A resourceVersion that no stored object has: an apply that carries it can only create.
pub const NO_SUCH_VERSION: &str = "1";

/// One object that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The live Service.
    Service,
    /// A color's own Service.
    ColorService(Color),
    /// The Service of the idle color.
    Preview,
    /// A color's Deployment.
    Deployment(Color),
    /// A stored revision.
    Revision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
    /// The Job of a check.
    Job,
}

/// One request to the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The object.
    pub object: Object,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// What is asked for.
    pub verb: Verb,
    /// What must hold, or the API server refuses the request as stale.
    pub only: Only,
    /// Sent only after the requests before it in the same action have succeeded.
    pub waits: bool,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Server-side apply, forced: the object is ours by uid.
    Apply {
        /// The field manager.
        manager: &'static str,
        /// What is declared, without the precondition.
        body: Value,
        /// What is sent instead when that does not succeed.
        fallback: Option<Fallback>,
    },
    /// Merge patch that takes a place over from other field managers and changes nothing else that anybody uses. The
    /// action is not carried out yet: read again, and its apply then removes what others have added.
    TakeOver {
        /// The patch, without the precondition.
        body: Value,
    },
    /// Create by POST.
    Create {
        /// The object.
        body: Value,
    },
    /// Delete in the background: dependents go after it.
    Delete,
}

/// What is declared where a first try did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Fallback {
    /// Another body, when the API server refuses the first.
    Body(Value),
    /// A body for the subresource `status`, when the first try was refused, failed or got no answer.
    Status(Value),
}

/// The precondition of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Only {
    /// No object of that name exists.
    Absent,
    /// The object is still the one that was read, by uid and resourceVersion.
    Unchanged(Preconditions),
}

impl Object {
    /// The kind, as Kubernetes writes it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Service | Self::ColorService(_) | Self::Preview => "Service",
            Self::Deployment(_) => "Deployment",
            Self::Revision { .. } => "ControllerRevision",
            Self::Job => "Job",
        }
    }

    /// The kind as a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Service | Self::ColorService(_) | Self::Preview => "service",
            Self::Deployment(_) => "deployment",
            Self::Revision { .. } => "controllerrevision",
            Self::Job => "job",
        }
    }

    /// Where the API server serves it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Service | Self::ColorService(_) | Self::Preview => ApiResource::erase::<Service>(&()),
            Self::Deployment(_) => ApiResource::erase::<Deployment>(&()),
            Self::Revision { .. } => ApiResource::erase::<ControllerRevision>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
        }
    }

    /// The object's name in an app of this name.
    pub(super) fn name(self, app: &str) -> String {
        match self {
            Self::Service => names::live_service_name(app),
            Self::ColorService(color) => names::color_service_name(app, color),
            Self::Preview => names::preview_service_name(app),
            Self::Deployment(color) => names::deployment_name(app, color),
            Self::Revision { color, number } => names::revision_name(app, color, number),
            // It has a name of its own, which the caller knows.
            Self::Job => String::new(),
        }
    }
}

impl Only {
    /// A body with the precondition in it, where server-side apply looks for it.
    pub fn inside(&self, mut body: Value) -> Value {
        let (version, uid) = match self {
            Self::Absent => (None, None),
            Self::Unchanged(read) => (read.resource_version.as_deref(), read.uid.as_deref()),
        };
        body["metadata"]["resourceVersion"] = json!(version.unwrap_or(NO_SUCH_VERSION));
        if let Some(uid) = uid {
            body["metadata"]["uid"] = json!(uid);
        }
        body
    }
}
