//! What the person in front of the demo sees.

use std::fmt;
use std::io::{self, IsTerminal, Write};

/// Prints a line. A reader who has left, as `head` does, must not keep the demo from cleaning up.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Announces a part of the demo.
pub fn step(title: impl fmt::Display) {
    say(format_args!("\n{}", painted(Paint::Bold, &format!("== {title}"))));
}

/// Tells what there is to see in the part that was announced.
pub fn tell(words: impl fmt::Display) {
    say(format_args!("   {words}"));
}

/// How to show a text on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// For titles and commands.
    Bold,
    /// For what one of the colors said.
    Blue,
    /// The other one.
    Green,
    /// As it is.
    Plain,
}

impl Paint {
    /// In the color that a pod says it has.
    pub fn of(color: &str) -> Self {
        match color {
            "blue" => Self::Blue,
            "green" => Self::Green,
            _ => Self::Plain,
        }
    }
}

/// The text, in color only on a terminal and where <https://no-color.org> is not asked for.
pub fn painted(paint: Paint, text: &str) -> String {
    let wanted = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    match paint {
        Paint::Bold if wanted => format!("\x1b[1m{text}\x1b[0m"),
        Paint::Blue if wanted => format!("\x1b[34m{text}\x1b[0m"),
        Paint::Green if wanted => format!("\x1b[32m{text}\x1b[0m"),
        Paint::Bold | Paint::Blue | Paint::Green | Paint::Plain => text.to_owned(),
    }
}
