//! Processes of witnesses, and the commands that prepare them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::wait::{PATIENCE, wait_for};

/// A process that is killed on drop. What it prints is in a file.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program in this folder, where its log `NAME.log` is.
    pub(super) fn start(command: &mut Command, folder: &Path, name: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("our own folder");
        let process = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("an open file"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            process,
            log,
        }
    }

    /// What it has printed so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("our own file")
    }

    /// Panics if it has ended by itself.
    pub(super) fn assert_runs(&mut self) {
        let ended = self.process.try_wait().expect("our own process");
        assert!(
            ended.is_none(),
            "{} ended by itself with {ended:?}:\n{}",
            self.name,
            self.log()
        );
    }

    /// Waits until `look` finds something, and panics when the process ends before.
    pub(super) fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        wait_for(&format!("{what} of {}", self.name), || {
            // Before the look, because the process may end between the two.
            let ended = self.process.try_wait().expect("our own process");
            let found = look(self);
            if let (None, Some(status)) = (&found, ended) {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            found.ok_or_else(|| self.log())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command to its end and returns its standard output.
pub(super) fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The answer to `GET /` on a port of this machine, with its head; `None` if nobody answers.
pub(super) fn get_root(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
