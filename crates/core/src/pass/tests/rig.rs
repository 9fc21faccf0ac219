//! An app whose facts the test writes down, and a pass over it.

use std::time::Duration;

use jiff::Timestamp;

use super::fixtures::World;
use crate::apply::{Failure, Outcome};
use crate::drain::{Endpoints, Held};
use crate::observe::Versions;
use crate::observe::exact::Deviation;
use crate::pass::{
    Announcement, Answer, Command, Decision, Depth, Explanation, Known, Memory, News, Now, Observer, Pass,
    Reverted,
};
use crate::plan::{Action, Intent, Observed, Routing};
use bluegreen_api::Color;

/// What a read brings.
#[derive(Clone, Debug)]
pub struct Seen {
    pub world: World,
    pub leaving: bool,
    /// The app's resourceVersion.
    pub version: u32,
    /// The status that is there, as the number that the test gave it.
    pub status: Told,
    /// The number of the status that should be there.
    pub should_tell: u32,
    /// The two differ in counts alone.
    pub counts_only: bool,
    pub endpoints: Endpoints,
    /// What somebody else has edited.
    pub edited: Option<Deviation>,
}

/// A status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub number: u32,
    pub failure: Option<Failure>,
    pub reverted: Vec<Reverted>,
    pub green: Option<String>,
}

pub fn seen(world: World) -> Seen {
    Seen {
        world,
        leaving: false,
        version: 1,
        status: Told::default(),
        should_tell: 0,
        counts_only: false,
        endpoints: Endpoints { moved: true, cleared: true },
        edited: None,
    }
}

impl Seen {
    /// Something is to be reported.
    pub fn news(self) -> Self {
        Self { should_tell: self.should_tell + 1, ..self }
    }
}

#[derive(Debug)]
pub struct Scripted;

impl Observer for Scripted {
    type Snapshot = Seen;
    type Status = Told;

    fn is_leaving(&self, seen: &Seen) -> bool {
        seen.leaving
    }

    fn generation(&self, seen: &Seen) -> (i64, bool) {
        (1, seen.status.number == seen.should_tell)
    }

    fn versions(&self, seen: &Seen) -> Versions {
        Versions::default().with_app(Some(&seen.version.to_string()))
    }

    fn intent(&self, seen: &Seen) -> Intent {
        seen.world.intent.clone()
    }

    fn routing(&self, seen: &Seen, _: u32) -> Routing {
        let Observed { service, recorded, .. } = seen.world.seen.clone();
        Routing { service, recorded }
    }

    fn endpoints(&self, seen: &Seen, _: Color) -> Endpoints {
        seen.endpoints
    }

    fn observe(&self, seen: &Seen, routing: Routing, _: u32, held: Held, _: Now) -> Observed {
        let mut facts = seen.world.seen.clone();
        (facts.service, facts.recorded) = (routing.service, routing.recorded);
        (facts.elapsed.moved, facts.elapsed.cleared) = (held.moved, held.cleared);
        facts
    }

    fn report(&self, decision: &Decision<Self>, known: &Known<'_>, _: Now) -> Told {
        Told {
            number: decision.snapshot.should_tell,
            failure: known.failure.cloned(),
            reverted: known.reverted.clone(),
            green: known.pods.green.map(str::to_owned),
        }
    }

    fn news(&self, decision: &Decision<Self>, status: &Told) -> News {
        match &decision.snapshot {
            seen if seen.status == *status => News::None,
            seen if seen.counts_only => News::Progress,
            _ => News::Claim,
        }
    }

    fn reverted(&self, decision: &Decision<Self>, action: &Action) -> Option<Reverted> {
        let (color, deviation) = (action.color(), decision.snapshot.edited.clone());
        Some(Reverted { object: format!("{action:?}"), color, deviation, later: false })
    }

    fn record(&self, seen: &mut Seen, status: Told, version: Option<String>) {
        seen.status = status;
        seen.version = version.and_then(|version| version.parse().ok()).unwrap_or(seen.version);
        if seen.world.intent.active != Color::Blue {
            seen.world.seen.recorded.switching = true;
        }
    }
}

/// What a command says, for assertions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Wait(Duration),
    Forget,
    Stop,
    /// Read everything, the pods' owners too or not.
    Read(bool),
    Confirm(Color),
    Send(Vec<Action>),
    Report(Told),
    Explain(Vec<Color>),
}

/// One app and its passes.
pub struct Rig {
    pub memory: Memory,
    pub uptime: Duration,
    pub seen: Seen,
    pub announced: Vec<Announcement>,
    pending: Option<Command<Scripted>>,
}

