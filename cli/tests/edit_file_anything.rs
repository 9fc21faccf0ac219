//! Does an edit of any manifest that can be written change exactly the field that was asked for?

#![allow(clippy::unwrap_used, missing_docs)]

use bluegreen_api::BlueGreenApp;
use kubectl_bluegreen::edit::{Edit, Refusal, deploy, switch};
use kubectl_bluegreen::file::edited;
use kubectl_bluegreen::file::find::Wanted;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// How somebody writes a manifest.
#[derive(Clone, Debug)]
struct Hand {
    /// One for each place where there is a choice; used up one after the other.
    choices: Vec<u8>,
    next: usize,
}

impl Hand {
    fn choose<'a>(&mut self, among: &[&'a str]) -> &'a str {
        let choice = self.choices[self.next % self.choices.len()] as usize;
        self.next += 1;
        among[choice % among.len()]
    }

    fn comment(&mut self) -> &'static str {
        self.choose(&["", "", " # why", "   #\ttab", " # spec: {active: blue}", " # ü🟦"])
    }

    fn line_above(&mut self, indent: &str) -> String {
        match self.choose(&["", "", "", "\n", "# above\n", "  # deeper: than\n"]) {
            comment if comment.starts_with('#') => format!("{indent}{comment}"),
            other => other.to_owned(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        match self.choose(&["plain", "plain", "double", "single", "anchor", "typed"]) {
            "double" => format!("\"{text}\""),
            "single" => format!("'{text}'"),
            "anchor" => format!("&a{} {text}", self.next),
            "typed" => format!("!!str {text}"),
            _ => text.to_owned(),
        }
    }

    /// A color's block with the key, or no block.
    fn block(&mut self, color: &str, tag: &str) -> String {
        let digest = format!("sha256:{}", "0".repeat(64));
        let fields = match self.choose(&["tag", "tag", "both", "digest", "env", "env behind"]) {
            "both" => vec![("tag", self.text(tag)), ("digest", self.text(&digest))],
            "digest" => vec![("digest", digest)],
            "env" => vec![("env", "[{name: A, value: 'b # c'}]".to_owned()), ("tag", self.text(tag))],
            "env behind" => vec![("tag", self.text(tag)), ("env", "[]".to_owned())],
            _ => vec![("tag", self.text(tag))],
        };
        match self.choose(&["block", "block", "deep", "flow", "flow on lines"]) {
            "flow" => {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("  {color}: {{{}}}{}\n", fields.join(", "), self.comment())
            }
            "flow on lines" => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(key, value)| format!("    {key}: {value},{}\n", self.comment()))
                    .collect();
                format!("  {color}: {{\n{}  }}\n", fields.concat())
            }
            style => {
                let indent = if style == "deep" { "       " } else { "    " };
                let mut text = format!("  {color}:{}\n", self.comment());
                for (key, value) in fields {
                    text += &format!("{}{indent}{key}: {value}{}\n", self.line_above(indent), self.comment());
                }
                text
            }
        }
    }

    fn app(&mut self) -> String {
        let mut fields = vec![
            format!("  active: {}{}\n", self.text("blue"), self.comment()),
            self.block("blue", "v1.0.0"),
            format!("  image: team/hello{}\n", self.comment()),
            "  port: 8888\n".to_owned(),
        ];
        if self.choose(&["green", "green", "green", "none"]) == "green" {
            fields.push(self.block("green", "v2.0.0"));
        }
        for from in 0..fields.len() {
            let to = self.choose(&["0", "1", "2", "3"]).parse::<usize>().unwrap();
            fields.swap(from, to);
        }
        let fields: String = fields.into_iter().map(|field| self.line_above("  ") + &field).collect();
        format!(
            "apiVersion: bluegreen.dev/v1alpha1\nkind: BlueGreenApp\nmetadata: {{name: hello}}\nspec:{}\n{fields}",
            self.comment()
        )
    }

    fn file(&mut self) -> String {
        let other =
            "kind: ConfigMap\napiVersion: v1\ndata:\n  a: |\n    spec:\n      active: blue\n\n    # text\n";
        let mut text = match self.choose(&["alone", "before", "behind"]) {
            "before" => format!("{other}---{}\n{}", self.comment(), self.app()),
            "behind" => format!("{}---\n{other}", self.app()),
            _ => self.app(),
        };
        match self.choose(&["", "", "windows", "mark", "open"]) {
            "windows" => text = text.replace('\n', "\r\n"),
            "mark" => text.insert(0, '\u{feff}'),
            "open" => text.truncate(text.trim_end().len()),
            _ => {}
        }
        text
    }
}

