//! Writes the status, and tells the Events and metrics that belong to its transition.

use std::time::Duration;

use super::{Context, PUT_OFF, Shell};
use crate::metrics::SwitchResult;
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Cause, CheckStatus, Color};
use bluegreen_core::AppObserver;
use bluegreen_core::apply::Outcome;
use bluegreen_core::pass::Reporting;
use bluegreen_core::status;

impl Shell<'_> {
    /// Writes the status; also returns the app's new resourceVersion. `put_off`: since when each try was put off.
    pub(super) async fn report(
        &self,
        reporting: &Reporting<AppObserver<'_>>,
        switch_began: &mut Option<(Color, Duration)>,
        put_off: &mut Option<Duration>,
    ) -> (Outcome, Option<String>) {
        let seen = &reporting.decision().snapshot.app;
        let (old, new) = (seen.status.clone().unwrap_or_default(), &reporting.status);
        let mut app = BlueGreenApp::clone(seen);
        app.status = Some(new.clone());
        let (outcome, version) = self.context.writer.status(&app).await;
        match &outcome {
            Outcome::Done => {
                for note in status::events(&old, new) {
                    tracing::info!(reason = note.reason, note = note.note, "transition");
                    self.context.events.publish(&app, note);
                }
                let uptime = self.context.clock.now().uptime;
                record_switch(self.context, switch_began, uptime, &old, new);
                record_checks(self.context, &old, new);
            }
            // The status can't say it.
            Outcome::Refused(words) | Outcome::Failed(words) | Outcome::Unknown(words) => {
                tracing::warn!(words, "the status was not written");
                self.context.events.status_not_written(&app, words.clone());
            }
            Outcome::Stale | Outcome::Later(_) => {
                let now = self.context.clock.now().uptime;
                if now.saturating_sub(*put_off.get_or_insert(now)) >= PUT_OFF {
                    self.context.events.status_not_written(&app, words_of_delay(&outcome).to_owned());
                }
            }
            Outcome::Gone | Outcome::NotLeading => {}
        }
        if !matches!(outcome, Outcome::Stale | Outcome::Later(_)) {
            *put_off = None;
        }
        (outcome, version)
    }
}

/// Why a status waits, as a person is told.
fn words_of_delay(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Later(_) => {
            "The status can't be written: for seconds, the API server has answered each try with 429 (too many requests)"
        }
        Outcome::Stale
        | Outcome::Done
        | Outcome::Gone
        | Outcome::Refused(_)
        | Outcome::Failed(_)
        | Outcome::Unknown(_)
        | Outcome::NotLeading => {
            "The status can't be written: for seconds, each try has met a conflict (409). Another client changes the app all the \
             time, or a proxy in front of the API server answers 409"
        }
    }
}

/// Counts the checks that have got their verdict, and a switch that was taken back because of one.
fn record_checks(context: &Context, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) {
    let is_known = |check: &&CheckStatus| {
        old.checks
            .iter()
            .any(|was| (&was.name, &was.job, was.result) == (&check.name, &check.job, check.result))
    };
    for check in new.checks.iter().filter(|check| check.result.is_final() && !is_known(check)) {
        context.metrics.record_check(check.when, check.result);
    }
    let last = new.history.first().filter(|_| old.active != new.active);
    if last.is_some_and(|last| last.cause == Cause::Check) {
        context.metrics.record_switch_back();
    }
}

/// Counts a switch that ended. It is timed by this process' own clock: the status has whole seconds, so a switch whose
/// beginning another process saw is counted and not timed.
fn record_switch(
    context: &Context,
    began: &mut Option<(Color, Duration)>,
    uptime: Duration,
    old: &BlueGreenAppStatus,
    new: &BlueGreenAppStatus,
) {
    let name = |color: Option<Color>| color.map_or("none", Color::as_str);
    let target = |status: &BlueGreenAppStatus| status.switch.as_ref().map(|switch| switch.to);
    if let Some(to) = target(new)
        && target(old) != Some(to)
        // A switch that was made before its first report has no beginning that anybody saw.
        && new.active != Some(to)
    {
        *began = Some((to, uptime));
    }
    if let Some(to) = new.active
        && old.active != Some(to)
    {
        let took = began.filter(|(of, _)| *of == to).map(|(_, began)| uptime.saturating_sub(began));
        context.metrics.record_switch(name(old.active), to.as_str(), SwitchResult::Succeeded, took);
        *began = None;
    } else if let Some(switch) = &old.switch
        && old.active != Some(switch.to)
        && target(new) != Some(switch.to)
    {
        context.metrics.record_switch(name(switch.from), switch.to.as_str(), SwitchResult::Canceled, None);
    }
}
