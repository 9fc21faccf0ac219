//! Edits of somebody else that a write was about to take back when it met a conflict.
//!
//! To take back what was added, the operator owns it first, which ends as a conflict; from then on nothing tells any more who
//! it was. On a busy cluster more conflicts follow, one for each status that the Deployment controller writes, and the write
//! gets through only passes later.

use super::observer::Reverted;
use crate::plan::Action;

/// The edits, each with the action that takes it back and the app's generation that asked for the action.
#[derive(Debug, Default)]
pub struct Overtaken(Vec<(Action, i64, Reverted)>);

impl Overtaken {
    /// Notes that this action, which takes back that edit, met a conflict. What was noted first stays: it knows who it was.
    pub fn note(&mut self, action: &Action, generation: i64, edit: Reverted) {
        self.0.retain(|(_, of, _)| *of == generation);
        if !self.0.iter().any(|(of, ..)| of == action) {
            self.0.push((action.clone(), generation, edit));
        }
    }

    /// Takes the edit that this action has taken back now that it is carried out.
    pub fn take(&mut self, action: &Action, generation: i64) -> Option<Reverted> {
        let position = self.0.iter().position(|(of, when, _)| of == action && *when == generation)?;
        Some(self.0.swap_remove(position).2)
    }

    /// Notes that nothing is to be done any more: whoever made the edits has taken them back.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
