//! The arguments of the commands that edit an app.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ColorArg, Format, Patience};

/// Flags of every command that edits an app.
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// Wait until the edit has taken effect
    #[arg(long)]
    pub wait: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: Patience,
    /// With `server`, the API server checks the edit but does not store it; with `client` (only with --filename), the
    /// file is not written
    #[arg(long, value_name = "WHERE", conflicts_with = "wait")]
    pub dry_run: Option<DryRun>,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// The manifest to edit in place of the app in the cluster.
#[derive(Clone, Debug, Default, Args)]
pub struct FileArgs {
    /// Edit this manifest in place of the app in the cluster, and leave everything else in the file as it is; `-` reads
    /// standard input and prints the manifest. NAME is only needed if the file has more than one app
    #[arg(
        long = "filename", short = 'f', value_name = "FILE",
        conflicts_with_all = ["wait", "timeout"]
    )]
    pub file: Option<PathBuf>,
    /// With --filename, read the app in the cluster, too: which color is live, and whether a switch is under way. Without
    /// it, no cluster is asked, and the color in spec.active counts as the live color
    #[arg(long, requires = "file")]
    pub live: bool,
}

/// Where an edit is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// By this program: with --filename only.
    Client,
    /// By the API server.
    Server,
}

/// `deploy`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("version").required(true).multiple(true))]
pub struct DeployArgs {
    /// Name of the app
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,
    /// Image tag to deploy
    #[arg(long, group = "version", value_name = "TAG")]
    pub tag: Option<String>,
    /// Image digest to deploy, such as `sha256:…`; if both are given, the digest determines the image
    #[arg(long, group = "version", value_name = "DIGEST")]
    pub digest: Option<String>,
    /// Color to deploy to; by default the idle color
    #[arg(id = "to", long = "to", value_name = "COLOR")]
    pub color: Option<ColorArg>,
    /// The manifest to edit.
    #[command(flatten)]
    pub from: FileArgs,
    /// Flags of every command that edits an app.
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `switch`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// Name of the app
    #[arg(required_unless_present_any = ["file", "selector"])]
    pub name: Option<String>,
    /// Color to switch to; by default the color with TAG, or without a tag the color that is not live
    #[arg(id = "to", long = "to", value_name = "COLOR")]
    pub color: Option<ColorArg>,
    /// Only switch to a color that has TAG (protects against another pipeline that deployed something else meanwhile)
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Switch all apps of the namespace that match this label selector, but only if every one of them can switch; with
    /// --rollback-on-failure, all go back if one fails
    #[arg(long, short = 'l', value_name = "SELECTOR", conflicts_with_all = ["name", "file"])]
    pub selector: Option<String>,
    /// With --selector, only switch if exactly N apps match (protects against an app that is missing)
    #[arg(long, value_name = "N", requires = "selector")]
    pub count: Option<usize>,
    /// If the switch fails or times out, set spec.active back to the color before, and wait for that
    #[arg(long, requires = "wait")]
    pub rollback_on_failure: bool,
    /// The manifest to edit.
    #[command(flatten)]
    pub from: FileArgs,
    /// Flags of every command that edits an app.
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Name of the app
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,
    /// Only roll back if spec.active has TAG (protects against running rollback twice)
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Only roll back to TAG: the tag of the other color. Required with --filename unless --live is given, since a manifest
    /// does not tell what that color ran when it was live
    #[arg(long, value_name = "TAG")]
    pub back_to: Option<String>,
    /// The manifest to edit.
    #[command(flatten)]
    pub from: FileArgs,
    /// Flags of every command that edits an app.
    #[command(flatten)]
    pub edit: EditArgs,
}
