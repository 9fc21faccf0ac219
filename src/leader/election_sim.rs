//! A simulation that asks whether two processes can ever lead at once. It has an API server, processes whose clocks
//! run at different speeds, and requests that are delayed, lost, answered late, or carried out after their sender has
//! given up.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use proptest::{prelude::*, strategy::ValueTree};

use super::*;

/// Milliseconds of true time. No process can see it.
type Ms = u64;

#[derive(Clone, Copy, Default)]
struct Chaos {
    /// Processes crash and are replaced by new ones. Processes that stop by themselves are replaced, too.
    restarts: bool,
    /// Somebody deletes the Lease, after both processes have seen it.
    deletions: bool,
    /// The API server accepts every write, whatever version it is based on.
    no_preconditions: bool,
}

/// The result of a run.
#[derive(Debug, Default)]
struct Verdict {
    overlap: Option<String>,
    reused_term: Option<String>,
    /// How often a process became leader.
    terms: usize,
    leads_at_the_end: bool,
}

struct Process {
    identity: String,
    state: State,
    /// What the process's clock shows at true time 0.
    base: Instant,
    /// Milliseconds of the process's clock for each 1000 of true time.
    speed: u64,
    /// The number of what it waits for. Anything else that arrives is stale.
    turn: u64,
    /// The uid of the Lease that it saw last.
    sight: Option<String>,
}

impl Process {
    fn now(&self, at: Ms) -> Instant {
        self.base + Duration::from_millis(at * self.speed / 1000)
    }

    /// Returns the true time at which the process's clock reaches `local`.
    fn reaches(&self, local: Instant) -> Ms {
        let millis = u64::try_from(local.saturating_duration_since(self.base).as_millis()).unwrap();
        (millis * 1000).div_ceil(self.speed)
    }

    fn leads(&self, at: Ms) -> bool {
        matches!(&self.state, State::Leader(leader) if !leader.leaving() && self.now(at) < leader.valid_until())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Something happens to the process, if it still waits for it.
    Heard {
        process: usize,
        turn: u64,
        what: usize,
    },
    /// A request reaches the server.
    Arrives {
        process: usize,
        turn: u64,
        command: usize,
    },
    Starts {
        process: usize,
    },
}

struct World {
    cfg: LeaseConfig,
    chaos: Chaos,
    /// The random numbers of a run. When they are used up, they are zero, and nothing bad happens any more.
    dice: std::vec::IntoIter<u16>,
    queue: BinaryHeap<Reverse<(Ms, usize, Event)>>,
    /// The observations and commands that are on their way. The queue refers to them by index, because they have no
    /// order.
    observations: Vec<Observation>,
    commands: Vec<(String, Command)>,
    lease: Option<Snapshot>,
    versions: u64,
    processes: Vec<Process>,
    offices: BTreeMap<(String, i64), String>,
    verdict: Verdict,
}

impl World {
    fn run(cfg: LeaseConfig, chaos: Chaos, dice: Vec<u16>) -> Verdict {
        let mut world = Self {
            cfg,
            chaos,
            dice: dice.into_iter(),
            queue: BinaryHeap::new(),
            observations: Vec::new(),
            commands: Vec::new(),
            lease: None,
            versions: 0,
            processes: Vec::new(),
            offices: BTreeMap::new(),
            verdict: Verdict::default(),
        };
        let base = Instant::now();
        for process in 0..2 {
            let (offset, speed) = (world.roll(100_000), 900 + world.roll(200));
            world.processes.push(Process {
                identity: String::new(),
                state: State::Ended(LossReason::Stopped),
                base: base + Duration::from_millis(offset),
                speed,
                turn: 0,
                sight: None,
            });
            let at = world.roll(3000);
            world.push(at, Event::Starts { process });
        }
        let mut calm_since = None;
        while let Some(Reverse((at, _, event))) = world.queue.pop() {
            world.handle(at, event);
            world.check(at);
            if world.dice.len() == 0 && at > *calm_since.get_or_insert(at) + 120_000 {
                world.verdict.leads_at_the_end = (0..2).any(|i| world.processes[i].leads(at));
                break;
            }
        }
        world.verdict.terms = world.offices.len();
        world.verdict
    }

    fn roll(&mut self, below: u64) -> u64 {
        u64::from(self.dice.next().unwrap_or(0)) % below
    }

    /// Returns true once in `n` times, and never when the random numbers are used up.
    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == n - 1
    }

