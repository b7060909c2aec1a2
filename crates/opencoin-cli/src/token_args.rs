//! An account token from the command line, the environment or a file: whoever shares the machine can read a
//! command line.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_private_files::exposure;
use opencoin_wallet::{Secret, read_token};

/// The variable that holds a token.
const VARIABLE: &str = "OPENCOIN_TOKEN";
/// Where a token can come from, for people.
pub(crate) const SOURCES: &str =
    "the account's own token: --token-file FILE, or OPENCOIN_TOKEN in the environment";

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The account's token, in place of the session of `opencoin account login`; safer from the environment
    /// or a file.
    #[arg(long, env = VARIABLE, hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the account's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The token, where one was given.
    pub(crate) fn given(&self) -> Result<Option<Secret>> {
        given(self.token.as_deref(), self.token_file.as_deref())
    }
}

/// The token of a file, of a command line, or of the environment.
pub(crate) fn given(token: Option<&str>, file: Option<&Path>) -> Result<Option<Secret>> {
    let text = match (token, file) {
        (_, Some(path)) => {
            let read = || format!("cannot read the token file {}", path.display());
            if let Some(exposure) = exposure(path).with_context(read)? {
                bail!("{exposure}");
            }
            fs::read_to_string(path).with_context(read)?
        }
        (Some(token), None) => token.to_owned(),
        (None, None) => match env::var_os(VARIABLE) {
            Some(text) => text
                .into_string()
                .ok()
                .with_context(|| format!("{VARIABLE} is not valid UTF-8"))?,
            None => return Ok(None),
        },
    };
    Ok(Some(read_token(&text)?))
}
