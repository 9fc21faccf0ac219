//! What can befall a write.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use bluegreen_proxy::{Answer, Breakpoint, Effect, Gate, Point, Proxy, Rule, Stops, Verdict};

use crate::stage::Stage;

/// Longer than the operator waits for an answer (`--write-timeout` of the stage).
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
    /// It is not carried out, nothing is answered, and nothing closes.
    HalfOpen,
    /// It is not carried out, and answered so.
    Refused(u16),
    /// It is carried out, and answered so.
    Denied(u16),
    /// It and the next ones are answered with a conflict.
    Conflicts,
}

impl Fault {
    pub const ALL: [Self; 15] = [
        Self::Crash(Point::BeforeForward),
        Self::Crash(Point::AfterCommit),
        Self::Crash(Point::AfterReply),
        Self::Cut,
        Self::LostReply,
        Self::Late,
        Self::HalfOpen,
        Self::Denied(504),
        Self::Denied(503),
        Self::Denied(500),
        Self::Refused(500),
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
            Self::HalfOpen => f.write_str("no answer to"),
            Self::Refused(code) => write!(f, "{code} instead of"),
            Self::Denied(code) => write!(f, "{code} after the commit of"),
            Self::Conflicts => f.write_str("409 storm from"),
        }
    }
}

/// A write of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Counted from the flow's first step.
    pub number: u64,
    /// In words, as in the rehearsal.
    pub words: String,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {}: {}", self.number + 1, self.words)
    }
}

/// A fault that waits for its write.
pub enum Strike {
    /// The proxy does it all.
    ByItself { proxy_log: usize },
    /// The operator is killed when its write is stopped.
    Kill(Stops),
}

impl Fault {
    /// Puts the fault into the proxy's script.
    pub fn prepare(self, write: &Write, proxy: &Proxy) -> Strike {
        let by_itself = Strike::ByItself { proxy_log: proxy.log().len() };
        let (effect, times, strike) = match self {
            Self::Crash(point) => {
                let (breakpoint, stops) = Breakpoint::new(point);
                (Effect::Stop(breakpoint), 1, Strike::Kill(stops))
            }
            Self::Cut => (Effect::Cut, 1, by_itself),
            Self::LostReply => (Effect::LoseReply, 1, by_itself),
            Self::Late => (Effect::Delay(TOO_LATE..=TOO_LATE), 1, by_itself),
            Self::HalfOpen => (Effect::Hold(Gate::new()), 1, by_itself),
            Self::Refused(429) => (Effect::Answer(Answer::too_many_requests(1)), 1, by_itself),
            Self::Refused(code) => (Effect::Answer(Answer::code(code)), 1, by_itself),
            Self::Denied(code) => (Effect::AnswerAfter(Answer::code(code)), 1, by_itself),
            Self::Conflicts => (Effect::Answer(Answer::code(409)), 8, by_itself),
        };
        proxy.script().add(Rule::new(|request| request.is_change(), effect).skip(write.number).times(times));
        strike
    }
}

impl Strike {
    /// Does what the proxy can't, when the time comes.
    pub async fn attend(&mut self, stage: &Stage) -> Result<()> {
        match self {
            Self::ByItself { .. } => Ok(()),
            Self::Kill(stops) => {
                let stopped = stops.next().await?;
                stage.crash(|| stopped.abandon()).await
            }
        }
    }

    /// Whether it took place, as far as the proxy knows.
    pub fn struck(&self, write: &Write, proxy: &Proxy) -> bool {
        match self {
            // Late ones are forwarded in the end: what counts is that there was such a write.
            Self::ByItself { proxy_log } => {
                let changes = proxy.log().since(*proxy_log);
                let nth = usize::try_from(write.number).unwrap_or(usize::MAX);
                changes.iter().filter(|record| record.request.is_change()).nth(nth).is_some()
            }
            Self::Kill(_) => {
                proxy.log().count(|record| {
                    matches!(record.verdict, Verdict::Cut | Verdict::ReplyLost(_))
                        && record.request.is_change()
                }) > 0
            }
        }
    }
}
