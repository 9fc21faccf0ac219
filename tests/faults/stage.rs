//! An app, with the operator behind a proxy: where flows are played and troubles strike.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color;
use bluegreen_cluster::patiently;
use bluegreen_proxy::Proxy;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::setup::LEASE;
use crate::e2e::harness::{Kind, Sandbox, World};
use crate::flow::{APP, Flow, Step};

/// How long a step may take on a busy machine, with Leases that have to run out on the way.
const PATIENCE: Duration = Duration::from_secs(90);

/// The Lease's duration, renew deadline and retry period, and the timeout of a write.
pub const PACE: [&str; 4] = ["15s", "10s", "2s", "1500ms"];

/// The same, where a leader is frozen past its Lease.
pub const SHORT: [&str; 4] = ["6s", "4s", "1s", "1500ms"];

/// Everything that one plan needs.
pub struct Stage {
    pub sandbox: Sandbox,
    pub proxy: Proxy,
    members: Mutex<Vec<Member>>,
}

/// A replica of the operator, which a kubelet would start again when it ends.
struct Member {
    operator: Operator,
    /// Its own proxy; `None` for the stage's.
    proxy: Option<Proxy>,
    /// How often it ended by itself.
    ends: u32,
    frozen: bool,
}

impl Stage {
    /// What precedes the flow is done.
    pub async fn set(flow: &Flow, pace: [&'static str; 4]) -> Result<Self> {
        let sandbox = Sandbox::new("fault").await?.with_pace(pace);
        let proxy = Proxy::start(sandbox.user.config.clone(), 1).await?;
        let operator = sandbox.operator_behind(&proxy)?;
        let member = Member { operator, proxy: None, ends: 0, frozen: false };
        let stage = Self { sandbox, proxy, members: Mutex::new(vec![member]) };
        let before = stage.play(&flow.before);
        tokio::select! {
            result = before => result?,
            error = stage.keep_alive() => error?,
        }
        Ok(stage)
    }

    /// One step after the other.
    pub async fn play(&self, steps: &[Step]) -> Result<()> {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result<()> {
        match step {
            Step::Apply(app) => self.sandbox.apply(app).await,
            Step::Edit(spec) => self.sandbox.edit(APP, spec.clone()).await,
            Step::Patch(kind, name, patch) => self.sandbox.patch(*kind, name, patch.clone()).await,
            Step::Delete(kind, name) => self.sandbox.delete(*kind, name).await,
            Step::Pods(color, ready) => self.pods(*color, ready).await,
            Step::Until(what, holds) => self.until(what, holds).await,
            Step::Still(time) => {
                let before = what_serves(&self.sandbox.world());
                let still = |world: &World| what_serves(world) == before;
                self.sandbox.throughout(*time, "nothing that serves changes", still).await
            }
            Step::Freeze => self.freeze(0).await,
            Step::Thaw => self.thaw(0).await,
        }
    }

    /// Waits until that holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        self.sandbox.within(PATIENCE, what, holds).await
    }

    /// Annotates the pods, which is how simulated nodes are told.
    async fn pods(&self, color: Color, ready: &str) -> Result<()> {
        let world = self.sandbox.world();
        let of_color = |pod: &Value| pod["metadata"]["labels"]["bluegreen.dev/color"] == json!(color);
        let names: Vec<_> =
            world.all(Kind::Pod).filter(|(_, pod)| of_color(pod)).map(|(name, _)| name.to_owned()).collect();
        ensure!(!names.is_empty(), "{color} has no pods");
        let patch = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": ready}}});
        for name in names {
            self.sandbox.patch(Kind::Pod, &name, patch.clone()).await?;
        }
        Ok(())
    }

    /// Starts whatever ends by itself again, as a kubelet would: a busy machine may make a replica lose its Lease.
    /// Never returns, except with an error.
    pub async fn keep_alive(&self) -> Result<()> {
        loop {
            tokio::time::sleep(Duration::from_millis(150)).await;
            for member in self.members.lock().await.iter_mut().filter(|member| !member.frozen) {
                if member.operator.ended(Duration::ZERO).await.is_err() {
                    continue;
                }
                let log = member.operator.log(40);
                if log.contains("panicked at") {
                    bail!("the operator panicked:\n{log}");
                }
                member.ends += 1;
                member.operator =
                    self.sandbox.operator_behind(member.proxy.as_ref().unwrap_or(&self.proxy))?;
            }
        }
    }

    /// SIGKILL, then `meanwhile`, then a new start. The Lease of the dead one is made to have run out, which only
    /// saves time.
    pub async fn crash(&self, meanwhile: impl FnOnce()) -> Result<()> {
        let mut members = self.members.lock().await;
        let member = members.first_mut().context("a replica")?;
        member.operator.kill_now()?;
        meanwhile();
        let leases: Api<Lease> = Api::namespaced(self.sandbox.client.clone(), &self.sandbox.namespace);
        let nobody = json!({"spec": {"holderIdentity": ""}});
        leases.patch(LEASE, &PatchParams::default(), &Patch::Merge(nobody)).await?;
        member.operator = self.sandbox.operator_behind(&self.proxy)?;
        Ok(())
    }

    /// One more replica, behind a proxy of its own; returns when it waits for the Lease.
    pub async fn join(&self) -> Result<()> {
        let proxy = Proxy::start(self.sandbox.user.config.clone(), 2).await?;
        let operator = self.sandbox.operator_behind(&proxy)?;
        operator.says("waiting for leadership", PATIENCE).await?;
        self.members.lock().await.push(Member { operator, proxy: Some(proxy), ends: 0, frozen: false });
        Ok(())
    }

    /// SIGSTOP.
    pub async fn freeze(&self, member: usize) -> Result<()> {
        self.change(member, |member| {
            member.frozen = true;
            member.operator.freeze()
        })
        .await
    }

    /// SIGCONT.
    pub async fn thaw(&self, member: usize) -> Result<()> {
        self.change(member, |member| {
            member.frozen = false;
            member.operator.thaw()
        })
        .await
    }

    async fn change(&self, member: usize, change: impl FnOnce(&mut Member) -> Result<()>) -> Result<()> {
        change(self.members.lock().await.get_mut(member).context("no such replica")?)
    }

    /// Waits until that replica leads.
    pub async fn leads(&self, member: usize) -> Result<()> {
        self.poll("the standby never led", async |members| {
            members.get(member).is_some_and(|member| member.operator.log(usize::MAX).contains(" leading"))
        })
        .await
    }

    /// Waits until that replica has ended by itself.
    pub async fn ended(&self, member: usize) -> Result<()> {
        self.poll("the deposed leader never ended", async |members| {
            members.get(member).is_some_and(|member| member.ends > 0)
        })
        .await
    }

    async fn poll(&self, otherwise: &str, holds: impl AsyncFn(&[Member]) -> bool) -> Result<()> {
        let attempt = async || {
            let members = self.members.lock().await;
            let logs = || members.iter().map(|member| member.operator.log(40)).collect::<Vec<_>>();
            ensure!(holds(&members).await, "{otherwise}:\n{}", logs().join("\n---\n"));
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }
}

/// The selector, and what each color is to run.
fn what_serves(world: &World) -> Vec<Value> {
    let template = |color: Color| {
        let deployment = world.raw(Kind::Deployment, &format!("{APP}-{color}"));
        deployment.map_or(Value::Null, |deployment| deployment["spec"].clone())
    };
    [json!(world.selects(APP))].into_iter().chain(Color::ALL.map(template)).collect()
}
