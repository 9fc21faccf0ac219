//! containerd in a node: where containers run, without its service on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{ProcessId, Processes, Service, enter, run};
use crate::{oci, pause};

/// Where distributions install the CNI plugins.
const CNI_PLUGINS: [&str; 3] = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

/// The folder of the CNI plugins, if they are installed.
pub fn cni_plugins() -> Option<&'static str> {
    CNI_PLUGINS.into_iter().find(|folder| Path::new(folder).join("bridge").is_file())
}

/// Where pods get their network and their first container.
pub struct Pods {
    /// Range of their addresses.
    pub addresses: String,
    /// OCI archive of the pause image.
    pub pause: PathBuf,
}

/// Writes the configuration and starts containerd in a node. It uses its usual places, which are the node's own there.
pub fn start(processes: &Processes, node: &str, holder: ProcessId, folder: &Path, pods: &Pods) -> Result<()> {
    let network = folder.join("cni");
    fs::create_dir_all(&network)?;
    fs::write(network.join("10-bluegreen.conflist"), conflist(&pods.addresses))?;
    let config = folder.join("containerd.toml");
    fs::write(&config, toml(&network, snapshotter(folder), &oci::archive_name(&pods.pause)?))?;
    let arguments = [format!("--config={}", config.display())];
    processes.start(
        Service::new(format!("containerd-{node}"), Path::new("containerd"), arguments).inside(holder),
    )?;
    Ok(())
}

/// Whether containerd answers.
pub fn answers(holder: ProcessId) -> bool {
    run(enter(holder).args(["ctr", "version"])).is_ok()
}

/// Imports the images of an OCI archive for the kubelet.
pub fn import(holder: ProcessId, archive: &Path) -> Result<()> {
    let archive =
        archive.canonicalize().with_context(|| format!("no image archive {}", archive.display()))?;
    run(enter(holder).args(["ctr", "--namespace", "k8s.io", "images", "import"]).arg(archive))?;
    Ok(())
}

fn conflist(pods: &str) -> String {
    serde_json::json!({
        "cniVersion": "0.4.0",
        "name": "bluegreen",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": true,
                // A pod must reach itself through its Service.
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}

/// The bridge that a node's pods are on.
pub const BRIDGE: &str = "cni0";

fn toml(network: &Path, snapshotter: &str, pause: &str) -> String {
    let plugins = cni_plugins().unwrap_or_default();
    let restrict = !may_lower_oom_score();
    format!(
        r#"version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = {restrict}
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{network}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"#,
        network = network.display(),
    )
}

/// An overlay cannot be put on another one: inside of a container, layers have to be copied.
fn snapshotter(folder: &Path) -> &'static str {
    let kind =
        run(Command::new("stat").args(["--file-system", "--format=%T"]).arg(folder)).unwrap_or_default();
    if kind.contains("overlay") { "native" } else { "overlayfs" }
}

/// Without CAP_SYS_RESOURCE no process may lower its OOM score, and runc fails where it is told to.
fn may_lower_oom_score() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default();
    effective & (1 << CAP_SYS_RESOURCE) != 0
}

/// The archive of the pause image: the given one, or one made now.
pub fn pause_image(given: Option<&PathBuf>, folder: &Path) -> Result<PathBuf> {
    given.map_or_else(|| pause::build(folder), |path| Ok(path.clone()))
}
