//! What can befall what the operator is told: its watches and lists.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use bluegreen_proxy::{Effect, Frame, FrameEffect, FrameRule, Gate, Past, Request, Rule, Verb};

use crate::stage::Stage;

/// Long enough for a flow of an operator that did not wait.
const LONG: Duration = Duration::from_secs(3);

/// How long a watch is silent.
const SILENCE: Duration = Duration::from_secs(6);

/// What the operator watches.
const WATCHED: [&str; 5] =
    ["bluegreenapps", "services", "deployments", "controllerrevisions", "endpointslices"];

/// One way of being told late, wrongly, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blur {
    /// Events of one kind come seconds late.
    Held(&'static str),
    /// Every event comes up to two seconds late, each object by its own measure.
    Reordered,
    /// A connection is closed instead of an event.
    Cut(&'static str),
    /// A connection is closed in the middle of an event.
    Truncated(&'static str),
    /// A watch ends with 410 Gone instead of an event.
    Expired(&'static str),
    /// All watches end with 410 again and again, and there are no bookmarks.
    NoBookmarks,
    /// A watch is silent while the world goes on.
    Silent(&'static str),
    /// All watches are silent.
    Deaf,
    /// All that stores are filled from is seconds old, and the stores are filled anew: lists and watches lag, live
    /// reads and writes do not.
    Lagging,
    /// The same, and the operator starts in the middle.
    LaggingStart,
}

impl Blur {
    pub fn all() -> Vec<Self> {
        let each = [Self::Held, Self::Cut, Self::Truncated, Self::Expired, Self::Silent];
        let each = each.into_iter().flat_map(|kind| WATCHED.map(kind));
        each.chain([Self::Reordered, Self::NoBookmarks, Self::Deaf, Self::Lagging, Self::LaggingStart])
            .collect()
    }

    /// Does its work while the flow is played.
    pub async fn attend(&self, stage: &Stage, random: u64) -> Result<()> {
        let late = Duration::ZERO..=Duration::from_secs(2);
        // Not always the first event.
        let skip = random % 4;
        let gate = Gate::new();
        match self {
            Self::Held(resource) => frames(stage, of(resource), FrameEffect::Delay(LONG..=LONG), None),
            Self::Reordered => frames(stage, any, FrameEffect::Overtaken(late), None),
            Self::Cut(resource) => frames(stage, of(resource), FrameEffect::End, Some((skip, 3))),
            Self::Truncated(resource) => frames(stage, of(resource), FrameEffect::Truncate, Some((skip, 2))),
            Self::Expired(resource) => frames(stage, of(resource), FrameEffect::Expire, Some((skip, 2))),
            Self::NoBookmarks => {
                frames(stage, |_, frame| frame.kind == "BOOKMARK", FrameEffect::Drop, None);
                for turn in 0..4 {
                    frames(stage, any, FrameEffect::Expire, Some((skip + turn * 7, 1)));
                }
            }
            Self::Silent(resource) => frames(stage, of(resource), FrameEffect::Hold(gate.clone()), None),
            Self::Deaf => frames(stage, any, FrameEffect::Hold(gate.clone()), None),
            Self::Lagging | Self::LaggingStart => {
                let past = Past::follow(stage.sandbox.admin_config(), LONG).await?;
                // Stores are filled page by page; live reads ask for all at once.
                let for_stores =
                    |request: &Request| request.verb == Verb::List && request.uri.contains("limit=");
                stage.proxy.script().add(Rule::new(for_stores, Effect::Stale(past)));
                frames(stage, any, FrameEffect::Delay(LONG..=LONG), None);
                for resource in WATCHED {
                    frames(stage, of(resource), FrameEffect::Expire, Some((skip, 1)));
                }
            }
        }
        match self {
            Self::Silent(_) | Self::Deaf => {
                tokio::time::sleep(SILENCE).await;
                stage.proxy.script().clear();
                gate.open();
            }
            Self::LaggingStart => {
                tokio::time::sleep(Duration::from_millis(random % 1_500)).await;
                stage.crash(|| ()).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn any(_: &Request, _: &Frame) -> bool {
    true
}

fn of(resource: &'static str) -> impl Fn(&Request, &Frame) -> bool + Send + 'static {
    move |request, frame| request.resource == resource && frame.kind != "BOOKMARK"
}

/// `turns`: how many are spared first, and how many it is for then.
fn frames(
    stage: &Stage,
    when: impl Fn(&Request, &Frame) -> bool + Send + 'static,
    effect: FrameEffect,
    turns: Option<(u64, u64)>,
) {
    let rule = FrameRule::new(when, effect);
    stage.proxy.script().add_frames(match turns {
        Some((skip, times)) => rule.skip(skip).times(times),
        None => rule,
    });
}

impl fmt::Display for Blur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(resource) => write!(f, "events of {resource} seconds late"),
            Self::Reordered => f.write_str("events overtake one another"),
            Self::Cut(resource) => write!(f, "watches of {resource} cut off"),
            Self::Truncated(resource) => write!(f, "watches of {resource} cut off inside an event"),
            Self::Expired(resource) => write!(f, "watches of {resource} expired"),
            Self::NoBookmarks => f.write_str("no bookmarks, and watches expire"),
            Self::Silent(resource) => write!(f, "watch of {resource} silent"),
            Self::Deaf => f.write_str("all watches silent"),
            Self::Lagging => f.write_str("lists and watches lag"),
            Self::LaggingStart => f.write_str("lists and watches lag, and a crash"),
        }
    }
}
