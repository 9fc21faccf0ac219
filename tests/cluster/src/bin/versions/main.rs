//! `versions`: the suites that ask whether Kubernetes does what we think, on one version of it after the other.
//!
//! `make versions` calls it. What was found is kept in `docs/compatibility.jsonl`, one line for each version, datastore and
//! suite, and `docs/compatibility.md` and the README are held to it.

mod report;
mod results;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
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
                let kind = datastore.of(version);
                if !arguments.again && results.passed(version.full, &kind, suite, &code) {
                    eprintln!("Kubernetes {} on {kind}: {suite} has passed with this code", version.full);
                    continue;
                }
                let outcome = measure(version, &kind, suite, &code)?;
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

/// The last commit that changed more than documents, marked if there are edits beyond it.
fn code() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let paths = [".", ":!docs", ":!*.md", ":!charts/*.md"];
        let output =
            Command::new("git").current_dir(root()).args(arguments).arg("--").args(paths).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let edited = !git(&["status", "--porcelain"])?.is_empty();
    Ok(git(&["log", "-1", "--format=%h"])? + if edited { "-dirty" } else { "" })
}

fn measure(version: &'static Version, datastore: &str, suite: &str, code: &str) -> Result<Outcome> {
    let target = target()?;
    let logs = target.join("versions");
    fs::create_dir_all(&logs)?;
    let log = logs.join(format!("{}-{}-{suite}.log", version.full, datastore.replace(' ', "-")));
    eprintln!("Kubernetes {} on {datastore}: {suite}; log in {}", version.full, log.display());
    // Apart from the tests, of which each would say that it waits for the build.
    Tools::ensure_version(version, &target)?;
    let began = Instant::now();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args([
        "test",
        "--locked",
        "-p",
        "bluegreen-suites",
        "--no-fail-fast",
        "--test",
        suite,
    ]);
    let out = File::create(&log)?;
    let status = cargo.env("KUBERNETES", version.full).stderr(out.try_clone()?).stdout(out).status()?;
    let said = fs::read_to_string(&log)?;
    let (passed, failed) = outcome(&said)
        .with_context(|| format!("{suite} came to no end ({status}): see {}", log.display()))?;
    let mut stderr = std::io::stderr();
    writeln!(stderr, "  {passed} passed, {} failed, {} s", failed.len(), began.elapsed().as_secs())?;
    for name in &failed {
        writeln!(stderr, "  FAILED {name}")?;
    }
    Ok(Outcome {
        kubernetes: version.full.to_owned(),
        datastore: datastore.to_owned(),
        suite: suite.to_owned(),
        passed,
        failed,
        code: code.to_owned(),
    })
}
