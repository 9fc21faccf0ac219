//! Runs the program under test.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_operator-under-test");

/// Longer than any check of these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a check ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: Option<i32>,
    /// What is in the termination message file.
    pub message: String,
    /// What was printed.
    pub printed: String,
}

impl Ended {
    #[track_caller]
    pub fn is(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.message.contains(words), "{words:?} is not in {self:?}");
        assert!(self.printed.ends_with(&format!("{}\n", self.message)), "{self:?}");
        assert!(self.message.len() <= 512 && !self.message.contains('\n'), "{self:?}");
    }
}

/// A check that runs.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    printed: String,
    message: PathBuf,
    _folder: Folder,
}

/// A folder that is gone with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("checker-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts `check` with these arguments and variables.
pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    let folder = Folder::new();
    let message = folder.0.join("message");
    std::fs::write(&message, "").unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("check").args(arguments).arg("--message-file").arg(&message);
    command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Running { child, lines, printed: String::new(), message, _folder: folder }
}

/// Runs `check` to its end.
pub async fn check(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    start(arguments, environment).end().await
}

impl Running {
    /// The next line that it prints.
    pub async fn line(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it prints nothing").unwrap();
        if let Some(line) = &line {
            self.printed += line;
            self.printed.push('\n');
        }
        line
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub async fn end(mut self) -> Ended {
        while self.line().await.is_some() {}
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap();
        let message = std::fs::read_to_string(&self.message).unwrap();
        Ended { code: status.code(), message, printed: self.printed }
    }
}
