//! Can somebody see the messages that `docs/troubleshooting.md` explains?

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser};

use crate::runs::texts;
use crate::site::files;
use crate::{document, root};

/// What Kubernetes and kubectl say in their own words.
const OF_KUBERNETES: [&str; 9] = [
    "no matches for kind",
    "the server doesn't have a resource type",
    "unknown field",
    "field not declared in schema",
    "not found",
    "cannot get resource",
    "cannot patch resource",
    "Duplicate value",
    "provided port is already allocated",
];

/// With one of these, a piece of code is a command and no message.
const COMMANDS: [&str; 3] = ["kubectl ", "helm ", "-n "];

/// What stands still in a message: the words between `…`, punctuation, colors and figures. A single short word proves nothing.
fn pieces(message: &str) -> Vec<String> {
    let differs =
        |word: &&str| ["blue", "green"].contains(word) || word.contains(|c: char| c.is_ascii_digit());
    let parts = message.split(['…', '(', ')', ':', ';', ',', '"']);
    let runs = parts.flat_map(|part| {
        let words: Vec<_> = part.split_whitespace().collect();
        words.split(differs).map(|run| run.join(" ")).collect::<Vec<_>>()
    });
    runs.filter(|piece| piece.contains(' ') || piece.len() > 12).collect()
}

/// All that the product can say, on one line. Its unit tests count, too: they hold whole messages, which the code puts together.
fn said() -> String {
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let code = ["src", "crates", "cli/src"].into_iter().flat_map(|folder| files(&root().join(folder), "rs"));
    let policies = files(&root().join("config"), "yaml");
    let all: Vec<_> = code.flat_map(|path| texts(&read(&path))).chain(policies.iter().map(read)).collect();
    all.join("\n").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_message_in_troubleshooting_is_one_that_somebody_can_see() {
    let (page, said) = (document("troubleshooting.md"), said());
    let (mut seen, mut foreign, mut unknown) = (0, BTreeSet::new(), Vec::new());
    for event in Parser::new_ext(&page, Options::ENABLE_TABLES) {
        let Event::Code(message) = event else { continue };
        if !message.contains(' ') || COMMANDS.iter().any(|command| message.starts_with(command)) {
            continue;
        }
        if let Some(words) = OF_KUBERNETES.iter().find(|words| message.contains(*words)) {
            foreign.insert(*words);
            continue;
        }
        seen += 1;
        let missing: Vec<_> = pieces(&message).into_iter().filter(|piece| !said.contains(piece)).collect();
        if !missing.is_empty() {
            unknown.push((message.to_string(), missing));
        }
    }
    assert!(unknown.is_empty(), "nobody says this: {unknown:#?}");
    assert!(seen > 30, "{seen}");
    assert_eq!(foreign, BTreeSet::from(OF_KUBERNETES), "not all of Kubernetes' words are on the page");
    assert_eq!(
        pieces("green has 1 pod: container … keeps crashing (exit code …)"),
        ["keeps crashing", "exit code"]
    );
}
