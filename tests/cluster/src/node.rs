//! Real nodes: containerd, kubelet and kube-proxy in namespaces of their own, with real containers, probes and NodePorts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use serde_json::json;

use crate::containerd::Pods;
use crate::control_plane::Setup;
use crate::net::{MOST_NODES, Network};
use crate::process::{ProcessId, Service};
use crate::simulated::ready;
use crate::{cgroup, containerd};

/// The name of the n-th node, counted from 1, real or simulated.
pub fn name(index: usize) -> String {
    format!("node-{index}")
}

/// Starts nodes; returns when all are ready.
pub async fn start(setup: &Setup<'_>, id: &str, client: &Client, count: usize) -> Result<()> {
    ensure!((1..=MOST_NODES).contains(&count), "real nodes: 1 to {MOST_NODES}, not {count}");
    let network = setup.network.context("real nodes need a network")?;
    let pause = containerd::pause_image(setup.options.pause_image.as_ref(), &setup.dir.join("config"))?;
    let mut holders = Vec::new();
    for index in 1..=count {
        holders.push(start_one(setup, id, network, index, &pause).await?);
    }
    for (here, holder) in holders.iter().enumerate() {
        for other in (0..count).filter(|other| *other != here) {
            network.introduce(*holder, other + 1)?;
        }
    }
    let nodes: Api<Node> = Api::all(client.clone());
    setup
        .wait("ready node", &format!("kubelet-{}", name(1)), async || {
            let all = nodes.list(&Default::default()).await.ok()?;
            (all.items.iter().filter(|node| ready(node)).count() == count).then_some(())
        })
        .await
}

async fn start_one(
    setup: &Setup<'_>,
    id: &str,
    network: Network,
    index: usize,
    pause: &Path,
) -> Result<ProcessId> {
    let name = name(index);
    let folder = setup.dir.join(&name);
    fs::create_dir_all(&folder)?;
    cgroup::create(id, &name)?;
    let holder = hold(setup, &name, &folder).await?;
    network.connect(id, index, holder)?;
    let pods = Pods { addresses: network.pods(index), pause: pause.to_owned() };
    containerd::start(setup.processes, &name, holder, &folder, &pods)?;
    setup
        .wait("containerd", &format!("containerd-{name}"), async || containerd::answers(holder).then_some(()))
        .await?;
    containerd::import(holder, pause)?;
    start_kubelet(setup, id, network, index, holder, &folder)?;
    start_kube_proxy(setup, &name, holder, &folder)?;
    Ok(holder)
}

/// Starts the process that keeps a node's namespaces.
async fn hold(setup: &Setup<'_>, name: &str, folder: &Path) -> Result<ProcessId> {
    let arguments =
        ["--mount", "--net", "--propagation=slave", "--", "sh", "-c", include_str!("holder.sh"), name];
    let arguments = arguments.map(String::from).into_iter().chain([folder.display().to_string()]);
    let holder = setup.processes.start(Service::new(name, Path::new("unshare"), arguments))?;
    setup
        .wait("the node's namespaces", name, async || folder.join("prepared").exists().then_some(()))
        .await?;
    Ok(holder)
}

fn start_kubelet(
    setup: &Setup<'_>,
    id: &str,
    network: Network,
    index: usize,
    holder: ProcessId,
    folder: &Path,
) -> Result<()> {
    let name = name(index);
    let address = network.node(index);
    let user = format!("system:node:{name}");
    let kubeconfig = setup.component_kubeconfig(&name, &user, &["system:nodes"])?;
    setup.pki.store(&name, &setup.pki.server(&user, &["system:nodes"], &[&name], &[address.into()])?)?;
    let file = |name: &str| setup.pki.file(name).display().to_string();
    // A developer's machine may be short of disk or memory by a server's measure: nothing is evicted.
    let never = json!({
        "memory.available": "1Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
        "imagefs.available": "0%", "imagefs.inodesFree": "0%",
    });
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": file(&format!("{name}.crt")),
        "tlsPrivateKeyFile": file(&format!("{name}.key")),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup::path(id, &name),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "evictionHard": never,
        "imageGCHighThresholdPercent": 100,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "healthzPort": 0,
        "maxPods": 200,
    });
    let path = write(folder, "kubelet.json", &config)?;
    let arguments = [
        format!("--config={path}"),
        format!("--kubeconfig={kubeconfig}"),
        format!("--hostname-override={name}"),
        format!("--node-ip={address}"),
    ];
    let program = setup.tools.path("kubelet");
    setup.processes.start(Service::new(format!("kubelet-{name}"), &program, arguments).inside(holder))?;
    Ok(())
}

fn start_kube_proxy(setup: &Setup<'_>, name: &str, holder: ProcessId, folder: &Path) -> Result<()> {
    let kubeconfig = setup.component_kubeconfig(&format!("kube-proxy-{name}"), "system:kube-proxy", &[])?;
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "hostnameOverride": name,
        "mode": setup.options.proxy_mode.as_str(),
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"bridgeInterface": containerd::BRIDGE},
        // A limit of the whole machine, which is not ours to set.
        "conntrack": {"maxPerCore": 0, "min": 0},
    });
    let path = write(folder, "kube-proxy.json", &config)?;
    let program = setup.tools.path("kube-proxy");
    let service = Service::new(format!("kube-proxy-{name}"), &program, [format!("--config={path}")]);
    setup.processes.start(service.inside(holder))?;
    Ok(())
}

fn write(folder: &Path, name: &str, config: &serde_json::Value) -> Result<String> {
    let path: PathBuf = folder.join(name);
    fs::write(&path, config.to_string())?;
    Ok(path.display().to_string())
}
