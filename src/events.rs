//! OUT: publishes Events. They are for people: a lost one is logged and nothing waits for it.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt};

use crate::hidden::Hidden;
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Difference, names};
use bluegreen_core::harmless::harmless;
use bluegreen_core::status::{Note, Reverted, Verb, edit_reverted, pods_mutated};
use bluegreen_core::text::cut;

use crate::telemetry::brief;

/// The longest `note` that the API server takes, in bytes (`ValidateEventCreate` in pkg/apis/core/validation/events.go).
const NOTE: usize = 1024;

/// The longest `action`, in bytes.
const ACTION: usize = 128;

/// Publishes Events about apps.
#[derive(Clone)]
pub struct Publisher {
    recorder: Recorder,
}

impl Publisher {
    /// `instance` is this process, so that two replicas' Events can be told apart.
    pub fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter { controller: "bluegreen-operator".to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Publishes an Event in the background.
    pub fn publish(&self, app: &BlueGreenApp, note: Note) {
        self.publish_on(app.object_ref(&()), note);
    }

    fn publish_on(&self, reference: ObjectReference, note: Note) {
        let (event, recorder) = (event(note), self.recorder.clone());
        tokio::spawn(async move {
            let reason = &event.reason;
            match recorder.publish(&event, &reference).await {
                Ok(()) => {}
                Err(error @ kube::Error::Api(_)) => {
                    tracing::warn!(error = brief(&error), reason, "an Event was refused");
                }
                Err(error) => tracing::debug!(error = brief(&error), reason, "an Event was not published"),
            }
        });
    }

    /// Tells that the target of a switch was rendered anew with the switch.
    pub fn tested_pods_replaced(&self, app: &BlueGreenApp, note: String) {
        self.publish(app, Note { warning: true, reason: "TestedPodsReplaced", action: Verb::Prepare, note });
    }

    /// Tells that the status is older than what the operator has seen.
    pub fn status_not_written(&self, app: &BlueGreenApp, note: String) {
        self.publish(app, Note { warning: true, reason: "StatusNotWritten", action: Verb::Reconcile, note });
    }

    /// Tells that the app's objects can't be read, so nobody can say how the app is.
    pub fn objects_not_read(&self, app: &BlueGreenApp, why: &str) {
        let note = format!(
            "The operator can't read the app's objects. Until it can, the status may be old, and a switch may have to wait. The API server says: {}",
            harmless(why, NOTE / 2)
        );
        self.publish(app, Note { warning: true, reason: "ObjectsNotRead", action: Verb::Reconcile, note });
    }

    /// Tells that an object can't be decoded, and so it is as if it did not exist.
    pub fn unreadable(&self, hidden: Hidden) {
        let Hidden { object, why } = hidden;
        let note = format!(
            "bluegreen-operator can't read this {}, so it is left alone: {}. Undo the edit that wrote this value",
            object.kind.as_deref().unwrap_or("object"),
            harmless(&why, NOTE / 2)
        );
        self.publish_on(object, Note { warning: true, reason: "Unreadable", action: Verb::Reconcile, note });
    }

    /// Tells that somebody's edit of an object of the app was put back.
    pub fn edit_reverted(&self, app: &BlueGreenApp, reverted: &Reverted) {
        let note = edit_reverted(&app.name_any(), reverted);
        self.publish(app, Note { warning: true, reason: "EditReverted", action: Verb::Restore, note });
    }

    /// Tells that an admission plug-in changed the pods of a Deployment that was written for another reason.
    pub fn pods_mutated(&self, app: &BlueGreenApp, color: Color, difference: &Difference) {
        let note = pods_mutated(&names::deployment_name(&app.name_any(), color), difference);
        self.publish(app, Note { warning: true, reason: "PodsMutated", action: Verb::Observe, note });
    }

    /// Tells that the live Service, which somebody edited or deleted, was put back.
    pub fn selector_restored(&self, app: &BlueGreenApp, to: Color) {
        let name = app.name_any();
        let note = format!("Service {name} was edited or deleted by somebody else; it selects {to} again");
        self.publish(app, Note { warning: true, reason: "SelectorRestored", action: Verb::Restore, note });
    }
}

/// The Event as it is sent.
///
/// kube's Recorder counts an Event whose type, reason, action and objects are those of an earlier one instead of publishing
/// it, and leaves the earlier note. So that "from blue to green" and "from green to blue" both appear, the action ends in
/// a hash of the note.
fn event(note: Note) -> Event {
    let mut hash = DefaultHasher::new();
    note.note.hash(&mut hash);
    Event {
        type_: if note.warning { EventType::Warning } else { EventType::Normal },
        reason: note.reason.to_owned(),
        action: cut(format!("{:?}-{:08x}", note.action, hash.finish() & 0xffff_ffff), ACTION),
        note: Some(cut(note.note, NOTE)),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(action: Verb, note: &str) -> Note {
        Note { warning: false, reason: "Switched", action, note: note.to_owned() }
    }

    /// The API server answers 422 to a longer one, and the Event that explains a stall never appears.
    #[test]
    fn a_long_note_is_cut_to_the_bytes_that_the_api_server_takes() {
        for letter in ["x", "é", "…", "🟦"] {
            for length in [1, 300, 1021, 1022, 1023, 1024, 1025, 1595] {
                let text = letter.repeat(length);
                let event = event(note(Verb::Switch, &text));
                let sent = event.note.unwrap();
                assert!(sent.len() <= NOTE && event.action.len() <= ACTION, "{letter} {length}");
                if text.len() <= NOTE {
                    assert_eq!(sent, text);
                } else {
                    assert!(
                        sent.len() > NOTE - 8 && sent.ends_with('…'),
                        "{letter} {length}: {}",
                        sent.len()
                    );
                    assert!(text.starts_with(sent.trim_end_matches('…')));
                }
            }
        }
    }

    #[test]
    fn a_switch_there_and_a_switch_back_are_two_events_and_the_same_one_twice_is_counted() {
        let action = |text| event(note(Verb::Switch, text)).action;
        let there = action("Switched from blue to green");
        assert_ne!(there, action("Switched from green to blue"));
        assert_eq!(there, action("Switched from blue to green"));
        assert!(there.starts_with("Switch-"), "{there}");
    }
}
