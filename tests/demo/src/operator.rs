//! The operator: in the demo's own cluster as anybody installs it, in Pods from its image. In the user's cluster, which can't
//! pull that image, as a process of this machine, with the rights that it would have in a Pod and no more.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{patiently, tail, target};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::kubectl::Kubectl;
use crate::place::{NAMESPACE, OPERATOR, Place, SYSTEM};
use crate::say::say;

/// The name of the operator's account.
const ACCOUNT: &str = "demo-bluegreen-operator";

/// The name of its Lease.
pub const LEASE: &str = "bluegreen-operator";

/// Runs the operator's command, and ends it when standard input ends: with the demo, in whatever way that ends.
const TIED: &str = r#""$@" & cat; kill "$!"; wait "$!""#;

/// The operator that acts in this demo.
pub enum Operator {
    /// In Pods of the demo's cluster.
    InPods,
    /// Beside the user's cluster.
    Beside {
        /// The process, or the shell that ends it.
        process: Box<Child>,
        /// Its log.
        log: PathBuf,
    },
    /// The user's own.
    Installed,
}

impl Operator {
    /// Starts it, unless one is there already. With `keep` it outlives the demo.
    pub async fn start(place: &Place, keep: bool) -> Result<Self> {
        if place.is_own() {
            let rollout =
                ["rollout", "status", "deployment/bluegreen-operator", "--timeout=120s", "-n", SYSTEM];
            place.kubectl.show(&rollout).await?;
            return Ok(Self::InPods);
        }
        if let Some(namespace) = installed(place).await? {
            say(format_args!("  an operator runs here already, in namespace {namespace}: the demo uses it"));
            return Ok(Self::Installed);
        }
        ensure!(!may_do_everything(place).await?, "{ACCOUNT} must not be a cluster admin");
        let kubeconfig = kubeconfig_path()?;
        write_kubeconfig(&place.kubectl, &kubeconfig).await?;
        let program = std::env::current_exe()?.with_file_name("bluegreen-operator");
        ensure!(program.is_file(), "there is no {}: have it built by `make demo`", program.display());
        let mut arguments = vec!["run", "--lease-namespace", NAMESPACE];
        arguments.extend(["--health-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"]);
        arguments.extend(["--namespace", NAMESPACE]);
        let started = beside(&program, &arguments, &kubeconfig, keep)?;
        if let (Self::Beside { process, .. }, true) = (&started, keep) {
            let pid = process.id().unwrap_or_default();
            say(format_args!("  it stays when the demo ends: `kill {pid}` ends it"));
        }
        Ok(started)
    }

    /// Waits until it may act.
    pub async fn leads(&self, place: &Place) -> Result<()> {
        let (namespace, rights) = match self {
            Self::Installed => return Ok(()),
            Self::InPods => (SYSTEM, "in two Pods, with its own ServiceAccount: ".to_owned()),
            Self::Beside { .. } => {
                (NAMESPACE, format!("as {ACCOUNT}, with the rights of {OPERATOR} and no more: "))
            }
        };
        let leases: Api<Lease> = Api::namespaced(place.cluster.client()?, namespace);
        let attempt = async || {
            let lease = leases.get_opt(LEASE).await?;
            let holder = lease.and_then(|lease| lease.spec?.holder_identity);
            holder.filter(|holder| !holder.is_empty()).context("the operator does not lead")
        };
        let holder = patiently(Duration::from_secs(30), attempt).await?;
        say(format_args!("  it runs {rights}{} leads", holder.split('_').next().unwrap_or_default()));
        Ok(())
    }

    /// The end of its log, for a person; empty of one that is not ours.
    pub async fn tail(&self, place: &Place) -> String {
        match self {
            Self::InPods => {
                let logs =
                    ["logs", "-n", SYSTEM, "-l", "app.kubernetes.io/name=bluegreen-operator", "--tail=40"];
                place.kubectl.quiet(&logs).await.unwrap_or_else(|error| format!("{error:#}"))
            }
            Self::Beside { log, .. } => tail(log, 40),
            Self::Installed => String::new(),
        }
    }

    /// Ends a process that no cluster would end.
    pub async fn stop(self, keep: bool) -> Result<()> {
        if let (Self::Beside { mut process, .. }, false) = (self, keep) {
            drop(process.stdin.take());
            process.wait().await?;
            fs::remove_file(kubeconfig_path()?)?;
        }
        Ok(())
    }
}

fn beside(program: &Path, arguments: &[&str], kubeconfig: &Path, keep: bool) -> Result<Operator> {
    let log = target()?.join("demo-operator.log");
    let output = File::create(&log)?;
    let mut command = if keep {
        Command::new(program)
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", TIED, "sh"]).arg(program);
        command
    };
    let process = command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(if keep { Stdio::null() } else { Stdio::piped() })
        .stdout(output.try_clone()?)
        .stderr(output)
        // Ctrl-C is for the demo, which then ends this in order.
        .process_group(0)
        .spawn()
        .context("cannot start the operator")?;
    Ok(Operator::Beside { process: Box::new(process), log })
}

/// The namespace of an operator that somebody has installed in the user's cluster and that renews its Lease.
async fn installed(place: &Place) -> Result<Option<String>> {
    let ours = ListParams::default().fields(&format!("metadata.name={LEASE}"));
    let leases = Api::<Lease>::all(place.cluster.client()?).list(&ours).await?;
    let fresh = |lease: &Lease| {
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
        renewed.is_some_and(|time| {
            k8s_openapi::jiff::Timestamp::now().duration_since(time.0)
                < k8s_openapi::jiff::SignedDuration::from_secs(30)
        })
    };
    Ok(leases.iter().find(|lease| fresh(lease)).and_then(ResourceExt::namespace))
}

/// Asks the API server, which knows of every binding.
async fn may_do_everything(place: &Place) -> Result<bool> {
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}"),
        "resourceAttributes": {"group": "*", "resource": "*", "verb": "*"},
    }}))?;
    let reviews: Api<SubjectAccessReview> = Api::all(place.cluster.client()?);
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("the API server does not say what the operator may do")?.allowed)
}

fn kubeconfig_path() -> Result<PathBuf> {
    Ok(target()?.join("demo-operator.kubeconfig"))
}

/// A kubeconfig with the account's token and none of the admin's rights.
pub async fn write_kubeconfig(kubectl: &Kubectl, path: &Path) -> Result<()> {
    let token = kubectl.quiet(&["create", "token", ACCOUNT, "-n", NAMESPACE, "--duration=24h"]).await?;
    let admin = kubectl.quiet(&["config", "view", "--minify", "--raw", "--flatten", "-o", "json"]).await?;
    let mut config: Value = serde_json::from_str(&admin)?;
    let context = config.pointer_mut("/contexts/0/context").context("the kubeconfig has no context")?;
    context["user"] = json!(ACCOUNT);
    config["users"] = json!([{"name": ACCOUNT, "user": {"token": token.trim()}}]);
    // Readable by its owner only: it holds a secret.
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(config.to_string().as_bytes())?;
    Ok(())
}
