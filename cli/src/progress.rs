//! PURE: the progress of a wait: what is ready, what is missing, how long it has taken.
//!
//! It is made from the app alone, so that a pipeline that may read nothing else sees it too; only a warning is about pods.

use std::time::Duration;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::harmless::harmless;
use kube::ResourceExt;

use crate::goal::{Goal, Verdict};
use crate::line::{Line, Tone, wrap};

/// How much time has passed, and how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Since the wait began.
    pub passed: Duration,
    /// The limit.
    pub limit: Duration,
}

/// `75` seconds as `1m15s`.
#[must_use]
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// Several lines, for a terminal that redraws them.
#[must_use]
pub fn lines(
    goal: Goal,
    app: Option<&BlueGreenApp>,
    verdict: &Verdict,
    clock: Clock,
    width: usize,
) -> Vec<Line> {
    let (mark, tone) = match verdict {
        Verdict::Reached(_) => ("✔", Tone::Good),
        Verdict::Waiting(_) => ("…", Tone::Busy),
        Verdict::Failed(_) => ("✘", Tone::Bad),
    };
    let of = format!("  {} of {}", time(clock.passed), time(clock.limit));
    let name = app.map(ResourceExt::name_any).unwrap_or_default();
    let mut lines = vec![
        Line::new()
            .add(format!("{mark} "), tone)
            .add(format!("{name} {goal}"), Tone::Strong)
            .add(of, Tone::Dim),
    ];
    if let Some(app) = app {
        lines.extend(Color::ALL.into_iter().filter_map(|color| color_line(app, color)));
    }
    let why = wrap(verdict.why(), width.saturating_sub(2).max(20));
    lines.extend(why.into_iter().map(|part| Line::new().add("  ", Tone::Plain).add(part, Tone::Plain)));
    lines
}

fn color_line(app: &BlueGreenApp, color: Color) -> Option<Line> {
    let status = app.status.clone().unwrap_or_default();
    let pods = status.color(color);
    let wanted = app.spec.image_of(color);
    let runs = pods.map(|pods| pods.image.clone()).filter(|image| !image.is_empty());
    let image = match (runs, wanted) {
        (Some(runs), Some(wanted)) if runs != wanted && status.active != Some(color) => {
            format!("{runs} → {wanted}")
        }
        (Some(image), _) | (None, Some(image)) => image,
        (None, None) => return None,
    };
    let (ready, endpoints, total) =
        pods.map_or((0, 0, 0), |pods| (pods.ready_replicas, pods.endpoints, pods.replicas));
    let role = match status.active {
        Some(live) if live == color => " live",
        _ if app.spec.active == color => " target",
        Some(_) | None => "",
    };
    let tone = Tone::of(color);
    let words = format!("  {ready}/{total} ready, {endpoints} endpoints");
    Some(
        Line::new()
            .add("  ", Tone::Plain)
            .cell(&format!("{color}{role}"), 15, tone)
            .add(image, Tone::Plain)
            .add(words, Tone::Dim),
    )
}

/// What late pods were last warned of, below the other lines.
#[must_use]
pub fn warning(warning: Option<&str>, width: usize) -> Vec<Line> {
    let parts = wrap(warning.unwrap_or_default(), width.saturating_sub(2).max(20));
    parts.into_iter().map(|part| Line::new().add("  ", Tone::Plain).add(part, Tone::Dim)).collect()
}

/// One line for a log, printed when the reason or the warning changes.
#[must_use]
pub fn log_line(words: &str, passed: Duration) -> String {
    format!("[{:>5}] {}", time(passed), harmless(words, usize::MAX))
}
