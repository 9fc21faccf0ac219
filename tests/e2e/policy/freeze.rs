//! Freeze windows: what a freeze refuses, what it never stands in the way of, and how it ends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::create;
use crate::harness::{Sandbox, World, app, cluster, pods};

const POLICY: &str = include_str!("../../../config/freeze/policy.yaml");
const BINDING: &str = include_str!("../../../config/freeze/namespace-binding.yaml");
const CLUSTER_BINDING: &str = include_str!("../../../config/freeze/cluster-binding.yaml");

/// `kubectl bluegreen`.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-bluegreen-under-test");

/// The ConfigMap that declares a freeze.
const FREEZE: &str = "bluegreen-freeze";

/// Installs the policy as it is shipped, for this namespace alone and under its name. It stays there as long as the cluster: once the
/// last policy with ConfigMaps as parameters is gone, the API server follows ConfigMaps for no later one (docs/operations.md).
async fn install(sandbox: &Sandbox) -> Result<()> {
    create(sandbox, POLICY, serde_yaml_ng::from_str(BINDING)?).await
}

/// Declares the freeze of the app's namespace, and waits until the API server goes by it.
async fn freeze(sandbox: &Sandbox, data: &Value) -> Result<()> {
    freeze_in(sandbox, &sandbox.namespace, data).await
}

/// Declares the freeze in this namespace.
async fn freeze_in(sandbox: &Sandbox, namespace: &str, data: &Value) -> Result<()> {
    // It tells this freeze from the one before.
    let mark = jiff::Timestamp::now().as_nanosecond();
    let mut data = data.clone();
    data["reason"] = json!(format!("year-end closing {mark}"));
    let object: ConfigMap = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FREEZE}, "data": data,
    }))?;
    let api: Api<ConfigMap> = Api::namespaced(sandbox.client.clone(), namespace);
    api.patch(FREEZE, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await?;
    let in_effect = async || {
        let words = refusal(sandbox, &[], &json!({"drainSeconds": 86_399})).await?;
        ensure!(words.contains(&format!("closing {mark}.")), "the freeze is never in effect: {words}");
        Ok(())
    };
    patiently(Duration::from_secs(60), in_effect).await
}

/// An edit that changes nothing in the end, by this user.
async fn try_out(sandbox: &Sandbox, user: &[&str], spec: &Value) -> Result<String> {
    let patch = json!({ "spec": spec }).to_string();
    let edit = ["patch", "bga", "hello", "--type=merge", "--dry-run=server", "-p", &patch];
    sandbox.kubectl(&[&edit[..], user].concat()).await
}

async fn refusal(sandbox: &Sandbox, user: &[&str], spec: &Value) -> Result<String> {
    let answer = try_out(sandbox, user, spec).await;
    Ok(answer.err().with_context(|| format!("{spec} passes"))?.to_string())
}

async fn passes(sandbox: &Sandbox, user: &[&str], spec: &Value) -> Result<()> {
    try_out(sandbox, user, spec).await.map(drop).with_context(|| format!("{spec} is refused"))
}

