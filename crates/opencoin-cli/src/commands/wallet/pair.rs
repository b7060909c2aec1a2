//! `opencoin wallet pair`: connecting the wallet with an account.

use std::io;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_api::PairingLink;
use opencoin_text::IssuerUrl;
use opencoin_wallet::account::{AccountClient, AccountError, Pairing, PairingError};
use rand::rngs::OsRng;
use serde_json::json;

use super::session::Session;
use crate::commands::account::connection::currency_of;
use crate::dates::utc;
use crate::failure;
use crate::network_args::warn_if_exposed;

/// The longest line that is read as a link, in bytes.
const LINK_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The link that the page of the account shows, or what its QR code says. `-` reads it from the standard input, so that
    /// other users of the machine do not see it.
    link: String,
    /// Encrypt the new wallet with a passphrase. `opencoin wallet passphrase` does this later too.
    #[arg(long)]
    pub(super) encrypt: bool,
}

impl Session {
    pub(super) async fn pair(&mut self, Arguments { link, .. }: &Arguments) -> Result<()> {
        let link: PairingLink = match link.as_str() {
            "-" => read_line()?.parse(),
            link => link.parse(),
        }
        .map_err(|error| failure::usage(format!("{error}")))?;
        let url: IssuerUrl = link.url.parse().context("the link has no valid URL")?;
        warn_if_exposed(&url, "read the key of the wallet");
        let client = AccountClient::new(&url, &self.network.network()?)?;
        let pairing = Pairing::begin(&self.dir, &link, &client, &mut OsRng)
            .await
            .map_err(explained)?;
        let session = pairing.log_in(&client, currency_of(&client).await).await?;
        self.store_session(&session)?;
        let is_known = self
            .wallet
            .currency_urls()
            .iter()
            .any(|known| pairing.is_with(known));
        if !is_known {
            self.add_currency(&url).await?;
        }
        self.output.show(
            json!({ "service": pairing.service, "url": pairing.url, "expires_at": session.expires_at }),
            [
                format!("connected with an account at {url}"),
                format!(
                    "`opencoin wallet mint` and `redeem` need no log-in from now on (this session lasts until {})",
                    utc(session.expires_at)
                ),
            ],
        )
    }
}

fn read_line() -> Result<String> {
    use io::{BufRead, Read};
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(LINK_BYTES_MAX)
        .read_line(&mut line)
        .context("the link cannot be read from the standard input")?;
    Ok(line)
}

fn explained(error: PairingError) -> anyhow::Error {
    match error {
        PairingError::Account(error) if error.is_unauthorized() => {
            let advice =
                "the link was used already, or its program was removed: make a new one on the account's page";
            failure::explained(error.into(), advice)
        }
        PairingError::Account(error @ AccountError::Open(_)) => {
            failure::explained(error.into(), "the result is unknown: use the same link again")
        }
        other => other.into(),
    }
}
