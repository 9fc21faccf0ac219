//! What only an all-seeing eye knows of checks, and what a step would break.

use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};

use super::{Gates, Identity, Job, Jobs, Noted, Refused, bit};
use crate::Guards;
use crate::driver::Broken;
use crate::objects::{Objects, Status};
use crate::world::World;

/// The color that should be live, in the model's own words: for the end of a run.
pub(crate) fn wanted(objects: &Objects) -> Color {
    let app = &objects.app;
    let committed = objects.service.and_then(|service| service.committed);
    let refused = app.status.checks.refused.filter(|refused| {
        let is_same = *app.tags.get(refused.color) == refused.tag && *app.present.get(refused.color);
        let has_way_back = refused.when == CheckTime::Before || *app.present.get(refused.color.other());
        app.active == refused.color && app.checks.lenient == refused.lenient && is_same && has_way_back
    });
    match refused {
        None => app.active,
        Some(Refused { when: CheckTime::After, color, .. }) => color.other(),
        Some(_) => committed.unwrap_or(app.active),
    }
}

/// What was refused stays live, because the other color is under suspicion, too: a person decides.
pub(crate) fn has_no_way_back(objects: &Objects) -> bool {
    let status = &objects.app.status.checks;
    let is_suspect = |color: Color| {
        let serves = crate::facts::served(objects, color);
        let newest = crate::facts::newest(objects, color);
        newest.is_none_or(|newest| newest != serves || newest == *status.unproven.get(color))
    };
    let committed = objects.service.and_then(|service| service.committed);
    status.refused.is_some_and(|refused| {
        refused.when == CheckTime::After
            && committed == Some(refused.color)
            && is_suspect(refused.color.other())
    })
}

/// What was refused stays live, although nothing has found the other color to be bad.
pub(crate) fn misses_way_back(world: &World) -> bool {
    let objects = &world.objects;
    let Some(other) = objects.app.status.checks.refused.map(|refused| refused.color.other()) else {
        return false;
    };
    let serves = crate::facts::served(objects, other);
    has_no_way_back(objects)
        && !world.proof.lenient
        && crate::facts::newest(objects, other) == Some(serves)
        && world.proof.cleared.get(other) & bit(serves) != 0
}

/// A recorded rejection is an end, too, if nothing could be done about it.
pub(crate) fn is_refused(objects: &Objects) -> bool {
    objects.app.status.checks.refused.is_some()
}

/// What a commit of this color would break.
pub(crate) fn broken_by_switch(world: &World, to: Color, revision: u8) -> Option<Broken> {
    let app = &world.objects.app;
    let proof = &world.proof;
    if app.checks.gates == Gates::None || proof.lenient {
        return None;
    }
    let is_cleared = proof.cleared.get(to) & bit(revision) != 0;
    let has_passed = proof.passed.get(to) & bit(revision) != 0;
    (app.checks.gates.has(CheckTime::Before) && !is_cleared && !has_passed)
        .then_some("a switch committed onto a revision that had neither passed its check nor served well")
}

/// What a decision to switch must never be.
pub(crate) fn broken_by_decision(
    seen: &Objects,
    to: Color,
    live: Option<Color>,
    world: &World,
) -> Option<Broken> {
    let proof = &world.proof;
    if to == seen.app.active || proof.lenient {
        return None;
    }
    let refused = seen.app.status.checks.refused;
    let is_failure = |it: &Refused| {
        (it.when, it.result, it.color) == (CheckTime::After, CheckResult::Failed, to.other())
            && proof.failed.get(it.color) & bit(it.revision) != 0
    };
    if live == Some(to.other()) && !refused.as_ref().is_some_and(is_failure) {
        return Some("a switch that nobody asked for, without a check that had failed");
    }
    let runs = seen.deployments.get(to).map_or(0, |deployment| deployment.revision);
    (proof.cleared.get(to) & bit(runs) == 0)
        .then_some("a switch that nobody asked for, to a revision whose check was not over, or had failed")
}

