//! `opencoin wallet balance`: what the wallet holds.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use opencoin_wallet::{Balance, KeyInfo, WalletError};
use serde_json::{Value, json};

use super::DAY;
use super::session::{Session, unit};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

/// The key accounts of one currency, as the log has last proven them. Nobody is asked.
#[derive(Debug, Default, PartialEq, Eq)]
struct KeyAccounts {
    keys: usize,
    /// The sum of the balances that are known, in the smallest unit.
    balance: u64,
    /// The keys whose accounts were looked at.
    proven: usize,
    /// When the balance that was proven first was proven.
    proven_at: Option<DateTime<Utc>>,
}

impl KeyAccounts {
    fn of(keys: &[KeyInfo], currency: &str) -> Self {
        let mut accounts = Self::default();
        for info in keys.iter().filter(|info| info.currency == currency) {
            accounts.keys += 1;
            let Some(proven) = &info.proven else { continue };
            accounts.proven += 1;
            accounts.balance = accounts.balance.saturating_add(proven.balance);
            let before = accounts.proven_at.unwrap_or(proven.time);
            accounts.proven_at = Some(before.min(proven.time));
        }
        accounts
    }

    fn to_json(&self) -> Value {
        json!({
            "balance": self.balance,
            "keys": self.keys,
            "proven": self.proven,
            "proven_at": self.proven_at,
        })
    }

    fn line(&self, unit: &CurrencyUnit, flag: &str) -> Option<String> {
        let accounts = match self.keys {
            0 => return None,
            1 => "1 key account".to_owned(),
            keys => format!("{keys} key accounts"),
        };
        let Some(at) = self.proven_at else {
            return Some(format!(
                "  on {accounts}: not known yet; `opencoin key show{flag}` looks into the log"
            ));
        };
        let amount = unit.show(self.balance);
        let unknown = match self.keys - self.proven {
            0 => String::new(),
            unknown => format!(", without {unknown} never looked at"),
        };
        Some(format!(
            "  on {accounts}{unknown}: {amount}, as the log has proven on {}; `opencoin key list{flag}`",
            utc(at)
        ))
    }
}

impl Session {
    pub(super) fn balance(&self, Arguments {}: &Arguments) -> Result<()> {
        let balances = match &self.currency {
            Some(currency) => vec![self.wallet.balance_of(Some(currency))?],
            None => self.wallet.balances(),
        };
        if balances.is_empty() {
            return Err(WalletError::NoCurrency.into());
        }
        let keys = self.wallet.keys(None)?;
        let balances = balances.into_iter().map(|balance| {
            let expiring = self.wallet.expiring_soon(Some(&balance.currency))?;
            let accounts = KeyAccounts::of(&keys, &balance.currency);
            Ok((balance, expiring, accounts))
        });
        let balances: Vec<(Balance, u64, KeyAccounts)> = balances.collect::<Result<_>>()?;
        let mut values: Vec<Value> = balances.iter().map(balance_json).collect();
        // One currency, the usual case, is an object and not an array.
        let value = if values.len() == 1 {
            values.remove(0)
        } else {
            Value::Array(values)
        };
        self.output.show(
            value,
            balances.iter().flat_map(|(balance, expiring, accounts)| {
                let mut lines = balance_lines(balance, *expiring, &self.flag);
                lines.extend(accounts.line(&unit(balance), &self.flag));
                lines
            }),
        )
    }
}

fn balance_json((balance, expiring, accounts): &(Balance, u64, KeyAccounts)) -> Value {
    json!({
        "balance": balance.balance,
        "currency": balance.name,
        "expired": balance.expired,
        "expires_at": balance.expires_at,
        "expiring": expiring,
        "id": balance.currency,
        "key_accounts": accounts.to_json(),
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

#[cfg(test)]
mod tests {
    use opencoin_log::key_account::AccountKey;
    use opencoin_wallet::{KeyBalance, PendingPayments};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// A key of this currency, whose account was last proven at a time to hold an amount.
    fn key(currency: &str, proven: Option<(u64, i64)>) -> KeyInfo {
        // The base point of Ed25519, which is a strong key.
        let mut bytes = [0x66; 32];
        bytes[0] = 0x58;
        KeyInfo {
            key: AccountKey::new(bytes).unwrap(),
            currency: currency.to_owned(),
            name: "Cent".to_owned(),
            divisor: 100,
            made_at: at(0),
            is_open: true,
            is_covered: true,
            proven: proven.map(|(balance, seconds)| KeyBalance {
                exists: true,
                balance,
                seq: 0,
                batch: 1,
                time: at(seconds),
                pending: PendingPayments::default(),
            }),
        }
    }

    fn line(keys: &[KeyInfo]) -> Option<String> {
        let unit = CurrencyUnit {
            divisor: 100,
            name: "Cent".to_owned(),
        };
        KeyAccounts::of(keys, "a").line(&unit, " --dir w")
    }

    #[test]
    fn the_key_accounts_of_a_currency_are_added_up() {
        assert_eq!(line(&[key("b", Some((5, 1)))]), None);
        let unknown = "  on 1 key account: not known yet; `opencoin key show --dir w` looks into the log";
        assert_eq!(line(&[key("a", None)]).unwrap(), unknown);
        let keys = [
            key("a", Some((250, 60))),
            key("b", Some((7, 1))),
            key("a", Some((50, 0))),
        ];
        let both = "  on 2 key accounts: 3.00 Cent, as the log has proven on 2027-01-15 08:00:00 UTC; \
                    `opencoin key list --dir w`";
        assert_eq!(line(&keys).unwrap(), both);
        let [one, _, other] = keys;
        let some = line(&[one, other, key("a", None)]).unwrap();
        assert!(
            some.starts_with("  on 3 key accounts, without 1 never looked at: 3.00 Cent"),
            "{some}"
        );
    }

    #[test]
    fn programs_get_the_oldest_time() {
        let keys = [key("a", Some((250, 60))), key("a", None), key("a", Some((50, 0)))];
        let expected = json!({ "balance": 300, "keys": 3, "proven": 2, "proven_at": at(0) });
        assert_eq!(KeyAccounts::of(&keys, "a").to_json(), expected);
        let none = json!({ "balance": 0, "keys": 0, "proven": 0, "proven_at": null });
        assert_eq!(KeyAccounts::of(&[], "a").to_json(), none);
    }
}
