//! With `dist/install.yaml` and kubectl: the short way, and the main job.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::observe;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make install-test`, or the stage `install` of `make test`"]
async fn does_the_operator_work_from_its_image_and_leave_no_trace_but_the_apps() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    let start = Instant::now();
    place.follow("With kubectl")?;
    println!("installed and ready after {:.1} s", start.elapsed().as_secs_f64());
    place.follow("The first app")?;
    let load = place.traffic().await?;
    place.follow("Switch")?;
    ensure!(place.live()? == "green");
    observe::does_prometheus_see_everything(&place).await?;

    place.begin_slow_switch("blue", 2)?;
    let leader = place.leader().await?;
    // SIGKILL: nothing is handed over.
    place.run(&format!("kubectl -n bluegreen-system delete pod {leader} --grace-period=0 --force"))?;
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s")?;
    ensure!(place.live()? == "blue");
    let next = place.leader().await?;
    ensure!(next != leader, "{leader} still leads");

    // Before its rights go, and with them the leader's.
    place.refused()?;
    place.follow("Remove with kubectl")?;
    place.left_alone("blue", load).await
}
