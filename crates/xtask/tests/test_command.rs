//! `cargo xtask test` with a `cargo` that only writes down how it was called: which steps run, what a failure
//! says, and that nothing keeps running after it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const SERVER_VARIABLE: &str = "OPENCOIN_TEST_POSTGRES";
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a program that stands in for cargo.
struct FakeCargo {
    folder: TempDir,
}

impl FakeCargo {
    /// `script` runs after the call was written down; `$1` is cargo's command.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calls = folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>'{}'\ncd '{}'\n{script}\n",
            calls.display(),
            folder.path().display()
        );
        fs::write(folder.path().join("cargo"), text).unwrap();
        fs::set_permissions(folder.path().join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn xtask_test(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("test")
            .env("CARGO", self.path("cargo"))
            .env_remove(SERVER_VARIABLE);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The commands that cargo was called with, without the versions that are asked for first.
    fn commands(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap();
        let commands = calls.lines().filter(|call| !call.ends_with("--version"));
        commands
            .map(|call| call.split(' ').next().unwrap().to_owned())
            .collect()
    }

    fn read_when_written(&self, name: &str) -> String {
        wait_until(|| fs::read_to_string(self.path(name)).is_ok_and(|text| text.ends_with('\n')));
        fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }
}

#[test]
fn all_steps_run_and_the_tests_get_a_server_that_is_gone_afterwards() {
    let cargo = FakeCargo::new(&format!(
        "[ \"$1\" = test ] && echo \"${SERVER_VARIABLE}\" >server || true"
    ));
    let output = cargo.xtask_test().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(cargo.commands(), ["fmt", "clippy", "build", "test", "doc"]);
    assert!(!server_folder(&cargo.read_when_written("server")).exists());
    for heading in ["format", "lints", "program", "tests", "documentation"] {
        assert!(
            text(&output).contains(&format!("==> {heading}: done in ")),
            "{}",
            text(&output)
        );
    }
}

#[test]
fn the_first_failure_ends_it_and_is_named() {
    let cargo = FakeCargo::new("[ \"$1\" != clippy ]");
    // The versions come first: a clippy that is not there is another failure.
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("error: clippy is missing: `rustup component add clippy`"),
        "{}",
        text(&output)
    );

    let cargo = FakeCargo::new("[ \"$1 $2\" != 'clippy --workspace' ]");
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("error: lints failed after "),
        "{}",
        text(&output)
    );
    assert_eq!(cargo.commands(), ["fmt", "clippy"]);
}

#[test]
fn failing_tests_show_what_the_server_logged() {
    let cargo = FakeCargo::new("[ \"$1\" != test ]");
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("error: tests failed after "),
        "{}",
        text(&output)
    );
    assert!(
        text(&output).contains("database system is ready to accept connections"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_signal_stops_the_step_and_the_server() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // The tests have started a server of their own, as end-to-end tests do.
        let script = format!(
            "[ \"$1\" = test ] || exit 0\n\
             (trap 'echo TERM >told; exit' TERM; : >ready; while :; do sleep 0.1; done) &\n\
             until [ -e ready ]; do sleep 0.1; done\n\
             echo \"${SERVER_VARIABLE}\" >server\n\
             wait"
        );
        let cargo = FakeCargo::new(&script);
        let mut xtask = cargo.xtask_test().spawn().unwrap();
        let server = server_folder(&cargo.read_when_written("server"));
        assert!(server.exists());

        kill_process(id(&xtask), signal).unwrap();
        wait_until(|| xtask.try_wait().unwrap().is_some());
        let output = xtask.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(!server.exists(), "the server's folder is left behind");
        assert_eq!(
            cargo.read_when_written("told"),
            "TERM",
            "what the step has started is told to stop"
        );
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed()).unwrap()
}

/// The folder that holds the folder of the server's socket, out of its URL.
fn server_folder(url: &str) -> PathBuf {
    let (_, socket) = url.split_once("?host=").unwrap();
    Path::new(socket).parent().unwrap().to_owned()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited for {} s", PATIENCE.as_secs());
        thread::sleep(Duration::from_millis(20));
    }
}
