//! A node of the network: a process that can be killed and started again in the same folder.

use std::process::Command;

use crate::{Log, Process};

/// A node that runs.
pub(super) struct Node {
    /// For the table of faults.
    pub(super) name: String,
    command: Box<dyn Fn() -> Command + Send>,
    ready: &'static str,
    pub(super) log: Log,
    process: Option<Process>,
}

impl Node {
    /// Starts a node. Its output begins with `ready` when it serves.
    pub(super) fn start(
        name: impl Into<String>,
        ready: &'static str,
        command: impl Fn() -> Command + Send + 'static,
    ) -> Self {
        let mut node = Self {
            name: name.into(),
            command: Box::new(command),
            ready,
            log: Log::default(),
            process: None,
        };
        node.revive();
        node
    }

    /// Ends it as a crash does. It must not have ended by itself.
    pub(super) fn kill(&mut self) {
        self.assert_runs();
        self.process.take().unwrap().kill();
    }

    pub(super) fn assert_runs(&mut self) {
        let ended = self.process.as_mut().and_then(Process::ended);
        assert!(ended.is_none(), "{} ended by itself: {ended:?}", self.name);
    }

    pub(super) fn revive(&mut self) {
        assert!(self.process.is_none(), "{} runs", self.name);
        self.process = Some(Process::start(&mut (self.command)(), self.ready, &self.log));
    }

    pub(super) fn stop(&mut self) {
        self.process.take().unwrap().stop();
    }
}
