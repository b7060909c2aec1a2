//! `opencoin wallet redeem`: money on an account for coins.

use anyhow::Result;
use clap::Args;
use opencoin_text::AmountText;

use super::session::{Session, Tidy};
use crate::token_args::TokenArgs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    #[command(flatten)]
    token: TokenArgs,
}

impl Session {
    pub(super) async fn redeem(&mut self, Arguments { amount, token }: &Arguments) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        let bearer = self.bearer(token).await?;
        let id = self.wallet.redeem(Some(&chosen.currency), units, bearer).await?;
        self.show_amount(&chosen, units, "redeemed", Some(id))?;
        self.tidy(Tidy::Expiring).await;
        Ok(())
    }
}
