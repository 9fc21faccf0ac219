//! An app that serves blue, with the operator behind a proxy.

use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_operator::api::Color;
use bluegreen_proxy::Proxy;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::{Sandbox, World, app};

pub const APP: &str = "hello";

/// How long a switch may take on a busy machine, with a Lease that has to run out on the way.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that one case needs.
pub struct Stage {
    pub sandbox: Sandbox,
    pub proxy: Proxy,
    operator: Option<Operator>,
}

impl Stage {
    /// Blue serves, green waits, and nothing is left to do.
    pub async fn set(name: &str) -> Result<Self> {
        let mut sandbox = Sandbox::new(name).await?;
        let proxy = Proxy::start(sandbox.user.config.clone(), 1).await?;
        let kubeconfig = sandbox.user.kubeconfig.with_extension("proxied");
        proxy.write_kubeconfig(&kubeconfig)?;
        // From here on the operator is started behind the proxy; the record and the guard are not behind it.
        sandbox.user.kubeconfig = kubeconfig;
        let operator = Some(sandbox.operator()?);
        sandbox.apply(&app(APP)).await?;
        sandbox.until("blue serves", |world| world.serves(APP, Color::Blue)).await?;
        sandbox.until("green waits", |world| world.says(APP, "StandbyReady").is_some()).await?;
        Ok(Self { sandbox, proxy, operator })
    }

    /// Asks for green, and for another tag of it.
    pub async fn edit(&self) -> Result<()> {
        self.sandbox.edit(APP, json!({"active": "green", "green": {"tag": "v3"}})).await
    }

    /// Waits until the new green serves and nothing is left to do. An operator that ends by itself (a busy machine may
    /// make it lose its Lease) is started again, as a kubelet would.
    pub async fn settled(&mut self) -> Result<()> {
        let done =
            |world: &World| world.serves(APP, Color::Green) && world.says(APP, "StandbyReady").is_some();
        let start = Instant::now();
        while start.elapsed() < PATIENCE && !done(&self.sandbox.world()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let ended = match &mut self.operator {
                Some(operator) => operator.ended(Duration::ZERO).await.is_ok(),
                None => false,
            };
            if ended {
                self.operator = Some(self.sandbox.operator()?);
            }
        }
        self.sandbox.within(Duration::ZERO, "green serves, all done", done).await
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.operator.take().map_or(Ok(()), Operator::kill)
    }

    /// Starts the operator again. The Lease of the dead one is made to have run out, which only saves time.
    pub async fn restart(&mut self) -> Result<()> {
        let leases: Api<Lease> = Api::namespaced(self.sandbox.client.clone(), &self.sandbox.namespace);
        let nobody = json!({"spec": {"holderIdentity": ""}});
        leases.patch("bluegreen-operator", &PatchParams::default(), &Patch::Merge(nobody)).await?;
        self.operator = Some(self.sandbox.operator()?);
        Ok(())
    }
}
