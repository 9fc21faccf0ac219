//! Checks in the model: one before a switch, one after it, each a Job that ends as it likes.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};
use bluegreen_core::plan::verdicts;
use bluegreen_core::plan::{
    CheckFacts, CheckJob, Checks, ColorFacts, Live, Observed, Plan, Rejected, Run, Verdict,
};
use bluegreen_core::status::record;
use clap::ValueEnum;

use crate::Guards;
use crate::driver::Broken;
use crate::objects::{Objects, Status};
use crate::world::World;

/// Which checks the app has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Gates {
    /// None.
    #[default]
    None,
    /// One before the switch.
    Before,
    /// One after the switch.
    After,
    /// One of each.
    Both,
}

impl Gates {
    fn has(self, when: CheckTime) -> bool {
        match (self, when) {
            (Self::None, _) | (Self::Before, CheckTime::After) | (Self::After, CheckTime::Before) => false,
            (Self::Before | Self::Both, CheckTime::Before) | (Self::After | Self::Both, CheckTime::After) => {
                true
            }
        }
    }

    /// The times at which there is a check, in the order of the spec.
    pub(crate) fn times(self) -> impl Iterator<Item = CheckTime> {
        [CheckTime::Before, CheckTime::After].into_iter().filter(move |when| self.has(*when))
    }
}

/// As many Jobs as there may be at a time.
const JOBS: usize = 6;

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Before the switch, or after it.
    pub when: CheckTime,
    /// The color.
    pub color: Color,
    /// Its revision.
    pub revision: u8,
    /// The generation that the switch was recorded at.
    pub generation: u8,
    /// The first Job of it, or the second.
    pub attempt: u8,
}

/// A Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// What it is about: its name.
    pub of: Identity,
    /// What it says.
    pub result: CheckResult,
}

/// The Jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jobs(pub [Option<Job>; JOBS]);

/// Most states have none.
impl Hash for Jobs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().flatten().for_each(|job| job.hash(state));
        state.write_u8(u8::MAX);
    }
}

impl Jobs {
    pub(crate) fn get(&self, of: Identity) -> Option<&Job> {
        self.0.iter().flatten().find(|job| job.of == of)
    }

    pub(crate) fn add(&mut self, of: Identity) {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Job { of, result: CheckResult::Running });
        }
        self.sort();
    }

    pub(crate) fn remove(&mut self, of: Identity) {
        for slot in &mut self.0 {
            *slot = slot.filter(|job| job.of != of);
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|slot| slot.map_or((true, None), |job| (false, Some(job.of))));
    }
}

/// What the spec says of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Which checks there are.
    pub gates: Gates,
    /// The app's generation; kept only where there are checks.
    pub generation: u8,
    /// `enforce: false`.
    pub lenient: bool,
}

/// What the status says of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Noted {
    /// What it is about; its attempt is the number of Jobs so far.
    pub of: Identity,
    /// What it has found.
    pub result: CheckResult,
}

/// What the status says was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    color: Color,
    revision: u8,
    generation: u8,
    /// What the color's block held.
    tag: u8,
    lenient: bool,
    when: CheckTime,
    result: CheckResult,
}

/// What the status says of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// `status.switch.generation`.
    pub generation: u8,
    /// `status.checks`: before, and after.
    pub noted: [Option<Noted>; 2],
    /// `status.rejected`.
    pub refused: Option<Refused>,
    /// `unprovenRevision` of each color; zero for none.
    pub unproven: PerColor<u8>,
}

/// Most statuses say nothing of checks.
impl Hash for Reported {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if *self != Self::default() {
            let Self { generation, noted, refused, unproven } = self;
            (generation, noted, refused, unproven).hash(state);
        }
        state.write_u8(u8::MAX);
    }
}

