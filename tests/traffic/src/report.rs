//! Renders what was measured, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::histogram::Latencies;
use crate::plot;
use crate::results::{Entry, OPERATOR, sums};
use crate::rows::{ROWS, Row};

const INTRODUCTION: &str = include_str!("report.md");

/// Writes `traffic.md` and the pictures into this folder.
pub fn write(folder: &Path, commit: &str, entries: &[Entry]) -> Result<()> {
    ensure!(!entries.is_empty(), "nothing was measured of {commit} yet: `make traffic`");
    let sums = sums(entries);
    let pictures = folder.join("traffic");
    fs::create_dir_all(&pictures)?;
    for ((subject, name), sum) in &sums {
        if subject == OPERATOR && sum.timeline.iter().any(|tenth| tenth.count() > 0) {
            fs::write(pictures.join(format!("{name}.svg")), plot::svg(sum))?;
        }
    }
    let text = markdown(commit, entries, &sums);
    Ok(fs::write(folder.join("traffic.md"), text)?)
}

fn markdown(commit: &str, entries: &[Entry], sums: &BTreeMap<(String, String), Entry>) -> String {
    let ours: Vec<(&Row, &Entry)> = ROWS
        .iter()
        .filter_map(|row| Some((row, sums.get(&(OPERATOR.to_owned(), row.name.to_owned()))?)))
        .collect();
    let mut text = INTRODUCTION.trim_end().to_owned() + "\n\n";
    // A string takes every line, here and below.
    let _ = writeln!(text, "{}\n", totals(commit, entries, &ours));
    text += &matrix(&ours);
    text += &defects(&ours);
    text += &latencies(&ours);
    text += &peers(sums);
    text += &pictures(&ours);
    text
}

fn totals(commit: &str, entries: &[Entry], ours: &[(&Row, &Entry)]) -> String {
    let sum = |of: fn(&Entry) -> u64| ours.iter().map(|(_, entry)| of(entry)).sum::<u64>();
    let fresh = sum(|entry| entry.kinds.get("fresh").map_or(0, |kind| kind.sent));
    let cores = entries.iter().map(|entry| entry.cores).max().unwrap_or_default();
    let load = entries.iter().map(|entry| entry.load).fold(0.0, f64::max);
    let mut rates: Vec<String> = entries.iter().map(|entry| format!("{:.0}", entry.rate)).collect();
    rates.sort_unstable();
    rates.dedup();
    format!(
        "Measured on commit `{commit}` at {} fresh requests per second, {cores} cores, load of the machine before a row at \
         most {load:.1}: **{} switches, {} requests, {fresh} of them on fresh connections; {} lost**, {} of {} rows without anything to report.",
        rates.join(", "),
        sum(|entry| entry.switches),
        sum(Entry::sent),
        sum(Entry::lost),
        ours.iter().filter(|(_, entry)| entry.is_clean()).count(),
        ours.len(),
    )
}

fn matrix(ours: &[(&Row, &Entry)]) -> String {
    let mut text = "## The matrix\n\n| row | what happens | cluster | switches | fresh | kept | long | lost | 95 % bound | \
                    old color too late | touched early | else | streams opened: alive, ended, cut |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (row, entry) in ours {
        let sent = |kind: &str| entry.kinds.get(kind).map_or(0, |kind| kind.sent);
        let Entry { switches, old_color, touched_early, stray, broken, streams, .. } = entry;
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {switches} | {} | {} | {} | {} | {} | {old_color} | {touched_early} | {} | {}: {}, {}, {} |",
            row.name,
            row.words,
            row.shape.words(),
            sent("fresh"),
            sent("keepalive"),
            sent("long"),
            causes(entry),
            bound(entry.sent(), entry.lost()),
            stray + u64::try_from(broken.len()).unwrap_or(u64::MAX),
            streams.opened,
            streams.alive,
            streams.ended,
            streams.cut,
        );
    }
    text + "\n"
}

/// Why some rows lose requests whoever switches.
fn defects(ours: &[(&Row, &Entry)]) -> String {
    let mut text = String::new();
    for (row, defect) in
        ours.iter().filter(|(_, entry)| !entry.is_clean()).filter_map(|(row, _)| Some((row, row.defect?)))
    {
        let _ = writeln!(text, "**What `{}` loses is lost by Kubernetes itself.** {defect}\n", row.name);
    }
    text
}

