//! SIGTERM and Ctrl-C: the first one ends the process in order, the second one at once.

use futures::{Stream, StreamExt, future, stream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Ends the process: in order at the first signal, at once at the second.
pub async fn end_on_signals(shutdown: CancellationToken) {
    follow(signals(), shutdown).await;
    std::process::exit(1);
}

/// Cancels `shutdown` at the first of these signals, and returns at the second: nothing in the process may be waited for then.
pub async fn follow(signals: impl Stream<Item = ()>, shutdown: CancellationToken) {
    let mut signals = std::pin::pin!(signals);
    if signals.next().await.is_some() {
        tracing::info!("shutting down; a second signal ends the process at once");
        shutdown.cancel();
    }
    if signals.next().await.is_none() {
        future::pending::<()>().await;
    }
    tracing::warn!("a second signal: ending at once, without releasing the Lease");
}

/// Every SIGTERM and SIGINT that this process gets from now on.
pub fn signals() -> impl Stream<Item = ()> {
    stream::select(of_kind(SignalKind::terminate(), "SIGTERM"), of_kind(SignalKind::interrupt(), "SIGINT"))
}

fn of_kind(kind: SignalKind, name: &str) -> impl Stream<Item = ()> + use<> {
    let signals: Option<Signal> =
        signal(kind).inspect_err(|error| tracing::warn!(%error, "{name} can't be handled")).ok();
    stream::unfold(signals, async |signals| {
        let mut signals = signals?;
        signals.recv().await?;
        Some(((), Some(signals)))
    })
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn the_first_signal_ends_in_order_and_the_second_at_once() {
        let (send, signals) = futures::channel::mpsc::unbounded();
        let shutdown = CancellationToken::new();
        let mut following = Box::pin(follow(signals, shutdown.clone()));
        assert_eq!(futures::poll!(&mut following), Poll::Pending);
        assert!(!shutdown.is_cancelled());
        send.unbounded_send(()).unwrap();
        assert_eq!(futures::poll!(&mut following), Poll::Pending);
        assert!(shutdown.is_cancelled());
        send.unbounded_send(()).unwrap();
        assert_eq!(futures::poll!(&mut following), Poll::Ready(()));
    }

    #[tokio::test]
    async fn a_process_without_signals_is_not_ended() {
        let shutdown = CancellationToken::new();
        let mut following = Box::pin(follow(stream::empty(), shutdown.clone()));
        assert_eq!(futures::poll!(&mut following), Poll::Pending);
        assert!(!shutdown.is_cancelled());
    }
}
