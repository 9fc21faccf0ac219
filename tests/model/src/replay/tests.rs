//! Runs of the model itself, told as runs on a real API server are told: the replay must explain each of them.

use bluegreen_api::{Color, PerColor};

use super::{Event, Look, Replay, Seen, Writer};
use crate::objects::{Object, Objects, blue_serves};
use crate::picture::{Behind, Deployed, Picture, listed};
use crate::request::Ask;
use crate::steps::{Edit, Next, Step, successors};
use crate::world::{Clock, Clocks, Mode, World};
use crate::{Bounds, Guards, Idle, Scope, story};

const BOUNDS: Bounds = Bounds {
    edits: 4,
    scope: Scope::All,
    mishaps: 0,
    faults: 3,
    takeovers: 0,
    idle: Idle::Reduced,
    prompted: true,
    deposed: crate::Deposed::Sends,
    checks: crate::Gates::None,
    from_nothing: true,
    narrow: false,
};

/// What somebody sees who watches.
fn picture(objects: &Objects) -> Picture {
    let Objects { app, service, deployments, stored, stored_long_ago: _, slices, jobs: _ } = *objects;
    Picture {
        app,
        service,
        deployments: deployments.map(|d| d.as_ref().map(Deployed::of)),
        stored,
        live: slices.live.map_or(Behind::Nothing, |(color, ready)| Behind::Pods(color, ready)),
        own: PerColor::from_fn(|color| listed(objects, color)),
    }
}

/// What a controller is about to send.
fn asked(world: &World, k: usize) -> Look {
    let asks = world.controllers[k].queue.iter().flatten().map(|request| request.ask).collect();
    Look { asks, proved: true, outside: false, last: false, slow: false }
}

/// What is seen of a step, if anything is.
fn event(before: &World, Next { step, world: after, .. }: &Next) -> Option<Event> {
    let ask = |k: usize, index: usize| before.controllers[k].queue[index].unwrap().ask;
    let changed = before.objects != after.objects;
    Some(match *step {
        Step::Begin(k) => Event::Begin(k),
        Step::Create(k) => Event::Create(k, asked(after, k)),
        Step::Refresh(k, object) => Event::Read(k, object),
        Step::Plan(k) => Event::Plan(k, asked(after, k)),
        Step::Write(k, index) if changed => {
            Event::Changed(ask(k, index).object(), Writer::Operator(k, ask(k, index)))
        }
        Step::Write(k, index) => {
            let request = before.controllers[k].queue[index].unwrap();
            if crate::server::holds(before, request, &Guards::ALL) {
                Event::Unchanged(k, request.ask)
            } else {
                Event::Refused(k, request.ask)
            }
        }
        Step::Timeout(k, index) => Event::Unanswered(k, ask(k, index)),
        Step::Crash(k, _) => Event::Crash(k),
        Step::LateCommit(index) => {
            let ask = before.late[index].unwrap().ask;
            // One that changes nothing is not to be seen.
            changed.then(|| Event::Changed(ask.object(), Writer::Late(ask)))?
        }
        Step::TakeNote(color, _) | Step::Roll(color) | Step::Recount(color) => {
            Event::Changed(Object::Deployment(color), Writer::Other)
        }
        Step::ListPods(_) | Step::MoveEndpoints => Event::Changed(Object::Slices, Writer::Other),
        Step::Edit(_) => Event::Changed(Object::App, Writer::User),
        Step::Confirm(..) | Step::Deliver(..) | Step::JobEnds(..) | Step::Mishap(_) | Step::Takeover(_) => {
            unreachable!("out of bounds")
        }
        Step::Ready(_)
        | Step::CachedLook(_)
        | Step::DrainPassed(..)
        | Step::StandbyTimer(_)
        | Step::ReadAgain(_)
        | Step::Notice(_) => return None,
    })
}

/// A life in the model, and what was seen of it.
struct Told {
    world: World,
    run: Vec<Seen>,
}

impl Told {
    fn new() -> Self {
        Self { world: World::first(&BOUNDS), run: Vec::new() }
    }

    fn nexts(&self) -> Vec<Next> {
        let mut out = Vec::new();
        successors(&self.world, &BOUNDS, &Guards::ALL, &mut out);
        out
    }

    fn take(&mut self, next: &Next) {
        if let Some(event) = event(&self.world, next) {
            let words = story::words(next.step, &self.world, &next.world);
            self.run.push(Seen { event, words, after: picture(&next.world.objects) });
        }
        self.world = next.world;
    }

