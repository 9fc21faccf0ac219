//! Words for a person who waits.

use std::io::{self, Write};

/// Progress goes to the terminal even from inside a test, whose own output is captured.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
