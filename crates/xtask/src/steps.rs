//! Running other programs, one step after another, and stopping them when we are told to stop.
//!
//! Each step is a process group of its own: a test that was interrupted takes the servers it started with it.
//! It gets no standard input, because nobody is there to answer on CI.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::interrupts::Interrupts;

/// How long a step that was told to stop may take before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs steps and says what it runs, how it went and how long it took.
pub(crate) struct Steps {
    interrupts: Interrupts,
}

impl Steps {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            interrupts: Interrupts::listen().context("cannot listen for signals")?,
        })
    }

    /// What tells of the signals that end this program.
    pub(crate) fn interrupts(&mut self) -> &mut Interrupts {
        &mut self.interrupts
    }

    /// Runs a program to its end, with its output on ours.
    ///
    /// Fails when it cannot be started, when it fails, or with `Interrupted`; then nothing of it runs any
    /// more.
    pub(crate) async fn run(&mut self, heading: &str, command: &mut Command) -> Result<()> {
        self.end(heading, command).await.map(drop)
    }

    /// The same, and gives what it has written to its standard output.
    pub(crate) async fn read(&mut self, heading: &str, command: &mut Command) -> Result<String> {
        self.end(heading, command.stdout(Stdio::piped())).await
    }

    async fn end(&mut self, heading: &str, command: &mut Command) -> Result<String> {
        println!("\n==> {heading}: {}", line(command));
        let begun = Instant::now();
        command.stdin(Stdio::null()).process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("{heading}: cannot start {}", line(command)))?;
        let mut written = String::new();
        let mut output = child.stdout.take();
        let end = async {
            if let Some(output) = &mut output {
                output.read_to_string(&mut written).await?;
            }
            child.wait().await
        };
        let ended = tokio::select! {
            status = end => Ok(status?),
            interrupted = self.interrupts.next() => Err(interrupted),
        };
        let status = match ended {
            Ok(status) => status,
            Err(interrupted) => {
                stop(&mut child).await?;
                return Err(interrupted.into());
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(
            status.success(),
            "{heading} failed after {seconds:.1} s ({status}): {}",
            line(command)
        );
        println!("==> {heading}: done in {seconds:.1} s");
        Ok(written)
    }

    /// Waits, unless we are told to stop.
    pub(crate) async fn pause(&mut self, time: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            interrupted = self.interrupts.next() => Err(interrupted.into()),
        }
    }
}

/// Ends a step and all that it started.
pub(crate) async fn stop(child: &mut Child) -> Result<()> {
    // Once it was waited for it has no id, and its group's may be another's by now.
    let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
        return Ok(());
    };
    kill_process_group(group, Signal::TERM)?;
    if timeout(STOP_PATIENCE, child.wait()).await.is_err() {
        kill_process_group(group, Signal::KILL)?;
        child.wait().await?;
    }
    Ok(())
}

/// The command as a user could type it.
fn line(command: &Command) -> String {
    let command = command.as_std();
    let mut line = String::new();
    for (name, value) in command.get_envs() {
        let value = value.map(OsStr::to_string_lossy).unwrap_or_default();
        let _ = write!(line, "{}='{value}' ", name.to_string_lossy());
    }
    line.push_str(&command.get_program().to_string_lossy());
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
