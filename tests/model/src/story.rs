//! A path in words.

use std::fmt::{self, Write};

use bluegreen_api::Color;

use crate::checks::Identity;
use crate::explore::Counterexample;
use crate::objects::{Object, Status};
use crate::request::{Ask, Request, Why};
use crate::steps::{Edit, Mishap, Note, Step};
use crate::world::{Clock, World};

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = &self.first;
        let mut last = String::new();
        for (number, (step, after)) in self.path.iter().enumerate() {
            writeln!(f, "{:>3}. {}", number + 1, words(*step, before, after))?;
            let now = state(after);
            if now != last {
                writeln!(f, "       {now}")?;
            }
            (before, last) = (after, now);
        }
        write!(f, "  => {}", self.broken)
    }
}

fn name(k: usize) -> char {
    if k == 0 { 'A' } else { 'B' }
}

pub(crate) fn words(step: Step, before: &World, after: &World) -> String {
    let queued =
        |k: usize, index: usize| before.controllers[k].queue[index].map_or_else(String::new, request);
    match step {
        Step::Begin(k) => format!("{} begins to read", name(k)),
        Step::Create(k) => format!("{} creates a new app on what its watches have told", name(k)),
        Step::Confirm(k, to) => format!("{} begins to read by name, to confirm a switch to {to}", name(k)),
        Step::Deliver(k, object) => format!("{}'s watches tell all of {}", name(k), object_name(object)),
        Step::Refresh(k, object) => format!("{} reads {} as it is now", name(k), object_name(object)),
        Step::ReadAgain(k) => format!("{} does not go on without another read", name(k)),
        Step::Plan(k) => {
            let queue: Vec<_> = after.controllers[k].queue.into_iter().flatten().map(request).collect();
            let queue = if queue.is_empty() { "nothing to do".to_owned() } else { queue.join(", ") };
            format!("{} plans: {queue}", name(k))
        }
        Step::Write(k, index) => {
            let done = before.objects != after.objects;
            let outcome = if done { "is carried out" } else { "changes nothing or is refused" };
            format!("{}'s request to {} {outcome}", name(k), queued(k, index))
        }
        Step::Timeout(k, index) => {
            format!("{} hears nothing of its request to {}", name(k), queued(k, index))
        }
        Step::CachedLook(k) => format!("{} sees in its caches that a drain clock must stop", name(k)),
        Step::Notice(k) => format!("{} learns that it leads no more", name(k)),
        Step::Crash(k, true) => format!("{} crashes with its request on the way, and leads again", name(k)),
        Step::Crash(k, false) => format!("{} crashes and leads again", name(k)),
        Step::Takeover(k) => format!("{} takes the lead; {} does not know yet", name(k), name(1 - k)),
        Step::LateCommit(i) => {
            format!("late, the request to {} commits", before.late[i].map_or_else(String::new, request))
        }
        Step::Ready(color) => format!("{color}'s pods turn ready"),
        Step::TakeNote(color, Note::CountsLeaving) => {
            format!("{color}'s Deployment has seen its newest generation, and still counts a pod that leaves")
        }
        Step::TakeNote(color, _) => {
            format!("{color}'s Deployment says that it has seen its newest generation")
        }
        Step::Roll(color) => format!("{color}'s pods are available, and its Deployment says so"),
        Step::Recount(color) => format!("{color}'s Deployment finds fewer pods than it had counted"),
        Step::ListPods(color) => format!("{color}'s own slices follow its pods"),
        Step::MoveEndpoints => "the live slices follow the Service".to_owned(),
        Step::DrainPassed(k, true) => format!("{}'s drain clocks reach the drain", name(k)),
        Step::DrainPassed(k, false) => format!("{}'s clock of the cleared slices reaches the drain", name(k)),
        Step::JobEnds(of, result) => format!("the Job {} ends: {}", job(of), result.as_str()),
        Step::StandbyTimer(color) => format!("{color}'s standby timer runs out"),
        Step::Edit(edit) => format!("the user sets {}", edit_words(edit, after)),
        Step::Mishap(mishap) => mishap_words(mishap),
    }
}

fn edit_words(edit: Edit, after: &World) -> String {
    let app = &after.objects.app;
    match edit {
        Edit::Active => format!("active: {}", app.active),
        Edit::Tag(color, tag) => format!("{color}.tag: v{tag}"),
        Edit::Both(tag) => format!("active: {} and {}.tag: v{tag}", app.active, app.active),
        Edit::Enforce => format!("enforce: {}", !app.checks.lenient),
        Edit::Shared => format!("a shared field to {}", app.shared),
        Edit::Pause => format!("paused: {}", app.paused),
        Edit::Replicas(_) => format!("replicas: {}", app.replicas),
        Edit::Policy => {
            format!("activeUpdatePolicy: {}", if app.rolling { "RollingUpdate" } else { "Freeze" })
        }
        Edit::Remove(color) => format!("no {color} any more"),
        Edit::Leave => format!("active: {} and no {} any more", app.active, app.active.other()),
        Edit::Return(color, tag) => format!("{color} again, with tag: v{tag}"),
    }
}

