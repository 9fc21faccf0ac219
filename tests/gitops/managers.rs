//! Two managers of one app by server-side apply, as `docs/gitops.md` tells it: Git owns everything but `active`, whoever releases owns `active`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::manifests;
use serde_json::{Value, json};

use crate::e2e::harness::{App, Kind, Sandbox, World, app, pods};

const APP: &str = "hello";

/// Longer than any look.
const LONG: i32 = 600;

/// Several tests share the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A phase of a switch, which lasts until the next one is begun.
struct Phase {
    name: &'static str,
    begin: fn(&mut Value),
    reached: fn(&World) -> bool,
}

fn ready(spec: &mut Value) {
    spec["template"] = pods(json!({"ready": "true"}))["template"].clone();
}

const PREPARES: Phase = Phase {
    name: "it prepares",
    begin: |_| {},
    reached: |world| world.condition(APP, "Ready", "False", "WaitingForTarget"),
};

const DRAINS: Phase = Phase {
    name: "the old color drains",
    begin: ready,
    reached: |world| world.ready(APP) && world.status(APP).is_some_and(|status| status.switch.is_some()),
};

const DONE: Phase = Phase {
    name: "all is done",
    begin: |spec| {
        ready(spec);
        // A long drain is cut short, and not begun again.
        spec["drainSeconds"] = json!(0);
    },
    reached: |world| world.settled(APP) && world.says(APP, "StandbyReady").is_some(),
};

/// So many statuses may be written in a row while somebody looks for differences.
const STATUSES: usize = 10;

/// Somebody who applies manifests.
struct Manager<'a> {
    sandbox: &'a Sandbox,
    name: &'static str,
}

impl Manager<'_> {
    fn file(&self, spec: &Value) -> Result<PathBuf> {
        let mut object = app(APP).object();
        object["spec"] = spec.clone();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("{}-{}.json", self.sandbox.namespace, self.name));
        std::fs::write(&path, object.to_string())?;
        Ok(path)
    }

    async fn apply(&self, spec: &Value) -> Result<()> {
        self.apply_file(&self.file(spec)?).await
    }

    async fn apply_file(&self, file: &Path) -> Result<()> {
        let (file, manager) = (file.to_str().context("UTF-8")?, format!("--field-manager={}", self.name));
        self.sandbox.kubectl(&["apply", "--server-side", &manager, "-f", file]).await?;
        self.sandbox.patch(Kind::App, APP, json!({})).await
    }

    /// Applies the file of the document as it stands there.
    async fn apply_documented(&self) -> Result<()> {
        let all = manifests(include_str!("../../docs/gitops.md"), "Two managers by server-side apply");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("{}-{}.yaml", self.sandbox.namespace, self.name));
        std::fs::write(&path, all.first().context("the document has no such file")?)?;
        self.apply_file(&path).await
    }

    /// Whether what is there is what this manager wants: `kubectl diff` fails where it is not. It reads the object before it asks what an
    /// apply would make of it, so a status that is written in between is a difference, too: then it is asked again.
    async fn agrees(&self, spec: &Value) -> bool {
        let Ok(file) = self.file(spec) else { return false };
        let (file, manager) = (file.display().to_string(), format!("--field-manager={}", self.name));
        let version = async || {
            let path = "jsonpath={.metadata.resourceVersion}";
            self.sandbox.kubectl(&["get", "bga", APP, "-o", path]).await.ok()
        };
        for _ in 0..STATUSES {
            let before = version().await;
            if self.sandbox.kubectl(&["diff", "--server-side", &manager, "-f", &file]).await.is_ok() {
                return true;
            }
            if before.is_some() && version().await == before {
                return false;
            }
        }
        false
    }
}

fn spec(app: &App) -> Value {
    app.object()["spec"].clone()
}

fn active(color: &str) -> Value {
    json!({ "active": color })
}

fn generation(sandbox: &Sandbox) -> Option<i64> {
    sandbox.world().raw(Kind::App, APP)?["metadata"]["generation"].as_i64()
}

#[tokio::test(flavor = "multi_thread")]
async fn can_git_and_whoever_releases_own_an_app_together_without_any_drift() -> Result<()> {
    let sandbox = Sandbox::new("managers").await?;
    let _operator = sandbox.operator()?;
    let (git, release) =
        (Manager { sandbox: &sandbox, name: "git" }, Manager { sandbox: &sandbox, name: "release" });
    let whole = app(APP).drain(LONG);
    git.apply(&spec(&whole)).await?;
    let mut shared = spec(&whole);
    shared.as_object_mut().context("a spec")?.remove("active");
    // In the wrong order, nobody would own `active`: it is refused, and nothing has happened.
    let refused = git.apply(&shared).await.err().context("without active")?.to_string();
    ensure!(refused.contains("spec.active"), "{refused}");
    release.apply_documented().await?;
    ensure!(
        release.agrees(&active("blue")).await,
        "the document's file has more than the name and spec.active"
    );
    git.apply(&shared).await?;
    sandbox.within(PATIENCE, "blue serves", DONE.reached).await?;

    let (mut looks, mut drifts) = (0, Vec::new());
    for (turn, color) in ["green", "blue", "green"].into_iter().enumerate() {
        // A new tag by one of them, the switch by the other.
        shared[color]["tag"] = json!(format!("v3{turn}"));
        shared["template"] = pods(json!({"ready": "never"}))["template"].clone();
        git.apply(&shared).await?;
        release.apply(&active(color)).await?;
        let phases = if turn == 0 { vec![PREPARES, DRAINS, DONE] } else { vec![PREPARES, DONE] };
        for phase in phases {
            (phase.begin)(&mut shared);
            git.apply(&shared).await?;
            sandbox.within(PATIENCE, phase.name, phase.reached).await?;
            let expected = generation(&sandbox);
            for (manager, spec) in [(&git, &shared), (&release, &active(color))] {
                looks += 1;
                if !manager.agrees(spec).await {
                    drifts.push(format!("{}: {}", manager.name, phase.name));
                }
                manager.apply(spec).await?;
            }
            ensure!(generation(&sandbox) == expected, "an apply of the same changed something");
        }
        ensure!(sandbox.world().selects(APP) == color);
    }
    println!("{} of {looks} looks without drift", looks - drifts.len());
    ensure!(drifts.is_empty(), "{}", drifts.join(", "));
    ensure!(owned_by_the_operator(&sandbox)? == ["status"], "it owns more than the status");
    // Git wanting `active` back is a conflict, and not a switch that nobody asked for.
    let conflict = git.apply(&spec(&whole)).await.err().context("a conflict")?.to_string();
    ensure!(conflict.contains("conflict") && conflict.contains(".spec.active"), "{conflict}");
    sandbox.finish().await
}

/// What of the app the operator's writes own, by the API server's own account.
fn owned_by_the_operator(sandbox: &Sandbox) -> Result<Vec<String>> {
    let world = sandbox.world();
    let object = world.raw(Kind::App, APP).context("the app")?;
    let entries = object["metadata"]["managedFields"].as_array().context("managedFields")?;
    let ours = entries.iter().filter(|entry| entry["manager"] == "bluegreen-operator");
    let fields = ours.flat_map(|entry| entry["fieldsV1"].as_object().into_iter().flatten());
    Ok(fields.map(|(field, _)| field.trim_start_matches("f:").to_owned()).collect())
}
