//! The options for an account token. Other users of the machine can read a command line, so the environment or a file
//! is safer.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_private_files::exposure;
use opencoin_wallet::{Secret, read_token};

const VARIABLE: &str = "OPENCOIN_TOKEN";
/// The sources of a token, for error texts.
pub(crate) const SOURCES: &str =
    "the account's own token: --token-file FILE, or OPENCOIN_TOKEN in the environment";

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The account's token, instead of the session of `opencoin account login`. Other users can read a command line:
    /// use the environment or a file.
    #[arg(long, env = VARIABLE, hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the account's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// Reads the token, if one is given.
    pub(crate) fn given(&self) -> Result<Option<Secret>> {
        given(self.token.as_deref(), self.token_file.as_deref())
    }
}

/// Reads the token from the file, else the command line, else the environment.
pub(crate) fn given(token: Option<&str>, file: Option<&Path>) -> Result<Option<Secret>> {
    match (token, file) {
        (Some(token), None) => Ok(Some(read_token(token)?)),
        (_, file) => of_file_or_variable(file, VARIABLE),
    }
}

/// Reads a token from the file, else from this variable of the environment.
pub(crate) fn of_file_or_variable(file: Option<&Path>, variable: &str) -> Result<Option<Secret>> {
    let text = match file {
        Some(path) => {
            let read = || format!("cannot read the token file {}", path.display());
            if let Some(exposure) = exposure(path).with_context(read)? {
                bail!("{exposure}");
            }
            fs::read_to_string(path).with_context(read)?
        }
        None => match env::var_os(variable) {
            Some(text) => text
                .into_string()
                .ok()
                .with_context(|| format!("{variable} is not valid UTF-8"))?,
            None => return Ok(None),
        },
    };
    Ok(Some(read_token(&text)?))
}
