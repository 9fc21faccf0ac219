//! One turn of a row: the switch is asked for, things go wrong, and in the end everything is settled again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bluegreen_api::Color;
use bluegreen_guard::World;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::rows::{APP, Flip, Successor, Trouble, When};
use crate::scene::{Scene, pods};
use crate::sizes::{self, Resizing};
use crate::stage::{FIRST, SECOND};

/// How long after the edit things go wrong: another moment at each switch.
const MOMENTS: [u64; 6] = [0, 5, 10, 20, 50, 100];

/// How long an unready pod is left so, and how long a switch that must wait is watched.
const WATCHED: Duration = Duration::from_secs(3);

/// For how long requests are counted after a switch, at least.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// How long the API server is frozen.
const FROZEN: Duration = Duration::from_secs(10);

/// One switch, or one roll of the live color.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The color, or for a peer the version, that served before.
    pub from: String,
    /// The one that serves now.
    pub to: String,
    /// When the edit was sent.
    pub asked: Instant,
    /// When the Service had moved.
    pub moved: Instant,
    /// From when on the old color has its two seconds: the move, or the end of an injected outage.
    pub reference: Instant,
    /// When the color that served before had all pods of a growth that began with the edit.
    pub grown: Option<Instant>,
}

/// What is wrong besides lost requests.
pub type Wrong = Vec<String>;

/// Carries out the `turn`-th turn from this color; returns its switches.
pub async fn turn(scene: &Scene<'_>, turn: usize, from: Color, wrong: &mut Wrong) -> Result<Vec<Switch>> {
    let to = from.other();
    match scene.row.flip {
        Flip::Active => {
            let switch = one(scene, turn, from, json!({"active": to}), wrong).await?;
            settle(scene, to, &switch).await?;
            Ok(vec![switch])
        }
        Flip::Redeployed => {
            let edit = json!({"active": to, to.as_str(): {"revision": format!("{turn}")}});
            sizes::prepare(scene, turn, from).await?;
            let growth = Resizing::growth(scene, turn);
            let mut switch = one(scene, turn, from, edit, wrong).await?;
            if let Some(growth) = growth {
                growth.ended().await?;
                switch.grown = scene.ready_since(from, sizes::most(scene), switch.asked);
            }
            sizes::reset(scene).await?;
            settle(scene, to, &switch).await?;
            Ok(vec![switch])
        }
        Flip::ThereAndBack => {
            let there = one(scene, turn, from, json!({"active": to}), wrong).await?;
            // In the drain, and late enough for the old color to be seen where it should not be.
            sleep(WATCHED).await;
            let back = one(scene, turn, to, json!({"active": from}), wrong).await?;
            settle(scene, from, &back).await?;
            Ok(vec![there, back])
        }
        Flip::Rolled => Ok(vec![roll(scene, turn, from).await?]),
    }
}

/// The color that serves after a turn.
pub fn next(flip: Flip, color: Color) -> Color {
    match flip {
        Flip::Active | Flip::Redeployed => color.other(),
        Flip::ThereAndBack | Flip::Rolled => color,
    }
}

async fn one(scene: &Scene<'_>, turn: usize, from: Color, edit: Value, wrong: &mut Wrong) -> Result<Switch> {
    let to = from.other();
    let unready = before(scene, to).await?;
    let asked = Instant::now();
    scene.edit(edit).await?;
    let outage = during(scene, turn, to, unready, wrong).await?;
    scene.until(&format!("{to} is selected"), |world| world.selects(APP) == to.as_str()).await?;
    let moved = scene.moved_to(to)?;
    after(scene, to).await?;
    let reference = outage.map_or(moved, |end| end.max(moved));
    Ok(Switch { from: from.to_string(), to: to.to_string(), asked, moved, reference, grown: None })
}

/// What goes wrong before the edit; returns the address of a pod that was made unready.
async fn before(scene: &Scene<'_>, to: Color) -> Result<Option<String>> {
    match scene.row.trouble {
        Trouble::UnreadyPod(When::Before) => {
            let (name, address) = scene.a_pod(to).await?;
            scene.tell_ready(&address, false).await?;
            let unready = |world: &World| is_ready(world, to, &name) == Some(false);
            scene.until("the pod is unready", unready).await?;
            Ok(Some(address))
        }
        Trouble::UnreadyPod(When::During) => {
            let (_, address) = scene.a_pod(to).await?;
            scene.tell_ready(&address, false).await?;
            Ok(Some(address))
        }
        Trouble::Killed(When::Before, _) => {
            scene.stage.operators.kill(FIRST).await?;
            Ok(None)
        }
        Trouble::Uncovered => {
            scene.cordon(true).await?;
            Ok(None)
        }
        Trouble::None
        | Trouble::UnreadyPod(When::After)
        | Trouble::Killed(When::During | When::After, _)
        | Trouble::Rival
        | Trouble::ProxyRestarted
        | Trouble::ApiServerFrozen => Ok(None),
    }
}

