//! PURE: one app as a tree.

use bluegreen_api::{CheckResult, CheckStatus, Color, HistoryEntry};
use bluegreen_core::status::{READY, RECONCILING, STALLED, STANDBY_READY};
use jiff::Timestamp;

use crate::line::{Line, Tone, wrap};
use bluegreen_view::{ColorView, Mark, PodView, Report, ServiceView, SetView};

/// Widths of the columns after the first.
const STATUS: usize = 19;
const READY_WIDTH: usize = 5;
const AGE: usize = 4;
/// Width of the labels in the head.
const HEAD: usize = 9;

/// The tree, fitted to a width.
#[must_use]
pub fn lines(report: &Report, width: usize, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![
        Line::new()
            .add(report.name.clone(), Tone::Strong)
            .add(format!("  in {}", report.namespace), Tone::Dim),
    ];
    lines.extend(head(report, width, now));
    lines.push(Line::new());
    let columns = Columns { first: width.saturating_sub(STATUS + READY_WIDTH + AGE + 3).max(20) };
    lines.push(columns.row(Line::new(), ("", Tone::Dim), ("STATUS", Tone::Dim), "READY", "AGE"));
    if let Some(service) = report.service.as_ref().filter(|service| service.selects.is_none()) {
        let status =
            if service.edited { ("selector edited", Tone::Bad) } else { ("selects no pods", Tone::Busy) };
        let name = format!("service/{}", service.name);
        lines.push(columns.row(Line::new(), (&name, Tone::Plain), status, "", &short_age(service.age)));
    }
    for color in &report.colors {
        lines.extend(color_lines(report, color, &columns));
    }
    for why in &report.unreadable {
        lines.push(Line::new().add(format!("not shown: {why}"), Tone::Dim));
    }
    lines
}

/// The state of the app as a whole.
fn head(report: &Report, width: usize, now: Timestamp) -> Vec<Line> {
    let label = |text: &str| Line::new().cell(text, HEAD, Tone::Dim);
    let mut lines = vec![match (report.live, &report.last) {
        (None, _) => label("live").add("none yet", Tone::Busy),
        (Some(color), last) => label("live")
            .add(color.as_str(), Tone::of(color))
            .add(last.as_ref().map(|last| since(last, color, now)).unwrap_or_default(), Tone::Dim),
    }];
    if report.live != Some(report.target) {
        let target = label("target").add(report.target.as_str(), Tone::of(report.target));
        let begun = report.switch.as_ref().filter(|switch| switch.to == report.target);
        let since = begun.map(|switch| format!(" for {}", ago(switch.started_at.0, now)));
        lines.push(target.add(since.unwrap_or_default(), Tone::Dim));
    }
    if !report.observed {
        let text = "waiting for the operator to observe this spec (is it running?)";
        lines.push(label("").add(text, Tone::Busy));
    }
    for (name, type_) in
        [("ready", READY), ("standby", STANDBY_READY), ("stalled", STALLED), ("doing", RECONCILING)]
    {
        // Left out where Ready says the same.
        let told = matches!(type_, STALLED | RECONCILING)
            && report.mark(type_).map(|mark| &mark.reason) == report.mark(READY).map(|mark| &mark.reason);
        if let Some(mark) = report.mark(type_).filter(|_| !told) {
            lines.extend(condition(name, mark, tone(report, mark), width));
        }
    }
    lines
        .extend(report.checks.iter().enumerate().flat_map(|(index, check)| check_lines(index, check, width)));
    lines
}

/// One check, with the Job whose log says more.
fn check_lines(index: usize, check: &CheckStatus, width: usize) -> Vec<Line> {
    let tone = match check.result {
        CheckResult::Running => Tone::Busy,
        CheckResult::Passed => Tone::Good,
        CheckResult::Failed | CheckResult::Inconclusive => Tone::Bad,
    };
    let told = check.message.as_ref().filter(|_| check.result != CheckResult::Passed);
    let why = told.map_or_else(String::new, |message| format!(": {message}"));
    let job = check.job.as_ref().map_or_else(String::new, |job| format!(" (job/{job})"));
    let when = check.when.as_str().to_lowercase();
    let words = format!(" {}, {when} the switch to {}{job}{why}", check.name, check.color);
    let label = if index == 0 { "checks" } else { "" };
    let result = check.result.as_str();
    let room = width.saturating_sub(HEAD + result.len()).max(20);
    let mut lines = Vec::new();
    for (index, part) in wrap(&words, room).into_iter().enumerate() {
        lines.push(if index == 0 {
            Line::new().cell(label, HEAD, Tone::Dim).add(result, tone).add(format!(" {part}"), Tone::Plain)
        } else {
            Line::new().cell("", HEAD, Tone::Dim).add(part, Tone::Plain)
        });
    }
    lines
}

fn tone(report: &Report, mark: &Mark) -> Tone {
    let stalled = report.mark(STALLED).is_some();
    match (mark.type_.as_str(), mark.is_true) {
        (STALLED, _) => Tone::Bad,
        (RECONCILING, _) => Tone::Busy,
        (_, true) => Tone::Good,
        (READY, false) if stalled => Tone::Bad,
        (READY, false) => Tone::Busy,
        (_, false) => Tone::Dim,
    }
}

