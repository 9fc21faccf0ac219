//! `deploy`, `switch` and `rollback` with `--filename`: the edit goes into a manifest, and never to a cluster.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use bluegreen_api::BlueGreenApp;

use crate::args::{DeployArgs, DryRun, EditArgs, FileArgs, Format, Global, RollbackArgs, SwitchArgs};
use crate::cluster::Cluster;
use crate::edit::{self, Edit, Refusal};
use crate::exit::{End, Failure, Result};
use crate::file::find::Wanted;
use crate::file::{self, Edited};
use crate::line::{Line, Tone};
use crate::manifest;
use crate::output::{print_whole, say_whole};
use crate::shape::{ManifestEdit, shaped};

/// Deploys a version to a color in a manifest.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn deploy(global: &Global, args: &DeployArgs, path: &Path) -> Result {
    let color = args.color.map(|color| color.0);
    let decide = |app: &BlueGreenApp| edit::deploy(app, color, args.tag.as_deref(), args.digest.as_deref());
    apply(global, path, args.name.as_deref(), &args.from, &args.edit, decide).await
}

/// Sets `spec.active` in a manifest.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn switch(global: &Global, args: &SwitchArgs, path: &Path) -> Result {
    let color = args.color.map(|color| color.0);
    let decide = |app: &BlueGreenApp| {
        let edit = edit::switch(app, color, args.tag.as_deref())?;
        // What is ready, a file does not tell.
        let note = edit.note.filter(|_| args.from.live);
        Ok(Edit { note, ..edit })
    };
    apply(global, path, args.name.as_deref(), &args.from, &args.edit, decide).await
}

/// Sets `spec.active` in a manifest to the color that was live before.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn rollback(global: &Global, args: &RollbackArgs, path: &Path) -> Result {
    let (tag, back_to) = (args.tag.as_deref(), args.back_to.as_deref());
    if back_to.is_none() && !args.from.live {
        return Err(Failure::Usage(
            "a manifest does not tell what the other color ran when it was live: name that version with --back-to TAG, or ask \
             the cluster with --live; `switch` sets spec.active without that check"
                .to_owned(),
        ));
    }
    let decide = |app: &BlueGreenApp| match back_to {
        Some(back_to) if !args.from.live => edit::back_to(app, tag, back_to),
        back_to => edit::rollback(app, tag, back_to),
    };
    apply(global, path, args.name.as_deref(), &args.from, &args.edit, decide).await
}

/// Edits the file, prints the difference, and writes the file.
async fn apply(
    global: &Global,
    path: &Path,
    name: Option<&str>,
    from: &FileArgs,
    args: &EditArgs,
    decide: impl Fn(&BlueGreenApp) -> std::result::Result<Edit, Refusal>,
) -> Result {
    let is_input = path == Path::new("-");
    if args.dry_run == Some(DryRun::Server) {
        return Err(Failure::Usage(
            "--dry-run=server sends an edit to the API server, and --filename does not: use --dry-run=client"
                .to_owned(),
        ));
    }
    if is_input && args.output != Format::Text {
        return Err(Failure::Usage(
            "with `-f -` standard output is the manifest: leave --output out".to_owned(),
        ));
    }
    let shown = path.display().to_string();
    let text = manifest::text(path)?;
    let wanted = Wanted { name, namespace: global.namespace.as_deref() };
    let seen = if from.live { Some(seen(global, &text, &wanted, &shown).await?) } else { None };
    let edited = file::edited(&text, &wanted, seen.as_ref(), decide);
    let edited = edited.map_err(|refusal| refused(&refusal, &shown, from.live))?;
    let dry_run = args.dry_run == Some(DryRun::Client);
    let changed = edited.text != text;
    if changed && !dry_run && !is_input {
        file::write::replace(path, &text, &edited.text).with_context(|| format!("can't write {shown}"))?;
    }
    let diff = file::diff(&shown, &text, &edited.text);
    let result = ManifestEdit {
        file: shown,
        name: edited.name.clone(),
        namespace: edited.namespace.clone(),
        what: edited.edit.what.clone(),
        patch: edited.edit.patch.clone(),
        written: changed && !dry_run && !is_input,
        diff,
        notes: notes(&edited, from.live),
    };
    if is_input {
        say_whole(&lines(&result, dry_run), global.color);
        let printed = if dry_run { &text } else { &edited.text };
        std::io::stdout().write_all(printed.as_bytes())?;
        return Ok(End::Reached);
    }
    print_whole(global, args.output, lines(&result, dry_run), &shaped(&result))?;
    Ok(End::Reached)
}

/// The app in the cluster.
async fn seen(global: &Global, text: &str, wanted: &Wanted<'_>, file: &str) -> Result<BlueGreenApp> {
    let found = file::find::app(text, wanted).map_err(|refusal| refused(&refusal, file, true))?;
    let namespace = global.namespace.clone().or(found.namespace);
    let cluster = Cluster::connect(&Global { namespace, ..global.clone() }).await?;
    Ok(cluster.app(&found.name).await?)
}

fn refused(refusal: &Refusal, file: &str, live: bool) -> Failure {
    // Only these are about what is live.
    let assumed = !live && refusal.0.contains("is live");
    let hint =
        if assumed { " (the color in spec.active counts as live; --live asks the cluster)" } else { "" };
    Failure::Other(anyhow::anyhow!("{file}: {refusal}{hint}"))
}

fn notes(edited: &Edited, live: bool) -> Vec<String> {
    let mut notes: Vec<String> = edited.edit.note.iter().cloned().collect();
    if edited.edit.patch.is_none() {
        return notes;
    }
    if edited.is_patch {
        notes.push(
            "the file holds only a part of the app, as a patch does: what its base sets is not known"
                .to_owned(),
        );
    }
    if !live && edited.edit.patch.as_ref().is_some_and(|patch| patch.get("active").is_some()) {
        notes.push(
            "a manifest does not tell whether that color is ready: the Service switches once it is"
                .to_owned(),
        );
    }
    notes
}

fn lines(result: &ManifestEdit, dry_run: bool) -> Vec<Line> {
    let ManifestEdit { file, name, what, .. } = result;
    if result.diff.is_empty() {
        return vec![Line::plain(format!("{file}: {name}: {what} (no change: the file already says so)"))];
    }
    let done = if dry_run { " (client dry run: the file was not written)" } else { "" };
    let mut lines =
        vec![Line::new().add(format!("{file}: {name}: {what}"), Tone::Strong).add(done, Tone::Busy)];
    lines.extend(file::diff_lines(&result.diff));
    lines.extend(result.notes.iter().map(|note| Line::new().add(format!("note: {note}"), Tone::Busy)));
    lines
}
