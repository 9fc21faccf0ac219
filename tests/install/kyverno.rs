//! Beside a real Kyverno that changes and refuses what is written: the main job, a refusal, and the way back while it is gone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Entry, fed, kyverno, patiently, target};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::place::{ACCOUNT, Place};

/// How long Kyverno may take to start on a busy machine.
const STARTED: Duration = Duration::from_secs(240);

/// How soon an app says what has befallen it, and how soon a way back is gone.
const SOON: Duration = Duration::from_secs(10);

/// How long nothing may be written while nothing happens.
const QUIET: Duration = Duration::from_secs(30);

/// Kyverno with its admission controller: the other three report, clean up and generate, which none of these policies asks for.
fn manifest() -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(kyverno::manifest()?)?;
    let mut objects = Vec::new();
    for part in serde_yaml_ng::Deserializer::from_str(&text) {
        let mut object = Value::deserialize(part)?;
        if object["kind"] == "Deployment" {
            if object["metadata"]["name"] != "kyverno-admission-controller" {
                continue;
            }
            let pod = &mut object["spec"]["template"]["spec"];
            for (list, program) in [("initContainers", "/kyverno-init"), ("containers", "/kyverno")] {
                let container = pod[list].get_mut(0).context(list)?;
                container["image"] = json!(kyverno::IMAGE);
                container["command"] = json!([program]);
            }
        }
        if object.is_object() {
            objects.push(object);
        }
    }
    ensure!(
        objects.iter().any(|object| object["kind"] == "Deployment"),
        "Kyverno's Deployment has another name"
    );
    Ok(objects)
}

async fn install(place: &Place) -> Result<()> {
    let start = Instant::now();
    let image = tokio::task::spawn_blocking(|| kyverno::image(&target()?)).await??;
    place.cluster.load_image(&image).await?;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifest()?});
    fed(place.cluster.kubectl(&["apply", "--server-side", "-f", "-"]), &list.to_string()).await?;
    place.run("kubectl -n kyverno rollout status deployment kyverno-admission-controller --timeout=240s")?;
    // Its webhooks for policies are there a moment after it is ready.
    patiently(STARTED, async || place.run("kubectl apply -f tests/install/kyverno.yaml")).await?;
    place.run("kubectl wait clusterpolicy --all --for=condition=Ready --timeout=120s")?;
    // A policy is at work once the webhook that asks for it is.
    let works = async || {
        let refused =
            place.run("! kubectl run probe --image=docker.io/library/hello:latest --dry-run=server 2>&1")?;
        ensure!(refused.contains("disallow-latest"), "{refused}");
        Ok(())
    };
    patiently(STARTED, works).await?;
    println!("Kyverno is at work after {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// What a JSONPath of an object finds.
fn found(place: &Place, object: &str, path: &str) -> Result<String> {
    place.run(&format!("kubectl get {object} -o jsonpath='{path}'"))
}

/// Kyverno has changed what the operator wrote, and the operator has left it so.
fn is_mutated(place: &Place) -> Result<()> {
    for color in ["blue", "green"] {
        let template = found(place, &format!("deployment hello-{color}"), "{.spec.template}")?;
        let template: Value = serde_json::from_str(&template)?;
        ensure!(template["metadata"]["labels"]["team"] == "unknown", "{template:#}");
        ensure!(
            template["spec"]["containers"][0]["resources"]["requests"]["memory"] == "32Mi",
            "{template:#}"
        );
        ensure!(
            template["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
            "{template:#}"
        );
        ensure!(
            found(place, &format!("deployment hello-{color}"), "{.metadata.labels.cost-center}")? == "42"
        );
    }
    ensure!(found(place, "service hello", "{.metadata.labels.cost-center}")? == "42");
    Ok(())
}

/// Nobody writes anything of the app while nothing happens.
async fn is_quiet(place: &Place) -> Result<()> {
    let since = place.cluster.audit()?.end()?;
    tokio::time::sleep(QUIET).await;
    let of_apps = |entry: &Entry| entry.user == ACCOUNT && entry.is_write() && entry.resource != "leases";
    let changes = place.cluster.audit()?.matching(since, of_apps)?;
    println!("{} writes in {QUIET:?}", changes.len());
    ensure!(changes.is_empty(), "{:?}", changes.iter().map(|entry| &entry.uri).collect::<Vec<_>>());
    Ok(())
}

/// What Kyverno refuses is told in Kyverno's words, and what serves is not touched.
async fn is_a_refusal_told(place: &Place) -> Result<()> {
    let asked = Instant::now();
    place.run(r#"kubectl patch bga hello --type merge -p '{"spec":{"blue":{"tag":"latest"}}}'"#)?;
    let told = async || {
        let conditions = found(place, "bga hello", "{.status.conditions}")?;
        ensure!(conditions.contains("disallow-latest"), "{conditions}");
        Ok(conditions)
    };
    let conditions = patiently(SOON, told).await?;
    println!("told after {:.1} s: {conditions}", asked.elapsed().as_secs_f64());
    ensure!(place.live()? == "green");
    place.run(r#"kubectl patch bga hello --type merge -p '{"spec":{"blue":{"tag":"v1.0.0"}}}'"#)?;
    let over = async || {
        let conditions = found(place, "bga hello", "{.status.conditions}")?;
        ensure!(!conditions.contains("disallow-latest"), "{conditions}");
        Ok(())
    };
    patiently(SOON * 6, over).await
}

/// Kyverno answers nobody any more, and its webhooks fail closed: the way back is gone all the same.
async fn is_the_way_back_free(place: &Place) -> Result<()> {
    let webhooks =
        place.run("kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o json")?;
    ensure!(webhooks.contains(r#""failurePolicy": "Fail""#), "{webhooks}");
    place
        .run(r#"kubectl -n kyverno patch service kyverno-svc -p '{"spec":{"selector":{"app":"nobody"}}}'"#)?;
    // The API server keeps its connections to it.
    let pods = "kubectl -n kyverno delete pod -l app.kubernetes.io/component=admission-controller --grace-period=0 --force";
    place.run(pods)?;
    let gone = async || {
        place.run("! kubectl run probe --image=docker.io/library/hello:v1.0.0 --dry-run=server 2>&1")
    };
    patiently(STARTED, gone).await?;
    let asked = Instant::now();
    place.run(r#"kubectl patch bga hello --type merge -p '{"spec":{"active":"blue"}}'"#)?;
    let back = async || {
        let live = place.live()?;
        ensure!(live == "blue", "{live}");
        Ok(())
    };
    patiently(SOON, back).await?;
    println!("back after {:.1} s", asked.elapsed().as_secs_f64());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds Kyverno the first time: `make neighbors`"]
async fn does_the_operator_do_its_main_job_beside_a_real_kyverno() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    install(&place).await?;
    place.follow("With kubectl")?;
    place.follow("The first app")?;
    let load = place.traffic().await?;
    place.follow("Switch")?;
    ensure!(place.live()? == "green");
    is_mutated(&place)?;

    place.begin_slow_switch("blue", 2)?;
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s")?;
    ensure!(place.live()? == "blue");
    place.follow("Switch")?;
    place.run("kubectl wait bga hello --for=jsonpath='{.status.phase}'=Stable --timeout=180s")?;
    is_mutated(&place)?;
    is_quiet(&place).await?;
    is_a_refusal_told(&place).await?;
    place.run("kubectl wait bga hello --for=jsonpath='{.status.phase}'=Stable --timeout=180s")?;
    is_the_way_back_free(&place).await?;
    place.left_alone("blue", load).await
}
