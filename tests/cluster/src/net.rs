//! The network between the machine and its real nodes: a bridge on the machine, and a link from it into each node.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::{ProcessId, enter, run};

/// Addresses of one cluster. Its number `N` makes them its own: the machine is 10.200.N.1, node i is 10.200.N.(i+1),
/// and the pods of node i are in 10.(200+i).N.0/24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// `N`.
    pub number: u8,
}

/// As many as the addresses have room for.
pub const MOST_NODES: usize = 50;

impl Network {
    /// Takes a free number and creates the machine's side, so that the API server can listen there.
    pub fn create(id: &str) -> Result<Self> {
        // Checkouts on one machine share its addresses: from looking to taking must be one step.
        let _lock = lock(&std::env::temp_dir().join("bluegreen-cluster-network.lock"))?;
        let routes = run(Command::new("ip").args(["-4", "route", "show", "table", "all"]))?;
        let free =
            |number: &u8| !routes.contains(&format!("10.200.{number}.")) && !routes.contains("10.200.0.0/16");
        let network = Self { number: (0..=255).find(free).context("all networks 10.200.N.0/24 are in use")? };
        let bridge = bridge(id);
        ip(["link", "add", &bridge, "type", "bridge"])?;
        ip(["address", "add", &format!("{}/24", network.machine()), "dev", &bridge])?;
        ip(["link", "set", &bridge, "up"])?;
        Ok(network)
    }

    /// The machine, as nodes and pods see it: the API server's address.
    pub fn machine(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, self.number, 1)
    }

    /// The n-th node, counted from 1.
    pub fn node(self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, self.number, small(index) + 1)
    }

    /// Gives the machine more addresses in this network, from 10.200.N.101 on. They go with the bridge.
    pub fn more_addresses(self, id: &str, count: u8) -> Result<Vec<Ipv4Addr>> {
        let all = (0..count.min(100)).map(|index| Ipv4Addr::new(10, 200, self.number, 101 + index));
        all.map(|address| {
            // Again is no error: a second caller gets the same ones.
            ip(["address", "replace", &format!("{address}/24"), "dev", &bridge(id)])?;
            Ok(address)
        })
        .collect()
    }

    /// The pods of the n-th node.
    pub fn pods(self, index: usize) -> String {
        format!("10.{}.{}.0/24", 200 + small(index), self.number)
    }

    /// Links the n-th node, whose namespaces its holder keeps, to the machine and to the nodes before it.
    pub fn connect(self, id: &str, index: usize, holder: ProcessId) -> Result<()> {
        let (bridge, link, pid) = (bridge(id), format!("bg{id}-{index}"), holder.pid.to_string());
        ip(["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        ip(["link", "set", &link, "master", &bridge, "up"])?;
        for command in [
            format!("address add {}/24 dev eth0", self.node(index)),
            "link set lo up".into(),
            "link set eth0 up".into(),
            format!("route add default via {}", self.machine()),
        ] {
            run(enter(holder).arg("ip").args(command.split(' ')))?;
        }
        // Pods are answered by a way back, not by rewriting their addresses.
        ip(["route", "add", &self.pods(index), "via", &self.node(index).to_string()])?;
        Ok(())
    }

    /// Tells two nodes the way to each other's pods.
    pub fn introduce(self, holder: ProcessId, other: usize) -> Result<()> {
        let (pods, node) = (self.pods(other), self.node(other).to_string());
        run(enter(holder).args(["ip", "route", "add", &pods, "via", &node]))?;
        Ok(())
    }
}

/// Locks the file of that name until it is dropped. Root opens it in a folder in which everybody may write, so it follows no link
/// that somebody else has put there, and empties no file.
fn lock(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path).with_context(|| format!("cannot open the lock {}", path.display()))?;
    file.lock()?;
    Ok(file)
}

/// Link names have 15 bytes at most, and teardown finds them by `bgID`.
fn bridge(id: &str) -> String {
    format!("bg{id}")
}

fn ip<const N: usize>(arguments: [&str; N]) -> Result<()> {
    run(Command::new("ip").args(arguments))?;
    Ok(())
}

fn small(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX).min(MOST_NODES as u8)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn does_the_lock_follow_no_link_and_leave_a_file_that_is_there_as_it_is() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("bluegreen-lock-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let [important, link, new] = ["important", "link", "new"].map(|name| folder.join(name));
        fs::write(&important, "content")?;
        symlink(&important, &link)?;
        let followed = lock(&link).is_ok();
        drop(lock(&important)?);
        drop(lock(&new)?);
        let content = fs::read_to_string(&important)?;
        let mode = fs::metadata(&new)?.permissions().mode() & 0o777;
        fs::remove_dir_all(&folder)?;
        assert_eq!((followed, content.as_str(), mode), (false, "content", 0o600));
        Ok(())
    }
}
