//! HAProxy of Debian's package, with a place for each pod, told of them through its socket: no reload, and no second try, which would
//! hide what is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, free_ports, haproxy, patiently, target};

/// Pods that it has a place for: those of both colors, twice.
const PLACES: usize = 12;

/// A running HAProxy; it ends with the cluster.
#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    socket: PathBuf,
    /// Which place each pod has.
    places: Arc<Mutex<BTreeMap<SocketAddr, usize>>>,
}

impl Proxy {
    /// `route` tells several apart.
    pub async fn start(cluster: &Cluster, route: &str) -> Result<Self> {
        let folder = cluster.dir()?.join(format!("haproxy-{route}"));
        std::fs::create_dir_all(&folder)?;
        let [port] = free_ports()?;
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        // A longer path would not fit into the address of a socket.
        let socket = PathBuf::from(format!("/tmp/haproxy-{}-{route}.sock", std::process::id()));
        let places: String =
            (1..=PLACES).map(|place| format!("  server s{place} 127.0.0.1:1 disabled\n")).collect();
        let config = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode http\n  retries 0\n  timeout connect 2s\n  \
             timeout client 30s\n  timeout server 30s\nfrontend in\n  bind {address}\n  default_backend app\n\
             backend app\n  balance roundrobin\n{places}",
            socket.display()
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, config)?;
        let (program, libraries) = haproxy::ensure(&target()?)?;
        let path = file.display().to_string();
        // In the foreground.
        cluster.start_process(
            &format!("haproxy-{route}"),
            &program,
            &["-db", "-f", &path],
            &[("LD_LIBRARY_PATH", &libraries)],
        )?;
        let proxy = Self { address, socket, places: Arc::default() };
        patiently(Duration::from_secs(20), async || proxy.say("show info").map(drop)).await?;
        Ok(proxy)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends requests to these pods from now on, and to no others. Requests that are under way go on.
    pub fn serve(&self, pods: &BTreeSet<SocketAddr>) -> Result<()> {
        let mut places = self.places.lock().unwrap();
        for pod in pods {
            if places.contains_key(pod) {
                continue;
            }
            let free = (1..=PLACES).find(|place| !places.values().any(|taken| taken == place));
            let place = free.context("there are more pods than places")?;
            self.say(&format!("set server app/s{place} addr {} port {}", pod.ip(), pod.port()))?;
            self.say(&format!("set server app/s{place} state ready"))?;
            places.insert(*pod, place);
        }
        let gone: Vec<SocketAddr> = places.keys().filter(|pod| !pods.contains(pod)).copied().collect();
        for pod in gone {
            if let Some(place) = places.remove(&pod) {
                self.say(&format!("set server app/s{place} state maint"))?;
            }
        }
        Ok(())
    }

    fn say(&self, command: &str) -> Result<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let refused = ["No such", "Unknown", "Invalid", "Require"].iter().any(|word| answer.contains(word));
        ensure!(!refused, "HAProxy says to {command:?}: {answer}");
        Ok(answer)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Shared by the follower; the last one takes the socket along.
        if Arc::strong_count(&self.places) == 1 {
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}
