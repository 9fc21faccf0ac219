//! Describes the command line: man pages, shell completion, and `docs/cli.md`.

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
///
/// # Errors
/// When it can't be written. A reader who has left, as `head` does, is none.
pub fn completion(shell: clap_complete::Shell, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    // Into memory first: the generator ends the process if it can't write.
    let mut script = Vec::new();
    // Under this name a shell finds the program.
    let mut command = Cli::command().bin_name("kubectl-bluegreen");
    clap_complete::generate(shell, &mut command, "kubectl-bluegreen", &mut script);
    match out.write_all(&script) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
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
        "# `kubectl bluegreen`\n\nOn this page you install the command line tool, see what it prints, and find every command and flag.\n\nGenerated from the program: `UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test \
         docs`.\n\n{}\n\n",
        about(&command)
    );
    text.push_str(INSTALL);
    text.push_str(EXAMPLE);
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
        // The comment is for the test that asks of each block who runs it.
        let _ = write!(text, "<!-- run by cli/tests/docs.rs -->\n```text\n{usage}\n```\n\n");
        flags(&mut text, sub.get_arguments().filter(|argument| !argument.is_global_set()));
    }
    text.push_str(NOTES);
    text
}

const INSTALL: &str = "\
## Install

<!-- not run: compiles the tool, which the tests of this page have already -->
```console
$ cargo install --locked --path cli      # puts kubectl-bluegreen on the PATH
```

```console
$ kubectl bluegreen version
0.1.0
```

`kubectl` finds every program called `kubectl-NAME` on the `PATH`. Called as `kubectl-bluegreen` it works without kubectl. With kubectl, flags
stand behind `bluegreen`: `kubectl bluegreen get hello -n shop`. In front of it, kubectl refuses them.

Completion is for the name `kubectl-bluegreen`; kubectl does not complete its plugins by these scripts. In bash, for this shell:

```console
$ source <(kubectl bluegreen completion bash)
```
";

/// Printed by a real cluster: `make docs-test` compares it.
const EXAMPLE: &str = include_str!("manual/example.md");

const NOTES: &str = "
## Exit codes

| code | means |
|---|---|
| 0 | success: the command is done, or the goal is reached |
| 1 | failure, or the goal can't be reached without another edit: the app is `Stalled`, `spec.active` is another color, `lint` found a problem, a check failed |
| 2 | wrong arguments |
| 3 | the goal was not reached within `--timeout`, or a check can't tell |
| 130 | interrupted with Ctrl-C; an edit that was already sent stays, `check` deletes its Jobs first, and `switch -l` says how each app that was edited goes back |

A wait never hangs. It ends at once where only a person can go on, every request has a time limit, and a cluster that can't be
reached is retried until the timeout. `get -w` and waits survive a restart of the API server. An API server that has just started
may deny what it allows a moment later, so a denial that follows a successful request is retried for 30 seconds.

If the connection is lost while an edit is sent, the edit may have been stored or not. The command finds out, for up to a minute:
it reads the app, and sends the same edit again if the app is still unchanged. `switch --rollback-on-failure` takes the switch
back even if that stays unknown.

## Output formats

`-o json` and `-o yaml` print the BlueGreenApp (for `list`, a List), as `kubectl get` does, without `managedFields`. `get -o report`,
`status`, `plan`, `check`, `lint`, `version`, and edits of a manifest print an object of `cli.bluegreen.dev/v1alpha1`, described in
[cli-output.md](cli-output.md).

## Edits of a manifest

