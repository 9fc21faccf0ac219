//! The command line described: man pages, completion, and the page in `docs/`.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

/// The command line, with everything filled in.
#[must_use]
pub fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Writes a completion script for a shell.
pub fn completion(shell: clap_complete::Shell, out: &mut dyn std::io::Write) {
    // Under this name a shell finds the program; `kubectl bluegreen` is completed by kubectl.
    clap_complete::generate(
        shell,
        &mut Cli::command().bin_name("kubectl-bluegreen"),
        "kubectl-bluegreen",
        out,
    );
}

/// Writes a man page for each command.
///
/// # Errors
/// When the folder can't be written to.
pub fn man(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

/// `docs/cli.md`.
#[must_use]
pub fn markdown() -> String {
    let command = command();
    let mut text = format!(
        "# `kubectl bluegreen`\n\nGenerated from the program: `UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test \
         docs`.\n\n{}\n\n",
        about(&command)
    );
    text.push_str(INSTALL);
    text.push_str("\n## Commands\n\n| command | does |\n|---|---|\n");
    let commands = || command.get_subcommands().filter(|sub| !sub.is_hide_set());
    for sub in commands() {
        let name = sub.get_name();
        // Infallible for a String.
        let _ = writeln!(text, "| [`{name}`](#{name}) | {} |", about(sub));
    }
    text.push_str("\n## Flags of every command\n\n");
    flags(&mut text, command.get_arguments().filter(|argument| argument.is_global_set()));
    for sub in commands() {
        let _ = write!(text, "\n## {}\n\n{}.\n\n", sub.get_name(), about(sub));
        let usage = sub.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").to_owned();
        let _ = write!(text, "```\n{usage}\n```\n\n");
        flags(&mut text, sub.get_arguments().filter(|argument| !argument.is_global_set()));
    }
    text.push_str(NOTES);
    text
}

const INSTALL: &str = "\
## Install

```console
$ cargo install --locked --path cli      # puts kubectl-bluegreen on the PATH
$ kubectl bluegreen version
```

`kubectl` finds every program called `kubectl-NAME` on the `PATH`. Called as `kubectl-bluegreen` it works without kubectl.
";

const NOTES: &str = "
## Exit codes

| code | means |
|---|---|
| 0 | done, or what was waited for is there |
| 1 | failed, or it will not come without a change: the app is `Stalled`, nobody has asked for that color, `lint` found something |
| 2 | wrong arguments |
| 3 | not reached within `--timeout` |
| 130 | interrupted with Ctrl-C; an edit that was sent stays |

A wait never hangs: a person's decision that is still to come is an end, not something to wait for, every request has an
end of its own, and a cluster that can't be reached is asked until the time is up. `get -w` and waits outlive a restart of the
API server: one that has just started refuses what it will allow, so a refusal after another answer is doubted for 30 seconds.

## Rights

Everything but `get` and `plan` needs `get` (`list` for `list`, `patch` for edits) on `bluegreenapps`, and nothing else.
`get` also lists Services, Deployments, ReplicaSets and pods, and says what it may not read. `plan` reads what the operator
reads: Services, Deployments, ControllerRevisions and EndpointSlices.
";

/// The description, on one line, without clap's full stop.
fn about(command: &Command) -> String {
    let text = command.get_about().map(ToString::to_string).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn flags<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let hidden = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let rows: Vec<String> = arguments.filter(hidden).map(row).collect();
    if !rows.is_empty() {
        let _ = write!(text, "| argument | default | means |\n|---|---|---|\n{}", rows.concat());
    }
}

fn row(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    let takes = argument.get_action().takes_values();
    let mut name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    if let Some(value) = value.filter(|_| takes) {
        let _ = write!(name, " {value}");
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| takes)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let default: Vec<String> = argument
        .get_default_values()
        .iter()
        .filter(|_| takes)
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let one_of = if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
    let help = help.replace('|', "\\|");
    format!("| `{}` | {} | {help}{one_of} |\n", name.trim(), default.join(", "))
}
