//! Another controller's app, through the same switch: driven by commands, so that nothing here knows the peer.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{bash, output, patiently};
use bluegreen_demo::curl;
use serde::Deserialize;
use tokio::time::sleep;

use crate::judge::{self, Pods};
use crate::load::Running;
use crate::results::Entry;
use crate::rows::{Row, Trouble};
use crate::run::{Order, begin, in_short};
use crate::scene::{PATIENCE, namespace};
use crate::stage::Stage;
use crate::switch::Switch;

/// How long the load runs before the first switch, and at least after each.
const AROUND: Duration = Duration::from_secs(5);

/// How a peer is driven: bash commands, which see `KUBECONFIG`, the cluster's `kubectl`, `NAMESPACE`, `NODE_PORT`, `ROW`,
/// and for a switch `FROM` and `TO` (`blue`, `green`) and `TURN`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// Who it is, in the report.
    name: String,
    /// Rows that it can go through.
    rows: Vec<String>,
    /// Installs the controller, once for each cluster.
    #[serde(default)]
    install: Option<String>,
    /// Declares the app: `hello:v1.0.0` serves as blue, on `NODE_PORT`. Returns when it does.
    apply: String,
    /// Asks for the switch.
    switch: String,
    /// Succeeds once the Service has moved.
    switched: String,
    /// Succeeds once the next switch can be asked for.
    settled: String,
}

impl Driver {
    /// Reads a driver's file.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_yaml_ng::from_str(&text).with_context(|| format!("{} is no driver", path.display()))
    }
}

/// Drives the peer through its rows. Never fails for what it loses: that is what the run is to show.
pub async fn run(driver: &Driver, order: &Order) -> Result<()> {
    for name in &driver.rows {
        let row = Row::named(name).with_context(|| format!("there is no row {name}"))?;
        ensure!(row.has_traffic(), "{name} has no traffic, so a peer has nothing to show");
        println!("{}: {name}", driver.name);
        let mut stage = Stage::set(row.shape).await?;
        let port = stage.take_port();
        let peer = Peer { driver, stage: &stage, namespace: namespace(&stage, name).await?, port, row };
        let entry = peer.measure(order).await?;
        order.results.add(&entry)?;
        println!("  {}", in_short(&entry));
        stage.leave().await?;
    }
    Ok(())
}

struct Peer<'a> {
    driver: &'a Driver,
    stage: &'a Stage,
    namespace: String,
    port: u16,
    row: &'a Row,
}

impl Peer<'_> {
    async fn measure(&self, order: &Order) -> Result<Entry> {
        let mut entry = begin(self.row.name, &self.driver.name, order)?;
        if let Some(install) = &self.driver.install {
            self.must("install", install, &[]).await?;
        }
        self.must("apply", &self.driver.apply, &[]).await?;
        let addresses: Vec<_> =
            self.stage.nodes.iter().map(|node| std::net::SocketAddr::new(*node, self.port)).collect();
        for address in &addresses {
            curl::first_answer(&[*address]).await?;
        }
        let mut load = Running::start(&addresses, &self.stage.sources, order.rate)?;
        sleep(AROUND).await;
        let (mut switches, mut from, mut to) = (Vec::new(), "blue", "green");
        for turn in 0..order.switches {
            load.open_streams();
            let turn = turn.to_string();
            let environment = [("FROM", from), ("TO", to), ("TURN", turn.as_str())];
            let asked = Instant::now();
            self.must("switch", &self.driver.switch, &environment).await?;
            if self.row.trouble == Trouble::ProxyRestarted {
                self.stage.cluster.restart_kube_proxy().await?;
            }
            self.until("switched", &self.driver.switched, &environment).await?;
            let moved = Instant::now();
            self.until("settled", &self.driver.settled, &environment).await?;
            sleep(AROUND.saturating_sub(moved.elapsed())).await;
            let (sent, lost) = load.counts();
            println!(
                "  {from} → {to} after {:.3} s; {sent} sent, {lost} lost",
                (moved - asked).as_secs_f64()
            );
            switches.push(Switch {
                from: from.into(),
                to: to.into(),
                asked,
                moved,
                reference: moved,
                grown: None,
            });
            (from, to) = (to, from);
        }
        judge::count(&mut entry, &load.stop().await?, &switches, Pods::Any);
        Ok(entry)
    }

    async fn until(&self, what: &str, command: &str, environment: &[(&str, &str)]) -> Result<()> {
        patiently(PATIENCE, async || self.must(what, command, environment).await).await
    }

    async fn must(&self, what: &str, command: &str, environment: &[(&str, &str)]) -> Result<()> {
        let mut command = bash(command, Path::new("."));
        command
            .envs(self.stage.cluster.environment()?)
            .env("NAMESPACE", &self.namespace)
            .env("NODE_PORT", self.port.to_string())
            .env("ROW", self.row.name)
            .envs(environment.iter().copied());
        output(command).await.context(what.to_owned()).map(drop)
    }
}

/// Drivers that come with the repository, for the tests.
#[cfg(test)]
fn shipped() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_every_shipped_driver_be_read_and_are_its_rows_there() {
        assert!(!shipped().is_empty());
        for path in shipped() {
            let driver = Driver::read(&path).unwrap();
            assert!(driver.rows.iter().all(|row| Row::named(row).is_some()), "{}", path.display());
        }
    }
}
