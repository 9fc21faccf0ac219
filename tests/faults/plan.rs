//! A plan: one trouble in one flow, and how it ended.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_proxy::{Effect, Gate, Random, Rule, Verdict};

use crate::blur::Blur;
use crate::e2e::harness::{Kind, World, app};
use crate::end::End;
use crate::fault::{Fault, Write};
use crate::flow::{APP, Flow, at_rest};
use crate::stage::{PACE, SHORT, Stage};

/// When the leader is frozen past its Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// With this write under way, which commits (if it still can) only when the other replica leads: before the
    /// frozen one wakes up, or after.
    During { write: Write, wakes_first: bool },
    /// So many milliseconds after the flow's first step.
    After(u64),
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    Fault(Fault, Write),
    Blur(Blur),
    /// Two replicas, and the leader is frozen past its Lease.
    Deposed(Moment),
    /// The app is deleted with this write under way, and made anew; then the write goes through.
    Reborn(Write),
}

/// One trouble in one flow.
#[derive(Clone)]
pub struct Plan<'a> {
    pub flow: &'a Flow,
    /// How the flow ends without a trouble.
    pub wanted: &'a End,
    pub trouble: Trouble,
    pub seed: u64,
}

/// What came of a plan that ended well.
pub struct Ran {
    /// Whether the trouble took place: a flow may be through before its turn comes.
    pub struck: bool,
}

impl Plan<'_> {
    /// Plays the flow.
    pub async fn run(&self) -> Result<Ran> {
        let pace = if matches!(self.trouble, Trouble::Deposed(_)) { SHORT } else { PACE };
        let stage = Stage::set(self.flow, pace).await?;
        let struck = match &self.trouble {
            Trouble::Fault(fault, write) => {
                let mut strike = fault.prepare(write, &stage.proxy);
                drive(&stage, self.flow, strike.attend(&stage)).await?;
                strike.struck(write, &stage.proxy)
            }
            Trouble::Blur(blur) => {
                drive(&stage, self.flow, blur.attend(&stage, self.random())).await?;
                stage.proxy.log().frames().values().any(|count| count.delayed + count.lost > 0)
            }
            Trouble::Deposed(moment) => {
                stage.join().await?;
                let struck = std::cell::Cell::new(false);
                drive(&stage, self.flow, depose(&stage, moment, self.random(), &struck)).await?;
                struck.get()
            }
            Trouble::Reborn(write) => return reborn(stage, self.flow, write, self.random()).await,
        };
        let end = End::of(&stage.sandbox, self.flow);
        ensure!(end == *self.wanted, "it ended differently:\n{}", end.differences(self.wanted));
        stage.sandbox.finish().await?;
        Ok(Ran { struck })
    }

    fn random(&self) -> u64 {
        let name = self.to_string();
        let mixed =
            name.bytes().fold(self.seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Random::new(mixed).draw()
    }
}

/// Plays the flow to its end, while something goes on beside it.
pub async fn drive(stage: &Stage, flow: &Flow, beside: impl Future<Output = Result<()>>) -> Result<()> {
    let play = async {
        stage.play(&flow.edit).await?;
        stage.until(&format!("{} is done", flow.name), flow.done).await
    };
    let beside = async {
        beside.await?;
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        result = play => result,
        result = beside => result,
        result = stage.keep_alive() => result,
    }
}

/// Freezes the leader until the other replica leads.
async fn depose(stage: &Stage, moment: &Moment, random: u64, struck: &std::cell::Cell<bool>) -> Result<()> {
    let gate = Gate::new();
    match moment {
        Moment::During { write, .. } => {
            let hold = Rule::new(|request| request.is_change(), Effect::Hold(gate.clone()));
            stage.proxy.script().add(hold.skip(write.number).times(1));
            gate.reached().await;
        }
        Moment::After(milliseconds) => tokio::time::sleep(Duration::from_millis(*milliseconds)).await,
    }
    stage.freeze(0).await?;
    struck.set(true);
    stage.leads(1).await?;
    // Somewhere in what the new leader does first.
    tokio::time::sleep(Duration::from_millis(random % 400)).await;
    match moment {
        Moment::During { wakes_first: true, .. } => {
            stage.thaw(0).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            gate.open();
        }
        Moment::During { wakes_first: false, .. } => {
            gate.open();
            tokio::time::sleep(Duration::from_millis(50)).await;
            stage.thaw(0).await?;
        }
        Moment::After(_) => stage.thaw(0).await?,
    }
    stage.ended(0).await
}

/// Deletes the app in the middle, makes it anew, and lets the write of its first life go.
async fn reborn(stage: Stage, flow: &Flow, write: &Write, random: u64) -> Result<Ran> {
    let gate = Gate::new();
    let hold = Rule::new(|request| request.is_change(), Effect::Hold(gate.clone()));
    stage.proxy.script().add(hold.skip(write.number).times(1));
    let until_reached = async {
        gate.reached().await;
        Ok(())
    };
    let play = async {
        stage.play(&flow.edit).await?;
        stage.until(&format!("{} is done", flow.name), flow.done).await
    };
    let struck = tokio::select! {
        result = play => result.map(|()| false),
        result = until_reached => result.map(|()| true),
        result = stage.keep_alive() => result.map(|()| false),
    }?;
    let anew = async {
        stage.sandbox.delete(Kind::App, APP).await?;
        stage.sandbox.apply(&app(APP)).await?;
        tokio::time::sleep(Duration::from_millis(random % 2_000)).await;
        gate.open();
        stage.until("the new app serves", as_new).await?;
        // The late write must have had its chance.
        let pending = || stage.proxy.log().count(|r| r.request.is_change() && r.verdict == Verdict::Pending);
        while pending() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.until("the new app serves still", as_new).await
    };
    tokio::select! {
        result = anew => result,
        result = stage.keep_alive() => result,
    }?;
    stage.sandbox.finish().await?;
    Ok(Ran { struck })
}

/// As after a first activation.
fn as_new(world: &World) -> bool {
    at_rest(world, Blue)
        && world.children(APP).len() == 7
        && world.image(APP, Blue).as_deref() == Some("team/hello:v1")
        && world.image(APP, Green).as_deref() == Some("team/hello:v2")
        && [Blue, Green].iter().all(|&color| world.pods(APP, color).len() == 2)
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flow.name, self.trouble)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault, write) => write!(f, "{fault} {write}"),
            Self::Blur(blur) => write!(f, "{blur}"),
            Self::Deposed(Moment::During { write, wakes_first: true }) => {
                write!(f, "deposed, wakes, then commits {write}")
            }
            Self::Deposed(Moment::During { write, wakes_first: false }) => {
                write!(f, "deposed, commits, then wakes: {write}")
            }
            Self::Deposed(Moment::After(milliseconds)) => write!(f, "deposed after {milliseconds} ms"),
            Self::Reborn(write) => write!(f, "made anew during {write}"),
        }
    }
}
