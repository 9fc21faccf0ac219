//! `replicas` is left out of a manifest because an autoscaler sets it: what kubectl says, and how to do it without a loss.

use std::time::Duration;

use anyhow::Result;
use bluegreen_api::Color::Blue;
use serde_json::{Value, json};

use super::{Shipped, install, patch, strictly, uninstall};
use crate::harness::{Sandbox, World, app};

const RESETS: Shipped = Shipped {
    policy: include_str!("../../../config/replicas-policy/policy.yaml"),
    binding: include_str!("../../../config/replicas-policy/binding.yaml"),
    actions: &["Warn", "Audit"],
    probe: &["patch", "bga", "hello", "--type=merge", "-p", r#"{"spec":{"replicas":1}}"#],
};

/// The manifest of an app, with this size.
fn manifest(replicas: Option<i32>) -> Value {
    let mut object = app("hello").object();
    match replicas {
        Some(replicas) => object["spec"]["replicas"] = json!(replicas),
        None => drop(object["spec"].as_object_mut().map(|spec| spec.remove("replicas"))),
    }
    object
}

/// Runs `kubectl apply` or one of its subcommands with a manifest; a warning is an error.
async fn apply(sandbox: &Sandbox, arguments: &[&str], manifest: &Value) -> Result<String> {
    let file = std::env::temp_dir().join(format!("{}.json", sandbox.namespace));
    std::fs::write(&file, manifest.to_string())?;
    let path = file.to_string_lossy();
    let answer = strictly(sandbox, &[&["apply"], arguments, &["-f", &path]].concat()).await;
    std::fs::remove_file(&file)?;
    answer
}

fn asks_for(size: i32) -> impl Fn(&World) -> bool {
    move |world| world.app("hello").is_some_and(|app| app.spec.replicas == size)
}

/// The live color has followed.
fn has(size: i32) -> impl Fn(&World) -> bool {
    move |world| world.serves("hello", Blue) && world.size("hello", Blue) == Some(size)
}

/// The field, what happens, and the remedy.
fn is_told(answer: Result<String>) {
    let message = answer.err().map(|error| error.to_string()).unwrap_or_default();
    for words in [
        "spec.replicas of BlueGreenApp hello falls from 4 to 1, its default",
        "blue, which is live, is left with one pod",
        "hand the field over before you leave it out of the manifest, see docs/scaling.md",
        "use kubectl scale bga hello -n",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn is_a_size_that_falls_to_its_default_warned_about_and_no_other() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("replicas-warn", &app("hello")).await?;
    install(&sandbox, &RESETS, "Warn").await?;
    apply(&sandbox, &[], &manifest(Some(4))).await?;
    for (spec, size) in [(json!({"replicas": 2}), 2), (json!({"replicas": 4, "paused": true}), 4)] {
        patch(&sandbox, &spec).await?;
        sandbox.until("blue has that size", |world| world.size("hello", Blue) == Some(size)).await?;
    }
    patch(&sandbox, &json!({"paused": false})).await?;
    is_told(apply(&sandbox, &["--dry-run=server"], &manifest(None)).await);
    // It is in the manifest; or whoever sets it is an autoscaler, or a person who names it.
    apply(&sandbox, &["--dry-run=server"], &manifest(Some(1))).await?;
    strictly(&sandbox, &["scale", "bga", "hello", "--replicas=1"]).await?;
    sandbox.until("one serves", has(1)).await?;
    strictly(&sandbox, &["scale", "bga", "hello", "--replicas=4"]).await?;
    sandbox.until("four serve", has(4)).await?;
    is_told(apply(&sandbox, &[], &manifest(None)).await);
    sandbox.until("it passed", asks_for(1)).await?;
    uninstall(&sandbox.client, &sandbox.namespace).await?;
    sandbox.finish().await
}

/// The recipes of docs/scaling.md: the size stays, and an autoscaler has it from there on.
#[tokio::test]
async fn does_the_size_stay_where_the_field_was_handed_over_before_it_left_the_manifest() -> Result<()> {
    let sandbox = Sandbox::new("replicas-handed").await?;
    let _operator = sandbox.operator()?;
    apply(&sandbox, &[], &manifest(Some(4))).await?;
    sandbox.until("blue serves", has(4)).await?;
    install(&sandbox, &RESETS, "Deny").await?;
    is_told(apply(&sandbox, &[], &manifest(None)).await);
    sandbox.throughout(Duration::from_secs(1), "the size stays", asks_for(4)).await?;

    apply(&sandbox, &["set-last-applied"], &manifest(None)).await?;
    apply(&sandbox, &[], &manifest(None)).await?;
    sandbox.throughout(Duration::from_secs(1), "the size stays", asks_for(4)).await?;

    // Server-side: another manager owns the field, too, before it leaves the manifest.
    let (ours, theirs) = (
        ["--server-side", "--field-manager=git", "--force-conflicts"],
        ["--server-side", "--field-manager=handover"],
    );
    apply(&sandbox, &ours, &manifest(Some(4))).await?;
    is_told(apply(&sandbox, &ours, &manifest(None)).await);
    let handover = json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello"}, "spec": {"replicas": 4},
    });
    apply(&sandbox, &[&theirs[..], &["--validate=false"]].concat(), &handover).await?;
    apply(&sandbox, &ours, &manifest(None)).await?;
    sandbox.throughout(Duration::from_secs(1), "the size stays", asks_for(4)).await?;
    uninstall(&sandbox.client, &sandbox.namespace).await?;
    sandbox.finish().await
}
