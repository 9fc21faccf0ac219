//! Runs what is still to be measured, row by row, and adds it to the results.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use bluegreen_api::Color;
use bluegreen_cluster::{Cluster, target};
use jiff::Timestamp;

use crate::judge::{self, Pods};
use crate::load::{Rate, Running};
use crate::results::{Entry, OPERATOR, Results};
use crate::rows::{Row, Shape, Successor, Trouble};
use crate::scene::Scene;
use crate::sizes::{self, Resizing};
use crate::stage::{RIVAL, SECOND, Stage};
use crate::switch::{self, Switch, next};

/// How long the load runs before the first switch.
const WARM_UP: std::time::Duration = std::time::Duration::from_secs(3);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Order {
    /// The rows.
    pub rows: Vec<&'static Row>,
    /// Switches of each row, with those that are in the results already.
    pub switches: u64,
    /// Requests per second.
    pub rate: Rate,
    /// The commit that is measured.
    pub commit: String,
    /// Where the results go.
    pub results: Results,
}

/// Measures; returns whether everything was as promised. A row that breaks off leaves no result, and is tried again by the
/// next run.
pub async fn run(order: &Order) -> Result<bool> {
    Cluster::real_node_possible().map_err(|reason| anyhow::anyhow!("no real node can run here: {reason}"))?;
    let mut stage: Option<Stage> = None;
    let mut clean = true;
    let (start, count) = (Instant::now(), order.rows.len());
    for (index, row) in order.rows.iter().enumerate() {
        let title = format!("[{}/{count}] {}", index + 1, row.name);
        let missing = missing(order, row)?;
        if missing == 0 {
            println!("{title}: done before");
            continue;
        }
        println!("{title}: {missing} switches, {:.0} s since the start", start.elapsed().as_secs_f64());
        let up = enter(&mut stage, row.shape).await?;
        let entry = match measure(up, row, order, missing).await {
            Ok(entry) => entry,
            Err(error) => {
                let evidence = keep_evidence(row, &format!("{error:#}\n\n{}", up.logs()?))?;
                eprintln!("  BROKEN OFF: {error:#}; see {}", evidence.display());
                clean = false;
                // Whatever it has left there is not to harm the next row.
                if let Some(spoiled) = stage.take() {
                    spoiled.leave().await?;
                }
                continue;
            }
        };
        order.results.add(&entry)?;
        clean &= row.accepts(&entry);
        println!("  {}", in_short(&entry));
    }
    if let Some(stage) = stage {
        stage.leave().await?;
    }
    Ok(clean)
}

/// Switches that a row still needs.
fn missing(order: &Order, row: &Row) -> Result<u64> {
    let done = order.results.of(&order.commit)?;
    let done = done.iter().filter(|entry| entry.row == row.name && entry.subject == OPERATOR);
    Ok(order.switches.max(row.switches).saturating_sub(done.map(|entry| entry.switches).sum()))
}

/// The stage of this shape: the one that is up, or a new one.
async fn enter(stage: &mut Option<Stage>, shape: Shape) -> Result<&mut Stage> {
    if stage.as_ref().is_none_or(|stage| stage.shape != shape) {
        if let Some(old) = stage.take() {
            old.leave().await?;
        }
        println!("  starting a cluster: {}", shape.words());
        let new = Stage::set(shape).await?;
        new.install().await?;
        *stage = Some(new);
    }
    stage.as_mut().context("it has just been set")
}

