//! Signals that stop the program: Ctrl-C, a cancelled CI job, a closed terminal.

use std::io;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receives the signals.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// The program was stopped by a signal.
#[derive(Debug, Clone, Copy, Error)]
#[error("stopped by signal {}", .0.as_raw_value())]
pub(crate) struct Interrupted(SignalKind);

impl Interrupts {
    /// Catches the signals, which [`Self::next`] then returns.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal, or returns one that has arrived since the last call.
    pub(crate) async fn next(&mut self) -> Interrupted {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        Interrupted(kind)
    }
}

impl Interrupted {
    /// The exit code of a shell for a program that was ended by the signal.
    pub(crate) fn exit_code(self) -> u8 {
        128 + u8::try_from(self.0.as_raw_value()).expect("signals are small numbers")
    }
}