/// Lost requests, with their causes.
fn causes(entry: &Entry) -> String {
    let causes: Vec<String> = entry
        .kinds
        .iter()
        .flat_map(|(kind, counts)| counts.lost.iter().map(move |(cause, n)| format!("{n} {kind} {cause}")))
        .collect();
    if causes.is_empty() { "0".to_owned() } else { format!("{}: {}", entry.lost(), causes.join(", ")) }
}

/// With no loss among n requests, the true share is below 3/n with a confidence of 95 %.
fn bound(sent: u64, lost: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    match (sent, lost) {
        (0, _) => "-".to_owned(),
        (sent, 0) => format!("{:.4} %", 300.0 / sent as f64),
        (sent, lost) => format!("lost {:.4} %", 100.0 * lost as f64 / sent as f64),
    }
}

fn latencies(ours: &[(&Row, &Entry)]) -> String {
    let mut text = "## How long requests took\n\nFresh requests, p50 / p99 / slowest: before, from the edit until two seconds \
                    after the switch, and after that. The last column is the time from the edit until the Service had \
                    moved, median and longest.\n\n| row | before | during | after | late starts | until moved |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for (row, entry) in ours {
        let mut took = entry.took_ms.clone();
        took.sort_unstable_by(f64::total_cmp);
        let moved = match (took.get(took.len() / 2), took.last()) {
            (Some(median), Some(longest)) => format!("{median:.0} ms, {longest:.0} ms"),
            _ => "-".to_owned(),
        };
        let fresh = entry.kinds.get("fresh");
        let phase =
            |phase: usize| fresh.map_or_else(|| "-".to_owned(), |kind| percentiles(&kind.latency[phase]));
        let late: u64 = entry.kinds.values().map(|kind| kind.late).sum();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {late} | {moved} |",
            row.name,
            phase(0),
            phase(1),
            phase(2)
        );
    }
    text + "\n"
}

fn percentiles(latencies: &Latencies) -> String {
    [0.5, 0.99, 1.0].map(|share| latencies.at(share).map_or_else(|| "-".to_owned(), short)).join(" / ")
}

fn short(latency: Duration) -> String {
    let millis = latency.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

fn peers(sums: &BTreeMap<(String, String), Entry>) -> String {
    let others: Vec<&Entry> = sums.values().filter(|entry| entry.subject != OPERATOR).collect();
    if others.is_empty() {
        return String::new();
    }
    let mut text = "## Others through the same switch\n\n`make traffic PEER=tests/traffic/peers/FILE.yaml`\n\n\
                    | who | row | switches | requests | lost | old version too late |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for entry in others {
        let (lost, sent) = (causes(entry), entry.sent());
        let Entry { subject, row, switches, old_color, .. } = entry;
        let _ = writeln!(text, "| {subject} | `{row}` | {switches} | {sent} | {lost} | {old_color} |");
    }
    text + "\n"
}

fn pictures(ours: &[(&Row, &Entry)]) -> String {
    let mut text = "## Around the switch\n".to_owned();
    for (row, entry) in ours {
        if entry.timeline.iter().any(|tenth| tenth.count() > 0) {
            let Row { name, words, .. } = row;
            let _ = writeln!(
                text,
                "\n`{name}`: {words} (`make traffic ROWS={name}`)\n\n![{name}](traffic/{name}.svg)"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Kind;

    fn entry(row: &str, lost: u64) -> Entry {
        let lost = if lost > 0 { BTreeMap::from([("reset".to_owned(), lost)]) } else { BTreeMap::new() };
        let kinds = BTreeMap::from([("fresh".to_owned(), Kind { sent: 3000, lost, ..Kind::default() })]);
        Entry { row: row.into(), subject: OPERATOR.into(), switches: 2, kinds, ..Entry::default() }
    }

    #[test]
    fn is_only_a_row_in_the_report_that_was_measured() {
        let entries = [entry("plain", 0)];
        let text = markdown("abc", &entries, &sums(&entries));
        assert!(text.contains("| `plain` |") && text.contains("| 0.1000 % |"), "{text}");
        assert!(!text.contains("| `slow-start` |"), "{text}");
        assert!(text.contains("1 of 1 rows without"), "{text}");
    }

    #[test]
    fn does_a_loss_show_with_its_cause_and_without_a_bound() {
        let entries = [entry("plain", 3)];
        let text = markdown("abc", &entries, &sums(&entries));
        assert!(text.contains("| 3: 3 fresh reset | lost 0.1000 % |"), "{text}");
        assert!(text.contains("0 of 1 rows without"), "{text}");
    }
}
