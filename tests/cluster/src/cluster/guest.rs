//! Processes of somebody else that live and end with a cluster, such as an operator under demonstration.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Cluster;
use crate::process::Service;

impl Cluster {
    /// Starts a process that ends with the cluster, in whatever way that ends. It inherits little of the environment,
    /// and gets this one on top.
    pub fn start_process(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &Path)],
    ) -> Result<()> {
        let variables = environment.iter().map(|(key, value)| format!("{key}={}", value.display()));
        let program = std::iter::once(program.display().to_string());
        let command = variables.chain(program).chain(arguments.iter().map(ToString::to_string));
        self.harness()?.processes.start(Service::new(name, Path::new("env"), command))?;
        Ok(())
    }

    /// Whether a process of this cluster runs.
    pub fn process_runs(&self, name: &str) -> Result<bool> {
        Ok(self.harness()?.processes.get(name)?.alive())
    }

    /// The log file of a process of this cluster.
    pub fn process_log(&self, name: &str) -> Result<PathBuf> {
        Ok(self.harness()?.dir.join("logs").join(format!("{name}.log")))
    }
}