/// What only an all-seeing eye knows: each a set of a color's revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Those that are proven: they were live, and passed the check after that switch.
    pub proven: PerColor<u8>,
    /// Those that a Job before the switch has passed, since the last pause that the status tells of.
    pub passed: PerColor<u8>,
    /// Those that a Job after the switch has refused.
    pub failed: PerColor<u8>,
    /// The color that has just been made live, while its check may still take that back.
    pub watched: Option<Color>,
    /// Somebody has set `enforce: false` at some time: then nothing is promised of checks.
    pub lenient: bool,
}

/// Nothing of it matters where there are no checks.
impl Hash for Proof {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if *self != Self::default() {
            let Self { proven, passed, failed, watched, lenient } = self;
            (proven, passed, failed, watched, lenient).hash(state);
        }
        state.write_u8(u8::MAX);
    }
}

fn bit(revision: u8) -> u8 {
    1_u8.checked_shl(u32::from(revision)).unwrap_or(0)
}

impl Proof {
    /// Blue serves, and is proven.
    pub(crate) fn first(gates: Gates, from_nothing: bool) -> Self {
        if gates == Gates::None || from_nothing {
            return Self::default();
        }
        Self { proven: PerColor { blue: bit(1), green: 0 }, ..Self::default() }
    }

    /// A Job has ended so.
    pub(crate) fn ended(&mut self, of: Identity, result: CheckResult) {
        let set = match (of.when, result) {
            (CheckTime::Before, CheckResult::Passed) => &mut self.passed,
            (CheckTime::After, CheckResult::Passed) => &mut self.proven,
            (CheckTime::After, CheckResult::Failed) => &mut self.failed,
            _ => return,
        };
        *set.get_mut(of.color) |= bit(of.revision);
    }
}

/// As `observe::checks`.
pub(crate) fn facts(seen: &Objects, colors: &PerColor<ColorFacts>, live: Live, guards: &Guards) -> Checks {
    let (asked, status) = (seen.app.checks, seen.app.status.checks);
    if asked.gates == Gates::None {
        return Checks::default();
    }
    let current = |color: Color| {
        let current = colors.get(color).current.map_or(0, |current| current.number);
        u8::try_from(current).unwrap_or(u8::MAX)
    };
    let refused =
        status.refused.filter(|refused| guards.latch && stands(seen, refused, live, current(refused.color)));
    let run = run(seen, refused, live, current);
    let all = asked.gates.times().map(|when| check(seen, run, when, guards)).collect();
    let number = |number: u8| (number > 0 && guards.unproven).then(|| i64::from(number));
    Checks {
        full: false,
        run: run.map(|(run, _)| Run { guarded: run.guarded && guards.watch, ..run }),
        all,
        rejected: refused.map(|Refused { color, when, result, .. }| Rejected { color, when, result }),
        unproven: status.unproven.map(number),
        // Without the guard, the Jobs of an earlier switch are of use.
        strays: if guards.identity { u8::try_from(strays(seen, run).len()).unwrap_or(u8::MAX) } else { 0 },
    }
}

fn stands(seen: &Objects, refused: &Refused, live: Live, current: u8) -> bool {
    let Refused { color, revision, tag, lenient, when, .. } = *refused;
    let app = &seen.app;
    if when == CheckTime::After && !*app.present.get(color.other()) {
        return false;
    }
    let is_same = *app.present.get(color) && *app.tags.get(color) == tag;
    let serves = live.color() == Some(color) && current == revision;
    app.active == color && app.checks.lenient == lenient && (is_same || serves)
}

/// What the checks are about, with the generation.
fn run(
    seen: &Objects,
    refused: Option<Refused>,
    live: Live,
    current: impl Fn(Color) -> u8,
) -> Option<(Run, u8)> {
    let status = &seen.app.status;
    let of = |color, revision: u8, generation: u8, open, guarded| {
        let run =
            Run { color, revision: i64::from(revision), generation: i64::from(generation), open, guarded };
        Some((run, revision))
    };
    if let Some(Refused { color, revision, generation, .. }) = refused {
        return of(color, revision, generation, false, false);
    }
    if let Some((from, to)) = status.switch {
        let guarded = from.is_some_and(|from| from != to && *seen.app.present.get(from));
        return (current(to) > 0).then(|| of(to, current(to), status.checks.generation, true, guarded))?;
    }
    let last = status.checks.noted.into_iter().flatten().next()?.of;
    let is_live = live.color() == Some(last.color) && current(last.color) == last.revision;
    if is_live { of(last.color, last.revision, last.generation, false, false) } else { None }
}

