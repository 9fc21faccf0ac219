//! The kinds of objects that the server knows.

/// A kind of object, with what is special about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `BlueGreenApp`.
    App,
    /// `Service`.
    Service,
    /// `Deployment`.
    Deployment,
    /// `ReplicaSet`.
    ReplicaSet,
    /// `Pod`.
    Pod,
    /// `ControllerRevision`.
    Revision,
    /// `EndpointSlice`.
    Slice,
    /// `Event` of `events.k8s.io`.
    Event,
    /// `Job`.
    Job,
    /// `Lease`.
    Lease,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::App,
        Self::Service,
        Self::Deployment,
        Self::ReplicaSet,
        Self::Pod,
        Self::Revision,
        Self::Slice,
        Self::Event,
        Self::Job,
        Self::Lease,
    ];

    /// `apiVersion` of its objects.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::App => "bluegreen.dev/v1alpha1",
            Self::Service | Self::Pod => "v1",
            Self::Deployment | Self::ReplicaSet | Self::Revision => "apps/v1",
            Self::Slice => "discovery.k8s.io/v1",
            Self::Event => "events.k8s.io/v1",
            Self::Job => "batch/v1",
            Self::Lease => "coordination.k8s.io/v1",
        }
    }

    /// `kind` of its objects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "BlueGreenApp",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
            Self::Revision => "ControllerRevision",
            Self::Slice => "EndpointSlice",
            Self::Event => "Event",
            Self::Job => "Job",
            Self::Lease => "Lease",
        }
    }

    /// The resource's name in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::App => "bluegreenapps",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::ReplicaSet => "replicasets",
            Self::Pod => "pods",
            Self::Revision => "controllerrevisions",
            Self::Slice => "endpointslices",
            Self::Event => "events",
            Self::Job => "jobs",
            Self::Lease => "leases",
        }
    }

    /// The resource's name in messages, with its group.
    #[must_use]
    pub fn qualified(self) -> String {
        match self.api_version().split_once('/') {
            Some((group, _)) => format!("{}.{group}", self.plural()),
            None => self.plural().to_owned(),
        }
    }

    /// The kind of a path's `apiVersion` and resource.
    #[must_use]
    pub fn of_path(api_version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.api_version() == api_version && kind.plural() == plural)
    }

    /// Whether the API server counts the versions of its spec in `metadata.generation`.
    #[must_use]
    pub const fn has_generation(self) -> bool {
        match self {
            Self::App | Self::Deployment | Self::ReplicaSet | Self::Slice | Self::Job => true,
            Self::Service | Self::Pod | Self::Revision | Self::Event | Self::Lease => false,
        }
    }

    /// Whether a change of its annotations counts as a change of its spec (`deploymentStrategy.PrepareForUpdate` of
    /// Kubernetes).
    #[must_use]
    pub const fn counts_annotations(self) -> bool {
        matches!(self, Self::Deployment)
    }
}
