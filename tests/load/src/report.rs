//! Answers questions about a load that has ended.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::{
    plan::{Kind, Plan},
    record::{Outcome, Records, Request},
};

/// Something that happened while the load ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Since the start of the load.
    pub at: Duration,
    /// What happened.
    pub label: String,
}

/// Percentiles of the time from a request's intended start to the end of its answer, over all answered requests
/// whatever their status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half are faster.
    pub p50: Duration,
    /// Nine in ten are faster.
    pub p90: Duration,
    /// 99 in 100 are faster.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Latency {
    /// Exact, since every request was kept.
    fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        // The smallest value that at least `percent` of all are not above.
        let at = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100);
            latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

/// What became of a group of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that were due.
    pub sent: u64,
    /// Answered completely with a 2xx status.
    pub ok: u64,
    /// Lost requests by cause.
    pub failures: BTreeMap<String, u64>,
    /// Requests that started late. Many of them mean that this machine could not keep the rate.
    pub late: u64,
    /// The latest start, after its time.
    pub latest_start: Duration,
    /// Connections opened.
    pub connections: u64,
    /// Answers by color.
    pub by_color: BTreeMap<String, u64>,
    /// Answers by version.
    pub by_version: BTreeMap<String, u64>,
    /// Answers by pod.
    pub by_pod: BTreeMap<String, u64>,
    /// How long answers took.
    pub latency: Latency,
}

impl Summary {
    /// Lost requests.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn of<'a>(requests: impl Iterator<Item = Request<'a>>, late_after: Duration, connections: u64) -> Self {
        let mut summary = Self { connections, ..Self::default() };
        let mut latencies = Vec::new();
        let count = |counts: &mut BTreeMap<String, u64>, name: Option<&str>| {
            if let Some(name) = name {
                match counts.get_mut(name) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(name.to_owned(), 1)),
                }
            }
        };
        for request in requests {
            summary.sent += 1;
            match request.outcome {
                Outcome::Ok => summary.ok += 1,
                Outcome::Failed(failure) => *summary.failures.entry(failure.to_string()).or_default() += 1,
            }
            if answered(&request) {
                latencies.push(request.latency);
            }
            summary.late += u64::from(request.lateness > late_after);
            summary.latest_start = summary.latest_start.max(request.lateness);
            count(&mut summary.by_color, request.color);
            count(&mut summary.by_version, request.version);
            count(&mut summary.by_pod, request.pod);
        }
        summary.latency = Latency::of(latencies);
        summary
    }
}

fn answered(request: &Request<'_>) -> bool {
    use crate::record::Failure as F;
    match request.outcome {
        Outcome::Ok | Outcome::Failed(F::Status(_)) => true,
        Outcome::Failed(
            F::Refused | F::Unreachable | F::Reset | F::Closed | F::Timeout | F::Protocol | F::Local,
        ) => false,
    }
}

/// Everything about a load that has ended. Its `Display` form is for people.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where the load went.
    pub target: SocketAddr,
    /// From the start to the call of `stop`.
    pub duration: Duration,
    /// Over all clients.
    pub total: Summary,
    /// By kind of client.
    pub by_kind: BTreeMap<Kind, Summary>,
    /// What was marked, in order.
    pub marks: Vec<Mark>,
    kinds: Vec<Kind>,
    records: Records,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        duration: Duration,
        marks: Vec<Mark>,
        connections: &[u64],
        records: Records,
    ) -> Self {
        let kinds: Vec<Kind> = plan.clients.iter().map(|client| client.kind).collect();
        let opened = |wanted: Option<Kind>| {
            let all = kinds.iter().zip(connections);
            all.filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == **kind))
                .map(|(_, opened)| opened)
                .sum()
        };
        let total = Summary::of(records.iter(&kinds), plan.late_after, opened(None));
        let by_kind = kinds
            .iter()
            .map(|kind| {
                let requests = records.iter(&kinds).filter(|request| request.kind == *kind);
                (*kind, Summary::of(requests, plan.late_after, opened(Some(*kind))))
            })
            .collect();
        Self { target: plan.target, duration, total, by_kind, marks, kinds, records }
    }

    /// Every request in the order of its end.
    pub fn requests(&self) -> impl Iterator<Item = Request<'_>> {
        self.records.iter(&self.kinds)
    }

    /// What happened from the first mark with this label on; `None` without such a mark.
    #[must_use]
    pub fn after(&self, label: &str) -> Option<Window<'_>> {
        self.mark(label).map(|from| Window { report: self, from, until: Duration::MAX, kind: None })
    }

    fn mark(&self, label: &str) -> Option<Duration> {
        self.marks.iter().find(|mark| mark.label == label).map(|mark| mark.at)
    }
}

/// A part of a load: from one mark on, up to another, of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    report: &'a Report,
    from: Duration,
    until: Duration,
    kind: Option<Kind>,
}

impl<'a> Window<'a> {
    /// Ends before the first mark with this label; without such a mark, it stays as it is.
    #[must_use]
    pub fn until(self, label: &str) -> Self {
        Self { until: self.report.mark(label).unwrap_or(self.until), ..self }
    }

    /// Looks at one kind of client only. Kept connections may rightly stay with the old color for a while.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Time from the mark to the end of the first answer of `color`. An answer counts by its end here, so the request
    /// may have started before the mark.
    #[must_use]
    pub fn first(self, color: &str) -> Option<Duration> {
        self.answers(color).min()
    }

    /// Time from the mark to the end of the last answer of `color`.
    #[must_use]
    pub fn last(self, color: &str) -> Option<Duration> {
        self.answers(color).max()
    }

    /// Requests that were due more than `grace` after the mark, and yet were answered by `color`: how often the old
    /// color was seen when it should have been gone.
    #[must_use]
    pub fn count_started_later(self, color: &str, grace: Duration) -> usize {
        self.started()
            .filter(|request| request.color == Some(color) && request.at > self.from + grace)
            .count()
    }

    /// Requests that were due in this part and lost.
    #[must_use]
    pub fn failed(self) -> usize {
        self.started().filter(|request| request.outcome != Outcome::Ok).count()
    }

    /// Requests that were due in this part.
    pub fn started(self) -> impl Iterator<Item = Request<'a>> {
        self.of_kind().filter(move |request| request.at >= self.from && request.at < self.until)
    }

    fn answers(self, color: &str) -> impl Iterator<Item = Duration> {
        self.of_kind()
            .filter(move |request| request.color == Some(color))
            .map(|request| request.ended())
            .filter(move |ended| (self.from..self.until).contains(ended))
            .map(move |ended| ended - self.from)
    }

    fn of_kind(self) -> impl Iterator<Item = Request<'a>> {
        self.report.requests().filter(move |request| self.kind.is_none_or(|kind| kind == request.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        let [p50, p90, p99, max] = [100, 180, 198, 200].map(Duration::from_millis);
        assert_eq!(latency, Latency { p50, p90, p99, max });
        assert_eq!(Latency::of(vec![]), Latency::default());
        let one = Duration::from_secs(1);
        assert_eq!(Latency::of(vec![one]), Latency { p50: one, p90: one, p99: one, max: one });
    }
}