    /// The first step that is wanted.
    fn step(&mut self, wanted: impl Fn(&World, &Next) -> bool) -> &mut Self {
        let nexts = self.nexts();
        let next = nexts.iter().find(|next| wanted(&self.world, next));
        let next = next.unwrap_or_else(|| panic!("no such step from {}", story::state(&self.world)));
        self.take(next);
        self
    }

    fn edit(&mut self, edit: Edit) -> &mut Self {
        self.step(|_, next| next.step == Step::Edit(edit))
    }

    /// Nothing goes wrong and nothing is late, until `holds`.
    fn until(&mut self, holds: impl Fn(&World) -> bool) -> &mut Self {
        for _ in 0..400 {
            if holds(&self.world) {
                return self;
            }
            self.step(|world, next| {
                let late = matches!(next.step, Step::LateCommit(_));
                next.fair && !late && next.world != *world
            });
        }
        panic!("not within 400 steps: {}", story::state(&self.world));
    }

    fn rests(&mut self) -> &mut Self {
        self.until(|world| {
            let mut nexts = Vec::new();
            successors(world, &BOUNDS, &Guards::ALL, &mut nexts);
            let moves = |next: &Next| next.fair && !matches!(next.step, Step::LateCommit(_));
            !nexts.iter().any(|next| moves(next) && next.world != *world)
        })
    }

    fn explained(&self) -> Result<usize, String> {
        // A real operator may look at any time.
        let bounds = Bounds { edits: 0, faults: 0, prompted: false, ..BOUNDS };
        let replay = Replay::new(bounds, Guards::ALL, &|_| false).all(&self.run);
        replay.map(|replay| replay.explained).map_err(|unexplained| unexplained.to_string())
    }
}

fn is_sent(world: &World, wanted: fn(&Ask) -> bool) -> bool {
    let sent = world.controllers[0].queue.iter().flatten();
    world.controllers[0].mode != Mode::Looking && sent.map(|request| request.ask).any(|ask| wanted(&ask))
}

/// Whatever is asked for is asked for once more after its sender gave up; then green is taken out, and the first one
/// commits after all.
fn created_late(wanted: fn(&Ask) -> bool) -> Told {
    let mut told = Told::new();
    told.until(|world| is_sent(world, wanted)).step(|world, next| match next.step {
        Step::Timeout(k, index) => world.controllers[k].queue[index].is_some_and(|r| wanted(&r.ask)),
        _ => false,
    });
    told.rests().edit(Edit::Remove(Color::Green)).rests();
    told.step(|_, next| matches!(next.step, Step::LateCommit(_))).rests();
    told
}

#[test]
fn can_a_revision_be_stored_late_that_was_deleted_with_its_color() {
    let told = created_late(|ask| matches!(ask, Ask::Store(Color::Green, ..)));
    assert_eq!(told.explained(), Ok(told.run.len()));
}

#[test]
fn can_a_deployment_be_created_late_that_was_deleted_with_its_color() {
    let told = created_late(|ask| matches!(ask, Ask::CreateDeployment(Color::Green, ..)));
    assert_eq!(told.explained(), Ok(told.run.len()));
}

/// Its own Service goes after the Deployment and before the revisions, which are left when nobody answers about it.
#[test]
fn does_a_removal_stop_at_a_service_whose_deletion_is_not_answered() {
    let mut told = Told::new();
    told.rests().edit(Edit::Remove(Color::Green));
    told.until(|world| is_sent(world, |ask| matches!(ask, Ask::DeleteDeployment(_))));
    let words = "no answer to the deletion of green's Service".to_owned();
    let event = Event::UnansweredOutside(0, Some(Color::Green));
    told.run.push(Seen { event, words, after: picture(&told.world.objects) });
    crate::driver::unknown_outside(&mut told.world.controllers[0], Some(Color::Green));
    told.rests();
    assert!(told.world.objects.stored.green[0].is_none(), "it goes on after another look");
    assert_eq!(told.explained(), Ok(told.run.len()));
}

/// Only what was asked for can arrive, and only once.
#[test]
fn is_a_late_create_that_nobody_sent_still_unexplained() {
    let told = created_late(|ask| matches!(ask, Ask::Store(Color::Green, ..)));
    let late = told.run.iter().position(|seen| matches!(seen.event, Event::Changed(_, Writer::Late(_))));
    let late = late.unwrap();
    let refused = |run: Vec<Seen>| {
        Told { world: told.world, run }.explained().unwrap_err().contains("no such request can still arrive")
    };
    let mut never_asked = told.run[..=late].to_vec();
    if let Event::Changed(_, Writer::Late(Ask::Store(_, number, _))) = &mut never_asked[late].event {
        *number += 1;
    }
    assert!(refused(never_asked));
    // Once more, after what it left was deleted again.
    let mut twice = told.run.clone();
    twice.push(told.run[late].clone());
    assert!(refused(twice));
}

