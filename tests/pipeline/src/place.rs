//! Where the pipeline runs: a cluster with a real node, the operator installed as `docs/install.md` says, the account that a
//! GitLab agent would act as, and traffic.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, Node, Options, bash, output, target};
use bluegreen_load::{Load, Plan};
use serde_json::Value;

use crate::say;

/// The namespace of the app; `NAMESPACE` in the pipeline.
pub const NAMESPACE: &str = "shop";

/// The app; `APP` in the pipeline.
pub const APP: &str = "hello";

/// As whom the GitLab agent acts with `access_as: {ci_job: {}}`; the groups are those that `role.yaml` names.
const ACCOUNT: (&str, [&str; 2]) = ("gitlab:ci_job:4711", ["gitlab:ci_job", "gitlab:project:1234"]);

/// The agent's context, as GitLab names it: PROJECT:AGENT.
const CONTEXT: &str = "team/shop:k3s";

/// A cluster, ready for the pipeline.
pub struct Place {
    /// The cluster.
    pub cluster: Cluster,
    /// Everything that the run writes: `target/pipeline`.
    pub folder: PathBuf,
    /// The root of this repository.
    pub root: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

/// What serves, told apart from anything that would replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// The color that the live Service selects.
    pub color: String,
    /// Its pods: uid, image and restarts of each.
    pub pods: Vec<String>,
}

impl Place {
    /// Starts the cluster.
    pub async fn new() -> Result<Self> {
        let root = std::env::current_dir()?;
        ensure!(root.join("examples/gitlab").is_dir(), "run this in the root of the repository");
        let folder = target()?.join("pipeline");
        tokio::fs::create_dir_all(&folder).await?;
        let cluster = Cluster::start(Options { node: Node::Real { count: 1 }, ..Options::default() }).await?;
        let mut environment = cluster.environment()?;
        for (name, value) in &mut environment {
            if *name == "PATH" {
                // kubectl finds its plugin there, and a person would have check-jsonschema installed.
                let own = std::env::current_exe()?.parent().context("folder")?.to_owned();
                let folders = [own, folder.join("venv/bin")].into_iter().chain(std::env::split_paths(value));
                *value = std::env::join_paths(folders.collect::<Vec<_>>())?;
            }
        }
        Ok(Self { cluster, folder, root, environment })
    }

