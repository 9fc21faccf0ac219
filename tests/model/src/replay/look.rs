//! What a controller asked for, and what the model would ask for.

use crate::objects::Object;
use crate::request::{Ask, Request, Why};
use crate::story;
use crate::world::Controller;

/// What a controller asked for after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// As far as the model knows such requests.
    pub asks: Vec<Ask>,
    /// It also looked at the owners of the pods, without which no switch is sent.
    pub proved: bool,
    /// It asked for something that is outside of the model: the color's own Services.
    pub outside: bool,
    /// The process ended soon after: not all may have been sent.
    pub last: bool,
    /// It took so long that it may have been given up: then nothing is sent.
    pub slow: bool,
}

/// Two requests do the same, whatever for.
pub(super) fn same(one: Ask, other: Ask) -> bool {
    match (one, other) {
        (Ask::PutService(one, _), Ask::PutService(other, _)) => one == other,
        (Ask::Status(one, _), Ask::Status(other, _)) => one == other,
        (one, other) => one == other,
    }
}

pub(super) fn queued(controller: &Controller, ask: &Ask) -> Result<usize, String> {
    let is_this = |request: &Option<Request>| request.is_some_and(|request| same(request.ask, *ask));
    let found = controller.queue.iter().position(is_this);
    found.ok_or_else(|| format!("no such request is under way: {}", words(*ask)))
}

pub(super) fn holds(all: &[Ask], ask: &Ask) -> bool {
    all.iter().any(|other| same(*other, *ask))
}

/// Is what was asked for what the model asks for?
pub(super) fn asked_for(queue: &[Ask], look: &Look) -> bool {
    // A revision that nothing needs is outside of the model; one of a color that is removed is deleted only after
    // the one before it was.
    let is_drop = |ask: &Ask| matches!(ask, Ask::Drop(..));
    let expected = look.asks.iter().all(|ask| is_drop(ask) || holds(queue, ask));
    let complete = queue.iter().all(|ask| is_drop(ask) || holds(&look.asks, ask));
    // To switch, it looks again, with the owners of the pods.
    let looks_again = !look.proved && matches!(queue, [Ask::PutService(_, Why::Switch)]);
    let is_report = matches!(queue, [Ask::Status(..)]);
    let drops_alone = !look.asks.is_empty() && look.asks.iter().all(is_drop) && !queue.iter().any(is_drop);
    let nothing = look.asks.is_empty() && (look.slow || looks_again || (look.outside && is_report));
    expected && (complete || look.last || nothing || (drops_alone && is_report))
}

pub(super) fn difference(queue: &[Ask], look: &Look) -> String {
    let list = |asks: &[Ask]| {
        let all: Vec<_> = asks.iter().map(|ask| format!("{} ({ask:?})", words(*ask))).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    };
    format!("the model would ask for {}\n    and the operator asked for {}", list(queue), list(&look.asks))
}

/// In words.
#[must_use]
pub fn words(ask: Ask) -> String {
    story::request(Request { ask, valid: true })
}

/// The object that a request is about.
#[must_use]
pub fn object(ask: Ask) -> Object {
    ask.object()
}
