//! PURE: apps as a table, one line each.

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::status::{READY, STALLED};
use jiff::Timestamp;
use kube::ResourceExt;
use unicode_width::UnicodeWidthStr;

use crate::line::{Line, Tone};
use crate::tree::short_age;

/// The table; with a column of namespaces if asked for.
#[must_use]
pub fn lines(apps: &[BlueGreenApp], namespaces: bool, now: Timestamp) -> Vec<Line> {
    let mut rows = vec![
        ["NAMESPACE", "NAME", "LIVE", "DESIRED", "READY", "REASON", "BLUE", "GREEN", "AGE"]
            .map(|head| (head.to_owned(), Tone::Dim)),
    ];
    rows.extend(apps.iter().map(|app| row(app, now)));
    let from = usize::from(!namespaces);
    let widths: Vec<usize> =
        (0..9).map(|column| rows.iter().map(|row| row[column].0.width()).max().unwrap_or(0)).collect();
    let line = |row: [(String, Tone); 9]| {
        row.into_iter().zip(&widths).skip(from).fold(Line::new(), |line, ((text, tone), width)| {
            line.cell(&text, *width, tone).add("  ", Tone::Plain)
        })
    };
    rows.into_iter().map(line).collect()
}

fn row(app: &BlueGreenApp, now: Timestamp) -> [(String, Tone); 9] {
    let status = app.status.clone().unwrap_or_default();
    let observed = Some(status.observed_generation) == app.metadata.generation;
    let ready = status.condition(READY).filter(|_| observed);
    let is_ready = ready.is_some_and(|ready| ready.status == "True");
    let tone = match (is_ready, status.condition(STALLED)) {
        (true, _) => Tone::Good,
        (false, Some(_)) => Tone::Bad,
        (false, None) => Tone::Busy,
    };
    let version = |color: Color| {
        let block = app.spec.color(color);
        let digest = |digest: &String| digest.chars().take(15).collect();
        let text = block.and_then(|block| block.tag.clone().or_else(|| block.digest.as_ref().map(digest)));
        (text.unwrap_or_else(|| "-".to_owned()), Tone::of(color))
    };
    let color = |color: Option<Color>| match color {
        Some(color) => (color.to_string(), Tone::of(color)),
        None => ("-".to_owned(), Tone::Dim),
    };
    let created = app.creation_timestamp().map_or(now, |time| time.0);
    [
        (app.namespace().unwrap_or_default(), Tone::Plain),
        (app.name_any(), Tone::Strong),
        color(status.active),
        color(Some(app.spec.active)),
        (ready.map_or_else(|| "-".to_owned(), |ready| ready.status.clone()), tone),
        (ready.map_or_else(|| "not observed yet".to_owned(), |ready| ready.reason.clone()), tone),
        version(Color::Blue),
        version(Color::Green),
        (short_age(now.duration_since(created).as_secs().max(0)), Tone::Dim),
    ]
}
