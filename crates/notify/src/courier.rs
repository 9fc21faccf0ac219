//! Carries messages to the receivers: a queue and a task for each, so that one that is slow or gone keeps no other waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Receiver};
use crate::counts::{Counts, Fate};
use crate::exchange::{Outcome, Sender};
use crate::format::Outgoing;
use crate::pace::pause;
use crate::queue::Queue;
use crate::transition::Transition;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages that wait for one receiver; a further one drops the oldest.
    pub queue: usize,
    /// The longest time that a message waits: what is older says nothing about now.
    pub keep: Duration,
    /// The longest time for a connection, and again for an answer.
    pub request: Duration,
}

/// One for each receiver.
pub struct Couriers {
    cluster: Option<String>,
    couriers: Vec<Arc<Courier>>,
    running: JoinSet<()>,
    counts: Counts,
}

impl Couriers {
    /// Starts them. They end at `stop`; a message that is being sent then is sent to its end.
    ///
    /// # Errors
    /// Which receiver can't be used, and why.
    pub fn start(
        config: Config,
        limits: Limits,
        counts: &Counts,
        stop: &CancellationToken,
    ) -> Result<Self, String> {
        let Config { cluster, receivers } = config;
        let mut couriers = Vec::new();
        for receiver in receivers {
            let sender = Sender::new(&receiver, limits.request);
            let sender = sender.map_err(|words| format!("receiver {}: url: {words}", receiver.name))?;
            counts.introduce(&receiver.name);
            let queue = Queue::new(limits.queue);
            couriers.push(Arc::new(Courier {
                receiver,
                sender,
                queue,
                keep: limits.keep,
                counts: counts.clone(),
            }));
        }
        let mut running = JoinSet::new();
        for courier in &couriers {
            spawn(&mut running, stop, courier.clone().run(stop.clone()));
        }
        Ok(Self { cluster, couriers, running, counts: counts.clone() })
    }

    /// Puts a message into the queue of each receiver that wants to know.
    pub fn tell(&self, transition: &Transition) {
        for courier in self.couriers.iter().filter(|courier| courier.receiver.filter.accepts(transition)) {
            courier.take(self.cluster.as_deref(), transition);
        }
    }

    /// Waits for the end, after `stop`. What still waits then is dropped, and told in the log.
    ///
    /// # Errors
    /// When one of them had ended by a panic.
    pub async fn end(mut self) -> Result<(), String> {
        let mut result = Ok(());
        while let Some(ended) = self.running.join_next().await {
            result = result.and(ended.map_err(|error| format!("telling a receiver ended: {error}")));
        }
        for courier in &self.couriers {
            let (name, left) = (&courier.receiver.name, courier.queue.len());
            if left > 0 {
                tracing::warn!(receiver = name, "the process ends; {left} messages that waited are dropped");
            }
            (0..left).for_each(|_| self.counts.ended(name, Fate::Dropped));
        }
        result
    }
}

/// Runs it, and lets everything end with it, also by a panic: its receiver would never be told again while `/livez` says that all is
/// well. The process then starts anew.
fn spawn(
    running: &mut JoinSet<()>,
    stop: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let all = stop.clone().drop_guard();
    running.spawn(async move {
        let _all = all;
        task.await;
    });
}

/// A message with what the log says of it.
struct Letter {
    id: String,
    message: Outgoing,
    since: Instant,
}

struct Courier {
    receiver: Receiver,
    sender: Sender,
    queue: Queue<Letter>,
    keep: Duration,
    counts: Counts,
}

impl Courier {
    fn take(&self, cluster: Option<&str>, transition: &Transition) {
        let Receiver { name, url, format, .. } = &self.receiver;
        let Some(message) = format.message(url, cluster, transition) else {
            tracing::debug!(
                receiver = name,
                id = transition.id,
                "this type of receiver has no word for this"
            );
            self.counts.ended(name, Fate::Inexpressible);
            return;
        };
        let letter = Letter { id: transition.id.clone(), message, since: Instant::now() };
        if let Some(dropped) = self.queue.push(letter) {
            tracing::warn!(receiver = name, id = dropped.id, "too many messages wait; the oldest is dropped");
            self.counts.ended(name, Fate::Dropped);
        }
        self.counts.waiting(name, self.queue.len());
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) {
        while let Some(letter) = stop.run_until_cancelled(self.queue.next()).await {
            let name = &self.receiver.name;
            self.counts.waiting(name, self.queue.len());
            let (fate, words) = self.deliver(&letter, &stop).await;
            self.counts.ended(name, fate);
            let id = &letter.id;
            match fate {
                Fate::Told => tracing::info!(receiver = name, id, "told"),
                Fate::Refused | Fate::Unknown | Fate::Dropped | Fate::Expired | Fate::Inexpressible => {
                    tracing::warn!(receiver = name, id, result = fate.as_str(), "not told: {words}");
                }
            }
        }
    }

    /// Tries until it is certain, or until it can't be.
    async fn deliver(&self, letter: &Letter, stop: &CancellationToken) -> (Fate, String) {
        let name = &self.receiver.name;
        if letter.since.elapsed() > self.keep {
            return (Fate::Expired, "it has waited for too long".to_owned());
        }
        for tries in 1.. {
            let (why, asked) = match self.sender.send(&letter.message).await {
                Outcome::Told => return (Fate::Told, String::new()),
                Outcome::Refused(status) => {
                    return (Fate::Refused, format!("the receiver answered {}", status.as_u16()));
                }
                Outcome::Unknown(why) => {
                    return (Fate::Unknown, format!("{why}; it may have arrived, so it is not sent again"));
                }
                Outcome::NotSent(why) => (why, None),
                Outcome::NotTaken(status, asked) => (format!("answer {}", status.as_u16()), asked),
            };
            let pause = pause(tries, asked);
            // A receiver may ask for any pause, also for one that no clock can hold.
            if letter.since.elapsed().saturating_add(pause) > self.keep {
                return (Fate::Expired, format!("{why}; it has waited for too long"));
            }
            if tries == 1 {
                tracing::warn!(receiver = name, id = letter.id, "{why}; trying again");
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return (Fate::Dropped, format!("{why}, and the process ends"));
            }
            self.counts.retried(name);
        }
        (Fate::Expired, "too many tries".to_owned())
    }
}

#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
