//! Does an edit of a manifest change that field, and not one byte of what is around it?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;
mod manifests;

use bluegreen_api::BlueGreenApp;
use bluegreen_api::Color::Green;
use kubectl_bluegreen::edit::{Edit, Refusal, deploy, rollback, switch};
use kubectl_bluegreen::file::find::Wanted;
use kubectl_bluegreen::file::{diff, edited};
use manifests::{BASIC, CASES};
use serde_json::json;

const SHOP: &str = include_str!("manifests/shop.yaml");

type Decide = fn(&BlueGreenApp) -> Result<Edit, Refusal>;

const DEPLOY: Decide = |app| deploy(app, None, Some("v3.0.0"), None);
const SWITCH: Decide = |app| switch(app, None, None);

fn edit(text: &str, decide: Decide) -> Result<String, String> {
    edited(text, &Wanted::default(), None, decide).map(|edited| edited.text).map_err(|refusal| refusal.0)
}

fn named<'a>(name: &'a str, namespace: Option<&'a str>) -> Wanted<'a> {
    Wanted { name: Some(name), namespace }
}

#[test]
fn a_manifest_with_comments_is_edited_in_one_place() {
    let mut told = String::new();
    let steps: [(&str, Decide); 3] = [
        ("deploy --tag v3.0.0", DEPLOY),
        ("switch", SWITCH),
        ("deploy --tag v3.0.0 --digest sha256:…", |app| {
            let digest = format!("sha256:{}", "a".repeat(64));
            deploy(app, Some(Green), Some("v3.0.0"), Some(&digest))
        }),
    ];
    for (command, decide) in steps {
        let after = edit(SHOP, decide).unwrap();
        told += &format!("$ {command}\n{}", diff("shop.yaml", SHOP, &after));
    }
    insta::assert_snapshot!(told);
}

/// Each case of the table: the text in all its forms, and what becomes of it.
#[test]
fn every_way_to_write_a_manifest_is_edited_in_one_place_or_refused() {
    for case in CASES {
        let before = case.text();
        let after = edit(&before, if case.switches { SWITCH } else { DEPLOY });
        let expected = case.expected(&before);
        assert_eq!(after, expected, "{}:\n{before}", case.what);
    }
    let edited = CASES.iter().filter(|case| case.refused.is_none()).count();
    println!("{edited} of {} ways are edited, the others refused", CASES.len());
}

#[test]
fn windows_line_breaks_a_byte_order_mark_and_a_missing_last_line_break_stay() {
    for case in CASES.iter().filter(|case| case.refused.is_none() && !case.text().contains('|')) {
        let forms: [fn(&str) -> String; 3] = [
            |text| text.replace('\n', "\r\n"),
            |text| format!("\u{feff}{text}"),
            |text| text.trim_end().to_owned(),
        ];
        for form in forms {
            let before = form(&case.text());
            let after = edit(&before, if case.switches { SWITCH } else { DEPLOY });
            assert_eq!(
                after,
                case.expected(&case.text()).map(|text| form(&text)),
                "{}:\n{before}",
                case.what
            );
        }
    }
}

#[test]
fn of_several_apps_one_is_named() {
    let two = format!("{BASIC}---\n{}", BASIC.replace("name: hello", "name: other"));
    let words = edit(&two, DEPLOY).unwrap_err();
    assert_eq!(words, "there is more than one BlueGreenApp in this file (hello, other): name one");
    let after = edited(&two, &named("other", None), None, DEPLOY).unwrap();
    assert_eq!(
        after.text,
        format!("{BASIC}---\n{}", edit(BASIC, DEPLOY).unwrap().replace("name: hello", "name: other"))
    );
    let words = edited(&two, &named("third", None), None, DEPLOY).unwrap_err().0;
    assert_eq!(words, "there is no BlueGreenApp third in this file; there is hello, other");
    // The same name in two namespaces.
    let [left, right] = ["left", "right"]
        .map(|space| BASIC.replace("name: hello", &format!("name: hello\n  namespace: {space}")));
    let both = format!("{left}---\n{right}");
    let words = edited(&both, &named("hello", None), None, DEPLOY).unwrap_err().0;
    assert!(words.contains("(left/hello, right/hello): choose one with -n"), "{words}");
    let after = edited(&both, &named("hello", Some("right")), None, DEPLOY).unwrap();
    assert_eq!(after.text, format!("{left}---\n{}", edit(&right, DEPLOY).unwrap()));
    let list = "kind: List\napiVersion: v1\nitems:\n- ".to_owned() + &BASIC.trim_end().replace('\n', "\n  ");
    assert_eq!(edit(&list, DEPLOY).unwrap(), list.replace("v2.0.0", "v3.0.0"));
}

