//! Prints the result of a command on standard output: as text for people, or as data.

use std::io::Write;

use anyhow::Context;
use bluegreen_api::BlueGreenApp;
use serde::Serialize;

use crate::args::{Format, Global};
use crate::exit::Result;
use crate::line::Line;
use crate::screen::Look;

/// Prints lines for people, or the same as data.
///
/// # Errors
/// When standard output can't be written to.
pub fn print(
    global: &Global,
    format: Format,
    lines: impl FnOnce(Look) -> Vec<Line>,
    data: &impl Serialize,
) -> Result<()> {
    let text = match format {
        Format::Text => {
            let look = Look::stdout(global.color);
            look.text(&lines(look))
        }
        Format::Json => serde_json::to_string_pretty(data).context("JSON")? + "\n",
        Format::Yaml => serde_yaml_ng::to_string(data).context("YAML")?,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// An app as kubectl prints it: without `managedFields`.
#[must_use]
pub fn shown(app: &BlueGreenApp) -> BlueGreenApp {
    let mut app = app.clone();
    app.metadata.managed_fields = None;
    app
}
