//! A real Argo CD on loopback, its Redis and a Git server beside it. All of it ends with the cluster.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, argocd, free_ports, output, patiently, tail, target};
use kube::config::Kubeconfig;
use serde_json::json;

use crate::repository::Repository;
use crate::root;

/// The repository of Argo CD's examples, which is replaced by ours.
pub const EXAMPLE_REPOSITORY: &str = "https://git.example.com/team/deploy.git";

/// How long a part of it may take to answer.
const MINUTE: Duration = Duration::from_secs(60);

/// A running Argo CD.
pub struct Argo {
    pub cluster: &'static Cluster,
    /// The CLI.
    pub program: PathBuf,
    /// Scratch, in the cluster's own folder.
    pub folder: PathBuf,
    /// What it deploys from.
    pub repository: Repository,
    /// Where its API server listens, once it is started.
    pub api: String,
    redis: String,
    repo_server: String,
}

impl Argo {
    /// Starts everything but the API server.
    pub async fn start(cluster: &'static Cluster) -> Result<Self> {
        let (program, redis, crds) = tokio::task::spawn_blocking(|| {
            let target = target()?;
            anyhow::Ok((argocd::program(&target)?, argocd::redis(&target)?, argocd::crds()?))
        })
        .await??;
        let folder = cluster.dir()?.join("argocd");
        std::fs::create_dir_all(&folder)?;
        let [redis_port, repo_port, api_port] = free_ports()?;
        let local = |port: u16| format!("127.0.0.1:{port}");
        let repository = Repository::serve(cluster, &folder, &[]).await?;
        let (redis_address, repo_server, api) = (local(redis_port), local(repo_port), local(api_port));
        let argo = Self { cluster, program, folder, repository, api, redis: redis_address, repo_server };
        argo.install(&crds).await?;
        argo.start_redis(redis_port, redis)?;
        argo.start_repo_server(repo_port)?;
        argo.answers(&argo.redis).await?;
        argo.answers(&argo.repo_server).await?;
        argo.start_controller()?;
        argo.listens().await?;
        Ok(argo)
    }

    /// Its kinds, its settings, and the cluster that it deploys to.
    async fn install(&self, crds: &[PathBuf]) -> Result<()> {
        for crd in crds {
            self.kubectl(&["apply", "--server-side", "-f", &crd.display().to_string()]).await?;
        }
        let settings = root().join("tests/gitops/argocd.yaml").display().to_string();
        // A kind is served a moment after its definition is taken.
        patiently(MINUTE, async || self.kubectl(&["apply", "-f", &settings]).await).await?;
        let cluster = self.folder.join("cluster.json");
        std::fs::write(&cluster, self.cluster_secret()?)?;
        self.kubectl(&["apply", "-f", &cluster.display().to_string()]).await?;
        Ok(())
    }

