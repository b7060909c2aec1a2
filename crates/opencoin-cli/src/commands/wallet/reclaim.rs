//! `opencoin wallet reclaim`: taking back coins that were sent and not received.

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::session::{Session, Tidy};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
pub(super) struct Arguments {
    /// The number of the send, from `history`.
    id: Option<u64>,
    /// Take back everything that was sent and not received, including gifts that are still on their way.
    #[arg(long)]
    all: bool,
}

impl Session {
    pub(super) async fn reclaim(&mut self, &Arguments { id, all: _ }: &Arguments) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = self.wallet.reclaim(id).await?;
        self.show_amount(&chosen, units, "took back", None)?;
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
