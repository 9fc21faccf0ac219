//! `versions`: the suites that ask whether Kubernetes does what we think, on one version of it after the other.
//!
//! `make versions` calls it. What was found is kept in `docs/compatibility.jsonl`, one line for each version, datastore and
//! suite, and `docs/compatibility.md` and the README are held to it.

mod report;
mod results;

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};
use bluegreen_cluster::versions::{ALL, Datastore, Version, named};
use bluegreen_cluster::{Tools, target};
use clap::Parser;

use self::results::{Outcome, Results, outcome};

/// Run the suites on versions of Kubernetes, and write docs/compatibility.md.
#[derive(Parser)]
struct Arguments {
    /// Versions, such as "1.30 1.37"; all that are pinned without it.
    #[arg(long, env = "VERSIONS", default_value = "")]
    versions: String,
    /// Suites of tests/Cargo.toml.
    #[arg(long, env = "SUITES", default_value = "e2e waits")]
    suites: String,
    /// Also run what has passed with the code as it is.
    #[arg(long)]
    again: bool,
    /// Of what was run, also with other code, only run the tests that failed, with the code as it is.
    #[arg(long)]
    mend: bool,
    /// Run nothing; only write the document from what is known.
    #[arg(long)]
    report: bool,
}

/// The workspace, whose root cargo and git are run in.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all that was run has passed.
fn run(arguments: &Arguments) -> Result<bool> {
    let mut results = Results::read()?;
    let mut passed = true;
    if !arguments.report {
        let code = code()?;
        let datastore = Datastore::chosen()?;
        for version in versions(&arguments.versions)? {
            for suite in arguments.suites.split_whitespace() {
                let run = Run { version, datastore: datastore.of(version), suite, code: &code };
                if arguments.mend {
                    passed &= run.mend(&mut results)?;
                    continue;
                }
                let known =
                    results.of(version.full, &run.datastore, suite, &code).filter(|_| !arguments.again);
                let outcome = match known {
                    Some(known) if known.failed.is_empty() => {
                        eprintln!("{run}: has passed with this code");
                        continue;
                    }
                    Some(known) => run.again(known.clone())?,
                    None => {
                        let outcome = run.measure()?;
                        results.keep(outcome.clone())?;
                        if outcome.failed.is_empty() { outcome } else { run.again(outcome)? }
                    }
                };
                passed &= outcome.failed.is_empty();
                results.keep(outcome)?;
            }
        }
    }
    report::write(&results)?;
    print!("{}", report::table(&results));
    Ok(passed)
}

fn versions(names: &str) -> Result<Vec<&'static Version>> {
    if names.trim().is_empty() {
        return Ok(ALL.iter().collect());
    }
    names.split_whitespace().map(named).collect()
}

/// The commit of what is run: no documents, and nothing beside the suites.
fn code() -> Result<String> {
    bluegreen_cluster::code(&[
        ".",
        ":!docs",
        ":!*.md",
        ":!make",
        ":!Makefile",
        ":!tests/install",
        ":!tests/cluster/src/bin",
    ])
}

/// One suite on one version.
struct Run<'a> {
    version: &'static Version,
    datastore: String,
    suite: &'a str,
    code: &'a str,
}

impl fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubernetes {} on {}: {}", self.version.full, self.datastore, self.suite)
    }
}

impl Run<'_> {
    fn measure(&self) -> Result<Outcome> {
        let (passed, failed) = self.tests("", &[])?;
        Ok(Outcome {
            kubernetes: self.version.full.to_owned(),
            datastore: self.datastore.clone(),
            suite: self.suite.to_owned(),
            passed,
            failed,
            again: Vec::new(),
            code: self.code.to_owned(),
        })
    }

    /// A second try, alone, of what has failed: a machine that is busy fails tests too. That it took two is kept.
    fn again(&self, mut outcome: Outcome) -> Result<Outcome> {
        let (_, failed) = self.tests("-again", &outcome.failed)?;
        let (failed, passed): (Vec<_>, Vec<_>) =
            outcome.failed.into_iter().partition(|name| failed.contains(name));
        outcome.passed += passed.len();
        outcome.again.extend(passed);
        outcome.failed = failed;
        Ok(outcome)
    }

    /// Runs what failed with other code. Both commits are kept.
    fn mend(&self, results: &mut Results) -> Result<bool> {
        let Some(mut outcome) = results.last(self.version.full, &self.datastore, self.suite).cloned() else {
            return Ok(true);
        };
        if outcome.failed.is_empty() {
            return Ok(true);
        }
        let (_, failed) = self.tests("-mend", &outcome.failed)?;
        outcome.passed += outcome.failed.len() - failed.len();
        outcome.failed = failed;
        outcome.code = format!("{}, {}", outcome.code, self.code);
        let passed = outcome.failed.is_empty();
        results.keep(outcome)?;
        Ok(passed)
    }

    /// Runs the suite, or only the named tests, one by one: how many passed, and which failed.
    fn tests(&self, suffix: &str, names: &[String]) -> Result<(usize, Vec<String>)> {
        let Self { version, datastore, suite, .. } = self;
        let target = target()?;
        let logs = target.join("versions");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{}-{}-{suite}{suffix}.log", version.full, datastore.replace(' ', "-")));
        eprintln!("{self}; log in {}", log.display());
        // Apart from the tests, of which each would say that it waits for the build.
        Tools::kwok(&target)?;
        Tools::ensure_version(version, &target)?;
        let began = Instant::now();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).env("KUBERNETES", version.full);
        cargo.args(["test", "--locked", "-p", "bluegreen-suites", "--no-fail-fast", "--test", suite, "--"]);
        if !names.is_empty() {
            cargo.args(["--exact", "--test-threads=1"]).args(names);
        }
        let out = File::create(&log)?;
        let status = cargo.stderr(out.try_clone()?).stdout(out).status()?;
        let said = fs::read_to_string(&log)?;
        let (passed, failed) = outcome(&said)
            .with_context(|| format!("{suite} came to no end ({status}): see {}", log.display()))?;
        let mut stderr = std::io::stderr();
        writeln!(stderr, "  {passed} passed, {} failed, {} s", failed.len(), began.elapsed().as_secs())?;
        for name in &failed {
            writeln!(stderr, "  FAILED {name}")?;
        }
        Ok((passed, failed))
    }
}
