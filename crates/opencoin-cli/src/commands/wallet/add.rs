//! `opencoin wallet add`: trusting the currency of an issuer.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::{IssuerUrl, printable};
use opencoin_wallet::Balance;
use serde_json::json;

use super::DAY;
use super::session::Session;
use crate::network_args::warn_if_exposed;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The URL of the issuer, for example `https://issuer.example`.
    url: IssuerUrl,
    /// Encrypt the new wallet with a passphrase. `opencoin wallet passphrase` does this later too.
    #[arg(long)]
    pub(super) encrypt: bool,
}

impl Session {
    pub(super) async fn add(&mut self, Arguments { url, .. }: &Arguments) -> Result<()> {
        let added = self.add_currency(url).await?;
        let name = printable(&added.name);
        self.output.show(
            json!({ "currency": added.name, "id": added.currency, "url": url.as_str() }),
            [
                format!("added {name}, id {}", added.currency),
                "compare the id with the one that the operator publishes elsewhere".to_owned(),
            ],
        )
    }

    /// Adds the currency of an issuer, with the notes that its user should read.
    pub(super) async fn add_currency(&mut self, url: &IssuerUrl) -> Result<Balance> {
        warn_if_exposed(url, "change the documents of the issuer");
        let is_new = self.wallet.currency_urls().is_empty();
        let added = self.wallet.add(url.as_str()).await?;
        if let Some(at) = added.description_expired_at {
            output::complain(&format!(
                "note: the issuer's description of the currency expired on {}; ask the operator for a new one",
                at.format(DAY)
            ));
        }
        if is_new {
            output::complain(&format!(
                "note: `opencoin wallet backup{}` shows the words from which the coins can be restored; write them down",
                self.flag
            ));
        }
        Ok(added)
    }
}
