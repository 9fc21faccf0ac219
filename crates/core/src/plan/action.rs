//! What a plan may say is to be done.

use bluegreen_api::Color;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create the live Service. It selects no pod: a create has no precondition but absence, so a late one could
    /// select a color that was left long ago.
    CreateService,
    /// Point the Service back at the live color after somebody edited or deleted it. The gate is not asked: pods that
    /// are not fully ready are better than none.
    Restore {
        /// The committed color.
        to: Color,
    },
    /// Declare the live Service's other fields again, selector unchanged.
    UpdateService,
    /// Create or correct a color's own Service.
    ApplyColorService(Color),
    /// Render the spec for this color and store the result as the revision with this number.
    StoreRevision {
        /// The color.
        color: Color,
        /// The new revision's number.
        number: i64,
    },
    /// Store what the color's Deployment runs as this revision, whose ControllerRevision was deleted.
    RecoverRevision {
        /// The color.
        color: Color,
        /// The number that its pods carry.
        number: i64,
    },
    /// Write the live color's revision number to the Service: before an in-place update the newer one, or, to undo an
    /// in-place update that has not begun and is no longer asked for, the one that its pods still run.
    Promote {
        /// The live color.
        color: Color,
        /// That revision.
        number: i64,
    },
    /// Create a color's Deployment.
    CreateDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Bring a color's Deployment to its stored revision and this size.
    EditDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Stamp the token: `service`, then the Deployments of `colors`.
    Fence {
        /// Stamp the live Service.
        service: bool,
        /// Stamp these Deployments.
        colors: Vec<Color>,
    },
    /// Point the Service at another color.
    Switch {
        /// The live color.
        from: Option<Color>,
        /// The color that passed the gate.
        to: Color,
    },
    /// Create the Job of a check.
    RunCheck {
        /// The check's place in `spec.checks`.
        check: u8,
        /// Which Job of it: the first, or the second after the first was deleted.
        attempt: u8,
    },
    /// Delete a check's Job that is no longer needed.
    DropJob {
        /// Its place in `Checks::strays`.
        stray: u8,
    },
    /// Delete a stored revision that is no longer needed.
    DropRevision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
    /// Delete everything of an idle color whose block left the spec.
    RemoveColor(Color),
    /// Create or correct the Service that shows this color, which is idle.
    ApplyPreview(Color),
    /// Delete that Service.
    RemovePreview,
}

impl Action {
    /// Returns the color that it is about, if it is about one alone.
    pub fn color(&self) -> Option<Color> {
        match self {
            Self::CreateService { .. }
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::Fence { .. }
            | Self::Switch { .. }
            | Self::RunCheck { .. }
            | Self::DropJob { .. }
            | Self::Promote { .. }
            | Self::RemovePreview => None,
            Self::ApplyColorService(color) | Self::RemoveColor(color) | Self::ApplyPreview(color) => {
                Some(*color)
            }
            Self::StoreRevision { color, .. }
            | Self::RecoverRevision { color, .. }
            | Self::CreateDeployment { color, .. }
            | Self::EditDeployment { color, .. }
            | Self::DropRevision { color, .. } => Some(*color),
        }
    }

    /// Returns true if a plan for a switch may consist of this action alone: the fence before the switch, or the switch.
    pub(super) fn is_step_of_switch(&self) -> bool {
        match self {
            Self::Fence { .. } | Self::Switch { .. } => true,
            Self::CreateService
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::ApplyColorService(_)
            | Self::StoreRevision { .. }
            | Self::RecoverRevision { .. }
            | Self::Promote { .. }
            | Self::CreateDeployment { .. }
            | Self::EditDeployment { .. }
            | Self::RunCheck { .. }
            | Self::DropJob { .. }
            | Self::DropRevision { .. }
            | Self::RemoveColor(_)
            | Self::ApplyPreview(_)
            | Self::RemovePreview => false,
        }
    }
}
