//! Does `docs/gitops.md` say what the tests show?

use anyhow::{Context, Result, ensure};

use crate::root;
use crate::rows::rows;

const DOCUMENT: &str = "docs/gitops.md";
const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->";

/// State × consumer → verdict, as designed.
fn table() -> String {
    let head = "| the app | Flux, Helm 4 `--wait` | Argo CD | `kubectl wait --for=condition=Ready` |\n|---|---|---|---|\n";
    let line = |row: &crate::rows::Row| {
        format!("| {} | {} | {} | {} |\n", row.means, row.waits, row.waits.health(), row.kubectl())
    };
    rows().iter().map(line).fold(head.to_owned(), |text, line| text + &line)
}

#[test]
fn is_the_table_of_the_document_the_one_that_is_tested() -> Result<()> {
    let path = root().join(DOCUMENT);
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).context("where the table begins")?;
    let (found, after) = rest.split_once(END).context("where it ends")?;
    if std::env::var("UPDATE_DOCS").is_ok_and(|update| update == "1") {
        return Ok(std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table()))?);
    }
    ensure!(
        found == table(),
        "{DOCUMENT} is old: UPDATE_DOCS=1 cargo test -p bluegreen-suites --test gitops document::"
    );
    Ok(())
}
