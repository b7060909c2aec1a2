//! `cargo xtask test` with a fake `cargo` that records its calls and claims to have built one test program. The tests
//! check the steps and error messages, and that no process is left.

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

/// A folder with a fake cargo.
struct FakeCargo {
    folder: TempDir,
}

impl FakeCargo {
    /// `script` runs after the call is recorded; `$1` is cargo's command. `test` is the script of the only test.
    fn new(script: &str, test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calls = folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>'{}'\ncd '{}'\n[ \"$1\" = build ] && cat message\n{script}\n",
            calls.display(),
            folder.path().display()
        );
        let cargo = Self { folder };
        cargo.write_program("cargo", &text);
        let program = format!(
            "#!/bin/sh\ncd '{}'\n\
             [ \"$1\" = --list ] && {{ echo 'the_test: test'; exit; }}\n\
             {test}\necho 'test result: ok. 1 passed'\n",
            cargo.folder.path().display()
        );
        let program = cargo.write_program("program", &program);
        let message = serde_json::json!({
            "executable": program,
            "manifest_path": cargo.path("Cargo.toml"),
            "profile": { "test": true },
            "target": { "kind": ["lib"], "name": "fake" },
        });
        fs::write(cargo.path("message"), format!("{message}\n")).unwrap();
        cargo
    }

    fn write_program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
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

    /// The recorded commands without the checks of versions.
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
fn all_steps_run_and_the_tests_get_a_temporary_server() {
    let cargo = FakeCargo::new("true", &format!("echo \"${SERVER_VARIABLE}\" >server"));
    let output = cargo.xtask_test().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(cargo.commands(), ["fmt", "build", "doc", "test"]);
    assert!(!server_folder(&cargo.read_when_written("server")).exists());
    for heading in ["format", "lints and build", "documentation", "examples"] {
        let line = format!("==> {heading}: done in ");
        assert!(text(&output).contains(&line), "{}", text(&output));
    }
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().last(),
        Some("1 passed, 0 failed")
    );
}

#[test]
fn the_first_failure_ends_the_run_and_is_named() {
    let cargo = FakeCargo::new("[ \"$1\" != clippy ]", "true");
    // A missing clippy has a message of its own.
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let missing = "error: clippy is missing: `rustup component add clippy`";
    assert!(text(&output).contains(missing), "{}", text(&output));

    let cargo = FakeCargo::new("[ \"$1\" != build ]", "true");
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let failed = "error: lints and build failed after ";
    assert!(text(&output).contains(failed), "{}", text(&output));
    assert_eq!(cargo.commands(), ["fmt", "build"]);
}

#[test]
fn a_failing_test_shows_its_output_and_the_log_of_the_server() {
    let cargo = FakeCargo::new("true", "echo what the test said; exit 101");
    let output = cargo.xtask_test().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "what the test said",
        "0 passed, 1 failed",
        "database system is ready to accept connections",
    ] {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
}

#[test]
fn a_skipped_test_has_not_passed() {
    let cargo = FakeCargo::new("true", "echo 'SKIPPED: no vectors'");
    let output = cargo.xtask_test().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for part in ["the_test: no vectors", "1 skipped", "0 passed, 0 failed"] {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
}

#[test]
fn a_signal_stops_the_tests_and_the_server() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // The test has started a server, as end-to-end tests do.
        let test = format!(
            "(trap 'echo TERM >told; exit' TERM; : >ready; while :; do sleep 0.1; done) &\n\
             until [ -e ready ]; do sleep 0.1; done\n\
             echo \"${SERVER_VARIABLE}\" >server\n\
             wait"
        );
        let cargo = FakeCargo::new("true", &test);
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
            "the server of the test gets the signal"
        );
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed()).unwrap()
}

/// The folder of the server, from the path of its socket in the URL.
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
