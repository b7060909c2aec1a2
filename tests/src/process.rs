//! A long-running `opencoin` process: a server, or a signer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to begin or to stop.
const PATIENCE: Duration = Duration::from_secs(40);

/// What processes have logged so far: warnings, errors, panics.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// A running process. Killed when dropped.
pub struct Process {
    child: Child,
}

impl Log {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Shows what a process logs and keeps it.
    fn keep(&self, mut errors: impl Read) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = errors.read(&mut bytes) {
            self.0.lock().unwrap().extend(&bytes[..length]);
            // It is kept for the test; that it is seen as well is a convenience.
            let _ = io::stderr().write_all(&bytes[..length]);
        }
    }
}

impl Process {
    /// Starts a command and waits until it says something that begins with `ready`.
    #[must_use]
    pub fn start(command: &mut Command, ready: &str, log: &Log) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (errors, log) = (child.stderr.take().unwrap(), log.clone());
        thread::spawn(move || log.keep(errors));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with(ready), "the process said {line:?}");
        Self { child }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator does (SIGTERM) and demands exit code 0.
    pub fn stop(mut self) {
        // The shell has `kill` built in; a machine without procps has no program of that name.
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.id())])
            .status()
            .unwrap();
        assert!(killed.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "the process ended with {status}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the process does not stop");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a crash does (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves it behind; one that passed has ended it, and has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
