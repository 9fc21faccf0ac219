//! What is stored in etcd: a copy of it, and the way back to that copy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Cluster;
use crate::command::patiently;
use crate::control_plane::PATIENCE;
use crate::datastore::FOLDER;

/// Everything that acts on what it has read from the API server.
const CONTROLLERS: [&str; 3] = ["kube-controller-manager", "kube-scheduler", "kwok"];

/// What was stored at one moment.
#[derive(Debug)]
pub struct Backup(PathBuf);

impl Cluster {
    /// Copies the files of etcd while it is stopped: they hold what a snapshot of that moment would. The API server goes on,
    /// and answers again when this returns. Not with kine.
    pub async fn back_up(&self) -> Result<Backup> {
        self.stop_process("etcd").await?;
        let dir = self.dir()?;
        let backup = dir.join(format!("{FOLDER}-backup"));
        replace(&backup, &dir.join(FOLDER))?;
        self.restart_process("etcd").await?;
        self.answers().await?;
        Ok(Backup(backup))
    }

    /// Stops the control plane, puts that copy in the place of what is stored, and starts everything again, as Kubernetes' guide
    /// says: no controller of the cluster goes on with what it has read before. Returns when the API server is ready.
    pub async fn restore(&self, backup: &Backup) -> Result<()> {
        self.stop_readers().await?;
        self.restore_only_etcd(backup).await?;
        self.start_readers().await
    }

    /// As [`Cluster::restore`], against the guide: all but etcd goes on.
    pub async fn restore_only_etcd(&self, backup: &Backup) -> Result<()> {
        self.stop_process("etcd").await?;
        replace(&self.dir()?.join(FOLDER), &backup.0)?;
        self.restart_process("etcd").await
    }

    /// Stops the control plane but etcd and starts it again. Returns when the API server is ready.
    pub async fn restart_readers(&self) -> Result<()> {
        self.stop_readers().await?;
        self.start_readers().await
    }

    async fn stop_readers(&self) -> Result<()> {
        for name in CONTROLLERS.into_iter().chain(["kube-apiserver"]) {
            self.stop_process(name).await?;
        }
        Ok(())
    }

    async fn start_readers(&self) -> Result<()> {
        self.restart_process("kube-apiserver").await?;
        self.answers().await?;
        for name in CONTROLLERS {
            self.restart_process(name).await?;
        }
        Ok(())
    }

    /// Waits until the API server is ready. Others of the cluster's processes may be stopped meanwhile.
    async fn answers(&self) -> Result<()> {
        let client = self.client()?;
        let request = http::Request::get("/readyz").body(Vec::new()).context("the request for /readyz")?;
        patiently(PATIENCE, async || Ok(client.request_text(request.clone()).await.map(drop)?)).await
    }
}

/// Makes `folder` a copy of another one.
fn replace(folder: &Path, with: &Path) -> Result<()> {
    ensure!(with.is_dir(), "there is no {}: is this etcd?", with.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    copy(with, folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    // etcd refuses a folder that others may read.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
