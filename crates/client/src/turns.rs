//! Whose pass is next, and whose large answer is read next: namespaces take turns, so that one with very many apps, or with apps
//! whose passes take long, keeps no other one waiting.
//!
//! Nor may it keep the API server busy with reads that nobody waits for any more. A namespace whose reads are not answered soon
//! has half as many passes at the same time, down to one, and one more after each row of passes that were answered: as TCP does
//! where packets are lost (additive increase, multiplicative decrease: Chiu and Jain 1989; RFC 5681).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Passes beyond the limit that may run at the same time, each of a namespace that has none running. So the first pass of a
/// namespace waits for nobody.
const RESERVE: usize = 2;

/// Gives out turns. As long as nobody else waits, one namespace may have all of them.
#[derive(Debug)]
pub struct Turns {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Passes that run, by namespace.
    running: HashMap<String, usize>,
    /// Their number.
    total: usize,
    /// Passes that wait, by namespace. The namespace that had a turn last is the last one.
    waiting: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
    /// The namespaces that may have fewer passes at the same time than the limit.
    shares: HashMap<String, Share>,
}

/// How many passes a namespace may have at the same time, whose reads were not answered soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    most: usize,
    /// Passes in a row that were answered soon.
    answered: usize,
}

impl State {
    /// Returns true if a pass of this namespace may begin.
    fn has_room(&self, namespace: &str, limit: usize) -> bool {
        let running = self.running.get(namespace).copied().unwrap_or(0);
        let reserve = if running > 0 { 0 } else { RESERVE };
        let is_within_share = self.shares.get(namespace).is_none_or(|share| running < share.most);
        is_within_share && self.total < limit + reserve
    }

    /// A pass of this namespace has ended.
    fn note(&mut self, namespace: &str, in_time: bool, limit: usize) {
        let Some(share) = self.shares.get_mut(namespace) else {
            if !in_time && limit > 1 {
                self.shares.insert(namespace.to_owned(), Share { most: limit / 2, answered: 0 });
            }
            return;
        };
        if !in_time {
            *share = Share { most: (share.most / 2).max(1), answered: 0 };
            return;
        }
        share.answered += 1;
        if share.answered >= share.most {
            *share = Share { most: share.most + 1, answered: 0 };
        }
        if share.most >= limit {
            self.shares.remove(namespace);
        }
    }

    fn begin(&mut self, namespace: &str) {
        *self.running.entry(namespace.to_owned()).or_default() += 1;
        self.total += 1;
    }

    fn end(&mut self, namespace: &str) {
        self.total = self.total.saturating_sub(1);
        if let Some(running) = self.running.get_mut(namespace) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(namespace);
            }
        }
    }

    /// The next pass that may begin.
    fn next(&mut self, limit: usize) -> Option<(String, oneshot::Sender<Turn>)> {
        let position = self.waiting.iter().position(|(namespace, _)| self.has_room(namespace, limit))?;
        let (namespace, mut passes) = self.waiting.remove(position)?;
        let pass = passes.pop_front()?;
        if !passes.is_empty() {
            self.waiting.push_back((namespace.clone(), passes));
        }
        self.begin(&namespace);
        Some((namespace, pass))
    }
}

impl Turns {
    /// At most so many passes at the same time, and [`RESERVE`] more of namespaces that have none running.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// The turn of a pass over an app of this namespace, if it need not wait for it.
    pub fn take_now(self: &Arc<Self>, namespace: &str) -> Option<Turn> {
        self.begin(&mut self.state(), namespace)
    }

    fn begin(self: &Arc<Self>, state: &mut State, namespace: &str) -> Option<Turn> {
        state.has_room(namespace, self.limit).then(|| {
            state.begin(namespace);
            self.turn(namespace.to_owned())
        })
    }

    /// Waits for the turn of a pass over an app of this namespace.
    pub async fn take(self: &Arc<Self>, namespace: &str) -> Turn {
        let receiver = {
            let mut state = self.state();
            if let Some(turn) = self.begin(&mut state, namespace) {
                return turn;
            }
            let (sender, receiver) = oneshot::channel();
            match state.waiting.iter_mut().find(|(waiting, _)| waiting == namespace) {
                Some((_, passes)) => passes.push_back(sender),
                None => state.waiting.push_back((namespace.to_owned(), VecDeque::from([sender]))),
            }
            receiver
        };
        match receiver.await {
            Ok(turn) => turn,
            // It can't be: a sender is only dropped after it was used.
            Err(_) => std::future::pending().await,
        }
    }

    fn turn(self: &Arc<Self>, namespace: String) -> Turn {
        Turn { turns: self.clone(), namespace: Some(namespace) }
    }