    /// Installs the operator from its image.
    pub async fn install(&self) -> Result<()> {
        self.cluster.load_images(&[concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"))]).await?;
        self.show("kubectl apply --server-side -f dist/install.yaml", &self.root).await?;
        let wait = "kubectl -n bluegreen-system rollout status deployment/bluegreen-operator --timeout=180s";
        self.show(wait, &self.root).await?;
        Ok(())
    }

    /// A kubeconfig as GitLab hands it to a job: a context for each agent, and none of them current.
    pub async fn job_kubeconfig(&self) -> Result<PathBuf> {
        let (name, groups) = ACCOUNT;
        let account = self.cluster.user(name, &groups).await?;
        let path = self.folder.join("kubeconfig");
        tokio::fs::copy(&account.kubeconfig, &path).await?;
        let config = format!("kubectl --kubeconfig {} config", path.display());
        let line = format!(
            "{config} rename-context \"$({config} current-context)\" {CONTEXT} && {config} unset current-context"
        );
        self.run(&line, &self.root).await?;
        Ok(path)
    }

    /// Shows a command line, runs it as a cluster admin, and shows what it prints.
    pub async fn show(&self, line: &str, folder: &Path) -> Result<String> {
        say(format_args!("$ {line}"));
        let text = self.run(line, folder).await?;
        if !text.trim().is_empty() {
            say(text.trim_end());
        }
        Ok(text)
    }

    /// Runs a command line as a cluster admin; what it prints.
    pub async fn run(&self, line: &str, folder: &Path) -> Result<String> {
        let mut command = bash(line, folder);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        output(command).await
    }

    async fn json(&self, what: &str) -> Result<Value> {
        let line = format!("kubectl -n {NAMESPACE} get {what} -o json");
        Ok(serde_json::from_str(&self.run(&line, &self.root).await?)?)
    }

    /// What serves now.
    pub async fn serving(&self) -> Result<Serving> {
        let service = self.json(&format!("service {APP}")).await?;
        let color =
            service["spec"]["selector"]["bluegreen.dev/color"].as_str().context("no color is selected")?;
        let selector = format!("pods -l bluegreen.dev/app={APP},bluegreen.dev/color={color}");
        let list = self.json(&selector).await?;
        let all = list["items"].as_array().into_iter().flatten();
        // What is on its way out serves nobody.
        let staying = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let mut pods: Vec<String> = staying.map(identity).collect();
        pods.sort();
        Ok(Serving { color: color.to_owned(), pods })
    }

    /// What the spec asks for: `active`, and the tag of each color.
    pub async fn spec(&self) -> Result<Value> {
        Ok(self.json(&format!("bga {APP}")).await?["spec"].take())
    }

    /// Names of the cluster, for jobs: there is no DNS server here.
    pub async fn hosts(&self) -> Result<PathBuf> {
        let mut text = tokio::fs::read_to_string("/etc/hosts").await.unwrap_or_default();
        let services = self.json("services").await?;
        for service in services["items"].as_array().into_iter().flatten() {
            let (name, address) = (&service["metadata"]["name"], &service["spec"]["clusterIP"]);
            if let (Some(name), Some(address)) = (name.as_str(), address.as_str()) {
                text += &format!("\n{address} {name}.{NAMESPACE}.svc");
            }
        }
        let path = self.folder.join("hosts");
        tokio::fs::write(&path, text + "\n").await?;
        Ok(path)
    }

    /// Writes the names anew, again and again, into the same file; ends only when it can't.
    pub async fn keep_hosts(&self) -> anyhow::Error {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if let Err(error) = self.hosts().await {
                return error;
            }
        }
    }

    /// 200 requests a second to the app's NodePort, half of them on new connections.
    pub async fn traffic(&self) -> Result<Load> {
        let address = SocketAddr::new(self.cluster.node_address().context("a real node")?, 30007);
        Load::once_answered(Plan::mixed(address)).await
    }

    /// The environment of a job: that of a runner on the node, and nothing of this machine's.
    pub fn job_environment(&self, kubeconfig: &Path) -> Result<Vec<(&'static str, OsString)>> {
        let path = self.environment.iter().find(|(name, _)| *name == "PATH").context("PATH")?;
        let state: Value = serde_json::from_slice(&std::fs::read(self.cluster.dir()?.join("state.json"))?)?;
        let id = state["id"].as_str().context("the cluster has no id")?;
        Ok(vec![
            ("PATH", path.1.clone()),
            ("HOME", self.folder.join("home").into()),
            ("TMPDIR", self.folder.join("tmp").into()),
            ("LANG", "C.UTF-8".into()),
            ("NO_COLOR", "1".into()),
            ("FORCE_COLOR", "0".into()),
            ("KUBECONFIG", kubeconfig.into()),
            ("CONTAINERS_STORAGE_CONF", self.folder.join("storage.conf").into()),
            // The mark by which the cluster's clean-up finds a job, should this process be killed.
            ("BLUEGREEN_CLUSTER_ID", format!("{id}.").into()),
        ])
    }
}

/// A pod, such that any other pod, and a restart of this one, is something else.
fn identity(pod: &Value) -> String {
    let statuses = pod["status"]["containerStatuses"].as_array();
    let restarts: u64 =
        statuses.into_iter().flatten().filter_map(|status| status["restartCount"].as_u64()).sum();
    let image = &pod["spec"]["containers"][0]["image"];
    format!("{} {} restarts {restarts}", pod["metadata"]["uid"], image)
}
