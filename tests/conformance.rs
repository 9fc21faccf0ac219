//! Is everything that really happens something that the exhaustive model allows?
//!
//! Random lives of apps, edited as the model's user edits, on the real API server, with lost replies, late commits and
//! crashes of the operator. `conformance/play.rs` plays and records them, `conformance/{looks,read,trace}.rs` turn the
//! record into the model's terms, and the model's `replay` explains it, step by step, or says what it can't explain.
//!
//! `SECONDS=n` plays for so long and tries every guard, `SEED=n` plays other lives, `PLACES=n` so many at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "conformance/looks.rs"]
mod looks;
#[path = "conformance/play.rs"]
mod play;
#[path = "conformance/read.rs"]
mod read;
#[path = "conformance/teeth.rs"]
mod teeth;
#[path = "conformance/trace.rs"]
mod trace;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_model::Guards;
use bluegreen_model::replay::{Event, Replay, Seen, Unexplained, Writer};
use bluegreen_model::request::Ask;
use play::{Life, Place};
use teeth::Tried;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn does_the_model_allow_all_that_really_happens() -> Result<()> {
    let seconds = Duration::from_secs(number("SECONDS").unwrap_or(30));
    let (seed, places) = (number("SEED").unwrap_or(1), number("PLACES").unwrap_or(4));
    let mut lives = play_all(seed, places, seconds).await?;
    let mut failed = Vec::new();
    for life in &mut lives {
        let began = Instant::now();
        match explain(life)? {
            Ok(how) => println!(
                "life {}: {} edits, {} crashes, {} troubles; {how}, in {:.1} s",
                life.seed,
                life.edits,
                life.crashes,
                life.troubles,
                began.elapsed().as_secs_f64(),
            ),
            Err(unexplained) => {
                println!("life {} ({:?}):\n{unexplained}", life.seed, life.bounds.idle);
                println!("all of it: {}", keep(life)?.display());
                failed.push(life.seed);
            }
        }
    }
    let explained: usize = lives.iter().map(|life| life.run.len()).sum();
    println!("{} lives, {} not explained; {explained} things seen", lives.len(), failed.len());
    let (late, again) = lives
        .iter()
        .flat_map(|life| committed_late(&life.run))
        .fold((0, 0), |(late, again), is| (late + 1, again + usize::from(is)));
    println!("{late} requests committed late; {again} of them made again what had been removed");
    ensure!(failed.is_empty(), "the model does not explain the lives {failed:?} of {}", lives.len());
    would_it_notice(&lives)
}

/// Replays a life: how it was explained, in words, or what of it was not.
fn explain(life: &mut Life) -> Result<Result<String, Box<Unexplained>>> {
    loop {
        let mut replay = Replay::new(life.bounds, Guards::ALL, &|_| false);
        let Err(unexplained) = life.run.iter().try_for_each(|seen| replay.see(seen)) else {
            return Ok(Ok(format!(
                "{} things seen, all explained, by {} states at the most; {} requests on their way at the most",
                replay.explained, replay.widest, replay.late
            )));
        };
        if !life.tell_otherwise(replay.explained)? {
            return Ok(Err(unexplained));
        }
    }
}

/// The requests that committed late: did each make again something that had been there and was removed?
fn committed_late(run: &[Seen]) -> impl Iterator<Item = bool> {
    run.iter().enumerate().filter_map(|(index, seen)| match seen.event {
        Event::Changed(_, Writer::Late(ask)) => {
            let existed = |seen: &Seen| match ask {
                Ask::Store(color, number, _) => {
                    seen.after.stored.get(color)[usize::from(number) - 1].is_some()
                }
                Ask::CreateDeployment(color, ..) => seen.after.deployments.get(color).is_some(),
                _ => false,
            };
            Some(run[..index].iter().any(existed))
        }
        _ => None,
    })
}

/// Every lie in every life where it can be told; every rule and guard, where there was need of it.
fn would_it_notice(lives: &[Life]) -> Result<()> {
    let kinds = [
        ("lie", teeth::lies(lives)),
        ("without the rule", teeth::rules(lives)),
        ("without the guard", teeth::guards(lives, number("SECONDS").is_some())),
    ];
    let mut missed = Vec::new();
    for (kind, tried) in kinds {
        for Tried { what, possible, noticed } in tried {
            println!(
                "{kind}: {what}: noticed in {noticed} of {} lives, surely to be in {possible}",
                lives.len()
            );
            let always = kind == "lie" && what != teeth::MAY_BE_TRUE;
            let enough = if always { noticed == possible } else { noticed > 0 || possible == 0 };
            if !enough {
                missed.push(format!("{kind}: {what}"));
            }
        }
    }
    ensure!(missed.is_empty(), "not noticed: {missed:#?}");
    Ok(())
}

/// Lives in several places at once, until the time is over.
async fn play_all(seed: u64, places: u64, time: Duration) -> Result<Vec<Life>> {
    e2e::harness::cluster().await?;
    let start = Instant::now();
    let all = (0..places).map(|place| async move {
        let mut lives = Vec::new();
        let mut at = Place::new(seed + place).await?;
        while lives.is_empty() || start.elapsed() < time {
            let number = lives.len() as u64;
            lives.push(at.live(seed * 10_000 + place * 1_000 + number).await?);
        }
        if let Err(error) = at.finish().await {
            tell(&lives, &error.to_string());
            return Err(error);
        }
        anyhow::Ok(lives)
    });
    Ok(futures::future::try_join_all(all).await?.into_iter().flatten().collect())
}

/// Writes down all that was seen in a life, to find out why it is not explained.
fn keep(life: &Life) -> Result<std::path::PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}.txt", life.seed));
    let run =
        life.run.iter().map(|seen| format!("{}\n    {:?}\n    {:?}\n", seen.words, seen.event, seen.after));
    std::fs::write(&file, run.collect::<String>() + &life.requests)?;
    Ok(file)
}

/// All that was seen in those lives that the error names.
fn tell(lives: &[Life], error: &str) {
    for life in lives.iter().filter(|life| error.contains(&life.name)) {
        let run: Vec<_> = life.run.iter().map(|seen| seen.words.as_str()).collect();
        println!("life {}, of which the guard tells below:\n{}", life.seed, run.join("\n"));
    }
}
