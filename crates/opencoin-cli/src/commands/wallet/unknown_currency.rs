//! Coins of a currency that the wallet does not know: what it is, and whether the user trusts it.
//!
//! Whoever made the coins chose the currency's name and its URL. Only the id, the hash of the master key that signs all
//! of the currency's documents, says which currency it is. So nothing is stored unless the description at the URL verifies
//! under the id that the coins name, and the user agrees.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, Result};
use opencoin_terminal::output;
use opencoin_text::{IssuerUrl, printable};
use opencoin_wallet::WalletError;

use super::session::Session;
use crate::failure;
use crate::network_args::warn_if_exposed;

impl Session {
    /// Adds the currency `issuer`, whose coins say that its description is at the URL `hint`, if the user trusts it.
    /// `is_meant` compares the id of a currency with the one that the coins name, perhaps in part.
    pub(super) async fn trust_currency_of_coins(
        &mut self,
        issuer: &str,
        is_meant: &dyn Fn(&str) -> bool,
        hint: &str,
        is_trusted: bool,
    ) -> Result<()> {
        let unknown = || WalletError::UnknownCurrency {
            issuer: issuer.to_owned(),
            hint: hint.to_owned(),
        };
        let url: IssuerUrl = hint.parse().map_err(|error| {
            let text = format!("{}, which is not the URL of an issuer: {error}", unknown());
            failure::reworded(&unknown().into(), text)
        })?;
        if !is_trusted && !io::stdin().is_terminal() {
            return Err(unknown().into());
        }
        let described = self.wallet.describe(url.as_str()).await?;
        if !is_meant(&described.currency()) {
            return Err(failure::refused(format!(
                "at {url} is another currency, {}, than the one that the coins name, {issuer}; nothing was stored. Ask \
                 who gave you the coins",
                described.currency()
            )));
        }
        let name = printable(described.name());
        let url: IssuerUrl = described
            .url()
            .parse()
            .with_context(|| format!("the description of {name} names a server that is none"))?;
        warn_if_exposed(&url, "change the documents of the issuer");
        let id = described.currency();
        if !is_trusted && !agrees(&name, &id, &url)? {
            return Err(failure::refused("nothing was received and nothing was stored"));
        }
        self.wallet.trust(&described).await?;
        output::complain(&format!("added {name}, id {}, from {url}", described.currency()));
        Ok(())
    }
}

/// Asks whether the user trusts a currency. Only `y` and `yes` agree.
fn agrees(name: &str, id: &str, url: &IssuerUrl) -> Result<bool> {
    output::complain("This wallet does not know the currency of these coins.");
    output::complain(&format!("  name: {name}\n  id:   {id}\n  URL:  {url}"));
    output::complain(
        "Anybody can make a currency of any name. Compare the id with the one that the operator publishes elsewhere.",
    );
    output::complain("Trust this currency and receive the coins? [y/N]");
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read from the terminal")?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