async fn measure(stage: &mut Stage, row: &'static Row, order: &Order, switches: u64) -> Result<Entry> {
    let mut entry = begin(row.name, OPERATOR, order)?;
    let scene = Scene::set(stage, row).await?;
    join(&scene).await?;
    let mut load = match row.has_traffic() {
        true => Some(Running::start(&scene.addresses, &scene.stage.sources, order.rate)?),
        false => None,
    };
    tokio::time::sleep(WARM_UP).await;
    let _resizing = Resizing::up_and_down(&scene);

    let (mut made, mut color, mut turn): (Vec<Switch>, Color, usize) = (Vec::new(), Color::Blue, 0);
    while u64::try_from(made.len())? < switches {
        if let Some(load) = &mut load {
            load.open_streams();
        }
        let new = switch::turn(&scene, turn, color, &mut entry.broken).await?;
        for switch in &new {
            let took = (switch.moved - switch.asked).as_secs_f64();
            let (sent, lost) = load.as_ref().map_or((0, 0), Running::counts);
            println!("  {} → {} after {took:.3} s; {sent} sent, {lost} lost", switch.from, switch.to);
        }
        made.extend(new);
        color = next(row.flip, color);
        turn += 1;
    }

    sizes::judge(&made, &mut entry.broken);
    let mut told = String::new();
    match load {
        Some(load) => told = judge::count(&mut entry, &load.stop().await?, &made, Pods::OfColors),
        None => {
            entry.switches = u64::try_from(made.len())?;
            entry.took_ms = made.iter().map(|s| (s.moved - s.asked).as_secs_f64() * 1e3).collect();
        }
    }
    let timeline = judge::guard(&mut entry, scene.guard().await);
    part(&scene).await?;
    scene.strike().await?;
    if !entry.is_clean() {
        let words = format!(
            "{}\n\n{}\n\n{told}\n{timeline}\n\n{}",
            in_short(&entry),
            entry.broken.join("\n"),
            stage.logs()?
        );
        println!("  NOT CLEAN: see {}", keep_evidence(row, &words)?.display());
    }
    Ok(entry)
}

/// Who else acts in this row.
async fn join(scene: &Scene<'_>) -> Result<()> {
    match scene.row.trouble {
        Trouble::Killed(_, Successor::Standby) => scene.stage.add_standby().await,
        Trouble::Rival => scene.stage.add_rival().await,
        Trouble::None
        | Trouble::UnreadyPod(_)
        | Trouble::Killed(_, Successor::Restarted)
        | Trouble::ProxyRestarted
        | Trouble::ApiServerFrozen
        | Trouble::Uncovered => Ok(()),
    }
}

/// They leave again: the next row is about something else.
async fn part(scene: &Scene<'_>) -> Result<()> {
    match scene.row.trouble {
        Trouble::Killed(_, Successor::Standby) => {
            scene.stage.operators.kill(SECOND).await?;
            scene.stage.operators.leader(&scene.stage.client).await?;
            Ok(())
        }
        Trouble::Rival => scene.stage.operators.kill(RIVAL).await,
        Trouble::None
        | Trouble::UnreadyPod(_)
        | Trouble::Killed(_, Successor::Restarted)
        | Trouble::ProxyRestarted
        | Trouble::ApiServerFrozen
        | Trouble::Uncovered => Ok(()),
    }
}

/// A line of results before anything was counted.
pub fn begin(row: &str, subject: &str, order: &Order) -> Result<Entry> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(Entry {
        commit: order.commit.clone(),
        row: row.to_owned(),
        subject: subject.to_owned(),
        at: Timestamp::now().to_string(),
        cores: std::thread::available_parallelism()?.get(),
        load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        rate: order.rate.fresh,
        ..Entry::default()
    })
}

/// One line about a turn.
pub fn in_short(entry: &Entry) -> String {
    let Entry { switches, old_color, stray, touched_early, broken, streams, .. } = entry;
    let late: u64 = entry.kinds.values().map(|kind| kind.late).sum();
    let causes: Vec<String> = entry
        .kinds
        .iter()
        .flat_map(|(kind, counts)| counts.lost.iter().map(move |(cause, n)| format!("{n} × {kind} {cause}")))
        .collect();
    let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    format!(
        "{switches} switches, {} requests ({late} started late), {} lost{causes}, {old_color} reached the old color \
         too late, {stray} stray, old color touched early {touched_early} times, {} broken promises; streams: {} \
         opened, {} alive, {} ended, {} cut",
        entry.sent(),
        entry.lost(),
        broken.len(),
        streams.opened,
        streams.alive,
        streams.ended,
        streams.cut,
    )
}

/// Keeps what helps to see why.
pub fn keep_evidence(row: &Row, words: &str) -> Result<PathBuf> {
    let folder = target()?.join("traffic/evidence");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}-{}.txt", row.name, Timestamp::now().as_second()));
    std::fs::write(&path, words)?;
    Ok(path)
}
