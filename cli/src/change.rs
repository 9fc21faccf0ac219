//! Sends an edit of the spec, if the app is still as it was when the edit was decided.

use anyhow::{Context, bail};
use bluegreen_operator::api::BlueGreenApp;
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::edit::{Edit, Refusal};

/// Field manager of every edit.
pub const MANAGER: &str = "kubectl-bluegreen";

/// How often a decision is made anew because the app has changed meanwhile: the operator's reports change it too.
const TRIES: usize = 20;

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

/// Decides on the app as it is and sends the edit with its resourceVersion, so that it can't meet another app than the
/// one that it was decided for: a color that has become live, for one.
///
/// # Errors
/// When the edit would be a mistake, or the API server refuses it.
pub async fn change(
    cluster: &Cluster,
    name: &str,
    dry_run: bool,
    decide: impl Fn(&BlueGreenApp) -> Result<Edit, Refusal>,
) -> anyhow::Result<Changed> {
    let params = PatchParams {
        dry_run,
        field_manager: Some(MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    for _ in 0..TRIES {
        let app = cluster.app(name).await?;
        let before = serde_json::to_value(&app.spec)?;
        let edit = decide(&app)?;
        let Some(spec) = edit.patch.clone() else { return Ok(Changed { edit, before, after: app }) };
        let version = app.metadata.resource_version.clone();
        let body = json!({ "metadata": { "resourceVersion": version }, "spec": spec });
        match cluster.apps().patch(name, &params, &Patch::Merge(&body)).await {
            Ok(after) => return Ok(Changed { edit, before, after }),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(kube::Error::Api(status)) => bail!("{}", status.message),
            Err(other) => return Err(other).context("the edit was sent, but whether it arrived is unknown"),
        }
    }
    bail!("the app changes all the time; nothing was edited")
}
