//! The commands that edit an app: deploy, switch and roll back.

use bluegreen_api::BlueGreenApp;
use kube::ResourceExt;

use crate::args::{DeployArgs, DryRun, EditArgs, Format, Global, PauseArgs, RollbackArgs, SwitchArgs};
use crate::change::{BACK, Changed, Lost, ask_back, change};
use crate::cluster::Cluster;
use crate::edit::{self, Edit, Refusal};
use crate::exit::{End, Failure, Result};
use crate::file_release;
use crate::gitedit;
use crate::group_release;
use crate::line::{Line, Tone};
use crate::output::{print, say, say_lines, shown};
use crate::wait::{await_goal, wait};

/// Deploys a version to a color.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn deploy(global: &Global, args: &DeployArgs) -> Result {
    if let Some(path) = &args.from.file {
        return file_release::deploy(global, args, path).await;
    }
    let DeployArgs { name, tag, digest, color, edit, from: _ } = args;
    let (name, color) = (named(name.as_deref(), edit)?, color.map(|color| color.0));
    apply(global, name, edit, |app| edit::deploy(app, color, tag.as_deref(), digest.as_deref())).await
}

/// Switches to a color and, with `--rollback-on-failure`, takes the switch back if it fails.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn switch(global: &Global, args: &SwitchArgs) -> Result {
    if let Some(path) = &args.from.file {
        return file_release::switch(global, args, path).await;
    }
    if let Some(selector) = &args.selector {
        return group_release::switch(global, args, selector).await;
    }
    if args.count.is_some() {
        return Err(Failure::Usage("--count is for --selector".to_owned()));
    }
    let name = named(args.name.as_deref(), &args.edit)?;
    let cluster = Cluster::connect(global).await?;
    let color = args.color.map(|color| color.0);
    let decide = |app: &BlueGreenApp| edit::switch(app, color, args.tag.as_deref());
    let (changed, ended) = match send(global, &cluster, name, &args.edit, decide).await {
        Ok(changed) => {
            let ended = settle(global, &cluster, name, &args.edit, &changed).await;
            (changed, ended)
        }
        // The edit may have been stored all the same, so the switch must be taken back all the same.
        Err(failure) => match lost(&failure) {
            Some(changed) => (changed, Err(failure)),
            None => return Err(failure),
        },
    };
    if !args.rollback_on_failure || matches!(ended, Ok(End::Reached)) {
        return ended;
    }
    let end = ended.unwrap_or_else(|failure| {
        say(format!("error: {failure}"));
        End::Failed
    });
    // The exit code is that of the switch, whether or not this succeeds.
    if let Err(failure) = take_back(global, &cluster, name, &args.edit, &changed).await {
        say(format!("error: the switch could not be taken back: {failure}"));
    }
    Ok(end)
}

/// Switches back to the color that was live before.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn rollback(global: &Global, args: &RollbackArgs) -> Result {
    if let Some(path) = &args.from.file {
        return file_release::rollback(global, args, path).await;
    }
    let (tag, back_to) = (args.tag.as_deref(), args.back_to.as_deref());
    let name = named(args.name.as_deref(), &args.edit)?;
    apply(global, name, &args.edit, |app| edit::rollback(app, tag, back_to)).await
}

/// Pauses an app, or lets it go on.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn pause(global: &Global, args: &PauseArgs, paused: bool) -> Result {
    let PauseArgs { name, dry_run, output } = args;
    let cluster = Cluster::connect(global).await?;
    let dry_run = dry_run.is_some();
    let changed = change(&cluster, name, dry_run, |app| Ok(edit::pause(app, paused))).await?;
    tell(global, &cluster, *output, &changed, dry_run)?;
    Ok(End::Reached)
}

/// The name of the app in the cluster.
fn named<'a>(name: Option<&'a str>, args: &EditArgs) -> Result<&'a str> {
    if args.dry_run == Some(DryRun::Client) {
        return Err(Failure::Usage("--dry-run=client is for --filename: use --dry-run=server".to_owned()));
    }
    name.ok_or_else(|| Failure::Usage("the name of an app is missing".to_owned()))
}

