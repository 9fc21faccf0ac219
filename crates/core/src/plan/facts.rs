//! What the planner is told: plain facts, with no Kubernetes type, no `Option<Option<…>>`, no clock.
//!
//! Everything here is derived from one observation (see `observe`). The exhaustive model builds the same
//! facts from its abstract cluster, so that the function that is proven is the function that runs.

use std::time::Duration;

use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};

/// What the user asks for, reduced to what a decision needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The color that should serve.
    pub active: Color,
    /// Nothing may be changed but the number of the live color's pods.
    pub paused: bool,
    /// The spec breaks a rule, so that it asks for nothing: what is live stays as it is.
    pub invalid: bool,
    /// Pods of a color that serves or is about to.
    pub replicas: i32,
    /// How the idle color is kept.
    pub standby: Standby,
    /// How long the old color is left untouched after the endpoints moved.
    pub drain: Duration,
    /// How long a switch may make no progress before it is called stalled.
    pub deadline: Duration,
    /// What an edit of the live color's block means.
    pub policy: ActiveUpdatePolicy,
    /// Whether the color's block is in the spec.
    pub wanted: PerColor<bool>,
}

/// Size of the idle color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standby {
    /// As large as the live one, for as long as it is idle.
    Warm,
    /// Full size for `after`, then `replicas`.
    Reduced {
        /// Pods that remain.
        replicas: i32,
        /// Time at full size; zero means at once.
        after: Duration,
    },
}

/// An object that we may own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Child<T> {
    /// There is no such object.
    Absent,
    /// Controlled by this app's uid.
    Ours(T),
    /// An earlier app of the same name owned it, or it is being deleted: it goes by itself.
    Collecting,
    /// Somebody else's: never touched.
    Foreign,
}

impl<T> Child<T> {
    /// The facts, if the object is ours.
    pub fn ours(&self) -> Option<&T> {
        match self {
            Self::Ours(facts) => Some(facts),
            Self::Absent | Self::Collecting | Self::Foreign => None,
        }
    }
}

/// Whose fencing token an object carries. A token names one leader's term and attempt; stamping it moves the
/// object's resourceVersion, so every write that an earlier holder still has in flight must fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// This leader's, at its current attempt: no other write can be in flight with a valid precondition.
    Mine,
    /// None, an earlier term's, or this term's before a write of unknown result (each such result starts a
    /// new attempt).
    Stale,
    /// A later term of the same installation. Either this process no longer leads, or somebody edited the label.
    Newer,
    /// Another installation's operator (its Lease, as `namespace/name`).
    Foreign(String),
}

/// What the live Service's selector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Exactly this app's pods of one color.
    Color(Color),
    /// The placeholder that selects no pod, as the Service is created.
    Nothing,
    /// Anything else: somebody edited it.
    Edited,
}

/// The live Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceFacts {
    /// What it selects.
    pub selects: Selection,
    /// The color that we last committed, written in the same request as the selector.
    pub committed: Option<Color>,
    /// The revision of each color that last served, written in the same request as the selector.
    pub served: PerColor<Option<i64>>,
    /// Whose token it carries.
    pub fence: Fence,
    /// Every other field that we declare has its value.
    pub current: bool,
    /// Ready pods that its EndpointSlices list, of either color; per address family the smallest. Words and conditions
    /// only: whether the app is degraded, and so whether its state counts as settled.
    pub endpoints: i32,
}

/// A rendered template in a ControllerRevision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Its number, growing per color.
    pub number: i64,
    /// What changed in the spec since it was rendered.
    pub change: Change,
}

/// How a stored rendering differs from what the spec would render now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nothing.
    None,
    /// Only fields that both colors share.
    Shared,
    /// The color's own block.
    Block,
}

