//! Every answer that a command can have, given to the operator's pass in the states that the model reaches.
//!
//! The exploration itself plays the answers that change the cluster. This walk gives the pass the others, too: reads that
//! fail, writes that are refused, unanswered or put off, reports that are not written. It asks for what must hold whatever
//! the answers are.
//!
//! One test tries the first answers of a pass in every way. The other one answers by chance, with all that an answer may hold:
//! time passes, objects have changed since, one of several writes fails, and the next passes go on with what the first remembers.

use std::collections::HashSet;
use std::time::Duration;

use bluegreen_core::apply::Outcome;
use bluegreen_core::pass::{Answer, Batch, Command, Depth, Explanation, Memory, Now, Pass};
use bluegreen_core::plan::{Action, Live};

use crate::objects::Objects;
use crate::observer::{Abstract, NOW, memory};
use crate::sample::looks;
use crate::world::Controller;
use crate::{Bounds, Guards, Idle};

/// So many answers of a pass are tried in every way; from then on each command has its first answer.
const TRIED: usize = 4;

/// A pass that is not over after so many commands never ends: it reads twelve times at most.
const ENDS: usize = 60;

/// A report may take so long before the switch that it announces, by docs/decisions.md, without another read.
const FRESH: Duration = Duration::from_millis(250);

/// States of the model, from both starts.
const STATES: usize = 3000;

/// In each of them, so many lives of a few passes are answered by chance.
const LIVES: u64 = 20;

fn outcomes() -> [Outcome; 8] {
    let words = || "no".to_owned();
    [
        Outcome::Done,
        Outcome::Stale,
        Outcome::Gone,
        Outcome::Refused(words()),
        Outcome::Failed(words()),
        Outcome::Unknown(words()),
        Outcome::Later(Duration::from_secs(1)),
        Outcome::NotLeading,
    ]
}

/// What was answered last, as far as the next command depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Woke,
    Whole {
        owners: bool,
    },
    Confirmed,
    ReadFailed,
    Gone,
    /// `unread`: on what the caches hold.
    Sent {
        outcome: usize,
        unread: bool,
    },
    Reported {
        outcome: usize,
    },
    Explained,
}

/// What answers hold beside what is tried in every way.
struct Chance<'a> {
    random: fastrand::Rng,
    /// Objects that may be read in the place of those before.
    others: &'a [(Controller, Objects)],
}

/// One way through a pass.
struct Walk<'a> {
    observer: &'a Abstract<'a>,
    memory: Memory,
    view: Objects,
    now: Now,
    /// When the last read began.
    began: Duration,
    /// What is read is other than when the pass reported last: its status may say more.
    changed: bool,
    /// `None`: the answers are those of the path, no time passes and nothing changes.
    chance: Option<Chance<'a>>,
    /// The answers, as indices; the first of each kind beyond them.
    path: Vec<usize>,
    /// How many answers each command of the path has.
    choices: Vec<usize>,
    seen: HashSet<&'static str>,
}

impl<'a> Walk<'a> {
    fn new(observer: &'a Abstract<'a>, controller: &Controller, view: Objects) -> Self {
        Self {
            observer,
            memory: memory(controller),
            view,
            now: NOW,
            began: NOW.uptime,
            changed: false,
            chance: None,
            path: Vec::new(),
            choices: Vec::new(),
            seen: HashSet::new(),
        }
    }

    fn choose(&mut self, among: usize) -> usize {
        let chosen = match &mut self.chance {
            // Most things go well, or no pass would get far.
            Some(Chance { random, .. }) => {
                if random.bool() {
                    0
                } else {
                    random.usize(..among)
                }
            }
            None => self.path.get(self.choices.len()).copied().unwrap_or(0),
        };
        self.choices.push(among);
        if self.chance.is_some() {
            self.path.push(chosen);
        }
        chosen
    }

    /// Time passes while something is answered.
    fn passes(&mut self) {
        if let Some(chance) = &mut self.chance {
            let times = [0, 0, 20, 400, 1_500, 16_000].map(Duration::from_millis);
            self.now.uptime += times[chance.random.usize(..times.len())];
        }
    }

    /// Now and then the objects are others than before.
    fn changes(&mut self) {
        if let Some(chance) = &mut self.chance
            && chance.random.usize(..4) == 0
        {
            self.changed = true;
            self.view = chance.others[chance.random.usize(..chance.others.len())].1;
        }
    }

    /// Goes the way, and checks every command. Returns how long the pass waits for the next one.
    fn go(&mut self) -> Option<Duration> {
        let mut memory = std::mem::take(&mut self.memory);
        let wait = self.go_with(&mut memory);
        self.memory = memory;
        wait
    }

