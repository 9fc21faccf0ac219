//! The tasks that run the watches: none of them may end while the process acts on the stores.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// The running watches. Dropping this ends them.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<()>,
    /// What each task watches.
    kinds: HashMap<Id, String>,
}

/// A watch ended, which only a panic or a mistake in this program brings about: a watch that fails is started again.
#[derive(Debug, thiserror::Error)]
#[error("the watch of {kind} ended ({cause}); its store would never change again, so this process ends")]
pub struct WatchEnded {
    /// The Kubernetes kind.
    pub kind: String,
    /// How it ended, with the words of the panic.
    pub cause: String,
}

impl Tasks {
    /// Runs a watch of this kind on the runtime.
    pub(crate) fn spawn(&mut self, kind: &str, watch: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(watch).id();
        self.kinds.insert(id, kind.to_owned());
    }

    /// Runs `work` to its end, or until a watch ends. Without any watch, that is until the end of `work`.
    ///
    /// # Errors
    /// When a watch ends first; `work` is dropped where it stands.
    pub async fn run_while_watching<T>(&mut self, work: impl Future<Output = T>) -> Result<T, WatchEnded> {
        tokio::select! {
            // If both are ready the watch counts: the work may have ended because of it.
            biased;
            Some(ended) = self.running.join_next_with_id() => {
                let (id, cause) = match ended {
                    Ok((id, ())) => (id, "without an error".to_owned()),
                    Err(error) => (error.id(), error.to_string()),
                };
                let kind = self.kinds.get(&id).cloned().unwrap_or_default();
                Err(WatchEnded { kind, cause })
            }
            done = work => Ok(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    /// Work that outlasts what these tests wait for, and ends a test that would wait for ever.
    async fn long_work() {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }

    #[tokio::test]
    async fn work_ends_by_itself_while_every_watch_runs() {
        let mut tasks = Tasks::default();
        tasks.spawn("Service", pending());
        assert_eq!(tasks.run_while_watching(ready(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_watch_that_panics_ends_the_work_and_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("Deployment", pending());
        tasks.spawn("Service", async { panic!("no such field") });
        let ended = tasks.run_while_watching(long_work()).await.unwrap_err().to_string();
        assert!(ended.contains("the watch of Service ended") && ended.contains("no such field"), "{ended}");
    }

    #[tokio::test]
    async fn a_watch_that_returns_ends_the_work_too() {
        let mut tasks = Tasks::default();
        tasks.spawn("Service", ready(()));
        let ended = tasks.run_while_watching(long_work()).await.unwrap_err().to_string();
        assert!(ended.contains("the watch of Service ended (without an error)"), "{ended}");
    }
}