impl Rig {
    pub fn new(seen: Seen) -> Self {
        let (memory, uptime) = (Memory::default(), Duration::from_secs(1000));
        Self { memory, uptime, seen, announced: Vec::new(), pending: None }
    }

    pub fn turn(&mut self, by: Duration) {
        self.uptime += by;
    }

    /// The actions of the decision that the pending report is about.
    pub fn reporting(&self) -> &[Action] {
        match &self.pending {
            Some(Command::Report(reporting)) => &reporting.telling.based.decision.plan.actions,
            _ => panic!("no report is pending"),
        }
    }

    fn now(&self) -> Now {
        Now { uptime: self.uptime, wall: Timestamp::UNIX_EPOCH }
    }

    fn step(
        &mut self,
        event: impl FnOnce(&mut Pass<'_, Scripted>, Command<Scripted>, Now) -> Command<Scripted>,
    ) -> Said {
        let now = self.now();
        let pending = self.pending.take().unwrap_or(Command::Wait(Duration::ZERO));
        let mut pass = Pass::new(&Scripted, &mut self.memory);
        let command = event(&mut pass, pending, now);
        self.announced.extend(pass.announcements());
        let said = match &command {
            Command::Wait(wait) => Said::Wait(*wait),
            Command::Forget => Said::Forget,
            Command::Stop => Said::Stop,
            Command::Read(reading) => match &reading.depth {
                Depth::Whole { owners } => Said::Read(*owners),
                Depth::Confirm { to, .. } => Said::Confirm(*to),
            },
            Command::Send(sending) => Said::Send(sending.actions().to_vec()),
            Command::Report(reporting) => Said::Report(reporting.status.clone()),
            Command::Explain(explaining) => Said::Explain(explaining.colors.clone()),
        };
        self.pending = Some(command);
        said
    }

    /// A pass begins with caches that are up to date.
    pub fn wake(&mut self) -> Said {
        let seen = self.seen.clone();
        self.step(|pass, _, now| pass.woke(seen, now))
    }

    /// A read of everything as it is now is answered.
    pub fn read(&mut self) -> Said {
        let (snapshot, began) = (self.seen.clone(), self.uptime);
        self.read_answers(Answer::Found { snapshot, began })
    }

    pub fn read_answers(&mut self, answer: Answer<Seen>) -> Said {
        self.step(|pass, pending, now| match pending {
            Command::Read(reading) => pass.read(reading, answer, now),
            other => panic!("nothing is read: {other:?}"),
        })
    }

    /// All requests have this outcome, and the answers do not tell what was stored.
    pub fn sent(&mut self, outcome: &Outcome) -> Said {
        self.sent_with(outcome, None)
    }

    /// All requests succeed, and the objects are as their answers tell.
    pub fn done(&mut self, after: Seen) -> Said {
        self.sent_with(&Outcome::Done, Some(after))
    }

    fn sent_with(&mut self, outcome: &Outcome, after: Option<Seen>) -> Said {
        self.step(|pass, pending, now| match pending {
            Command::Send(sending) => {
                let outcomes = vec![outcome.clone(); sending.actions().len()];
                pass.sent(sending, &outcomes, after, now)
            }
            other => panic!("nothing is sent: {other:?}"),
        })
    }

    /// The status is written, or not.
    pub fn reported(&mut self, outcome: Outcome) -> Said {
        let version = (outcome == Outcome::Done).then(|| {
            self.seen.version += 1;
            self.seen.version.to_string()
        });
        let (said, status) = (version.clone(), self.pending_status());
        if outcome == Outcome::Done {
            Scripted.record(&mut self.seen, status, version);
        }
        self.step(|pass, pending, now| match pending {
            Command::Report(reporting) => pass.reported(reporting, outcome, said, now),
            other => panic!("nothing is reported: {other:?}"),
        })
    }

    fn pending_status(&self) -> Told {
        match &self.pending {
            Some(Command::Report(reporting)) => reporting.status.clone(),
            other => panic!("nothing is reported: {other:?}"),
        }
    }

    pub fn explained(&mut self, answer: Explanation) -> Said {
        self.step(|pass, pending, now| match pending {
            Command::Explain(explaining) => {
                let answers: Vec<_> =
                    explaining.colors.iter().map(|color| (*color, answer.clone())).collect();
                pass.explained(explaining, &answers, now)
            }
            other => panic!("nothing is explained: {other:?}"),
        })
    }
}
