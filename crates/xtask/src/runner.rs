//! Runs the tests of all test programs, each test in a process of its own and one process for each processor. `cargo
//! test` would run one program after the other, and most of ours wait for servers and disks.
//!
//! The slowest tests of the last run start first, so that none of them runs alone at the end. A passed test is one
//! line of output; a failed one shows all of its output. A test that prints a line with [`SKIPPED`] does not count as
//! passed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::interrupts::Interrupts;
use crate::steps::stop;

/// The prefix of a line with which a test says that it was skipped.
const SKIPPED: &str = "SKIPPED: ";
/// The time limit of a test.
const TEST_TIME_MAX: Duration = Duration::from_secs(600);
/// The number of slowest tests that are listed at the end.
const SLOWEST_SHOWN: usize = 10;
/// The file with the duration of each test in the last run, relative to the root of the repository.
const TIMES: &str = "target/test-times.json";
/// The package of the end-to-end tests. They are assumed to be slow when their duration is unknown.
const END_TO_END: &str = "opencoin-e2e";

/// A program with tests.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    /// The package and the target.
    name: String,
    path: PathBuf,
    /// The folder of its package, in which the tests run.
    folder: PathBuf,
}

#[derive(Debug, Clone)]
struct Test {
    program: Program,
    name: String,
}

enum Verdict {
    Passed,
    Skipped(String),
    Failed(String),
}

struct Finished {
    test: String,
    time: Duration,
    verdict: Verdict,
}

/// Runs all tests of the programs in cargo's `messages` (`--message-format=json`). Fails if a test fails.
pub(crate) async fn run(
    workspace: &Path,
    messages: &str,
    environment: &[(&str, &str)],
    interrupts: &mut Interrupts,
) -> Result<()> {
    let mut tests = Vec::new();
    for program in programs(messages)? {
        for name in names(&program).await? {
            tests.push(Test {
                program: program.clone(),
                name,
            });
        }
    }
    ensure!(!tests.is_empty(), "cargo has built no tests");
    let times_file = workspace.join(TIMES);
    let mut times = read_times(&times_file);
    tests.sort_by(|one, other| {
        let expected = |test: &Test| {
            let unknown = if test.program.name.starts_with(END_TO_END) {
                1.0
            } else {
                0.0
            };
            times.get(&test.full_name()).copied().unwrap_or(unknown)
        };
        expected(other).total_cmp(&expected(one))
    });

    let jobs = available_parallelism().map_or(2, usize::from);
    println!("\n==> tests: {} in {jobs} processes at a time", tests.len());
    let begun = Instant::now();
    let finished = run_all(tests, jobs, environment, interrupts).await?;
    for one in &finished {
        times.insert(one.test.clone(), one.time.as_secs_f64());
    }
    // Without the file the next run is only sorted less well.
    let _ = fs::write(&times_file, serde_json::to_string_pretty(&times)?);
    report(finished, begun.elapsed())
}

async fn run_all(
    tests: Vec<Test>,
    jobs: usize,
    environment: &[(&str, &str)],
    interrupts: &mut Interrupts,
) -> Result<Vec<Finished>> {
    let mut waiting = VecDeque::from(tests);
    let mut running = JoinSet::new();
    let mut finished = Vec::new();
    let (told_to_stop, _) = tokio::sync::watch::channel(false);
    loop {
        while running.len() < jobs
            && let Some(test) = waiting.pop_front()
        {
            let command = test.command(environment);
            running.spawn(run_one(test.full_name(), command, told_to_stop.subscribe()));
        }
        tokio::select! {
            one = running.join_next() => {
                let Some(one) = one else { return Ok(finished) };
                let one = one.context("a test's task ended early")??;
                show(&one);
                finished.push(one);
            }
            interrupted = interrupts.next() => {
                told_to_stop.send_replace(true);
                while running.join_next().await.is_some() {}
                return Err(interrupted.into());
            }
        }
    }
}

async fn run_one(
    test: String,
    mut command: Command,
    mut told_to_stop: tokio::sync::watch::Receiver<bool>,
) -> Result<Finished> {
    let mut output = tempfile::tempfile().context("cannot make a temporary file")?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0);
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("{test}: cannot be started"))?;
    let status = tokio::select! {
        status = timeout(TEST_TIME_MAX, child.wait()) => status,
        _ = told_to_stop.changed() => {
            stop(&mut child).await?;
            anyhow::bail!("{test}: stopped");
        }
    };
    let time = begun.elapsed();
    let verdict = match status {
        Ok(status) => judge(status?.success(), &text(&mut output)?),
        Err(_) => {
            stop(&mut child).await?;
            let said = text(&mut output)?;
            Verdict::Failed(format!("{said}\nstopped after {} s", TEST_TIME_MAX.as_secs()))
        }
    };
    Ok(Finished { test, time, verdict })
}

