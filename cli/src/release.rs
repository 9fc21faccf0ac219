//! The commands that change an app: what a release is made of.

use std::time::{Duration, Instant};

use bluegreen_operator::api::{BlueGreenApp, Color};
use kube::ResourceExt;

use crate::args::{DeployArgs, DryRun, EditArgs, Format, Global, RollbackArgs, SwitchArgs};
use crate::change::{Changed, change};
use crate::cluster::Cluster;
use crate::commands::{await_goal, print};
use crate::edit::{self, Edit, Refusal};
use crate::exit::{End, Result};
use crate::gitedit;
use crate::goal::Goal;
use crate::line::{Line, Tone};
use crate::screen::Look;
use crate::wait::wait;

/// Between two attempts to take a switch back.
const PAUSE: Duration = Duration::from_secs(1);

/// How long taking back may take at least: the switch may have been given less.
const BACK: Duration = Duration::from_secs(60);

/// Puts a version onto a color.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn deploy(global: &Global, args: &DeployArgs) -> Result {
    let DeployArgs { name, tag, digest, color, edit } = args;
    let color = color.map(|color| color.0);
    apply(global, name, edit, |app| edit::deploy(app, color, tag.as_deref(), digest.as_deref())).await
}

/// Makes a color live, and takes that back if asked to when it does not come about.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn switch(global: &Global, args: &SwitchArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let color = args.color.map(|color| color.0);
    let decide = |app: &BlueGreenApp| edit::switch(app, color, args.tag.as_deref());
    let changed = send(global, &cluster, &args.name, &args.edit, decide).await?;
    let ended = settle(global, &cluster, &args.name, &args.edit, &changed).await;
    if !args.rollback_on_failure || matches!(ended, Ok(End::Reached)) {
        return ended;
    }
    let end = ended.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        End::Failed
    });
    // The exit code is that of the switch, whatever becomes of this.
    if let Err(failure) = take_back(global, &cluster, &args.name, &args.edit, &changed).await {
        eprintln!("error: the switch could not be taken back: {failure}");
    }
    Ok(end)
}

/// Goes back to the color that served before.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn rollback(global: &Global, args: &RollbackArgs) -> Result {
    apply(global, &args.name, &args.edit, |app| edit::rollback(app, args.tag.as_deref())).await
}

/// Sends an edit, shows it as one of the manifest, and waits for its effect if asked to.
async fn apply(
    global: &Global,
    name: &str,
    args: &EditArgs,
    decide: impl Fn(&BlueGreenApp) -> std::result::Result<Edit, Refusal>,
) -> Result {
    let cluster = Cluster::connect(global).await?;
    let changed = send(global, &cluster, name, args, decide).await?;
    settle(global, &cluster, name, args, &changed).await
}

/// Sends an edit, and shows it as one of the manifest.
async fn send(
    global: &Global,
    cluster: &Cluster,
    name: &str,
    args: &EditArgs,
    decide: impl Fn(&BlueGreenApp) -> std::result::Result<Edit, Refusal>,
) -> Result<Changed> {
    let dry_run = args.dry_run == Some(DryRun::Server);
    let changed = change(cluster, name, dry_run, decide).await?;
    print(global, args.output, |_| edit_lines(cluster, &changed, dry_run), &changed.after)?;
    Ok(changed)
}

/// Waits for the effect of an edit if asked to.
async fn settle(
    global: &Global,
    cluster: &Cluster,
    name: &str,
    args: &EditArgs,
    changed: &Changed,
) -> Result {
    if !args.wait {
        return Ok(End::Reached);
    }
    // What was edited is printed already; the result of the wait goes where people look.
    match args.output {
        Format::Text => {
            await_goal(cluster, global, name, changed.edit.goal, args.patience.timeout, Format::Text).await
        }
        Format::Json | Format::Yaml => wait_quietly(cluster, global, name, args, changed).await,
    }
}

/// Takes a switch back that did not come about, and waits until it can't come about any more: the operator reports that
/// only once no late write can commit. All of it on standard error, since the command has failed.
async fn take_back(
    global: &Global,
    cluster: &Cluster,
    name: &str,
    args: &EditArgs,
    changed: &Changed,
) -> Result<()> {
    let before = changed.before["active"].as_str().and_then(Color::parse);
    let (Goal::Active(to), Some(before), Some(_)) = (changed.edit.goal, before, &changed.edit.patch) else {
        // Nothing was edited.
        return Ok(());
    };
    let limit = args.patience.timeout.max(BACK);
    let start = Instant::now();
    let back = loop {
        match change(cluster, name, false, |app| Ok(edit::take_back(app, to, before))).await {
            Ok(back) => break back,
            Err(error) if start.elapsed() >= limit => return Err(error.into()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let look = Look::stderr(global.color);
    eprint!("{}", look.text(&edit_lines(cluster, &back, false)));
    let waited = wait(cluster, name, back.edit.goal, limit, global.color).await?;
    eprintln!("{name}: {}", waited.why);
    Ok(())
}

/// Waits; standard output belongs to the data that is there already.
async fn wait_quietly(
    cluster: &Cluster,
    global: &Global,
    name: &str,
    args: &EditArgs,
    changed: &Changed,
) -> Result {
    let waited = wait(cluster, name, changed.edit.goal, args.patience.timeout, global.color).await?;
    eprintln!("{}", waited.why);
    Ok(waited.end)
}

fn edit_lines(cluster: &Cluster, changed: &Changed, dry_run: bool) -> Vec<Line> {
    let Changed { edit, before, after } = changed;
    let name = format!("{}/{}", cluster.namespace, after.name_any());
    if edit.patch.is_none() {
        return vec![Line::plain(format!("{name}: {}; the spec says so already", edit.what))];
    }
    let done = if dry_run { " (dry run: nothing was changed)" } else { "" };
    let mut lines = vec![
        Line::new().add(format!("{name}: {}", edit.what), Tone::Strong).add(done, Tone::Busy),
        Line::new().add("the same edit in Git:", Tone::Dim),
    ];
    let after = serde_json::to_value(&after.spec).unwrap_or_default();
    lines.extend(gitedit::lines(before, &after));
    lines.extend(edit.note.iter().map(|note| Line::new().add(format!("note: {note}"), Tone::Busy)));
    lines
}
