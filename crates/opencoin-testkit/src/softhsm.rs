//! Throw-away hardware tokens for tests: SoftHSM 2, with its tokens in a temporary folder.
//!
//! A PKCS#11 module belongs to a whole process: it reads its environment once, and whoever is logged in is so
//! for all threads. So a test that loads the module runs in a process of its own, [`in_own_process`], and no
//! test sees the tokens, the logins or the faults of another. Programs that a test starts get a token through
//! [`TestToken::environment`].
//!
//! [`MODULE_VARIABLE`] names a module where it is not where distributions put it.

use std::any::type_name_of_val;
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

/// The environment variable with the path of `libsofthsm2.so`.
pub const MODULE_VARIABLE: &str = "OPENCOIN_TEST_SOFTHSM";

/// The label of a fresh token.
pub const LABEL: &str = "opencoin test";

/// The PIN of its user.
pub const PIN: &str = "8642-user";

/// The PIN of its security officer.
const OFFICER_PIN: &str = "1357-officer";

/// Where Debian (by architecture), Fedora and SoftHSM's own installation put the module.
const MODULES: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// SoftHSM's program for making tokens.
const UTILITY: &str = "softhsm2-util";

/// What SoftHSM reads to find its configuration.
const CONFIGURATION_VARIABLE: &str = "SOFTHSM2_CONF";

/// Tells a process that it is one of a test's own: the folder of its token.
const FOLDER_VARIABLE: &str = "OPENCOIN_TEST_TOKEN_FOLDER";

const CONFIGURATION: &str = "softhsm2.conf";
const TOKENS: &str = "tokens";

/// Written by a process of its own once it has run the test, because a name that matches no test is a success
/// as well.
const DONE: &str = "done";

/// A token called [`LABEL`] in a folder of its own, which goes when this is dropped.
#[derive(Debug)]
pub struct TestToken {
    folder: PathBuf,
    /// Not there in a process whose parent owns the folder.
    _owner: Option<TempDir>,
}

impl TestToken {
    /// Makes a folder with one token.
    ///
    /// # Panics
    /// SoftHSM is not installed, or makes no token.
    #[must_use]
    pub fn create() -> Self {
        let owner = tempfile::Builder::new()
            .prefix("opencoin-token-")
            .tempdir()
            .expect("a temporary folder");
        let folder = owner.path().to_owned();
        fs::create_dir(folder.join(TOKENS)).expect("our own folder");
        let token = Self {
            folder,
            _owner: Some(owner),
        };
        let tokens = token.tokens_folder();
        token.configure(&format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR",
            tokens.display()
        ));
        token.add(LABEL);
        token
    }

    /// The module, for the options of whoever opens the token.
    ///
    /// # Panics
    /// SoftHSM is not installed.
    #[must_use]
    pub fn module(&self) -> PathBuf {
        module().unwrap_or_else(|| {
            panic!(
                "SoftHSM 2 was not found: run `cargo xtask test`, which installs it (Debian, Ubuntu: apt-get install softhsm2), or \
                 set {MODULE_VARIABLE} to the path of libsofthsm2.so"
            )
        })
    }

    /// Makes another token. A process that has loaded the module sees it when it initialises the module
    /// again.
    ///
    /// # Panics
    /// SoftHSM makes none.
    pub fn add(&self, label: &str) {
        let mut command = Command::new(UTILITY);
        command.args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            OFFICER_PIN,
            "--pin",
            PIN,
        ]);
        let (variable, configuration) = self.environment();
        let output = command
            .arg("--module")
            .arg(self.module())
            .env(variable, configuration)
            .output();
        let output = output
            .unwrap_or_else(|error| panic!("cannot start {UTILITY}, which belongs to SoftHSM: {error}"));
        assert!(
            output.status.success(),
            "{UTILITY} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Adds lines to SoftHSM's configuration, for processes that load the module later.
    ///
    /// # Panics
    /// The folder cannot be written.
    pub fn configure(&self, lines: &str) {
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(CONFIGURATION));
        writeln!(file.expect("our own folder"), "{lines}").expect("our own file");
    }

    /// The variable by which a program that is started finds this token, and its value.
    #[must_use]
    pub fn environment(&self) -> (&'static str, PathBuf) {
        (CONFIGURATION_VARIABLE, self.folder.join(CONFIGURATION))
    }

    /// Where the keys lie. Moving it away is what removing a token from its reader is.
    #[must_use]
    pub fn tokens_folder(&self) -> PathBuf {
        self.folder.join(TOKENS)
    }
}

