//! Which objects each action writes, and what it writes to them, in the planner's own terms.
//!
//! This is the one place that says what an [`Action`] does. `apply::requests` turns each [`Write`] into a request to the
//! API server, `kubectl bluegreen plan` merges these requests into its copy of the objects, and the exhaustive model
//! applies the writes to its abstract objects.

use super::{Action, Child, Observed, Selection, ServiceFacts};
use bluegreen_api::{Color, PerColor};

/// One object that an action changes, and what to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// Declare the live Service.
    Service(ServiceWrite),
    /// Declare a color's own Service.
    ColorService {
        /// The color.
        color: Color,
        /// The Service must not exist yet.
        create: bool,
    },
    /// Declare the Service of the idle color.
    Preview {
        /// The color.
        color: Color,
        /// The Service must not exist yet.
        create: bool,
    },
    /// Delete the Service of the idle color.
    DeletePreview,
    /// Store a revision that does not exist yet.
    Revision {
        /// The color.
        color: Color,
        /// The revision's number.
        number: i64,
        /// What the revision holds.
        from: Source,
    },
    /// Declare a color's Deployment from a stored revision.
    Deployment {
        /// The color.
        color: Color,
        /// The stored revision's number.
        number: i64,
        /// `spec.replicas`.
        replicas: i32,
        /// The Deployment must not exist yet.
        create: bool,
    },
    /// Stamp the live Service with this leader's token, and change nothing else.
    StampService,
    /// Stamp a color's Deployment with this leader's token, and change nothing else.
    StampDeployment(Color),
    /// Delete a color's Deployment.
    DeleteDeployment(Color),
    /// Delete a color's own Service.
    DeleteColorService(Color),
    /// Create the Job of a check.
    Job {
        /// The check's place in `spec.checks`.
        check: u8,
        /// Which Job of it.
        attempt: u8,
    },
    /// Delete a Job that nothing needs any more, by its place in the facts.
    DeleteJob(u8),
    /// Delete a stored revision.
    DeleteRevision {
        /// The color.
        color: Color,
        /// The revision's number.
        number: i64,
    },
}

/// What a write declares of the live Service, besides what the spec says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceWrite {
    /// The Service must not exist yet.
    pub create: bool,
    /// The selector. [`Selection::Edited`] keeps the selector and the ports' targets that the Service has: one that a
    /// person handed over serves as before until a color passes the gate.
    pub selects: Selection,
    /// The color that is recorded as live.
    pub committed: Option<Color>,
    /// The revision of each color that is recorded as the last to be live.
    pub served: PerColor<Option<i64>>,
}

/// What a stored revision is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The app's spec, rendered now.
    Spec,
    /// The pod template of the color's Deployment.
    Running,
}

/// What [`writes`] must know besides the planner's facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inventory<'a> {
    /// The revision of each color that the status records as the last to be live.
    pub served: PerColor<Option<i64>>,
    /// The numbers of each color's stored revisions, in the order in which they are to be deleted.
    pub stored: PerColor<&'a [i64]>,
}

/// The action does not fit the facts: what it would write on, or from, is not there. Read again and plan anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

impl Write {
    /// Returns true if this write is sent only after the writes before it in the same action have succeeded. All others
    /// are sent together.
    pub const fn waits(&self) -> bool {
        match self {
            Self::DeleteDeployment(_) | Self::DeleteColorService(_) | Self::DeleteRevision { .. } => true,
            Self::Service(_)
            | Self::ColorService { .. }
            | Self::Preview { .. }
            | Self::DeletePreview
            | Self::Revision { .. }
            | Self::Deployment { .. }
            | Self::StampService
            | Self::StampDeployment(_)
            | Self::Job { .. }
            | Self::DeleteJob(_) => false,
        }
    }
}

