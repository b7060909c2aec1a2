//! `opencoin key mint` and `opencoin key redeem`: coins for money on a key account, and money for coins.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::progress::ProgressBar;
use opencoin_text::AmountText;
use serde_json::json;

use super::super::wallet::Tidy;
use super::{KeySession, unit_of};

/// Smaller mints are done before a progress bar could be read. In smallest units.
const PROGRESS_AMOUNT_MIN: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct MintArguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
}

#[derive(Debug, Args)]
pub(super) struct RedeemArguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
}

impl KeySession {
    pub(super) async fn mint(&mut self, MintArguments { amount }: &MintArguments) -> Result<()> {
        let info = self.chosen()?;
        let unit = unit_of(&info);
        let units = unit.read(amount)?;
        let bar = (units >= PROGRESS_AMOUNT_MIN).then(|| ProgressBar::new("blinding coins"));
        let mut progress = |done, total| bar.iter().for_each(|bar| bar.set(done, total));
        let minted = self
            .session
            .wallet
            .mint_by_key(&info.key, units, &mut progress)
            .await;
        drop(bar);
        let request = minted?;
        self.session.output.show(
            json!({
                "amount": units,
                "currency": info.name,
                "id": info.currency,
                "key": info.key.to_string(),
                "request": request,
            }),
            [format!("minted {}", unit.show(units))],
        )?;
        self.session.tidy(Tidy::Expiring).await;
        Ok(())
    }

    pub(super) async fn redeem(&mut self, RedeemArguments { amount }: &RedeemArguments) -> Result<()> {
        let info = self.chosen()?;
        let unit = unit_of(&info);
        let units = unit.read(amount)?;
        let request = self.session.wallet.redeem_to_key(&info.key, units).await?;
        self.session.output.show(
            json!({
                "amount": units,
                "currency": info.name,
                "id": info.currency,
                "key": info.key.to_string(),
                "request": request,
            }),
            [format!("redeemed {} to {}", unit.show(units), info.key)],
        )?;
        self.session.tidy(Tidy::Expiring).await;
        Ok(())
    }
}
