//! The stop signal of long-running commands.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or Ctrl-C. Signals are caught from the call on, even before the future is polled.
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
