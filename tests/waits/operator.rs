//! The operator as a process, behind the proxy.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use bluegreen_proxy::Proxy;

use super::world::{NAMESPACE, World};

/// A running operator. Dropping it kills it, as SIGKILL does.
pub struct Operator {
    child: Child,
}

impl Operator {
    /// Starts one; its log is `NAME.log` in the target folder, where it outlives the cluster.
    pub fn start(world: &World, proxy: &Proxy, name: &str, arguments: &[&str]) -> Result<Self> {
        let dir = world.cluster.dir()?;
        let kubeconfig = dir.join(format!("{name}.kubeconfig"));
        proxy.write_kubeconfig(&kubeconfig)?;
        let output = File::create(bluegreen_cluster::target()?.join(format!("{name}.log")))?;
        let child = Command::new(env!("CARGO_BIN_EXE_bluegreen-operator"))
            .args(["--lease-namespace", NAMESPACE, "--http-addr", "127.0.0.1:0", "--log-format", "text"])
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("the operator does not start")?;
        Ok(Self { child })
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // Either may fail only because it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
