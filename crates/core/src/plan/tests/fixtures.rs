//! Apps in every phase, in words: `stable().active(Green).edited(Green)`.
//!
//! Used by the planner's unit tests and by the phase × event table in `tests/`; whoever includes this file
//! brings the planner's types into scope.

use super::*;

pub use Color::{Blue, Green};

/// Pods of a full color.
pub const FULL: i32 = 3;
/// The old color is left alone for so long.
pub const DRAIN: Duration = Duration::from_secs(30);

/// One app: what is asked for and what is seen.
#[derive(Clone, Debug)]
pub struct World {
    pub intent: Intent,
    pub seen: Observed,
}

/// A Deployment that is complete at this revision and size.
pub fn ready(revision: i64, replicas: i32) -> DeploymentFacts {
    DeploymentFacts {
        revision,
        stored: true,
        matches: true,
        settings: true,
        fence: Fence::Mine,
        replicas,
        observed: true,
        total: replicas,
        updated: replicas,
        ready: replicas,
        available: replicas,
        rolled_out: true,
        deadline_exceeded: false,
        proven: true,
    }
}

/// A color whose only revision runs at this size.
pub fn color(served: bool, replicas: i32) -> ColorFacts {
    let stored = Some(Stored { number: 1, change: Change::None });
    ColorFacts {
        service: Child::Ours(true),
        newest: stored,
        current: stored,
        served,
        taken: 0,
        obsolete: Vec::new(),
        deployment: Child::Ours(ready(1, replicas)),
        endpoints: replicas,
        ported: replicas,
        sparse: Vec::new(),
        unlisted: Vec::new(),
        uncovered: Vec::new(),
    }
}

/// A color without objects.
pub fn absent() -> ColorFacts {
    ColorFacts {
        service: Child::Absent,
        newest: None,
        current: None,
        served: false,
        taken: 0,
        obsolete: Vec::new(),
        deployment: Child::Absent,
        endpoints: 0,
        ported: 0,
        sparse: Vec::new(),
        unlisted: Vec::new(),
        uncovered: Vec::new(),
    }
}

/// Blue has been serving for long, green is warm and has never served; everything is reported and stamped.
pub fn stable() -> World {
    World {
        intent: Intent {
            active: Blue,
            paused: false,
            invalid: false,
            replicas: FULL,
            standby: Standby::Warm,
            drain: DRAIN,
            deadline: Duration::from_secs(600),
            policy: ActiveUpdatePolicy::Freeze,
            wanted: PerColor { blue: true, green: true },
            preview: false,
        },
        seen: Observed {
            service: Child::Ours(ServiceFacts {
                selects: Selection::Color(Blue),
                committed: Some(Blue),
                served: PerColor { blue: Some(1), green: None },
                fence: Fence::Mine,
                current: true,
                endpoints: FULL,
            }),
            preview: Child::Absent,
            colors: PerColor { blue: color(true, FULL), green: color(false, FULL) },
            recorded: Recorded { active: Some(Blue), switching: false, settled: true },
            elapsed: Elapsed {
                moved: Some(Duration::from_secs(900)),
                cleared: Some(Duration::from_secs(900)),
                switching: None,
                idle: PerColor { blue: Duration::ZERO, green: Duration::from_secs(900) },
            },
            checks: Checks::default(),
        },
    }
}

/// Only the app itself exists; blue is to serve first.
pub fn new_app() -> World {
    let mut world = stable();
    world.seen.service = Child::Absent;
    for color in Color::ALL {
        *world.seen.colors.get_mut(color) = absent();
    }
    world.seen.recorded = Recorded { active: None, switching: false, settled: false };
    world.seen.elapsed.moved = None;
    world.seen.elapsed.cleared = None;
    world
}

/// Every child exists and both colors are ready, but nothing was ever selected.
pub fn first_ready() -> World {
    let mut world = stable();
    world.seen.colors.blue.served = false;
    world
        .service(|s| {
            s.selects = Selection::Nothing;
            s.committed = None;
            s.served = PerColor { blue: None, green: None };
        })
        .unreported()
        .with(|w| {
            w.seen.recorded = Recorded { active: None, switching: true, settled: false };
            w.seen.elapsed.moved = None;
            w.seen.elapsed.cleared = None;
        })
}

/// The switch from blue to green was committed; the endpoints have not followed yet.
pub fn committed() -> World {
    stable()
        .active(Green)
        .with(|w| {
            w.seen.colors.green.served = true;
            w.seen.recorded = Recorded { active: Some(Green), switching: true, settled: false };
            w.seen.elapsed.moved = None;
            w.seen.elapsed.cleared = None;
        })
        .service(|s| {
            s.selects = Selection::Color(Green);
            s.committed = Some(Green);
            s.served.green = Some(1);
        })
}

/// The endpoints have followed; blue drains.
pub fn draining() -> World {
    committed().moved(10)
}

/// Green serves, blue served before it, and all that is over.
pub fn rolled_over() -> World {
    draining().moved(900).with(|w| {
        w.seen.recorded = Recorded { active: Some(Green), switching: false, settled: true };
        w.seen.elapsed.idle.blue = Duration::from_secs(900);
    })
}

impl World {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The spec was edited: nothing is reported for its new generation.
    pub fn unreported(self) -> Self {
        self.with(|w| w.seen.recorded.settled = false)
    }

