//! `opencoin wallet abandon`: giving up a request that cannot be finished.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::session::{Session, Tidy, unit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The number of the request, from `history`.
    id: u64,
}

impl Session {
    pub(super) async fn abandon(&mut self, &Arguments { id }: &Arguments) -> Result<()> {
        let mut history = self.wallet.history()?.into_iter();
        let currency = history.find(|entry| entry.id == id).map(|entry| entry.currency);
        let done = self.wallet.abandon(id).await?;
        let chosen = self.wallet.balance_of(currency.as_deref())?;
        let show = |units| unit(&chosen).show(units);
        let mut lines = vec![if done.is_finished {
            format!("number {id} had been carried out; it is finished now")
        } else {
            format!("abandoned number {id}, took back {}", show(done.returned))
        }];
        if !done.is_finished && done.spent > 0 {
            lines.push(format!(
                "  gone: {}, spent before; if number {id} was a redeem, look at the account",
                show(done.spent)
            ));
        }
        self.output.show(
            json!({
                "amount": done.returned,
                "currency": chosen.name,
                "finished": done.is_finished,
                "id": chosen.currency,
                "spent": done.spent,
            }),
            lines,
        )?;
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
