//! A cluster with a real node, and autoscalers in it as users have them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, Node, Options, autoscalers, fed, output, patiently, target};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::Api;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::e2e::harness::setup;

/// How long a part may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// One for all tests, with metrics-server in it.
pub async fn cluster() -> Result<&'static Cluster> {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let started = CLUSTER.get_or_try_init(|| async {
        let options = Options {
            node: Node::Real { count: 1 },
            // The API server is in no pod network and has no use for the addresses of Services.
            apiserver_args: vec!["--enable-aggregator-routing=true".to_owned()],
            ..Options::default()
        };
        let cluster = Cluster::start(options).await?;
        setup::install(&cluster).await?;
        cluster.load_images(&["hello-v1.0.0", "hello-v2.0.0"]).await?;
        let image = tokio::task::spawn_blocking(|| autoscalers::image(&target()?)).await??;
        cluster.load_image(&image).await?;
        metrics_server(&cluster).await?;
        Ok(cluster)
    });
    started.await
}

async fn metrics_server(cluster: &Cluster) -> Result<()> {
    apply(cluster, modules(autoscalers::metrics_server, &["rbac", "apiservice"], "manifests/base").await?)
        .await?;
    apply(cluster, vec![ours("metrics-server.yaml")]).await?;
    rolled_out(cluster, "kube-system", &["metrics-server"]).await?;
    served(cluster, "v1beta1.metrics.k8s.io").await
}

/// Installs KEDA; once for all tests.
pub async fn keda() -> Result<&'static Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = cluster().await?;
    INSTALLED.get_or_try_init(|| install_keda(cluster)).await?;
    Ok(cluster)
}

async fn install_keda(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["create", "namespace", "keda"]).await?;
    let files = [
        "crd/bases",
        "service_account/service_account",
        "rbac/role",
        "rbac/role_binding",
        "manager/service",
        "metrics-server/role",
        "metrics-server/role_binding",
        "metrics-server/service",
        "metrics-server/api_service",
    ];
    apply(cluster, modules(autoscalers::keda, &files, "config").await?).await?;
    let names = ["keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc"];
    let certificate = Certificate::new(&names)?;
    let secret = certificate.secret("keda", "kedaorg-certs", ["ca.crt", "tls.crt", "tls.key"]);
    fed(cluster.kubectl(&["apply", "-f", "-"]), &secret.to_string()).await?;
    // What KEDA's operator would write if it made the certificates.
    let api = "v1beta1.external.metrics.k8s.io";
    let patch = json!({"spec": {"caBundle": certificate.bundle()}}).to_string();
    kubectl(cluster, &["patch", "apiservice", api, "--type=merge", "-p", &patch]).await?;
    apply(cluster, vec![ours("keda.yaml")]).await?;
    rolled_out(cluster, "keda", &["keda-operator", "keda-metrics-apiserver"]).await?;
    served(cluster, api).await
}

/// Installs the VerticalPodAutoscaler; once for all tests.
pub async fn vertical() -> Result<&'static Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = cluster().await?;
    INSTALLED.get_or_try_init(|| install_vertical(cluster)).await?;
    Ok(cluster)
}

async fn install_vertical(cluster: &Cluster) -> Result<()> {
    let files = ["vpa-v1-crd-gen", "vpa-rbac", "admission-controller-service"];
    apply(cluster, modules(autoscalers::vertical, &files, "deploy").await?).await?;
    let certificate = Certificate::new(&["vpa-webhook.kube-system.svc"])?;
    let names = ["caCert.pem", "serverCert.pem", "serverKey.pem"];
    let secret = certificate.secret("kube-system", "vpa-tls-certs", names);
    fed(cluster.kubectl(&["apply", "-f", "-"]), &secret.to_string()).await?;
    apply(cluster, vec![ours("vertical.yaml")]).await?;
    rolled_out(cluster, "kube-system", &["vpa-recommender", "vpa-updater", "vpa-admission-controller"])
        .await?;
    // It registers itself a while after its start.
    let attempt =
        async || kubectl(cluster, &["get", "mutatingwebhookconfiguration", "vpa-webhook-config"]).await;
    patiently(PATIENCE, attempt).await.map(drop)
}

/// A certificate that is its own authority.
struct Certificate {
    certificate: String,
    key: String,
}

impl Certificate {
    fn new(names: &[&str]) -> Result<Self> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let pair = rcgen::generate_simple_self_signed(names)?;
        Ok(Self { certificate: pair.cert.pem(), key: pair.signing_key.serialize_pem() })
    }

    /// With the authority, the certificate and the key under these names.
    fn secret(&self, namespace: &str, name: &str, [authority, certificate, key]: [&str; 3]) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": name},
            "stringData": {authority: self.certificate, certificate: self.certificate, key: self.key},
        })
    }

    fn bundle(&self) -> k8s_openapi::ByteString {
        k8s_openapi::ByteString(self.certificate.clone().into_bytes())
    }
}

/// Files of a project's Go module; may fetch it first.
async fn modules(of: fn(&str) -> Result<PathBuf>, names: &[&str], folder: &str) -> Result<Vec<PathBuf>> {
    let paths: Vec<String> = names.iter().map(|name| format!("{folder}/{name}")).collect();
    let found =
        tokio::task::spawn_blocking(move || paths.iter().map(|path| of(path)).collect::<Result<Vec<_>>>());
    // Either a folder, or a file without its ending.
    let whole = |path: PathBuf| if path.is_dir() { path } else { path.with_extension("yaml") };
    Ok(found.await??.into_iter().map(whole).collect())
}

fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("autoscaler").join(name)
}

async fn apply(cluster: &Cluster, files: Vec<PathBuf>) -> Result<()> {
    for file in files {
        // Some kinds are too large for the annotation of a client-side apply.
        kubectl(cluster, &["apply", "--server-side", "-f", &file.display().to_string()]).await?;
    }
    Ok(())
}

/// kubectl with these arguments: what it prints.
pub async fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    output(cluster.kubectl(arguments)).await
}

async fn rolled_out(cluster: &Cluster, namespace: &str, deployments: &[&str]) -> Result<()> {
    for name in deployments {
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        let deployment = format!("deployment/{name}");
        let done = kubectl(cluster, &["-n", namespace, "rollout", "status", &deployment, &timeout]).await;
        if done.is_err() {
            let logs = kubectl(cluster, &["-n", namespace, "logs", &deployment, "--tail=30"]).await;
            let pods = kubectl(cluster, &["-n", namespace, "describe", "pods"]).await;
            done.with_context(|| format!("{}\n{}", pods.unwrap_or_default(), logs.unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// The API server reaches this extension.
async fn served(cluster: &Cluster, name: &str) -> Result<()> {
    let extensions: Api<APIService> = Api::all(cluster.client()?);
    let attempt = async || {
        let conditions = extensions.get(name).await?.status.and_then(|status| status.conditions);
        let available = conditions.unwrap_or_default().into_iter().find(|c| c.type_ == "Available");
        let reached = available.as_ref().is_some_and(|condition| condition.status == "True");
        ensure!(reached, "the API server does not reach {name}: {available:?}");
        Ok(())
    };
    patiently(PATIENCE, attempt).await
}
