//! What the load saw, switch by switch, against what is promised.

use std::fmt::Write;
use std::time::{Duration, Instant};

use bluegreen_guard::guard::{Guard, Rule};
use bluegreen_load::{Kind, Outcome, Request};

use crate::load::Ended;
use crate::results::{Entry, TIMELINE, TIMELINE_BEFORE};
use crate::rows::{APP, version};
use crate::switch::Switch;

/// How long the old color may answer new connections after the Service has moved: kube-proxy writes its rules at most
/// once a second.
const GRACE: Duration = Duration::from_secs(2);

/// How much of the time before a switch counts as "before" in the latencies.
const BEFORE: Duration = Duration::from_secs(2);

/// A tenth of a second, in which the timeline counts.
const TENTH: Duration = Duration::from_millis(100);

/// Lost requests that are told one by one.
const TOLD: usize = 50;

/// Who may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    /// Pods of this operator: `hello-COLOR-…`, with the version of that color.
    OfColors,
    /// A peer's: only the version counts.
    Any,
}

/// Adds to `entry` what the load saw; returns the lost and wrong requests in words.
pub fn count(entry: &mut Entry, ended: &Ended, switches: &[Switch], pods: Pods) -> String {
    entry.streams = ended.streams;
    entry.switches = u64::try_from(switches.len()).unwrap_or(u64::MAX);
    entry.took_ms = switches.iter().map(|switch| (switch.moved - switch.asked).as_secs_f64() * 1e3).collect();
    entry.timeline = vec![Default::default(); TIMELINE];
    let mut told = Told::default();
    for (origin, report) in &ended.reports {
        entry.seconds = entry.seconds.max(report.duration.as_secs_f64());
        for request in report.requests() {
            let due = *origin + request.at;
            let moment = Moment::of(switches, due);
            let kind = entry.kinds.entry(request.kind.to_string()).or_default();
            kind.sent += 1;
            kind.late += u64::from(request.lateness > Duration::from_millis(20));
            if let Outcome::Failed(failure) = request.outcome {
                *kind.lost.entry(failure.to_string()).or_default() += 1;
                told.tell(switches, due, &request, &failure.to_string());
                continue;
            }
            kind.latency[moment.phase()].add(request.latency);
            if is_stray(&request, pods) {
                entry.stray += 1;
                told.tell(switches, due, &request, "is a stray");
            }
            if request.kind == Kind::Fresh {
                if moment.is_wrong(&request) {
                    entry.old_color += 1;
                    told.tell(switches, due, &request, "reached the old color");
                }
                for switch in switches {
                    if let Some(tenths) = entry.timeline.get_mut(tenth(due, switch.moved)) {
                        tenths.add(request.latency);
                    }
                }
            }
        }
    }
    told.words
}

/// Adds what the guard found; returns its timeline.
pub fn guard(entry: &mut Entry, guard: Guard) -> String {
    for broken in guard.broken {
        match broken.rule {
            Rule::OldIsDrained | Rule::LiveKeepsItsSize | Rule::KeptForASwitchBack => {
                entry.touched_early += 1
            }
            Rule::ReadyBeforeSelected
            | Rule::LiveKeepsItsTemplate
            | Rule::NeverEmpty
            | Rule::SelectedAsAsked
            | Rule::CheckedBeforeSelected => {}
        }
        entry.broken.push(broken.words);
    }
    guard.timeline.join("\n")
}

/// Where a request stands among the switches.
struct Moment<'a> {
    due: Instant,
    last: Option<&'a Switch>,
    next: Option<&'a Switch>,
}

impl<'a> Moment<'a> {
    fn of(switches: &'a [Switch], due: Instant) -> Self {
        let after = switches.partition_point(|switch| switch.asked <= due);
        Self {
            due,
            last: after.checked_sub(1).and_then(|last| switches.get(last)),
            next: switches.get(after),
        }
    }

    /// 0: before a switch, 1: from the edit until two seconds after it, 2: after that.
    fn phase(&self) -> usize {
        if self.last.is_some_and(|last| self.due < last.reference + GRACE) {
            1
        } else if self.last.is_none() || self.next.is_some_and(|next| self.due + BEFORE >= next.asked) {
            0
        } else {
            2
        }
    }

    /// The old color answered a new connection later than allowed. It may be the new one again: a first packet that is lost
    /// is sent again a second later, after the next switch.
    fn is_wrong(&self, request: &Request<'_>) -> bool {
        let answered = self.due + request.latency;
        let is_next =
            self.next.is_some_and(|next| answered > next.asked && request.version == Some(version(&next.to)));
        self.last.is_some_and(|last| {
            let old = request.version == Some(version(&last.from));
            last.from != last.to && old && self.due > last.reference + GRACE && !is_next
        })
    }
}

/// The place in the timeline; beyond its end where there is none.
fn tenth(due: Instant, moved: Instant) -> usize {
    let begin = moved.checked_sub(TENTH * u32::try_from(TIMELINE_BEFORE).unwrap_or(0)).unwrap_or(moved);
    let Some(passed) = due.checked_duration_since(begin) else { return usize::MAX };
    usize::try_from(passed.as_millis() / TENTH.as_millis()).unwrap_or(usize::MAX)
}

