//! Does the program end with a code that the Job understands, whatever happens?

use std::process::Command;

use super::*;

/// Runs the test `child` of this file as the program, with these arguments.
fn program(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message");
    std::fs::write(&file, "").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::child", "--ignored", "--nocapture"]);
    command.env("ARGUMENTS", arguments.join("\u{1}")).env("MESSAGE", &file);
    let status = command.output().unwrap().status;
    (status.code(), std::fs::read_to_string(&file).unwrap())
}

#[test]
#[ignore = "the program that other tests run"]
fn child() {
    let file = format!("--message-file={}", std::env::var("MESSAGE").unwrap());
    let arguments = std::env::var("ARGUMENTS").unwrap();
    if arguments == "panic" {
        end_on_panic(message_file(&[file.into()]));
        panic!("a mistake in {}", "this program");
    }
    let arguments = arguments.split('\u{1}').filter(|argument| !argument.is_empty()).map(OsString::from);
    // A code that the program itself never has shows that it came back.
    let code = main(arguments.chain([file.into()]));
    std::process::exit(if code == ExitCode::from(Exit::CantTell.code()) { 75 } else { 99 });
}

#[test]
fn a_panic_can_t_tell() {
    let (code, message) = program(&["panic"]);
    assert_eq!(code, Some(75));
    assert!(
        message.contains("please report it") && message.contains("a mistake in this program"),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn wrong_flags_can_t_tell() {
    for (arguments, words) in [
        (&[][..], "--message-file"),
        (&["grpc"], "grpc"),
        (&["http"], "--url"),
        (&["http", "--url", "hello", "--host", "a"], "http://"),
        (&["http", "--url", "http://hello", "--host", "a", "--period-seconds", "0"], "--period-seconds"),
        (&["http", "--url", "http://hello", "--host", "a", "--unknown"], "--unknown"),
        (
            &["prometheus", "--address", "http://p", "--query", "$(BLUEGREEN_X)", "--max", "1"],
            "$(BLUEGREEN_X)",
        ),
        (&["prometheus", "--address", "http://p", "--query", "up", "--max", "much"], "decimal number"),
    ] {
        let (code, message) = program(arguments);
        assert_eq!(code, Some(75), "{arguments:?}: {message}");
        assert!(message.starts_with("can't run: ") && message.contains(words), "{arguments:?}: {message}");
        assert!(message.len() <= words::LONGEST && !message.contains('\n'), "{message}");
    }
}

#[test]
fn the_message_file_is_found_before_the_flags_are_parsed() {
    let of = |arguments: &[&str]| {
        message_file(&arguments.iter().map(OsString::from).collect::<Vec<_>>()).display().to_string()
    };
    assert_eq!(of(&["http", "--message-file", "/a", "--wrong"]), "/a");
    assert_eq!(of(&["--message-file=/b"]), "/b");
    assert_eq!(of(&["--message-file"]), MESSAGE_FILE);
    assert_eq!(of(&["http"]), MESSAGE_FILE);
}

#[test]
fn only_a_failure_has_a_code_that_the_job_takes_for_one() {
    for (exit, can_t_tell) in
        [(Exit::CantTell, true), (Exit::Ended, true), (Exit::Failed, false), (Exit::Passed, false)]
    {
        assert_eq!([75, 137, 143].contains(&exit.code()), can_t_tell, "{exit:?}");
    }
    assert_eq!((Exit::Passed.code(), Exit::Failed.code()), (0, 1));
}
