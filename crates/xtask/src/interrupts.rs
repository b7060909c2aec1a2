//! Being told to stop: by Ctrl-C, by a CI system that cancels, by a terminal that is closed.

use std::io;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals by which a user, or the system, ends a program.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// A signal told us to stop.
#[derive(Debug, Clone, Copy, Error)]
#[error("stopped by signal {}", .0.as_raw_value())]
pub(crate) struct Interrupted(SignalKind);

impl Interrupts {
    /// From here on these signals do not end this program; [`Self::next`] tells of them.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them, and gives one that came in the meantime.
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
    /// What a shell reports for a program that a signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        128 + u8::try_from(self.0.as_raw_value()).expect("signals are small numbers")
    }
}
