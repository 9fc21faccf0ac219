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

#[cfg(test)]
mod tests {
    use super::*;

    const ACTION: Action = Action::UpdateService;

    fn edit(object: &str) -> Reverted {
        Reverted { object: object.to_owned(), color: None, deviation: None, later: false }
    }

    #[test]
    fn what_was_noted_first_is_taken_once() {
        let mut overtaken = Overtaken::default();
        overtaken.note(&ACTION, 1, edit("first"));
        overtaken.note(&ACTION, 1, edit("second"));
        assert_eq!(overtaken.take(&Action::CreateService, 1), None, "another action");
        assert_eq!(overtaken.take(&ACTION, 1), Some(edit("first")));
        assert_eq!(overtaken.take(&ACTION, 1), None);
    }

    /// Equal actions of another generation write something else, so what they take back may be an edit of the app.
    #[test]
    fn an_edit_belongs_to_one_generation() {
        let mut overtaken = Overtaken::default();
        overtaken.note(&ACTION, 1, edit("of the first"));
        assert_eq!(overtaken.take(&ACTION, 2), None);
        overtaken.note(&ACTION, 2, edit("of the second"));
        assert_eq!(overtaken.take(&ACTION, 1), None, "it is kept no longer");
        assert_eq!(overtaken.take(&ACTION, 2), Some(edit("of the second")));
    }
}
