//! The last words of a check: one short line, for a status and a terminal.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The longest line, in bytes. The kubelet keeps 4096 bytes of a termination message; the status of an app has one for each check.
pub const LONGEST: usize = 512;

/// One line of at most `limit` bytes. Characters that a terminal or a reader would not see as they are become visible; what is
/// too long ends in `…`.
pub fn one_line(text: &str, limit: usize) -> String {
    const CUT: char = '…';
    let mut line = String::with_capacity(text.len());
    for character in text.trim().chars() {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            character if hidden(character) => line.extend(character.escape_unicode()),
            character => line.push(character),
        }
        // Whatever comes, it is cut below.
        if line.len() > limit {
            break;
        }
    }
    if line.len() > limit {
        let end = line.floor_char_boundary(limit.saturating_sub(CUT.len_utf8()));
        line.truncate(end);
        line.push(CUT);
    }
    line
}

/// Control characters, line separators, and those that reorder or hide what stands next to them.
fn hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `first`, `then`: if both are too long for one line, the first is cut.
pub fn joined(first: &str, then: &str) -> String {
    if then.is_empty() {
        return one_line(first, LONGEST);
    }
    let then = one_line(then, LONGEST / 2);
    let first = one_line(first, LONGEST.saturating_sub(then.len() + 2));
    format!("{first}; {then}")
}

/// Prints a line. Who has closed stdout does not want it.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Leaves the last words in the termination message file. It is the kubelet's and is there in every container; elsewhere there
/// is none, and none is made. If that fails, nobody could be told.
pub fn leave(line: &str, file: &Path) {
    if let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(file) {
        let _ = file.write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_hidden_becomes_visible() {
        assert_eq!(one_line(" a\nb\tc\u{1b}[31md\u{202e}e\u{0} ", 99), r"a b c\u{1b}[31md\u{202e}e\u{0}");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(one_line("ääää", 8), "ääää");
        assert_eq!(one_line("äääää", 8), "ää…");
    }

    #[test]
    fn the_counts_are_kept_where_the_reason_is_long() {
        let line = joined(&"x".repeat(9999), "3 of 3 measurements were bad");
        assert_eq!(line.len(), LONGEST);
        assert!(line.ends_with("x…; 3 of 3 measurements were bad"), "{line}");
    }

    #[test]
    fn the_file_is_written_if_it_is_there_and_not_made_if_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("message");
        leave("first", &file);
        assert!(!file.exists());
        std::fs::write(&file, "what was there before").unwrap();
        leave("second", &file);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_short_line(first in any::<String>(), then in any::<String>(), long in 0usize..40) {
            let line = joined(&first.repeat(long), &then.repeat(long));
            prop_assert!(line.len() <= LONGEST);
            prop_assert!(!line.chars().any(hidden));
        }
    }
}
