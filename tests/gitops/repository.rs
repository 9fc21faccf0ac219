//! A Git repository as a team has it, served on loopback.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bluegreen_cluster::{Cluster, free_ports, output};
use tokio::process::Command;

/// A bare repository `deploy.git`, and the team's clone of it. Its server ends with the cluster.
pub struct Repository {
    /// Where it is served.
    pub url: String,
    /// Its own files.
    pub bare: PathBuf,
    /// The clone, where commits are made.
    pub clone: PathBuf,
}

impl Repository {
    /// Serves an empty one out of this folder, with what the server is to do beyond reads.
    pub async fn serve(cluster: &Cluster, folder: &Path, more: &[&str]) -> Result<Self> {
        let served = folder.join("git");
        std::fs::create_dir_all(&served)?;
        let (bare, clone) = (served.join("deploy.git"), folder.join("deploy"));
        let (bare_path, clone_path) = (bare.display().to_string(), clone.display().to_string());
        git(&["init", "--quiet", "--bare", "--initial-branch=main", &bare_path]).await?;
        git(&["clone", "--quiet", &bare_path, &clone_path]).await?;
        for (key, value) in
            [("user.name", "a team"), ("user.email", "team@example.com"), ("push.default", "current")]
        {
            git(&["-C", &clone_path, "config", key, value]).await?;
        }
        git(&["-C", &clone_path, "symbolic-ref", "HEAD", "refs/heads/main"]).await?;
        let [port] = free_ports()?;
        let base = format!("--base-path={}", served.display());
        let url = format!("git://127.0.0.1:{port}/deploy.git");
        let port = format!("--port={port}");
        let arguments = ["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", &port, &base];
        let arguments = [arguments.as_slice(), more].concat();
        cluster.start_process("git-daemon", Path::new("git"), &arguments, &[])?;
        Ok(Self { url, bare, clone })
    }
}

async fn git(arguments: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    git.args(arguments);
    output(git).await.map(drop)
}