fn condition(name: &str, mark: &Mark, tone: Tone, width: usize) -> Vec<Line> {
    let text = format!("{}: {}", mark.reason, mark.message);
    let mut lines = Vec::new();
    for (index, part) in wrap(&text, width.saturating_sub(HEAD).max(20)).into_iter().enumerate() {
        let line = Line::new().cell(if index == 0 { name } else { "" }, HEAD, Tone::Dim);
        lines.push(match part.split_once(':').filter(|_| index == 0) {
            Some((reason, rest)) => line.add(reason, tone).add(format!(":{rest}"), Tone::Plain),
            None => line.add(part, Tone::Plain),
        });
    }
    lines
}

fn since(last: &HistoryEntry, live: Color, now: Timestamp) -> String {
    if last.to != live {
        return String::new();
    }
    let took = last.finished_at.0.duration_since(last.started_at.0);
    let from = last
        .from
        .map(|from| format!(", switched from {from} in {}", short(took.as_secs())))
        .unwrap_or_default();
    format!(" for {}{from}", ago(last.finished_at.0, now))
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    short(now.duration_since(then).as_secs())
}

fn short(seconds: i64) -> String {
    short_age(seconds.max(0))
}

/// `12s`, `5m`, `3h`, `12d`.
#[must_use]
pub fn short_age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

struct Columns {
    first: usize,
}

impl Columns {
    fn row(
        &self,
        branch: Line,
        (name, name_tone): (&str, Tone),
        (status, tone): (&str, Tone),
        ready: &str,
        age: &str,
    ) -> Line {
        let rest = self.first.saturating_sub(branch.width());
        branch
            .cell(name, rest, name_tone)
            .add(" ", Tone::Plain)
            .cell(status, STATUS, tone)
            .add(" ", Tone::Plain)
            .add(format!("{ready:>READY_WIDTH$} "), Tone::Plain)
            .add(format!("{age:>AGE$}"), Tone::Dim)
    }
}

fn color_lines(report: &Report, view: &ColorView, columns: &Columns) -> Vec<Line> {
    let tone = Tone::of(view.color);
    let mark = if view.live { "● " } else { "○ " };
    let status = if view.live {
        ("live", Tone::Strong)
    } else if report.target == view.color {
        ("target", Tone::Busy)
    } else if view.size == 0 {
        ("scaled down", Tone::Dim)
    } else {
        ("idle", Tone::Dim)
    };
    let name = Line::new().add(mark, tone).cell(view.color.as_str(), 6, tone);
    let ready = format!("{}/{}", view.ready, view.size);
    let mut lines = vec![columns.row(name, (&view.image, Tone::Strong), status, &ready, "")];
    if let Some(held) = &view.held {
        let words = format!("held until {} is idle: {held}", view.color);
        lines.push(Line::new().add("│       ", tone).add(words, Tone::Busy));
    }
    if let Some(at) = &view.restarted {
        let words = format!("restarted by hand (kubectl rollout restart) at {at}");
        lines.push(Line::new().add("│       ", tone).add(words, Tone::Busy));
    }
    let live_service = report.service.as_ref().filter(|service| service.selects == Some(view.color));
    let preview = report.preview.as_ref().filter(|preview| preview.selects == Some(view.color));
    let services: Vec<&ServiceView> = live_service.into_iter().chain(&view.service).chain(preview).collect();
    let count = services.len() + view.replica_sets.len();
    let branch = |index: usize| if index + 1 == count { "└─ " } else { "├─ " };
    for (index, service) in services.iter().enumerate() {
        let name = format!("service/{}", service.name);
        let is_live = live_service == Some(service);
        let name_tone = if is_live { Tone::Strong } else { Tone::Plain };
        let ports = format!("port {}", service.ports);
        let status = (ports.as_str(), Tone::Dim);
        let branch = Line::new().add(branch(index), tone);
        lines.push(columns.row(branch, (&name, name_tone), status, "", &short_age(service.age)));
    }
    for (index, set) in view.replica_sets.iter().enumerate() {
        let index = services.len() + index;
        lines.extend(set_lines(set, branch(index), index + 1 == count, tone, columns));
    }
    lines
}

fn set_lines(set: &SetView, branch: &str, is_last: bool, tone: Tone, columns: &Columns) -> Vec<Line> {
    let name = format!("replicaset/{}", set.name);
    let ready = format!("{}/{}", set.ready, set.size);
    let line = Line::new().add(branch, tone);
    let mut lines =
        vec![columns.row(line, (&name, Tone::Plain), ("", Tone::Dim), &ready, &short_age(set.age))];
    for (index, pod) in set.pods.iter().enumerate() {
        let trunk = if is_last { "   " } else { "│  " };
        let twig = if index + 1 == set.pods.len() { "└─ " } else { "├─ " };
        let line = Line::new().add(trunk, tone).add(twig, Tone::Dim);
        let name = format!("pod/{}", pod.name);
        let ready = format!("{}/{}", pod.ready, pod.containers);
        let status = (pod.status.as_str(), pod_tone(pod));
        lines.push(columns.row(line, (&name, Tone::Plain), status, &ready, &short_age(pod.age)));
    }
    lines
}

fn pod_tone(pod: &PodView) -> Tone {
    match pod.status.as_str() {
        _ if pod.is_ready => Tone::Good,
        "Running" | "Pending" | "ContainerCreating" | "PodInitializing" => Tone::Busy,
        "Terminating" => Tone::Dim,
        _ => Tone::Bad,
    }
}
