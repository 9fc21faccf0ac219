//! What was found, kept as JSON lines.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::root;

/// One suite on one version with one datastore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Such as `1.35.4`.
    pub kubernetes: String,
    /// Such as `etcd 3.6.5`.
    pub datastore: String,
    /// Such as `e2e`.
    pub suite: String,
    /// How many tests passed.
    pub passed: usize,
    /// The names of those that failed.
    pub failed: Vec<String>,
    /// The names of those that passed only when they were tried again, alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<String>,
    /// The commit of the code; a second one if what had failed was run with it.
    pub code: String,
}

impl Outcome {
    fn key(&self) -> (Vec<u32>, &str, &str) {
        let numbers = self.kubernetes.split('.').filter_map(|part| part.parse().ok()).collect();
        (numbers, &self.datastore, &self.suite)
    }
}

/// All outcomes, by version, datastore and suite; the last one of each.
#[derive(Debug, Default)]
pub struct Results(pub Vec<Outcome>);

impl Results {
    fn path() -> PathBuf {
        root().join("docs/compatibility.jsonl")
    }

    /// What is kept; nothing where there is no file.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(Self::path()).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).context(line.to_owned()));
        Ok(Self(lines.collect::<Result<_>>()?))
    }

    /// What is known of a suite with this code; nothing of edits, which may differ.
    pub fn of(&self, kubernetes: &str, datastore: &str, suite: &str, code: &str) -> Option<&Outcome> {
        let known = self.last(kubernetes, datastore, suite).filter(|one| one.code == code);
        known.filter(|_| !code.ends_with("-dirty"))
    }

    /// What is known of a suite, whatever the code was.
    pub fn last(&self, kubernetes: &str, datastore: &str, suite: &str) -> Option<&Outcome> {
        self.0
            .iter()
            .find(|one| (&*one.kubernetes, &*one.datastore, &*one.suite) == (kubernetes, datastore, suite))
    }

    /// Keeps an outcome in place of an earlier one, and what another run has kept meanwhile.
    pub fn keep(&mut self, outcome: Outcome) -> Result<()> {
        *self = Self::read()?;
        self.add(outcome);
        let lines = self.0.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let path = Self::path();
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, lines.join("\n") + "\n")?;
        Ok(fs::rename(unfinished, path)?)
    }

    fn add(&mut self, outcome: Outcome) {
        self.0.retain(|one| one.key() != outcome.key());
        self.0.push(outcome);
        self.0.sort_by(|one, other| one.key().cmp(&other.key()));
    }
}

/// How many tests passed, and which failed, by what the test program said; nothing if it did not come to its end.
pub fn outcome(said: &str) -> Option<(usize, Vec<String>)> {
    said.lines().find(|line| line.starts_with("test result: "))?;
    let tests = || said.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let passed = tests().filter(|(_, result)| *result == "ok").count();
    let failed = tests().filter(|(_, result)| result.starts_with("FAILED")).map(|(name, _)| name.to_owned());
    Some((passed, failed.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kubernetes: &str, failed: &[&str], code: &str) -> Outcome {
        Outcome {
            kubernetes: kubernetes.to_owned(),
            datastore: "etcd 3.6.5".to_owned(),
            suite: "e2e".to_owned(),
            passed: 2,
            failed: failed.iter().map(|&name| name.to_owned()).collect(),
            again: Vec::new(),
            code: code.to_owned(),
        }
    }

    #[test]
    fn what_a_test_program_said() {
        let said = "running 4 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, needs a node\ntest e ... ok\n";
        assert_eq!(outcome(said), None, "it was killed");
        let ended = format!(
            "{said}\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n"
        );
        assert_eq!(outcome(&ended), Some((2, vec!["c".to_owned()])));
    }

    #[test]
    fn what_is_known_of_this_code() {
        let mut results = Results::default();
        let known = |results: &Results, code: &str| {
            results.of("1.30.14", "etcd 3.6.5", "e2e", code).map(|one| one.failed.len())
        };
        results.add(one("1.37.2", &[], "abc"));
        results.add(one("1.30.14", &["a"], "abc"));
        assert_eq!(known(&results, "abc"), Some(1));
        results.add(one("1.30.14", &[], "abc"));
        assert_eq!((known(&results, "abc"), known(&results, "abd")), (Some(0), None));
        assert_eq!(results.0.len(), 2, "the later one replaces the earlier one");
        assert_eq!(results.0[0].kubernetes, "1.30.14", "the oldest first");
        results.add(one("1.30.14", &[], "abc-dirty"));
        assert_eq!(known(&results, "abc-dirty"), None, "edits may differ");
    }
}
