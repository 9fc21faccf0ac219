//! The state of everything: objects, controllers, requests in flight, and what only an all-seeing eye knows.

use bluegreen_operator::api::{Color, PerColor};
use bluegreen_operator::plan::Selection;

use crate::Bounds;

/// Pods of a full color.
pub const FULL: u8 = 1;

/// A rendering that no spec asks for: somebody set another image on a Deployment.
pub const FOREIGN: u8 = 99;

/// Revision numbers go from 1 to this.
pub const REVISIONS: usize = 5;

/// A fencing token; zero stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// What stands in each color's block.
    pub tags: PerColor<u8>,
    /// A field that both colors share.
    pub shared: u8,
    /// `spec.paused`.
    pub paused: bool,
    /// `status`, as far as it is read back.
    pub status: Status,
}

/// The part of the status that decisions read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// It was written at least once.
    pub written: bool,
    /// It is about the present generation of the spec.
    pub observed: bool,
    /// Condition `Reconciling` is there.
    pub reconciling: bool,
    /// `status.active`.
    pub active: Option<Color>,
    /// `status.switch`: from, to.
    pub switch: Option<(Option<Color>, Color)>,
    /// Each color's revision that served last; zero for none.
    pub served: PerColor<u8>,
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
    /// `spec.replicas`.
    pub replicas: u8,
    /// Whose token it carries.
    pub token: Token,
    /// The Deployment controller has seen this generation.
    pub observed: bool,
    /// The counts of the status; of an earlier generation unless `observed`.
    pub have: u8,
    /// This template was complete once.
    pub rolled: bool,
    /// Ready pods of this template, counted or not (no controller reads this: it reads `have`).
    pub pods: u8,
}

/// EndpointSlices; they follow the Service and the pods with delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slices {
    /// Whose pods the live Service's slices hold, and how many are ready.
    pub live: Option<(Color, u8)>,
    /// The ready pods in each color's own slices, and their revision.
    pub own: PerColor<(u8, u8)>,
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
    /// What each stored revision renders, plus one; zero where there is none.
    pub stored: PerColor<[u8; REVISIONS]>,
    /// EndpointSlices.
    pub slices: Slices,
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
}

impl Object {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::App,
        Self::Service,
        Self::Deployment(Color::Blue),
        Self::Deployment(Color::Green),
        Self::Stored,
        Self::Slices,
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
        }
    }
}

/// Why the Service is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The gate was passed.
    Switch,
    /// Somebody edited the selector.
    Restore,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Create the Service.
    CreateService(Service),
    /// Replace what is declared of the Service.
    PutService(Service, Why),
    /// Stamp the Service.
    StampService(Token),
    /// Create a Deployment: revision, content, size.
    CreateDeployment(Color, u8, u8, u8, Token),
    /// Replace what is declared of a Deployment: revision, content, size.
    PutDeployment(Color, u8, u8, u8, Token),
    /// Stamp a Deployment.
    StampDeployment(Color, Token),
    /// Keep a rendering under a number.
    Store(Color, u8, u8),
    /// Report.
    Status(Status),
}

impl Ask {
    /// The object that the request is about.
    pub(crate) fn object(self) -> Object {
        match self {
            Self::CreateService(_) | Self::PutService(..) | Self::StampService(_) => Object::Service,
            Self::CreateDeployment(color, ..)
            | Self::PutDeployment(color, ..)
            | Self::StampDeployment(color, _) => Object::Deployment(color),
            Self::Store(..) => Object::Stored,
            Self::Status(_) => Object::App,
        }
    }

    /// Its precondition is absence.
    pub(crate) fn creates(self) -> bool {
        matches!(self, Self::CreateService(_) | Self::CreateDeployment(..) | Self::Store(..))
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What it asks for.
    pub ask: Ask,
    /// The object is still the one that was read: the resourceVersion matches.
    pub valid: bool,
}

/// A clock of the driver, running since a live look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Not running.
    #[default]
    Stopped,
    /// Running. Whether the old color came back into the live slices since it started is not the driver's to know.
    Running {
        /// It did.
        returned: bool,
    },
    /// The drain has passed.
    Passed,
}

/// The two drain clocks and the live color that they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clocks {
    /// The live color; none while both clocks stand.
    pub color: Option<Color>,
    /// As `Elapsed::moved`.
    pub moved: Clock,
    /// As `Elapsed::cleared`.
    pub cleared: Clock,
}

