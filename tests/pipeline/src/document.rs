//! The commands of `docs/pipelines.md`: every one of them is run here.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::place::Place;

/// The document, with what was run of it.
pub struct Document {
    text: String,
    /// Commands that no section was asked for yet.
    left: Vec<String>,
}

/// What this run itself is.
const SELF: &str = "make pipeline-test";

impl Document {
    /// Reads it.
    pub fn read(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join("docs/pipelines.md"))?;
        let left = commands(&text).filter(|command| command != SELF).collect();
        Ok(Self { text, left })
    }

    /// Runs the commands of a section in a folder; returns what they print.
    pub async fn follow(&mut self, section: &str, place: &Place, folder: &Path) -> Result<String> {
        let start = self.text.find(&format!("\n## {section}\n"));
        let body = &self.text[start.with_context(|| format!("no section {section:?}"))? + 4..];
        let body = body[..body.find("\n## ").unwrap_or(body.len())].to_owned();
        let mut printed = String::new();
        for command in commands(&body).filter(|command| command != SELF) {
            printed += &place.show(&command, folder).await?;
            self.left.retain(|left| *left != command);
        }
        ensure!(!printed.is_empty(), "{section:?} has no command that prints something");
        Ok(printed)
    }

    /// Fails where a command is in the document that was not run.
    pub fn finish(self) -> Result<()> {
        ensure!(self.left.is_empty(), "docs/pipelines.md has commands that nobody ran: {:?}", self.left);
        Ok(())
    }
}

/// The lines behind a prompt; a backslash joins a line to the next.
fn commands(text: &str) -> impl Iterator<Item = String> {
    let joined = text.replace("\\\n", " ");
    let lines: Vec<String> =
        joined.lines().filter_map(|line| line.strip_prefix("$ ")).map(uncommented).collect();
    lines.into_iter()
}

/// Without a comment for the reader, and with one blank between words.
fn uncommented(line: &str) -> String {
    let line = line.split("  #").next().unwrap_or(line);
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn what_is_a_command() {
        let text = "$ make pipeline-test\nnot this\n$ kubectl get bga \\\n    hello   # look\n";
        assert_eq!(commands(text).collect::<Vec<_>>(), ["make pipeline-test", "kubectl get bga hello"]);
    }
}
