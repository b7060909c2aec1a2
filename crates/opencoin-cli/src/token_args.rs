//! An account token from the command line, the environment or a file: whoever shares the machine can read a command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The account's token; safer from the environment or a file.
    #[arg(long, env = "OPENCOIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the account's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The token; an error says where it can come from.
    pub(crate) fn read(&self) -> Result<String> {
        let text = match (&self.token, &self.token_file) {
            (_, Some(path)) => {
                fs::read_to_string(path).with_context(|| format!("cannot read the token file {}", path.display()))?
            }
            (Some(token), None) => token.clone(),
            (None, None) => bail!(
                "this needs the token of an account: --token-file FILE, OPENCOIN_TOKEN in the environment, or --token T\n\
                 (the operator makes one with `opencoin issuer account create NAME --dir D`)"
            ),
        };
        let token = text.trim();
        if token.is_empty() {
            bail!("the account token is empty");
        }
        Ok(token.to_owned())
    }
}
