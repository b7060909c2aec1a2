//! `opencoin wallet passphrase`: encrypting the wallet's file.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::secret_args;
use opencoin_wallet::Secret;
use serde_json::json;
use std::path::PathBuf;

use super::session::Session;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file that holds the new passphrase. Without it: `OPENCOIN_NEW_PASSPHRASE`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_NEW_PASSPHRASE_FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Store the wallet without a passphrase from now on.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    remove: bool,
}

impl Session {
    pub(super) fn passphrase(&mut self, arguments: &Arguments) -> Result<()> {
        let new = match arguments.remove {
            true => None,
            false => Some(secret_args::replacement(
                arguments.new_passphrase_file.as_deref(),
            )?),
        };
        let new = new.map(|new| Secret::new(new.text().as_str()));
        self.wallet.set_passphrase(new.as_ref())?;
        let line = match new {
            Some(_) => "the wallet is encrypted with the new passphrase; without it, its coins are lost",
            None => "the wallet is no longer encrypted",
        };
        self.output
            .show(json!({ "encrypted": self.wallet.is_encrypted() }), [line])
    }
}
