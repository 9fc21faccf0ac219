//! One shell for each document, in a copy of the repository.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_cluster::{Cluster, bash, output};
use tokio::process::Command;

use crate::blocks::{Block, Way};
use crate::shape;

/// The namespace of each document's apps, as documents and examples call it.
const NAMESPACE: &str = "shop";

/// How long the commands of a document may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Where commands run.
pub struct Shell {
    /// The copy of the repository.
    folder: PathBuf,
    /// What the scripts are made of, and what their commands print.
    log: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Shell {
    /// Copies what Git knows of the repository, and puts `kubectl bluegreen` on the path.
    pub fn new(cluster: &Cluster, repository: &Path) -> Result<Self> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
        let _ = std::fs::remove_dir_all(&base);
        let [folder, log, bin] = ["repository", "log", "bin"].map(|name| base.join(name));
        for path in [&folder, &log, &bin] {
            std::fs::create_dir_all(path)?;
        }
        let copy =
            "git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents --target-directory";
        let copied = std::process::Command::new("bash")
            .args(["-c", &format!("{copy} '{}'", folder.display())])
            .current_dir(repository)
            .status()?;
        ensure!(copied.success(), "the repository can't be copied");
        std::os::unix::fs::symlink(
            env!("CARGO_BIN_EXE_kubectl-bluegreen-under-test"),
            bin.join("kubectl-bluegreen"),
        )?;
        let mut environment = cluster.environment()?;
        for (name, value) in &mut environment {
            if *name == "PATH" {
                let folders = std::iter::once(bin.clone()).chain(std::env::split_paths(value));
                *value = std::env::join_paths(folders.collect::<Vec<_>>())?;
            }
        }
        Ok(Self { folder, log, environment })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = bash(line, &self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command line; what it prints.
    pub async fn run(&self, line: &str) -> Result<String> {
        output(self.command(line)).await
    }

    /// Runs the commands of a document in a namespace of its own, and compares what they print.
    pub async fn follow(&self, document: &str, blocks: &[Block]) -> Result<()> {
        let log = self.log.join(document.replace('/', "-"));
        std::fs::create_dir_all(&log)?;
        let kubeconfig = log.join("kubeconfig");
        let (_, admin) =
            self.environment.iter().find(|(name, _)| *name == "KUBECONFIG").context("KUBECONFIG")?;
        std::fs::copy(admin, &kubeconfig)?;
        std::fs::write(log.join("script"), script(blocks, &log)?)?;
        self.run(&format!("kubectl create namespace {NAMESPACE}")).await?;
        let kubeconfig = kubeconfig.display().to_string();
        let namespaced = format!(
            "kubectl --kubeconfig '{kubeconfig}' config set-context --current --namespace {NAMESPACE}"
        );
        self.run(&namespaced).await?;

        let mut command = self.command(&format!("source '{}'", log.join("script").display()));
        command.env("KUBECONFIG", &kubeconfig).stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(LIMIT, command.status()).await;
        let failure = match ended.map(|status| status.is_ok_and(|status| status.success())) {
            Ok(true) => None,
            Ok(false) => Some("it failed".to_owned()),
            Err(_) => Some(format!("it took longer than {LIMIT:?}")),
        };
        // Whatever a document leaves behind ends here.
        let cleared = self.run(&format!("kubectl delete namespace {NAMESPACE} --timeout=180s")).await;
        if let Some(failure) = failure {
            let progress = std::fs::read_to_string(log.join("progress")).unwrap_or_default();
            let last = progress.lines().last().unwrap_or("nothing").to_owned();
            let said = std::fs::read_to_string(log.join(format!("{last}.out"))).unwrap_or_default();
            let line = which(blocks, &last);
            bail!("{document}, {line}\n{failure}; it printed\n{said}");
        }
        cleared.context("its namespace can't be removed")?;
        compare(document, blocks, &log)
    }
}

/// The command with a number, and where it stands.
fn which(blocks: &[Block], number: &str) -> String {
    let mut all = blocks.iter().enumerate().filter(|(_, block)| block.way == Some(Way::Commands)).flat_map(
        |(index, block)| {
            let commands = block.commands().into_iter().enumerate();
            commands.map(move |(place, command)| (format!("{index}-{place}"), block.line, command.line))
        },
    );
    all.find(|(own, ..)| own == number).map_or_else(
        || format!("before or after command {number}"),
        |(_, line, command)| format!("block at line {line}:\n$ {command}"),
    )
}

/// All commands of a document for one shell, each with its output in a file.
fn script(blocks: &[Block], log: &Path) -> Result<String> {
    let log = log.display();
    // Whatever runs in the background ends with the shell.
    let mut script = String::from("trap 'jobs -p | xargs -r kill 2>/dev/null || true' EXIT\n");
    for (index, block) in blocks.iter().enumerate() {
        match &block.way {
            Some(Way::File(path)) => {
                let folder = Path::new(path).parent().context("a file")?.display().to_string();
                let folder = if folder.is_empty() { ".".to_owned() } else { folder };
                writeln!(
                    script,
                    "mkdir -p '{folder}'\ncat >'{path}' <<'END OF BLOCK'\n{}END OF BLOCK",
                    block.text
                )?;
            }
            Some(Way::Commands) => {
                if !block.first.is_empty() {
                    writeln!(script, "echo {index}-first >>'{log}/progress'")?;
                    writeln!(script, "{{\n{}\n}} >'{log}/{index}-first.out' 2>&1", block.first)?;
                }
                let commands = block.commands();
                for (place, command) in commands.iter().enumerate() {
                    let out = format!("'{log}/{index}-{place}.out'");
                    writeln!(script, "echo {index}-{place} >>'{log}/progress'")?;
                    let code = if place + 1 == commands.len() { block.code } else { 0 };
                    writeln!(
                        script,
                        "code=0; set +e\n{{\n{}\n}} >{out} 2>&1\ncode=$?; set -e",
                        command.line
                    )?;
                    writeln!(
                        script,
                        "[ \"$code\" = {code} ] || {{ echo \"exit code $code\" >>{out}; exit 1; }}"
                    )?;
                }
            }
            _ => {}
        }
    }
    Ok(script)
}

/// What was printed, beside what is shown.
fn compare(document: &str, blocks: &[Block], log: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.way == Some(Way::Commands)) {
        for (place, command) in
            block.commands().iter().enumerate().filter(|(_, command)| !command.output.is_empty())
        {
            let printed = std::fs::read_to_string(log.join(format!("{index}-{place}.out")))?;
            if let Err(why) = shape::same(&command.output, &printed) {
                wrong.push(format!(
                    "{document}, block at line {}:\n$ {}\n{why}; it printed\n{printed}",
                    block.line, command.line
                ));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
