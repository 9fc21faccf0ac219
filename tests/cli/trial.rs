//! Does `kubectl bluegreen check` say what the Jobs say, count for nothing, and leave nothing behind?

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::e2e::harness::{Sandbox, app, cluster, pods};
use crate::{Duration, Path, Running, ends, patiently};

/// A check with a Job of its own; simulated nodes end its pod with this exit code, or never.
fn job(name: &str, when: &str, exit: Option<&str>) -> Value {
    let mut template = pods(exit.map_or_else(|| json!({}), |code| json!({"exit": code})))["template"].take();
    template["spec"] = json!({"containers": [{"name": "c", "image": "team/check:1"}]});
    json!({"name": name, "when": when, "job": {"template": template}})
}

fn jobs(sandbox: &Sandbox) -> Api<Job> {
    Api::namespaced(sandbox.client.clone(), &sandbox.namespace)
}

/// No Job is left, and none was ever the operator's.
async fn nothing_is_left(sandbox: &Sandbox) -> Result<()> {
    let attempt = async || {
        let left = jobs(sandbox).list(&ListParams::default()).await?.items;
        ensure!(left.is_empty(), "{:?}", left.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
        Ok(())
    };
    patiently(Duration::from_secs(30), attempt).await?;
    let status = sandbox.world().status("hello").context("no status")?;
    ensure!(status.checks.is_empty() && status.switch.is_none(), "{status:?}");
    ensure!(sandbox.world().selects("hello") == "blue", "the trial moved traffic");
    Ok(())
}

#[tokio::test]
async fn does_a_trial_say_what_each_check_says_and_end_with_the_code_of_all() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-check", &app("hello")).await?;
    ends(&sandbox, 2, &["check", "hello"]).await?;
    let good = job("good", "Before", Some("0"));
    let mut reports = job("reports", "Before", Some("1"));
    reports["enforce"] = json!(false);
    let checks =
        json!({"checks": [good, reports, job("bad", "Before", Some("3")), job("later", "After", Some("0"))]});
    sandbox.edit("hello", checks).await?;
    sandbox.until("green waits", |world| world.says("hello", "StandbyReady").is_some()).await?;

    let all = ends(&sandbox, 1, &["check", "hello", "-o", "json"]).await?;
    let told: Value = serde_json::from_str(&all.out)?;
    let results: Vec<_> = told["checks"]
        .as_array()
        .context("checks")?
        .iter()
        .map(|check| [&check["name"], &check["result"]])
        .collect();
    assert_eq!(results, [["good", "Passed"], ["reports", "Failed"], ["bad", "Failed"]], "{told}");
    assert_eq!([&told["result"], &told["color"]], ["Failed", "green"]);
    assert!(
        told["checks"][2]["message"].as_str().is_some_and(|words| words.contains("exit code 3")),
        "{told}"
    );
    nothing_is_left(&sandbox).await?;

    let some = ends(&sandbox, 0, &["check", "hello", "--only", "good", "--only", "reports"]).await?;
    assert!(
        some.out.contains("Failed       reports") && some.out.contains("would let a switch pass"),
        "{}",
        some.out
    );
    let after = ends(&sandbox, 2, &["check", "hello", "--only", "later"]).await?;
    assert!(
        after.all.contains("after the switch") && after.all.contains("good, reports, bad"),
        "{}",
        after.all
    );
    nothing_is_left(&sandbox).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_trial_that_is_interrupted_or_late_delete_its_jobs_and_can_not_tell() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-check-end", &app("hello")).await?;
    sandbox.edit("hello", json!({"checks": [job("slow", "Before", None)]})).await?;
    sandbox.until("green waits", |world| world.says("hello", "StandbyReady").is_some()).await?;
    let late = ends(&sandbox, 3, &["check", "hello", "--timeout", "4s"]).await?;
    assert!(late.out.contains("no verdict within 4 seconds"), "{}", late.all);
    nothing_is_left(&sandbox).await?;

    for signal in ["-INT", "-TERM"] {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}{signal}.log", sandbox.namespace));
        let arguments = ["-n", &sandbox.namespace, "check", "hello"];
        let mut running = Running::start(&arguments, cluster().await?.kubeconfig(), log)?;
        running.says("slow runs as job/").await?;
        let there = jobs(&sandbox).list(&ListParams::default()).await?.items;
        assert_eq!(there.len(), 1, "{}", running.text());
        assert!(
            there[0].labels().keys().all(|key| !key.starts_with("bluegreen.dev/")),
            "{:?}",
            there[0].labels()
        );
        let id = running.child.id().context("it has ended")?.to_string();
        ensure!(std::process::Command::new("kill").args([signal, &id]).status()?.success());
        let ended = tokio::time::timeout(Duration::from_secs(30), running.child.wait()).await??;
        assert_eq!(ended.code(), Some(130), "{}", running.text());
        nothing_is_left(&sandbox).await?;
    }
    sandbox.finish().await
}

/// The pods of a trial get no traffic, and a user who may not create Jobs is told so, in the API server's words.
#[tokio::test]
async fn does_a_trial_need_the_rights_of_its_user_and_the_image_of_the_operator() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-check-user", &app("hello")).await?;
    let short = json!({"name": "answers", "when": "Before", "http": {"path": "/healthz"}});
    sandbox.edit("hello", json!({"checks": [short]})).await?;
    sandbox.until("green waits", |world| world.says("hello", "StandbyReady").is_some()).await?;
    // This operator runs in no pod.
    let unknown = ends(&sandbox, 2, &["check", "hello"]).await?;
    assert!(unknown.all.contains("--check-image"), "{}", unknown.all);

    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", sandbox.namespace));
    let arguments = ["-n", &sandbox.namespace, "check", "hello", "--check-image", "mirror/operator:1"];
    let mut running = Running::start(&arguments, cluster().await?.kubeconfig(), log)?;
    running.says("answers runs as job/").await?;
    let pods: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let attempt = async || {
        let of_jobs = ListParams::default().labels("batch.kubernetes.io/job-name");
        pods.list(&of_jobs).await?.items.into_iter().next().context("no pod")
    };
    let pod = patiently(Duration::from_secs(30), attempt).await?;
    let container = &pod.spec.as_ref().context("spec")?.containers[0];
    assert_eq!(container.image.as_deref(), Some("mirror/operator:1"));
    let args = container.args.clone().unwrap_or_default();
    assert!(args.contains(&format!("--host=hello-green.{}.svc:8888", sandbox.namespace)), "{args:?}");
    let exit = json!({"metadata": {"annotations": {"test.bluegreen.dev/exit": "0"}}});
    pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(exit)).await?;
    let ended = tokio::time::timeout(Duration::from_secs(60), running.child.wait()).await??;
    assert_eq!(ended.code(), Some(0), "{}", running.text());

    let nobody = ["check", "hello", "--check-image", "x", "--as", "nobody"];
    let refused = ends(&sandbox, 1, &nobody).await?;
    assert!(refused.all.contains("forbidden"), "{}", refused.all);
    let see = ["create", "role", "see", "--verb=get", "--resource=bluegreenapps.bluegreen.dev"];
    sandbox.kubectl(&see).await?;
    sandbox.kubectl(&["create", "rolebinding", "see", "--role=see", "--user=nobody"]).await?;
    let attempt = async || {
        let ended = ends(&sandbox, 3, &nobody).await?;
        ensure!(ended.out.contains("cannot create resource \"jobs\""), "{}", ended.all);
        Ok(())
    };
    patiently(Duration::from_secs(30), attempt).await?;
    sandbox.finish().await
}
