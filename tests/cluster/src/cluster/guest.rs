//! Processes of somebody else that live and end with a cluster, such as an operator under demonstration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

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

    /// SIGKILL: the process finishes nothing and hands nothing over. Returns once it is gone.
    pub async fn kill_process(&self, name: &str) -> Result<()> {
        let process = self.harness()?.processes.get(name)?;
        process.signal(Signal::KILL)?;
        while process.alive() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Stops a process of this cluster as [`Cluster::stop`] would. Returns once it is gone.
    pub async fn stop_process(&self, name: &str) -> Result<()> {
        let process = self.harness()?.processes.get(name)?;
        tokio::task::spawn_blocking(move || process.stop()).await?
    }

    /// Starts a process of this cluster again with the same command; one that still runs is stopped first.
    pub async fn restart_process(&self, name: &str) -> Result<()> {
        let (processes, name) = (self.harness()?.processes.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || processes.restart(&name)).await??;
        Ok(())
    }

    /// The log file of a process of this cluster.
    pub fn process_log(&self, name: &str) -> Result<PathBuf> {
        Ok(self.harness()?.dir.join("logs").join(format!("{name}.log")))
    }
}
