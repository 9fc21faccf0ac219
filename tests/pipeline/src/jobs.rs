//! Runs jobs of the pipeline as a runner on the cluster's node would: in its network, with its containerd, with a kubeconfig
//! of the agent's account and nothing else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::place::Place;
use crate::project::{PIPELINE, Project};

/// No invocation takes longer, waits included.
const LIMIT: Duration = Duration::from_secs(240);

/// Puts a file in the place of `/etc/hosts`, in a mount namespace of its own, and runs the rest in a folder.
const WITH_HOSTS: &str = r#"mount --bind "$0" /etc/hosts && cd "$1" && shift && exec "$@""#;

/// Runs job scripts.
pub struct Runner {
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    variables: Vec<String>,
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code of the job that was run last: that of its script.
    pub code: i32,
    /// Everything that was printed.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

impl Runner {
    /// With the project's CI/CD variables; what is not given here is as in the pipeline.
    pub async fn new(place: &Place, project: &Project) -> Result<Self> {
        let program = place.folder.join("npm/node_modules/.bin/gitlab-ci-local");
        ensure!(
            program.exists(),
            "there is no {}: have it installed by `make pipeline-test`",
            program.display()
        );
        for name in ["home", "tmp", "containers"] {
            let _ = tokio::fs::remove_dir_all(place.folder.join(name)).await;
            tokio::fs::create_dir_all(place.folder.join(name)).await?;
        }
        let storage = place.folder.join("containers");
        let storage = storage.display();
        let text = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{storage}/graph\"\nrunroot = \"{storage}/run\"\n"
        );
        tokio::fs::write(place.folder.join("storage.conf"), text).await?;
        let kubeconfig = place.job_kubeconfig().await?;
        // A compiled program in the place of the stage that would compile it: that one needs images from a registry.
        let compiled = place.folder.join("compiled");
        let variables = vec![
            format!("IMAGE={}", project.image().await?),
            format!("BUILD_OPTIONS=--build-context build={}", compiled.display()),
            "IMPORT=ctr --namespace k8s.io images import".to_owned(),
            "WAIT=120s".to_owned(),
        ];
        Ok(Self { program, environment: place.job_environment(&kubeconfig)?, variables })
    }

    /// Runs a job, or, without a name, every job that is not manual.
    pub async fn run(
        &self,
        place: &Place,
        project: &Project,
        job: Option<&str>,
        variables: &[&str],
    ) -> Result<Ended> {
        let hosts = place.hosts().await?;
        let mut command: Command = place.cluster.node_command("unshare")?.into();
        command.args(["--mount", "--propagation", "private", "sh", "-c", WITH_HOSTS]);
        command.arg(hosts).arg(&project.folder).arg(&self.program).args([
            "--force-shell-executor",
            "--shell-isolation",
            "--file",
            PIPELINE,
        ]);
        for variable in self.variables.iter().map(String::as_str).chain(variables.iter().copied()) {
            command.args(["--variable", variable]);
        }
        command.args(job).env_clear();
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        let start = Instant::now();
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::select! {
            output = timeout(LIMIT, output) => output.with_context(|| format!("{job:?} hangs"))??,
            // A color's Service appears with its first version.
            error = place.keep_hosts() => return Err(error),
        };
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(Ended { code: code(&text, output.status.code())?, text, took: start.elapsed() })
    }
}

/// The exit code of the last job that failed: the program's own says no more than that one did.
fn code(text: &str, status: Option<i32>) -> Result<i32> {
    let failed = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" finished in ")?;
        rest.split_once(" FAIL ")?.1.trim().parse().ok()
    });
    match (status.context("it was killed")?, failed) {
        (0, None) => Ok(0),
        (_, Some(code)) => Ok(code),
        (status, None) => bail!("gitlab-ci-local ended with {status}, and no job did:\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn which_exit_code_was_that_of_the_script() {
        assert_eq!(code("build finished in 2 s\n", Some(0)).ok(), Some(0));
        let text = "deploy $ kubectl …\ndeploy finished in 30 s  FAIL 3 \n FAIL  deploy\n";
        assert_eq!(code(text, Some(1)).ok(), Some(3));
        assert!(code("the file is not there", Some(1)).is_err());
    }
}