    fn push(&mut self, at: Ms, event: Event) {
        self.queue.push(Reverse((at, self.queue.len(), event)));
    }

    fn hear(&mut self, at: Ms, process: usize, turn: u64, what: Observation) {
        self.observations.push(what);
        self.push(at, Event::Heard { process, turn, what: self.observations.len() - 1 });
    }

    fn handle(&mut self, at: Ms, event: Event) {
        match event {
            Event::Starts { process } => {
                self.versions += 1;
                let identity = format!("{process}-{}", self.versions);
                let p = &mut self.processes[process];
                p.identity = identity;
                p.state = State::new(p.now(at));
                p.turn += 1;
                let turn = p.turn;
                self.hear(at, process, turn, Observation::Wake);
            }
            Event::Heard { process, turn, what } if turn == self.processes[process].turn => {
                if self.one_in(40) {
                    // The whole process is frozen.
                    let later = at + self.roll(25_000);
                    self.push(later, Event::Heard { process, turn, what });
                } else {
                    let seen = self.observations[what].clone();
                    self.act(at, process, seen);
                }
            }
            Event::Heard { .. } => {}
            Event::Arrives { process, turn, command } => {
                let (identity, command) = self.commands[command].clone();
                let answer = self.serve(&identity, &command);
                if !self.one_in(8) {
                    let back = at + self.latency();
                    self.hear(back, process, turn, answer);
                }
            }
        }
        if self.chaos.deletions && self.everybody_has_seen_this_lease() && self.one_in(50) {
            self.lease = None;
        }
        if self.one_in(60) && self.lease.is_some() {
            // Somebody sets a label.
            self.versions += 1;
            let resource_version = self.versions.to_string();
            self.lease = self.lease.take().map(|lease| Snapshot { resource_version, ..lease });
        }
    }

    fn act(&mut self, at: Ms, process: usize, mut seen: Observation) {
        if self.one_in(60) && seen == Observation::Wake {
            seen = Observation::Resign;
        }
        let p = &mut self.processes[process];
        if let Observation::Read(Some(lease)) | Observation::Written(lease) = &seen {
            p.sight = Some(lease.uid.clone());
        }
        let cfg = LeaseConfig { identity: p.identity.clone(), ..self.cfg.clone() };
        let now = p.now(at);
        let (state, command) = step(&cfg, p.state.clone(), seen, now);
        p.state = state;
        p.turn += 1;
        let turn = p.turn;
        match command {
            Command::Wait(until) => {
                let at = p.reaches(until).max(at + 1);
                self.hear(at, process, turn, Observation::Wake);
            }
            Command::Stop => self.stopped(at, process),
            Command::Read | Command::Create | Command::Replace { .. } => {
                let timeout = p.reaches(now + cfg.request_timeout());
                self.hear(timeout, process, turn, Observation::Unknown);
                self.commands.push((cfg.identity, command));
                let command = self.commands.len() - 1;
                let arrival = at + self.latency();
                self.push(arrival, Event::Arrives { process, turn, command });
                if self.one_in(80) {
                    self.processes[process].state = State::Ended(LossReason::Stopped);
                    self.stopped(at, process);
                }
            }
        }
    }