/// The module: that of [`MODULE_VARIABLE`], or the one that is installed together with its program.
#[must_use]
pub fn module() -> Option<PathBuf> {
    if let Some(module) = env::var_os(MODULE_VARIABLE) {
        return Some(PathBuf::from(module));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let has_utility = env::split_paths(&path).any(|folder| folder.join(UTILITY).is_file());
    MODULES
        .iter()
        .map(PathBuf::from)
        .find(|module| has_utility && module.is_file())
}

/// Runs the test that calls it in a process of its own, with a fresh token for it.
///
/// It must be all that the test does, because the test runs twice: first to start the process, then in it.
///
/// # Panics
/// The test fails there, or SoftHSM is not installed.
pub fn in_own_process(test: impl FnOnce(&TestToken)) {
    if let Some(token) = of_this_process() {
        test(&token);
        fs::write(token.folder.join(DONE), "").expect("our own folder");
        return;
    }
    let name = test_name(&test);
    let token = TestToken::create();
    let mut command = own_program(&token);
    let output = command
        .args([&name, "--exact", "--nocapture", "--include-ignored"])
        .output()
        .expect("our own program");
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(
        output.status.success(),
        "{name} in its own process: {}\n{}",
        output.status,
        texts.concat()
    );
    assert!(
        token.folder.join(DONE).exists(),
        "{name} is no test of this program\n{}",
        texts.concat()
    );
}

/// For programs that are no tests: runs the program again, with the same arguments and a fresh token.
///
/// # Errors
/// How the other process ended, in the one that was started first.
///
/// # Panics
/// The program cannot be started, or SoftHSM is not installed.
pub fn again_with_token() -> Result<TestToken, ExitStatus> {
    of_this_process().ok_or_else(|| {
        let token = TestToken::create();
        own_program(&token)
            .args(env::args_os().skip(1))
            .status()
            .expect("our own program")
    })
}

fn of_this_process() -> Option<TestToken> {
    let folder = PathBuf::from(env::var_os(FOLDER_VARIABLE)?);
    Some(TestToken { folder, _owner: None })
}

fn own_program(token: &TestToken) -> Command {
    let mut command = Command::new(env::current_exe().expect("a program knows its path"));
    let (variable, configuration) = token.environment();
    command
        .env(variable, configuration)
        .env(FOLDER_VARIABLE, &token.folder);
    command
}

/// The test's name for the harness: that of its closure, without the crate and the closure itself.
fn test_name<T>(test: &T) -> String {
    let path = type_name_of_val(test)
        .split("::{{closure}}")
        .next()
        .expect("a split has a first part");
    path.split_once("::").map_or(path, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_in_a_process_of_its_own_with_a_token() {
        in_own_process(|token| {
            let (variable, configuration) = token.environment();
            assert_eq!(env::var_os(variable), Some(configuration.into_os_string()));
            assert_eq!(fs::read_dir(token.tokens_folder()).unwrap().count(), 1);
            token.add("another");
            assert_eq!(fs::read_dir(token.tokens_folder()).unwrap().count(), 2);
        });
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn what_fails_there_fails_here() {
        in_own_process(|_| panic!("a test that fails on purpose"));
    }

    #[test]
    fn the_folder_goes_with_the_token() {
        let token = TestToken::create();
        let folder = token.folder.clone();
        assert!(folder.is_dir());
        drop(token);
        assert!(!folder.exists());
    }
}
