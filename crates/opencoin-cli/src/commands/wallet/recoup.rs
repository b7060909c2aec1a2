//! `opencoin wallet recoup`: fresh coins for those of revoked mint keys.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::session::{Session, Tidy, unit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Include coins that were sent and not taken back. If their receiver has already spent them, nothing comes
    /// back, and the issuer learns that you sent them.
    #[arg(long)]
    sent: bool,
}

impl Session {
    pub(super) async fn recoup(&mut self, &Arguments { sent }: &Arguments) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let done = self.wallet.recoup(Some(&chosen.currency), sent).await?;
        let show = |amount| unit(&chosen).show(amount);
        let mut lines = vec![format!("recouped {}", show(done.value))];
        if done.sent > 0 {
            lines.push(format!(
                "  not included: {} that were sent; see `opencoin wallet recoup --help`",
                show(done.sent)
            ));
        }
        if done.unprovable > 0 {
            lines.push(format!(
                "  not possible for {}: an older version of the wallet stored no proof of their origin",
                show(done.unprovable)
            ));
        }
        self.output.show(
            json!({
                "amount": done.value,
                "currency": chosen.name,
                "id": chosen.currency,
                "sent": done.sent,
                "unprovable": done.unprovable,
            }),
            lines,
        )?;
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
