//! Are `docs/cli.md` and `docs/cli-output.md` those of this code? `UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test docs` writes them anew.

#![allow(clippy::unwrap_used, missing_docs)]

use kubectl_bluegreen::{manual, shape_doc};

fn compare(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} is out of date: UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test docs"
    );
}

#[test]
fn the_command_line_is_documented_as_it_is() {
    compare("cli.md", &manual::markdown());
}

#[test]
fn what_is_printed_as_data_is_documented_as_it_is() {
    compare("cli-output.md", &shape_doc::markdown());
    compare("cli-output.schema.json", &shape_doc::json_schema());
}

/// `kubectl bluegreen completion bash | head -1` has no more readers after a line.
#[test]
fn is_a_reader_of_the_completion_who_leaves_no_failure() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    drop(reader);
    manual::completion(clap_complete::Shell::Bash, &mut writer).unwrap();
}

#[test]
fn every_shell_has_a_completion_and_every_command_a_man_page() {
    for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
        let mut script = Vec::new();
        manual::completion(*shell, &mut script).unwrap();
        assert!(String::from_utf8(script).unwrap().contains("rollback"), "{shell}");
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    manual::man(&folder).unwrap();
    for page in ["kubectl-bluegreen.1", "kubectl-bluegreen-switch.1"] {
        assert!(folder.join(page).exists(), "{page}");
    }
}
