//! Notices that somebody reverts what the operator writes: another controller, a webhook, a script. Such a fight has no
//! end, so after a few rounds of it the operator tells who and what, and writes less and less often.
//!
//! There are two kinds. A write may be changed *as it is stored*, by an admission plug-in or by an API server that does not
//! know a field: the read after it shows that. Or it lasts, and somebody undoes it *later*: an autoscaler, for example.

use std::time::Duration;

use super::observer::Reverted;
use crate::plan::Action;

/// After so many equal writes that all succeeded, somebody is taken to revert them.
const REPEATS: u32 = 4;

/// Equal writes that are further apart than this, and than the present pause and [`MORE`], have nothing to do with each
/// other.
const WINDOW: Duration = Duration::from_secs(60);

/// How long somebody takes to undo a write, at the most: autoscalers look every 15 s.
const MORE: Duration = Duration::from_secs(30);

/// The time between two tries, if the write is changed as it is stored: at first, and at the most.
const AT_ONCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The time between two tries, if the write is undone later. The pods that somebody wants and the operator does not are
/// made and killed once in that time.
const LATER: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(120));

/// The time between two tries that clients depend on: the live Service is edited, or the live color lacks pods.
const URGENT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Events about the edits that one write takes back, as long as it counts as the same.
const TOLD: usize = 4;

/// For which generation of the app, and after how many writes of unknown result, something was written. Equal actions of another
/// generation write something else, and a fence is stamped anew after each unknown result.
pub type Occasion = (i64, u32);

/// The actions that were carried out lately, and how often.
#[derive(Debug, Default)]
pub struct Contest(Vec<Repeated>);

#[derive(Debug)]
struct Repeated {
    action: Action,
    occasion: Occasion,
    times: u32,
    /// When it was carried out last (uptime).
    last: Duration,
    /// A read after the last write has shown that it lasted.
    lasted: bool,
    /// It was undone after it had lasted.
    later: bool,
    /// Clients depend on it.
    urgent: bool,
    /// The fields of which an Event says that it took back an edit.
    told: Vec<String>,
    /// What is reverted, as the last read showed it.
    what: Option<Reverted>,
}

impl Repeated {
    /// Returns true if somebody is taken to revert it.
    fn is_contest(&self) -> bool {
        self.times >= REPEATS
    }

    /// Returns how long to wait after the last write.
    fn pause(&self) -> Duration {
        let Some(over) = self.times.checked_sub(REPEATS) else { return Duration::ZERO };
        let (first, longest) = match (self.urgent, self.later) {
            (true, _) => URGENT,
            (false, true) => LATER,
            (false, false) => AT_ONCE,
        };
        first.saturating_mul(1 << over.min(9)).min(longest)
    }

    /// Returns when it is over if it is not undone again (uptime).
    fn end(&self) -> Duration {
        self.last.saturating_add(WINDOW.max(self.pause().saturating_add(MORE)))
    }
}

/// Returns what tells more. What somebody is known to have written does, more than what only differs: the operator takes a label
/// off by itself before it removes what others have added.
fn telling_more(now: Option<Reverted>, before: Option<Reverted>) -> Option<Reverted> {
    let is_known = |it: &Reverted| it.deviation.as_ref().is_some_and(|deviation| deviation.manager.is_some());
    match (now, before) {
        (Some(now), Some(before)) if is_known(&before) && !is_known(&now) => Some(before),
        (now, before) => now.or(before),
    }
}

impl Contest {
    /// Notes that a live read asks for these actions; `what` says what of each is not as it was declared.
    pub fn planned(
        &mut self,
        actions: &[Action],
        occasion: Occasion,
        uptime: Duration,
        what: impl Fn(&Action) -> Option<Reverted>,
    ) {
        self.0.retain(|it| it.occasion == occasion && uptime < it.end());
        // With something else to do, it is not known whether the others are to be done again.
        if actions.is_empty() {
            self.0.iter_mut().for_each(|it| it.lasted = true);
            // Whatever changed each write no longer does.
            self.0.retain(|it| it.later || !it.is_contest());
        }
        for it in self.0.iter_mut().filter(|it| actions.contains(&it.action)) {
            it.later |= std::mem::take(&mut it.lasted);
            it.what = telling_more(what(&it.action), it.what.take());
        }
    }

    /// Notes that these actions succeeded; `is_urgent` says whether clients depend on one.
    pub fn done<'a>(
        &mut self,
        actions: impl IntoIterator<Item = &'a Action>,
        occasion: Occasion,
        uptime: Duration,
        is_urgent: impl Fn(&Action) -> bool,
    ) {
        for action in actions {
            let urgent = is_urgent(action);
            match self.0.iter_mut().find(|it| it.action == *action && it.occasion == occasion) {
                Some(it) => {
                    *it = Repeated {
                        times: it.times.saturating_add(1),
                        last: uptime,
                        urgent,
                        what: it.what.take(),
                        told: std::mem::take(&mut it.told),
                        action: it.action.clone(),
                        ..*it
                    };
                }
                None => self.0.push(Repeated {
                    action: action.clone(),
                    occasion,
                    times: 1,
                    last: uptime,
                    lasted: false,
                    later: false,
                    urgent,
                    told: Vec::new(),
                    what: None,
                }),
            }
        }
    }

    /// Notes that Events tell of these actions, which took back edits of these fields. Call it after [`Contest::done`].
    pub fn tells(&mut self, undone: Vec<(Action, String)>, occasion: Occasion) {
        for (action, path) in undone {
            let of = |it: &&mut Repeated| it.action == action && it.occasion == occasion;
            self.0.iter_mut().find(of).into_iter().for_each(|it| it.told.push(path.clone()));
        }
    }

    /// Returns true if an Event said lately that this action took back an edit of this field, or if there were so many Events of
    /// it that one more would tell nothing new.
    pub fn has_told(&self, action: &Action, path: &str, occasion: Occasion) -> bool {
        let has = |it: &Repeated| it.told.len() >= TOLD || it.told.iter().any(|told| told == path);
        self.0.iter().any(|it| it.action == *action && it.occasion == occasion && has(it))
    }

    /// Returns how long this action should not be tried; `None`: go on.
    pub fn hold(&self, action: &Action, occasion: Occasion, uptime: Duration) -> Option<Duration> {
        let it = self.0.iter().find(|it| it.action == *action && it.occasion == occasion)?;
        it.pause().checked_sub(uptime.saturating_sub(it.last)).filter(|left| !left.is_zero())
    }

    /// Returns what somebody reverts again and again.
    pub fn told(&self, uptime: Duration) -> Vec<Reverted> {
        let on = self.0.iter().filter(|it| it.is_contest() && uptime < it.end());
        on.filter_map(|it| it.what.clone().map(|what| Reverted { later: it.later, ..what })).collect()
    }

    /// Returns how long until there is nothing more to tell, unless it goes on.
    pub fn ends_in(&self, uptime: Duration) -> Option<Duration> {
        let ends = self.0.iter().filter(|it| it.is_contest()).map(Repeated::end);
        ends.filter_map(|end| end.checked_sub(uptime)).min()
    }
}

#[cfg(test)]
#[path = "contest_tests.rs"]
mod tests;
