//! The command line.

mod edit;

use std::path::PathBuf;
use std::time::Duration;

use bluegreen_api::Color;
use bluegreen_api::version::VERSION;
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::goal::Goal;
use crate::table::SortBy;
pub use edit::{DeployArgs, DryRun, EditArgs, FileArgs, RollbackArgs, SwitchArgs};

/// Show blue-green apps, deploy to the idle color, switch, and roll back
///
/// Commands that change an app edit only its `spec`, and print the same edit as a diff of the manifest for Git.
///
/// Exit codes: 0 success; 1 failure, or the goal can't be reached without another edit; 2 wrong arguments;
/// 3 timeout, or a check can't tell.
#[derive(Debug, Parser)]
#[command(name = "kubectl-bluegreen", bin_name = "kubectl bluegreen", version = VERSION)]
#[command(propagate_version = false, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Path of the kubeconfig file; by default `KUBECONFIG`, then `~/.kube/config`, then the pod's ServiceAccount
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig file; by default the current context
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,

    /// Namespace of the app; by default the context's namespace
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,

    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,

    /// Group to impersonate; can be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,

    /// When to color the output; `auto` colors it on a terminal, unless `NO_COLOR` is set
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

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Output format of `get`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GetFormat {
    /// A tree for people.
    #[default]
    Text,
    /// The BlueGreenApp as JSON, as kubectl prints it.
    Json,
    /// The BlueGreenApp as YAML, as kubectl prints it.
    Yaml,
    /// What the tree shows, as JSON.
    Report,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show an app as a tree of its colors, Services, ReplicaSets and pods
    Get(GetArgs),
    /// List apps
    List(ListArgs),
    /// Wait until an app is ready, or report why it can't become ready
    Status(StatusArgs),
    /// Deploy a version to the idle color
    Deploy(DeployArgs),
    /// Switch the Service to the other color
    Switch(SwitchArgs),
    /// Switch back to the color that was live before, or cancel a switch that is under way
    Rollback(RollbackArgs),
    /// Tell the operator to change nothing but the size of the live color
    Pause(PauseArgs),
    /// Let the operator go on after a pause
    Resume(PauseArgs),
    /// Show step by step what the operator would do with a manifest
    Plan(PlanArgs),
    /// Try the checks before a switch against the idle color, and delete their Jobs; the operator does not use the result
    Check(CheckArgs),
    /// Show apps in the browser, live, on an address that only this machine reaches
    Dashboard(DashboardArgs),
    /// Check manifests against the rules of the API server, and warn of likely mistakes, without a cluster
    Lint(LintArgs),
    /// Print a shell completion script
    Completion(CompletionArgs),
    /// Write the man pages to a folder
    Man(ManArgs),
    /// Print the version
    Version(VersionArgs),
}

/// `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Name of the app
    pub name: String,
    /// Keep showing the app until Ctrl-C
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Output format: `json` and `yaml` print the BlueGreenApp, `report` what the tree shows
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: GetFormat,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// List the apps of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// List only apps that match this label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Order: by namespace and name, by state (stalled apps first), or by age (the youngest first)
    #[arg(long, value_name = "ORDER", default_value = "name")]
    pub sort_by: SortBy,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// How long to wait.
#[derive(Clone, Debug, Args)]
pub struct Patience {
    /// How long to wait, with a unit, such as 90s or 5m; 0s checks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Name of the app
    pub name: String,
    /// What to wait for: `ready` (the color in spec.active is live and ready), `standby` (the idle color is ready for
    /// a switch), `active=blue` or `active=green` (that color is live and ready)
    #[arg(long = "for", value_name = "GOAL", default_value = "ready", value_parser = parse_goal)]
    pub goal: Goal,
    /// How long to wait.
    #[command(flatten)]
    pub patience: Patience,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `pause` and `resume`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Name of the app
    pub name: String,
    /// With `server`, the API server checks the edit but does not store it
    #[arg(long, value_name = "WHERE", value_parser = ["server"])]
    pub dry_run: Option<String>,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `dashboard`.
#[derive(Debug, Args)]
pub struct DashboardArgs {
    /// Show the apps of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "0")]
    pub port: u16,
    /// Let the page edit apps, with your own rights; without it, the page only shows what an edit would do
    #[arg(long)]
    pub allow_edits: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// New manifest; `-` reads standard input
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    pub file: PathBuf,
    /// Present manifest: plan without a cluster, as if everything in it were running. By default, plan from the app in
    /// the cluster
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    pub from: Option<PathBuf>,
    /// Plan without a cluster, for an app that does not exist yet
    #[arg(long)]
    pub new: bool,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Name of the app
    pub name: String,
    /// Run only this check; can be repeated
    #[arg(long, value_name = "CHECK")]
    pub only: Vec<String>,
    /// How long to wait, with a unit, such as 90s or 5m; by default as long as deadlineSeconds of the checks allows
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// Image that runs http and prometheus checks; by default the one that the operator uses, if you may read its Lease and pod
    #[arg(long, value_name = "IMAGE")]
    pub check_image: Option<String>,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Manifest to check; can be repeated; `-` reads standard input
    #[arg(long = "filename", short = 'f', value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Output format
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// Shell to print the script for
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write to
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
    let hint = "expected a duration with a unit, such as 90s or 5m";
    let parsed: SignedDuration = text.parse().map_err(|_| hint.to_owned())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}
