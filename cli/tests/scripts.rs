//! Can a browser read the scripts of the dashboard? Without Node this says so, and `make dashboard-test` tells in Chromium.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A mistake of the syntax and an import that there is not end it. A script that needs a page is read all the same.
const READ: &str = "
for (const file of process.argv.slice(1)) {
  try {
    await import(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      console.error(`${file}: ${error.message}`);
      process.exit(1);
    }
  }
}
process.exit(0);
";

/// What Node says of the scripts in this folder; none where there is no Node.
fn read(folder: &Path) -> Option<Result<(), String>> {
    Command::new("node").arg("--version").stdout(Stdio::null()).status().ok()?;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "js"));
    assert!(!files.is_empty(), "{} has no scripts", folder.display());
    let node = Command::new("node").args(["--input-type=module", "-e", READ]).args(files).output().unwrap();
    Some(if node.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&node.stderr).into_owned()) })
}

/// The scripts in a folder of their own, one of them changed.
fn copy(name: &str, change: impl Fn(String) -> String) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scripts-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("package.json"), r#"{"type": "module"}"#).unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/assets");
    for entry in std::fs::read_dir(assets).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "js") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_one = path.ends_with("picture.js");
            let text = if is_one { change(text) } else { text };
            std::fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    folder
}

#[test]
fn the_scripts_of_the_dashboard_can_be_read() {
    match read(&copy("right", |text| text)) {
        Some(read) => read.unwrap(),
        // Past what the test harness holds back.
        None => writeln!(std::io::stderr(), "skipped: the scripts are not read, there is no node").unwrap(),
    }
}

type Change = fn(String) -> String;

#[test]
fn a_mistake_in_a_script_is_noticed() {
    let wrong: [(&str, Change); 2] = [
        ("syntax", |text| text + "\nfunction {"),
        ("import", |text| text.replacen("openDialog", "openDialogue", 1)),
    ];
    for (name, change) in wrong {
        if let Some(read) = read(&copy(name, change)) {
            assert!(read.is_err_and(|words| words.contains(".js")), "{name}");
        }
    }
}
