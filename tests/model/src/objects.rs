//! The app's objects: as they are, or as somebody read them.

use bluegreen_api::{Color, PerColor};
use bluegreen_core::plan::Selection;

use crate::Idle;
use crate::checks::{Asked, Jobs, Reported};

/// Pods of a full color, unless the user asks for fewer.
pub const FULL: u8 = 2;
/// As many pods as the user ever asks for, where sizes are edited beyond [`FULL`].
pub const LARGEST: u8 = 3;

/// A rendering that no spec asks for: somebody set another image on a Deployment.
pub const FOREIGN: u8 = 99;

/// Revision numbers go from 1 to this.
pub const REVISIONS: usize = 5;

/// A fencing token; zero stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The term.
    pub epoch: u8,
    /// Grows with every unknown result.
    pub attempt: u8,
}

/// The app: what the user asked for, and what was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct App {
    /// `spec.active`.
    pub active: Color,
    /// What stands in each color's block, or stood there last.
    pub tags: PerColor<u8>,
    /// The block is in the spec.
    pub present: PerColor<bool>,
    /// A field that both colors share.
    pub shared: u8,
    /// `spec.replicas`.
    pub replicas: u8,
    /// `spec.activeUpdatePolicy` is `RollingUpdate`.
    pub rolling: bool,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.checks`.
    pub checks: Asked,
    /// `status`, as far as it is read back.
    pub status: Status,
    /// The standby timer has run out, as far as it counts from when the status tells that the color was left.
    pub left_long_ago: PerColor<bool>,
}

/// The part of the status that decisions read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// It was written at least once.
    pub written: bool,
    /// It is about the present generation of the spec.
    pub observed: bool,
    /// It says that nothing is under way, and that no earlier write can still take effect.
    pub settled: bool,
    /// `status.active`.
    pub active: Option<Color>,
    /// `status.switch`: from, to.
    pub switch: Option<(Option<Color>, Color)>,
    /// Each color's revision that served last; zero for none.
    pub served: PerColor<u8>,
    /// `status.desiredHealthy`; zero for none.
    pub healthy: u8,
    /// What it says of checks.
    pub checks: Reported,
}

/// The live Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Its selector.
    pub selects: Selection,
    /// The color that was committed with it.
    pub committed: Option<Color>,
    /// Each color's revision that served last; zero for none.
    pub served: PerColor<u8>,
    /// Whose token it carries.
    pub token: Token,
}

/// A color's Deployment, with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// The revision in its pod template.
    pub revision: u8,
    /// What the pod template runs.
    pub content: u8,
    /// What the spec would have rendered when that was stored, by its labels.
    pub spec: u8,
    /// `spec.replicas`.
    pub replicas: u8,
    /// Whose token it carries.
    pub token: Token,
    /// The Deployment controller has seen this generation.
    pub observed: bool,
    /// The counts of the status; of an earlier generation unless `observed`, of an earlier template unless `current`.
    pub have: u8,
    /// This template was complete once.
    pub current: bool,
    /// The status says of this template, or still of an earlier one, that it was complete once.
    pub rolled: bool,
    /// Ready pods of this template, counted or not (no controller reads this: it reads `have`).
    pub pods: u8,
}

/// EndpointSlices; they follow the Service and the pods with delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slices {
    /// Whose pods the live Service's slices hold, and how many are ready.
    pub live: Option<(Color, u8)>,
    /// The ready pods in each color's own slices.
    pub own: PerColor<Listed>,
}

/// Ready pods in a color's own slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Their revision.
    pub revision: u8,
    /// What they run. A live look finds out whose pods they are, so it can tell.
    pub content: u8,
    /// How many.
    pub pods: u8,
}

/// A ControllerRevision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// What it renders.
    pub content: u8,
    /// What the spec would have rendered when it was stored: the same, unless it was recovered from a Deployment.
    pub spec: u8,
}

/// All objects of one app: as they are, or as somebody read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Objects {
    /// The custom resource.
    pub app: App,
    /// The live Service.
    pub service: Option<Service>,
    /// The Deployments.
    pub deployments: PerColor<Option<Deployment>>,
    /// The stored revisions.
    pub stored: PerColor<[Option<Kept>; REVISIONS]>,
    /// The standby timer has run out, as far as it counts from when the newest revision was stored.
    pub stored_long_ago: PerColor<bool>,
    /// EndpointSlices.
    pub slices: Slices,
    /// The Jobs of checks; `None`: not read.
    pub jobs: Option<Jobs>,
}

/// An object with a resourceVersion of its own (the list reads count as one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The custom resource.
    App,
    /// The live Service.
    Service,
    /// A Deployment.
    Deployment(Color),
    /// The list of ControllerRevisions.
    Stored,
    /// The list of EndpointSlices.
    Slices,
    /// The list of Jobs.
    Jobs,
}

impl Object {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::App,
        Self::Service,
        Self::Deployment(Color::Blue),
        Self::Deployment(Color::Green),
        Self::Stored,
        Self::Slices,
        Self::Jobs,
    ];

    /// Its bit in a set of objects.
    pub(crate) fn bit(self) -> u8 {
        match self {
            Self::App => 1,
            Self::Service => 2,
            Self::Deployment(Color::Blue) => 4,
            Self::Deployment(Color::Green) => 8,
            Self::Stored => 16,
            Self::Slices => 32,
            Self::Jobs => 64,
        }
    }
}

impl Objects {
    /// Brings one object of this copy up to date.
    pub(crate) fn read(&mut self, object: Object, now: &Self) {
        match object {
            Object::App => self.app = now.app,
            Object::Service => self.service = now.service,
            Object::Deployment(color) => *self.deployments.get_mut(color) = *now.deployments.get(color),
            Object::Stored => {
                (self.stored, self.stored_long_ago) = (now.stored, now.stored_long_ago);
            }
            Object::Slices => self.slices = now.slices,
            Object::Jobs => self.jobs = now.jobs,
        }
    }
}

/// What the spec would render for a color.
#[must_use]
pub fn rendering(app: &App, color: Color) -> u8 {
    app.tags.get(color) * 2 + app.shared
}

/// Only the app.
pub(crate) fn nothing() -> Objects {
    Objects {
        app: App {
            active: Color::Blue,
            tags: PerColor::default(),
            present: PerColor { blue: true, green: true },
            shared: 0,
            replicas: FULL,
            rolling: false,
            paused: false,
            checks: Asked::default(),
            status: Status::default(),
            left_long_ago: PerColor { blue: true, green: true },
        },
        service: None,
        deployments: PerColor::default(),
        stored: PerColor::default(),
        stored_long_ago: PerColor { blue: true, green: true },
        slices: Slices::default(),
        jobs: Some(Jobs::default()),
    }
}

/// Blue has been serving for long, green is ready and has never served; all is reported, and stamped by the leader.
pub(crate) fn blue_serves(idle: Idle) -> Objects {
    let mut objects = nothing();
    // At one pod, or at none once its timer has run out; warm, as large as the live one.
    let standby = match idle {
        Idle::Warm => FULL,
        Idle::Reduced => 1,
        Idle::Timed => 0,
    };
    let sizes = PerColor { blue: FULL, green: standby };
    let token = Token { epoch: 1, attempt: 0 };
    objects.app.status = Status {
        written: true,
        observed: true,
        settled: true,
        active: Some(Color::Blue),
        switch: None,
        served: PerColor { blue: 1, green: 0 },
        healthy: FULL,
        checks: Reported::default(),
    };
    objects.service = Some(Service {
        selects: Selection::Color(Color::Blue),
        committed: Some(Color::Blue),
        served: PerColor { blue: 1, green: 0 },
        token,
    });
    objects.deployments = PerColor::from_fn(|color| {
        let size = *sizes.get(color);
        Some(Deployment {
            revision: 1,
            content: 0,
            spec: 0,
            replicas: size,
            token,
            observed: true,
            have: size,
            current: true,
            rolled: true,
            pods: size,
        })
    });
    let first = Some(Kept { content: 0, spec: 0 });
    objects.stored = PerColor::from_fn(|_| [first, None, None, None, None]);
    let listed =
        |pods: u8| if pods > 0 { Listed { revision: 1, content: 0, pods } } else { Listed::default() };
    objects.slices = Slices {
        live: Some((Color::Blue, FULL)),
        own: PerColor { blue: listed(FULL), green: listed(standby) },
    };
    objects
}
