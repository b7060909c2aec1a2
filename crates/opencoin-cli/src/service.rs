//! What every process that runs until it is told to stop needs: a log on stderr, and to hear the signal.

use std::io::{self, IsTerminal};

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is logged unless `OPENCOIN_LOG` says otherwise (the syntax is tracing's: `info`, `opencoin_issuer=debug`, ...).
const LOG_FILTER_DEFAULT: &str = "info,sqlx=warn";

/// Starts the log.
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_env("OPENCOIN_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_FILTER_DEFAULT));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
}

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
