//! Every answer that a command can have, given to the operator's pass in the states that the model reaches.
//!
//! The exploration itself plays the answers that change the cluster. This walk gives the pass the others, too: reads that
//! fail, writes that are refused, unanswered or put off, reports that are not written. It asks for what must hold whatever
//! the answers are.

use std::collections::HashSet;
use std::time::Duration;

use bluegreen_core::apply::Outcome;
use bluegreen_core::pass::{Answer, Batch, Command, Depth, Memory, Pass};

use crate::objects::Objects;
use crate::observer::{Abstract, NOW, memory};
use crate::sample::looks;
use crate::world::Controller;
use crate::{Bounds, Guards, Idle};

/// So many answers of a pass are tried in every way; from then on each command has its first answer.
const TRIED: usize = 4;

/// A pass that is not over after so many commands never ends: it reads twelve times at most.
const ENDS: usize = 60;

/// States of the model, from both starts.
const STATES: usize = 3000;

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
    Whole { owners: bool },
    Confirmed,
    ReadFailed,
    Gone,
    Sent { outcome: usize },
    Reported { outcome: usize },
    Explained,
}

/// One way through a pass.
struct Walk<'a> {
    observer: &'a Abstract<'a>,
    memory: Memory,
    view: Objects,
    /// The answers, as indices; the first of each kind beyond them.
    path: Vec<usize>,
    /// How many answers each command of the path has.
    choices: Vec<usize>,
    seen: HashSet<&'static str>,
}

impl<'a> Walk<'a> {
    fn choose(&mut self, among: usize) -> usize {
        let chosen = self.path.get(self.choices.len()).copied().unwrap_or(0);
        self.choices.push(among);
        chosen
    }

    /// Goes the way, and checks every command.
    fn go(&mut self) {
        let mut memory = std::mem::take(&mut self.memory);
        let mut pass = Pass::new(self.observer, &mut memory);
        let mut command = pass.woke(self.view, NOW);
        let mut last = Last::Woke;
        // The last report of this pass was not written.
        let mut unreported = false;
        for _ in 0..ENDS {
            self.holds(last, &command, unreported);
            (command, last) = match command {
                Command::Wait(_) | Command::Forget | Command::Stop => return,
                Command::Read(reading) => {
                    let owners = match &reading.depth {
                        Depth::Whole { owners } => Some(*owners),
                        Depth::Confirm { .. } => None,
                    };
                    let found = Answer::Found { snapshot: self.view, began: NOW.uptime };
                    let (answer, last) = match (self.choose(4), owners) {
                        (0, Some(owners)) => (found, Last::Whole { owners }),
                        (0, None) => (found, Last::Confirmed),
                        (1, _) => (Answer::Failed, Last::ReadFailed),
                        (2, _) => (Answer::Unclear, Last::ReadFailed),
                        _ => (Answer::Gone, Last::Gone),
                    };
                    (pass.read(reading, answer, NOW), last)
                }
                Command::Send(sending) => {
                    let all = outcomes();
                    let outcome = self.choose(all.len());
                    let mut answers = vec![Outcome::Done; sending.actions().len()];
                    answers[0] = all[outcome].clone();
                    (pass.sent(sending, &answers, None, NOW), Last::Sent { outcome })
                }
                Command::Report(reporting) => {
                    let all = outcomes();
                    let outcome = self.choose(all.len());
                    unreported = outcome != 0;
                    (pass.reported(reporting, all[outcome].clone(), None, NOW), Last::Reported { outcome })
                }
                Command::Explain(explaining) => {
                    self.choose(1);
                    (pass.explained(explaining, &[], NOW), Last::Explained)
                }
            };
        }
        panic!("a pass that does not end: {:?}", self.path);
    }

    fn holds(&mut self, last: Last, command: &Command<Abstract<'a>>, unreported: bool) {
        let Self { path, .. } = self;
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
            assert!(!unreported, "a switch although a report was not written: {path:?}");
        }
        match last {
            Last::Woke | Last::ReadFailed => assert!(!sends, "{kind} after {last:?}: {path:?}"),
            Last::Gone => assert!(matches!(command, Command::Forget), "{kind}: {path:?}"),
            // A write of unknown result may still be carried out: nothing follows that rests on what was read.
            Last::Sent { outcome: 5 } => assert_eq!(kind, "read", "{path:?}"),
            Last::Sent { outcome: 7 } | Last::Reported { outcome: 7 } => assert_eq!(kind, "stop", "{path:?}"),
            // Not carried out: that is told, and the pass ends.
            Last::Sent { outcome: 3 | 4 } => assert!(!sends && kind != "read", "{kind}: {path:?}"),
            Last::Sent { outcome: 1 | 2 | 6 } => assert!(!sends, "{kind}: {path:?}"),
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

#[test]
fn every_answer_in_every_state_leads_to_a_command_that_is_allowed() {
    let bounds =
        Bounds { edits: 2, faults: 1, takeovers: 1, mishaps: 1, idle: Idle::Reduced, ..Bounds::default() };
    let (mut ways, mut commands) = (0_u64, HashSet::new());
    let mut states: Vec<(Controller, Objects)> = Vec::new();
    looks(&bounds, 120, STATES / 2, |controller| states.push((*controller, controller.view)));
    for (controller, view) in &states {
        let observer = Abstract::new(controller, &bounds, &Guards::ALL);
        // All answers to the first commands, counted up like the digits of a number.
        let mut path = Vec::new();
        loop {
            let mut walk = Walk {
                observer: &observer,
                memory: memory(controller),
                view: *view,
                path: path.clone(),
                choices: Vec::new(),
                seen: HashSet::new(),
            };
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
