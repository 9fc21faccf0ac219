//! A live Service that becomes dual-stack, in a cluster whose Services can have addresses of both families.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::Options;
use serde_json::{Value, json};

use crate::cluster;
use crate::harness::{Kind, Sandbox, World, app, pods};

const RANGES: &str = "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112";

/// The address families of a Service.
fn families(world: &World, service: &str) -> Vec<String> {
    world.service(service).and_then(|service| service.spec?.ip_families).unwrap_or_default()
}

fn all_show_both(world: &World, app: &str) -> bool {
    let services = [app.to_owned(), format!("{app}-blue"), format!("{app}-green")];
    services.iter().all(|service| families(world, service) == ["IPv4", "IPv6"])
}

/// How many addresses the EndpointSlices of a Service list for each family.
fn addresses(world: &World, service: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, slice) in world.all(Kind::Slice) {
        if slice["metadata"]["labels"]["kubernetes.io/service-name"] == service {
            let family = slice["addressType"].as_str().unwrap_or_default().to_owned();
            *counts.entry(family).or_default() += slice["endpoints"].as_array().map_or(0, Vec::len);
        }
    }
    counts
}

/// Every app here has pods with this behavior.
async fn serving(sandbox: &Sandbox, name: &str, behavior: Value) -> Result<()> {
    sandbox.apply(&app(name).pods(behavior)).await?;
    let warm = |world: &World| world.serves(name, Blue) && world.says(name, "StandbyReady").is_some();
    sandbox.until(&format!("{name} serves"), warm).await?;
    ensure!(families(&sandbox.world(), name) == ["IPv4"], "it has both families from the beginning");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn is_a_service_that_became_dual_stack_switched_once_pods_are_listed_in_both_families() -> Result<()> {
    let ranges = Options { apiserver_args: vec![RANGES.to_owned()], ..Options::default() };
    let sandbox = Sandbox::on(cluster(ranges).await?, "dual").await?;
    let _operator = sandbox.operator()?;
    serving(&sandbox, "by-hand", json!({"dual-stack": "true"})).await?;
    serving(&sandbox, "by-spec", json!({"dual-stack": "true"})).await?;
    serving(&sandbox, "one-family", json!({})).await?;

    let both = json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}});
    for name in ["by-hand", "one-family"] {
        sandbox.patch(Kind::Service, name, both.clone()).await?;
    }
    sandbox.edit("by-spec", json!({"service": {"ipFamilyPolicy": "PreferDualStack"}})).await?;
    for name in ["by-hand", "by-spec"] {
        for color in [Green, Blue] {
            sandbox.activate(name, color).await?;
            sandbox.until(&format!("{color} serves {name}"), |world| world.serves(name, color)).await?;
            let world = sandbox.world();
            ensure!(all_show_both(&world, name), "{name}: the Services of the colors show both, too");
            let listed = addresses(&world, name);
            let expected = BTreeMap::from([("IPv4".to_owned(), 2), ("IPv6".to_owned(), 2)]);
            ensure!(listed == expected, "{name}: {listed:?}");
        }
    }

    // Its pods have no IPv6 address: a part of its clients would reach nobody.
    let says = |world: &World, condition: &str| {
        let status = world.status("one-family");
        let found = status.as_ref().and_then(|status| status.condition(condition));
        found.map(|it| (it.status.clone(), it.message.clone())).unwrap_or_default()
    };
    let missing = "Service one-family-green has 0 of 2 ready endpoints with an IPv6 address, which its clients may use: pods \
                   need addresses of both families, or ipFamilyPolicy of Service one-family has to be SingleStack";
    let not_ready = ("False".to_owned(), missing.to_owned());
    sandbox.until("StandbyReady says it", |world| says(world, "StandbyReady") == not_ready).await?;
    sandbox.activate("one-family", Green).await?;
    let waits = |world: &World| {
        let (_, message) = says(world, "Ready");
        world.selects("one-family") == "blue" && message == format!("{missing}; blue stays live")
    };
    sandbox.until("it says what is missing", waits).await?;
    sandbox.throughout(Duration::from_secs(3), "it waits", waits).await?;
    ensure!(all_show_both(&sandbox.world(), "one-family"), "the Services of the colors show both, too");
    sandbox.edit("one-family", pods(json!({"dual-stack": "true"}))).await?;
    sandbox.until("green serves", |world| world.serves("one-family", Green)).await?;
    sandbox.finish().await
}