/// What goes wrong between the edit and the switch; returns the end of an outage that the switch is not to blame for.
async fn during(
    scene: &Scene<'_>,
    turn: usize,
    to: Color,
    unready: Option<String>,
    wrong: &mut Wrong,
) -> Result<Option<Instant>> {
    let selected = |world: &World| world.selects(APP) == to.as_str();
    let moment = MOMENTS.get(turn % MOMENTS.len()).copied().unwrap_or_default();
    match scene.row.trouble {
        Trouble::UnreadyPod(when @ (When::Before | When::During)) => {
            let waited = scene.never(WATCHED, selected).await?;
            if when == When::Before && !waited {
                wrong.push(format!("{to} was selected although one of its pods was unready"));
            }
            if let Some(address) = unready {
                scene.tell_ready(&address, true).await?;
            }
        }
        Trouble::Killed(When::Before, successor) => succeed(scene, FIRST, successor).await?,
        Trouble::Killed(When::During, successor) => {
            let leader = scene.stage.operators.leader(&scene.stage.client).await?;
            sleep(Duration::from_millis(moment)).await;
            scene.stage.operators.kill(&leader).await?;
            succeed(scene, &leader, successor).await?;
        }
        Trouble::ProxyRestarted => {
            sleep(Duration::from_millis(moment)).await;
            scene.stage.cluster.restart_kube_proxy().await?;
            return Ok(Some(Instant::now()));
        }
        Trouble::ApiServerFrozen => {
            sleep(Duration::from_millis(moment)).await;
            scene.stage.cluster.pause_apiserver().await?;
            sleep(FROZEN).await;
            scene.stage.cluster.resume_apiserver().await?;
            return Ok(Some(Instant::now()));
        }
        Trouble::Uncovered => {
            let node = format!("node-{}", scene.stage.nodes.len());
            let says = |world: &World| {
                world.app(APP).and_then(|app| app.status).is_some_and(|status| {
                    status.condition("Ready").is_some_and(|ready| ready.message.contains(&node))
                })
            };
            scene
                .until(&format!("the app says that {node} is not covered, or {to} is selected"), |world| {
                    says(world) || selected(world)
                })
                .await?;
            let waited = scene.never(WATCHED, selected).await?;
            scene.cordon(false).await?;
            if waited {
                scene.edit(json!({to.as_str(): {"revision": format!("{turn}-spread")}})).await?;
            } else {
                wrong.push(format!("{to} was selected without a pod on {node}, where the live color serves"));
            }
        }
        Trouble::None
        | Trouble::UnreadyPod(When::After)
        | Trouble::Killed(When::After, _)
        | Trouble::Rival => {}
    }
    Ok(None)
}

/// What goes wrong right after the switch.
async fn after(scene: &Scene<'_>, to: Color) -> Result<()> {
    match scene.row.trouble {
        Trouble::UnreadyPod(When::After) => {
            let (name, address) = scene.a_pod(to).await?;
            scene.tell_ready(&address, false).await?;
            scene.until("the pod is unready", |world| is_ready(world, to, &name) == Some(false)).await?;
            sleep(WATCHED).await;
            scene.tell_ready(&address, true).await
        }
        Trouble::Killed(When::After, successor) => {
            let leader = scene.stage.operators.leader(&scene.stage.client).await?;
            scene.stage.operators.kill(&leader).await?;
            succeed(scene, &leader, successor).await
        }
        Trouble::None
        | Trouble::UnreadyPod(When::Before | When::During)
        | Trouble::Killed(When::Before | When::During, _)
        | Trouble::Rival
        | Trouble::ProxyRestarted
        | Trouble::ApiServerFrozen
        | Trouble::Uncovered => Ok(()),
    }
}

/// Somebody goes on after the leader was killed; whoever stood by leads from here on, and the dead one stands by.
async fn succeed(scene: &Scene<'_>, killed: &str, successor: Successor) -> Result<()> {
    let operators = &scene.stage.operators;
    if successor == Successor::Standby {
        let other = if killed == FIRST { SECOND } else { FIRST };
        let leader = operators.leader(&scene.stage.client).await?;
        if leader != other {
            bail!("{leader} leads, and not {other}, which did not lead");
        }
    }
    operators.restart(killed).await
}

/// Edits the live color, which is rolled in place.
async fn roll(scene: &Scene<'_>, turn: usize, color: Color) -> Result<Switch> {
    let before = scene.pod_uids(color);
    let asked = Instant::now();
    scene.edit(json!({color.as_str(): {"revision": format!("{turn}")}})).await?;
    let rolled = |world: &World| {
        let now = world.pods(APP, color);
        world.serves(APP, color)
            && now.iter().all(|uid| !before.contains(uid))
            && i32::try_from(pods(world, color)) == Ok(scene.row.replicas)
    };
    scene.until(&format!("{color} was rolled and its old pods are gone"), rolled).await?;
    let moved = Instant::now();
    let color = color.to_string();
    let switch = Switch { from: color.clone(), to: color, asked, moved, reference: moved, grown: None };
    wait(&switch).await;
    Ok(switch)
}

/// The drain is over, the other color is as idle as the row wants it, and there was time enough to count.
async fn settle(scene: &Scene<'_>, to: Color, switch: &Switch) -> Result<()> {
    let old = to.other();
    scene
        .until(&format!("{to} serves, {old} is idle"), |world| {
            let warm = world.says(APP, "StandbyReady").is_some();
            let asleep = world.condition(APP, "StandbyReady", "False", "ScaledDown") && pods(world, old) == 0;
            world.serves(APP, to) && (warm || asleep)
        })
        .await?;
    wait(switch).await;
    Ok(())
}

async fn wait(switch: &Switch) {
    sleep(AFTERWARDS.saturating_sub(switch.reference.elapsed())).await;
}

/// What the color's own EndpointSlices say about a pod.
fn is_ready(world: &World, color: Color, pod: &str) -> Option<bool> {
    let all = world.endpoints(&format!("{APP}-{color}"));
    all.into_iter().find(|endpoint| endpoint.pod == pod).map(|endpoint| endpoint.ready)
}
