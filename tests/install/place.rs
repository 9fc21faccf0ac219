//! A cluster with a real node and the images on it, a shell in which the documents' commands run, and traffic.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, Node, Offset, Options, Tools, commands, patiently, prometheus, target};
use bluegreen_load::{Load, Plan};

/// Where the documents' commands run.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The operator's account, as the API server knows it.
pub const ACCOUNT: &str = "system:serviceaccount:bluegreen-system:bluegreen-operator";

pub struct Place {
    pub cluster: Cluster,
    /// Where its commands run.
    folder: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Place {
    /// `None`, with the reason said, where no real node can run; `REQUIRE_REAL_NODE=1` makes that an error.
    pub async fn new() -> Result<Option<Self>> {
        let operator = concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"), ".tar");
        Self::with(Path::new(REPOSITORY), &target()?.join("images").join(operator)).await
    }

    /// The same in another folder, which is on the `PATH` too, with the operator's image.
    pub async fn with(folder: &Path, operator: &Path) -> Result<Option<Self>> {
        if !Cluster::real_node_wanted()? {
            return Ok(None);
        }
        let options = Options {
            node: Node::Real { count: 1 },
            // The API server is in no pod network and has no use for the addresses of Services, behind which webhooks may be.
            apiserver_args: vec!["--enable-aggregator-routing=true".to_owned()],
            ..Options::default()
        };
        let cluster = Cluster::start(options).await?;
        cluster.load_images(&["hello-v1.0.0", "hello-v2.0.0"]).await?;
        cluster.load_image(operator).await.context("run `make image` first")?;
        let mut environment = cluster.environment()?;
        let helm = Tools::helm(&target()?)?.parent().context("helm's folder")?.to_owned();
        find_also(&mut environment, &[helm, prometheus::ensure(&target()?)?, folder.to_owned()])?;
        Ok(Some(Self { cluster, folder: folder.to_owned(), environment }))
    }

    /// Its commands find the programs of this folder, too, and see this variable.
    pub fn with_more(mut self, programs: &Path, variable: (&'static str, &Path)) -> Result<Self> {
        find_also(&mut self.environment, &[programs.to_owned()])?;
        self.environment.push((variable.0, variable.1.into()));
        Ok(self)
    }

    /// Runs a command line in the place's folder, which is the repository's root, or that of a release; what it prints.
    pub fn run(&self, line: &str) -> Result<String> {
        println!("$ {line}");
        let output = self.command(line).output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{line}\n{out}{err}");
        Ok(out.into_owned())
    }

    /// Starts a command line that is to run beside others; what it complains of stands in the test's output.
    pub fn start(&self, line: &str) -> Result<std::process::Child> {
        println!("$ {line} &");
        Ok(self.command(line).stdout(Stdio::null()).spawn()?)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", line]).current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(key, value)| (key, value))).stdin(Stdio::null());
        command
    }

    /// Runs the commands of a section of `docs/install.md`.
    pub fn follow(&self, section: &str) -> Result<()> {
        self.follow_in("docs/install.md", section)
    }

    /// The same for another document.
    pub fn follow_in(&self, document: &str, section: &str) -> Result<()> {
        self.commands_in(document, section)?.iter().try_for_each(|line| self.run(line).map(drop))
    }

    /// The commands of a section of a document.
    pub fn commands_in(&self, document: &str, section: &str) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(Path::new(REPOSITORY).join(document))?;
        let lines = commands(&text, Some(section));
        ensure!(!lines.is_empty(), "there is no section {section}, or it has no command");
        Ok(lines)
    }

    /// 200 requests a second to the app's NodePort, half of them on new connections.
    pub async fn traffic(&self) -> Result<Load> {
        let address = SocketAddr::new(self.cluster.node_address().context("a real node")?, 30007);
        Load::once_answered(Plan::mixed(address)).await
    }

    /// The color that the Service selects.
    pub fn live(&self) -> Result<String> {
        self.run(r"kubectl get service hello -o jsonpath='{.spec.selector.bluegreen\.dev/color}'")
    }

    /// Asks for a color with new pods, so that the switch takes a while, and waits until it is under way.
    pub fn begin_slow_switch(&self, to: &str, revision: u32) -> Result<()> {
        let patch = format!(r#"{{"spec":{{"active":"{to}","{to}":{{"revision":"{revision}"}}}}}}"#);
        self.run(&format!("kubectl patch bga hello --type merge -p '{patch}'"))?;
        self.run(&format!(
            "kubectl wait bga hello --for=jsonpath='{{.status.switch.to}}'={to} --timeout=30s"
        ))?;
        Ok(())
    }

    /// The pod that holds the Lease.
    pub async fn leader(&self) -> Result<String> {
        let attempt = async || {
            let holder =
                self.run("kubectl -n bluegreen-system get lease bluegreen-operator -o jsonpath='{.spec.holderIdentity}'")?;
            let pod = holder.split_once('_').map(|(pod, _)| pod.to_owned());
            pod.with_context(|| format!("nobody leads: {holder:?}"))
        };
        patiently(Duration::from_secs(60), attempt).await
    }

    /// The app goes on as it is, with the kind still there, and nothing was lost.
    pub async fn left_alone(&self, color: &str, load: Load) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.run("kubectl get crd bluegreenapps.bluegreen.dev")?;
        self.run("kubectl get bga hello")?;
        ensure!(self.live()? == color, "the Service was touched");
        let ready = self
            .run(&format!("kubectl get deployment hello-{color} -o jsonpath='{{.status.readyReplicas}}'"))?;
        ensure!(ready == "3", "{ready} of 3 pods are ready");
        let report = load.stop().await?;
        println!("{report}");
        ensure!(report.total.failed() == 0, "{} requests were lost", report.total.failed());
        Ok(())
    }

    /// Nothing that the operator's account asked for was refused.
    pub fn refused(&self) -> Result<()> {
        self.refused_since(Offset::default())
    }

    /// The same, from a place in the audit log on.
    pub fn refused_since(&self, since: Offset) -> Result<()> {
        let audit = self.cluster.audit()?;
        let ours = audit.matching(since, |entry| entry.user == ACCOUNT)?;
        let refused: Vec<_> = ours.iter().filter(|entry| entry.code == 403).map(|entry| &entry.uri).collect();
        println!("{} requests by {ACCOUNT}, {} refused", ours.len(), refused.len());
        ensure!(!ours.is_empty() && refused.is_empty(), "{refused:?}");
        Ok(())
    }
}

/// Adds folders to the `PATH`.
fn find_also(environment: &mut [(&'static str, OsString)], more: &[PathBuf]) -> Result<()> {
    for (_, value) in environment.iter_mut().filter(|(name, _)| *name == "PATH") {
        let folders = std::env::split_paths(value).chain(more.iter().cloned()).collect::<Vec<_>>();
        *value = std::env::join_paths(folders)?;
    }
    Ok(())
}
