//! PURE: text that somebody else wrote, so that it can do no harm where it is shown.

use crate::text::cut;

/// How many bytes of a name are told that somebody else may have made up. Names of Kubernetes are shorter.
pub(crate) const NAME: usize = 320;

/// The text on one line, with what a terminal would obey and what turns the order of letters around made visible, in at
/// most `most` bytes.
///
/// Who may create pods or Events in a namespace writes texts that an administrator's terminal prints.
#[must_use]
pub fn harmless(text: &str, most: usize) -> String {
    cut(visible(text).split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// The text on one line, with all of its spaces. What is harmful is written as its number, such as `\u{1b}`: to leave it out
/// would hide that somebody tried.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            visible.push(' ');
        } else if is_harmful(c) {
            visible.extend(c.escape_unicode());
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Control characters (C0, DEL and C1), escape sequences among them, and characters without a width that hide or reorder
/// others.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_one_line_without_anything_that_a_terminal_obeys() {
        let foreign = "red \x1b[31mtext\x1b]0;title\x07\n\tand\r\u{202e}more\u{9b}2J";
        let told = harmless(foreign, 100);
        assert_eq!(told, r"red \u{1b}[31mtext\u{1b}]0;title\u{7} and \u{202e}more\u{9b}2J");
        assert_eq!(visible(&told), told, "it may be cleaned at more than one door");
        assert_eq!(harmless("ééééé", 8), "éé…", "it is cut between letters");
        assert_eq!(harmless("as it is", 8), "as it is");
    }
}
