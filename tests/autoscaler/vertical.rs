//! A real VerticalPodAutoscaler in each of its modes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_cluster::{Cluster, fed, patiently};
use serde_json::{Value, json};

use crate::document;
use crate::e2e::harness::guard::Rule;
use crate::e2e::harness::{Kind, World};
use crate::install::{self, kubectl};
use crate::rig::{APP, Rig};

/// It looks every ten seconds, and believes what it sees after some of them.
const PATIENCE: Duration = Duration::from_secs(240);

/// The names, and what each asks for of a processor, of a color's pods that are not on their way out.
fn requests(world: &World, color: Color) -> BTreeMap<String, String> {
    let of_color = |pod: &Value| {
        pod["metadata"]["labels"]["bluegreen.dev/color"] == color.as_str()
            && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let cpu = |pod: &Value| {
        let asked = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"].as_str();
        asked.unwrap_or_default().to_owned()
    };
    let pods = world.all(Kind::Pod).filter(|(_, pod)| of_color(pod));
    pods.map(|(name, pod)| (name.to_owned(), cpu(pod))).collect()
}

fn all(world: &World, color: Color, cpu: &str) -> bool {
    let requests = requests(world, color);
    requests.len() == 3 && requests.values().all(|asked| asked == cpu)
}

/// The document's VerticalPodAutoscaler in this mode, which asks for at least this much.
async fn set(rig: &Rig, mode: &str, least: &str) -> Result<()> {
    let policy = json!([{"containerName": "*", "minAllowed": {"cpu": least}}]);
    rig.apply(
        "VerticalPodAutoscaler",
        json!({"spec": {"updatePolicy": {"updateMode": mode}, "resourcePolicy": {"containerPolicies": policy}}}),
    )
    .await
}

/// What it recommends of a processor, once that is this.
async fn recommends(rig: &Rig, cpu: &str) -> Result<()> {
    let attempt = async || {
        let status = status(rig, APP).await?;
        let target = &status["recommendation"]["containerRecommendations"][0]["target"];
        ensure!(target["cpu"] == cpu, "it recommends {status}");
        println!("  it recommends {target}");
        Ok(())
    };
    patiently(PATIENCE, attempt).await
}

async fn status(rig: &Rig, name: &str) -> Result<Value> {
    let namespace = &rig.sandbox.namespace;
    let arguments = ["-n", namespace, "get", "vpa", name, "-o", "json"];
    let object: Value = serde_json::from_str(&kubectl(rig.cluster, &arguments).await?)?;
    Ok(object["status"].clone())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_a_vertical_autoscaler_do_in_each_mode_what_the_document_says() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = install::vertical().await?;
    let rig = Rig::start(cluster, "vpa", 30_010, json!({})).await?;
    let namespace = rig.sandbox.namespace.clone();
    let result = modes(rig).await;
    if result.is_err() {
        for arguments in [
            vec!["-n", &namespace, "describe", "vpa"],
            vec!["-n", &namespace, "get", "pods,events"],
            vec!["-n", "kube-system", "logs", "deployment/vpa-updater", "--tail=30"],
            vec!["-n", "kube-system", "logs", "deployment/vpa-recommender", "--tail=30"],
            vec!["-n", "kube-system", "logs", "deployment/vpa-admission-controller", "--tail=30"],
        ] {
            println!("{}", kubectl(cluster, &arguments).await.unwrap_or_default());
        }
    }
    result
}

async fn modes(rig: Rig) -> Result<()> {
    let load = rig.base_load().await?;
    off(&rig).await?;
    a_deployment(&rig).await?;
    initial(&rig).await?;
    in_place(&rig).await?;
    let report = load.stop().await?;
    println!("{} of {} requests lost before Recreate", report.total.failed(), report.total.sent);
    ensure!(report.total.failed() == 0, "{report}");
    let load = rig.base_load().await?;
    recreate(&rig).await?;
    let report = load.stop().await?;
    println!("{} of {} requests lost under Recreate", report.total.failed(), report.total.sent);
    ensure!(report.total.failed() == 0, "{report}");
    rig.sandbox.finish_allowing(&[Rule::NeverEmpty]).await
}

/// `Off`: it recommends, and changes no pod.
async fn off(rig: &Rig) -> Result<()> {
    println!("Off");
    set(rig, "Off", "60m").await?;
    recommends(rig, "60m").await?;
    let world = rig.sandbox.world();
    ensure!(all(&world, Blue, "20m") && all(&world, Green, "20m"), "{:?}", requests(&world, Blue));
    Ok(())
}

/// One that names a Deployment is of no use: the app is above it.
async fn a_deployment(rig: &Rig) -> Result<()> {
    println!("a Deployment as the target");
    let mut object = document::manifest("VerticalPodAutoscaler")?;
    object["metadata"]["name"] = json!("hello-blue");
    object["spec"]["targetRef"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-blue"});
    let namespace = &rig.sandbox.namespace;
    fed(rig.cluster.kubectl(&["-n", namespace, "apply", "-f", "-"]), &object.to_string()).await?;
    let attempt = async || {
        let status = status(rig, "hello-blue").await?;
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let said = conditions.into_iter().find(|condition| condition["type"] == "ConfigUnsupported");
        let said = said.context("it says nothing")?;
        ensure!(said["status"] == "True", "it says {said}");
        println!("  {}, recommendation {}", said["message"], status["recommendation"]);
        // An empty recommendation is none.
        let all = &status["recommendation"]["containerRecommendations"];
        ensure!(all.is_null(), "it recommends something all the same: {all}");
        Ok(())
    };
    patiently(PATIENCE, attempt).await?;
    kubectl(rig.cluster, &["-n", namespace, "delete", "vpa", "hello-blue"]).await.map(drop)
}

/// `Initial`: new pods of the live color get what is recommended, those of the idle color do not.
async fn initial(rig: &Rig) -> Result<()> {
    println!("Initial");
    set(rig, "Initial", "60m").await?;
    replaced(rig, Blue, "60m").await?;
    println!("  a new pod of the live color asks for 60m");
    // A deployment to the idle color, and the switch to it.
    let before: Vec<String> = requests(&rig.sandbox.world(), Green).into_keys().collect();
    rig.sandbox.edit(APP, json!({"green": {"revision": "2"}})).await?;
    let fresh = |world: &World| {
        world.rolled_out(APP, Green) && requests(world, Green).keys().all(|name| !before.contains(name))
    };
    rig.sandbox.within(PATIENCE, "green has new pods", fresh).await?;
    let idle = requests(&rig.sandbox.world(), Green);
    println!("  new pods of the idle color ask for {:?}", idle.values().collect::<Vec<_>>());
    ensure!(all(&rig.sandbox.world(), Green, "20m"), "{idle:?}");
    rig.sandbox.activate(APP, Green).await?;
    rig.sandbox.within(PATIENCE, "green serves", |world| world.serves(APP, Green)).await?;
    ensure!(all(&rig.sandbox.world(), Green, "20m"), "the switch replaced pods");
    replaced(rig, Green, "60m").await?;
    println!("  once it is live, a new pod of it asks for 60m");
    Ok(())
}

/// Deletes a pod of the live color; the one in its place asks for this much.
async fn replaced(rig: &Rig, color: Color, cpu: &str) -> Result<()> {
    // It may have heard of the live color's selector some looks ago.
    let attempt = async || {
        let pods = requests(&rig.sandbox.world(), color);
        let old = pods.iter().find(|(_, asked)| *asked != cpu).context("an old pod")?.0.clone();
        rig.sandbox.delete(Kind::Pod, &old).await?;
        let whole = |world: &World| world.serves(APP, color) && requests(world, color).len() == 3;
        rig.sandbox.within(PATIENCE, "the pod is replaced", whole).await?;
        let now = requests(&rig.sandbox.world(), color);
        let new = now.iter().find(|(name, _)| !pods.contains_key(*name)).context("a new pod")?;
        ensure!(new.1 == cpu, "the new pod asks for {}", new.1);
        Ok(())
    };
    patiently(PATIENCE, attempt).await
}

/// `InPlaceOrRecreate`: pods of the live color are changed while they serve, and the operator leaves that alone.
async fn in_place(rig: &Rig) -> Result<()> {
    println!("InPlaceOrRecreate");
    let before: Vec<String> = requests(&rig.sandbox.world(), Green).into_keys().collect();
    set(rig, "InPlaceOrRecreate", "80m").await?;
    recommends(rig, "80m").await?;
    rig.sandbox.within(PATIENCE, "all live pods ask for 80m", |world| all(world, Green, "80m")).await?;
    let world = rig.sandbox.world();
    let kept = requests(&world, Green).keys().filter(|name| before.contains(name)).count();
    ensure!(kept == 3, "{kept} of 3 pods were kept");
    let idle = requests(&world, Blue);
    println!(
        "  {kept} of 3 live pods were kept; the idle color asks for {:?}",
        idle.values().collect::<Vec<_>>()
    );
    let serves = |world: &World| world.serves(APP, Green);
    rig.sandbox.within(PATIENCE, "green serves", serves).await
}

/// `Recreate`: pods of the live color are evicted while they serve, one after the other where a budget says so.
async fn recreate(rig: &Rig) -> Result<()> {
    let namespace = &rig.sandbox.namespace;
    let budget = document::manifests("PodDisruptionBudget")?;
    for object in budget {
        fed(rig.cluster.kubectl(&["-n", namespace, "apply", "-f", "-"]), &object.to_string()).await?;
    }
    // The older name of the same mode comes last.
    for (mode, cpu) in [("Recreate", "100m"), ("Auto", "120m")] {
        println!("{mode}");
        let (before, start) = (requests(&rig.sandbox.world(), Green), Instant::now());
        set(rig, mode, cpu).await?;
        recommends(rig, cpu).await?;
        let what = format!("all live pods ask for {cpu}");
        rig.sandbox.within(PATIENCE, &what, |world| all(world, Green, cpu)).await?;
        let world = rig.sandbox.world();
        let kept = requests(&world, Green).keys().filter(|name| before.contains_key(*name)).count();
        ensure!(kept == 0, "{mode} changed pods in place");
        rig.sandbox.within(PATIENCE, "green serves", |world| world.serves(APP, Green)).await?;
        let least = rig.least_available(Green, start);
        println!("  all live pods were replaced; at least {least} were available");
        ensure!(least == 2, "the budget allows one to be missing");
    }
    println!("  the app said {:?}", rig.complaints());
    Ok(())
}
