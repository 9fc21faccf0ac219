//! The Service `NAME-preview`, which selects the idle color.
//!
//! Nothing depends on it. It follows a switch, so it is planned after it, and not while one is about to be recorded.

use super::rules::gate;
use super::{Action, Child, Intent, Live, Observed};

/// Returns the action that brings the preview to the idle color, or removes it.
pub(super) fn preview(intent: &Intent, seen: &Observed, live: Live) -> Option<Action> {
    if !intent.preview {
        return seen.preview.ours().map(|_| Action::RemovePreview);
    }
    let switches = live != Live::Selected(intent.active) && gate(intent, seen, intent.active).is_ok();
    // Until a color is live, it is the one that is not to be.
    let idle = live.color().unwrap_or(intent.active).other();
    let is_right = match seen.preview {
        Child::Absent => false,
        Child::Ours(selects) => selects == Some(idle),
        Child::Collecting | Child::Foreign => true,
    };
    (!is_right && !switches).then_some(Action::ApplyPreview(idle))
}
