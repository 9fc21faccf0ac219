//! The report for people.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    record::{Failure, Outcome},
    report::{Report, Summary},
};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, duration, total, by_kind, marks, .. } = self;
        let seconds = duration.as_secs_f64();
        writeln!(f, "{} requests to {target} in {seconds:.1} s, {} lost", total.sent, total.failed())?;
        writeln!(
            f,
            "  {:<10}{:>8}{:>8}{:>7}{:>7}{:>13}{:>9}{:>9}{:>9}{:>9}",
            "kind", "sent", "ok", "lost", "late", "connections", "p50", "p90", "p99", "max"
        )?;
        for (kind, summary) in by_kind {
            line(f, &kind.to_string(), summary)?;
        }
        if by_kind.len() > 1 {
            line(f, "all", total)?;
        }
        for (title, counts) in
            [("colors", &total.by_color), ("versions", &total.by_version), ("pods", &total.by_pod)]
        {
            if !counts.is_empty() {
                writeln!(f, "  {title:<10}{}", listed(counts))?;
            }
        }
        self.losses(f)?;
        for mark in marks {
            writeln!(f, "  {:>8.3} s  {}", mark.at.as_secs_f64(), mark.label)?;
        }
        Ok(())
    }
}

impl Report {
    /// Each cause with its first and last moment, since these tell what happened.
    fn losses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut losses: BTreeMap<Failure, (u64, Duration, Duration)> = BTreeMap::new();
        for request in self.requests() {
            if let Outcome::Failed(failure) = request.outcome {
                let (count, first, last) = losses.entry(failure).or_insert((0, request.at, request.at));
                *count += 1;
                *first = request.at.min(*first);
                *last = request.at.max(*last);
            }
        }
        for (failure, (count, first, last)) in &losses {
            let (first, last) = (first.as_secs_f64(), last.as_secs_f64());
            writeln!(f, "  lost      {count} × {failure}, due from {first:.3} s to {last:.3} s")?;
        }
        if losses.contains_key(&Failure::Local) {
            writeln!(
                f,
                "  local losses are this machine's: too many requests in flight, or no ports or files left"
            )?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, title: &str, summary: &Summary) -> fmt::Result {
    let Summary { sent, ok, late, connections, latency, .. } = summary;
    write!(f, "  {title:<10}{sent:>8}{ok:>8}{:>7}{late:>7}{connections:>13}", summary.failed())?;
    for value in [latency.p50, latency.p90, latency.p99, latency.max] {
        write!(f, "{:>9}", short(value))?;
    }
    writeln!(f)
}

fn short(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}
