//! Argo CD's own judgment of every state: the real `argocd` evaluates the Lua of `examples/gitops`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{argocd, target};
use serde_json::Value;

use crate::rows::rows;
use crate::{lua, root, states};

struct Cli {
    program: PathBuf,
    /// One object at a time.
    file: PathBuf,
}

impl Cli {
    fn evaluate(&self, what: &str, object: &Value, more: &[&str]) -> Result<String> {
        std::fs::write(&self.file, object.to_string())?;
        let output = Command::new(&self.program)
            .args(["admin", "settings", "resource-overrides", what])
            .arg(&self.file)
            .args(more)
            .arg("--argocd-cm-path")
            .arg(root().join(lua::CONFIG))
            .output()?;
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{words}{}", String::from_utf8_lossy(&output.stderr));
        Ok(words)
    }

    fn health(&self, object: &Value) -> Result<(String, String)> {
        let words = self.evaluate("health", object, &[])?;
        let value = |key: &str| words.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        Ok((
            value("STATUS: ").with_context(|| words.clone())?,
            value("MESSAGE: ").with_context(|| words.clone())?,
        ))
    }

    /// What `list-actions` prints, as it ought to be.
    fn actions(object: &Value) -> String {
        let all = lua::expected_actions(object);
        all.iter().map(|(name, disabled)| format!("{name} {disabled}\n")).collect()
    }
}

#[test]
#[ignore = "builds Argo CD the first time: `make gitops-test`"]
fn does_argo_cd_judge_every_state_as_designed() -> Result<()> {
    let program = argocd::program(&target()?)?;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("argocd-object.json");
    let cli = Cli { program, file };
    let states = states::read()?;
    let (mut right, mut wrong) = (0, Vec::new());
    let mut judge = |name: &str, what: &str, is: String, should: String| {
        if is == should {
            right += 1;
        } else {
            wrong.push(format!("{name}: {what} is {is:?} and should be {should:?}"));
        }
    };
    for row in rows() {
        let object = states.get(row.name).with_context(|| row.name)?;
        let (health, message) = cli.health(object)?;
        judge(row.name, "health", health, row.waits.health().to_owned());
        judge(row.name, "message", message, lua::health(object)?.1);
        let listed = cli.evaluate("list-actions", object, &[])?;
        let listed: Vec<_> =
            listed.lines().skip(1).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        judge(row.name, "actions", listed.join("\n") + "\n", Cli::actions(object));
        let active = object["spec"]["active"].as_str().context("active")?;
        for color in ["blue", "green"] {
            let changes = cli.evaluate("run-action", object, &[&format!("switch-to-{color}")])?;
            let edits: Vec<_> = changes
                .lines()
                .filter(|line| line.starts_with(['<', '>']))
                .map(|line| line.split_whitespace().collect::<String>())
                .collect();
            let should = if color == active {
                Vec::new()
            } else {
                vec![format!("<active:{active}"), format!(">active:{color}")]
            };
            judge(row.name, "the change by its action", edits.join("\n"), should.join("\n"));
        }
    }
    println!("{right} of {} judgments by Argo CD as designed", right + wrong.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
