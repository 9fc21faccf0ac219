//! What a real node needs of the machine, said plainly where it is missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::run;
use crate::say::say;
use crate::{cgroup, containerd};

/// Programs that a real node runs, each with its Debian package.
const PROGRAMS: [(&str, &str); 8] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
];

const CNI_PACKAGE: &str = "containernetworking-plugins";

/// Whether a real node can run here; if not, why.
pub fn check() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("a real node needs root: namespaces, mounts and cgroups".into());
    }
    let missing = missing_packages();
    if !missing.is_empty() {
        let list = missing.join(" ");
        return Err(format!(
            "not installed: {list} (on Debian and Ubuntu, `cluster node-deps --install` does)"
        ));
    }
    // In a network namespace of its own, which is gone with the last of these commands.
    for (what, command) in [
        ("mount and network namespaces cannot be created here (inside of a container?)", "true"),
        ("the kernel has no bridges", "ip link add bg0 type bridge"),
        ("the kernel has no veth links", "ip link add bg0 type veth peer name bg1"),
        ("iptables does not work here", "iptables --table nat --list"),
    ] {
        let isolated = run(Command::new("unshare").args(["--mount", "--net", "sh", "-c", command]));
        isolated.map_err(|error| format!("{what}: {error}"))?;
    }
    cgroup::check()
}

/// Installs what is missing, on Debian and Ubuntu.
pub fn install() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !installed("apt-get") {
        bail!(
            "not installed: {}; only root on Debian or Ubuntu can have it installed from here",
            missing.join(" ")
        );
    }
    say(&format!("installing {} …", missing.join(" ")));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).args(&missing))
    };
    let install = ["install", "--yes", "--no-install-recommends"];
    if apt(&install).is_err() {
        // The lists may be missing or old.
        run(Command::new("apt-get").arg("update"))?;
        apt(&install).context("apt-get cannot install what a real node needs")?;
    }
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    let programs = PROGRAMS.iter().filter(|(program, _)| !installed(program)).map(|(_, package)| *package);
    let plugins = containerd::cni_plugins().is_none().then_some(CNI_PACKAGE);
    let mut packages: Vec<&str> = programs.chain(plugins).collect();
    packages.dedup();
    packages
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder: std::path::PathBuf| Path::new(&folder).join(program).is_file())
}
