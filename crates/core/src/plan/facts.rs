//! The facts that the planner decides on, without Kubernetes types and without a clock.
//!
//! All of them come from one snapshot (see `observe`). The exhaustive model builds the same facts from its abstract
//! cluster, so the planner that it checks is the planner that runs.

use std::time::Duration;

use super::check_facts::Checks;
use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};

/// What the spec asks for, reduced to what a decision needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// `spec.active`: the color that should be live. A plan replaces it by its [aim](super::aim), which differs where a
    /// check has refused what the spec asks for.
    pub active: Color,
    /// Nothing may be changed but the number of the live color's pods.
    pub paused: bool,
    /// The spec breaks a rule, so it asks for nothing: what is live stays as it is.
    pub invalid: bool,
    /// `spec.replicas`: the number of pods of the live color, and of the target.
    pub replicas: i32,
    /// How the idle color is kept.
    pub standby: Standby,
    /// How long the old color is left as it is, after none of its endpoints is behind the live Service any more.
    pub drain: Duration,
    /// How long a switch may make no progress before it is reported as stalled.
    pub deadline: Duration,
    /// What happens to an edit of the live color's block.
    pub policy: ActiveUpdatePolicy,
    /// For each color, whether its block is in the spec.
    pub wanted: PerColor<bool>,
    /// `spec.service.preview`: there should be a Service of the idle color.
    pub preview: bool,
}

/// The size of the idle color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standby {
    /// As large as the live one, for as long as it is idle.
    Warm,
    /// Full size for `after`, then `replicas`.
    Reduced {
        /// Pods that remain.
        replicas: i32,
        /// The time at full size. Zero means that it is reduced at once.
        after: Duration,
    },
}

/// An object that may belong to the app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Child<T> {
    /// There is no such object.
    Absent,
    /// Its controller is this app, by uid.
    Ours(T),
    /// It belongs to an earlier app of the same name, or is being deleted. The garbage collector removes it.
    Collecting,
    /// It belongs to somebody else. The operator never touches it.
    Foreign,
}

impl<T> Child<T> {
    /// Returns the facts, if the object belongs to this app.
    pub fn ours(&self) -> Option<&T> {
        match self {
            Self::Ours(facts) => Some(facts),
            Self::Absent | Self::Collecting | Self::Foreign => None,
        }
    }
}

/// Whose fencing token an object carries.
///
/// A token names a leader's term and attempt. Stamping it changes the object's resourceVersion, so every write that
/// was sent earlier and is still in flight fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// This leader's token with its current attempt. No earlier write in flight has a valid precondition.
    Mine,
    /// No token, that of an earlier term, or that of an earlier attempt in this term. (Each write with an unknown
    /// result starts a new attempt.)
    Stale,
    /// A later term of the same installation. Either this process no longer leads, or somebody edited the label.
    Newer,
    /// The token of another installation's operator, with its Lease as `namespace/name`.
    Foreign(String),
}

impl Fence {
    /// Returns which of two stamps counts: a Deployment carries one in a label or, where that could not be written, in an
    /// annotation, and the newer counts.
    #[must_use]
    pub fn of_both(stamps: [Self; 2]) -> Self {
        let rank = |fence: &Self| match fence {
            Self::Stale => 0,
            Self::Mine => 1,
            Self::Newer => 2,
            Self::Foreign(_) => 3,
        };
        stamps.into_iter().max_by_key(rank).unwrap_or(Self::Stale)
    }
}

/// What the live Service's selector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Exactly this app's pods of one color.
    Color(Color),
    /// No pod: the placeholder with which the Service is created.
    Nothing,
    /// Anything else: somebody edited it.
    Edited,
}

/// The live Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceFacts {
    /// What the Service selects.
    pub selects: Selection,
    /// The live color as recorded in the annotation, which is written in the same request as the selector.
    pub committed: Option<Color>,
    /// For each color, the recorded revision that was live last. It is written in the same request as the selector.
    pub served: PerColor<Option<i64>>,
    /// Whose token it carries.
    pub fence: Fence,
    /// Every other declared field has its value.
    pub current: bool,
    /// Ready pods that its EndpointSlices list, of either color; per address family the smallest. Words and conditions
    /// only: whether the app is degraded, and so whether its state counts as settled.
    pub endpoints: i32,
}

/// A stored revision: a rendered pod template in a ControllerRevision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Its number. It grows with each revision of the color.
    pub number: i64,
    /// What has changed in the spec since it was rendered.
    pub change: Change,
}