    fn go_with(&mut self, memory: &mut Memory) -> Option<Duration> {
        let mut pass = Pass::new(self.observer, memory);
        let mut command = pass.woke(self.view, self.now);
        let mut last = Last::Woke;
        // The last report of this pass that announces a switch was not written.
        let mut unreported = false;
        for _ in 0..ENDS {
            self.holds(last, &command, unreported);
            (command, last) = match command {
                Command::Wait(wait) => return Some(wait),
                Command::Forget | Command::Stop => return None,
                Command::Read(reading) => {
                    let owners = match &reading.depth {
                        Depth::Whole { owners } => Some(*owners),
                        Depth::Confirm { .. } => None,
                    };
                    let began = self.now.uptime;
                    let chosen = self.choose(4);
                    self.passes();
                    self.changes();
                    let found = Answer::Found { snapshot: self.view, began };
                    if chosen == 0 {
                        self.began = began;
                        unreported &= !self.changed;
                    }
                    let (answer, last) = match (chosen, owners) {
                        (0, Some(owners)) => (found, Last::Whole { owners }),
                        (0, None) => (found, Last::Confirmed),
                        (1, _) => (Answer::Failed, Last::ReadFailed),
                        (2, _) => (Answer::Unclear, Last::ReadFailed),
                        _ => (Answer::Gone, Last::Gone),
                    };
                    (pass.read(reading, answer, self.now), last)
                }
                Command::Send(sending) => {
                    let unread = matches!(last, Last::Woke);
                    let all = outcomes();
                    let outcome = self.choose(all.len());
                    let mut answers = vec![Outcome::Done; sending.actions().len()];
                    let at = self.chance.as_mut().map_or(0, |chance| chance.random.usize(..answers.len()));
                    answers[at] = all[outcome].clone();
                    self.passes();
                    self.changes();
                    let tells = self.chance.as_mut().is_some_and(|chance| chance.random.bool());
                    let after = (outcome == 0 && tells).then_some(self.view);
                    (pass.sent(sending, &answers, after, self.now), Last::Sent { outcome, unread })
                }
                Command::Report(reporting) => {
                    let all = outcomes();
                    let outcome = self.choose(all.len());
                    // One that comes between two writes says nothing about the switch that its status has on record.
                    let decision = reporting.decision();
                    if decision.plan.announces(&decision.facts) {
                        (unreported, self.changed) = (outcome != 0, false);
                    }
                    self.passes();
                    let version = self.chance.as_mut().map(|chance| chance.random.u8(..).to_string());
                    let next = pass.reported(reporting, all[outcome].clone(), version, self.now);
                    (next, Last::Reported { outcome })
                }
                Command::Explain(explaining) => {
                    let words = || "no".to_owned();
                    let all =
                        [Explanation::Words(None), Explanation::Words(Some(words())), Explanation::Unread];
                    let said = all[self.choose(all.len())].clone();
                    self.passes();
                    let said: Vec<_> = explaining.colors.iter().map(|color| (*color, said.clone())).collect();
                    (pass.explained(explaining, &said, self.now), Last::Explained)
                }
            };
        }
        panic!("a pass that does not end: {:?}", self.path);
    }