/// So many hours from now, as `until` has it.
fn in_hours(hours: i64) -> Result<String> {
    let then = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(hours))?;
    Ok(then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[tokio::test]
async fn does_a_freeze_refuse_what_is_new_and_nothing_that_makes_an_app_safe() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze", &app("hello")).await?;
    install(&sandbox).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    let until = in_hours(1)?;
    freeze(&sandbox, &json!({ "until": until })).await?;

    for (spec, fields) in [
        (json!({"blue": {"tag": "v9"}}), vec!["spec.blue"]),
        (json!({"green": {"tag": "v9"}}), vec!["spec.green"]),
        (json!({"active": "blue", "blue": {"tag": "v9"}}), vec!["spec.active", "spec.blue"]),
        (json!({"image": "team/other"}), vec!["spec.image"]),
        (json!({"template": {"metadata": {"labels": {"team": "a"}}}}), vec!["spec.template"]),
        (json!({"drainSeconds": 7, "replicas": 3}), vec!["spec.drainSeconds"]),
        (json!({"blue": null}), vec!["spec.blue"]),
    ] {
        let words = refusal(&sandbox, &[], &spec).await?;
        for part in [
            &format!("frozen by ConfigMap bluegreen-freeze until {until}: year-end closing"),
            "Going back to the color that was live before",
            "be named in data.breakGlass",
        ] {
            ensure!(words.contains(part), "{spec}: {part:?} is not in: {words}");
        }
        // CEL goes through a map in any order.
        let told = words.split_once("This edit changes ").and_then(|(_, rest)| rest.split_once(". "));
        let mut told: Vec<&str> = told.map(|(fields, _)| fields.split(", ").collect()).unwrap_or_default();
        told.sort_unstable();
        ensure!(told == fields, "{spec}: {words}");
    }
    for spec in [
        json!({"active": "blue"}),
        // As the revert of a commit does.
        json!({"active": "blue", "green": {"tag": "v1"}, "template": {"metadata": {"labels": {"team": "a"}}}}),
        json!({"replicas": 3}),
        json!({"paused": true}),
        json!({}),
    ] {
        passes(&sandbox, &[], &spec).await?;
    }
    sandbox.kubectl(&["annotate", "bga", "hello", "example.com/note=x"]).await?;
    sandbox.kubectl(&["scale", "bga/hello", "--replicas=3"]).await?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn can_a_switch_be_called_off_in_a_freeze() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze-off", &app("hello")).await?;
    install(&sandbox).await?;
    let mut edit = pods(json!({"ready": "never"}));
    edit["active"] = json!("green");
    edit["green"] = json!({"tag": "v3"});
    sandbox.edit("hello", edit).await?;
    let waits = |world: &World| world.condition("hello", "Ready", "False", "WaitingForTarget");
    sandbox.until("the switch waits", waits).await?;
    freeze(&sandbox, &json!({})).await?;
    refusal(&sandbox, &[], &json!({"green": {"tag": "v4"}})).await?;
    sandbox.edit("hello", json!({"paused": true})).await?;
    // To go on is to go to something new; to call it off is not.
    refusal(&sandbox, &[], &json!({"paused": false})).await?;
    sandbox.edit("hello", json!({"paused": false, "active": "blue"})).await?;
    sandbox.until("blue serves", |world| world.ready("hello") && world.selects("hello") == "blue").await?;
    let words = refusal(&sandbox, &[], &json!({"active": "green"})).await?;
    ensure!(words.contains("This edit changes spec.active."), "{words}");
    // To go on with what is live is not to go to something new.
    sandbox.edit("hello", json!({"paused": true})).await?;
    passes(&sandbox, &[], &json!({"paused": false})).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_freeze_end_at_its_time_and_for_whom_it_names() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze-end", &app("hello")).await?;
    install(&sandbox).await?;
    let switch = json!({"active": "green"});
    let alice = ["--as=alice", "--as-group=system:masters"];
    let of_team = ["--as=bob", "--as-group=system:masters", "--as-group=release-managers"];

    freeze(&sandbox, &json!({"breakGlass": "alice\nrelease-managers\n"})).await?;
    refusal(&sandbox, &[], &switch).await?;
    refusal(&sandbox, &["--as=bob", "--as-group=system:masters"], &switch).await?;
    passes(&sandbox, &alice, &switch).await?;
    passes(&sandbox, &of_team, &switch).await?;

    freeze(&sandbox, &json!({"until": "Monday"})).await?;
    let words = refusal(&sandbox, &alice, &switch).await?;
    ensure!(words.contains("data.until is not a time like 2026-01-02T15:04:05Z"), "{words}");

    // Who edits the app may write any time into metadata.managedFields, but not take that of the edit out.
    freeze(&sandbox, &json!({"until": in_hours(1)?})).await?;
    let forged = json!({"manager": "x", "operation": "Update", "apiVersion": "bluegreen.dev/v1alpha1",
        "time": in_hours(48)?, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:image": {}}}});
    let patch = json!({"spec": switch, "metadata": {"managedFields": [forged]}}).to_string();
    let edit = ["patch", "bga", "hello", "--type=merge", "--dry-run=server", "-p", &patch];
    let words = sandbox.kubectl(&edit).await.err().context("a forged time ends the freeze")?.to_string();
    ensure!(words.contains("frozen by ConfigMap"), "{words}");

    let over = json!({"data": {"until": in_hours(-1)?}}).to_string();
    sandbox.kubectl(&["patch", "configmap", FREEZE, "--type=merge", "-p", &over]).await?;
    let attempt = async || passes(&sandbox, &[], &switch).await;
    patiently(Duration::from_secs(60), attempt).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// The exit code of a command of `kubectl bluegreen` for the test's namespace, and all that it says.
async fn bluegreen(sandbox: &Sandbox, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let ended = tokio::process::Command::new(PROGRAM)
        .args(arguments)
        .args(["-n", &sandbox.namespace])
        .env("KUBECONFIG", cluster().await?.kubeconfig())
        .output()
        .await?;
    let all = [ended.stdout, ended.stderr].concat();
    Ok((ended.status.code(), String::from_utf8_lossy(&all).into_owned()))
}

/// The command says what the policy says; a group stays where it is, and goes back.
#[tokio::test]
async fn does_the_command_line_say_why_it_may_not_switch_and_go_back_all_the_same() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze-cli", &app("hello")).await?;
    install(&sandbox).await?;
    sandbox.kubectl(&["label", "bga", "hello", "release=42"]).await?;
    let standby = |world: &World| world.says("hello", "StandbyReady").is_some();
    sandbox.until("green is ready", standby).await?;
    freeze(&sandbox, &json!({})).await?;
    for command in [
        &["switch", "hello", "--to=green"][..],
        &["switch", "-l", "release=42", "--to=green", "--wait", "--rollback-on-failure"],
        &["deploy", "hello", "--tag=v9"],
    ] {
        let (code, told) = bluegreen(&sandbox, command).await?;
        ensure!(
            code == Some(1) && told.contains("are frozen by ConfigMap bluegreen-freeze"),
            "{command:?}: {told}"
        );
    }
    ensure!(sandbox.world().selects("hello") == "blue", "it moved");
    sandbox.kubectl(&["delete", "configmap", FREEZE]).await?;
    let attempt = async || passes(&sandbox, &[], &json!({"active": "green"})).await;
    patiently(Duration::from_secs(60), attempt).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    freeze(&sandbox, &json!({})).await?;
    let back = ["switch", "-l", "release=42", "--to=blue", "--dry-run=server"];
    for command in [&back[..], &["pause", "hello", "--dry-run=server"], &["rollback", "hello", "--wait"]] {
        let (code, told) = bluegreen(&sandbox, command).await?;
        ensure!(code == Some(0), "{command:?}: {told}");
    }
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

/// The limit that docs/operations.md states: what such a color served with is gone, so to go there is to go to something new.
#[tokio::test]
async fn is_a_color_with_its_next_version_no_way_back_in_a_freeze() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze-next", &app("hello")).await?;
    install(&sandbox).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    passes(&sandbox, &[], &json!({"active": "blue"})).await?;
    sandbox.edit("hello", json!({"blue": {"tag": "v9"}})).await?;
    let next = |world: &World| {
        world.status("hello").and_then(|status| status.blue).is_some_and(|blue| blue.image.ends_with(":v9"))
            && world.settled("hello")
            && world.says("hello", "StandbyReady").is_some()
    };
    sandbox.until("blue runs its next version", next).await?;
    freeze(&sandbox, &json!({"breakGlass": "alice"})).await?;
    for spec in [json!({"active": "blue"}), json!({"active": "blue", "blue": {"tag": "v1"}})] {
        let words = refusal(&sandbox, &[], &spec).await?;
        ensure!(words.contains("as long as it runs what it served with"), "{words}");
        passes(&sandbox, &["--as=alice", "--as-group=system:masters"], &spec).await?;
    }
    // The command says the same without a freeze.
    let (code, told) = bluegreen(&sandbox, &["rollback", "hello"]).await?;
    ensure!(code == Some(1) && told.contains("blue has been changed since it was live"), "{told}");
    sandbox.finish().await
}

/// The binding as it is shipped, but for the names of the policy and of the operator's namespace: that of the test's cluster would freeze the
/// apps of other tests.
#[tokio::test]
async fn does_a_freeze_in_the_operators_namespace_count_in_another_one() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("freeze-all", &app("hello")).await?;
    let own = format!("{}-system", sandbox.namespace);
    sandbox.kubectl(&["create", "namespace", &own]).await?;
    let mut binding: Value = serde_yaml_ng::from_str(CLUSTER_BINDING)?;
    ensure!(binding["spec"]["paramRef"]["namespace"] == "bluegreen-system", "{binding}");
    binding["spec"]["paramRef"]["namespace"] = json!(own);
    create(&sandbox, POLICY, binding).await?;
    passes(&sandbox, &[], &json!({"active": "green"})).await?;
    freeze_in(&sandbox, &own, &json!({"until": in_hours(1)?})).await?;
    let words = refusal(&sandbox, &[], &json!({"active": "green"})).await?;
    ensure!(words.contains("This edit changes spec.active."), "{words}");
    passes(&sandbox, &[], &json!({"paused": true})).await?;
    let delete = ["-n", &own, "delete", "configmap", FREEZE];
    sandbox.kubectl(&delete).await?;
    let attempt = async || passes(&sandbox, &[], &json!({"active": "green"})).await;
    patiently(Duration::from_secs(60), attempt).await?;
    sandbox.kubectl(&["delete", "namespace", &own, "--wait=false"]).await?;
    sandbox.finish().await
}
