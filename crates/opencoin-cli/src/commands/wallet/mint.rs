//! `opencoin wallet mint`: coins for money on an account.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use opencoin_terminal::progress::ProgressBar;
use opencoin_text::AmountText;
use opencoin_wallet::Wallet;

use super::session::{Session, Tidy, unit};
use crate::token_args::TokenArgs;

/// Smaller mints are done before a progress bar could be read. In smallest units.
const PROGRESS_AMOUNT_MIN: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    #[command(flatten)]
    token: TokenArgs,
}

impl Session {
    pub(super) async fn mint(&mut self, Arguments { amount, token }: &Arguments) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        let bearer = self.bearer(token).await?;
        let bar = (units >= PROGRESS_AMOUNT_MIN).then(|| ProgressBar::new("blinding coins"));
        let mut progress = |done, total| bar.iter().for_each(|bar| bar.set(done, total));
        let before = held(&self.wallet);
        let minted = self
            .wallet
            .mint(Some(&chosen.currency), units, bearer, &mut progress)
            .await;
        drop(bar);
        // The balance can decrease if the wallet has learned meanwhile that coins were revoked.
        let part = held(&self.wallet).saturating_sub(before);
        if minted.is_err() && part > 0 {
            // A large mint consists of several requests.
            output::complain(&format!("note: {} of it were minted", unit(&chosen).show(part)));
        }
        let id = minted?;
        self.show_amount(&chosen, units, "minted", Some(id))?;
        self.tidy(Tidy::Expiring).await;
        Ok(())
    }
}

fn held(wallet: &Wallet) -> u64 {
    wallet.balances().iter().map(|balance| balance.balance).sum()
}
