//! The signals with which a person or a pipeline interrupts a command that has something to say or to clean up.

/// Returns at Ctrl-C, and where there is such a thing at SIGTERM, with which pipelines cancel.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without a handler, the signal ends the program by itself.
    let _ = tokio::signal::ctrl_c().await;
}
