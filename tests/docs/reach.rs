//! Does everything that the documents send a reader to exist: files, sections, `make` targets?

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::root;

/// Every document that is for readers, by its path in the repository.
fn documents() -> BTreeMap<PathBuf, String> {
    crate::blocks::documents(root())
}

/// Where links lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The name that a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
    };
    heading.chars().filter_map(kept).collect()
}

fn headings(text: &str) -> BTreeSet<String> {
    let marks = text.lines().filter(|line| line.starts_with('#'));
    marks.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_section_that_are_there() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root().join(&path),
                file => root().join(path.parent().unwrap()).join(file),
            };
            let there = target.exists()
                && (section.is_empty()
                    || headings(&std::fs::read_to_string(&target).unwrap()).contains(section));
            if !there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of the `make` commands in a text: in a code span of their own, or behind a prompt.
fn make_targets(text: &str) -> BTreeSet<&str> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let prompts = text.lines().filter_map(|line| line.trim_start().strip_prefix("$ "));
    let commands = spans.chain(prompts).filter_map(|command| {
        let command = command.split('#').next().unwrap_or_default();
        let (before, rest) = command.split_once("make ")?;
        // Nothing but settings may stand before it, such as `KEEP=1`.
        before.split_whitespace().all(|word| word.contains('=')).then_some(rest)
    });
    commands.flat_map(|rest| rest.split_whitespace().filter(|word| !word.contains('='))).collect()
}

#[test]
fn every_make_target_that_is_named_is_there() {
    let makefiles =
        ["Makefile", "make/images.mk"].map(|path| std::fs::read_to_string(root().join(path)).unwrap());
    let rules = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with(['\t', '#', '.']));
        lines.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
    };
    let there: BTreeSet<String> = makefiles.iter().flat_map(|text| rules(text)).collect();
    let mut named = 0;
    for (path, text) in documents() {
        for target in make_targets(&text) {
            named += 1;
            assert!(there.contains(target), "{}: there is no `make {target}`", path.display());
        }
    }
    assert!(named > 20, "only {named} were found");
}
