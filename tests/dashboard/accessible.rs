//! axe-core, the checker of accessibility that browsers and linters use, on a page as it is.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::browser::Browser;

/// Every rule of WCAG 2.2 A and AA, and of good practice, without an exception: the only one of them that axe leaves out unless it is
/// asked is `target-size`.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }).then((found) => found.violations.map((violation) => \
                   ({ id: violation.id, help: violation.help, nodes: violation.nodes.map((node) => node.html).slice(0, 5) })))";

/// The page has no violation.
pub async fn check(browser: &Browser, what: &str) -> Result<()> {
    if browser.value("typeof axe").await? == "undefined" {
        let file = std::env::var("AXE").context("AXE names no file: use `make dashboard-test`")?;
        browser.value(&std::fs::read_to_string(file)?).await?;
    }
    let violations = browser.value(RUN).await?;
    ensure!(violations.as_array().is_some_and(Vec::is_empty), "{what}: {}", words(&violations)?);
    println!("axe: no violation in {what}");
    Ok(())
}

fn words(violations: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(violations)?)
}
