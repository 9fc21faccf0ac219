//! With the chart: install, upgrade in the middle of a switch, roll back, remove.

use anyhow::{Result, ensure};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make install-test`"]
async fn does_the_chart_install_upgrade_roll_back_and_leave() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    place.follow("With Helm")?;
    place.follow("The first app")?;
    let load = place.traffic().await?;
    place.follow("Switch")?;
    ensure!(place.live()? == "green");

    let pods = "kubectl get pods -l bluegreen.dev/app=hello,bluegreen.dev/color=green -o name";
    let before = place.run(pods)?;
    // Every replica is replaced while blue is being rolled.
    place.begin_slow_switch("blue", 2)?;
    place.run(
        "helm upgrade bluegreen-operator charts/bluegreen-operator -n bluegreen-system --wait --timeout 3m \
         --set concurrency=4 --set podAnnotations.round=two",
    )?;
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s")?;
    ensure!(place.live()? == "blue");
    ensure!(place.run(pods)? == before, "an upgrade of the operator rolls nobody's pods");

    place.begin_slow_switch("green", 2)?;
    place.follow("Roll back")?;
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s")?;
    ensure!(place.live()? == "green");
    place.follow("Upgrade")?;

    // Before its rights go, and with them the leader's.
    place.refused()?;
    place.follow("Remove with Helm")?;
    place.left_alone("green", load).await
}
