//! `opencoin wallet maintain`: upkeep, for a timer.

use anyhow::Result;
use clap::Args;
use opencoin_wallet::{Balance, Maintained};
use serde_json::{Value, json};

use super::session::{Session, unit};
use crate::currency_unit::CurrencyUnit;
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Also exchange coins of mint keys that the issuer has revoked. This shows the issuer where those coins were minted
    /// or renewed: for a mint, which account paid for them.
    #[arg(long)]
    recoup: bool,
}

impl Session {
    pub(super) async fn maintain(&mut self, &Arguments { recoup }: &Arguments) -> Result<()> {
        if self.currency.is_some() {
            return Err(failure::usage(
                "maintain looks after all currencies of the wallet: leave out --currency",
            ));
        }
        self.use_stored_session().await;
        let settled = self.settle_transfers().await;
        let done = self.wallet.maintain(recoup).await?;
        let shown = done.value.iter().map(|maintained| {
            let balance = self.wallet.balance_of(Some(&maintained.currency))?;
            Ok((maintained, balance))
        });
        let shown: Vec<(&Maintained, Balance)> = shown.collect::<Result<_>>()?;
        let value: Value = shown
            .iter()
            .map(|(maintained, balance)| to_json(maintained, balance))
            .collect();
        let lines = shown
            .iter()
            .flat_map(|(maintained, balance)| news(maintained, &unit(balance)));
        self.output.show(value, lines)?;
        self.mention_overdue();
        if let Some(error) = done.warning {
            return Err(error.into());
        }
        settled?;
        match shown.iter().find(|(maintained, _)| maintained.revoked > 0) {
            Some((maintained, balance)) => Err(self.needs_recoup(maintained.revoked, balance, recoup)),
            None => Ok(()),
        }
    }

    fn needs_recoup(&self, revoked: u64, balance: &Balance, was_allowed: bool) -> anyhow::Error {
        let text = format!(
            "coins worth {} are of mint keys that the issuer has revoked",
            unit(balance).show(revoked)
        );
        let flag = &self.flag;
        let advice = if was_allowed {
            format!("`opencoin wallet recoup{flag}` says why they could not be exchanged")
        } else {
            format!(
                "`opencoin wallet recoup{flag}` exchanges them; its --help says what the issuer learns by that"
            )
        };
        failure::explained(failure::refused(text), &advice)
    }
}

fn to_json(maintained: &Maintained, balance: &Balance) -> Value {
    json!({
        "currency": balance.name,
        "expired": balance.expired,
        "expiring": maintained.expiring,
        "finished": maintained.finished,
        "id": maintained.currency,
        "recouped": maintained.recouped,
        "renewed": maintained.renewed,
        "revoked": maintained.revoked,
    })
}

/// A line for each thing that was done.
fn news(maintained: &Maintained, unit: &CurrencyUnit) -> Vec<String> {
    let done = [
        ("finished", maintained.finished),
        ("renewed", maintained.renewed),
        ("recouped", maintained.recouped),
    ];
    let done = done.into_iter().filter(|(_, amount)| *amount > 0);
    done.map(|(what, amount)| format!("{what} {}", unit.show(amount)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_prints_nothing_without_news() {
        let unit = CurrencyUnit {
            name: "OpenCent".to_owned(),
            divisor: 100,
        };
        let mut maintained = Maintained {
            currency: "1".to_owned(),
            renewed: 0,
            finished: 0,
            recouped: 0,
            revoked: 0,
            expiring: 0,
        };
        assert!(news(&maintained, &unit).is_empty());
        maintained.renewed = 250;
        assert_eq!(news(&maintained, &unit), ["renewed 2.50 OpenCent"]);
    }
}
