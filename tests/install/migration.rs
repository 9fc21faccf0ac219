//! From what people have to an app, by the steps of `docs/migration.md`, with traffic on.

use anyhow::{Result, ensure};
use bluegreen_bench::peer::{ARGO_ROLLOUTS, Built};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make install-test`"]
async fn does_a_hand_made_pair_move_without_losing_a_request() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    place.follow("With kubectl")?;
    place.run("kubectl apply -f tests/install/by-hand.yaml")?;
    place.run("kubectl rollout status deployment/hello-blue --timeout=120s")?;
    let load = place.traffic().await?;
    place.follow_in("docs/migration.md", "From two Deployments and a Service by hand")?;
    ensure!(place.live()? == "blue");
    let old = place.run("kubectl get pods -l track=stable --field-selector=status.phase=Running -o name")?;
    println!("old pods that are still on their way out: {}", old.lines().count());
    place.follow("Switch")?;
    place.left_alone("green", load).await
}

/// The controller goes on running, as it does where it has other Rollouts to look after.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make install-test`"]
async fn does_an_argo_rollout_move_without_losing_a_request() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    let built = tokio::task::spawn_blocking(|| ARGO_ROLLOUTS.build()).await??;
    start_argo(&place, &built)?;
    place.follow("With kubectl")?;
    place.run("kubectl apply -f tests/install/rollout.yaml")?;
    healthy(&place)?;
    let load = place.traffic().await?;
    // A promotion by Argo Rollouts, so that there is an older version, and old pods for another half minute.
    place.run(
        r#"kubectl patch rollout hello --type json -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "docker.io/library/hello:v1.0.0"}]'"#,
    )?;
    healthy(&place)?;
    ensure!(!selector(&place, "rollouts-pod-template-hash")?.is_empty(), "it is a Service of Argo Rollouts");

    place.follow_in("docs/migration.md", "From an Argo Rollouts blue-green")?;
    ensure!(place.live()? == "blue");
    ensure!(selector(&place, "rollouts-pod-template-hash")?.is_empty());
    place.follow("Switch")?;
    ensure!(place.cluster.process_runs(ARGO)?, "Argo Rollouts' controller has ended");
    place.left_alone("green", load).await
}

const ARGO: &str = "rollouts-controller";

/// Its kinds, and the controller as a process beside the cluster, with an administrator's rights.
fn start_argo(place: &Place, built: &Built) -> Result<()> {
    for crd in &built.crds {
        place.run(&format!("kubectl apply --server-side -f {}", crd.display()))?;
    }
    place.run("kubectl wait crd rollouts.argoproj.io --for=condition=Established --timeout=60s")?;
    // It holds its Lease there.
    place.run("kubectl create namespace argo-rollouts")?;
    let ports = [free_port()?, free_port()?];
    let arguments = [format!("--metricsPort={}", ports[0]), format!("--healthzPort={}", ports[1])];
    let arguments = arguments.each_ref().map(String::as_str);
    place.cluster.start_process(
        ARGO,
        &built.program,
        &arguments,
        &[("KUBECONFIG", place.cluster.kubeconfig())],
    )
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until the Rollout as it is now is promoted. Its controller edits the spec too, so the generation is asked for.
fn healthy(place: &Place) -> Result<()> {
    place.run("kubectl wait rollout hello --for=jsonpath='{.status.phase}' --timeout=180s")?;
    place.run(
        "kubectl wait rollout hello --timeout=180s --for=jsonpath='{.status.observedGeneration}'=$(kubectl get rollout hello -o jsonpath='{.metadata.generation}')",
    )?;
    place.run("kubectl wait rollout hello --for=jsonpath='{.status.phase}'=Healthy --timeout=180s")?;
    Ok(())
}

fn selector(place: &Place, key: &str) -> Result<String> {
    place.run(&format!("kubectl get service hello -o jsonpath='{{.spec.selector.{key}}}'"))
}
