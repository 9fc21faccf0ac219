//! Apps whose passes wait for their turn.
//!
//! A pass that waits is none that runs: at every event, kube's driver asks each running pass whether it goes on. With 500 new
//! apps, of which all but eight wait, that was a third of the operator's CPU time, and it grows with their square.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use bluegreen_api::BlueGreenApp;
use bluegreen_client::turns::{Turn, Turns};

type App = ObjectRef<BlueGreenApp>;

/// Gives out turns, and queues an app again when its turn has come.
pub(super) struct Waiting {
    turns: Arc<Turns>,
    /// The apps that wait. Those with a turn are queued, and their passes have not begun.
    apps: Mutex<HashMap<App, Option<Turn>>>,
    /// Queues an app.
    queue: Box<dyn Fn(App) + Send + Sync>,
    stop: CancellationToken,
}

impl Waiting {
    /// Nobody waits any longer once `stop` is canceled.
    pub fn new(
        turns: Arc<Turns>,
        stop: CancellationToken,
        queue: impl Fn(App) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { turns, apps: Mutex::default(), queue: Box::new(queue), stop })
    }

    /// Returns the turn of this app's pass. `None`: the app waits for it, and is queued again when it has come.
    pub fn turn(self: &Arc<Self>, app: &App) -> Option<Turn> {
        let namespace = app.namespace.clone().unwrap_or_default();
        let mut apps = self.apps();
        if let Some(slot) = apps.get_mut(app) {
            // Without a turn, it was queued for another reason.
            let turn = slot.take()?;
            apps.remove(app);
            return Some(turn);
        }
        if let Some(turn) = self.turns.take_now(&namespace) {
            return Some(turn);
        }
        apps.insert(app.clone(), None);
        let (waiting, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            let turn = waiting.stop.run_until_cancelled(waiting.turns.take(&namespace)).await;
            if let Some(turn) = turn
                && waiting.give(&app, turn)
            {
                (waiting.queue)(app);
            }
        });
        None
    }

    /// Returns false if the app does not wait any more: the turn is given back.
    fn give(&self, app: &App, turn: Turn) -> bool {
        self.apps().get_mut(app).map(|slot| *slot = Some(turn)).is_some()
    }

    /// The app waits no more: it does not exist. A turn that it has is given back.
    pub fn forget(&self, app: &App) {
        self.apps().remove(app);
    }

    fn apps(&self) -> MutexGuard<'_, HashMap<App, Option<Turn>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn app(name: &str) -> App {
        ObjectRef::new(name).within("shop")
    }

    fn waiting(most: usize) -> (Arc<Waiting>, Arc<Turns>, mpsc::UnboundedReceiver<App>, CancellationToken) {
        let (sender, queued) = mpsc::unbounded_channel();
        let (turns, stop) = (Turns::new(most), CancellationToken::new());
        let waiting = Waiting::new(turns.clone(), stop.clone(), move |app| sender.send(app).unwrap());
        (waiting, turns, queued, stop)
    }

    #[tokio::test]
    async fn apps_that_wait_are_queued_one_by_one_and_then_have_their_turn() {
        let (waiting, _, mut queued, _) = waiting(1);
        let mut turn = waiting.turn(&app("a")).expect("nobody else waits");
        for name in ["b", "c"] {
            assert!(waiting.turn(&app(name)).is_none());
            tokio::task::yield_now().await;
        }
        for name in ["b", "c"] {
            assert!(queued.try_recv().is_err(), "{name} waits");
            drop(turn);
            assert_eq!(queued.recv().await, Some(app(name)));
            turn = waiting.turn(&app(name)).expect("its turn");
        }
    }

    #[tokio::test]
    async fn an_app_that_waits_waits_once_whatever_it_is_queued_for() {
        let (waiting, turns, mut queued, _) = waiting(1);
        let turn = waiting.turn(&app("a")).unwrap();
        for _ in 0..3 {
            assert!(waiting.turn(&app("b")).is_none());
            tokio::task::yield_now().await;
        }
        drop(turn);
        assert_eq!(queued.recv().await, Some(app("b")));
        drop(waiting.turn(&app("b")).expect("its turn"));
        tokio::task::yield_now().await;
        assert!(queued.try_recv().is_err(), "it was queued once");
        assert!(turns.take_now("shop").is_some(), "no turn was kept");
    }

    #[tokio::test]
    async fn an_app_that_was_deleted_keeps_no_turn() {
        let (waiting, turns, mut queued, _) = waiting(1);
        let turn = waiting.turn(&app("a")).unwrap();
        assert!(waiting.turn(&app("before")).is_none());
        assert!(waiting.turn(&app("after")).is_none());
        tokio::task::yield_now().await;
        waiting.forget(&app("before"));
        drop(turn);
        assert_eq!(queued.recv().await, Some(app("after")));
        assert!(turns.take_now("shop").is_none(), "the other one has it");
        waiting.forget(&app("after"));
        assert!(turns.take_now("shop").is_some());
    }

    #[tokio::test]
    async fn nobody_waits_once_this_replica_leads_no_more() {
        let (waiting, turns, mut queued, stop) = waiting(1);
        let turn = waiting.turn(&app("a")).unwrap();
        assert!(waiting.turn(&app("b")).is_none());
        tokio::task::yield_now().await;
        stop.cancel();
        while Arc::strong_count(&waiting) > 1 {
            tokio::task::yield_now().await;
        }
        drop(turn);
        assert!(queued.try_recv().is_err());
        assert!(turns.take_now("shop").is_some());
    }
}
