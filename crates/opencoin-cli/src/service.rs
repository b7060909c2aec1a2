//! What every process that runs until it is told to stop needs: to hear the signal.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// SIGTERM or Ctrl-C, from now on.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