/// Sends an edit, prints it, and waits for its effect if asked to.
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

/// Sends an edit, and prints it.
async fn send(
    global: &Global,
    cluster: &Cluster,
    name: &str,
    args: &EditArgs,
    decide: impl Fn(&BlueGreenApp) -> std::result::Result<Edit, Refusal>,
) -> Result<Changed> {
    let dry_run = args.dry_run == Some(DryRun::Server);
    let changed = change(cluster, name, dry_run, decide).await?;
    tell(global, cluster, args.output, &changed, dry_run)?;
    Ok(changed)
}

/// Prints an edit that was sent.
fn tell(global: &Global, cluster: &Cluster, output: Format, changed: &Changed, dry_run: bool) -> Result<()> {
    if let (Format::Json | Format::Yaml, Some(warning)) = (output, changed.warning()) {
        say(format!("warning: {warning}"));
    }
    print(global, output, |_| edit_lines(cluster, changed, dry_run), &shown(&changed.after))
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
    // Standard output already has the object; the result of the wait goes to standard error.
    match args.output {
        Format::Text => {
            await_goal(cluster, global, name, changed.edit.goal, args.patience.timeout, Format::Text).await
        }
        Format::Json | Format::Yaml => wait_quietly(cluster, global, name, args, changed).await,
    }
}

/// The edit whose result is unknown, if that is why a command failed.
fn lost(failure: &Failure) -> Option<Changed> {
    match failure {
        Failure::Other(error) => error.downcast_ref::<Lost>().map(|lost| (*lost.changed).clone()),
        Failure::Usage(_) | Failure::Interrupted(_) => None,
    }
}

/// Takes back a switch that failed, and waits until it can't happen any more: the operator reports that only once none of
/// its earlier writes can take effect. It prints to standard error, since the command has failed.
async fn take_back(
    global: &Global,
    cluster: &Cluster,
    name: &str,
    args: &EditArgs,
    changed: &Changed,
) -> Result<()> {
    let limit = args.patience.timeout.max(BACK);
    let Some(back) = ask_back(cluster, name, changed, limit).await? else { return Ok(()) };
    say_lines(&edit_lines(cluster, &back, false), global.color);
    let waited = wait(cluster, name, back.edit.goal, limit, global.color).await?;
    say(format!("{name}: {}", waited.why));
    Ok(())
}

/// Waits, and prints the result on standard error: standard output already has the object.
async fn wait_quietly(
    cluster: &Cluster,
    global: &Global,
    name: &str,
    args: &EditArgs,
    changed: &Changed,
) -> Result {
    let waited = wait(cluster, name, changed.edit.goal, args.patience.timeout, global.color).await?;
    say(waited.why);
    Ok(waited.end)
}

fn edit_lines(cluster: &Cluster, changed: &Changed, dry_run: bool) -> Vec<Line> {
    let Changed { edit, before, after } = changed;
    let name = format!("{}/{}", cluster.namespace, after.name_any());
    if edit.patch.is_none() {
        return vec![Line::plain(format!("{name}: {} (no change: the spec already says so)", edit.what))];
    }
    let done = if dry_run { " (server dry run)" } else { "" };
    let mut lines = vec![
        Line::new().add(format!("{name}: {}", edit.what), Tone::Strong).add(done, Tone::Busy),
        Line::new().add("the same edit of the manifest:", Tone::Dim),
    ];
    let after = serde_json::to_value(&after.spec).unwrap_or_default();
    lines.extend(gitedit::lines(before, &after));
    lines.extend(edit.note.iter().map(|note| Line::new().add(format!("note: {note}"), Tone::Busy)));
    lines.extend(changed.warning().map(|words| Line::new().add(format!("warning: {words}"), Tone::Busy)));
    lines
}