fn hand() -> impl Strategy<Value = Hand> {
    prop::collection::vec(any::<u8>(), 40..80).prop_map(|choices| Hand { choices, next: 0 })
}

/// The objects, by a parser that the program does not use for places.
fn objects(text: &str) -> Vec<Value> {
    let text = text.trim_start_matches('\u{feff}');
    serde_yaml_ng::Deserializer::from_str(text).map(|object| Value::deserialize(object).unwrap()).collect()
}

fn edit(text: &str, decide: fn(&BlueGreenApp) -> Result<Edit, Refusal>) -> Result<String, String> {
    edited(text, &Wanted::default(), None, decide).map(|edited| edited.text).map_err(|refusal| refusal.0)
}

/// The lines of `before` that are not in `after`, but for their line breaks.
fn lost<'a>(before: &'a str, after: &'a str) -> Vec<&'a str> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let diff = similar::TextDiff::from_slices(&before, &after);
    let deleted = diff.iter_all_changes().filter(|change| change.tag() == similar::ChangeTag::Delete);
    deleted.map(|change| change.value()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deployment_changes_the_version_of_the_idle_color_and_nothing_else(mut hand in hand()) {
        let before = hand.file();
        let after = edit(&before, |app| deploy(app, None, Some("v3.0.0"), None)).map_err(|why| TestCaseError::fail(format!("{why}\n{before}")))?;
        let mut expected = objects(&before);
        let app = expected.iter_mut().find(|object| object["kind"] == "BlueGreenApp").unwrap();
        app["spec"]["green"]["tag"] = json!("v3.0.0");
        app["spec"]["green"].as_object_mut().unwrap().remove("digest");
        prop_assert_eq!(&objects(&after), &expected, "{}\n{}", &before, &after);
        // At most the line with the tag and the one with the digest.
        let lost = lost(&before, &after);
        prop_assert!(lost.len() <= 2, "{:?}\n{}\n{}", lost, before, after);
        prop_assert!(lost.iter().all(|line| ["tag", "digest", "green", "blue"].iter().any(|word| line.contains(word))), "{lost:?}\n{before}\n{after}");
        prop_assert_eq!(edit(&after, |app| deploy(app, None, Some("v3.0.0"), None)), Ok(after.clone()));
    }

    #[test]
    fn a_switch_there_and_back_gives_the_same_bytes(mut hand in hand()) {
        let before = hand.file();
        let switched = edit(&before, |app| switch(app, None, None));
        if !objects(&before).iter().any(|object| object["spec"]["green"].is_object()) {
            prop_assert_eq!(switched, Err("spec.green is not set; deploy a version to green first".to_owned()));
            return Ok(());
        }
        let after = switched.map_err(|why| TestCaseError::fail(format!("{why}\n{before}")))?;
        let mut expected = objects(&before);
        expected.iter_mut().find(|object| object["kind"] == "BlueGreenApp").unwrap()["spec"]["active"] = json!("green");
        prop_assert_eq!(&objects(&after), &expected);
        prop_assert_eq!(lost(&before, &after).len(), 1);
        prop_assert_eq!(edit(&after, |app| switch(app, None, None)), Ok(before));
    }

    /// Whatever is in the file: no panic, and what is written is what was asked for.
    #[test]
    fn a_damaged_manifest_is_edited_rightly_or_refused(mut hand in hand(), at in any::<prop::sample::Index>(), damage in "[ \\t\\n\\r:{}&*!|>#'\"\\[\\],?%@`a-]{1,6}", cut in 0usize..4) {
        let before = hand.file();
        let mut from = at.index(before.len());
        while !before.is_char_boundary(from) { from -= 1; }
        let mut to = (from + cut).min(before.len());
        while !before.is_char_boundary(to) { to += 1; }
        let before = format!("{}{damage}{}", &before[..from], &before[to..]);
        if let Ok(after) = edit(&before, |app| deploy(app, None, Some("v3.0.0"), None)) {
            let (mut expected, found) = (objects(&before), objects(&after));
            let at = expected.iter().position(|object| object["kind"] == "BlueGreenApp").unwrap();
            let color = if found[at]["spec"]["active"] == "blue" { "green" } else { "blue" };
            expected[at]["spec"][color]["tag"] = json!("v3.0.0");
            expected[at]["spec"][color].as_object_mut().unwrap().remove("digest");
            prop_assert_eq!(found, expected, "{}\n{}", before, after);
        }
    }
}
