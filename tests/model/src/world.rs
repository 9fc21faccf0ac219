//! The state of everything: objects, controllers, requests in flight, and what only an all-seeing eye knows.

use std::hash::{Hash, Hasher};

use bluegreen_api::{Color, PerColor};

use crate::checks::Proof;
use crate::fingerprint::fingerprint;
use crate::objects::{FULL, Kept, LARGEST, Object, Objects, REVISIONS, Slices, blue_serves, nothing};
use crate::request::{Ask, Request};
use crate::{Bounds, Guards, Idle, Scope};

/// Requests that nobody waits for any more, at the most.
pub const LATE: usize = 6;

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
    /// As that, but by name, and only what a switch to this color turns on.
    Confirming(Color),
    /// It carries out a plan: all requests are sent together.
    Acting {
        /// One of them got no answer.
        unknown: bool,
        /// All so far were answered, and the answers hold what was written: it may go on without another read.
        told: bool,
    },
    /// All of them were answered like that. It plans on what it had read, with what it has written in its place.
    Answered,
}

impl Mode {
    /// Does what was read still matter?
    pub(crate) fn holds_view(self) -> bool {
        match self {
            Self::Looking | Self::Confirming(_) | Self::Acting { told: true, .. } | Self::Answered => true,
            Self::Idle | Self::Acting { .. } => false,
        }
    }
}

/// What the watches have told so far of what a look by name does not read anew; `None`: all that there is. (Whatever else is
/// in the caches only gives a reason to look.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cache {
    /// The stored revisions.
    pub stored: Option<PerColor<[Option<Kept>; REVISIONS]>>,
    /// The EndpointSlices.
    pub slices: Option<Slices>,
}

/// As many requests as one plan may line up: a color's Deployment and its revisions to be deleted, an edit of the other, and
/// a report.
pub const QUEUE: usize = 6;

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
    /// What its watches are behind with.
    pub cache: Cache,
    /// What it is about to send.
    pub queue: [Option<Request>; QUEUE],
}

impl Controller {
    /// One that is not there.
    pub(crate) fn absent() -> Self {
        Self {
            term: 0,
            attempt: 0,
            clocks: Clocks::default(),
            mode: Mode::Idle,
            view: nothing(),
            fresh: 0,
            cache: Cache::default(),
            queue: [None; QUEUE],
        }
    }
}

/// What only an all-seeing eye knows about a color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// The most pods of the Deployment's template that have been available at once, since it was last made smaller.
    pub up: u8,
    /// The most of those that the color's own slices have listed.
    pub listed: u8,
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
    pub late: [Option<Request>; LATE],
    /// The color that the Service was last made to select by an operator, whatever became of it.
    pub committed: Option<Color>,
    /// What is true of each color.
    pub truth: PerColor<Truth>,
    /// The fewest pods that the user ever asked for; where sizes are edited, since anything that is under way began.
    pub least: u8,
    /// The fewest pods that ever carried the traffic, since something became live; where sizes are edited, since anything that is
    /// under way began.
    pub carried: u8,
    /// What is true of checks.
    pub proof: Proof,
    /// Sizes are edited, up to [`LARGEST`].
    pub sized: bool,
    /// The standby timer takes time.
    pub timed: bool,
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
        let mut objects = if bounds.from_nothing { nothing() } else { blue_serves(bounds.idle) };
        objects.app.checks.gates = bounds.checks;
        let controller = |term| Controller { term, ..Controller::absent() };
        let ready = !bounds.from_nothing;
        let truth = |exposed, color: Color| {
            let pods = objects.deployments.get(color).map_or(0, |deployment| deployment.pods);
            Truth { up: pods, listed: pods, exposed }
        };
        Self {
            objects,
            controllers: [controller(1), controller(0)],
            epoch: 1,
            late: [None; LATE],
            committed: ready.then_some(Color::Blue),
            truth: PerColor { blue: truth(ready, Color::Blue), green: truth(false, Color::Green) },
            least: FULL,
            carried: FULL,
            proof: Proof::first(bounds.checks, bounds.from_nothing),
            sized: bounds.scope == Scope::Sizes,
            timed: bounds.idle == Idle::Timed,
            edits: bounds.edits,
            mishaps: bounds.mishaps,
            faults: bounds.faults,
            takeovers: bounds.takeovers,
        }
    }

    /// As many pods as the user ever asks for.
    pub(crate) const fn largest(&self) -> u8 {
        if self.sized { LARGEST } else { FULL }
    }

    /// The fingerprint of the state.
    pub(crate) fn print(&self, guards: &Guards) -> u128 {
        fingerprint(&Hashed { world: self, views: !guards.live_look })
    }

    /// The object has changed: every copy and every precondition of it is outdated.
    pub(crate) fn touch(&mut self, object: Object) {
        for controller in &mut self.controllers {
            controller.fresh &= !object.bit();
            for request in controller.queue.iter_mut().flatten().filter(|r| r.ask.rests_on(object)) {
                request.valid = false;
            }
        }
        for request in self.late.iter_mut().flatten().filter(|r| r.ask.rests_on(object)) {
            request.valid = false;
        }
    }

    /// That revision is deleted: one that is stored under its number again is another.
    pub(crate) fn forget_revision(&mut self, color: Color, number: u8) {
        let queued = self.controllers.iter_mut().flat_map(|controller| controller.queue.iter_mut());
        for request in queued.chain(&mut self.late).flatten() {
            if request.ask == Ask::Drop(color, number) {
                request.valid = false;
            }
        }
    }

    /// Every copy of the objects, to let time pass for what they tell.
    pub(crate) fn each_copy(&mut self, mut change: impl FnMut(&mut Objects)) {
        change(&mut self.objects);
        for controller in &mut self.controllers {
            change(&mut controller.view);
        }
    }
}

/// A state as it is hashed: without the empty parts of controllers that are not there, and, unless `views`, of what is read by
/// one that does not read.
struct Hashed<'a> {
    world: &'a World,
    views: bool,
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let World { objects, controllers, epoch, late, committed, truth, least, carried, timed, .. } =
            self.world;
        let World { proof, edits, mishaps, faults, takeovers, .. } = self.world;
        for controller in controllers {
            let Controller { term, attempt, clocks, mode, view, fresh, cache, queue } = controller;
            (term, mode).hash(state);
            if *term > 0 {
                (attempt, clocks, fresh, cache, queue).hash(state);
            } else {
                debug_assert_eq!(*controller, Controller { view: *view, ..Controller::absent() });
            }
            if self.views || mode.holds_view() {
                view.hash(state);
            } else {
                debug_assert_eq!(*view, nothing());
            }
        }
        (objects, epoch, late, committed, truth, proof).hash(state);
        [*least, *carried, u8::from(*timed), *edits, *mishaps, *faults, *takeovers].hash(state);
    }
}
