//! Keeps a mistyped address from becoming an attack on someone else's machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context as _, bail};
use nix::{
    ifaddrs::getifaddrs,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        socket::SockaddrStorage,
    },
};

/// A network that an interface of this machine is part of.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: Ipv4Addr,
    mask: Ipv4Addr,
}

impl Network {
    fn contains(self, ip: Ipv4Addr) -> bool {
        // A mask of 0 would make the whole internet directly connected.
        !self.mask.is_unspecified() && (self.address & self.mask) == (ip & self.mask)
    }
}

/// Refuses a target that is neither this machine nor a private (RFC 1918) address in a network that this machine is
/// directly part of.
pub fn check(target: SocketAddr) -> anyhow::Result<()> {
    check_in(target, &networks()?)
}

fn check_in(target: SocketAddr, networks: &[Network]) -> anyhow::Result<()> {
    let ip = target.ip().to_canonical();
    if ip.is_loopback() {
        return Ok(());
    }
    if let IpAddr::V4(ip) = ip
        && ip.is_private()
        && networks.iter().any(|network| network.contains(ip))
    {
        return Ok(());
    }
    bail!(
        "{target} is neither this machine nor a private address in a network of this machine. If the load is yours to \
         put there, allow remote targets"
    )
}

fn networks() -> anyhow::Result<Vec<Network>> {
    let v4 = |address: Option<SockaddrStorage>| {
        let address = SocketAddrV4::from(*address?.as_sockaddr_in()?);
        Some(*address.ip())
    };
    let interfaces = getifaddrs().context("could not list this machine's network interfaces")?;
    Ok(interfaces
        .filter_map(|interface| {
            Some(Network { address: v4(interface.address)?, mask: v4(interface.netmask)? })
        })
        .collect())
}

/// Raises the limit of open files as far as this process may: each request in flight needs one, and the usual limit of
/// 1024 would be mistaken for failures of the target. Without the right to, the old limit stays, and what exceeds it
/// is counted as local.
pub fn raise_open_files_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(target: &str) -> bool {
        let network = |address: &str, mask: &str| Network {
            address: address.parse().unwrap(),
            mask: mask.parse().unwrap(),
        };
        let networks = [
            network("127.0.0.1", "255.0.0.0"),
            network("10.200.0.1", "255.255.255.252"),
            network("203.0.113.7", "255.255.255.0"),
            network("192.168.1.1", "0.0.0.0"),
        ];
        check_in(target.parse().unwrap(), &networks).is_ok()
    }

    #[test]
    fn where_load_may_go() {
        for target in
            ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "10.200.0.2:30007"]
        {
            assert!(allowed(target), "{target}");
        }
        for (target, why) in [
            ("10.200.0.9:80", "private, and behind a router"),
            ("203.0.113.8:80", "a neighbor, and public"),
            ("192.168.7.7:80", "an interface without a mask connects nothing"),
            ("8.8.8.8:80", "the internet"),
            ("0.0.0.0:80", "not an address to send to"),
            ("[fe80::1]:80", "IPv6 other than loopback"),
            ("[2001:db8::1]:80", "the internet, newer"),
        ] {
            assert!(!allowed(target), "{target}: {why}");
        }
    }

    #[test]
    fn this_machine_has_a_loopback_network() {
        assert!(networks().unwrap().iter().any(|network| network.contains(Ipv4Addr::LOCALHOST)));
    }
}