fn mishap_words(mishap: Mishap) -> String {
    match mishap {
        Mishap::ServiceDeleted => "somebody deletes the live Service".to_owned(),
        Mishap::DeploymentDeleted(color) => format!("somebody deletes {color}'s Deployment"),
        Mishap::SelectorEdited => "somebody edits the live Service's selector".to_owned(),
        Mishap::ImageEdited(color) => format!("somebody sets another image on {color}'s Deployment"),
        Mishap::JobDeleted(of) => format!("somebody deletes the Job {}", job(of)),
        Mishap::Unready(color) => format!("{color}'s pods turn unready"),
    }
}

pub(crate) fn object_name(object: Object) -> String {
    match object {
        Object::App => "the app".to_owned(),
        Object::Service => "the Service".to_owned(),
        Object::Deployment(color) => format!("{color}'s Deployment"),
        Object::Stored => "the revisions".to_owned(),
        Object::Slices => "the EndpointSlices".to_owned(),
        Object::Jobs => "the Jobs".to_owned(),
    }
}

pub(crate) fn request(request: Request) -> String {
    match request.ask {
        Ask::CreateService(_) => "create the Service".to_owned(),
        Ask::PutService(service, Why::Switch) => format!("switch to {:?}", service.selects),
        Ask::PutService(service, Why::Promote) => {
            format!("commit revisions {} and {} of blue and green", service.served.blue, service.served.green)
        }
        Ask::PutService(service, Why::Restore) => format!("restore {:?}", service.selects),
        Ask::StampService(token) => format!("stamp the Service {}.{}", token.epoch, token.attempt),
        Ask::CreateDeployment(color, revision, _, size, _) => {
            format!("create {color}'s Deployment (revision {revision}, {size} pods)")
        }
        Ask::PutDeployment(color, revision, _, size, _) => {
            format!("edit {color}'s Deployment (revision {revision}, {size} pods)")
        }
        Ask::StampDeployment(color, token) => {
            format!("stamp {color}'s Deployment {}.{}", token.epoch, token.attempt)
        }
        Ask::Store(color, number, kept) => {
            format!("store {color}'s revision {number} (v{}, shared {})", kept.content / 2, kept.content % 2)
        }
        Ask::Drop(color, number) => format!("delete {color}'s revision {number}"),
        Ask::RunJob(of) => format!("create the Job {}", job(of)),
        Ask::DropJob(of) => format!("delete the Job {}", job(of)),
        Ask::DeleteDeployment(color) => format!("delete {color}'s Deployment"),
        Ask::Status(status, _) => format!("report {}", status_words(&status)),
    }
}

fn status_words(status: &Status) -> String {
    let color = |color: Option<Color>| color.map_or("none", Color::as_str);
    let mut words = format!("active {}", color(status.active));
    if let Some((from, to)) = status.switch {
        let _ = write!(words, ", switch {} to {to}", color(from));
    }
    for noted in status.checks.noted.iter().flatten() {
        let _ = write!(words, ", {} {}", job(noted.of), noted.result.as_str());
    }
    if status.checks.refused.is_some() {
        words.push_str(", refused");
    }
    if status.observed && status.settled {
        words.push_str(", settled");
    }
    words
}

/// A Job by what it is about.
fn job(of: Identity) -> String {
    let Identity { when, color, revision, generation, attempt } = of;
    format!("{} {color} r{revision} of edit {generation}, no. {attempt}", when.as_str())
}

/// The cluster in one line.
pub(crate) fn state(world: &World) -> String {
    let objects = &world.objects;
    let mut line = match objects.service {
        Some(s) => format!("Service {:?} {}.{}", s.selects, s.token.epoch, s.token.attempt),
        None => "no Service".to_owned(),
    };
    for color in Color::ALL {
        let _ = match objects.deployments.get(color) {
            Some(d) => write!(
                line,
                "; {color} r{} {}/{} pods{}{} {}.{}",
                d.revision,
                d.pods,
                d.replicas,
                if d.observed { "" } else { " (not observed)" },
                if world.truth.get(color).exposed { " (exposed)" } else { "" },
                d.token.epoch,
                d.token.attempt
            ),
            None => write!(line, "; no {color}"),
        };
    }
    let _ = write!(line, "; status: {}", status_words(&objects.app.status));
    for (k, controller) in world.controllers.iter().enumerate() {
        let clock = |clock: Clock| match clock {
            Clock::Stopped => "-",
            Clock::Running { .. } => "runs",
            Clock::Passed => "over",
        };
        if controller.clocks.color.is_some() {
            let _ = write!(
                line,
                "; {} moved {} cleared {}",
                name(k),
                clock(controller.clocks.moved),
                clock(controller.clocks.cleared)
            );
        }
    }
    line
}