/// What a controller is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Between two looks.
    Idle,
    /// It has begun to read; each object is read at some moment until it plans.
    Looking,
    /// It carries out a plan: all requests are sent together.
    Acting {
        /// One of them got no answer.
        unknown: bool,
    },
}

/// One of the two operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    /// The term that it believes to lead; zero when it does not.
    pub term: u8,
    /// Unknown results in this term.
    pub attempt: u8,
    /// Drain clocks.
    pub clocks: Clocks,
    /// What it does.
    pub mode: Mode,
    /// What it has read.
    pub view: Objects,
    /// Which of that is still so.
    pub fresh: u8,
    /// What it is about to send.
    pub queue: [Option<Request>; 4],
}

/// What only an all-seeing eye knows about a color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// The Deployment's present generation has been fully ready.
    pub up: bool,
    /// The color's own slices have listed all of those pods.
    pub listed: bool,
    /// The live slices hold the color's pods, or did less than a drain ago.
    pub exposed: bool,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The objects as they are.
    pub objects: Objects,
    /// The operators.
    pub controllers: [Controller; 2],
    /// The newest term of the Lease.
    pub epoch: u8,
    /// Requests whose sender has given up on them: they may still commit.
    pub late: [Option<Request>; 3],
    /// What is true of each color.
    pub truth: PerColor<Truth>,
    /// Edits that remain.
    pub edits: u8,
    /// Mishaps that remain.
    pub mishaps: u8,
    /// Faults that remain.
    pub faults: u8,
    /// Takeovers that remain.
    pub takeovers: u8,
}

impl World {
    /// Where an exploration starts.
    #[must_use]
    pub fn first(bounds: &Bounds) -> Self {
        let objects = if bounds.from_nothing { nothing() } else { blue_serves(bounds.reduced) };
        let controller = |term| Controller {
            term,
            attempt: 0,
            clocks: Clocks::default(),
            mode: Mode::Idle,
            view: nothing(),
            fresh: 0,
            queue: [None; 4],
        };
        let ready = !bounds.from_nothing;
        let truth = |exposed, up| Truth { up, listed: up, exposed };
        Self {
            objects,
            controllers: [controller(1), controller(0)],
            epoch: 1,
            late: [None; 3],
            truth: PerColor { blue: truth(ready, ready), green: truth(false, ready) },
            edits: bounds.edits,
            mishaps: bounds.mishaps,
            faults: bounds.faults,
            takeovers: bounds.takeovers,
        }
    }

    /// The object has changed: every copy and every precondition of it is outdated.
    pub(crate) fn touch(&mut self, object: Object) {
        for controller in &mut self.controllers {
            controller.fresh &= !object.bit();
            for request in controller.queue.iter_mut().flatten().filter(|r| r.ask.object() == object) {
                request.valid = false;
            }
        }
        for request in self.late.iter_mut().flatten().filter(|r| r.ask.object() == object) {
            request.valid = false;
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
            Object::Stored => self.stored = now.stored,
            Object::Slices => self.slices = now.slices,
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
            shared: 0,
            paused: false,
            status: Status::default(),
        },
        service: None,
        deployments: PerColor::default(),
        stored: PerColor::default(),
        slices: Slices::default(),
    }
}

/// Blue has been serving for long, green is ready and has never served; all is reported, and stamped by the leader.
fn blue_serves(reduced: bool) -> Objects {
    let mut objects = nothing();
    let token = Token { epoch: 1, attempt: 0 };
    objects.app.status = Status {
        written: true,
        observed: true,
        reconciling: false,
        active: Some(Color::Blue),
        switch: None,
        served: PerColor { blue: 1, green: 0 },
    };
    objects.service = Some(Service {
        selects: Selection::Color(Color::Blue),
        committed: Some(Color::Blue),
        served: PerColor { blue: 1, green: 0 },
        token,
    });
    // A color that never served stands at one pod in either way of standing by.
    let _ = reduced;
    objects.deployments = PerColor::from_fn(|_| {
        Some(Deployment {
            revision: 1,
            content: 0,
            replicas: FULL,
            token,
            observed: true,
            have: FULL,
            rolled: true,
            pods: FULL,
        })
    });
    objects.stored = PerColor::from_fn(|_| [1, 0, 0, 0, 0]);
    objects.slices =
        Slices { live: Some((Color::Blue, FULL)), own: PerColor { blue: (1, FULL), green: (1, FULL) } };
    objects
}
