//! What a person sees, at 80 columns, with and without colors.

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::time::Duration;

use bluegreen_api::Color;
use bluegreen_core::harmless::is_harmful;
use bluegreen_view::Report;
use fixture::{app, now, objects, settled, switching};
use kubectl_bluegreen::goal::{Goal, verdict};
use kubectl_bluegreen::line::{Line, render};
use kubectl_bluegreen::plan::{self, Start, foresee};
use kubectl_bluegreen::progress::{self, Clock};
use kubectl_bluegreen::screen::{Screen, Terminal};
use kubectl_bluegreen::table::SortBy;
use kubectl_bluegreen::{edit, gitedit, table, tree};
use serde_json::json;

const WIDTH: usize = 80;

fn plain(lines: &[Line]) -> String {
    let text = render(lines, WIDTH, false);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert!(!text.contains('\x1b'), "no color was asked for");
    text
}

fn tree(value: serde_json::Value) -> Vec<Line> {
    tree::lines(&Report::of(&objects(value), now()), WIDTH, now())
}

#[test]
fn a_settled_app_as_a_tree() {
    insta::assert_snapshot!(plain(&tree(settled())));
}

#[test]
fn a_preview_is_shown_with_the_color_that_it_selects() {
    let mut app = settled();
    app["spec"]["service"] = serde_json::json!({"preview": true});
    insta::assert_snapshot!(plain(&tree(app)));
}

#[test]
fn a_switch_that_waits_as_a_tree() {
    insta::assert_snapshot!(plain(&tree(switching())));
}

#[test]
fn a_tree_in_colors_is_the_plain_one_but_for_the_colors() {
    insta::assert_snapshot!(colored(&tree(switching())));
}

#[test]
fn what_may_not_be_read_is_said() {
    let mut objects = objects(settled());
    objects.pods.clear();
    objects.replica_sets.clear();
    objects.unreadable = vec!["no right to list pods".to_owned()];
    insta::assert_snapshot!(plain(&tree::lines(&Report::of(&objects, now()), WIDTH, now())));
}

/// Who may create pods in a namespace writes texts that others' terminals print.
#[test]
fn a_foreign_text_does_not_reach_the_terminal_as_it_is() {
    const ESCAPES: &str =
        "x\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{1b}[1;1H\u{1b}[32mready\u{1b}[8m\u{9b}2J\u{202e}\u{2066}\u{7f}";
    let mut app = switching();
    // A sidecar's image is free text, and comes back in a condition and an Event. An annotation names another operator.
    for field in ["message", "reason"] {
        app["status"]["conditions"][0][field] = json!(ESCAPES);
    }
    app["status"]["blue"]["image"] = json!(ESCAPES);
    app["metadata"]["annotations"] = json!({ "bluegreen.dev/operator": ESCAPES });
    app["spec"]["template"] = json!({ "spec": { "containers": [{ "name": "side", "image": ESCAPES }] } });
    let (objects, app) = (objects(app.clone()), fixture::app(app));
    let goal = Goal::Active(Color::Green);
    let clock = Clock { passed: Duration::from_secs(75), limit: Duration::from_secs(300) };
    let spec = serde_json::to_value(&app.spec).unwrap();
    let mut lines = tree::lines(&Report::of(&objects, now()), WIDTH, now());
    lines.extend(table::lines(std::slice::from_ref(&app), true, now()));
    lines.extend(progress::lines(goal, Some(&app), &verdict(goal, &app), clock, WIDTH));
    lines.extend(progress::warning(Some(ESCAPES), WIDTH));
    lines
        .extend(gitedit::lines(&spec, &gitedit::patched(&spec, &json!({ "blue": { "revision": ESCAPES } }))));
    let shown = plain(&lines);
    assert!(!shown.chars().any(|c| c != '\n' && is_harmful(c)), "{shown:?}");
    insta::assert_snapshot!(shown);
    let logged = progress::log_line(ESCAPES, clock.passed);
    assert_eq!(logged.chars().filter(|c| is_harmful(*c)).count(), 0, "{logged:?}");
}

#[test]
fn apps_as_a_table() {
    let mut other = switching();
    other["metadata"]["name"] = json!("checkout");
    insta::assert_snapshot!(plain(&table::lines(&[app(settled()), app(other)], true, now())));
}

