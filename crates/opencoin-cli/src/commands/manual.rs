//! `opencoin completions` and `opencoin man`: shell completions and manual pages.
//!
//! Both are generated from the declarations of the command line. The completion scripts are static: clap_complete can
//! also generate scripts that call the program, but only behind its feature `unstable-dynamic`, whose interface between
//! script and program can change in any release.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use opencoin_terminal::output;

const PROGRAM: &str = "opencoin";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell. Example: `opencoin completions bash > /etc/bash_completion.d/opencoin`.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The folder for the pages of all commands. It is created if necessary, and the paths of the pages are printed.
    /// Without this option, the page of `opencoin` itself goes to stdout.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(arguments: &CompletionsArguments, mut program: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, PROGRAM, &mut script);
    output::exact(&String::from_utf8(script).context("the completions are not text")?)
}

pub(crate) fn man(arguments: &ManArguments, program: Command) -> Result<()> {
    let mut program = without_help_commands(program);
    // Sets the full names of the commands and their global arguments.
    program.build();
    match &arguments.dir {
        None => output::exact(&page(program)?),
        Some(dir) => write_pages(dir, program),
    }
}

/// Removes the `help` commands, each of which would duplicate all pages of its level.
fn without_help_commands(program: Command) -> Command {
    program
        .disable_help_subcommand(true)
        .mut_subcommands(without_help_commands)
}

fn write_pages(dir: &Path, program: Command) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut commands = vec![program];
    while let Some(command) = commands.pop() {
        commands.extend(
            command
                .get_subcommands()
                .filter(|command| !command.is_hide_set())
                .cloned(),
        );
        let path = dir.join(format!("{}.1", page_name(&command)));
        std::fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
        output::line(&path.display().to_string())?;
    }
    Ok(())
}

/// The name in git's style: `opencoin-wallet-mint` for `opencoin wallet mint`.
fn page_name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

fn page(command: Command) -> Result<String> {
    let title = page_name(&command).to_uppercase();
    let mut text = Vec::new();
    let man = Man::new(command)
        .title(title)
        .manual("opencoin")
        .source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")));
    man.render(&mut text)
        .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
    String::from_utf8(text).context("the page is not text")
}
