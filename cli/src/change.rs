//! Sends an edit of the spec, if the app is still as it was when the edit was decided.

use std::time::{Duration, Instant};

use anyhow::bail;
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_client::careful::Careful;
use bluegreen_view::managed;
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use crate::cluster::{Cluster, RequestError};
use crate::edit::{self, Edit, Refusal};
use crate::gitedit::patched;
use crate::goal::Goal;
use crate::output::say;

/// Field manager of every edit.
pub const MANAGER: &str = "kubectl-bluegreen";

/// How often an edit is decided again because the app was changed meanwhile; the operator's status updates change it too.
const TRIES: usize = 20;

/// How long to find out whether an edit arrived whose answer was lost. The API server gives up a request after this time
/// (its flag `--request-timeout`), so an edit that has not arrived by then does not arrive any more.
const ANSWER: Duration = Duration::from_secs(60);

/// Pause between two such attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Taking a switch back gets at least this long, even if `--timeout` is shorter.
pub const BACK: Duration = Duration::from_secs(60);

/// An edit that the API server took.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The edit.
    pub edit: Edit,
    /// `spec` before.
    pub before: Value,
    /// The app after it; in a dry run, as it would be.
    pub after: BlueGreenApp,
}

impl Changed {
    /// What to know of an app that a GitOps tool applies, if it was edited.
    pub fn warning(&self) -> Option<String> {
        self.edit.patch.as_ref().and_then(|_| managed::warning(&self.after))
    }
}

/// The API server did not answer, so it is unknown whether the edit was stored.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the connection was lost while the edit was sent, and it is unknown whether the edit was stored: {why}"
)]
pub struct Lost {
    /// The edit, with the app as it was before.
    pub changed: Box<Changed>,
    /// The error of the last attempt.
    pub why: String,
}

/// What became of one attempt to send an edit.
enum Sent {
    Done(Box<BlueGreenApp>),
    Conflict,
    Refused(String),
    /// It may have been stored, or may still be.
    Unknown(String),
}

/// Decides on the app as it is and sends the edit with its resourceVersion, so that it can't change another app than the
/// one that it was decided for: a color that has become live, for example.
///
/// # Errors
/// When the edit would be a mistake, the API server refuses it, or its result stays unknown ([`Lost`]).
pub async fn change(
    cluster: &Cluster,
    name: &str,
    dry_run: bool,
    decide: impl Fn(&BlueGreenApp) -> Result<Edit, Refusal>,
) -> anyhow::Result<Changed> {
    for _ in 0..TRIES {
        let app = cluster.app(name).await?;
        let before = serde_json::to_value(&app.spec)?;
        let edit = decide(&app)?;
        let Some(patch) = edit.patch.clone() else { return Ok(Changed { edit, before, after: app }) };
        match send(cluster, &app, &patch, dry_run).await {
            Sent::Done(after) => return Ok(Changed { edit, before, after: *after }),
            Sent::Conflict => {}
            Sent::Refused(message) => bail!("{message}"),
            Sent::Unknown(why) if dry_run => bail!("can't reach the cluster: {why}"),
            Sent::Unknown(why) => {
                let lost = Lost { changed: Box::new(Changed { edit, before, after: app }), why };
                return find_out(cluster, name, &patch, lost).await;
            }
        }
    }
    bail!("conflict: the app was modified {TRIES} times while it was edited; nothing was changed, try again")
}

async fn send(cluster: &Cluster, app: &BlueGreenApp, patch: &Value, dry_run: bool) -> Sent {
    let params = PatchParams {
        dry_run,
        field_manager: Some(MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let version = &app.metadata.resource_version;
    let body = json!({ "metadata": { "resourceVersion": version }, "spec": patch });
    match cluster.apps().patch(name, &params, &Patch::Merge(&body)).await {
        Ok(Careful(Ok(after))) => Sent::Done(Box::new(after)),
        Ok(Careful(Err(unreadable))) => Sent::Unknown(unreadable.to_string()),
        Err(kube::Error::Api(status)) if status.code == 409 => Sent::Conflict,
        Err(kube::Error::Api(status)) if status.code < 500 => Sent::Refused(status.message.clone()),
        Err(kube::Error::Api(status)) => Sent::Unknown(status.message.clone()),
        Err(other) => Sent::Unknown(format!("{:#}", anyhow::Error::from(other))),
    }
}

/// Finds out whether an edit was stored whose answer was lost. If the spec is still as before, the same edit is sent again,
/// with the resourceVersion of now: once that has an answer, the first one can't take effect any more. It is not decided
/// anew: a rollback that has arrived would then be rolled back.
async fn find_out(cluster: &Cluster, name: &str, patch: &Value, mut lost: Lost) -> anyhow::Result<Changed> {
    say(format!("no clear answer to the edit ({}); checking whether it was stored", lost.why));
    let start = Instant::now();
    let nothing = json!({});
    loop {
        match cluster.read(name).await {
            Ok(app) => {
                let spec = serde_json::to_value(&app.spec)?;
                if patched(&spec, patch) == patched(&spec, &nothing) {
                    return Ok(Changed { after: app, ..*lost.changed });
                }
                if spec != lost.changed.before {
                    bail!(
                        "conflict: the app was modified while it was edited, and the edit was not stored; try again"
                    );
                }
                match send(cluster, &app, patch, false).await {
                    Sent::Done(after) => return Ok(Changed { after: *after, ..*lost.changed }),
                    // The next read tells more. A refusal is no answer to the first edit, which may still be stored.
                    Sent::Conflict => {}
                    Sent::Refused(why) | Sent::Unknown(why) => lost.why = why,
                }
            }
            Err(RequestError::Passing(why)) => lost.why = why,
            Err(RequestError::Final(error)) => lost.why = error.to_string(),
        }
        if start.elapsed() >= ANSWER {
            return Err(lost.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes back the edit of a switch; none if it changed nothing. It tries for as long as `limit`, since the cluster may be what failed.
///
/// # Errors
/// When the API server does not take it.
pub async fn ask_back(
    cluster: &Cluster,
    name: &str,
    changed: &Changed,
    limit: Duration,
) -> anyhow::Result<Option<Changed>> {
    let before = changed.before["active"].as_str().and_then(Color::parse);
    let (Goal::Active(to), Some(before), Some(_)) = (changed.edit.goal, before, &changed.edit.patch) else {
        // Nothing was edited.
        return Ok(None);
    };
    let start = Instant::now();
    loop {
        match change(cluster, name, false, |app| Ok(edit::take_back(app, to, before))).await {
            Ok(back) => return Ok(Some(back)),
            Err(error) if start.elapsed() >= limit => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
