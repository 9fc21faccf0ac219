//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use bluegreen_operator::api::Color;
use bluegreen_operator::config::VERSION;
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::goal::Goal;

/// Look at blue-green apps, deploy to the idle color, switch, and roll back
///
/// Every command that changes an app edits `spec` and nothing else, and prints the same edit for Git.
///
/// Exit codes: 0 done or reached; 1 failed, or it will not come without a change; 2 wrong arguments;
/// 3 not reached in time.
#[derive(Debug, Parser)]
#[command(name = "kubectl-bluegreen", bin_name = "kubectl bluegreen", version = VERSION)]
#[command(propagate_version = false, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Which cluster, and how it looks.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Kubeconfig file; without it, `KUBECONFIG`, `~/.kube/config`, or the ServiceAccount inside a cluster
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig; without it, the current one
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,

    /// Namespace; without it, the context's
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,

    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,

    /// Group to impersonate; may be given again
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,

    /// Colors in the output; `auto` follows the terminal and `NO_COLOR`
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show an app as a tree: colors, Services, ReplicaSets, pods, and what is live
    Get(GetArgs),
    /// List apps, one line each
    List(ListArgs),
    /// Wait until an app is as it should be, or say why it will not be
    Status(StatusArgs),
    /// Put a version onto the idle color
    Deploy(DeployArgs),
    /// Make the other color live
    Switch(SwitchArgs),
    /// Go back to the color that served before, or cancel a switch that is under way
    Rollback(RollbackArgs),
    /// Show step by step what the operator would do with an edit
    Plan(PlanArgs),
    /// Check manifests by the rules of admission, without a cluster
    Lint(LintArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Write the man pages into a folder
    Man(ManArgs),
    /// Print the version
    Version,
}

/// `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Name of the app
    pub name: String,
    /// Keep showing it, until Ctrl-C
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// How long to wait.
#[derive(Clone, Debug, Args)]
pub struct Patience {
    /// How long to wait, with its unit; 0s looks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Name of the app
    pub name: String,
    /// What to wait for: `ready` (the color in spec.active serves), `standby` (the idle color is ready),
    /// `active=blue` or `active=green` (that color serves)
    #[arg(long = "for", value_name = "GOAL", default_value = "ready", value_parser = parse_goal)]
    pub goal: Goal,
    /// How long to wait.
    #[command(flatten)]
    pub patience: Patience,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// What all edits have in common.
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// Wait until the edit has taken effect
    #[arg(long)]
    pub wait: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: Patience,
    /// `server`: let the API server check the edit, and change nothing
    #[arg(long, value_name = "WHERE", conflicts_with = "wait")]
    pub dry_run: Option<DryRun>,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// Where an edit is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// By the API server.
    Server,
}

/// `deploy`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("version").required(true).multiple(true))]
pub struct DeployArgs {
    /// Name of the app
    pub name: String,
    /// Image tag
    #[arg(long, group = "version", value_name = "TAG")]
    pub tag: Option<String>,
    /// Image digest, such as `sha256:…`; it decides what runs
    #[arg(long, group = "version", value_name = "DIGEST")]
    pub digest: Option<String>,
    /// The color; without it, the idle one, whichever it is
    #[arg(id = "to", long = "to", value_name = "COLOR")]
    pub color: Option<ColorArg>,
    /// What all edits have in common.
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `switch`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// Name of the app
    pub name: String,
    /// The color; without it, the one that runs the tag; without both, the one that does not serve
    #[arg(id = "to", long = "to", value_name = "COLOR")]
    pub color: Option<ColorArg>,
    /// Refuse unless the color is to run this image tag: another pipeline may have deployed something else since
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// If the wait does not end well, ask for the color again that was to serve before, and wait for that
    #[arg(long, requires = "wait")]
    pub rollback_on_failure: bool,
    /// What all edits have in common.
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Name of the app
    pub name: String,
    /// Refuse unless this image tag serves: a second rollback would go forth again
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// What all edits have in common.
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Manifest as it shall be; `-` reads standard input
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    pub file: PathBuf,
    /// Manifest as it is: plans without a cluster, from all that it asks for being there. Without this flag, the
    /// app in the cluster is read
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    pub from: Option<PathBuf>,
    /// Plans without a cluster, from nothing
    #[arg(long)]
    pub new: bool,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// `lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Manifest; may be given again; `-` reads standard input
    #[arg(long = "filename", short = 'f', value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, short = 'o', value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder
    pub folder: PathBuf,
}

/// A color, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorArg(pub Color);

impl ValueEnum for ColorArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Color::Blue), Self(Color::Green)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

fn parse_goal(text: &str) -> Result<Goal, String> {
    Goal::parse(text).ok_or_else(|| "expected ready, standby, active=blue or active=green".to_owned())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let hint = "expected a duration with its unit, such as 90s or 5m";
    let parsed: SignedDuration = text.parse().map_err(|_| hint.to_owned())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}
