//! Is every code block of the documents run or applied, by whom, and if by nobody, why not?

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize as _;

use crate::blocks::{Block, Way, blocks, documents};
use crate::generated::check;
use crate::root;
use crate::runs::runs;

/// All blocks, with their document.
fn all() -> Vec<(String, Block)> {
    let of = |(path, text): (std::path::PathBuf, String)| {
        blocks(&text).into_iter().map(move |block| (path.display().to_string(), block))
    };
    documents(root()).into_iter().flat_map(of).collect()
}

#[test]
fn is_every_block_run_or_applied_or_marked_with_the_reason() {
    let mut wrong = Vec::new();
    for (document, block) in all() {
        let here = format!("{document}:{}", block.line);
        match &block.way {
            None => wrong.push(format!(
                "{here}: a block of the language {:?} is neither run nor applied. Make it `console` or `yaml`, or say above it why it is \
                 not: <!-- not run: REASON -->",
                block.language
            )),
            Some(Way::Not(reason)) if reason.split(' ').count() < 3 => {
                wrong.push(format!("{here}: {reason:?} is no reason"));
            }
            Some(Way::By(file)) if !runs(root(), file, &document, &block) => {
                wrong.push(format!("{here}: {file} does not run it: its code reads no such section or block of the document"));
            }
            Some(Way::Commands) if block.commands().is_empty() => {
                wrong.push(format!("{here}: no line begins with a prompt, `$ `"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn is_every_manifest_yaml_of_a_known_kind_or_a_part_of_an_app() {
    let mut seen = 0;
    for (document, block) in all() {
        if block.language != "yaml" {
            continue;
        }
        for part in serde_yaml_ng::Deserializer::from_str(&block.text) {
            let value = serde_json::Value::deserialize(part)
                .unwrap_or_else(|error| panic!("{document}:{}: {error}", block.line));
            let whole = value["apiVersion"].is_string() && value["kind"].is_string();
            assert!(
                whole || value["spec"].is_object() || !matches!(block.way, Some(Way::Manifest)),
                "{document}:{}: neither an object nor a part of an app",
                block.line
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} were found");
}

/// A block that nobody accounts for is found, and so is a claim that is not true.
#[test]
fn what_a_comment_says_of_a_block() {
    let text = "# A\n\n<!-- not run: needs a cluster -->\n```console\n$ one\n```\n\nWords.\n\n```\nplain\n```\n\n\
        ## B\n\n<!-- below: run by tests/none.rs -->\n\n```console\n$ two <<EOF\nx\nEOF\nprinted\n```\n\n### C\n\n```yaml\na: 1\n```\n\n\
        ## D\n\n- item\n\n  <!-- first:\n  three\n  -->\n  <!-- exit code 3 -->\n  ```console\n  $ four \\\n    five\n  ```\n";
    let found = blocks(text);
    let ways: Vec<_> = found.iter().map(|block| block.way.clone()).collect();
    let by = Some(Way::By("tests/none.rs".to_owned()));
    let not = Some(Way::Not("needs a cluster".to_owned()));
    assert_eq!(ways, [not, None, by.clone(), by, Some(Way::Commands)]);
    assert_eq!(found[2].headings, ["A", "B"]);
    let commands = found[2].commands();
    assert_eq!((commands[0].line.as_str(), commands[0].output.as_str()), ("two <<EOF\nx\nEOF", "printed\n"));
    assert_eq!((found[4].first.as_str(), found[4].commands()[0].line.as_str()), ("three", "four \\\n  five"));
    assert_eq!((found[0].code, found[4].code), (0, 3));
    assert_eq!(text.lines().nth(found[0].line - 1), Some("$ one"));
}

/// Who runs what, as a table.
#[test]
fn the_ways_of_all_blocks_are_listed() {
    let mut rows: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let (mut reasons, mut total) = (String::new(), [0; 4]);
    for (document, block) in all() {
        let column = match &block.way {
            Some(Way::Commands | Way::File(_)) => 0,
            Some(Way::Manifest) => 1,
            Some(Way::By(_)) => 2,
            Some(Way::Not(_)) | None => 3,
            Some(Way::Picture) => continue,
        };
        rows.entry(document.clone()).or_default()[column] += 1;
        total[column] += 1;
        if let Some(Way::Not(reason)) = &block.way {
            let first = block.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let first = first.trim().trim_start_matches("$ ").split("  #").next().unwrap_or_default().trim();
            let place = block.headings.last().map_or("", String::as_str);
            writeln!(reasons, "| `{document}`, {place} | `{}` | {reason} |", first.replace('|', "\\|"))
                .unwrap();
        }
    }
    let all: usize = total.iter().sum();
    let mut text = format!(
        "# Which examples are tried\n\nOn this page you see of each command and each manifest in the documents whether a test runs it as it \
         stands. Generated: `UPDATE_DOCS=1 cargo test --test docs`.\n\n\
         {} of {all} blocks are run or applied; {} are marked with the reason why not. A block without either fails \
         `cargo test`.\n\n\
         - **Run**: `make docs-test` runs the commands of a document in order in one shell, in a copy of the repository, on a real \
         node. It compares what they print with what the document shows: words as they are, figures and names of pods as such.\n\
         - **Applied**: a test sends the YAML to a real API server, which stores nothing (server dry run). `cargo suite chart server::` sends \
         whole objects. `cargo suite e2e recipes::` puts a part of an app into a small app, and also sends the Deployments that come out \
         of it.\n\
         - **Elsewhere**: another test runs it, which a comment above the block names.\n\n\
         | document | run | applied | elsewhere | not |\n|---|---|---|---|---|\n",
        all - total[3],
        total[3]
    );
    for (document, [run, applied, elsewhere, not]) in &rows {
        writeln!(text, "| `{document}` | {run} | {applied} | {elsewhere} | {not} |").unwrap();
    }
    writeln!(text, "| all | {} | {} | {} | {} |", total[0], total[1], total[2], total[3]).unwrap();
    write!(text, "\n## Not run\n\n| where | begins with | reason |\n|---|---|---|\n{reasons}").unwrap();
    check("docs/examples.md", &text);
}
