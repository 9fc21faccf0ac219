//! The commands of a document, run as a person would run them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::root;

const DOCUMENT: &str = "docs/gitops.md";

/// Where commands run.
pub struct Shell {
    /// The folder.
    pub folder: PathBuf,
    /// Found before everything else.
    pub programs: Vec<PathBuf>,
    pub kubeconfig: PathBuf,
}

impl Shell {
    /// The same in another folder.
    pub fn at(&self, folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            programs: self.programs.clone(),
            kubeconfig: self.kubeconfig.clone(),
        }
    }

    fn path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(std::env::join_paths(self.programs.iter().cloned().chain(std::env::split_paths(&path)))?)
    }

    /// Runs a command line; what it prints.
    pub async fn run(&self, line: &str) -> Result<String> {
        println!("$ {line}");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", line])
            .current_dir(&self.folder)
            .env("PATH", self.path()?)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{line}\n{out}{err}");
        Ok(out.into_owned())
    }

    /// Runs the commands of a section of the document.
    pub async fn follow(&self, section: &str) -> Result<()> {
        for line in commands(section)? {
            self.run(&line).await?;
        }
        Ok(())
    }
}

/// The commands of one section, whatever its level.
pub fn commands(section: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root().join(DOCUMENT))?;
    let heading = |line: &str| line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    let mut lines =
        text.lines().skip_while(|line| !heading(line) || line.trim_start_matches('#').trim() != section);
    lines.next().with_context(|| format!("no section {section}"))?;
    let lines = lines.take_while(|line| !heading(line));
    let found: Vec<_> = lines.filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect();
    ensure!(!found.is_empty(), "{section} has no command");
    Ok(found)
}
