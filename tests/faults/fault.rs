//! What can befall a write.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use bluegreen_proxy::{Answer, Breakpoint, Effect, Point, Proxy, Rule, Stops};

use crate::stage::Stage;

/// Longer than the operator waits for an answer (`--write-timeout` of the harness).
const TOO_LATE: Duration = Duration::from_millis(2_500);

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and a new start.
    Crash(Point),
    /// The connection breaks before the write gets through.
    Cut,
    /// The write is carried out, and the connection breaks before the answer gets back.
    LostReply,
    /// The write is carried out after the operator has given up on it.
    Late,
    /// It is not carried out, and answered so.
    Refused(u16),
    /// It is carried out, and answered so.
    Denied(u16),
    /// It and the next ones are answered with a conflict.
    Conflicts,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::Crash(Point::BeforeForward),
        Self::Crash(Point::AfterCommit),
        Self::Crash(Point::AfterReply),
        Self::Cut,
        Self::LostReply,
        Self::Late,
        Self::Denied(504),
        Self::Denied(503),
        Self::Denied(500),
        Self::Refused(503),
        Self::Refused(504),
        Self::Refused(429),
        Self::Conflicts,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(Point::BeforeForward) => f.write_str("crash before"),
            Self::Crash(Point::AfterCommit) => f.write_str("crash after the commit of"),
            Self::Crash(Point::AfterReply) => f.write_str("crash after the reply to"),
            Self::Cut => f.write_str("connection lost before"),
            Self::LostReply => f.write_str("lost reply to"),
            Self::Late => f.write_str("late commit of"),
            Self::Refused(code) => write!(f, "{code} instead of"),
            Self::Denied(code) => write!(f, "{code} after the commit of"),
            Self::Conflicts => f.write_str("409 storm from"),
        }
    }
}

/// One fault at one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub fault: Fault,
    /// Counted from the edit.
    number: u64,
    /// In words, as in the rehearsal.
    write: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} write {}: {}", self.fault, self.number + 1, self.write)
    }
}

/// A fault that waits for its write.
pub enum Strike {
    /// The proxy does it all.
    ByItself { proxy_log: usize },
    /// The operator is killed when its write is stopped.
    Kill(Stops),
}

impl Case {
    /// Every fault at every write.
    pub fn all(writes: &[String]) -> Vec<Self> {
        let at = |fault| {
            (0..).zip(writes).map(move |(number, write)| Self { fault, number, write: write.clone() })
        };
        Fault::ALL.into_iter().flat_map(at).collect()
    }

    /// Puts the fault into the proxy's script.
    pub fn prepare(&self, proxy: &Proxy) -> Strike {
        let by_itself = Strike::ByItself { proxy_log: proxy.log().len() };
        let (effect, times, strike) = match self.fault {
            Fault::Crash(point) => {
                let (breakpoint, stops) = Breakpoint::new(point);
                (Effect::Stop(breakpoint), 1, Strike::Kill(stops))
            }
            Fault::Cut => (Effect::Cut, 1, by_itself),
            Fault::LostReply => (Effect::LoseReply, 1, by_itself),
            Fault::Late => (Effect::Delay(TOO_LATE..=TOO_LATE), 1, by_itself),
            Fault::Refused(429) => (Effect::Answer(Answer::too_many_requests(1)), 1, by_itself),
            Fault::Refused(code) => (Effect::Answer(Answer::code(code)), 1, by_itself),
            Fault::Denied(code) => (Effect::AnswerAfter(Answer::code(code)), 1, by_itself),
            Fault::Conflicts => (Effect::Answer(Answer::code(409)), 8, by_itself),
        };
        proxy.script().add(Rule::new(|request| request.is_change(), effect).skip(self.number).times(times));
        strike
    }
}

impl Strike {
    /// Sees to it that the fault takes place; `false` if all was done before its turn came.
    pub async fn carry_out(self, stage: &mut Stage) -> Result<bool> {
        match self {
            Self::ByItself { proxy_log } => {
                stage.settled().await?;
                let undisturbed = stage.proxy.log().since(proxy_log).into_iter().all(|record| {
                    !record.request.is_change()
                        || matches!(record.verdict, bluegreen_proxy::Verdict::Forwarded(_))
                });
                Ok(!undisturbed)
            }
            Self::Kill(mut stops) => {
                let stopped = tokio::select! {
                    stopped = stops.next() => stopped?,
                    settled = stage.settled() => return settled.map(|()| false),
                };
                stage.kill()?;
                stopped.abandon();
                stage.restart().await?;
                Ok(true)
            }
        }
    }
}
