//! OUT: publishes Events. They are for people: a lost one is logged and nothing waits for it.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::api::{BlueGreenApp, Color};
use crate::plan::Action;
use crate::status::Note;

/// Longest `action` that the API server takes.
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

    /// Publishes in the background.
    pub fn publish(&self, app: &BlueGreenApp, note: Note) {
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason.to_owned(),
            // The recorder counts equal actions instead of publishing them again: "from blue to green" and "from
            // green to blue" must not be equal.
            action: note.note.chars().take(ACTION).collect(),
            note: Some(note.note),
            secondary: None,
        };
        let (recorder, reference) = (self.recorder.clone(), app.object_ref(&()));
        tokio::spawn(async move {
            if let Err(error) = recorder.publish(&event, &reference).await {
                tracing::debug!(%error, reason = event.reason, "an Event was not published");
            }
        });
    }

    /// Somebody undoes these steps again and again.
    pub fn contested(&self, app: &BlueGreenApp, actions: &[Action]) {
        let what: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
        let note = format!("something undoes what the operator does, again and again: {}", what.join(", "));
        self.publish(app, Note { warning: true, reason: "Contested", note });
    }

    /// Somebody edited or deleted the live Service, and it was put back.
    pub fn selector_restored(&self, app: &BlueGreenApp, to: Color) {
        let note = format!("the Service was edited or deleted by someone else; it selects {to} again");
        self.publish(app, Note { warning: true, reason: "SelectorRestored", note });
    }
}
