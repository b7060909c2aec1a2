//! `opencoin wallet receive`: verifying and renewing the coins of somebody else.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_text::printable;
use opencoin_wallet::faults_in_words;
use rand::{CryptoRng, RngCore};
use serde_json::{Value, json};

use super::delay::DelayArgs;
use super::quoted;
use super::session::{Session, Tidy, unit};
use crate::coin_stack;
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file; `-` reads stdin. Or the line of text itself, which other users of this machine can see while the
    /// command runs.
    #[arg(value_name = "F.oc")]
    coins: PathBuf,
    #[command(flatten)]
    delay: DelayArgs,
}

impl Arguments {
    /// Waits as `--delay` says. Called before the wallet is opened.
    pub(super) async fn wait(&self, rng: &mut (impl RngCore + CryptoRng)) -> Result<()> {
        self.delay.wait(&self.coins, rng).await
    }
}

impl Session {
    pub(super) async fn receive(&mut self, Arguments { coins, delay: _ }: &Arguments) -> Result<()> {
        let (stack, form) = coin_stack::read(coins)?;
        let received = self.wallet.receive(&stack).await?;
        let currency = self.wallet.balance_of(Some(&received.currency))?;
        let left_out = received.left_out.iter().map(|left_out| {
            json!({
                "coin": left_out.index,
                "denomination": left_out.denomination,
                "reason": left_out.fault.to_string(),
            })
        });
        self.output.show(
            json!({
                "amount": received.amount,
                "currency": currency.name,
                "form": form.name(),
                "id": received.currency,
                "left_out": left_out.collect::<Value>(),
                "subject": stack.subject,
            }),
            [format!(
                "received {} from a {}: {}",
                unit(&currency).show(received.amount),
                form.name(),
                quoted(&stack.subject)
            )],
        )?;
        self.tidy(Tidy::All).await;
        if received.left_out.is_empty() {
            return Ok(());
        }
        let reasons = faults_in_words(&received.left_out, stack.coins.len());
        Err(failure::refused(format!(
            "some coins could not be received: {}",
            printable(&reasons)
        )))
    }
}
