//! Where the demo takes place: a cluster of its own, or the user's current one; and how it leaves that place.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use bluegreen_cluster::{Cluster, Node, Options, target};
use k8s_openapi::api::core::v1::Node as ClusterNode;
use kube::api::{Api, ListParams};

use crate::kubectl::{Kubectl, prompt};
use crate::say::say;

/// The name of the demo's own cluster.
pub const NAME: &str = "demo";

/// The namespace of an operator that runs beside a cluster, of its account and Lease; in the user's, of everything.
pub const NAMESPACE: &str = "bluegreen-demo";

/// The namespace of an operator that is installed.
pub const SYSTEM: &str = "bluegreen-system";

/// All that installs it.
const MANIFEST: &str = "dist/install.yaml";

/// The CRD, and the sample app; paths from the root of the repository, so that commands can be repeated as shown.
pub const CRD: &str = "crds/bluegreen.dev_bluegreenapps.yaml";
const CRD_NAME: &str = "bluegreenapps.bluegreen.dev";
const APP: &str = "tests/demo/hello.yaml";

/// The operator's account and rights, for kustomize.
pub const OPERATOR: &str = "tests/demo/operator";

/// Marks a CRD that a demo has brought, so that a demo may take it away.
const MARK: &str = "bluegreen.dev/demo=true";

/// The image in [`APP`], and the archives that `make images` leaves.
const IMAGE: &str = "docker.io/library/hello";
const VERSIONS: [&str; 2] = ["v1.0.0", "v2.0.0"];

/// A cluster, ready for the operator.
pub struct Place {
    /// The cluster.
    pub cluster: Cluster,
    /// kubectl, as an admin.
    pub kubectl: Kubectl,
    /// The image to use in the user's own cluster; `None` in the demo's.
    image: Option<String>,
}

impl Place {
    /// A new cluster with a real node.
    pub async fn create() -> Result<Self> {
        Cluster::real_node_possible().map_err(|reason| {
            anyhow::anyhow!(
                "the demo needs a node with real containers, and none can run on this machine:\n  {reason}\n\
                 With a cluster at hand: make demo CLUSTER=current HELLO_IMAGE=registry.example.com/hello"
            )
        })?;
        if target()?.join(format!("cluster-{NAME}/state.json")).exists() && Self::occupied().await {
            bail!("a demo is up already; `make cluster-down NAME={NAME}` removes it");
        }
        let node = Node::Real { count: 1 };
        let options = Options { node, name: Some(NAME.into()), audit: false, ..Options::default() };
        let cluster = Cluster::start(options).await?;
        let kubectl = Kubectl::new(&cluster, None)?;
        Ok(Self { cluster, kubectl, image: None })
    }

    /// Whether what is there still answers: a crashed demo's cluster does not, and the next start removes it.
    async fn occupied() -> bool {
        let Ok(cluster) = Cluster::named(NAME).await else { return false };
        let Ok(client) = cluster.client() else { return false };
        client.apiserver_version().await.is_ok()
    }

    /// The cluster of the current kubeconfig.
    pub async fn current(image: Option<String>) -> Result<Self> {
        let Some(image) = image else {
            bail!(
                "CLUSTER=current needs HELLO_IMAGE: a repository that your cluster can pull the sample app's tags \
                 {} and {} from (examples/hello/README.md says how to build it)",
                VERSIONS[0],
                VERSIONS[1]
            );
        };
        let cluster = Cluster::current().await?;
        let kubectl = Kubectl::new(&cluster, Some(NAMESPACE.into()))?;
        let place = Self { cluster, kubectl, image: Some(image) };
        // What a crashed demo may have left; without it, this does nothing.
        place.kubectl.quiet(&["delete", "namespace", NAMESPACE, "--ignore-not-found"]).await?;
        Ok(place)
    }

    /// Whether the cluster is the demo's own.
    pub fn is_own(&self) -> bool {
        self.image.is_none()
    }

