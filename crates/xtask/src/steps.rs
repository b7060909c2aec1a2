//! Runs other programs step by step, and stops them when a signal arrives.
//!
//! Each step is a process group of its own, so that the servers of a stopped test are stopped too. It has no standard
//! input, because nobody can answer on CI.

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

/// How long a step may take to stop before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs steps, and prints the command, result and duration of each.
pub(crate) struct Steps {
    interrupts: Interrupts,
}

impl Steps {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            interrupts: Interrupts::listen().context("cannot listen for signals")?,
        })
    }

    /// The signals that stop this program.
    pub(crate) fn interrupts(&mut self) -> &mut Interrupts {
        &mut self.interrupts
    }

    /// Runs a program and passes its output through.
    ///
    /// # Errors
    /// When it cannot be started or fails, or with `Interrupted`, after all of its processes have ended.
    pub(crate) async fn run(&mut self, heading: &str, command: &mut Command) -> Result<()> {
        self.end(heading, command).await.map(drop)
    }

    /// Runs a program and returns its standard output.
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

    /// Waits, unless a signal arrives.
    pub(crate) async fn pause(&mut self, time: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            interrupted = self.interrupts.next() => Err(interrupted.into()),
        }
    }
}

/// Stops a step and all of its processes.
pub(crate) async fn stop(child: &mut Child) -> Result<()> {
    // A process that has ended has no id, because the system may have reused it.
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

/// The command as a user would type it.
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
