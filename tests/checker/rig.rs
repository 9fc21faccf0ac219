//! A real Prometheus that scrapes an exporter of the test five times a second.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bluegreen_cluster::{free_ports, patiently, prometheus, target};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::program::{Ended, Folder, Running, check, start};

/// What the exporter says at first.
const METRICS: &str = "ratio{app=\"hello\",tag=\"v2\"} 0.005\nratio{app=\"other\",tag=\"v1\"} 0.5\nzero 0\n";

/// A Prometheus. It ends with the test.
pub struct Rig {
    child: Child,
    port: u16,
    tls: bool,
    metrics: Arc<Mutex<String>>,
    folder: Folder,
    _exporter: JoinSet<()>,
}

impl Rig {
    /// Over plain HTTP.
    pub async fn start() -> Self {
        Self::with(false).await
    }

    /// Over TLS, with a certificate for `localhost` from a CA of the test.
    pub async fn start_tls() -> Self {
        Self::with(true).await
    }

    async fn with(tls: bool) -> Self {
        let folder = Folder::new();
        let metrics = Arc::new(Mutex::new(METRICS.to_owned()));
        let shown = metrics.clone();
        let pages = Router::new().route("/metrics", get(async move || shown.lock().unwrap().clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let exporter = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, pages).await.unwrap() });
        let config = json!({
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
            "scrape_configs": [{"job_name": "test", "static_configs": [{"targets": [exporter.to_string()]}]}],
        });
        std::fs::write(folder.0.join("prometheus.yml"), config.to_string()).unwrap();
        if tls {
            certificates(&folder.0);
        }
        let [port] = free_ports().unwrap();
        let child = spawn(&folder.0, port, tls);
        let rig = Self { child, port, tls, metrics, folder, _exporter: serving };
        rig.scraped("sum(ratio)", "0.505").await;
        rig
    }

    /// The address for `--address`.
    pub fn address(&self) -> String {
        format!("{}://localhost:{}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file of the CA.
    pub fn ca(&self) -> String {
        self.folder.0.join("ca.crt").display().to_string()
    }

    /// What every check of this Prometheus has.
    fn flags<'a>(&self, address: &'a str, query: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let flags = ["prometheus", "--address", address, "--query", query, "--timeout-seconds", "2"];
        [&flags, more].concat()
    }

    /// Checks to the end.
    pub async fn check(&self, query: &str, more: &[&str]) -> Ended {
        check(&self.flags(&self.address(), query, more), &[("BLUEGREEN_TAG", "v2")]).await
    }

    /// Begins a check.
    pub fn begin(&self, query: &str, more: &[&str]) -> Running {
        start(&self.flags(&self.address(), query, more), &[])
    }

    /// Changes what the exporter says, and waits until `query` answers `value`.
    pub async fn set(&self, metrics: &str, query: &str, value: &str) {
        metrics.clone_into(&mut self.metrics.lock().unwrap());
        self.scraped(query, value).await;
    }

    async fn scraped(&self, query: &str, value: &str) {
        let ca = self.ca();
        let mut limits = vec!["--min", value, "--max", value];
        if self.tls {
            limits.extend(["--ca-file", &ca]);
        }
        let asked = async || {
            let ended = self.check(query, &limits).await;
            anyhow::ensure!(ended.code == Some(0), "{ended:?}");
            Ok(())
        };
        patiently(Duration::from_secs(60), asked).await.unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// After [`Rig::kill`], with the same port.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.folder.0, self.port, self.tls);
        self.scraped("sum(ratio)", "0.505").await;
    }
}

/// Starts Prometheus in `folder`.
pub fn spawn(folder: &Path, port: u16, tls: bool) -> Child {
    let program = prometheus::ensure(&target().unwrap()).unwrap().join("prometheus");
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=warn");
    if tls {
        command.arg(format!("--web.config.file={}", folder.join("web.yml").display()));
    }
    let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap()
}

/// A CA, and Prometheus' own configuration of TLS with a certificate from it.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), own.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    let web = json!({"tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"}});
    std::fs::write(folder.join("web.yml"), web.to_string()).unwrap();
}
