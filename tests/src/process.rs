//! A long-running `opencoin` process: a server or a signer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use opencoin_testkit::wait::{wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// What processes have logged so far: warnings, errors, panics.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// A running process. Killed when dropped.
pub struct Process {
    child: Child,
    /// Reads what the process logs, until the process ends.
    logging: JoinHandle<()>,
    printed: Vec<String>,
}

impl Log {
    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Stores what a process logs, and prints it for people who debug a test.
    fn read(&self, mut stderr: impl Read) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut bytes) {
            self.0.lock().unwrap().extend(&bytes[..length]);
            let _ = io::stderr().write_all(&bytes[..length]);
        }
    }
}

impl Process {
    /// Starts a command and waits until a line of its standard output begins with `ready`.
    #[must_use]
    pub fn start(command: &mut Command, ready: &str, log: &Log) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stderr, log) = (child.stderr.take().unwrap(), log.clone());
        let logging = thread::spawn(move || log.read(stderr));
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            printed.push(line.unwrap());
            if printed.last().is_some_and(|line| line.starts_with(ready)) {
                break;
            }
        }
        let process = Self {
            child,
            logging,
            printed,
        };
        let is_ready = process.printed.last().is_some_and(|line| line.starts_with(ready));
        assert!(is_ready, "the process printed {:?}", process.printed);
        process
    }

    /// The lines of its standard output until it was ready.
    #[must_use]
    pub fn printed(&self) -> &[String] {
        &self.printed
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended by itself; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Stops it as an operator does (SIGTERM) and requires exit code 0. Its log is then complete.
    pub fn stop(mut self) {
        send_signal(&self.child, Signal::TERM);
        let status = wait_for("the end of the process", || {
            self.child.try_wait().unwrap().ok_or("it runs")
        });
        assert!(status.success(), "the process ended with {status}");
        wait_until("the log is read to its end", || self.logging.is_finished());
    }

    /// Lets it do nothing until it is resumed, as on a machine that is frozen.
    pub fn pause(&self) {
        send_signal(&self.child, Signal::STOP);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        send_signal(&self.child, Signal::CONT);
    }

    /// Ends it as a crash does (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this program has started.
pub fn send_signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}