/// Pods that are not available yet are counted by a Deployment that goes to zero, and are not in the model.
#[test]
fn may_a_deployment_count_more_than_the_model_only_at_size_zero() {
    let mut objects = blue_serves(Idle::Timed);
    let agrees = |objects: &Objects, color: Color, complete: bool| {
        let mut seen = picture(objects);
        seen.deployments.get_mut(color).as_mut().unwrap().complete = complete;
        seen.agrees(objects).is_ok()
    };
    assert_eq!(objects.deployments.green.map(|d| (d.replicas, d.have)), Some((0, 0)));
    assert!(agrees(&objects, Color::Green, true));
    assert!(agrees(&objects, Color::Green, false));
    assert!(!agrees(&objects, Color::Blue, false), "decisions read its counts");
    objects.deployments.green.as_mut().unwrap().have = 1;
    assert!(!agrees(&objects, Color::Green, true), "the model counts some that are not there");
    assert!(agrees(&objects, Color::Green, false));
}

impl Told {
    /// The live slices are written, and what the model does not tell is `live`.
    fn slices_written(&mut self, live: Option<Behind>) {
        self.world.touch(Object::Slices);
        let mut after = picture(&self.world.objects);
        after.live = live.unwrap_or(after.live);
        let event = Event::Changed(Object::Slices, Writer::Other);
        self.run.push(Seen { event, words: "the slices are written".to_owned(), after });
    }
}

/// The drain is over, and old pods go, when a pod is in the live slices that its color's own ones do not list any more.
fn drained_and_mixed(live: Option<Behind>) -> Told {
    let mut told = Told::new();
    told.rests().edit(Edit::Active);
    let resized = |ask: &Ask| matches!(ask, Ask::PutDeployment(Color::Blue, ..));
    // Known by what it asks for: the drain has passed.
    told.until(|world| {
        world.controllers[0].clocks.moved == Clock::Passed && world.controllers[0].mode != Mode::Looking
    });
    told.until(|world| is_sent(world, |ask| matches!(ask, Ask::PutDeployment(Color::Blue, ..))));
    told.step(|world, next| match next.step {
        Step::Write(k, index) => world.controllers[k].queue[index].is_some_and(|r| resized(&r.ask)),
        _ => false,
    });
    assert_eq!(told.world.objects.app.status.switch.map(|(_, to)| to), Some(Color::Green));
    told.step(|_, next| matches!(next.step, Step::ReadAgain(_)));
    told.slices_written(live);
    // A look at the caches meanwhile.
    told.world.controllers[0].clocks = Clocks::default();
    told.slices_written(None);
    told.rests();
    told
}

#[test]
fn do_the_drain_clocks_stop_at_a_pod_that_only_one_slice_lists() {
    let told = drained_and_mixed(Some(Behind::Both));
    assert_eq!(told.explained(), Ok(told.run.len()));
    // Without such a pod there was no reason; that the new color is short of pods is none.
    for live in [None, Some(Behind::Pods(Color::Green, 1))] {
        assert!(drained_and_mixed(live).explained().is_err(), "{live:?}");
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn does_the_replay_explain_whatever_the_model_does() {
    let (mut seen, mut late) = (0, 0);
    for seed in 1..=150_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut told = Told::new();
        for _ in 0..250 {
            let all = told.nexts();
            let (fair, other): (Vec<_>, Vec<_>) =
                all.into_iter().filter(|next| next.world != told.world).partition(|next| next.fair);
            let from = if fair.is_empty() || dice.below(25) == 0 { &other } else { &fair };
            if from.is_empty() {
                break;
            }
            told.take(&from[dice.below(from.len())]);
        }
        assert_eq!(told.explained(), Ok(told.run.len()), "seed {seed}");
        seen += told.run.len();
        let is_late = |seen: &&Seen| matches!(seen.event, Event::Changed(_, Writer::Late(_)));
        late += told.run.iter().filter(is_late).count();
    }
    println!("{seen} things seen, {late} of them late");
    assert!(late > 20, "{late}");
}
