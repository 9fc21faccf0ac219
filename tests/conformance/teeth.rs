//! Would the replay notice? A run that is tampered with must not be explained, nor a true run by a model that lacks one of
//! its rules or that believes something else than the operator.

use bluegreen_core::plan::Selection;
use bluegreen_model::Guards;
use bluegreen_model::objects::Token;
use bluegreen_model::replay::{Event, Replay, Seen, Writer};
use bluegreen_model::request::Ask;
use bluegreen_model::steps::Step;

use crate::play::Life;

/// Changes a run; `false` if there is no place for that in it.
type Tamper = fn(&mut Vec<Seen>) -> bool;

/// A lie that need not be one everywhere: what an operator that has not seen the edit asks for may be the same.
pub const MAY_BE_TRUE: &str = "the operator knew of an edit before it was made";

/// Each lie, in words.
const LIES: [(&str, Tamper); 8] = [
    ("a stamp of the Service was not sent", |run| {
        asked(run, |asks| {
            let before = asks.len();
            asks.retain(|ask| !matches!(ask, Ask::StampService(_)));
            asks.len() < before
        })
    }),
    ("the Service was given to the other color", |run| {
        asked(run, |asks| {
            asks.iter_mut().any(|ask| match ask {
                Ask::PutService(service, _) => match &mut service.selects {
                    Selection::Color(color) => {
                        *color = color.other();
                        true
                    }
                    Selection::Nothing | Selection::Edited => false,
                },
                _ => false,
            })
        })
    }),
    ("a Deployment was edited under another token", |run| {
        asked(run, |asks| {
            asks.iter_mut().any(|ask| match ask {
                Ask::PutDeployment(.., token) => {
                    *token = Token { attempt: token.attempt + 1, ..*token };
                    true
                }
                _ => false,
            })
        })
    }),
    ("work was reported as done before it was", |run| {
        asked(run, |asks| {
            asks.iter_mut().any(|ask| match ask {
                Ask::Status(status, _) if !status.settled => {
                    status.settled = true;
                    true
                }
                _ => false,
            })
        })
    }),
    ("the selector moved by itself", |run| {
        run.iter_mut().any(|seen| match (&seen.event, &mut seen.after.service) {
            (Event::Changed(_, Writer::Other), Some(service)) => {
                service.selects = Selection::Edited;
                true
            }
            _ => false,
        })
    }),
    (MAY_BE_TRUE, |run| known_too_early(run)),
    ("a write went through although its object had changed", |run| {
        outdated(run, |writer| matches!(writer, Writer::Operator(_, ask) if !creates(*ask)))
    }),
    ("a late write went through although its object had changed", |run| {
        outdated(run, |writer| matches!(writer, Writer::Late(ask) if !creates(*ask)))
    }),
];

fn creates(ask: Ask) -> bool {
    matches!(ask, Ask::CreateService(_) | Ask::CreateDeployment(..) | Ask::Store(..) | Ask::Drop(..))
}

/// Changes what was asked for after the first look for which that is possible.
fn asked(run: &mut [Seen], change: impl Fn(&mut Vec<Ask>) -> bool) -> bool {
    run.iter_mut().any(|seen| match &mut seen.event {
        // Of the last look of a process, not all may have been sent.
        Event::Plan(_, look) if !look.last => change(&mut look.asks),
        _ => false,
    })
}

/// An edit and the look that saw it, the other way round.
fn known_too_early(run: &mut [Seen]) -> bool {
    let at = run.windows(3).position(|seen| match [&seen[0].event, &seen[1].event, &seen[2].event] {
        [Event::Changed(_, Writer::User), Event::Begin(_) | Event::Confirm(..), Event::Plan(_, look)] => {
            // Otherwise it may have had nothing to do with the edit.
            look.asks.iter().any(|ask| matches!(ask, Ask::Store(..) | Ask::Status(..)))
        }
        _ => false,
    });
    let Some(at) = at.filter(|at| *at > 0) else { return false };
    let before = run[at - 1].after;
    run[at..at + 3].rotate_left(1);
    (run[at].after, run[at + 1].after) = (before, before);
    true
}

/// Somebody writes the object just before.
fn outdated(run: &mut Vec<Seen>, by: impl Fn(&Writer) -> bool) -> bool {
    let at = run.iter().position(|seen| matches!(&seen.event, Event::Changed(_, writer) if by(writer)));
    let Some(at) = at.filter(|at| *at > 0) else { return false };
    let Event::Changed(object, _) = run[at].event else { return false };
    let (event, after) = (Event::Changed(object, Writer::Other), run[at - 1].after);
    run.insert(at, Seen { event, words: "somebody writes the object".to_owned(), after });
    true
}