    fn cluster_secret(&self) -> Result<String> {
        let config = Kubeconfig::read_from(self.cluster.kubeconfig())?;
        let config = serde_json::to_value(config)?;
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let tls = json!({
            "caData": cluster["certificate-authority-data"],
            "certData": user["client-certificate-data"],
            "keyData": user["client-key-data"],
        });
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "in-cluster",
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": "cluster"},
            },
            "stringData": {
                "name": "in-cluster",
                "server": cluster["server"],
                "config": json!({ "tlsClientConfig": tls }).to_string(),
            },
        });
        Ok(secret.to_string())
    }

    fn start_redis(&self, port: u16, (program, libraries): (PathBuf, Option<PathBuf>)) -> Result<()> {
        let port = port.to_string();
        // A title would be written over its environment, by which the cluster's clean-up finds it.
        let title = ["--set-proc-title", "no"];
        let arguments = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        let arguments = [title.as_slice(), &arguments].concat();
        let libraries = libraries.unwrap_or_default();
        self.cluster.start_process("redis", &program, &arguments, &[("LD_LIBRARY_PATH", &libraries)])
    }

    fn start_repo_server(&self, port: u16) -> Result<()> {
        let [metrics] = free_ports()?;
        let (port, metrics) = (port.to_string(), metrics.to_string());
        let (programs, temporary) = (self.folder.join("bin"), self.folder.join("tmp"));
        for folder in [&programs, &temporary] {
            std::fs::create_dir_all(folder)?;
        }
        // It asks for this program where commits are to be signed, and wants it to be there in any case.
        let verify = programs.join("git-verify-wrapper.sh");
        script(&verify, "exit 0")?;
        // kubectl has kustomize in it.
        let kubectl = self.cluster.tool("kubectl");
        let kustomize = programs.join("kustomize");
        let words = format!(
            "case $1 in\nbuild) shift; exec {} kustomize \"$@\";;\n*) echo v5.7.1;;\nesac",
            kubectl.display()
        );
        script(&kustomize, &words)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = PathBuf::from(std::env::join_paths(
            std::iter::once(programs).chain(std::env::split_paths(&path)),
        )?);
        let arguments = [
            "--address=127.0.0.1",
            "--port",
            &port,
            "--metrics-address=127.0.0.1",
            "--metrics-port",
            &metrics,
            "--redis",
            &self.redis,
        ];
        let environment = self.environment("argocd-repo-server");
        let mut environment: Vec<(&str, &Path)> =
            environment.iter().map(|(key, value)| (*key, value.as_path())).collect();
        environment.extend([("PATH", path.as_path()), ("TMPDIR", temporary.as_path())]);
        self.cluster.start_process("argocd-repo-server", &self.program, &arguments, &environment)
    }

    fn start_controller(&self) -> Result<()> {
        self.start_part("argocd-application-controller", &[])
    }

    /// What a person's clicks reach.
    pub async fn start_api(&self) -> Result<()> {
        let port = self.api.rsplit(':').next().unwrap_or_default();
        let arguments = [
            "--metrics-address=127.0.0.1",
            "--address=127.0.0.1",
            "--port",
            port,
            "--insecure",
            "--disable-auth",
        ];
        self.start_part("argocd-server", &arguments)?;
        self.answers(&self.api).await
    }

    /// Starts a part that reads the cluster, with what it wants beyond the others.
    fn start_part(&self, name: &str, more: &[&str]) -> Result<()> {
        let [metrics] = free_ports()?;
        let (metrics, kubeconfig) = (metrics.to_string(), self.cluster.kubeconfig().display().to_string());
        let common = [
            "--kubeconfig",
            &kubeconfig,
            "--namespace=argocd",
            "--repo-server",
            &self.repo_server,
            "--redis",
            &self.redis,
            "--metrics-port",
            &metrics,
        ];
        let environment = self.environment(name);
        let environment: Vec<(&str, &Path)> =
            environment.iter().map(|(key, value)| (*key, value.as_path())).collect();
        self.cluster.start_process(name, &self.program, &[&common, more].concat(), &environment)
    }

    /// Nothing outside of the scratch folder is read or written.
    fn environment(&self, name: &str) -> Vec<(&'static str, PathBuf)> {
        let scratch = |name: &str| {
            let folder = self.folder.join(name);
            let _ = std::fs::create_dir_all(&folder);
            folder
        };
        vec![
            ("ARGOCD_BINARY_NAME", name.into()),
            ("ARGOCD_GPG_ENABLED", "false".into()),
            ("ARGOCD_GNUPGHOME", scratch("gnupg")),
            ("ARGOCD_GPG_DATA_PATH", scratch("gpg")),
            ("ARGOCD_TLS_DATA_PATH", scratch("tls")),
            ("ARGOCD_SSH_DATA_PATH", scratch("ssh")),
            ("ARGOCD_ASK_PASS_SOCK", self.folder.join("ask-pass.sock")),
            ("HOME", scratch("home")),
        ]
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<()> {
        output(self.cluster.kubectl(arguments)).await.map(drop)
    }

    async fn answers(&self, address: &str) -> Result<()> {
        let attempt = async || Ok(tokio::net::TcpStream::connect(address).await?);
        let answered = patiently(MINUTE, attempt).await.map(drop);
        answered.with_context(|| format!("nobody answers at {address}\n{}", self.logs().unwrap_or_default()))
    }

    /// Waits until the controller hears of settings. One that is changed while it starts reaches a part of it only: it then tells of an
    /// app's health when it looks the next time, two minutes later.
    async fn listens(&self) -> Result<()> {
        let log = self.cluster.process_log("argocd-application-controller")?;
        let attempt = async || {
            let said = tokio::fs::read_to_string(&log).await?;
            ensure!(
                said.contains("subscribed to settings updates"),
                "it does not listen to its settings yet"
            );
            Ok(())
        };
        patiently(MINUTE, attempt).await
    }

    /// The end of each part's log.
    pub fn logs(&self) -> Result<String> {
        let mut text = String::new();
        for name in ["redis", "argocd-repo-server", "argocd-application-controller", "argocd-server"] {
            text += &format!("--- {name}\n{}\n", tail(&self.cluster.process_log(name)?, 25));
        }
        Ok(text)
    }
}

/// Writes a program for the shell.
pub fn script(path: &Path, words: &str) -> Result<()> {
    std::fs::write(path, format!("#!/bin/sh\n{words}\n"))?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}