fn judge(is_success: bool, output: &str) -> Verdict {
    // A program that runs no test also succeeds.
    if !is_success || !output.contains("test result: ok. 1 passed") {
        return Verdict::Failed(output.to_owned());
    }
    let skipped = output.lines().find_map(|line| line.split_once(SKIPPED));
    skipped.map_or(Verdict::Passed, |(_, why)| Verdict::Skipped(why.to_owned()))
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn show(one: &Finished) {
    let seconds = one.time.as_secs_f64();
    match &one.verdict {
        Verdict::Passed => println!("passed {seconds:6.2} s  {}", one.test),
        Verdict::Skipped(why) => println!("SKIPPED {seconds:5.2} s  {}: {why}", one.test),
        Verdict::Failed(output) => {
            println!("FAILED {seconds:6.2} s  {}\n{}\n", one.test, output.trim_end());
        }
    }
}

/// Prints a summary. Programs may parse the last line, `N passed, N failed`.
fn report(mut finished: Vec<Finished>, time: Duration) -> Result<()> {
    finished.sort_by_key(|one| std::cmp::Reverse(one.time));
    println!("\nthe slowest tests:");
    for one in finished.iter().take(SLOWEST_SHOWN) {
        println!("  {:6.1} s  {}", one.time.as_secs_f64(), one.test);
    }
    let (mut passed, mut skipped, mut failed) = (0, Vec::new(), Vec::new());
    for one in &finished {
        match &one.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Skipped(why) => skipped.push(format!("{}: {why}", one.test)),
            Verdict::Failed(_) => failed.push(one.test.as_str()),
        }
    }
    if !skipped.is_empty() {
        println!("\n{} skipped:\n  {}", skipped.len(), skipped.join("\n  "));
    }
    if !failed.is_empty() {
        println!("\nfailed:\n  {}", failed.join("\n  "));
    }
    println!("\ntests ran for {:.1} s", time.as_secs_f64());
    println!("{passed} passed, {} failed", failed.len());
    ensure!(failed.is_empty(), "{} tests failed", failed.len());
    Ok(())
}

impl Test {
    fn full_name(&self) -> String {
        format!("{} {}", self.program.name, self.name)
    }

    fn command(&self, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.program.path);
        command
            .args(["--exact", "--nocapture", &self.name])
            .current_dir(&self.program.folder)
            .env("CARGO_MANIFEST_DIR", &self.program.folder)
            .envs(environment.iter().copied());
        command
    }
}

/// The test programs that cargo has built.
fn programs(messages: &str) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).with_context(|| format!("cargo said {line}"))?;
        let is_test =
            message["profile"]["test"] == true && message["target"]["kind"] != serde_json::json!(["bench"]);
        let (Some(path), Some(manifest), true) = (
            message["executable"].as_str(),
            message["manifest_path"].as_str(),
            is_test,
        ) else {
            continue;
        };
        let folder = Path::new(manifest)
            .parent()
            .context("a manifest is in a folder")?;
        let package = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let package = if package == "tests" {
            END_TO_END.to_owned()
        } else {
            package
        };
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let is_library = package.replace('-', "_") == target.replace('-', "_");
        programs.push(Program {
            name: if is_library {
                package
            } else {
                format!("{package}::{target}")
            },
            path: PathBuf::from(path),
            folder: folder.to_owned(),
        });
    }
    Ok(programs)
}

async fn names(program: &Program) -> Result<Vec<String>> {
    let mut command = Command::new(&program.path);
    command
        .args(["--list", "--format", "terse"])
        .current_dir(&program.folder)
        .stdin(Stdio::null());
    let output = command
        .output()
        .await
        .with_context(|| program.path.display().to_string())?;
    ensure!(
        output.status.success(),
        "{} does not list its tests",
        program.path.display()
    );
    let list = String::from_utf8(output.stdout).context("names of tests are text")?;
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

fn read_times(file: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_that_ran_and_was_not_skipped_has_passed() {
        let ran = "test a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored";
        assert!(matches!(judge(true, ran), Verdict::Passed));
        assert!(matches!(judge(false, ran), Verdict::Failed(_)));
        assert!(matches!(
            judge(true, "test result: ok. 0 passed"),
            Verdict::Failed(_)
        ));
        let skipped = format!("test a ... SKIPPED: no vectors\n{ran}");
        assert!(matches!(judge(true, &skipped), Verdict::Skipped(why) if why == "no vectors"));
    }

    #[test]
    fn only_test_programs_are_taken_from_the_messages() {
        let message = |kind: &str, test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/a/Cargo.toml","target":{{"kind":["{kind}"],"name":"a"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            message("lib", false, "null"),
            message("bin", false, r#""/w/target/debug/a""#),
            message("bench", true, r#""/w/target/debug/deps/bench""#),
            message("lib", true, r#""/w/target/debug/deps/a-1""#),
        ];
        let program = Program {
            name: "a".to_owned(),
            path: PathBuf::from("/w/target/debug/deps/a-1"),
            folder: PathBuf::from("/w/crates/a"),
        };
        assert_eq!(programs(&messages.join("\n")).unwrap(), [program]);
    }
}