/// A rule: its name, the steps that it allows, and what shows that it was needed.
type Rule = (&'static str, fn(&Step) -> bool, fn(&Event) -> bool);

const RULES: [Rule; 11] = [
    ("the user edits the spec", |step| matches!(step, Step::Edit(_)), always),
    ("pods turn ready", |step| matches!(step, Step::Ready(_)), always),
    ("a Deployment observes its generation", |step| matches!(step, Step::TakeNote(..)), always),
    ("a Deployment is complete", |step| matches!(step, Step::Roll(_)), always),
    ("a color's own slices follow its pods", |step| matches!(step, Step::ListPods(_)), always),
    ("the live slices follow the selector", |step| matches!(step, Step::MoveEndpoints), always),
    ("a drain passes", |step| matches!(step, Step::DrainPassed(..)), always),
    (
        "a request gets no answer",
        |step| matches!(step, Step::Timeout(..)),
        |event| matches!(event, Event::Unanswered(_, ask) if !matches!(ask, Ask::Drop(..))),
    ),
    (
        "a request commits late",
        |step| matches!(step, Step::LateCommit(_)),
        |event| matches!(event, Event::Changed(_, Writer::Late(ask)) if !matches!(ask, Ask::Drop(..))),
    ),
    ("a leader crashes", |step| matches!(step, Step::Crash(..)), |event| matches!(event, Event::Crash(_))),
    // Only where what changed while it was read tells in what was asked for.
    ("objects change while they are read", |step| matches!(step, Step::Refresh(..)), |_| false),
];

fn always(_: &Event) -> bool {
    true
}

/// What was tried, and whether it was noticed.
pub struct Tried {
    pub what: String,
    /// In so many lives there is surely something to notice.
    pub possible: usize,
    pub noticed: usize,
}

/// Tells lies about each life.
pub fn lies(lives: &[Life]) -> Vec<Tried> {
    let tried = LIES.iter().map(|(what, tamper)| {
        let told = |life: &Life| {
            let mut run = life.run.clone();
            tamper(&mut run).then_some(run)
        };
        Tried {
            what: (*what).to_owned(),
            possible: lives.iter().filter(|life| told(life).is_some()).count(),
            noticed: count(lives, |life| {
                told(life).is_some_and(|run| is_refused(life, &run, Guards::ALL, &|_| false))
            }),
        }
    });
    tried.collect()
}

/// Takes out each rule of the model.
pub fn rules(lives: &[Life]) -> Vec<Tried> {
    let tried = RULES.iter().map(|(what, rule, needed)| Tried {
        what: (*what).to_owned(),
        possible: lives.iter().filter(|life| life.run.iter().any(|seen| needed(&seen.event))).count(),
        noticed: count(lives, |life| is_refused(life, &life.run, Guards::ALL, rule)),
    });
    tried.collect()
}

/// Guards that make a difference in every switch. The others tell only now and then: two after a crash or an unanswered
/// request, two when a write is refused or comes between an edit and its observation. Where the endpoints have always
/// come before the Deployment's word, as on every cluster so far, the endpoint proof makes none.
const ALWAYS: [&str; 2] = ["live look before acting", "drain"];

/// Lets the model believe that a guard is not there, which the operator has. `all` tries those too of which nothing is
/// known beforehand, which takes most of the time and can't fail.
pub fn guards(lives: &[Life], all: bool) -> Vec<Tried> {
    let guards = Guards::each_removed();
    let tried = guards.into_iter().filter(|(_, _, bounds)| bounds.mishaps == 0 && bounds.takeovers == 0);
    let tried = tried.filter(|(what, ..)| all || ALWAYS.contains(what));
    let tried = tried.map(|(what, guards, _)| Tried {
        what: what.to_owned(),
        possible: if ALWAYS.contains(&what) { lives.len() } else { 0 },
        noticed: count(lives, |life| is_refused(life, &life.run, guards, &|_| false)),
    });
    tried.collect()
}

/// Of how many lives it is true, which each takes a while to tell.
fn count(lives: &[Life], is: impl Fn(&Life) -> bool + Sync) -> usize {
    std::thread::scope(|scope| {
        let is = &is;
        let threads: Vec<_> = lives.iter().map(|life| scope.spawn(move || is(life))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    })
}

fn is_refused(life: &Life, run: &[Seen], guards: Guards, without: &dyn Fn(&Step) -> bool) -> bool {
    Replay::new(life.bounds, guards, without).all(run).is_err()
}