#[test]
fn apps_in_order_of_their_state_with_the_reason() {
    let named = |mut app: serde_json::Value, name: &str, created: &str| {
        app["metadata"]["name"] = json!(name);
        app["metadata"]["creationTimestamp"] = json!(created);
        fixture::app(app)
    };
    let mut stalled = settled();
    stalled["status"]["conditions"] = json!([
        fixture::condition("Ready", "False", "NameConflict", "Service hello exists"),
        fixture::condition("Stalled", "True", "NameConflict", "Service hello exists, and belongs to nobody"),
    ]);
    let mut unobserved = settled();
    unobserved["metadata"]["generation"] = json!(5);
    let mut apps = vec![
        named(settled(), "a-ready", "2026-01-01T00:00:00Z"),
        named(unobserved, "b-edited", "2026-01-01T00:30:00Z"),
        named(switching(), "c-switching", "2025-12-30T00:00:00Z"),
        named(stalled, "d-stalled", "2025-12-31T00:00:00Z"),
    ];
    let mut told = String::new();
    for order in [SortBy::Name, SortBy::State, SortBy::Age] {
        table::sort(&mut apps, order);
        told += &format!("{order:?}\n{}", render(&table::lines(&apps, false, now()), usize::MAX, false));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_wait_on_a_terminal_tells_what_is_missing_and_how_long() {
    let app = app(switching());
    let goal = Goal::Active(Color::Green);
    let clock = Clock { passed: Duration::from_secs(75), limit: Duration::from_secs(300) };
    insta::assert_snapshot!(plain(&progress::lines(goal, Some(&app), &verdict(goal, &app), clock, WIDTH)));
}

/// In colors: the same text, and the colors as they are.
fn colored(lines: &[Line]) -> String {
    let colored = render(lines, WIDTH, true);
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain(lines));
    colored.replace('\x1b', "␛")
}

#[test]
fn apps_as_a_table_in_colors() {
    insta::assert_snapshot!(colored(&table::lines(&[app(settled()), app(switching())], false, now())));
}

#[test]
fn a_wait_in_colors_while_a_switch_is_under_way_and_once_it_is_done() {
    let clock = Clock { passed: Duration::from_secs(3), limit: Duration::from_secs(300) };
    let mut text = String::new();
    for (app, goal) in [(switching(), Goal::Active(Color::Green)), (settled(), Goal::Active(Color::Blue))] {
        let app = fixture::app(app);
        text += &colored(&progress::lines(goal, Some(&app), &verdict(goal, &app), clock, WIDTH));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_edit_in_colors() {
    let app = app(settled());
    let before = serde_json::to_value(&app.spec).unwrap();
    let edit = edit::switch(&app, None, None).unwrap();
    insta::assert_snapshot!(colored(&gitedit::lines(
        &before,
        &gitedit::patched(&before, &edit.patch.unwrap())
    )));
}

#[test]
fn an_edit_as_one_of_the_manifest() {
    let app = app(settled());
    let before = serde_json::to_value(&app.spec).unwrap();
    let diff =
        |edit: edit::Edit| plain(&gitedit::lines(&before, &gitedit::patched(&before, &edit.patch.unwrap())));
    insta::assert_snapshot!(diff(edit::switch(&app, None, None).unwrap()), @r"
      spec:
    -   active: blue
    +   active: green
    ");
    insta::assert_snapshot!(diff(edit::deploy(&app, None, Some("v3"), None).unwrap()), @r"
      spec:
        green:
    -     tag: v2.0.0
    +     tag: v3
    ");
}

fn manifest(active: &str, green: &str) -> bluegreen_api::BlueGreenApp {
    app(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"},
        "spec": {"active": active, "image": "team/hello", "blue": {"tag": "v1"}, "green": {"tag": green},
            "replicas": 3, "port": 8888},
    }))
}

#[test]
fn a_plan_of_a_new_app() {
    let foreseen = foresee(Start::nothing(), manifest("blue", "v2"), now()).unwrap();
    assert!(foreseen.good);
    insta::assert_snapshot!(plain(&plan::lines(&foreseen, WIDTH)));
}

#[test]
fn a_plan_of_a_new_tag_and_a_switch_in_one_edit() {
    let foreseen = foresee(Start::settled(manifest("blue", "v2")), manifest("green", "v3"), now()).unwrap();
    assert!(foreseen.good);
    insta::assert_snapshot!(plain(&plan::lines(&foreseen, WIDTH)));
}

#[test]
fn a_plan_of_an_edit_that_would_be_held_says_so() {
    let mut wanted = manifest("blue", "v2");
    wanted.spec.blue.as_mut().unwrap().tag = Some("v9".to_owned());
    let foreseen = foresee(Start::settled(manifest("blue", "v2")), wanted, now()).unwrap();
    assert!(!foreseen.good);
    insta::assert_snapshot!(plain(&plan::lines(&foreseen, WIDTH)));
}

#[test]
fn a_plan_of_nothing_new_has_no_steps() {
    let foreseen = foresee(Start::settled(manifest("blue", "v2")), manifest("blue", "v2"), now()).unwrap();
    assert_eq!(foreseen.steps, []);
    assert!(foreseen.good);
}

#[test]
fn a_redraw_goes_back_over_its_own_lines_in_one_write_and_never_clears_the_screen() {
    struct Writes(Vec<String>);
    impl std::io::Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writes = Writes(Vec::new());
    let terminal = Terminal { width: 20, height: Some(4), colors: false };
    let mut screen = Screen::new(&mut writes);
    let lines = |count: usize| (0..count).map(|n| Line::plain(format!("line {n}"))).collect::<Vec<_>>();
    screen.draw(&lines(2), terminal).unwrap();
    screen.draw(&lines(9), terminal).unwrap();
    let [first, second] = writes.0.as_slice() else { panic!("one write a frame: {:?}", writes.0) };
    assert!(
        !first.contains("\x1b[2J") && !second.contains("\x1b[2J"),
        "the screen is never cleared as a whole"
    );
    assert!(second.starts_with("\x1b[?2026h\x1b[2F"), "{second:?}");
    assert!(second.contains("… 7 more lines") && !second.contains("line 2"), "{second:?}");
}

#[test]
fn a_check_that_has_refused_the_target_as_a_tree() {
    let mut app = switching();
    let check = |name: &str, result: &str, message: &str| {
        json!({"name": name, "when": "Before", "color": "green", "revision": 2, "generation": 3, "hash": "a",
            "job": format!("hello-{name}-0a1b2c"), "attempts": 1, "result": result, "message": message,
            "startedAt": "2026-01-01T00:00:00Z"})
    };
    app["status"]["checks"] = json!([
        check("smoke", "Failed", "Container c for pod shop/hello-smoke-0a1b2c-x failed with exit code 1"),
        check("load", "Inconclusive", "It was ended, because another check has failed"),
        check("lint", "Passed", "Reached expected number of succeeded pods"),
    ]);
    insta::assert_snapshot!(plain(&tree(app)));
}
