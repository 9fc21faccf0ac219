//! The commands of a document, run as a person would run them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bluegreen_cluster::{bash, output};

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
        let mut command = bash(line, &self.folder);
        command.env("PATH", self.path()?).env("KUBECONFIG", &self.kubeconfig);
        output(command).await
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
    let found = bluegreen_cluster::commands(&text, Some(section));
    ensure!(!found.is_empty(), "there is no section {section}, or it has no command");
    Ok(found)
}
