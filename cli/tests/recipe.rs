//! Do the commands of `docs/gitops.md` for a pipeline work in a real Git repository?

#![allow(clippy::unwrap_used, missing_docs)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCUMENT: &str = include_str!("../../docs/gitops.md");
const APP: &str = include_str!("../../examples/gitops/argocd/app/hello.yaml");

/// The blocks of commands of a section.
fn blocks(section: &str) -> Vec<String> {
    let (_, text) = DOCUMENT.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let blocks = text.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks
        .map(|block| block.lines().map(|line| line.strip_prefix("$ ").unwrap().to_owned() + "\n").collect())
        .collect()
}

struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// A repository, a clone of it, and `kubectl` as a program that finds its plugin.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recipe-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let kubectl = folder.join("bin/kubectl");
        let plugin = env!("CARGO_BIN_EXE_kubectl-bluegreen");
        std::fs::write(
            &kubectl,
            format!("#!/bin/sh\nplugin=$1; shift\n[ \"$plugin\" = bluegreen ] && exec '{plugin}' \"$@\"\n"),
        )
        .unwrap();
        std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self { folder };
        this.run(
            ".",
            "git init --quiet --bare --initial-branch main origin.git && git clone --quiet origin.git clone",
            &[],
        )
        .unwrap();
        std::fs::create_dir_all(this.folder.join("clone/hello")).unwrap();
        std::fs::write(this.folder.join("clone/hello/hello.yaml"), APP).unwrap();
        let version = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hello-version\ndata:\n  tag: \"v4.0.0\" # newest\n";
        std::fs::write(this.folder.join("clone/hello/version.yaml"), version).unwrap();
        this.run(
            "clone",
            "git add . && git commit --quiet --message first && git push --quiet origin HEAD:main",
            &[],
        )
        .unwrap();
        this
    }

    fn run(&self, folder: &str, script: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.folder.join(folder))
            .env("PATH", path)
            .env("HOME", &self.folder)
            .env("KUBECONFIG", "/nonexistent")
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "pipeline")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "pipeline@example.com")))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        if output.status.success() { Ok(told) } else { Err(told) }
    }

    fn pushed(&self) -> String {
        self.run("origin.git", "git show main:hello/hello.yaml", &[]).unwrap()
    }

    fn log(&self) -> String {
        self.run("origin.git", "git log --format=%s main", &[]).unwrap()
    }
}

#[test]
fn a_pipeline_releases_by_commits_and_goes_back() {
    let [deploy, switch, rollback] = blocks("Edit the manifest in a pipeline").try_into().unwrap();
    let repository = Repository::new("release");
    let tag = [("TAG", "v2.0.0"), ("BEFORE", "v1.0.0")];
    let told = repository.run("clone", &deploy, &tag).unwrap();
    assert!(told.contains("-    tag: v1.0.0\n+    tag: v2.0.0\n"), "{told}");
    let green = APP.replace("  green:\n    tag: v1.0.0", "  green:\n    tag: v2.0.0");
    assert_eq!(repository.pushed(), green);
    // Once more: nothing to commit is no failure.
    repository.run("clone", &deploy, &tag).unwrap();
    // Another pipeline has not seen that, and its push is refused.
    repository
        .run(".", "git clone --quiet origin.git other && cd other && git reset --quiet --hard HEAD~1", &[])
        .unwrap();
    let told = repository.run("other", &deploy, &[("TAG", "v3.0.0")]).unwrap_err();
    assert!(told.contains("rejected"), "{told}");
    repository.run("clone", &switch, &[("TAG", "v3.0.0")]).unwrap_err();
    repository.run("clone", &switch, &tag).unwrap();
    assert_eq!(repository.pushed(), green.replace("active: blue #", "active: green #"));
    repository.run("clone", &rollback, &tag).unwrap();
    assert_eq!(repository.pushed(), green);
    assert_eq!(
        repository.log(),
        "hello: back to v1.0.0\nhello: v2.0.0 goes live\nhello: deploy v2.0.0\nfirst\n"
    );
}

#[test]
fn the_tag_of_a_bot_goes_to_the_idle_color() {
    let [deploy] = blocks("Bots that write image tags").try_into().unwrap();
    let repository = Repository::new("bot");
    repository.run("clone", &deploy, &[]).unwrap();
    let file = std::fs::read_to_string(repository.folder.join("clone/hello/hello.yaml")).unwrap();
    assert_eq!(file, APP.replace("  green:\n    tag: v1.0.0", "  green:\n    tag: v4.0.0"));
}
