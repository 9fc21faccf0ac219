//! Figures in documents: they stand between two marks, so that a run can replace those of the run before.

use std::path::Path;

use anyhow::{Context, Result};

/// Puts `text` between `<!-- NAME -->` and `<!-- /NAME -->`, in place of what stands there.
///
/// # Errors
/// Where the document can't be read or written, or lacks a mark.
pub fn put_between(document: &Path, name: &str, text: &str) -> Result<()> {
    let place = || format!("{} has no {name} marks", document.display());
    let old = std::fs::read_to_string(document).with_context(place)?;
    Ok(std::fs::write(document, between(&old, name, text).with_context(place)?)?)
}

fn between(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = old.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}{text}{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(between(old, "x", "new\n").as_deref(), Some("a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"));
        assert_eq!(between(old, "y", "new\n"), None);
    }
}
