//! Keeps what became of each request, in 32 bytes each.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{client::Answer, plan::Kind};

/// Why a request was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// Nothing listens.
    Refused,
    /// The network says that there is no way.
    Unreachable,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was complete.
    Closed,
    /// No complete answer in time.
    Timeout,
    /// An answer other than 2xx.
    Status(u16),
    /// Something that is not HTTP.
    Protocol,
    /// This machine's fault: out of ports or file descriptors, or too much in flight. Such a run proves nothing.
    Local,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Reset => f.write_str("reset"),
            Self::Closed => f.write_str("closed"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Protocol => f.write_str("protocol"),
            Self::Local => f.write_str("local"),
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer with a 2xx status.
    Ok,
    /// Lost.
    Failed(Failure),
}

/// One request, as a [`Report`](crate::Report) shows it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Intended start, since the start of the load.
    pub at: Duration,
    /// From the intended start to the end.
    pub latency: Duration,
    /// How much later than intended it started.
    pub lateness: Duration,
    /// The client's place in the plan.
    pub client: usize,
    /// The client's kind.
    pub kind: Kind,
    /// What became of it.
    pub outcome: Outcome,
    /// `X-App-Color` of the answer.
    pub color: Option<&'a str>,
    /// `X-App-Version` of the answer.
    pub version: Option<&'a str>,
    /// `X-App-Pod` of the answer.
    pub pod: Option<&'a str>,
}

impl Request<'_> {
    /// When it ended, since the start of the load.
    #[must_use]
    pub fn ended(&self) -> Duration {
        self.at + self.latency
    }
}

/// Totals while the load runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were started.
    pub sent: u64,
    /// Answered with a 2xx status.
    pub ok: u64,
    /// Lost, for whatever reason.
    pub failed: u64,
    /// Answers by color.
    pub by_color: BTreeMap<String, u64>,
}

/// A stored request. Times are in microseconds, which last for half a million years and, for durations, for an hour.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: u64,
    latency: u32,
    lateness: u32,
    outcome: Outcome,
    color: Name,
    version: Name,
    pod: Name,
    client: u8,
}

/// A number for a text that occurs again and again. 0 stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Name(u16);

#[derive(Clone, Debug, Default)]
struct Names {
    texts: Vec<String>,
    numbers: HashMap<String, Name>,
}

impl Names {
    fn number(&mut self, text: Option<String>) -> Name {
        let Some(text) = text else { return Name::default() };
        if let Some(known) = self.numbers.get(&text) {
            return *known;
        }
        // A server that makes up a name for each answer ends up without names, not with wrong ones.
        let Ok(number) = u16::try_from(self.texts.len() + 1) else { return Name::default() };
        self.texts.push(text.clone());
        self.numbers.insert(text, Name(number));
        Name(number)
    }

    fn text(&self, name: Name) -> Option<&str> {
        usize::from(name.0).checked_sub(1).and_then(|index| self.texts.get(index)).map(String::as_str)
    }
}

/// All requests so far.
#[derive(Clone, Debug, Default)]
pub struct Records {
    records: Vec<Record>,
    names: Names,
    counts: Counts,
}

impl Records {
    /// Every request that has ended, in the order of its end; `kinds` are those of the plan's clients.
    pub fn iter<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = Request<'a>> {
        self.records.iter().filter_map(|record| {
            let client = usize::from(record.client);
            Some(Request {
                at: Duration::from_micros(record.at),
                latency: Duration::from_micros(record.latency.into()),
                lateness: Duration::from_micros(record.lateness.into()),
                client,
                kind: *kinds.get(client)?,
                outcome: record.outcome,
                color: self.names.text(record.color),
                version: self.names.text(record.version),
                pod: self.names.text(record.pod),
            })
        })
    }
}

/// [`Records`] that many requests add to.
#[derive(Debug, Default)]
pub struct Store(Mutex<Records>);

impl Store {
    /// Counts a request that starts.
    pub fn started(&self) {
        self.with(|records| records.counts.sent += 1);
    }

    /// Keeps a request that has ended.
    pub fn ended(&self, client: u8, at: Duration, lateness: Duration, latency: Duration, answer: Answer) {
        self.with(|records| {
            match answer.outcome {
                Outcome::Ok => records.counts.ok += 1,
                Outcome::Failed(_) => records.counts.failed += 1,
            }
            if let Some(color) = &answer.color {
                *records.counts.by_color.entry(color.clone()).or_default() += 1;
            }
            let record = Record {
                at: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
                latency: u32::try_from(latency.as_micros()).unwrap_or(u32::MAX),
                lateness: u32::try_from(lateness.as_micros()).unwrap_or(u32::MAX),
                outcome: answer.outcome,
                color: records.names.number(answer.color),
                version: records.names.number(answer.version),
                pod: records.names.number(answer.pod),
                client,
            };
            records.records.push(record);
        });
    }

    /// Totals so far.
    pub fn counts(&self) -> Counts {
        self.with(|records| records.counts.clone())
    }

    /// Everything so far.
    pub fn take(&self) -> Records {
        self.with(std::mem::take)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Records) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_requests_fit_in_32_megabytes() {
        assert!(size_of::<Record>() <= 32, "{}", size_of::<Record>());
    }

    #[test]
    fn too_many_names_are_dropped_and_not_mixed_up() {
        let mut names = Names::default();
        let first = names.number(Some("0".into()));
        for n in 1..70_000 {
            names.number(Some(n.to_string()));
        }
        assert_eq!(names.text(first), Some("0"));
        assert_eq!(names.number(Some("new".into())), Name::default());
        assert_eq!(names.text(Name::default()), None);
    }
}
