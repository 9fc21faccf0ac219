//! A proxy that follows EndpointSlices by itself, some time after the switch, as most Ingress controllers do: does an app behind
//! it lose a request, and which `drainSeconds` does it need?
//!
//! The proxy is a real HAProxy (`proxy.rs`), the glue that tells it of endpoints is ours (`follow.rs`), so that the delay is known.

mod follow;
mod proxy;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{get, patiently, put_between};
use bluegreen_load::{Client, Load, Plan};
use serde_json::json;

use self::follow::Follower;
use self::proxy::Proxy;
use crate::place::Place;

/// Seconds by which the proxy is late, `drainSeconds`, and whether all requests should arrive.
const ROWS: [(u64, u64, bool); 5] =
    [(0, 0, true), (1, 1, true), (5, 5, true), (10, 10, true), (10, 0, false)];

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reach.md");

/// What leads to the app, as two hosts of an Ingress do.
struct Routes {
    live: Proxy,
    preview: Proxy,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make ingress-test`"]
async fn how_long_a_drain_does_a_proxy_need_that_follows_endpoints_late() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    place.follow("With kubectl")?;
    let routes = Routes {
        live: Proxy::start(&place.cluster, "live").await?,
        preview: Proxy::start(&place.cluster, "preview").await?,
    };
    let mut table = vec![
        "| the proxy is late by | `drainSeconds` | requests | lost | the old color's last answer after the switch |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut wrong = Vec::new();
    for (late, drain, whole) in ROWS {
        let (requests, lost, last) =
            there_and_back(&place, &routes, Duration::from_secs(late), drain).await?;
        table.push(format!("| {late} s | {drain} | {requests} | {lost} | {:.1} s |", last.as_secs_f64()));
        // Without a loss in the last row, the others would show nothing.
        if (lost == 0) != whole {
            wrong.push(format!("late by {late} s, drainSeconds {drain}: {lost} of {requests} lost"));
        }
    }
    let table = table.join("\n") + "\n";
    println!("{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        put_between(Path::new(DOCUMENT), "measured", &table)?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A switch and a rollback of an app whose old color gets no pods once its drain is over: how many requests there were, how many
/// were lost, and how long after a switch the old color still answered.
async fn there_and_back(
    place: &Place,
    routes: &Routes,
    late: Duration,
    drain: u64,
) -> Result<(u64, u64, Duration)> {
    let app = json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"},
        "spec": {
            "active": "blue", "image": "docker.io/library/hello", "blue": {"tag": "v1.0.0"}, "green": {"tag": "v2.0.0"},
            "replicas": 3, "port": 8888, "drainSeconds": drain, "standby": {"replicas": 0},
            "service": {"type": "ClusterIP", "preview": true},
        },
    });
    place.run(&format!("kubectl apply -f - <<<'{app}'"))?;
    ready(place)?;
    let mut followers = Vec::new();
    for (service, route) in [("hello", &routes.live), ("hello-preview", &routes.preview)] {
        // It knows nothing of the app before this one.
        route.serve(&BTreeSet::new())?;
        followers.push(Follower::start(place.cluster.client()?, service, route.clone(), late).await?);
    }
    let clients = vec![Client::fresh(100.0), Client::keep_alive(100.0)];
    let plan = Plan { clients, ..Plan::new(routes.live.address()) };
    let load = Load::once_answered(plan).await?;
    for (old, color) in [("blue", "green"), ("green", "blue")] {
        // Its pods are there and ready first, so that the switch is at once.
        place.run(r#"kubectl patch bga hello --type merge -p '{"spec":{"standby":{"replicas":3}}}'"#)?;
        place.run("kubectl wait bga hello --for=condition=StandbyReady --timeout=120s")?;
        // What is not live yet answers on the route for testers.
        let is_previewed = async || {
            let answer = get(routes.preview.address(), "/").await?;
            ensure!(answer.contains(if color == "green" { "v2.0.0" } else { "v1.0.0" }), "{answer}");
            Ok(())
        };
        patiently(late + Duration::from_secs(10), is_previewed).await?;
        place.run(&format!(
            r#"kubectl patch bga hello --type merge -p '{{"spec":{{"active":"{color}","standby":{{"replicas":0}}}}}}'"#
        ))?;
        place.run(&format!(
            "kubectl wait service hello --for=jsonpath='{{.spec.selector.bluegreen\\.dev/color}}'={color} --timeout=60s"
        ))?;
        load.mark(format!("from {old}"));
        place.run(&format!(
            "kubectl wait deployment hello-{old} --for=jsonpath='{{.spec.replicas}}'=0 --timeout=180s"
        ))?;
        place.run(&format!(
            "kubectl wait pod -l bluegreen.dev/app=hello,bluegreen.dev/color={old} --for=delete --timeout=180s"
        ))?;
        // The proxy follows this too.
        tokio::time::sleep(late + Duration::from_secs(1)).await;
        load.mark(format!("end of {old}"));
    }
    let report = load.stop().await?;
    for follower in followers {
        follower.stop().await?;
    }
    println!("{report}");
    let mut last = Duration::ZERO;
    for old in ["blue", "green"] {
        let part = report.after(&format!("from {old}")).context("marked")?.until(&format!("end of {old}"));
        last = last.max(part.last(old).unwrap_or_default());
    }
    place.run("kubectl delete bga hello --wait")?;
    place.run("kubectl wait pod -l bluegreen.dev/app=hello --for=delete --timeout=120s")?;
    Ok((report.total.sent, report.total.failed(), last))
}

fn ready(place: &Place) -> Result<()> {
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s").map(drop)
}