    /// Brings the images to the node.
    pub async fn load_images(&self) -> Result<()> {
        for name in
            ["hello-v1.0.0", "hello-v2.0.0", concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"))]
        {
            self.cluster.load_images(&[name]).await?;
            say(format_args!("  target/images/{name}.tar"));
        }
        Ok(())
    }

    /// Installs the operator. In the user's cluster, only the CRD, unless somebody else has, and the operator's account.
    pub async fn install(&self) -> Result<()> {
        let kubectl = self.kubectl.everywhere();
        if self.is_own() {
            return kubectl.show(&["apply", "--server-side", "-f", MANIFEST]).await;
        }
        let name = format!("metadata.name={CRD_NAME}");
        let found = async |label: &str| {
            let arguments = ["get", "crd", "--field-selector", &name, "-o", "name", "--selector", label];
            Ok::<bool, anyhow::Error>(!kubectl.quiet(&arguments).await?.is_empty())
        };
        if found("").await? && !found(MARK).await? {
            say(format_args!("  the CRD is there already, and stays as it is"));
        } else {
            kubectl.show(&["apply", "-f", CRD]).await?;
            kubectl.quiet(&["label", "--overwrite", "crd", CRD_NAME, MARK]).await?;
        }
        let established = format!("crd/{CRD_NAME}");
        kubectl.quiet(&["wait", &established, "--for=condition=Established", "--timeout=60s"]).await?;
        kubectl.show(&["apply", "-k", OPERATOR]).await
    }

    /// Declares the app.
    pub async fn apply_app(&self) -> Result<()> {
        let manifest = std::fs::read_to_string(APP).context("run this in the root of the repository")?;
        let Some(image) = &self.image else {
            say(prompt(&format!("cat {APP}")));
            say(manifest.trim_end());
            return self.kubectl.show(&["apply", "-f", APP]).await;
        };
        let manifest = manifest.replace(IMAGE, image);
        say(prompt(&format!("kubectl -n {NAMESPACE} apply -f -")));
        say(manifest.trim_end());
        self.kubectl.apply(&manifest).await
    }

    /// Where the app's NodePort may answer: on a node's internal address, or else on an external one.
    pub async fn addresses(&self, port: u16) -> Result<Vec<SocketAddr>> {
        if let Some(address) = self.cluster.node_address() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let nodes = Api::<ClusterNode>::all(self.cluster.client()?).list(&ListParams::default()).await?;
        let all: Vec<_> = nodes
            .into_iter()
            .filter_map(|node| node.status?.addresses)
            .flatten()
            .filter_map(|address| Some((address.type_, address.address.parse::<IpAddr>().ok()?)))
            .collect();
        let of = |kind: &'static str| {
            all.iter().filter(move |(type_, _)| type_ == kind).map(|(_, ip)| SocketAddr::new(*ip, port))
        };
        Ok(of("InternalIP").chain(of("ExternalIP")).collect())
    }

    /// Leaves everything up, and says how to go on and how to end it.
    pub fn keep(self, address: Option<SocketAddr>) -> Result<()> {
        let address = address.map_or_else(String::new, |address| format!("\n  curl {address}"));
        if !self.is_own() {
            say(format_args!(
                "\nIt stays up, in the namespace {NAMESPACE}:{address}\n  kubectl -n {NAMESPACE} get bga\n\
                 Remove it with\n  kubectl delete -k {OPERATOR}\n  kubectl delete -f {CRD}   # if nobody else uses it"
            ));
            return Ok(());
        }
        let here = std::env::current_dir()?;
        let below = |path: &std::path::Path| match path.strip_prefix(&here) {
            Ok(path) => format!("$PWD/{}", path.display()),
            Err(_) => path.display().to_string(),
        };
        let kubeconfig = below(self.cluster.kubeconfig());
        let tools = self.cluster.tool("kubectl").parent().map(below).unwrap_or_default();
        say(format_args!(
            "\nIt stays up:\n  export KUBECONFIG={kubeconfig}\n  export PATH={tools}:$PATH\n  kubectl get bga{address}\n\
             Remove it with\n  make cluster-down NAME={NAME}"
        ));
        self.cluster.keep()
    }

    /// Removes everything that the demo brought.
    pub async fn leave(self) -> Result<()> {
        if self.is_own() {
            return self.cluster.stop().await;
        }
        self.kubectl.everywhere().quiet(&["delete", "-k", OPERATOR, "--ignore-not-found"]).await?;
        let apps = self.kubectl.quiet(&["get", "bga", "--all-namespaces", "-o", "name"]).await?;
        if apps.is_empty() {
            self.kubectl.quiet(&["delete", "crd", "--selector", MARK]).await?;
        }
        Ok(())
    }
}