With `-f FILE`, `deploy`, `switch` and `rollback` edit that file and no cluster. They change the bytes of the field, of that app, and nothing else:
comments, order, quotes, line breaks and other objects in the file stay. They print the lines that differ and write the file as a whole,
with its permissions. They never commit. `--dry-run=client` only prints, and `-f -` is a filter. [gitops.md](gitops.md#edit-the-manifest-in-a-pipeline)
has a job for a pipeline.

| command | takes from the file | can't know without the cluster |
|---|---|---|
| `deploy` | the idle color: the one that `spec.active` does not name | whether that color is still live because the last commit has not taken effect. The operator then holds the edit until the color is idle |
| `switch` | the other color, or the one with `--tag` | whether that color is ready. The Service switches once it is |
| `rollback` | the other color, if it has the version of `--back-to` | what that color ran when it was live. So `--back-to` is required |

With `--live` they also read the app in the cluster (with the rights to `get` it) and refuse what they refuse there.

YAML in block and flow style, JSON, a `List`, several apps in one file (name one, and its namespace with `-n` if need be) and a Kustomize
patch that sets `spec.active` can be edited. What can't be edited without a guess is refused, and the file stays as it is: a Helm template, a
JSON patch, and a field that is, or is repeated by, an alias, a merge key or a block scalar.
Every result is read again by another parser before it is written: if it differs from the old text in more than the edit, it is not
written.

## Several apps at once

`kubectl bluegreen switch -l release=42 --to green --wait --rollback-on-failure` switches all apps of the namespace that match.
First it looks at each of them. If one is paused, stalled, being deleted, or has a target that is not ready, nothing is changed, and
each reason is printed. `--count N` also refuses another number of apps, and `--tag` another version. (A target that is scaled to 0 counts as ready;
the switch scales it up.) Then it edits the apps one after the other. It decides each once more on what it is at that moment. At the end it waits for all of them at the
same time.

If an edit is refused, or an app fails or does not switch in time, all that were edited go back, whether they had switched or not, and the result says of each
what became of it. Without `--rollback-on-failure` those that have switched stay. The apps switch at almost the same time, not in one instant: for a
moment one serves its new version while another one does not.

You can run the same command again after a failure: an app that is at the target stays there. To go back later, name the color: `switch -l release=42 --to
blue --wait`. There is no `rollback -l`: after a switch that only some of the apps had made, it would send the others to a color that nobody asked for.

Measured at commit `cb040e6` by `make group-test`: of a group of 20 apps with real pods, one cannot switch, and all 20 are taken back. Of 9,690 requests to three of them meanwhile, 0 were lost.

## Try the checks before a switch

`kubectl bluegreen check hello` runs the checks with `when: Before` of [`spec.checks`](checks.md) now, against the idle color. It creates the Jobs that
the operator would create, with your rights and under other names, waits for them, prints each verdict with the last lines of the log, and
deletes the Jobs, also if it is interrupted. If it is killed, Kubernetes deletes them ten minutes after they have ended.

The operator does not use the result of the trial: it does not see these Jobs, and a switch runs the checks again. Checks with `enforce: false` run,
too, and don't change the exit code.

The Jobs of `http` and `prometheus` checks need the operator's image. If you may read the operator's Lease and pod, the command finds it there;
otherwise, name it with `--check-image`.

## What `lint` warns of

`lint` fails for what the API server would refuse. It also warns, without failing, of what is accepted and probably a mistake:

- A Service of the same manifests selects the pods of a check, or these have the app's own `app.kubernetes.io/name`: they would get its traffic.
- An image of a check has no tag, or `latest`: the same check may run something else tomorrow.
- An enforced check after the switch may take more than 30 minutes to say that it can't tell. `Ready` is False for that long.
- `maxFailures` allows as many bad measurements as there are.
- A ConfigMap of the app has a name that stays when its content changes, and is not immutable: both colors read the same content, and a switch
  back does not bring the old content back. A name with [a hash](kustomize.md) or a version goes back with the color.
- Another container than `app` refers to a variable of a color's `env`, such as `$(SLOT)`: only `app` has these variables.

## Permissions

A command that reads an app needs `get` on `bluegreenapps`, `list` and `switch -l` need `list`, and commands that edit an app also need `patch`.
Only four commands need more. `check` creates, gets and deletes Jobs; it also lists their pods, reads their logs and Events, and reads the
Service of the color, if you may. `get` also lists Services, Deployments, ReplicaSets and pods, and says which of them it is not allowed to read. `plan`
reads what the operator reads: Services, Deployments, ControllerRevisions and EndpointSlices, and the Jobs of an app that has checks.
[`dashboard`](dashboard.md#rights) lists and watches what it shows, and says which of it it is not allowed to.

If labels or annotations say that Argo CD or Flux applies an app, a command that edits it in the cluster says so as a warning, and does it nevertheless.

While a color is late, `status`, and a command with `--wait`, also lists the pods of that color and their Events, and shows the newest
Warning. It leaves that out if you are not allowed to list them.
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
