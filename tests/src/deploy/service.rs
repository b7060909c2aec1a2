//! A server of others that runs for one test.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long it may take to begin or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server and what it has started. Stopped when dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it and waits until it listens on this port of loopback. What it says goes to the file `log`.
    #[must_use]
    pub fn start(command: &mut Command, port: u16, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        let mut service = Self {
            child,
            log: log.to_owned(),
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = service.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{command:?} does not listen: {ended:?}\n{}",
                service.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        // It may have ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}