    fn end(self: &Arc<Self>, namespace: &str) {
        self.state().end(namespace);
        loop {
            let next = self.state().next(self.limit);
            let Some((namespace, pass)) = next else { break };
            // A pass that waits no more does not take its turn. To drop that turn would come here again, as deep as there are
            // such passes.
            if let Err(mut turn) = pass.send(self.turn(namespace))
                && let Some(namespace) = turn.namespace.take()
            {
                self.state().end(&namespace);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run a pass; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    /// None once it has been given back.
    namespace: Option<String>,
}

impl Turn {
    /// The pass has ended. `in_time`: the API server has answered every read of it soon.
    pub fn ends(self, in_time: bool) {
        if let Some(namespace) = &self.namespace {
            self.turns.state().note(namespace, in_time, self.turns.limit);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(namespace) = self.namespace.take() {
            self.turns.end(&namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::FutureExt;

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Turn>>>;

    fn wait(turns: &Arc<Turns>, namespace: &'static str) -> Waiting {
        let turns = turns.clone();
        Box::pin(async move { turns.take(namespace).await })
    }

    fn now(turns: &Arc<Turns>, namespace: &'static str) -> Turn {
        wait(turns, namespace).now_or_never().expect("its turn, at once")
    }

    /// Polls once, as a task would that has just been started.
    fn waits(waiting: &mut Waiting) -> bool {
        waiting.as_mut().now_or_never().is_none()
    }

    #[test]
    fn one_namespace_may_have_all_turns_and_another_one_waits_for_none_of_them() {
        let turns = Turns::new(3);
        let _running: Vec<_> = (0..3).map(|_| now(&turns, "storm")).collect();
        let mut more: Vec<_> = (0..100).map(|_| wait(&turns, "storm")).collect();
        assert!(more.iter_mut().all(waits));
        let _calm = now(&turns, "calm");
        let _other = now(&turns, "other");
        assert!(waits(&mut wait(&turns, "third")), "the reserve has an end, too");
    }

    #[test]
    fn namespaces_take_turns() {
        let turns = Turns::new(1);
        let mut running = vec![now(&turns, "a"), now(&turns, "b"), now(&turns, "c")];
        let mut waiting: Vec<_> =
            ["a", "a", "a", "b", "c", "c"].into_iter().map(|name| wait(&turns, name)).collect();
        assert!(waiting.iter_mut().all(waits));
        let mut order = Vec::new();
        while !running.is_empty() {
            // One after the other; each that ends makes room for another namespace.
            drop(running.remove(0));
            let (mut still, mut began) = (Vec::new(), Vec::new());
            for mut pass in waiting {
                match pass.as_mut().now_or_never() {
                    Some(turn) => began.push(turn),
                    None => still.push(pass),
                }
            }
            order.extend(began.iter().filter_map(|turn| turn.namespace.clone()));
            running.extend(began);
            waiting = still;
        }
        assert_eq!(order, ["a", "b", "c", "a", "c", "a"]);
    }

    /// As many as begin at once when all of them wait.
    fn at_once(turns: &Arc<Turns>, namespace: &'static str) -> Vec<Turn> {
        (0..20).filter_map(|_| wait(turns, namespace).now_or_never()).collect()
    }

    #[test]
    fn a_namespace_whose_reads_are_not_answered_has_fewer_passes_and_gets_them_back() {
        let turns = Turns::new(8);
        let first = at_once(&turns, "storm");
        assert_eq!(first.len(), 8);
        let mut ended = first.into_iter();
        for most in [4, 2, 1, 1] {
            ended.next().unwrap().ends(false);
            assert_eq!(turns.state().shares["storm"].most, most);
        }
        drop(ended);
        assert_eq!(at_once(&turns, "storm").len(), 1);
        assert_eq!(at_once(&turns, "calm").len(), 8, "no other namespace has fewer");
        // One more after each row that is answered.
        for most in 1..8 {
            for _ in 0..most {
                assert_eq!(turns.state().shares["storm"].most, most);
                now(&turns, "storm").ends(true);
            }
        }
        assert!(turns.state().shares.is_empty());
        assert_eq!(at_once(&turns, "storm").len(), 8);
    }

    /// As when leadership is lost with thousands of apps: the stack would not do for as many turns, one inside the other.
    #[test]
    fn any_number_of_passes_may_wait_no_more() {
        let turns = Turns::new(1);
        let running = now(&turns, "a");
        let mut gone: Vec<_> = (0..100_000).map(|_| wait(&turns, "a")).collect();
        assert!(gone.iter_mut().all(waits));
        drop(gone);
        drop(running);
        assert!(turns.state().total == 0 && turns.state().waiting.is_empty());
    }

    #[test]
    fn a_pass_that_waits_no_more_keeps_no_turn() {
        let turns = Turns::new(1);
        let running = now(&turns, "a");
        let (mut gone, mut next) = (wait(&turns, "a"), wait(&turns, "a"));
        assert!(waits(&mut gone) && waits(&mut next));
        drop(gone);
        drop(running);
        let turn = next.as_mut().now_or_never().expect("its turn");
        drop(turn);
        assert_eq!(turns.state().total, 0);
        assert!(turns.state().running.is_empty() && turns.state().waiting.is_empty());
    }
}
