//! The tests on the real API server and on the one in memory, by name: for whoever claims that one of them shows something.

use std::collections::BTreeSet;
use std::path::Path;

/// Every test of `tests/e2e` as cargo calls it, such as `switching::do_two_apps_side_by_side_not_touch_each_other`, and
/// every test of `tests/driver`, such as `driver::edits::a_held_edit_rolls_out_when_the_policy_allows_it`.
pub fn named_tests() -> BTreeSet<String> {
    let driver = tests_in("driver").into_iter().map(|test| format!("driver::{test}"));
    tests_in("e2e").into_iter().chain(driver).collect()
}

fn tests_in(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    // A file that `main.rs` does not name is not compiled, and its tests do not run.
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let files = modules.map(|module| (module, folder.join(format!("{module}.rs"))));
    files.flat_map(|(module, file)| tests_of(module, &std::fs::read_to_string(file).unwrap())).collect()
}

fn tests_of(module: &str, code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().collect();
    let name = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        Some(line.strip_prefix("fn ")?.split_once('(')?.0.to_owned())
    };
    lines
        .windows(2)
        .filter(|pair| matches!(pair[0], "#[test]" | "#[tokio::test]"))
        .filter_map(|pair| Some(format!("{module}::{}", name(pair[1])?)))
        .collect()
}