    fn holds(&mut self, last: Last, command: &Command<Abstract<'a>>, unreported: bool) {
        let path = &self.path;
        let (kind, sends, switches) = match command {
            Command::Wait(_) => ("wait", false, false),
            Command::Forget => ("forget", false, false),
            Command::Stop => ("stop", false, false),
            Command::Read(_) => ("read", false, false),
            Command::Report(_) => ("report", false, false),
            Command::Explain(_) => ("explain", false, false),
            Command::Send(sending) => ("send", true, matches!(sending.batch, Batch::Switch(_))),
        };
        self.seen.insert(kind);
        let ends = matches!(command, Command::Wait(_) | Command::Stop | Command::Forget);
        if switches {
            // What moves traffic rests on a read that proves it, and on a status that says so.
            let proven = matches!(
                last,
                Last::Whole { owners: true } | Last::Confirmed | Last::Reported { .. } | Last::Explained
            );
            assert!(proven, "a switch after {last:?}: {path:?}");
            let age = self.now.uptime - self.began;
            let reported = matches!(last, Last::Reported { .. });
            assert!(!reported || age <= FRESH, "a switch that rests on a read of {age:?} ago: {path:?}");
            assert!(!unreported, "a switch although its report was not written: {path:?}");
        }
        match last {
            // Only the first objects of an app are created without any read.
            Last::Woke if sends => {
                let Command::Send(sending) = command else { return };
                assert_eq!(sending.decision().plan.live, Live::Never, "{path:?}");
                assert!(
                    sending.actions().iter().all(|action| matches!(
                        action,
                        Action::CreateService | Action::ApplyColorService(_) | Action::StoreRevision { .. }
                    )),
                    "{path:?}"
                );
            }
            Last::Woke | Last::ReadFailed => assert!(!sends, "{kind} after {last:?}: {path:?}"),
            Last::Gone => assert!(matches!(command, Command::Forget), "{kind}: {path:?}"),
            // A write of unknown result may still be carried out: nothing follows that rests on what was read.
            // It is read at once, or by the next pass if this one has had its share.
            Last::Sent { outcome: 5, .. } => assert!(["read", "wait"].contains(&kind), "{kind}: {path:?}"),
            Last::Sent { outcome: 7, .. } | Last::Reported { outcome: 7 } => {
                assert_eq!(kind, "stop", "{path:?}")
            }
            // Not carried out: that is told, and the pass ends. Where nothing was read, it is first.
            Last::Sent { outcome: 3 | 4, unread: true } => assert_eq!(kind, "read", "{path:?}"),
            Last::Sent { outcome: 3 | 4, unread: false } => {
                assert!(!sends && kind != "read", "{kind}: {path:?}")
            }
            Last::Sent { outcome: 1 | 2 | 6, .. } => assert!(!sends, "{kind}: {path:?}"),
            Last::Reported { outcome: 1 } => assert!(!sends, "{kind}: {path:?}"),
            Last::Reported { outcome: 2..=6 } => assert!(ends, "{kind} after {last:?}: {path:?}"),
            Last::Sent { .. }
            | Last::Reported { .. }
            | Last::Whole { .. }
            | Last::Confirmed
            | Last::Explained => {}
        }
    }
}

/// The model's states in which something was just read, and what was read.
fn states(bounds: &Bounds) -> Vec<(Controller, Objects)> {
    let mut states = Vec::new();
    looks(bounds, 120, STATES / 2, |controller| states.push((*controller, controller.view)));
    states
}

fn bounds() -> Bounds {
    Bounds { edits: 2, faults: 1, takeovers: 1, mishaps: 1, idle: Idle::Reduced, ..Bounds::default() }
}

#[test]
fn every_answer_in_every_state_leads_to_a_command_that_is_allowed() {
    let (mut ways, mut commands) = (0_u64, HashSet::new());
    let bounds = bounds();
    let states = states(&bounds);
    for (controller, view) in &states {
        let observer = Abstract::new(controller, &bounds, &Guards::ALL);
        // All answers to the first commands, counted up like the digits of a number.
        let mut path = Vec::new();
        loop {
            let mut walk = Walk::new(&observer, controller, *view);
            walk.path.clone_from(&path);
            walk.go();
            ways += 1;
            commands.extend(walk.seen);
            let choices = walk.choices;
            path.resize(choices.len().min(TRIED), 0);
            while let Some(digit) = path.pop() {
                if digit + 1 < choices[path.len()] {
                    path.push(digit + 1);
                    break;
                }
            }
            if path.is_empty() {
                break;
            }
        }
    }
    println!("{ways} ways through a pass, from {} states", states.len());
    let expected = ["forget", "read", "report", "send", "stop", "wait"];
    assert!(expected.iter().all(|kind| commands.contains(kind)), "{commands:?}");
}

#[test]
fn answers_by_chance_lead_to_commands_that_are_allowed() {
    let mut commands = HashSet::new();
    let bounds = bounds();
    let states = states(&bounds);
    for (number, (controller, view)) in (0_u64..).zip(&states) {
        let observer = Abstract::new(controller, &bounds, &Guards::ALL);
        for life in 0..LIVES {
            let mut walk = Walk::new(&observer, controller, *view);
            let random = fastrand::Rng::with_seed(number * LIVES + life);
            walk.chance = Some(Chance { random, others: &states });
            // Each pass goes on with what those before it remember.
            for _ in 0..4 {
                walk.path.clear();
                walk.choices.clear();
                let Some(wait) = walk.go() else { break };
                walk.now.uptime += wait;
                walk.changes();
            }
            commands.extend(walk.seen);
        }
    }
    let expected = ["explain", "forget", "read", "report", "send", "stop", "wait"];
    assert!(expected.iter().all(|kind| commands.contains(kind)), "{commands:?}");
}