fn identity(run: (Run, u8), when: CheckTime, attempt: u8) -> Identity {
    let (Run { color, generation, .. }, revision) = run;
    Identity { when, color, revision, generation: u8::try_from(generation).unwrap_or(u8::MAX), attempt }
}

fn noted(status: &Status, run: (Run, u8), when: CheckTime) -> Option<Noted> {
    let all = status.checks.noted.into_iter().flatten();
    all.into_iter().find(|noted| noted.of == identity(run, when, noted.of.attempt))
}

fn check(seen: &Objects, run: Option<(Run, u8)>, when: CheckTime, guards: &Guards) -> CheckFacts {
    let recorded = run.and_then(|run| noted(&seen.app.status, run, when)).map(|noted| Verdict {
        result: noted.result,
        attempts: noted.of.attempt,
        left: Duration::from_secs(600),
    });
    let passed = Verdict { result: CheckResult::Passed, attempts: 1, left: Duration::from_secs(600) };
    let lie = !guards.verdict && when == CheckTime::Before;
    CheckFacts {
        when,
        enforced: !seen.app.checks.lenient,
        recorded: if lie { Some(passed) } else { recorded },
        job: run.map_or(CheckJob::Absent, |run| job(seen, run, when, guards)),
    }
}

fn job(seen: &Objects, run: (Run, u8), when: CheckTime, guards: &Guards) -> CheckJob {
    let Some(jobs) = &seen.jobs else { return CheckJob::Unread };
    let of_run = |attempt: u8| {
        let of = identity(run, when, attempt);
        let is_it = |job: &&Job| {
            // Without the guard, a verdict of an earlier switch counts.
            let generation = if guards.identity { of.generation } else { job.of.generation };
            job.of == Identity { generation, ..of }
        };
        jobs.0.iter().flatten().find(is_it).map(|job| (attempt, *job))
    };
    let newest = [2, 1].into_iter().find_map(of_run);
    newest.map_or(CheckJob::Absent, |(attempt, Job { of: _, result })| {
        let cannot_tell = result == CheckResult::Inconclusive && !guards.inconclusive;
        CheckJob::Ours { attempt, result: if cannot_tell { CheckResult::Failed } else { result } }
    })
}

/// The Jobs that nothing needs any more.
pub(crate) fn strays(seen: &Objects, run: Option<(Run, u8)>) -> Vec<Identity> {
    let is_needed = |job: &Job| {
        let is_over =
            |run| noted(&seen.app.status, run, job.of.when).is_some_and(|noted| noted.result.is_final());
        run.is_some_and(|run| {
            let is_kept = job.result.is_final() || !is_over(run);
            is_kept && job.of == identity(run, job.of.when, job.of.attempt)
        })
    };
    seen.jobs
        .iter()
        .flat_map(|jobs| jobs.0)
        .flatten()
        .filter(|job| !is_needed(job))
        .map(|job| job.of)
        .collect()
}

/// The Job that an action creates.
pub(crate) fn created(seen: &Objects, facts: &Observed, check: u8, attempt: u8) -> Option<Identity> {
    let when = seen.app.checks.gates.times().nth(usize::from(check))?;
    let run = facts.checks.run?;
    Some(identity((run, u8::try_from(run.revision).ok()?), when, attempt))
}

/// The Job that an action deletes.
pub(crate) fn dropped(seen: &Objects, facts: &Observed, stray: u8) -> Option<Identity> {
    let run = facts.checks.run.and_then(|run| Some((run, u8::try_from(run.revision).ok()?)));
    strays(seen, run).get(usize::from(stray)).copied()
}