#[test]
fn json_stays_json() {
    let value: serde_json::Value = serde_yaml_ng::from_str(BASIC).unwrap();
    let long = serde_json::to_string_pretty(&value).unwrap() + "\n";
    assert_eq!(edit(&long, DEPLOY).unwrap(), long.replace("v2.0.0", "v3.0.0"));
    let tabs = long.replace("  ", "\t");
    assert_eq!(edit(&tabs, DEPLOY).unwrap(), tabs.replace("v2.0.0", "v3.0.0"));
    let short = value.to_string();
    assert_eq!(edit(&short, SWITCH).unwrap(), short.replace(r#""active":"blue""#, r#""active":"green""#));
    let digest: Decide = |app| {
        deploy(
            app,
            Some(Green),
            Some("v2.0.0"),
            Some(concat!("sha256:", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef")),
        )
    };
    let mut wanted = value.clone();
    wanted["spec"]["green"]["digest"] =
        json!("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    for text in [&long, &tabs, &short] {
        let after = edit(text, digest).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&after).unwrap(), wanted, "{after}");
        assert_eq!(after.lines().count(), text.lines().count() + usize::from(text != &short), "{after}");
        // And away again.
        assert_eq!(edit(&after, |app| deploy(app, Some(Green), Some("v2.0.0"), None)).as_ref(), Ok(text));
    }
    let mut alone = value;
    alone["spec"].as_object_mut().unwrap().remove("green");
    let after = edit(&alone.to_string(), DEPLOY).unwrap();
    assert!(after.contains(r#""blue":{"tag":"v1.0.0"}, "green": {"tag": "v3.0.0"}"#), "{after}");
    serde_json::from_str::<serde_json::Value>(&after).unwrap();
}

#[test]
fn what_is_no_manifest_is_refused_in_words() {
    let wrong: [(&str, &str); 8] = [
        ("{{- if .Values.enabled }}\nkind: BlueGreenApp\n{{- end }}\n", "this looks like a Helm template ("),
        (&BASIC.replace("v2.0.0", "{{ .Values.tag }}"), "this looks like a Helm template ("),
        (&BASIC.replace("name: hello", "name: {{ include \"x\" . }}"), "this looks like a Helm template ("),
        ("kind: [BlueGreenApp", "this is no YAML: line 1: "),
        ("", "there is no BlueGreenApp in this file"),
        ("- op: replace\n  path: /spec/active\n  value: green\n", "this is a JSON patch: "),
        ("resources: [app.yaml]\n", "this is a kustomization: "),
        ("just words", "there is no BlueGreenApp in this file"),
    ];
    for (text, words) in wrong {
        let refused = edit(text, DEPLOY).unwrap_err();
        assert!(refused.starts_with(words), "{text}: {refused}");
    }
}

#[test]
fn a_tag_that_looks_like_a_number_is_quoted() {
    let written: [(Decide, &str); 4] = [
        (|app| deploy(app, None, Some("1.10"), None), "tag: \"1.10\"\n"),
        (|app| deploy(app, None, Some("12e4567"), None), "tag: \"12e4567\"\n"),
        (|app| deploy(app, None, Some("on"), None), "tag: \"on\"\n"),
        (|app| deploy(app, None, Some("e12"), None), "tag: e12\n"),
    ];
    for (decide, words) in written {
        let after = edit(BASIC, decide).unwrap();
        assert_eq!(after, BASIC.replace("tag: v2.0.0\n", words));
    }
}

#[test]
fn a_patch_for_kustomize_is_edited_and_called_one() {
    const COLORS: &str = include_str!("../../examples/kustomize/test/colors.yaml");
    let after = edited(COLORS, &Wanted::default(), None, DEPLOY).unwrap();
    assert_eq!(after.text, COLORS.replace("v1.2.0", "v3.0.0"));
    assert!(after.is_patch && !edited(SHOP, &Wanted::default(), None, DEPLOY).unwrap().is_patch);
}

#[test]
fn a_second_run_changes_nothing() {
    let once = edit(SHOP, DEPLOY).unwrap();
    let again = edited(&once, &Wanted::default(), None, DEPLOY).unwrap();
    assert_eq!((again.text, again.edit.patch), (once, None));
}

#[test]
fn what_would_be_a_mistake_in_the_cluster_is_one_in_the_file() {
    let refusals: [(Decide, &str); 5] = [
        (|app| deploy(app, Some(bluegreen_api::Color::Blue), Some("v3"), None), "blue is live"),
        (|app| deploy(app, None, Some("v1.0.0"), None), "blue is live and already runs v1.0.0"),
        (|app| deploy(app, None, Some("not a tag"), None), "spec.green.tag: "),
        (|app| switch(app, None, Some("v9")), "not v9: something else was deployed meanwhile"),
        (|app| rollback(app, None, None), "nothing to roll back to"),
    ];
    for (decide, words) in refusals {
        let refused = edit(BASIC, decide).unwrap_err();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let alone = BASIC.replace("  green:\n    tag: v2.0.0\n", "");
    assert!(edit(&alone, SWITCH).unwrap_err().contains("spec.green is not set"));
}

/// The cluster may be behind the file, or in the middle of a switch.
#[test]
fn with_the_app_of_the_cluster_its_status_decides() {
    let with = |seen: serde_json::Value, decide: Decide| {
        let seen = fixture::app(seen);
        edited(BASIC, &Wanted::default(), Some(&seen), decide)
            .map(|edited| edited.text)
            .map_err(|refusal| refusal.0)
    };
    let back: Decide = |app| rollback(app, None, None);
    assert_eq!(with(fixture::settled(), back), Ok(BASIC.replace("active: blue", "active: green")));
    // Green has been deployed anew since it was live.
    let mut renewed = fixture::settled();
    renewed["status"]["green"]["revision"] = json!(2);
    assert!(with(renewed, back).unwrap_err().contains("green has been changed since it was live"));
    // Green is still live: the commit that sets `active: blue` has not arrived, or waits.
    let mut behind = fixture::settled();
    behind["status"]["active"] = json!("green");
    assert!(with(behind, DEPLOY).unwrap_err().contains("a switch from green to blue is under way"));
}

#[test]
fn a_rollback_by_version_needs_that_version_on_the_other_color() {
    let back: Decide = |app| kubectl_bluegreen::edit::back_to(app, Some("v1.0.0"), "v2.0.0");
    assert_eq!(edit(BASIC, back), Ok(BASIC.replace("active: blue", "active: green")));
    let wrong: Decide = |app| kubectl_bluegreen::edit::back_to(app, None, "v1.9.0");
    assert!(edit(BASIC, wrong).unwrap_err().contains("spec.green has v2.0.0, not v1.9.0"));
    let twice: Decide = |app| kubectl_bluegreen::edit::back_to(app, Some("v2.0.0"), "v1.0.0");
    assert!(edit(BASIC, twice).unwrap_err().contains("spec.active is blue with v1.0.0, not v2.0.0"));
}
