//! The code blocks of the documents, and for each of them how it is tried. Also used by `tests/guide`, which runs them, and by
//! `tests/e2e/recipes.rs` and `tests/chart/server.rs`, which let the API server look at what is YAML.
//!
//! A block of commands is run by `make docs-test` and a block of YAML is sent to an API server, unless an HTML comment
//! before the block says otherwise:
//!
//! | comment | means |
//! |---|---|
//! | `<!-- not run: REASON -->` | nobody runs it |
//! | `<!-- run by FILE -->` | this file of the repository runs it, or lets an API server take it; its code reads the block from the document |
//! | `<!-- file: PATH -->` | commands after it find it as this file |
//! | `<!-- first: COMMANDS -->` | these are run before it, and are not shown |
//! | `<!-- exit code N -->` | its last command ends with this code |
//!
//! The first two, with `below:` before them as in `<!-- below: not run: … -->`, hold for all blocks up to the end of the section.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// How a block is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// `make docs-test` runs its commands.
    Commands,
    /// An API server is asked whether it would take it.
    Manifest,
    /// It is written into this file, for commands after it.
    File(String),
    /// This file of the repository runs it.
    By(String),
    /// Not at all, for this reason.
    Not(String),
    /// It is a diagram.
    Picture,
}

/// A code block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The line of its first line of code.
    pub line: usize,
    /// The headings that it stands below, the innermost last.
    pub headings: Vec<String>,
    /// The word behind the fence.
    pub language: String,
    /// What is in it.
    pub text: String,
    /// Commands that come before it and are not shown.
    pub first: String,
    /// The code that its last command ends with.
    pub code: i32,
    /// How it is tried; `None` if it is neither commands nor YAML nor a diagram and has no comment.
    pub way: Option<Way>,
}

/// A command and what is printed below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// One line or more, as bash takes them.
    pub line: String,
    /// What the document says that it prints; empty if it says nothing.
    pub output: String,
}

impl Block {
    /// The commands of a block: a line behind a prompt, with the lines that belong to it by a backslash or as a here-document.
    pub fn commands(&self) -> Vec<Command> {
        let mut found: Vec<Command> = Vec::new();
        // The word that ends a here-document; empty after a backslash.
        let mut open: Option<String> = None;
        for line in self.text.lines() {
            if let (Some(end), Some(last)) = (open.clone(), found.last_mut()) {
                last.line.push('\n');
                last.line.push_str(line);
                let goes_on = if end.is_empty() { line.ends_with('\\') } else { line != end };
                open = goes_on.then_some(end);
            } else if let Some(command) = line.strip_prefix("$ ") {
                open = here_document(command).or_else(|| command.ends_with('\\').then(String::new));
                found.push(Command { line: command.to_owned(), output: String::new() });
            } else if let Some(last) = found.last_mut() {
                last.output.push_str(line);
                last.output.push('\n');
            }
        }
        found
    }
}

/// The word that ends the here-document of a command.
fn here_document(command: &str) -> Option<String> {
    let (_, word) = command.split_once("<<")?;
    let word = word.split_whitespace().next()?;
    Some(word.trim_matches(['-', '\'', '"']).to_owned())
}

/// What an HTML comment says.
#[derive(Default)]
struct Marks {
    way: Option<Way>,
    first: String,
    code: i32,
}

impl Marks {
    /// Takes in a comment; whether it is about a block at all, and if so, whether about all to the end of the section.
    fn take(&mut self, comment: &str) -> Option<bool> {
        let (comment, is_below) = match comment.strip_prefix("below: ") {
            Some(rest) => (rest, true),
            None => (comment, false),
        };
        let text = |rest: &str| rest.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(reason) = comment.strip_prefix("not run:") {
            self.way = Some(Way::Not(text(reason)));
        } else if let Some(file) = comment.strip_prefix("run by ") {
            self.way = Some(Way::By(text(file)));
        } else if let Some(file) = comment.strip_prefix("file: ") {
            self.way = Some(Way::File(text(file)));
        } else if let Some(commands) = comment.strip_prefix("first:") {
            commands.trim().clone_into(&mut self.first);
        } else if let Some(code) = comment.strip_prefix("exit code ") {
            self.code = code.trim().parse().ok()?;
        } else {
            return None;
        }
        Some(is_below)
    }
}

/// The comments in a piece of HTML.
fn comments(html: &str) -> impl Iterator<Item = &str> {
    html.split("<!--").skip(1).filter_map(|rest| Some(rest.split_once("-->")?.0.trim()))
}

/// All code blocks of a document.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut headings: Vec<(HeadingLevel, String)> = Vec::new();
    // What holds to the end of a section, with the number of headings that it stands below.
    let mut below: Vec<(usize, Way)> = Vec::new();
    let (mut marks, mut html) = (Marks::default(), String::new());
    let (mut in_heading, mut block) = (false, None::<Block>);
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Html(line) => html.push_str(&line),
            Event::End(TagEnd::HtmlBlock) => {
                for comment in comments(&std::mem::take(&mut html)) {
                    if marks.take(comment) == Some(true)
                        && let Some(way) = marks.way.take()
                    {
                        below.push((headings.len(), way));
                    }
                }
            }
            Event::Start(Tag::Heading { level, .. }) => {
                headings.retain(|(above, _)| *above < level);
                below.retain(|(depth, _)| *depth <= headings.len());
                headings.push((level, String::new()));
                in_heading = true;
                marks = Marks::default();
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                let Marks { way, first, code } = std::mem::take(&mut marks);
                let held = below.last().map(|(_, way)| way.clone());
                let usual = match language.as_str() {
                    "console" => Some(Way::Commands),
                    "yaml" => Some(Way::Manifest),
                    "mermaid" => Some(Way::Picture),
                    _ => None,
                };
                let line = markdown.get(..range.start).unwrap_or_default().lines().count() + 2;
                let headings = headings.iter().map(|(_, title)| title.clone()).collect();
                let way = way.or(held).or(usual);
                block = Some(Block { line, headings, language, text: String::new(), first, code, way });
            }
            Event::End(TagEnd::CodeBlock) => found.extend(block.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&text);
                } else if in_heading && let Some((_, title)) = headings.last_mut() {
                    title.push_str(&text);
                } else {
                    marks = Marks::default();
                }
            }
            _ => {}
        }
    }
    found
}

/// Every document for readers whose blocks count, by its path in the repository.
pub fn documents(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(PathBuf::from).into();
    paths.push("charts/bluegreen-operator/README.md".into());
    paths.push("tests/cluster/README.md".into());
    for folder in ["docs", "examples"] {
        markdown_in(root, Path::new(folder), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(root.join(path)).unwrap_or_default()))
        .collect()
}

fn markdown_in(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            markdown_in(root, &path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}
