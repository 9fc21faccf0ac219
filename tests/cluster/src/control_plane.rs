//! API server, controller manager and scheduler.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};

use crate::Options;
use crate::audit;
use crate::datastore;
use crate::dir::ClusterDir;
use crate::kubeconfig;
use crate::net::Network;
use crate::pki::{KUBERNETES_SERVICE, Pki};
use crate::process::{Processes, Service};
use crate::tools::Tools;

/// How long anything may take to come up before the start is given up.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The name under which the API server forwards requests to its extensions.
const FRONT_PROXY: &str = "front-proxy";

/// What all parts of a cluster need to start.
pub struct Setup<'a> {
    /// Its folder.
    pub dir: &'a ClusterDir,
    /// Its programs.
    pub tools: &'a Tools,
    /// Its certificates.
    pub pki: &'a Pki,
    /// Its processes.
    pub processes: &'a Processes,
    /// What was asked for.
    pub options: &'a Options,
    /// The network of its real nodes, if it has any.
    pub network: Option<Network>,
    /// The API server's URL.
    pub server: &'a str,
}

impl Setup<'_> {
    /// Writes `FILE.kubeconfig` for a component.
    pub fn component_kubeconfig(&self, file: &str, user: &str, groups: &[&str]) -> Result<String> {
        let path = self.dir.join("config").join(format!("{file}.kubeconfig"));
        let pair = self.pki.client(user, groups)?;
        kubeconfig::write(self.pki, self.server, user, &pair, &path)?;
        Ok(path.display().to_string())
    }

    /// Writes a configuration file and returns its path.
    pub fn config_file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.dir.join("config").join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    /// Starts a program of ours under its own name.
    pub fn start(&self, program: &str, arguments: impl IntoIterator<Item = String>) -> Result<()> {
        self.processes.start(Service::new(program, &self.tools.path(program), arguments))?;
        Ok(())
    }

    /// See [`wait`].
    pub async fn wait<T>(
        &self,
        what: &str,
        process: &str,
        attempt: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T> {
        wait(self.processes, what, process, attempt).await
    }
}

/// Tries again until there is an answer. Fails at once, with its log, when a process has died.
pub async fn wait<T>(
    processes: &Processes,
    what: &str,
    process: &str,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = attempt().await {
            return Ok(answer);
        }
        if let Some(dead) = processes.dead()?.first() {
            bail!("{dead} ended while we waited for {what}; {}", processes.tail(dead));
        }
        if Instant::now() > deadline {
            bail!("no {what} after {} s; {}", PATIENCE.as_secs(), processes.tail(process));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the API server is ready.
pub async fn ready(client: &Client, processes: &Processes) -> Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new()).context("the request for /readyz")?;
    let attempt = async || client.request_text(request.clone()).await.ok();
    wait(processes, "ready API server", "kube-apiserver", attempt).await?;
    Ok(())
}

/// Starts the control plane; returns when it serves requests and its controllers work.
pub async fn start(setup: &Setup<'_>, client: &Client) -> Result<()> {
    let datastore = datastore::start(setup)?;
    start_apiserver(setup, datastore)?;
    ready(client, setup.processes).await?;
    start_scheduler(setup)?;
    start_controller_manager(setup)?;
    // Without it no pod can be created; it is there as soon as the controllers run.
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    setup
        .wait("default ServiceAccount", "kube-controller-manager", async || {
            accounts.get("default").await.ok()
        })
        .await?;
    Ok(())
}

/// The address that the API server listens on: as narrow as the nodes allow.
pub fn address(network: Option<Network>) -> Ipv4Addr {
    network.map_or(Ipv4Addr::LOCALHOST, Network::machine)
}