    // What the user edits.

    pub fn active(self, color: Color) -> Self {
        self.unreported().with(|w| w.intent.active = color)
    }

    pub fn paused(self) -> Self {
        self.unreported().with(|w| w.intent.paused = true)
    }

    pub fn replicas(self, replicas: i32) -> Self {
        self.unreported().with(|w| w.intent.replicas = replicas)
    }

    pub fn standby(self, replicas: i32, after: u64) -> Self {
        let after = Duration::from_secs(after);
        self.unreported().with(|w| w.intent.standby = Standby::Reduced { replicas, after })
    }

    pub fn drain(self, seconds: u64) -> Self {
        self.unreported().with(|w| w.intent.drain = Duration::from_secs(seconds))
    }

    pub fn rolling_update(self) -> Self {
        self.unreported().with(|w| w.intent.policy = ActiveUpdatePolicy::RollingUpdate)
    }

    pub fn without(self, color: Color) -> Self {
        self.unreported().changed(color, Change::Block).with(|w| *w.intent.wanted.get_mut(color) = false)
    }

    /// The color's own block was edited.
    pub fn edited(self, color: Color) -> Self {
        self.unreported().changed(color, Change::Block)
    }

    /// A field that both colors share was edited.
    pub fn shared_edit(self) -> Self {
        self.unreported().changed(Blue, Change::Shared).changed(Green, Change::Shared)
    }

    fn changed(self, color: Color, change: Change) -> Self {
        self.with(|w| {
            let facts = w.seen.colors.get_mut(color);
            for stored in [&mut facts.newest, &mut facts.current].into_iter().flatten() {
                stored.change = change;
            }
        })
    }

    // What happens to the children.

    pub fn service(self, change: impl FnOnce(&mut ServiceFacts)) -> Self {
        self.with(|w| {
            if let Child::Ours(service) = &mut w.seen.service {
                change(service);
            }
        })
    }

    pub fn color(self, color: Color, change: impl FnOnce(&mut ColorFacts)) -> Self {
        self.with(|w| change(w.seen.colors.get_mut(color)))
    }

    pub fn deployment(self, color: Color, change: impl FnOnce(&mut DeploymentFacts)) -> Self {
        self.color(color, |facts| {
            if let Child::Ours(deployment) = &mut facts.deployment {
                change(deployment);
            }
        })
    }

    /// A newer rendering is stored, and the Deployment still runs the one before.
    pub fn stored(self, color: Color, number: i64) -> Self {
        self.color(color, |facts| {
            let stored = Some(Stored { number, change: Change::None });
            (facts.newest, facts.current, facts.served) = (stored, stored, false);
        })
        .deployment(color, |d| d.matches = false)
    }

    /// The Deployment was just brought to its newest rendering; nobody has seen that yet.
    pub fn rolling(self, color: Color) -> Self {
        self.deployment(color, |d| {
            d.observed = false;
            d.rolled_out = false;
        })
    }

    pub fn sized(self, color: Color, replicas: i32) -> Self {
        self.color(color, |facts| (facts.endpoints, facts.ported) = (replicas, replicas))
            .deployment(color, |d| {
                *d = DeploymentFacts { fence: d.fence.clone(), ..ready(d.revision, replicas) }
            })
    }

    pub fn unready(self, color: Color) -> Self {
        self.color(color, |facts| (facts.endpoints, facts.ported) = (0, 0)).deployment(color, |d| {
            d.ready = 0;
            d.available = 0;
        })
    }

    /// Nobody's token but this leader's counts; a new term, or a write of unknown result.
    pub fn unfenced(self) -> Self {
        self.fence(Fence::Stale)
    }

    pub fn fence(self, fence: Fence) -> Self {
        let (blue, green) = (fence.clone(), fence.clone());
        self.service(|s| s.fence = fence)
            .deployment(Blue, |d| d.fence = blue)
            .deployment(Green, |d| d.fence = green)
    }

    /// The live slices have held only the live color's ready pods for so long.
    pub fn moved(self, seconds: u64) -> Self {
        self.cleared(seconds).with(|w| w.seen.elapsed.moved = Some(Duration::from_secs(seconds)))
    }

    /// The live slices have held no other color's pods for so long.
    pub fn cleared(self, seconds: u64) -> Self {
        self.with(|w| {
            w.seen.elapsed.cleared = Some(Duration::from_secs(seconds));
            w.seen.elapsed.moved = None;
        })
    }

    /// The status says that a switch is under way.
    pub fn switching(self) -> Self {
        self.with(|w| w.seen.recorded.switching = true)
    }

    // What follows.

    pub fn plan(&self) -> Plan {
        plan(&self.intent, &self.seen)
    }

    pub fn actions(&self) -> Vec<Action> {
        self.plan().actions
    }

    pub fn stage(&self) -> Stage {
        self.plan().stage
    }
}

pub fn edit(color: Color, replicas: i32) -> Action {
    Action::EditDeployment { color, replicas }
}

pub fn store(color: Color, number: i64) -> Action {
    Action::StoreRevision { color, number }
}

pub fn switch(from: Color, to: Color) -> Action {
    Action::Switch { from: Some(from), to }
}

pub fn stamp_all() -> Action {
    Action::Fence { service: true, colors: vec![Blue, Green] }
}
