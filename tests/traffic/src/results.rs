//! The file of results: one line for each turn of a row, added to and never changed, so that a run that was interrupted
//! goes on where it was, and turns of several runs add up.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::histogram::Latencies;

/// What a measurement depends on. A commit that touches nothing of it, as a change of the report's words, does not make
/// results out of date.
const MEASURED: [&str; 12] = [
    "src",
    "crates",
    "examples/hello",
    "tests/cluster",
    "tests/load",
    "tests/guard",
    "tests/traffic",
    ":!tests/traffic/src/report.rs",
    ":!tests/traffic/src/report.md",
    ":!tests/traffic/src/plot.rs",
    ":!tests/traffic/src/browser.rs",
    "Cargo.lock",
];

/// The subject where no peer is driven.
pub const OPERATOR: &str = "bluegreen-operator";

/// Requests of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kind {
    /// Requests that were due.
    pub sent: u64,
    /// Lost ones, by cause.
    pub lost: BTreeMap<String, u64>,
    /// Requests that this machine started late.
    pub late: u64,
    /// Before the edit, from the edit until two seconds after the switch, and after that.
    pub latency: [Latencies; 3],
}

/// Long-lived streams, whose fate is reported and not promised.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Streams {
    /// Opened before a switch.
    pub opened: u64,
    /// Still alive at the end.
    pub alive: u64,
    /// Ended by the app, in good order.
    pub ended: u64,
    /// Broken off.
    pub cut: u64,
}

/// What one turn of a row gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The commit of the code that was measured.
    pub commit: String,
    /// The row's name.
    pub row: String,
    /// Who switched: this operator, or a peer.
    pub subject: String,
    /// When it began.
    pub at: String,
    /// Processor cores of the machine.
    pub cores: usize,
    /// Its load just before.
    pub load: f64,
    /// Fresh requests per second that were asked for.
    pub rate: f64,
    /// Seconds under load.
    pub seconds: f64,
    /// How many switches (or rolls).
    pub switches: u64,
    /// Milliseconds from the edit until the Service had moved, switch by switch.
    pub took_ms: Vec<f64>,
    /// Requests by kind.
    pub kinds: BTreeMap<String, Kind>,
    /// Fresh requests that the old color answered later than allowed.
    pub old_color: u64,
    /// Answers of another version or pod than the color's own.
    pub stray: u64,
    /// Times that the old color was touched while an endpoint still pointed at it, or before its drain was over.
    pub touched_early: u64,
    /// What the guard and the row itself found besides.
    pub broken: Vec<String>,
    /// Long-lived streams.
    pub streams: Streams,
    /// Fresh requests by tenths of a second around the switch; the first is [`TIMELINE_BEFORE`] tenths before it.
    pub timeline: Vec<Latencies>,
}

/// Tenths of a second before the switch, in [`Entry::timeline`].
pub const TIMELINE_BEFORE: usize = 20;

/// Tenths of a second in all.
pub const TIMELINE: usize = 80;

impl Entry {
    /// Requests of all kinds.
    pub fn sent(&self) -> u64 {
        self.kinds.values().map(|kind| kind.sent).sum()
    }

    /// Lost ones of all kinds.
    pub fn lost(&self) -> u64 {
        self.kinds.values().flat_map(|kind| kind.lost.values()).sum()
    }

    /// Whether everything was as promised.
    pub fn is_clean(&self) -> bool {
        self.lost() == 0 && self.keeps_everything_but_requests()
    }

    /// Requests may have been lost; nothing else was wrong.
    pub fn keeps_everything_but_requests(&self) -> bool {
        let Self { old_color, stray, touched_early, broken, .. } = self;
        [*old_color, *stray, *touched_early] == [0; 3] && broken.is_empty()
    }

