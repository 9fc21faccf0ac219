//! PURE: apps as a table, one line each.

use std::cmp::Reverse;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_view::State;
use clap::ValueEnum;
use jiff::Timestamp;
use kube::ResourceExt;
use unicode_width::UnicodeWidthStr;

use crate::line::{Line, Tone};
use crate::tree::short_age;

/// In which order apps are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// By namespace and name.
    #[default]
    Name,
    /// Those that are stalled first, then those that are not ready.
    State,
    /// The youngest first.
    Age,
}

/// Puts apps in order; those that are alike by namespace and name.
pub fn sort(apps: &mut [BlueGreenApp], by: SortBy) {
    apps.sort_by_key(|app| (app.namespace(), app.name_any()));
    match by {
        SortBy::Name => {}
        SortBy::State => apps.sort_by_key(|app| State::of(app).rank()),
        SortBy::Age => apps.sort_by_key(|app| Reverse(app.creation_timestamp())),
    }
}

/// The table; with a column of namespaces if asked for, and one of reasons if an app is not ready.
#[must_use]
pub fn lines(apps: &[BlueGreenApp], namespaces: bool, now: Timestamp) -> Vec<Line> {
    let heads = ["NAMESPACE", "NAME", "LIVE", "DESIRED", "READY", "REASON", "BLUE", "GREEN", "AGE", "WHY"];
    let mut rows = vec![heads.map(|head| (head.to_owned(), Tone::Dim))];
    rows.extend(apps.iter().map(|app| row(app, now)));
    let is_told = rows.iter().skip(1).any(|row| !row[COLUMNS - 1].0.is_empty());
    let shown = if is_told { COLUMNS } else { COLUMNS - 1 };
    let from = usize::from(!namespaces);
    let widths: Vec<usize> =
        (0..COLUMNS).map(|column| rows.iter().map(|row| row[column].0.width()).max().unwrap_or(0)).collect();
    let line = |row: [(String, Tone); COLUMNS]| {
        let cells = row.into_iter().zip(&widths).enumerate().take(shown).skip(from);
        cells.fold(Line::new(), |line, (column, ((text, tone), width))| {
            // The last one is as long as it is.
            let width = if column + 1 == COLUMNS { text.width() } else { *width };
            line.cell(&text, width, tone).add("  ", Tone::Plain)
        })
    };
    rows.into_iter().map(line).collect()
}

const COLUMNS: usize = 10;

fn row(app: &BlueGreenApp, now: Timestamp) -> [(String, Tone); COLUMNS] {
    let status = app.status.clone().unwrap_or_default();
    let (ready, reason, why, tone) = match State::of(app) {
        State::Unobserved => ("-", "not observed yet".to_owned(), String::new(), Tone::Busy),
        State::Ready(reason) => ("True", reason, String::new(), Tone::Good),
        State::NotReady(reason, message) => ("False", reason, message, Tone::Busy),
        State::Stalled(reason, message) => ("False", reason, format!("stalled: {message}"), Tone::Bad),
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
        (ready.to_owned(), tone),
        (reason, tone),
        version(Color::Blue),
        version(Color::Green),
        (short_age(now.duration_since(created).as_secs().max(0)), Tone::Dim),
        (why, tone),
    ]
}
