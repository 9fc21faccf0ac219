//! The table in `docs/compatibility.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::results::{Outcome, Results};
use crate::root;

const BEGIN: &str = "<!-- Written by `make versions` from compatibility.jsonl. -->\n";
const END: &str = "<!-- end -->\n";

fn document() -> PathBuf {
    root().join("docs/compatibility.md")
}

/// Puts the table of these results into the document.
pub fn write(results: &Results) -> Result<()> {
    let text = fs::read_to_string(document())?;
    Ok(fs::write(document(), with_table(&text, results)?)?)
}

fn with_table(text: &str, results: &Results) -> Result<String> {
    let (before, rest) =
        text.split_once(BEGIN).context("docs/compatibility.md has no place for the table")?;
    let (_, after) = rest.split_once(END).context("docs/compatibility.md has no end of the table")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", table(results)))
}

/// Version and datastore by suite, and the tests that failed.
pub fn table(Results(all): &Results) -> String {
    let suites: BTreeSet<&str> = all.iter().map(|one| &*one.suite).collect();
    let titles: Vec<String> = suites.iter().map(|suite| format!("`{suite}` passed")).collect();
    let mut lines = vec![
        format!("| Kubernetes | datastore | {} | code |", titles.join(" | ")),
        format!("|---|---|{}---|", "---|".repeat(suites.len())),
    ];
    let mut rows: Vec<(&str, &str)> = all.iter().map(|one| (&*one.kubernetes, &*one.datastore)).collect();
    rows.dedup();
    for (kubernetes, datastore) in rows {
        let of_row: Vec<&Outcome> =
            all.iter().filter(|one| (&*one.kubernetes, &*one.datastore) == (kubernetes, datastore)).collect();
        let cell = |suite: &&str| {
            let found = of_row.iter().find(|one| one.suite == *suite);
            found.map_or_else(
                || "not run".to_owned(),
                |one| format!("{} of {}", one.passed, one.passed + one.failed.len()),
            )
        };
        let cells: Vec<String> = suites.iter().map(cell).collect();
        let codes: BTreeSet<String> =
            of_row.iter().flat_map(|one| one.code.split(", ")).map(|code| format!("`{code}`")).collect();
        let codes: Vec<String> = codes.into_iter().collect();
        lines.push(format!("| {kubernetes} | {datastore} | {} | {} |", cells.join(" | "), codes.join(", ")));
    }
    let mut exceptions = Vec::new();
    for one in all {
        for (names, what) in [(&one.failed, "failed"), (&one.again, "passed at the second try, alone")] {
            for name in names {
                exceptions.push(format!(
                    "- On {} with {}, `{name}` of `{}` {what}.",
                    one.kubernetes, one.datastore, one.suite
                ));
            }
        }
    }
    if !exceptions.is_empty() {
        lines.push(String::new());
        lines.append(&mut exceptions);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions on which both suites were run to their end. What failed there is named below the table.
    fn run(Results(all): &Results) -> Vec<&str> {
        let ran = |kubernetes: &str, suite: &str| {
            all.iter().any(|one| (&*one.kubernetes, &*one.suite) == (kubernetes, suite) && one.passed > 0)
        };
        let mut versions: Vec<&str> = all.iter().map(|one| &*one.kubernetes).collect();
        versions.dedup();
        versions.into_iter().filter(|one| ran(one, "e2e") && ran(one, "waits")).collect()
    }

    #[test]
    fn is_the_table_what_was_found() {
        let text = fs::read_to_string(document()).unwrap();
        let written = with_table(&text, &Results::read().unwrap()).unwrap();
        assert!(text == written, "run `cargo run -p bluegreen-cluster --bin versions -- --report`");
    }

    /// README and guide name what was run, and nothing else; the chart asks for no older version.
    #[test]
    fn is_what_the_readme_names_what_was_run() {
        let results = Results::read().unwrap();
        let versions = run(&results);
        let oldest = versions.first().unwrap().rsplit_once('.').unwrap().0;
        let named = format!("Kubernetes {oldest} or later (tested with [{}](", versions.join(", "));
        let asked = format!("kubeVersion: \">={oldest}.0-0\"");
        let chart = "charts/bluegreen-operator/Chart.yaml";
        for (path, words) in [("README.md", &named), ("docs/install.md", &named), (chart, &asked)] {
            let text = fs::read_to_string(root().join(path)).unwrap();
            assert!(text.contains(words), "{path} does not say {words:?}");
        }
    }

    #[test]
    fn is_what_failed_or_was_left_out_named() {
        let one = |kubernetes: &str, suite: &str, failed: &[&str]| Outcome {
            kubernetes: kubernetes.to_owned(),
            datastore: "etcd 3.6.5".to_owned(),
            suite: suite.to_owned(),
            passed: 3,
            failed: failed.iter().map(|&name| name.to_owned()).collect(),
            again: vec!["c".to_owned()],
            code: "abc".to_owned(),
        };
        let results = Results(vec![
            one("1.30.1", "e2e", &[]),
            one("1.30.1", "waits", &[]),
            one("1.31.1", "e2e", &["a::b"]),
        ]);
        let table = table(&results);
        assert!(table.contains("| 1.30.1 | etcd 3.6.5 | 3 of 3 | 3 of 3 | `abc` |"), "{table}");
        assert!(table.contains("| 1.31.1 | etcd 3.6.5 | 3 of 4 | not run | `abc` |"), "{table}");
        assert!(table.contains("- On 1.31.1 with etcd 3.6.5, `a::b` of `e2e` failed."), "{table}");
        assert_eq!(run(&results), ["1.30.1"], "1.31 was run in part");
        assert!(
            table.contains("- On 1.30.1 with etcd 3.6.5, `c` of `waits` passed at the second try"),
            "{table}"
        );
    }
}