    /// Adds another turn of the same row.
    pub fn extend(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.switches += other.switches;
        self.old_color += other.old_color;
        self.stray += other.stray;
        self.touched_early += other.touched_early;
        self.took_ms.extend(&other.took_ms);
        self.broken.extend(other.broken.iter().cloned());
        for (name, theirs) in &other.kinds {
            let ours = self.kinds.entry(name.clone()).or_default();
            ours.sent += theirs.sent;
            ours.late += theirs.late;
            for (cause, count) in &theirs.lost {
                *ours.lost.entry(cause.clone()).or_default() += count;
            }
            for (ours, theirs) in ours.latency.iter_mut().zip(&theirs.latency) {
                ours.extend(theirs);
            }
        }
        let (ours, theirs) = (&mut self.streams, &other.streams);
        ours.opened += theirs.opened;
        ours.alive += theirs.alive;
        ours.ended += theirs.ended;
        ours.cut += theirs.cut;
        self.timeline.resize(self.timeline.len().max(other.timeline.len()), Latencies::default());
        for (ours, theirs) in self.timeline.iter_mut().zip(&other.timeline) {
            ours.extend(theirs);
        }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub struct Results(PathBuf);

impl Results {
    /// At this path; it may not be there yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Adds a line.
    pub fn add(&self, entry: &Entry) -> Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::options().create(true).append(true).open(&self.0)?;
        // In one write: a run that is killed leaves no half of a line.
        Ok(file.write_all((serde_json::to_string(entry)? + "\n").as_bytes())?)
    }

    /// All lines about that commit.
    pub fn of(&self, commit: &str) -> Result<Vec<Entry>> {
        let Ok(text) = fs::read_to_string(&self.0) else { return Ok(Vec::new()) };
        let entries: Vec<Entry> = text
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("{} is damaged", self.0.display()))
            })
            .collect::<Result<_>>()?;
        Ok(entries.into_iter().filter(|entry| entry.commit == commit).collect())
    }
}

/// The turns of each row added up, by subject and row.
pub fn sums(entries: &[Entry]) -> BTreeMap<(String, String), Entry> {
    let mut sums: BTreeMap<(String, String), Entry> = BTreeMap::new();
    for entry in entries {
        match sums.get_mut(&(entry.subject.clone(), entry.row.clone())) {
            Some(sum) => sum.extend(entry),
            None => drop(sums.insert((entry.subject.clone(), entry.row.clone()), entry.clone())),
        }
    }
    sums
}

/// The commit of what is measured.
pub fn commit() -> Result<String> {
    bluegreen_cluster::code(&MEASURED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(row: &str, sent: u64, reset: u64) -> Entry {
        let lost = if reset > 0 { BTreeMap::from([("reset".to_owned(), reset)]) } else { BTreeMap::new() };
        let kind = Kind { sent, lost, ..Kind::default() };
        Entry {
            commit: "a".into(),
            row: row.into(),
            subject: OPERATOR.into(),
            switches: 1,
            kinds: BTreeMap::from([("fresh".to_owned(), kind)]),
            ..Entry::default()
        }
    }

    #[test]
    fn do_turns_of_one_row_add_up_over_runs() -> Result<()> {
        let path = std::env::temp_dir().join(format!("bluegreen-results-{}", std::process::id()));
        let results = Results::at(&path);
        assert!(results.of("a")?.is_empty(), "nothing was measured yet");
        results.add(&entry("plain", 10, 0))?;
        results.add(&entry("plain", 20, 3))?;
        results.add(&entry("other", 5, 0))?;
        results.add(&Entry { commit: "b".into(), ..entry("plain", 7, 7) })?;
        let sums = sums(&results.of("a")?);
        fs::remove_file(&path)?;
        let plain = &sums[&(OPERATOR.to_owned(), "plain".to_owned())];
        assert_eq!((plain.sent(), plain.lost(), plain.switches, plain.is_clean()), (30, 3, 2, false));
        assert!(sums[&(OPERATOR.to_owned(), "other".to_owned())].is_clean());
        Ok(())
    }
}
