//! The figures of all releases, as a table of a document.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bluegreen_cluster::put_between;

use super::Entry;
use super::side::Side;

/// Whether the sender kept its schedule. A machine that starts most requests late measures itself, and loses requests whoever answers.
fn kept(entry: &Entry) -> bool {
    entry.late * 4 <= entry.sent * 3
}

/// One column for each side that was measured.
pub fn table(entries: &[Entry]) -> String {
    let of = |side: Side| entries.iter().filter(move |entry| entry.subject == side.name() && kept(entry));
    let sides: Vec<Side> =
        [Side::Ours, Side::Argo].into_iter().filter(|side| of(*side).next().is_some()).collect();
    let sum = |side: Side, of_one: fn(&Entry) -> u64| of(side).map(of_one).sum::<u64>();
    let times = |side: Side, of_one: fn(&Entry) -> f64| {
        let mut all: Vec<f64> = of(side).map(of_one).collect();
        all.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| all.get(index).copied().unwrap_or_default() / 1e3;
        let last = all.len().saturating_sub(1);
        format!("{:.1} s, {:.1} to {:.1}", at(last / 2), at(0), at(last))
    };
    let cell: [(&str, &dyn Fn(Side) -> String); 8] = [
        ("releases", &|side| of(side).count().to_string()),
        ("the Service selects the bad version → it selects the good one again: median, range", &|side| {
            times(side, |entry| entry.live_ms)
        }),
        ("after that, last answer of the bad version to a new connection", &|side| {
            times(side, |entry| entry.lingered_ms)
        }),
        ("requests in all", &|side| sum(side, |entry| entry.sent).to_string()),
        ("answered by the bad version", &|side| sum(side, |entry| entry.answered).to_string()),
        ("failed, all of them answered by the bad version", &|side| {
            sum(side, |entry| entry.failed).to_string()
        }),
        ("errors that the pods of the bad version counted themselves", &|side| {
            sum(side, |entry| entry.counted).to_string()
        }),
        ("lost in any other way", &|side| lost(of(side))),
    ];
    let mut text = "| what |".to_owned();
    // A string takes every line, here and below.
    for side in &sides {
        let _ = write!(text, " {} |", side.name());
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(sides.len()));
    for (what, cell) in cell {
        let _ = write!(text, "| {what} |");
        for side in &sides {
            let _ = write!(text, " {} |", cell(*side));
        }
        text.push('\n');
    }
    text
}

fn lost<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut causes = std::collections::BTreeMap::<&str, u64>::new();
    for (cause, count) in entries.flat_map(|entry| &entry.lost) {
        *causes.entry(cause).or_default() += count;
    }
    let all: u64 = causes.values().sum();
    let words: Vec<String> = causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    if words.is_empty() { "0".to_owned() } else { format!("{all}: {}", words.join(", ")) }
}

/// What is told of releases that are not in the table.
fn left_out(entries: &[Entry]) -> String {
    let words: Vec<String> = [Side::Ours, Side::Argo]
        .into_iter()
        .filter_map(|side| {
            let of_side = || entries.iter().filter(|entry| entry.subject == side.name() && !kept(entry));
            let count = of_side().count();
            (count > 0).then(|| format!("{count} of {} (lost: {})", side.name(), lost(of_side())))
        })
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!(
        " Releases in which the sender started more than three quarters of the requests late are not counted: {}. What is lost in these is lost \
         to a limit of 10 s for each request.",
        words.join(", ")
    )
}

/// Writes the table into a document, in place of the last one, and how it was measured below it.
pub fn write(path: &Path, table: &str, commit: &str, entries: &[Entry]) -> Result<()> {
    let last = entries.last().context("nothing was measured")?;
    let counted = || entries.iter().filter(|entry| kept(entry));
    let load = counted().map(|entry| entry.load).fold(0.0, f64::max);
    let late: u64 = counted().map(|entry| entry.late).sum();
    let day = last.at.split('T').next().unwrap_or_default();
    let words = format!(
        "Measured on {day} at commit `{commit}` with {:.0} requests a second, on {} cores that did other work at the same time: a load of \
         up to {load:.1} before a release, and {late} requests that the sender itself started late.{}",
        last.rate,
        last.cores,
        left_out(entries),
    );
    put_between(path, "bad release", &format!("{table}\n{words}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(side: Side, live_ms: f64, lost: u64) -> Entry {
        let lost = (lost > 0).then(|| ("fresh reset".to_owned(), lost)).into_iter().collect();
        Entry {
            subject: side.name().into(),
            live_ms,
            sent: 100,
            failed: 5,
            counted: 5,
            lost,
            ..Entry::default()
        }
    }

    #[test]
    fn is_a_release_left_out_and_told_whose_sender_was_late() {
        let late = Entry { late: 76, ..entry(Side::Ours, 9000.0, 7) };
        let entries = [entry(Side::Ours, 1000.0, 0), late];
        let text = table(&entries);
        assert!(text.contains("| releases | 1 |") && text.contains("| 1.0 s, 1.0 to 1.0 |"), "{text}");
        assert!(left_out(&entries).contains("1 of bluegreen-operator (lost: 7: 7 fresh reset)"));
        assert!(left_out(&entries[..1]).is_empty());
    }

    #[test]
    fn is_each_loss_told_and_a_side_left_out_that_was_not_measured() {
        let entries =
            [entry(Side::Ours, 3000.0, 0), entry(Side::Ours, 1000.0, 2), entry(Side::Ours, 2000.0, 1)];
        let text = table(&entries);
        assert!(text.contains("| releases | 3 |") && text.contains("| 2.0 s, 1.0 to 3.0 |"), "{text}");
        assert!(text.contains("| lost in any other way | 3: 3 fresh reset |"), "{text}");
        assert!(!text.contains(Side::Argo.name()), "{text}");
        let text = table(&[entry(Side::Ours, 1.0, 0), entry(Side::Argo, 1.0, 0)]);
        assert!(text.contains(&format!("| {} | {} |", Side::Ours.name(), Side::Argo.name())), "{text}");
        assert!(text.contains("| lost in any other way | 0 | 0 |"), "{text}");
    }
}