/// One color's Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeploymentFacts {
    /// The revision that its pod template carries.
    pub revision: i64,
    /// The rendering of that revision is still stored.
    pub stored: bool,
    /// Every field that we declare, compared with the stored revision (never a hash of it alone).
    pub matches: bool,
    /// Whose token it carries.
    pub fence: Fence,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.observedGeneration` has caught up with `metadata.generation`.
    pub observed: bool,
    /// `status.replicas`: pods of every ReplicaSet of the Deployment.
    pub total: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`: ready for at least `minReadySeconds`.
    pub available: i32,
    /// A roll-out was complete once (condition `Progressing`, reason `NewReplicaSetAvailable`), and since then only the
    /// size has changed, or pods have failed. The Deployment controller may say it of the revision before for a moment.
    pub rolled_out: bool,
    /// Condition `Progressing` is False with reason `ProgressDeadlineExceeded`.
    pub deadline_exceeded: bool,
    /// The ReplicaSet is controlled by this Deployment's uid and carries this revision. Always true in a
    /// cached observation; the live one that precedes every write looks.
    pub proven: bool,
}

impl DeploymentFacts {
    /// How many pods of the newest revision are available, at the least: the counts span all ReplicaSets, and what is
    /// available is taken for an old pod where it may be one.
    pub fn newest_available(&self) -> i32 {
        let old = self.total.saturating_sub(self.updated);
        self.ready.min(self.available).saturating_sub(old).clamp(0, self.updated.max(0))
    }

    /// As [`newest_available`](Self::newest_available), and none while the counts are of an earlier generation: those pods may
    /// be of the version before.
    pub fn observed_available(&self) -> i32 {
        if self.observed { self.newest_available() } else { 0 }
    }
}

/// Everything about one color.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColorFacts {
    /// The color's own Service; true when every declared field has its value.
    pub service: Child<bool>,
    /// The newest stored rendering.
    pub newest: Option<Stored>,
    /// The rendering that the color runs or is to run: for a live color the one that serves, else the newest.
    pub current: Option<Stored>,
    /// The current rendering has served.
    pub served: bool,
    /// Stored renderings that nothing needs any more.
    pub obsolete: Vec<i64>,
    /// The Deployment.
    pub deployment: Child<DeploymentFacts>,
    /// Distinct ready, serving, non-terminating pods in the color's own EndpointSlices, per address family
    /// the smallest; pods of other ReplicaSets are not counted in a live observation.
    pub endpoints: i32,
    /// With `externalTrafficPolicy: Local`, in order: nodes on which the live Service has a ready endpoint and this color
    /// has none. kube-proxy drops what comes to such a node.
    pub uncovered: Vec<String>,
}

/// What `status` recorded: it stands in where the cluster cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    /// `status.active`.
    pub active: Option<Color>,
    /// `status.switch` is set: a switch, or the drain after it, was under way.
    pub switching: bool,
    /// A settled state was already reported for the present generation.
    pub settled: bool,
}

/// Where requests go: the live Service, and what the status recorded of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Routing {
    /// The live Service.
    pub service: Child<ServiceFacts>,
    /// What the status says.
    pub recorded: Recorded,
}

impl Routing {
    /// What is live.
    pub fn live(&self) -> super::Live {
        super::live(&self.service, &self.recorded)
    }
}

/// How long things have been so, by clocks that only the driver reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed {
    /// Since the live slices hold only the live color's pods, and at least one that is ready: the endpoints have
    /// followed the switch. By a monotonic clock that restarts with the process.
    pub moved: Option<Duration>,
    /// Since no endpoint of the other color is in the live slices: the drain. By the same clock.
    pub cleared: Option<Duration>,
    /// Since the switch under way last made progress: it began, its target was edited, one more of the target's pods became
    /// available, or the Service was pointed at the target.
    pub switching: Option<Duration>,
    /// Since each color was last edited or its drain ended, the later.
    pub idle: PerColor<Duration>,
}

/// One consistent look at the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The live Service.
    pub service: Child<ServiceFacts>,
    /// Both colors.
    pub colors: PerColor<ColorFacts>,
    /// What the status says.
    pub recorded: Recorded,
    /// Timers.
    pub elapsed: Elapsed,
}

impl Observed {
    /// Does an object of somebody else have the name of a child? `wanted`: the colors whose blocks are in the spec.
    pub fn has_foreign(&self, wanted: PerColor<bool>) -> bool {
        let of_color = |color: Color| {
            let facts = self.colors.get(color);
            facts.service == Child::Foreign || facts.deployment == Child::Foreign
        };
        self.service == Child::Foreign
            || Color::ALL.into_iter().any(|color| *wanted.get(color) && of_color(color))
    }
}
