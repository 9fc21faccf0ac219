//! Prints: the result of a command on standard output, as text for people or as data, and what else is to be said on standard
//! error.
//!
//! Much of it was written by somebody else: a webhook's answer, the image of a sidecar, an annotation. So all of it goes through
//! here (or through a [`Line`]), where what a terminal would obey is made visible.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;
use bluegreen_api::BlueGreenApp;
use bluegreen_core::harmless::{is_harmful, visible};
use serde::Serialize;

use crate::args::{Format, Global, When};
use crate::exit::Result;
use crate::line::Line;
use crate::screen::Terminal;

/// Prints lines for people, or the same as data.
///
/// # Errors
/// When standard output can't be written to.
pub fn print(
    global: &Global,
    format: Format,
    lines: impl FnOnce(Terminal) -> Vec<Line>,
    data: &impl Serialize,
) -> Result<()> {
    let text = match format {
        Format::Text => {
            let terminal = Terminal::stdout(global.color);
            terminal.text(&lines(terminal))
        }
        Format::Json => json(data)?,
        Format::Yaml => {
            let text = serde_yaml_ng::to_string(data).context("YAML")?;
            // JSON is YAML, too, and can write each character as its number.
            if text.chars().any(must_be_escaped) { json(data)? } else { text }
        }
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// As [`print`], with lines that are never cut to the width of the terminal: a diff, for example, is meant as it is.
///
/// # Errors
/// When standard output can't be written to.
pub fn print_whole(global: &Global, format: Format, lines: Vec<Line>, data: &impl Serialize) -> Result<()> {
    if format == Format::Text {
        let terminal = Terminal { width: usize::MAX, ..Terminal::stdout(global.color) };
        std::io::stdout().write_all(terminal.text(&lines).as_bytes())?;
        return Ok(());
    }
    print(global, format, |_| Vec::new(), data)
}

/// The same data, with characters that a terminal obeys written as `\u001b`, as JSON allows.
fn json(data: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(data).context("JSON")? + "\n";
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if must_be_escaped(c) {
            // They can be in nothing but texts.
            escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    Ok(escaped)
}

fn must_be_escaped(c: char) -> bool {
    c != '\n' && is_harmful(c)
}

/// Prints on standard error.
pub fn say(text: impl Display) {
    let text = text.to_string();
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
}

/// Prints lines on standard error.
pub fn say_lines(lines: &[Line], when: When) {
    let _ = write!(std::io::stderr(), "{}", Terminal::stderr(when).text(lines));
}

/// As [`say_lines`], with lines that are never cut.
pub fn say_whole(lines: &[Line], when: When) {
    let terminal = Terminal { width: usize::MAX, ..Terminal::stderr(when) };
    let _ = write!(std::io::stderr(), "{}", terminal.text(lines));
}

/// An app as kubectl prints it: without `managedFields`.
#[must_use]
pub fn shown(app: &BlueGreenApp) -> BlueGreenApp {
    let mut app = app.clone();
    app.metadata.managed_fields = None;
    app
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A program reads the same data, and a terminal finds nothing in it to obey.
    #[test]
    fn data_holds_nothing_that_a_terminal_obeys_and_nothing_is_lost() {
        let data = json!({ "a\u{7f}": "\u{1b}[2J\u{9b}2J\u{202e}\u{2066}\n\t\u{feff}ü🟦" });
        let text = json(&data).unwrap();
        assert!(!text.chars().any(must_be_escaped), "{text}");
        assert!(text.contains("ü🟦") && text.contains("\\u202e"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
    }
}
