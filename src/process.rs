//! The life of the operator's process: it acts for as long as its watches run, and ends its HTTP servers last.

use std::future::Future;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::controller::Tasks;

/// Runs `acting` to its end while the watches run, then cancels `shutdown` and waits for the servers.
///
/// Without its watches this process would act on stores that never change again, and look healthy. It ends in the middle of
/// whatever it does, and does not release its Lease: a write may still be under way.
///
/// # Errors
/// When a watch ends first, when `acting` fails, or when a server panics.
pub async fn act_while_watching(
    mut tasks: Tasks,
    acting: impl Future<Output = anyhow::Result<()>>,
    shutdown: &CancellationToken,
    mut servers: JoinSet<()>,
) -> anyhow::Result<()> {
    tasks.run_while_watching(acting).await.inspect_err(|ended| tracing::error!("{ended}"))??;
    shutdown.cancel();
    while let Some(ended) = servers.join_next().await {
        ended.context("an HTTP server panicked")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    /// A server that ends with the process.
    fn servers(shutdown: &CancellationToken) -> JoinSet<()> {
        let mut servers = JoinSet::new();
        servers.spawn(shutdown.clone().cancelled_owned());
        servers
    }

    fn watches() -> Tasks {
        let mut tasks = Tasks::default();
        tasks.spawn("Deployment", pending());
        tasks
    }

    #[tokio::test]
    async fn a_watch_that_panics_ends_the_process_in_the_middle_of_its_work() {
        let (mut tasks, shutdown) = (watches(), CancellationToken::new());
        tasks.spawn("Service", async { panic!("no such field") });
        let mut released = false;
        let acting = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            released = true;
            Ok(())
        };
        let ended = act_while_watching(tasks, acting, &shutdown, servers(&shutdown)).await;
        let words = ended.unwrap_err().to_string();
        assert!(words.contains("the watch of Service ended") && words.contains("no such field"), "{words}");
        assert!(!released && !shutdown.is_cancelled());
    }

    #[tokio::test]
    async fn work_that_ends_by_itself_ends_the_servers() {
        let shutdown = CancellationToken::new();
        act_while_watching(watches(), ready(Ok(())), &shutdown, servers(&shutdown)).await.unwrap();
        assert!(shutdown.is_cancelled());
    }

    #[tokio::test]
    async fn work_that_fails_ends_the_process_with_its_reason() {
        let shutdown = CancellationToken::new();
        let acting = ready(Err(anyhow::anyhow!("leadership lost")));
        let ended = act_while_watching(watches(), acting, &shutdown, servers(&shutdown)).await;
        assert_eq!(ended.unwrap_err().to_string(), "leadership lost");
    }
}
