//! The commands of `docs/pipelines.md`: every one of them is run here.

use std::path::Path;

use anyhow::{Result, ensure};
use bluegreen_cluster::commands;

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
        let left = ours(commands(&text, None)).collect();
        Ok(Self { text, left })
    }

    /// Runs the commands of a section in a folder; returns what they print.
    pub async fn follow(&mut self, section: &str, place: &Place, folder: &Path) -> Result<String> {
        let mut printed = String::new();
        for command in ours(commands(&self.text, Some(section))) {
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

fn ours(commands: Vec<String>) -> impl Iterator<Item = String> {
    commands.into_iter().filter(|command| command != SELF)
}
