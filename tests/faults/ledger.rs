//! Which plans were played, and what came of them: told as they end, and kept for a run that goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{is_known, is_set};

/// How often progress is told.
const EVERY: usize = 20;

/// What became of one plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Passed,
    /// It passed, and the flow was through before the trouble's turn came.
    Missed,
    Failed,
}

/// The plans of a run, or of several.
pub struct Ledger {
    plans: BTreeMap<String, Option<Entry>>,
    file: File,
}

/// The plans of a run, with what an earlier one has found of them.
fn taken_up(names: Vec<String>, before: &str) -> BTreeMap<String, Option<Entry>> {
    let mut plans: BTreeMap<_, _> = names.into_iter().map(|name| (name, None)).collect();
    for (word, name) in before.lines().filter_map(|line| line.split_once('\t')) {
        let entry = match word {
            "passed" => Entry::Passed,
            "missed" => Entry::Missed,
            _ => continue,
        };
        // A plan that this run does not have is none of its results.
        if let Some(known) = plans.get_mut(name) {
            *known = Some(entry);
        }
    }
    plans
}

#[test]
fn only_plans_of_this_run_that_passed_are_taken_up() {
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let plans = taken_up(names, "passed\ta\nfailed\tb\npassed\tof another run\nmissed\tc\n");
    let passed: Vec<&str> =
        plans.iter().filter(|(_, entry)| entry.is_some()).map(|(name, _)| name.as_str()).collect();
    assert_eq!((plans.len(), passed), (3, vec!["a", "c"]));
}

impl Ledger {
    /// Begins a new one, or, with `RESUME=1`, goes on with the one before of the same code.
    pub fn open(seed: u64, code: &str, names: Vec<String>) -> Result<Self> {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{seed}-{code}.ledger"));
        let resume = is_known(code) && is_set("RESUME");
        let before = if resume { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let plans = taken_up(names, &before);
        let mut options = OpenOptions::new();
        options.create(true).append(resume).write(true).truncate(!resume);
        let file = options.open(&path).with_context(|| format!("can't write {}", path.display()))?;
        Ok(Self { plans, file })
    }

    /// Whether it has still to be played.
    pub fn is_due(&self, name: &str) -> bool {
        self.plans.get(name).is_some_and(Option::is_none)
    }

    /// If all the plans whose names begin so have passed, and there are so many: how many missed their turn.
    pub fn missed_of(&self, beginning: &str, plans: usize) -> Option<usize> {
        let of_flow =
            || self.plans.iter().filter(|(name, _)| name.starts_with(beginning)).map(|(_, entry)| *entry);
        let passed = of_flow().filter(|entry| matches!(entry, Some(Entry::Passed | Entry::Missed))).count();
        (passed == plans && of_flow().count() == plans)
            .then(|| of_flow().filter(|entry| *entry == Some(Entry::Missed)).count())
    }

    pub fn total(&self) -> usize {
        self.plans.len()
    }

    /// Takes note of a plan that has ended.
    pub fn note(&mut self, name: &str, took: Duration, result: Result<bool>) -> Result<()> {
        let entry = match result {
            Ok(true) => Entry::Passed,
            Ok(false) => Entry::Missed,
            Err(error) => {
                println!("\nFAILED after {:.0} s: {error:#}\n", took.as_secs_f64());
                Entry::Failed
            }
        };
        let word = match entry {
            Entry::Passed => "passed",
            Entry::Missed => "missed",
            Entry::Failed => "failed",
        };
        writeln!(self.file, "{word}\t{name}")?;
        self.plans.insert(name.to_owned(), Some(entry));
        let done = self.plans.values().flatten().count();
        if done.is_multiple_of(EVERY) {
            println!("{done} of {}, {} failed", self.plans.len(), self.count(Entry::Failed));
        }
        Ok(())
    }

    pub fn failed(&self) -> Vec<&str> {
        let failed = self.plans.iter().filter(|(_, entry)| **entry == Some(Entry::Failed));
        failed.map(|(name, _)| name.as_str()).collect()
    }

    fn count(&self, entry: Entry) -> usize {
        self.plans.values().filter(|other| **other == Some(entry)).count()
    }

    /// All of it in one line.
    pub fn summary(&self) -> String {
        let (passed, missed, failed) =
            (self.count(Entry::Passed), self.count(Entry::Missed), self.count(Entry::Failed));
        format!(
            "{} of {} plans ended as without trouble and broke no promise ({missed} of them were through before \
             their trouble's turn), {failed} failed",
            passed + missed,
            self.plans.len()
        )
    }
}