fn start_apiserver(setup: &Setup<'_>, datastore: Vec<String>) -> Result<()> {
    let address = address(setup.network);
    let port = setup.server.rsplit(':').next().unwrap_or_default();
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = [address, Ipv4Addr::LOCALHOST, KUBERNETES_SERVICE].map(IpAddr::V4);
    setup.pki.store("apiserver", &setup.pki.server("kube-apiserver", &[], &names, &addresses)?)?;
    setup
        .pki
        .store("kubelet-client", &setup.pki.client("kube-apiserver-kubelet-client", &["system:masters"])?)?;
    setup.pki.store(FRONT_PROXY, &setup.pki.client(FRONT_PROXY, &[])?)?;
    let file = |name: &str| setup.pki.file(name).display().to_string();
    let mut arguments = vec![
        format!("--bind-address={address}"),
        format!("--advertise-address={address}"),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("apiserver.crt")),
        format!("--tls-private-key-file={}", file("apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--allow-privileged=true".into(),
        "--profiling=false".into(),
        format!("--kubelet-client-certificate={}", file("kubelet-client.crt")),
        format!("--kubelet-client-key={}", file("kubelet-client.key")),
        format!("--kubelet-certificate-authority={}", file("ca.crt")),
        "--kubelet-preferred-address-types=InternalIP".into(),
        // How an extension of the API server, such as metrics-server, learns who asks.
        format!("--requestheader-client-ca-file={}", file("ca.crt")),
        format!("--requestheader-allowed-names={FRONT_PROXY}"),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        format!("--proxy-client-cert-file={}", file(&format!("{FRONT_PROXY}.crt"))),
        format!("--proxy-client-key-file={}", file(&format!("{FRONT_PROXY}.key"))),
    ];
    if setup.network.is_none() {
        // A loopback address is refused as an endpoint, and no pod here could use one anyway.
        arguments.push("--endpoint-reconciler-type=none".into());
    }
    if setup.options.audit {
        arguments
            .push(format!("--audit-policy-file={}", setup.config_file("audit-policy.yaml", audit::POLICY)?));
        arguments.push(format!("--audit-log-path={}", setup.dir.join("audit.log").display()));
        // Megabytes before the file is moved away, which would take the entries from under a reader.
        arguments.push("--audit-log-maxsize=4000".to_owned());
    }
    arguments.extend(datastore);
    arguments.extend(setup.options.apiserver_args.iter().cloned());
    setup.start("kube-apiserver", arguments)
}

fn start_controller_manager(setup: &Setup<'_>) -> Result<()> {
    let kubeconfig =
        setup.component_kubeconfig("controller-manager", "system:kube-controller-manager", &[])?;
    let file = |name: &str| setup.pki.file(name).display().to_string();
    let controllers = match setup.network {
        // Simulated nodes have no heartbeat, which would cost requests all the time.
        None => "--controllers=*,-node-lifecycle-controller",
        Some(_) => "--controllers=*",
    };
    let mut arguments = vec![
        format!("--kubeconfig={kubeconfig}"),
        controllers.into(),
        "--leader-elect=false".into(),
        // No metrics, no port that could be taken.
        "--secure-port=0".into(),
        "--profiling=false".into(),
        "--use-service-account-credentials=true".into(),
        format!("--service-account-private-key-file={}", file("service-accounts.key")),
        format!("--root-ca-file={}", file("ca.crt")),
        format!("--cluster-signing-cert-file={}", file("ca.crt")),
        format!("--cluster-signing-key-file={}", file("ca.key")),
        // The defaults are for sharing a server; here they would be what a test measures.
        "--horizontal-pod-autoscaler-sync-period=5s".into(),
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
        "--concurrent-deployment-syncs=20".into(),
        "--concurrent-replicaset-syncs=20".into(),
        "--concurrent-service-endpoint-syncs=20".into(),
        "--concurrent-endpoint-syncs=5".into(),
        "--concurrent-gc-syncs=20".into(),
        "--concurrent-namespace-syncs=20".into(),
    ];
    arguments.extend(setup.options.controller_manager_args.iter().cloned());
    setup.start("kube-controller-manager", arguments)
}

fn start_scheduler(setup: &Setup<'_>) -> Result<()> {
    let kubeconfig = setup.component_kubeconfig("scheduler", "system:kube-scheduler", &[])?;
    let config = serde_json::json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": false},
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 500, "burst": 1000},
    });
    let config = setup.config_file("scheduler.json", &config.to_string())?;
    let arguments = [format!("--config={config}"), "--secure-port=0".into()];
    setup.start("kube-scheduler", arguments)
}
