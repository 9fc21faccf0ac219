//! The log: one JSON object per line in a cluster, text on a terminal.

use std::fmt::Display;
use std::io::IsTerminal;

use anyhow::Context;
use bluegreen_core::harmless::harmless;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// Flags of the log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// `auto` is json in a cluster and text on a terminal
    #[arg(long = "log-format", env = "BLUEGREEN_LOG_FORMAT", value_name = "FORMAT", default_value = "auto")]
    pub format: LogFormat,

    /// error, warn, info, debug or trace; or directives such as `info,bluegreen_operator=debug`
    #[arg(
        long = "log-level",
        env = "BLUEGREEN_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info,kube_runtime=warn"
    )]
    pub level: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// JSON in a cluster, text on a terminal.
    Auto,
    /// One JSON object per line.
    Json,
    /// One line for people to read per event.
    Text,
}

/// Starts logging to standard error. Call it once.
///
/// # Errors
/// When the level can't be parsed, or logging was started before.
pub fn init(args: &LogArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.level).with_context(|| {
        format!("--log-level {:?} is neither a level nor a list of directives", args.level)
    })?;
    let filter = quiet(filter, &args.level);
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match resolve(args.format, terminal, in_cluster()) {
        Style::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
        Style::Text => builder.with_ansi(terminal && !no_color()).try_init(),
    };
    started.map_err(|err| anyhow::anyhow!("can't start logging: {err}"))
}

/// Leaves kube's warnings out, unless somebody asks for them by name. It logs an answer that it can't decode with all of its text: the
/// specs of every app, in every namespace.
fn quiet(filter: EnvFilter, level: &str) -> EnvFilter {
    const KUBE: &str = "kube_client";
    match format!("{KUBE}::client=error").parse() {
        Ok(directive) if !level.contains(KUBE) => filter.add_directive(directive),
        Ok(_) | Err(_) => filter,
    }
}

/// How many bytes of somebody else's words a line of the log has.
const WORDS: usize = 1024;

/// An error for the log. An answer of the API server may hold whatever a webhook says, and a cause for each item of a list.
#[must_use]
pub fn brief(error: &impl Display) -> String {
    harmless(&error.to_string(), WORDS)
}

#[derive(Debug, PartialEq, Eq)]
enum Style {
    Json,
    Text,
}

fn resolve(format: LogFormat, terminal: bool, in_cluster: bool) -> Style {
    match format {
        LogFormat::Json => Style::Json,
        LogFormat::Text => Style::Text,
        // `kubectl run -it` gives a terminal in a cluster: a person reads the log.
        LogFormat::Auto if in_cluster && !terminal => Style::Json,
        LogFormat::Auto => Style::Text,
    }
}

fn in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Returns true if `NO_COLOR` is set and not empty: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_json_only_in_a_cluster_without_a_terminal() {
        assert_eq!(resolve(LogFormat::Auto, false, true), Style::Json);
        assert_eq!(resolve(LogFormat::Auto, true, true), Style::Text);
        assert_eq!(resolve(LogFormat::Auto, false, false), Style::Text);
        assert_eq!(resolve(LogFormat::Auto, true, false), Style::Text);
    }

    #[test]
    fn a_format_asked_for_is_kept() {
        for (terminal, in_cluster) in [(false, false), (true, true)] {
            assert_eq!(resolve(LogFormat::Json, terminal, in_cluster), Style::Json);
            assert_eq!(resolve(LogFormat::Text, terminal, in_cluster), Style::Text);
        }
    }

    #[test]
    fn what_kube_cannot_decode_is_logged_only_on_demand() {
        let filter = |level: &str| quiet(EnvFilter::new(level), level).to_string();
        assert!(filter("debug").contains("kube_client::client=error"));
        assert!(!filter("info,kube_client=debug").contains("kube_client::client=error"));
    }

    #[test]
    fn an_error_is_logged_in_few_words_that_do_nothing_to_a_terminal() {
        let told = brief(&format!("no\u{1b}[2J\n{}", "x".repeat(1_500_000)));
        assert!(told.starts_with(r"no\u{1b}[2J xxx") && told.len() == WORDS, "{} bytes", told.len());
    }

    #[test]
    fn a_wrong_level_is_an_error_that_names_the_flag() {
        let args = LogArgs { format: LogFormat::Auto, level: "info,=".to_owned() };
        assert!(init(&args).unwrap_err().to_string().contains("--log-level"));
    }
}
