//! What `docs/scaling.md` tells a user to apply, and the table in it that says what came of that.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scaling.md"))
}

/// The first manifest of this kind.
pub fn manifest(kind: &str) -> Result<Value> {
    manifests(kind)?.into_iter().next().with_context(|| format!("no {kind} in the document"))
}

/// All manifests of this kind.
pub fn manifests(kind: &str) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path())?;
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("yaml\n"));
    let all = blocks.flat_map(serde_yaml_ng::Deserializer::from_str).map(Value::deserialize);
    let all = all.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|object| object["kind"] == kind).collect())
}

/// Prints a row of the table, and with `UPDATE_DOCS=1` writes it into the document, in place of the one that begins alike.
pub fn report(cells: &[String]) -> Result<()> {
    let row = format!("| {} |", cells.join(" | "));
    println!("{row}");
    if std::env::var("UPDATE_DOCS").is_ok_and(|update| update == "1") {
        let text = std::fs::read_to_string(path())?;
        let start = format!("| {} |", cells.first().context("a cell")?);
        ensure!(text.contains(&start), "docs/scaling.md has no row {start}");
        let replaced = |line: &str| if line.starts_with(&start) { row.clone() } else { line.to_owned() };
        let lines: Vec<String> = text.lines().map(replaced).collect();
        std::fs::write(path(), lines.join("\n") + "\n")?;
    }
    Ok(())
}

#[test]
fn does_the_document_show_every_manifest_that_is_tried() -> Result<()> {
    for kind in ["HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"] {
        let object = manifest(kind)?;
        let target = if kind == "VerticalPodAutoscaler" { "targetRef" } else { "scaleTargetRef" };
        ensure!(object["spec"][target]["kind"] == "BlueGreenApp", "{kind} names {}", object["spec"][target]);
    }
    ensure!(manifests("PodDisruptionBudget")?.len() == 2);
    Ok(())
}
