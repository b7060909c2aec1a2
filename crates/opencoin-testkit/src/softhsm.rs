//! Temporary hardware tokens for tests: SoftHSM 2, with its tokens in a temporary folder.
//!
//! A PKCS#11 module has one state per process: it reads its environment once, and a login applies to all threads.
//! A test that loads the module therefore runs in a separate process, [`in_own_process`], so that tests do not
//! share tokens, logins or faults. Programs that a test starts get a token through [`TestToken::environment`].
//!
//! Set [`MODULE_VARIABLE`] if the module is not where distributions install it.

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

/// The user PIN of every token.
pub const PIN: &str = "8642-user";

const OFFICER_PIN: &str = "1357-officer";

/// Where Debian (by architecture), Fedora and SoftHSM's own build install the module.
const MODULES: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

const UTILITY: &str = "softhsm2-util";

/// The environment variable by which SoftHSM finds its configuration.
const CONFIGURATION_VARIABLE: &str = "SOFTHSM2_CONF";

/// Set in the process that [`in_own_process`] starts, to the folder of its token.
const FOLDER_VARIABLE: &str = "OPENCOIN_TEST_TOKEN_FOLDER";

const CONFIGURATION: &str = "softhsm2.conf";
const TOKENS: &str = "tokens";

/// The file that the separate process writes after the test. It is needed because a test program also succeeds
/// if the given name matches no test.
const DONE: &str = "done";

/// A token called [`LABEL`] in a temporary folder, which is removed on drop.
#[derive(Debug)]
pub struct TestToken {
    folder: PathBuf,
    /// `None` in a process whose parent owns the folder.
    _owner: Option<TempDir>,
}

impl TestToken {
    /// Creates a folder with one token.
    ///
    /// # Panics
    /// SoftHSM is not installed or cannot create a token.
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

    /// The path of the PKCS#11 module.
    ///
    /// # Panics
    /// SoftHSM is not installed.
    #[must_use]
    pub fn module(&self) -> PathBuf {
        module().unwrap_or_else(|| {
            panic!(
                "cannot find SoftHSM 2: run `cargo xtask setup` to install it (Debian, Ubuntu: apt-get install \
                 softhsm2), or set {MODULE_VARIABLE} to the path of libsofthsm2.so"
            )
        })
    }

    /// Creates another token. A process that has loaded the module sees it after initialising the module again.
    ///
    /// # Panics
    /// SoftHSM cannot create a token.
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

    /// The environment variable, and its value, by which a child process finds this token.
    #[must_use]
    pub fn environment(&self) -> (&'static str, PathBuf) {
        (CONFIGURATION_VARIABLE, self.folder.join(CONFIGURATION))
    }

    /// The folder with the keys. To simulate that a token is unplugged, move this folder away.
    #[must_use]
    pub fn tokens_folder(&self) -> PathBuf {
        self.folder.join(TOKENS)
    }
}

/// The path of the PKCS#11 module: the value of [`MODULE_VARIABLE`], or the installed one. `None` if neither the
/// variable is set nor SoftHSM with its program is installed.
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

/// Runs the calling test in a separate process with a fresh token.
///
/// The test must do nothing else, because it runs twice: first to start the process, then in that process.
///
/// # Panics
/// The test fails in its process, or SoftHSM is not installed.
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
        "{name} failed in its own process: {}\n{}",
        output.status,
        texts.concat()
    );
    assert!(
        token.folder.join(DONE).exists(),
        "{name} is not a test of this program\n{}",
        texts.concat()
    );
}

/// For programs other than tests: runs the current program again, with the same arguments and a fresh token.
/// Returns the token in the second process.
///
/// # Errors
/// In the first process, the exit status of the second.
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

/// The test's name for the test harness, from the type name of its closure.
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