/// As `status::checks`, with the switch that is to be recorded.
pub(crate) fn report(
    seen: &Objects,
    facts: &Observed,
    plan: &Plan,
    switch: Option<(Option<Color>, Color)>,
) -> Reported {
    let app = &seen.app;
    if app.checks.gates == Gates::None {
        return Reported::default();
    }
    let old = &app.status;
    let kept = old.switch.is_some_and(|old| Some(old) == switch).then(|| i64::from(old.checks.generation));
    let generation = switch.map_or(0, |_| record::generation(kept, plan, i64::from(app.checks.generation)));
    let entries = verdicts::entries(facts, plan, None);
    let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
    let run = facts.checks.run.map(|run| (run, small(run.revision)));
    let mut noted = [None; 2];
    for (when, entry) in app.checks.gates.times().zip(&entries) {
        let slot = &mut noted[usize::from(when == CheckTime::After)];
        *slot = run
            .zip(*entry)
            .map(|(run, entry)| Noted { of: identity(run, when, entry.attempts), result: entry.result });
    }
    let refused = verdicts::refusal(facts, plan, &entries).zip(run).map(|((_, rejected), run)| {
        let Rejected { color, when, result } = rejected;
        let stored = crate::facts::kept(seen, color, run.1);
        let tag = stored.map_or(0, |kept| kept.content / 2);
        let Identity { revision, generation, .. } = identity(run, when, 1);
        Refused { color, revision, generation, tag, lenient: app.checks.lenient, when, result }
    });
    let number = |number: Option<i64>| number.map_or(0, small);
    Reported {
        generation: small(generation),
        noted,
        refused: old.checks.refused.filter(|_| facts.checks.rejected.is_some()).or(refused),
        unproven: verdicts::unproven(facts, plan, &entries).map(number),
    }
}

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

/// What was refused stays live, because nothing else is proven: a person decides.
pub(crate) fn has_no_way_back(objects: &Objects) -> bool {
    let status = &objects.app.status.checks;
    let is_suspect = |color: Color| {
        let serves = crate::facts::served(objects, color);
        let newest = crate::facts::newest(objects.stored.get(color));
        newest.is_none_or(|newest| newest != serves || newest == *status.unproven.get(color))
    };
    let committed = objects.service.and_then(|service| service.committed);
    status.refused.is_some_and(|refused| {
        refused.when == CheckTime::After
            && committed == Some(refused.color)
            && is_suspect(refused.color.other())
    })
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
    let is_proven = proof.proven.get(to) & bit(revision) != 0;
    let has_passed = proof.passed.get(to) & bit(revision) != 0;
    (app.checks.gates.has(CheckTime::Before) && !is_proven && !has_passed)
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
    (proof.proven.get(to) & bit(runs) == 0)
        .then_some("a switch that nobody asked for, to a revision that is not proven")
}

/// A verdict is about the Job that gave it. Where a guard is taken out that lies about verdicts, what that leads to is to show.
pub(crate) fn broken_by_report(seen: &Objects, told: &Status, guards: &Guards) -> Option<Broken> {
    if !guards.verdict || !guards.inconclusive {
        return None;
    }
    let known = |noted: &Noted| {
        let before = seen.app.status.checks.noted.into_iter().flatten().any(|it| it == *noted);
        let says = |job: &&Job| job.of == noted.of && job.result == noted.result;
        before || seen.jobs.is_none_or(|jobs| jobs.0.iter().flatten().any(|job| says(&job)))
    };
    let verdicts = told.checks.noted.into_iter().flatten();
    let mut decided = verdicts.filter(|it| matches!(it.result, CheckResult::Passed | CheckResult::Failed));
    (!decided.all(|noted| known(&noted)))
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
        *world.proof.proven.get_mut(to) |= bit(revision);
    }
    let is_proven = world.proof.proven.get(to) & bit(revision) != 0;
    let app = &world.objects.app;
    let goes_back = from.is_some_and(|from| from != to && *app.present.get(from)) && app.active == to;
    world.proof.watched = (!is_proven && goes_back && !app.paused).then_some(to);
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
