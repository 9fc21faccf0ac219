//! A run on a real API server, as it is told to the replay.

use std::fmt;

use bluegreen_api::Color;

use super::Look;
use crate::objects::Object;
use crate::picture::Picture;
use crate::request::Ask;

/// Who wrote an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A controller that still waits for the answer.
    Operator(usize, Ask),
    /// A controller that does not wait any more.
    Late(Ask),
    /// Kubernetes' own controllers, or the operator where it changes nothing that the model knows.
    Other,
    /// The user edits the spec.
    User,
    /// Somebody edits or deletes a child.
    Stranger,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A controller begins to read.
    Begin(usize),
    /// It creates the first objects of the app on what its watches have told, without any read.
    Create(usize, Look),
    /// It begins to read by name, to confirm a switch to this color.
    Confirm(usize, Color),
    /// It reads an object that has changed since.
    Read(usize, Object),
    /// It has read everything, and decides.
    Plan(usize, Look),
    /// A request was refused.
    Refused(usize, Ask),
    /// A request was accepted, and everything was so already.
    Unchanged(usize, Ask),
    /// A controller got no answer.
    Unanswered(usize, Ask),
    /// A controller got no answer to a request that is outside of the model: with a color, to the deletion of that color's
    /// own Service.
    UnansweredOutside(usize, Option<Color>),
    /// A controller crashed and leads again.
    Crash(usize),
    /// An object was changed.
    Changed(Object, Writer),
}

/// What happened, in words too, and what everything looks like after it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What happened.
    pub event: Event,
    /// The same for people.
    pub words: String,
    /// After it.
    pub after: Picture,
}

/// Something happened that no rule of the model explains.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// What had happened before, the last few.
    pub before: Vec<String>,
    /// What happened.
    pub words: String,
    /// Why each explanation fails, the most common ones.
    pub reasons: Vec<String>,
    /// A state in which the model could have been before.
    pub state: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for words in &self.before {
            writeln!(f, "  {words}")?;
        }
        writeln!(f, "=> {}\nNo rule of the model leads there from\n  {}", self.words, self.state)?;
        for reason in &self.reasons {
            writeln!(f, "  - {reason}")?;
        }
        Ok(())
    }
}
