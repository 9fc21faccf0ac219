//! The leading replica: which apps are queued, and their passes.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::runtime::controller::{self, Action, Config, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Watches;
use super::waiting::Waiting;
use crate::hidden::Hidden;
use crate::reconcile::{Context, Error, reconcile};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::turns::Turns;

/// How often the controller's loop reports that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the watches tell the leading replica's driver, besides apps to reconcile.
pub enum Told<'a> {
    /// This app no longer exists: what is remembered of it can go.
    Deleted(&'a BlueGreenApp),
    /// This object can't be decoded.
    Hidden(Hidden),
}

/// Takes what the watches tell.
type Listener = Box<dyn Fn(Told<'_>) + Send>;

/// The driver of the leading replica.
pub(super) struct Leading {
    /// Apps to reconcile.
    queue: mpsc::UnboundedSender<ObjectRef<BlueGreenApp>>,
    listener: Listener,
}

impl Watches {
    fn leading(&self) -> MutexGuard<'_, Option<Leading>> {
        self.leading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trigger(&self, app: ObjectRef<BlueGreenApp>) {
        if let Some(leading) = self.leading().as_ref() {
            // The receiver is gone only when this replica has stopped leading.
            let _ = leading.queue.send(app);
        }
    }

    pub(super) fn trigger_all(&self) {
        for app in self.apps() {
            self.trigger(ObjectRef::from_obj(app.as_ref()));
        }
    }

    pub(super) fn tell(&self, told: Told<'_>) {
        if let Some(leading) = self.leading().as_ref() {
            (leading.listener)(told);
        }
    }

    /// Starts to queue apps, every app in the store first. `listener` is told of each app that is deleted from now on, with
    /// its last known version, and of every object that can't be decoded.
    pub(super) fn subscribe(
        &self,
        listener: Listener,
    ) -> impl Stream<Item = ObjectRef<BlueGreenApp>> + use<> {
        let (queue, mut receiver) = mpsc::unbounded_channel();
        *self.leading() = Some(Leading { queue, listener });
        for hidden in self.sight.hidden() {
            self.tell(Told::Hidden(hidden));
        }
        self.trigger_all();
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    /// Reconciles every app until `stop`, at most `concurrency` at the same time; a running pass ends at its next command.
    pub async fn lead(self: &Arc<Self>, context: Context, concurrency: u16, stop: CancellationToken) {
        let context = Arc::new(context.with_stop(stop.clone()));
        let told = context.clone();
        let listener = move |what: Told<'_>| match what {
            Told::Deleted(app) => told.forget(app),
            Told::Hidden(hidden) => told.events.unreadable(hidden),
        };
        let queue = self.subscribe(Box::new(listener)).take_until(stop.clone().cancelled_owned());
        let (health, apps, complete) = (self.health.clone(), self.apps.clone(), self.complete.clone());
        // Also where this future is dropped.
        let waits_until = stop.child_token();
        let _end = waits_until.clone().drop_guard();
        let watches = self.clone();
        let waiting =
            Waiting::new(Turns::new(concurrency.into()), waits_until, move |app| watches.trigger(app));
        let no_longer = waiting.clone();
        let passes = applier(
            move |app: Arc<BlueGreenApp>, context: Arc<Context>| {
                let (health, apps, complete) = (health.clone(), apps.clone(), complete.clone());
                let reference = ObjectRef::from_obj(app.as_ref());
                let waiting = waiting.clone();
                async move {
                    if !complete.has(reference.namespace.as_deref().unwrap_or_default()) {
                        // Every app there is queued once it is.
                        return Ok(Action::await_change());
                    }
                    let Some(turn) = waiting.turn(&reference) else { return Ok(Action::await_change()) };
                    let _running = health.reconciling();
                    let result = in_a_task(reconcile(app.clone(), context.clone())).await;
                    forget_if_deleted(&apps, &app, |app| context.forget(app));
                    let passed = result?;
                    turn.ends(passed.in_time);
                    Ok(passed.action)
                }
                .boxed()
            },
            |_, _: &Error, _| Action::requeue(Duration::from_secs(1)),
            context,
            self.apps.clone(),
            queue.map(Ok::<_, std::convert::Infallible>),
            // `waiting` says which passes run.
            Config::default().concurrency(0),
        );
        let heartbeat = async {
            loop {
                self.health.beat();
                tokio::time::sleep(HEARTBEAT).await;
            }
        };
        let passes = passes.into_stream().for_each(async |pass| {
            if let Err(error) = pass {
                if let controller::Error::ObjectNotFound(app) = &error {
                    let namespace = app.namespace.as_deref().unwrap_or_default();
                    no_longer.forget(&ObjectRef::new(&app.name).within(namespace));
                }
                tracing::debug!(%error, "pass ended early");
            }
        });
        tokio::select! {
            () = passes => {}
            () = heartbeat => {}
        }
    }
}

/// Runs a pass as a task of its own, which ends with this future: at each of its answers, only this pass goes on, where the driver
/// would ask all of them.
pub(super) async fn in_a_task<T: Send + 'static>(pass: impl Future<Output = T> + Send + 'static) -> T {
    match AbortOnDropHandle::new(tokio::spawn(pass.in_current_span())).await {
        Ok(result) => result,
        // It panicked. It can't have been aborted, because nobody else has its handle.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// Returns true if the store has this very app: an app of the same name that was created since is another one.
pub(super) fn is_stored(apps: &Store<BlueGreenApp>, app: &BlueGreenApp) -> bool {
    apps.get(&ObjectRef::from_obj(app)).is_some_and(|stored| stored.uid() == app.uid())
}

/// Forgets an app that was deleted while its pass ran: the pass may have remembered something after the watch had told of
/// the deletion.
pub(super) fn forget_if_deleted(
    apps: &Store<BlueGreenApp>,
    app: &BlueGreenApp,
    forget: impl FnOnce(&BlueGreenApp),
) {
    if !is_stored(apps, app) {
        forget(app);
    }
}
