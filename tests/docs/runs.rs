//! Does the file that is said to run a block of a document read that block from the document? A comment that mentions the
//! document is not enough: only what the code itself says counts.

use std::path::{Path, PathBuf};

use crate::blocks::Block;

/// The least length of a text in the code that is taken for a part of a block.
const PART: usize = 12;

/// The texts in Rust code, without those in comments.
pub fn texts(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'', 'r']) {
        let (before, here) = rest.split_at(at);
        let is_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let step = if here.starts_with("//") {
            here.find('\n').unwrap_or(here.len())
        } else if here.starts_with("/*") {
            here.find("*/").map_or(here.len(), |end| end + 2)
        } else if let Some((text, length)) = raw(here).filter(|_| !is_word) {
            found.push(text.to_owned());
            length
        } else if let Some(inner) = here.strip_prefix('"') {
            let (text, length) = plain(inner);
            found.push(text);
            length + 1
        } else if here.starts_with("'\"'") {
            3
        } else if here.starts_with("'\\''") || here.starts_with("'\\\"'") {
            4
        } else {
            1
        };
        rest = here.get(step..).unwrap_or_default();
    }
    found
}

/// A text such as `r#"…"#` at the start of the code, with the length of it all.
fn raw(code: &str) -> Option<(&str, usize)> {
    let marks = code.strip_prefix('r')?;
    let inner = marks.trim_start_matches('#');
    let count = marks.len() - inner.len();
    let text = inner.strip_prefix('"')?;
    let end = text.find(&format!("\"{}", "#".repeat(count)))?;
    Some((text.get(..end)?, 1 + count + 1 + end + 1 + count))
}

/// A text behind its first quotation mark, and its length with the last one.
fn plain(code: &str) -> (String, usize) {
    let mut text = String::new();
    let mut signs = code.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return (text, at + 1),
            '\\' => match signs.next().map(|(_, sign)| sign) {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    (text, code.len())
}

/// Whether these texts name the document, as a path.
fn names(texts: &[String], document: &str) -> bool {
    texts.iter().any(|text| text == document || text.ends_with(&format!("/{document}")))
}

/// Whether these texts choose the block: by a heading below the document's own, or by a part of the block.
fn choose(texts: &[String], block: &Block) -> bool {
    let is_heading = |text: &str| {
        let title = text.trim_matches('\n').trim_start_matches('#').trim_start();
        block.headings.iter().skip(1).any(|heading| heading == title)
    };
    let is_part = |text: &str| text.trim().len() >= PART && block.text.contains(text.trim());
    texts.iter().any(|text| is_heading(text) || is_part(text))
}

/// Whether this file compares the whole document with what the program says: then no block needs to be chosen.
fn writes(code: &str, document: &str) -> bool {
    let name = Path::new(document).file_name().unwrap_or_default().to_string_lossy().into_owned();
    code.contains(&format!("compare(\"{name}\", "))
}

/// Whether a file of the repository runs a block: it chooses the block, and itself or a file beside it reads the document.
pub fn runs(root: &Path, file: &str, document: &str, block: &Block) -> bool {
    let Ok(code) = std::fs::read_to_string(root.join(file)) else { return false };
    let own = texts(&code);
    let beside = || {
        let folder = root.join(file).parent().map(Path::to_owned).unwrap_or_default();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .any(|code| names(&texts(&code), document))
    };
    writes(&code, document) || (choose(&own, block) && (names(&own, document) || beside()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_texts_the_code_has() {
        let code = "// \"no\"\nlet a = \"one\\n\"; /* \"no\" */ let b = '\"'; f(r#\"two \"2\"\"#, \"\\\"three\"); for x in 'a'..='b' {}";
        assert_eq!(texts(code), ["one\n", "two \"2\"", "\"three"]);
    }

    #[test]
    fn a_comment_that_mentions_a_document_runs_nothing_of_it() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runs");
        std::fs::create_dir_all(&folder).unwrap();
        let block = Block {
            line: 1,
            headings: vec!["Deliver from Git".to_owned(), "Two managers".to_owned()],
            language: "yaml".to_owned(),
            text: "spec: {active: blue}\n".to_owned(),
            first: String::new(),
            code: 0,
            way: None,
        };
        let reads = "include_str!(\"../../docs/gitops.md\").split_once";
        for (code, expected) in [
            ("//! As `docs/gitops.md` says in \"Two managers\".\n", false),
            ("//! As `docs/gitops.md` says.\nf(\"Two managers\");\n", false),
            (&format!("{reads}(\"\\n## Helm\\n\")"), false),
            (&format!("{reads}(\"\\n## Deliver from Git\\n\")"), false),
            (&format!("{reads}(\"\\n## Two managers\\n\")"), true),
            (&format!("{reads}(\"spec: {{active:\")"), true),
            (&format!("{reads}(\"spec: {{\")"), false),
        ] {
            std::fs::write(folder.join("test.rs"), code).unwrap();
            assert_eq!(runs(&folder, "test.rs", "docs/gitops.md", &block), expected, "{code}");
        }
        assert!(!runs(&folder, "none.rs", "docs/gitops.md", &block));
    }
}