/// How a stored revision differs from what the spec would be rendered to now.
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
    /// The number of the revision that its pod template names.
    pub revision: i64,
    /// That revision is still stored.
    pub stored: bool,
    /// Every declared field but the [settings](Self::settings) has its value. The fields are compared with the stored
    /// revision, not only a hash of it.
    pub matches: bool,
    /// `minReadySeconds`, `progressDeadlineSeconds`, the strategy and the common metadata are as the spec has them. They
    /// follow the spec without a new revision, because they change no pod.
    pub settings: bool,
    /// Whose token it carries.
    pub fence: Fence,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.observedGeneration` has caught up with `metadata.generation`.
    pub observed: bool,
    /// `status.replicas`: the pods of all ReplicaSets of the Deployment.
    pub total: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`: the pods that have been ready for at least `minReadySeconds`.
    pub available: i32,
    /// A rollout was complete once (condition `Progressing`, reason `NewReplicaSetAvailable`), and since then only
    /// the size has changed, or pods have failed. For a moment, the Deployment controller may still say this of the
    /// revision before.
    pub rolled_out: bool,
    /// The condition `Progressing` is False with the reason `ProgressDeadlineExceeded`.
    pub deadline_exceeded: bool,
    /// There is a ReplicaSet whose controller is this Deployment, by uid, and that carries the current revision. Only
    /// a read that includes the ReplicaSets checks this; otherwise, it is always true.
    pub proven: bool,
}

impl DeploymentFacts {
    /// Returns a lower bound for the number of available pods of the newest revision. The counts span all
    /// ReplicaSets, so every available pod that may be an old one is subtracted.
    pub fn newest_available(&self) -> i32 {
        let old = self.total.saturating_sub(self.updated);
        self.ready.min(self.available).saturating_sub(old).clamp(0, self.updated.max(0))
    }

    /// Returns [`newest_available`](Self::newest_available), or none while the counts are of an earlier generation: those pods
    /// may be of the version before.
    pub fn observed_available(&self) -> i32 {
        if self.observed { self.newest_available() } else { 0 }
    }
}

/// Everything about one color.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColorFacts {
    /// The color's own Service. It is true if every declared field has its value.
    pub service: Child<bool>,
    /// The newest stored revision, without those that an edit [took back](super::is_taken_back).
    pub newest: Option<Stored>,
    /// The revision that the color runs or should run: for the live color the one that is recorded as live, otherwise
    /// the newest.
    pub current: Option<Stored>,
    /// The current revision has been live.
    pub served: bool,
    /// The highest number that no further revision may have, or zero: an object of somebody else has its name, or it was stored
    /// for an edit that was taken back.
    pub taken: i64,
    /// The stored revisions that nothing needs any more.
    pub obsolete: Vec<i64>,
    /// The Deployment.
    pub deployment: Child<DeploymentFacts>,
    /// The number of distinct ready, serving, non-terminating pods in the color's own EndpointSlices, in the address
    /// family that has the fewest. If the ReplicaSets were read, only pods of the current revision's ReplicaSets
    /// count.
    pub endpoints: i32,
    /// The address families that list fewer of these pods than another one, in order.
    pub sparse: Vec<String>,
    /// As [`endpoints`](Self::endpoints), the pods that are listed with every port of the color's Service.
    pub ported: i32,
    /// The ports with which not all of these pods are listed, in words and in the order of the spec.
    pub unlisted: Vec<String>,
    /// With `externalTrafficPolicy: Local`, the nodes on which the live Service has a ready endpoint and this color
    /// has none, in order. kube-proxy drops what comes to such a node.
    pub uncovered: Vec<String>,
}

/// What the status records. It is used where the children can't tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    /// `status.active`.
    pub active: Option<Color>,
    /// `status.switch` is set: a switch or the drain after it was under way.
    pub switching: bool,
    /// The status is about the present generation, and nothing was under way.
    pub settled: bool,
}

/// What decides which color is live: the live Service, and the record in the status.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Routing {
    /// The live Service.
    pub service: Child<ServiceFacts>,
    /// What the status says.
    pub recorded: Recorded,
}

/// How much time has passed since certain moments, by clocks that only the driver reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed {
    /// Since the EndpointSlices of the live Service list only pods of the live color, and at least one that is ready:
    /// the endpoints have moved. The clock is monotonic and starts again with the process.
    pub moved: Option<Duration>,
    /// Since these EndpointSlices list no pod of the other color: the drain. The clock is the same.
    pub cleared: Option<Duration>,
    /// Since the last progress of the switch that is under way: it began, its target was edited, one more pod of the
    /// target became available, or the Service selected the target.
    pub switching: Option<Duration>,
    /// Since each color was last edited or its drain ended, whichever is later.
    pub idle: PerColor<Duration>,
}

/// The facts of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The live Service.
    pub service: Child<ServiceFacts>,
    /// The Service of the idle color: the color that it selects, if all else is as declared. What is not ours counts only if
    /// the spec asks for such a Service.
    pub preview: Child<Option<Color>>,
    /// Both colors.
    pub colors: PerColor<ColorFacts>,
    /// What the status says.
    pub recorded: Recorded,
    /// How much time has passed.
    pub elapsed: Elapsed,
    /// The checks.
    pub checks: Checks,
}

impl Observed {
    /// Returns true if an object of somebody else has the name of a child. `wanted`: the colors whose blocks are in the spec.
    pub fn has_foreign(&self, wanted: PerColor<bool>) -> bool {
        let of_color = |color: Color| {
            let facts = self.colors.get(color);
            facts.service == Child::Foreign || facts.deployment == Child::Foreign
        };
        self.service == Child::Foreign
            || self.preview == Child::Foreign
            || Color::ALL.into_iter().any(|color| *wanted.get(color) && of_color(color))
    }
}
