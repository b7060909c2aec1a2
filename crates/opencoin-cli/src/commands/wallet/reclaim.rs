//! `opencoin wallet reclaim`: taking back coins that were sent and not received.

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::session::{Session, Tidy};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all", "transfer"])))]
pub(super) struct Arguments {
    /// The number of the send, from `history`.
    id: Option<u64>,
    /// Take back everything that was sent and not received, including gifts that are still on their way.
    #[arg(long)]
    all: bool,
    /// Take back the coins of this live transfer, whose id was shown.
    #[arg(long, value_name = "ID")]
    transfer: Option<String>,
}

impl Session {
    pub(super) async fn reclaim(&mut self, arguments: &Arguments) -> Result<()> {
        if let Some(transfer) = &arguments.transfer {
            return self.reclaim_live(transfer).await;
        }
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = self.wallet.reclaim(arguments.id).await?;
        self.show_amount(&chosen, units, "took back", None)?;
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
