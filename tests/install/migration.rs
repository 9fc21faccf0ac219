//! From a pair of Deployments and a Service by hand to an app, by the steps of `docs/migration.md`, with traffic on.

use anyhow::{Result, ensure};

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
