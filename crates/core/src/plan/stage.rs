//! Where an app stands: what is live, what the target lacks, who else holds the objects, and the stage.

use bluegreen_api::Color;

/// Why a target may not be selected yet: the first thing that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The color's block is not in the spec.
    Block,
    /// Its revision is not stored yet, or the spec asks for a newer one.
    Revision,
    /// There is no Deployment of ours.
    Deployment,
    /// The Deployment differs from the stored revision.
    Rollout,
    /// The Deployment does not ask for enough pods yet; the live color's does not ask for `spec.replicas`.
    Size {
        /// Pods that the Deployment asks for.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The Deployment controller has not seen the newest generation.
    Observed,
    /// Pods are not updated, ready and available yet.
    Pods {
        /// Available pods of the newest revision.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The rollout has exceeded its progress deadline.
    Deadline,
    /// The ReplicaSet is not this Deployment's, or has another revision.
    ReplicaSet,
    /// Its own EndpointSlices do not list enough ready pods.
    Endpoints {
        /// Ready pods listed.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// Its own EndpointSlices do not list enough ready pods with every port of the Service.
    Ports {
        /// Ready pods listed with every port.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// With `externalTrafficPolicy: Local`, the live color serves on nodes on which the target has no ready pod.
    Nodes {
        /// How many.
        uncovered: usize,
    },
    /// A check has taken the switch back, and this color's own checks after its last switch were not over, or had found it to be
    /// bad: the operator does not move to it by itself.
    Unproven,
}

impl Missing {
    /// Returns true if the Deployment is still being brought to what the spec says, as opposed to pods that fail.
    pub fn is_update(self) -> bool {
        match self {
            Self::Block
            | Self::Revision
            | Self::Deployment
            | Self::Rollout
            | Self::Size { .. }
            | Self::Observed => true,
            Self::Pods { .. }
            | Self::Deadline
            | Self::ReplicaSet
            | Self::Endpoints { .. }
            | Self::Ports { .. }
            | Self::Nodes { .. }
            | Self::Unproven => false,
        }
    }
}

/// What is live now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    /// The Service selects this color, as we committed it.
    Selected(Color),
    /// The Service is missing or edited; this color was committed last.
    Lost(Color),
    /// Nothing has ever been committed.
    Never,
}

impl Live {
    /// The live color, also while the Service is missing or edited.
    pub fn color(self) -> Option<Color> {
        match self {
            Self::Selected(color) | Self::Lost(color) => Some(color),
            Self::Never => None,
        }
    }
}

/// Who else holds the app's objects, so that this operator changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The operator of another installation, named by its Lease (`namespace/name`).
    Installation(String),
    /// A later leader of this installation, as the fencing tokens on these objects say.
    Leader {
        /// The live Service carries a newer token.
        service: bool,
        /// The Deployments of these colors carry one.
        colors: Vec<Color>,
    },
}

/// The state of the app; `status` turns it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Another installation's operator, or a later leader, holds the objects: nothing is changed.
    Yielding,
    /// The spec breaks a rule: nothing is changed.
    Invalid,
    /// `spec.paused` is true: nothing is changed but the size of the live color.
    Paused,
    /// `spec.paused` is true, but an earlier write of unknown result could still take effect.
    Pausing,
    /// The target is not ready to be selected.
    Preparing {
        /// The aim.
        target: Color,
        /// The first thing that is missing.
        missing: Missing,
    },
    /// The target is ready, and the checks before the switch run.
    Checking {
        /// The target.
        to: Color,
    },
    /// The target is ready: the Service is about to select it, or selects it and its endpoints do not follow yet.
    Switching {
        /// The aim.
        to: Color,
    },
    /// The Service selects the new color, and the checks after the switch run; the old color is left as it is.
    Watching {
        /// The color that was live before.
        old: Color,
    },
    /// The Service selects the new color; the old one is left as it is until it has drained.
    Draining {
        /// The color that was live before.
        old: Color,
    },
    /// The aim is live and fully ready.
    Serving,
    /// The aim is selected but not (or no longer) fully ready.
    Unready {
        /// The first thing that is missing.
        missing: Missing,
    },
}

impl Stage {
    /// Returns true if nothing is changed but, while paused, the size of the live color; so nothing is found out of it either.
    pub(super) fn stands_still(self) -> bool {
        match self {
            Self::Yielding | Self::Invalid | Self::Paused | Self::Pausing => true,
            Self::Preparing { .. }
            | Self::Checking { .. }
            | Self::Switching { .. }
            | Self::Watching { .. }
            | Self::Draining { .. }
            | Self::Serving
            | Self::Unready { .. } => false,
        }
    }
}