    /// Returns true if both have seen this Lease. A candidate does not wait because of a Lease that it never saw.
    fn everybody_has_seen_this_lease(&self) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| self.processes.iter().all(|p| p.sight.as_ref() == Some(&lease.uid)))
    }

    fn stopped(&mut self, at: Ms, process: usize) {
        self.processes[process].turn += 1;
        if self.chaos.restarts {
            let at = at + 500 + self.roll(5000);
            self.push(at, Event::Starts { process });
        } else {
            // The queue must not become empty before the end.
            let turn = u64::MAX;
            self.hear(at + 200_000, process, turn, Observation::Wake);
        }
    }

    /// Returns a delay: mostly milliseconds, sometimes so long that everybody has given up.
    fn latency(&mut self) -> Ms {
        let scale = self.roll(10);
        let roll = self.roll(30_000);
        match scale {
            9 => roll,
            7 | 8 => roll / 10,
            _ => roll / 1000,
        }
    }

    fn serve(&mut self, identity: &str, command: &Command) -> Observation {
        let written = match (command, &self.lease) {
            (Command::Read, lease) => return Observation::Read(lease.clone()),
            (Command::Wait(_) | Command::Stop, _) => unreachable!("not a request"),
            (Command::Create, None) => {
                self.versions += 1;
                let uid = format!("uid-{}", self.versions);
                self.stored(uid, identity, 1)
            }
            (Command::Replace { based_on, purpose }, Some(lease))
                if self.chaos.no_preconditions
                    || (based_on.uid == lease.uid && based_on.resource_version == lease.resource_version) =>
            {
                let epoch = based_on.transitions + i64::from(*purpose == Purpose::Claim);
                let holder = if *purpose == Purpose::Release { "" } else { identity };
                self.stored(lease.uid.clone(), holder, epoch)
            }
            (Command::Create | Command::Replace { .. }, _) => return Observation::Refused,
        };
        self.lease = Some(written.clone());
        Observation::Written(written)
    }

    fn stored(&mut self, uid: String, holder: &str, transitions: i64) -> Snapshot {
        self.versions += 1;
        let resource_version = self.versions.to_string();
        Snapshot {
            uid,
            resource_version,
            holder: holder.to_owned(),
            transitions,
            declared: self.cfg.duration,
        }
    }

    fn check(&mut self, at: Ms) {
        if self.processes.iter().all(|p| p.leads(at)) {
            self.verdict.overlap = Some(format!("at {at} ms: {:?}", self.offices));
        }
        for p in &self.processes {
            let State::Leader(leader) = &p.state else { continue };
            let term = (leader.uid().to_owned(), leader.epoch());
            let first = self.offices.entry(term).or_insert_with(|| p.identity.clone());
            if *first != p.identity {
                self.verdict.reused_term = Some(format!("{first} and {} at {at} ms", p.identity));
            }
        }
    }
}

fn defaults() -> LeaseConfig {
    LeaseConfig::new("ns", "lease", "")
}

fn dice() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 50..5000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn two_processes_never_lead_at_once_and_somebody_leads_in_the_end(dice in dice()) {
        let verdict = World::run(defaults(), Chaos { restarts: true, ..Chaos::default() }, dice);
        prop_assert_eq!(&verdict.overlap, &None);
        prop_assert_eq!(&verdict.reused_term, &None);
        prop_assert!(verdict.leads_at_the_end, "{:?}", verdict);
    }

    /// This holds if each process had seen the Lease that is deleted. Otherwise it can't know that somebody may still
    /// lead, and two may overlap until the old leader's next renewal fails. Their terms differ: see the next
    /// property.
    #[test]
    fn nor_when_the_lease_is_deleted_under_them(dice in dice()) {
        let verdict = World::run(defaults(), Chaos { deletions: true, ..Chaos::default() }, dice);
        prop_assert_eq!(&verdict.overlap, &None);
        prop_assert_eq!(&verdict.reused_term, &None);
    }

    /// A new process can't know that a Lease was deleted a moment ago, so two may overlap here. The term that is
    /// stamped on the objects still tells them apart.
    #[test]
    fn no_term_is_ever_used_twice_whatever_happens(dice in dice()) {
        let verdict =
            World::run(defaults(), Chaos { deletions: true, restarts: true, ..Chaos::default() }, dice);
        prop_assert_eq!(&verdict.reused_term, &None);
    }
}

/// Plays many random runs, with everything else as in the property above.
fn runs(cfg: &LeaseConfig, chaos: Chaos) -> impl Iterator<Item = Verdict> {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..2000).map(move |_| World::run(cfg.clone(), chaos, dice().new_tree(&mut runner).unwrap().current()))
}

#[test]
fn without_resource_versions_the_simulation_finds_two_leaders() {
    let chaos = Chaos { restarts: true, no_preconditions: true, ..Chaos::default() };
    assert!(runs(&defaults(), chaos).any(|verdict| verdict.overlap.is_some()));
}

#[test]
fn with_a_wait_shorter_than_the_term_the_simulation_finds_two_leaders() {
    let mut hasty = defaults();
    hasty.duration = Duration::from_secs(6);
    assert!(runs(&hasty, Chaos { restarts: true, ..Chaos::default() }).any(|v| v.overlap.is_some()));
}

#[test]
fn the_simulation_changes_leaders_often_enough_to_mean_something() {
    let chaos = Chaos { restarts: true, ..Chaos::default() };
    let terms: usize = runs(&defaults(), chaos).take(100).map(|verdict| verdict.terms).sum();
    assert!(terms > 300, "{terms} terms in 100 runs");
}
