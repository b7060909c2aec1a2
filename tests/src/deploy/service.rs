//! A third-party server that runs for one test.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{PATIENCE, wait_until};

/// A running server and its child processes. Stopped when dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts the server and waits until it listens on this port of loopback. Its output goes to the file `log`.
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
        wait_until("the server listens", || {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?} ended: {ended:?}\n{}", service.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        service
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        // Fails if the server has ended already.
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