/// What an action writes, in order; nothing where nothing of it is there any more.
///
/// # Errors
/// [`Mismatch`] when the action does not fit the facts.
pub fn writes(action: &Action, facts: &Observed, inventory: &Inventory<'_>) -> Result<Vec<Write>, Mismatch> {
    let write = match *action {
        Action::CreateService => Write::Service(ServiceWrite {
            create: true,
            selects: Selection::Nothing,
            committed: None,
            served: inventory.served,
        }),
        Action::Restore { to } => Write::Service(select(declared(facts)?, to)),
        Action::Switch { from: _, to } => {
            let mut service = select(declared(facts)?, to);
            // In the same request as the selector: a crash between two requests would leave them at odds.
            if let Some(current) = facts.colors.get(to).current {
                *service.served.get_mut(to) = Some(current.number);
            }
            Write::Service(service)
        }
        Action::UpdateService => Write::Service(declared(facts)?),
        Action::Promote { color, number } => {
            let mut service = declared(facts)?;
            *service.served.get_mut(color) = Some(number);
            Write::Service(service)
        }
        Action::ApplyColorService(color) => {
            let create = facts.colors.get(color).service == Child::Absent;
            Write::ColorService { color, create }
        }
        Action::ApplyPreview(color) => Write::Preview { color, create: facts.preview == Child::Absent },
        Action::RemovePreview => {
            facts.preview.ours().ok_or(Mismatch)?;
            Write::DeletePreview
        }
        Action::StoreRevision { color, number } => Write::Revision { color, number, from: Source::Spec },
        Action::RecoverRevision { color, number } => {
            facts.colors.get(color).deployment.ours().ok_or(Mismatch)?;
            Write::Revision { color, number, from: Source::Running }
        }
        Action::CreateDeployment { color, replicas } => deployment(facts, color, replicas, true)?,
        Action::EditDeployment { color, replicas } => deployment(facts, color, replicas, false)?,
        Action::DropRevision { color, number } => Write::DeleteRevision { color, number },
        Action::RunCheck { check, attempt } => {
            facts.checks.run.ok_or(Mismatch)?;
            Write::Job { check, attempt }
        }
        Action::DropJob { stray } => Write::DeleteJob(stray),
        Action::Fence { service, ref colors } => return Ok(stamps(facts, service, colors)),
        Action::RemoveColor(color) => return Ok(removal(facts, inventory, color)),
    };
    Ok(vec![write])
}

/// The live Service as it is.
fn declared(facts: &Observed) -> Result<ServiceWrite, Mismatch> {
    let ServiceFacts { selects, committed, served, fence: _, current: _, endpoints: _ } =
        facts.service.ours().ok_or(Mismatch)?;
    Ok(ServiceWrite { create: false, selects: *selects, committed: *committed, served: *served })
}

/// The same Service, pointed at a color.
fn select(service: ServiceWrite, to: Color) -> ServiceWrite {
    ServiceWrite { selects: Selection::Color(to), committed: Some(to), ..service }
}

fn deployment(facts: &Observed, color: Color, replicas: i32, create: bool) -> Result<Write, Mismatch> {
    let facts = facts.colors.get(color);
    if !create {
        facts.deployment.ours().ok_or(Mismatch)?;
    }
    let number = facts.current.ok_or(Mismatch)?.number;
    Ok(Write::Deployment { color, number, replicas, create })
}

fn stamps(facts: &Observed, service: bool, colors: &[Color]) -> Vec<Write> {
    let on_service = (service && facts.service.ours().is_some()).then_some(Write::StampService);
    let is_there = |color: &Color| facts.colors.get(*color).deployment.ours().is_some();
    let on_deployments = colors.iter().copied().filter(is_there).map(Write::StampDeployment);
    on_service.into_iter().chain(on_deployments).collect()
}

/// Returns the writes that remove a color. The revisions go last: while one is there, the next pass plans the removal again.
fn removal(facts: &Observed, inventory: &Inventory<'_>, color: Color) -> Vec<Write> {
    let facts = facts.colors.get(color);
    let deployment = facts.deployment.ours().map(|_| Write::DeleteDeployment(color));
    let service = facts.service.ours().map(|_| Write::DeleteColorService(color));
    let revisions = inventory.stored.get(color).iter().map(|&number| Write::DeleteRevision { color, number });
    deployment.into_iter().chain(service).chain(revisions).collect()
}
