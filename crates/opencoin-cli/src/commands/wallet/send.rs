//! `opencoin wallet send`: taking coins out of the wallet.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::AmountText;
use serde_json::json;

use super::counted;
use super::new_file::NewFile;
use super::session::{Session, Tidy, unit};
use crate::coin_stack::Form;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// A message to the receiver.
    #[arg(long, default_value = "")]
    subject: String,
    /// How to hand the coins over.
    #[arg(long = "as", value_enum, default_value_t)]
    form: Form,
    /// The file to create. Default: stdout.
    #[arg(long, value_name = "F.oc")]
    out: Option<PathBuf>,
}

impl Session {
    pub(super) async fn send(&mut self, arguments: &Arguments) -> Result<()> {
        let Arguments {
            amount,
            subject,
            form,
            out,
        } = arguments;
        let (chosen, units) = self.amount(amount)?;
        // Created before coins are taken out, so that a wrong path costs nothing.
        let create = |path| {
            NewFile::create(path)
                .with_context(|| format!("cannot create {}; no coins were taken", path.display()))
        };
        let file = out.as_deref().map(create).transpose()?;
        let sent = self.wallet.send(Some(&chosen.currency), units, subject).await?;
        let (stack, coins, id) = (form.write(&sent.stack), sent.stack.coins.len(), sent.id);
        let take_back = || {
            format!(
                "take the coins back with `opencoin wallet reclaim {id}{}`",
                self.flag
            )
        };
        match file {
            Some(file) => {
                file.finish(stack.as_bytes())
                    .with_context(|| format!("the file could not be written; {}", take_back()))?;
                let value = json!({
                    "amount": units,
                    "coins": coins,
                    "currency": chosen.name,
                    "id": chosen.currency,
                    "file": out,
                    "send": id,
                });
                let lines = [format!(
                    "sent {} in {}",
                    unit(&chosen).show(units),
                    counted(coins, "coin")
                )];
                self.output.show(value, lines)?;
            }
            None => output::once(output::line(&stack)).with_context(take_back)?,
        }
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
