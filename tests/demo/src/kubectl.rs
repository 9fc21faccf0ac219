//! kubectl, run as a person would, with the command shown as that person would type it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::Cluster;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::say::{Paint, painted, say};

/// kubectl for one cluster and one namespace.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    /// Named in each command, unless it is the default one.
    namespace: Option<String>,
}

impl Kubectl {
    /// For this cluster, in that namespace.
    pub fn new(cluster: &Cluster, namespace: Option<String>) -> Result<Self> {
        Ok(Self { program: cluster.tool("kubectl"), environment: cluster.environment()?, namespace })
    }

    /// For what is in no namespace, or says which.
    pub fn everywhere(&self) -> Self {
        Self { namespace: None, ..self.clone() }
    }

    /// Shows the command, runs it, and shows what it says.
    pub async fn show(&self, arguments: &[&str]) -> Result<()> {
        let arguments = self.in_namespace(arguments);
        self.typed(&arguments);
        self.tell(&arguments).await
    }

    /// The same for two commands of which the second runs only after the first: `… && …`.
    pub async fn show_both(&self, first: &[&str], second: &[&str]) -> Result<()> {
        let (first, second) = (self.in_namespace(first), self.in_namespace(second));
        say(prompt(&format!("{} && {}", shown(&first), shown(&second))));
        self.tell(&first).await?;
        self.tell(&second).await
    }

    /// Runs a command without showing it; returns what it says.
    pub async fn quiet(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(&self.in_namespace(arguments), None).await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies a manifest that is in no file.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        self.run(&self.in_namespace(&["apply", "-f", "-"]), Some(manifest)).await?;
        Ok(())
    }

    async fn tell(&self, arguments: &[String]) -> Result<()> {
        let output = self.run(arguments, None).await?;
        say(String::from_utf8_lossy(&output.stdout).trim_end());
        Ok(())
    }

    fn typed(&self, arguments: &[String]) {
        say(prompt(&shown(arguments)));
    }

    fn in_namespace(&self, arguments: &[&str]) -> Vec<String> {
        let namespace = self.namespace.iter().flat_map(|namespace| ["-n".to_owned(), namespace.clone()]);
        namespace.chain(arguments.iter().map(ToString::to_string)).collect()
    }

    async fn run(&self, arguments: &[String], input: Option<&str>) -> Result<Output> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        ensure!(
            output.status.success(),
            "{} failed:\n{}",
            shown(arguments),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        Ok(output)
    }
}

/// A command line after a prompt.
pub fn prompt(command: &str) -> String {
    painted(Paint::Bold, &format!("$ {command}"))
}

fn shown(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@".contains(c);
        if argument.chars().all(plain) { argument.clone() } else { format!("'{argument}'") }
    });
    std::iter::once("kubectl".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn is_a_command_shown_as_one_would_type_it() {
        let arguments = ["patch", "bga", "hello", "--type=merge", "-p", r#"{"spec":{"active":"green"}}"#];
        assert_eq!(
            shown(&arguments.map(String::from)),
            r#"kubectl patch bga hello --type=merge -p '{"spec":{"active":"green"}}'"#
        );
    }
}