/// A verdict is about the Job that gave it. Where a guard is taken out that lies about verdicts, what that leads to is to show.
pub(crate) fn broken_by_report(seen: &Objects, told: &Status, guards: &Guards) -> Option<Broken> {
    if !guards.verdict || !guards.inconclusive {
        return None;
    }
    let known = |noted: &Noted| {
        let before = seen.app.status.checks.noted.into_iter().flatten().any(|it| it == *noted);
        let says = |jobs: Jobs| match jobs.get(noted.of) {
            Some(job) => job.result == noted.result,
            // Its Jobs are gone.
            None => noted.result == CheckResult::Inconclusive,
        };
        before || seen.jobs.is_none_or(says)
    };
    let mut verdicts = told.checks.noted.into_iter().flatten().filter(|it| it.result.is_final());
    (!verdicts.all(|noted| known(&noted)))
        .then_some("a verdict was recorded that no Job of that switch had given")
}

/// A change of the old color while the check after the switch may still take it back.
pub(crate) fn broken_by_change(world: &World, color: Color, changes: bool) -> Option<Broken> {
    let proof = &world.proof;
    (changes && proof.watched == Some(color.other()) && !proof.lenient)
        .then_some("the old color was changed before the check after the switch had its verdict")
}

/// The Service was made to select a color.
pub(crate) fn switched(world: &mut World, to: Color, revision: u8, from: Option<Color>) {
    let gates = world.objects.app.checks.gates;
    if gates == Gates::None {
        return;
    }
    if !gates.has(CheckTime::After) {
        *world.proof.cleared.get_mut(to) |= bit(revision);
    }
    let is_cleared = world.proof.cleared.get(to) & bit(revision) != 0;
    let app = &world.objects.app;
    let goes_back = from.is_some_and(|from| from != to && *app.present.get(from)) && app.active == to;
    world.proof.watched = (!is_cleared && goes_back && !app.paused).then_some(to);
}

/// The user has edited the spec, so that there may be nothing to go back to, or nothing to wait for.
pub(crate) fn edited(world: &mut World, before: &crate::objects::App) {
    let app = &mut world.objects.app;
    if app.checks.gates == Gates::None {
        return;
    }
    app.checks.generation += 1;
    world.proof.lenient |= app.checks.lenient;
    // A pause, an edit of the live color's pods and the loss of the other color's block end the watch, too.
    let ends = app.active != before.active
        || app.present != before.present
        || app.rolling != before.rolling
        || app.paused != before.paused;
    if ends {
        world.proof.watched = None;
    }
}

/// The status was written.
pub(crate) fn reported(world: &mut World) {
    let (app, proof) = (&world.objects.app, &mut world.proof);
    if app.checks.gates == Gates::None {
        return;
    }
    if app.paused && app.status.observed && app.status.settled {
        proof.passed = PerColor::default();
    }
    let [_, after] = app.status.checks.noted;
    if let Some(Noted { of, result }) = after {
        proof.noted(of, result);
    }
    if after.is_some_and(|after| after.result.is_final() && Some(after.of.color) == proof.watched) {
        proof.watched = None;
    }
}

/// Every way in which a Job may end.
pub(crate) fn ends(world: &World) -> Vec<(Identity, CheckResult, World)> {
    let results = [CheckResult::Passed, CheckResult::Failed, CheckResult::Inconclusive];
    let jobs = world.objects.jobs.iter().flat_map(|jobs| jobs.0).flatten();
    let running: Vec<Job> = jobs.filter(|job| !job.result.is_final()).collect();
    let end = |job: &Job, result: CheckResult| {
        let mut next = *world;
        for slot in next.objects.jobs.iter_mut().flat_map(|jobs| jobs.0.iter_mut()).flatten() {
            if slot.of == job.of {
                slot.result = result;
            }
        }
        next.proof.ended(job.of, result);
        next.touch(crate::objects::Object::Jobs);
        (job.of, result, next)
    };
    running.iter().flat_map(|job| results.map(|result| end(job, result))).collect()
}

/// Somebody deletes a Job.
pub(crate) fn deleted(world: &mut World, of: Identity) {
    if let Some(jobs) = &mut world.objects.jobs {
        jobs.remove(of);
    }
    world.touch(crate::objects::Object::Jobs);
}
