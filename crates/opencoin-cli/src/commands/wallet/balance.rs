//! `opencoin wallet balance`: what the wallet holds.

use anyhow::Result;
use clap::Args;
use opencoin_wallet::{Balance, WalletError};
use serde_json::{Value, json};

use super::DAY;
use super::session::{Session, unit};

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Session {
    pub(super) fn balance(&self, Arguments {}: &Arguments) -> Result<()> {
        let balances = match &self.currency {
            Some(currency) => vec![self.wallet.balance_of(Some(currency))?],
            None => self.wallet.balances(),
        };
        if balances.is_empty() {
            return Err(WalletError::NoCurrency.into());
        }
        let balances = balances.into_iter().map(|balance| {
            let expiring = self.wallet.expiring_soon(Some(&balance.currency))?;
            Ok((balance, expiring))
        });
        let balances: Vec<(Balance, u64)> = balances.collect::<Result<_>>()?;
        let mut values: Vec<Value> = balances.iter().map(balance_json).collect();
        // One currency, the usual case, is an object and not an array.
        let value = if values.len() == 1 {
            values.remove(0)
        } else {
            Value::Array(values)
        };
        self.output.show(
            value,
            balances
                .iter()
                .flat_map(|(balance, expiring)| balance_lines(balance, *expiring, &self.flag)),
        )
    }
}

fn balance_json((balance, expiring): &(Balance, u64)) -> Value {
    json!({
        "balance": balance.balance,
        "currency": balance.name,
        "expired": balance.expired,
        "expires_at": balance.expires_at,
        "expiring": expiring,
        "id": balance.currency,
        "pending": balance.pending,
        "revoked": balance.revoked,
        "sent": balance.sent,
        "uncovered": balance.without_phrase,
    })
}

fn balance_lines(balance: &Balance, expiring: u64, flag: &str) -> Vec<String> {
    let show = |units| unit(balance).show(units);
    let mut lines = vec![show(balance.balance)];
    match balance.expires_at {
        Some(at) if expiring > 0 => lines.push(format!(
            "  {} expire soon, the first on {}: `opencoin wallet maintain{flag}` renews them",
            show(expiring),
            at.format(DAY)
        )),
        Some(at) => lines.push(format!(
            "  the first coins expire on {}; every command that contacts the issuer renews them in time",
            at.format(DAY)
        )),
        None => {}
    }
    let resumable = balance.pending - balance.awaits_recoup;
    if resumable > 0 {
        lines.push(format!(
            "  not finished: {}; `opencoin wallet resume{flag}`",
            show(resumable)
        ));
    }
    if balance.without_phrase > 0 {
        lines.push(format!(
            "  not covered by a backup phrase: {}; `opencoin wallet backup{flag}`",
            show(balance.without_phrase)
        ));
    }
    let recoupable = balance.revoked + balance.awaits_recoup;
    if recoupable > 0 {
        let amount = show(recoupable);
        lines.push(format!(
            "  revoked: {amount}; `opencoin wallet recoup{flag}` exchanges them for fresh coins"
        ));
    }
    if balance.expired > 0 {
        lines.push(format!(
            "  expired, by the clock of this machine: {}; the issuer no longer accepts them",
            show(balance.expired)
        ));
    }
    if balance.sent > 0 {
        lines.push(format!(
            "  sent: {}, perhaps not yet received; `opencoin wallet reclaim ID{flag}` takes a send back",
            show(balance.sent)
        ));
    }
    lines
}
