//! What the buttons do: the same decisions, refusals and plans as the commands of the same names.

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_view::managed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::{Changed, change};
use crate::cluster::Cluster;
use crate::edit::{self, Edit, Refusal};
use crate::gitedit::{self, patched};
use crate::goal::Goal;
use crate::line::Line;
use crate::output::say;
use crate::plan::{self, Foreseen, Start};

/// What a button asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// `kubectl bluegreen switch`.
    Switch {
        /// `--to`.
        to: Option<Color>,
    },
    /// `kubectl bluegreen rollback`.
    Rollback,
    /// `kubectl bluegreen deploy`.
    Deploy {
        /// `--to`.
        to: Option<Color>,
        /// `--tag`.
        tag: Option<String>,
        /// `--digest`.
        digest: Option<String>,
    },
    /// `kubectl bluegreen pause`.
    Pause,
    /// `kubectl bluegreen resume`.
    Resume,
}

/// A request of the page.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// The generation of the spec that the plan was shown for: an edit counts for no other one.
    pub generation: Option<i64>,
}

/// What a button would do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// The edit; none if it is refused.
    pub edit: Option<Told>,
    /// Why it would be a mistake.
    pub refused: Option<String>,
    /// What the operator would do.
    pub foreseen: Option<Foreseen>,
    /// Why that can't be told.
    pub unforeseen: Option<String>,
    /// What to know of an app that a GitOps tool applies.
    pub warning: Option<String>,
    /// The generation of the spec that all of this is about.
    pub generation: Option<i64>,
}

/// An edit, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// What it does.
    pub what: String,
    /// What to know before it takes effect.
    pub note: Option<String>,
    /// The lines of the manifest that differ; empty if the spec already says so.
    pub lines: Vec<String>,
}

impl Action {
    /// The edit of the command of the same name.
    ///
    /// # Errors
    /// When it would be a mistake.
    pub fn decide(&self, app: &BlueGreenApp) -> Result<Edit, Refusal> {
        match self {
            Self::Switch { to } => edit::switch(app, *to, None),
            Self::Rollback => edit::rollback(app, None, None),
            Self::Deploy { to, tag, digest } => {
                let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
                let (tag, digest) = (given(tag), given(digest));
                if tag.is_none() && digest.is_none() {
                    return Err(Refusal("give a tag or a digest to deploy".to_owned()));
                }
                edit::deploy(app, *to, tag.as_deref(), digest.as_deref())
            }
            Self::Pause => Ok(edit::pause(app, true)),
            Self::Resume => Ok(edit::pause(app, false)),
        }
    }
}

/// The color that a button offers to roll back to: only where the command of that name would do it.
pub fn goes_back(app: &BlueGreenApp) -> Option<Color> {
    match Action::Rollback.decide(app) {
        Ok(Edit { patch: Some(_), goal: Goal::Active(color), .. }) => Some(color),
        Ok(_) | Err(_) => None,
    }
}

/// What the button would do now. Nothing is changed.
///
/// # Errors
/// When the app can't be read.
pub async fn outlook(cluster: &Cluster, name: &str, action: &Action) -> anyhow::Result<Outlook> {
    // Whoever may read the app and no more still learns what the edit is.
    let (app, start) = match plan::read(cluster, name).await {
        Ok(Start::Seen(seen)) => (BlueGreenApp::clone(&seen.app), Ok(Start::Seen(seen))),
        Ok(start) => (cluster.app(name).await?, Ok(start)),
        Err(why) => (cluster.app(name).await?, Err(format!("the plan can't be shown: {why:#}"))),
    };
    let (generation, warning) = (app.metadata.generation, managed::warning(&app));
    let nothing =
        Outlook { edit: None, refused: None, foreseen: None, unforeseen: None, warning, generation };
    let edit = match action.decide(&app) {
        Ok(edit) => edit,
        Err(refusal) => return Ok(Outlook { refused: Some(refusal.0), ..nothing }),
    };
    let before = serde_json::to_value(&app.spec)?;
    let wanted = match &edit.patch {
        Some(patch) => BlueGreenApp { spec: serde_json::from_value(patched(&before, patch))?, ..app },
        None => app,
    };
    let lines = differences(&before, &wanted)?;
    let foreseen = start.and_then(|start| plan::foresee(start, wanted, Timestamp::now()));
    let (foreseen, unforeseen) = match foreseen {
        Ok(foreseen) => (Some(foreseen), None),
        Err(why) => (None, Some(why)),
    };
    let edit = Told { what: edit.what, note: edit.note, lines };
    Ok(Outlook { edit: Some(edit), foreseen, unforeseen, ..nothing })
}