/// The answer is no answer of the app, or of another version than the color's.
fn is_stray(request: &Request<'_>, pods: Pods) -> bool {
    let known = ["blue", "green"].map(version);
    match (pods, request.color, request.version, request.pod) {
        (Pods::Any, _, Some(version), _) => !known.contains(&version),
        (Pods::OfColors, Some(color @ ("blue" | "green")), Some(said), Some(pod)) => {
            said != version(color) || !pod.starts_with(&format!("{APP}-{color}-"))
        }
        (Pods::Any | Pods::OfColors, _, _, _) => true,
    }
}

#[derive(Default)]
struct Told {
    words: String,
    count: usize,
}

impl Told {
    fn tell(&mut self, switches: &[Switch], due: Instant, request: &Request<'_>, what: &str) {
        self.count += 1;
        if self.count > TOLD {
            return;
        }
        let after = switches.partition_point(|switch| switch.moved <= due);
        let since = match after.checked_sub(1).and_then(|last| switches.get(last)) {
            Some(last) => format!("{:.3} s after switch {after}", (due - last.moved).as_secs_f64()),
            None => "before the first switch".to_owned(),
        };
        let until = switches.get(after).map_or_else(String::new, |next| {
            format!(", {:.3} s before the next", (next.moved - due).as_secs_f64())
        });
        // A string takes every line.
        let _ = writeln!(
            self.words,
            "{} {what}: due {since}{until}, {:.3} s late, took {:.3} s, answered by {} {}",
            request.kind,
            request.lateness.as_secs_f64(),
            request.latency.as_secs_f64(),
            request.version.unwrap_or("nobody"),
            request.pod.unwrap_or_default(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(color: &'static str, version: &'static str, pod: &'static str) -> Request<'static> {
        Request {
            at: Duration::ZERO,
            latency: Duration::ZERO,
            lateness: Duration::ZERO,
            client: 0,
            kind: Kind::Fresh,
            outcome: Outcome::Ok,
            color: Some(color),
            version: Some(version),
            pod: Some(pod),
        }
    }

    /// Two switches: at 10 s and back at 20 s, each asked for a second before; the first with an outage until 12 s.
    fn switches(begin: Instant) -> [Switch; 2] {
        let at = |seconds| begin + Duration::from_secs(seconds);
        let switch = |from: &str, to: &str, moved, reference| Switch {
            from: from.into(),
            to: to.into(),
            asked: at(moved - 1),
            moved: at(moved),
            reference: at(reference),
            grown: None,
        };
        [switch("blue", "green", 10, 12), switch("green", "blue", 20, 20)]
    }

    #[test]
    fn is_an_answer_of_the_old_color_wrong_two_seconds_after_the_switch_or_the_outage() {
        let begin = Instant::now();
        let switches = switches(begin);
        let wrong = |seconds: f64, color| {
            let due = begin + Duration::from_secs_f64(seconds);
            Moment::of(&switches, due).is_wrong(&request(color, version(color), "hello"))
        };
        assert!(!wrong(5.0, "blue") && !wrong(9.5, "blue") && !wrong(13.9, "blue"));
        assert!(wrong(14.1, "blue") && wrong(18.9, "blue"));
        assert!(!wrong(18.9, "green") && !wrong(19.5, "green") && !wrong(21.9, "green"));
        assert!(wrong(22.1, "green") && !wrong(22.1, "blue"));
    }

    #[test]
    fn is_an_answer_right_that_came_late_enough_to_be_the_next_colors() {
        let begin = Instant::now();
        let switches = switches(begin);
        let wrong = |due: f64, took: f64, color| {
            let request =
                Request { latency: Duration::from_secs_f64(took), ..request(color, version(color), "hello") };
            Moment::of(&switches, begin + Duration::from_secs_f64(due)).is_wrong(&request)
        };
        assert!(wrong(18.5, 0.4, "blue"), "answered before the edit");
        assert!(!wrong(18.5, 1.1, "blue"));
        assert!(!wrong(18.5, 1.1, "green"));
        // After the last switch there is no next color.
        assert!(wrong(23.0, 9.0, "green"));
    }

    #[test]
    fn which_phase_is_a_request_in() {
        let begin = Instant::now();
        let switches = switches(begin);
        let phase = |seconds: u64| Moment::of(&switches, begin + Duration::from_secs(seconds)).phase();
        assert_eq!([1, 8, 9, 13, 15, 17, 19, 21, 23].map(phase), [0, 0, 1, 1, 2, 0, 1, 1, 2]);
    }

    #[test]
    fn is_an_answer_of_another_version_or_pod_a_stray() {
        let stray = |color, version, pod| is_stray(&request(color, version, pod), Pods::OfColors);
        assert!(!stray("blue", "v1.0.0", "hello-blue-1-2"));
        assert!(stray("blue", "v2.0.0", "hello-blue-1-2"));
        assert!(stray("blue", "v1.0.0", "hello-green-1-2"));
        assert!(stray("unknown", "v1.0.0", "hello-blue-1-2"));
    }
}