/// Sends the edit, if the spec is still the one that the plan was shown for.
///
/// # Errors
/// When the edit would be a mistake, the spec was edited meanwhile, or the API server refuses it.
pub async fn carry_out(cluster: Cluster, name: String, request: Request) -> anyhow::Result<Told> {
    let Request { action, generation } = request;
    let decide = |app: &BlueGreenApp| match generation {
        Some(_) if app.metadata.generation != generation => {
            Err(Refusal("the app was edited since this plan was made; look at the new plan".to_owned()))
        }
        Some(_) => action.decide(app),
        None => Err(Refusal("the edit does not say which generation it is for".to_owned())),
    };
    let changed = change(&cluster, &name, false, decide).await;
    let place = format!("{}/{name}", cluster.namespace);
    match &changed {
        Ok(Changed { edit, .. }) if edit.patch.is_some() => say(format!("{place}: {}", edit.what)),
        Ok(Changed { edit, .. }) => say(format!("{place}: {} (no change)", edit.what)),
        Err(why) => say(format!("{place}: refused: {why:#}")),
    }
    let Changed { edit, before, after } = changed?;
    Ok(Told { what: edit.what, note: edit.note, lines: differences(&before, &after)? })
}

/// The lines of the manifest that differ; none if none do.
fn differences(before: &serde_json::Value, after: &BlueGreenApp) -> anyhow::Result<Vec<String>> {
    let after = serde_json::to_value(&after.spec)?;
    if *before == after {
        return Ok(Vec::new());
    }
    let text = |line: &Line| line.render(usize::MAX, false);
    Ok(gitedit::lines(before, &after).iter().map(text).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn app() -> BlueGreenApp {
        serde_json::from_value(json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": "hello", "generation": 4},
            "spec": {"active": "blue", "image": "hello", "blue": {"tag": "1"}, "green": {"tag": "2"}, "replicas": 1,
                "port": 80},
            "status": {"observedGeneration": 4, "active": "blue", "history": [{"from": "green", "to": "blue",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z"}],
                "green": {"image": "hello:2", "revision": 1, "servedRevision": 1}},
        }))
        .unwrap()
    }

    fn action(action: Value) -> Action {
        serde_json::from_value(action).unwrap()
    }

    #[test]
    fn a_button_makes_the_edit_of_its_command() {
        for (asked, expected) in [
            (json!({"kind": "switch", "to": "green"}), edit::switch(&app(), Some(Color::Green), None)),
            (json!({"kind": "switch"}), edit::switch(&app(), None, None)),
            (json!({"kind": "rollback"}), edit::rollback(&app(), None, None)),
            (json!({"kind": "deploy", "tag": "3"}), edit::deploy(&app(), None, Some("3"), None)),
            (
                json!({"kind": "deploy", "tag": "3", "digest": "", "to": "blue"}),
                edit::deploy(&app(), Some(Color::Blue), Some("3"), None),
            ),
            (json!({"kind": "pause"}), Ok(edit::pause(&app(), true))),
            (json!({"kind": "resume"}), Ok(edit::pause(&app(), false))),
        ] {
            assert_eq!(action(asked.clone()).decide(&app()), expected, "{asked}");
        }
        assert!(action(json!({"kind": "deploy", "tag": ""})).decide(&app()).is_err());
        assert_eq!(edit::pause(&app(), true).patch, Some(json!({"paused": true})));
        assert_eq!(edit::pause(&app(), false).patch, None);
    }

    /// Where the command would refuse it, or do nothing, there is no button: a check has refused the other color, it was given another
    /// version since, it is gone, or none was live before.
    #[test]
    fn a_way_back_is_offered_only_where_the_command_goes_it() {
        let with = |pointer: &str, value: Value| {
            let mut app = json!(app());
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            app.pointer_mut(parent).unwrap()[key] = value;
            app
        };
        let offered = |app: Value| goes_back(&serde_json::from_value(app).unwrap());
        assert_eq!(offered(json!(app())), Some(Color::Green));
        let mut switching = with("/spec/active", json!("green"));
        assert_eq!(offered(switching.clone()), Some(Color::Blue), "to call the switch off");
        let rejected = json!({"color": "green", "revision": 1, "block": "x", "checks": "y", "check": "smoke",
            "when": "Before", "result": "Failed", "at": "2026-01-01T00:00:00Z"});
        switching["status"]["rejected"] = rejected;
        assert_eq!(offered(switching), None);
        assert_eq!(offered(with("/spec/green", json!({"tag": "3"}))), None);
        assert_eq!(offered(with("/spec/green", Value::Null)), None);
        assert_eq!(offered(with("/status/green/revision", json!(2))), None);
        assert_eq!(offered(with("/status/history", json!([]))), None);
    }

    #[test]
    fn what_nobody_asked_for_in_these_words_is_not_understood() {
        for odd in [
            json!({"kind": "delete"}),
            json!({"kind": "switch", "to": "red"}),
            json!({"kind": "switch", "force": true}),
        ] {
            assert!(serde_json::from_value::<Action>(odd.clone()).is_err(), "{odd}");
        }
    }
}
