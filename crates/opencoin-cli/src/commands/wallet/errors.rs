//! Errors as a person reads them: amounts in the currency, and advice.

use opencoin_wallet::{ExchangeError, NotRepresentable, WalletError};

use super::log;
use super::session::{Session, unit};
use crate::currency_unit::CurrencyUnit;
use crate::failure;

impl Session {
    /// Shows the amounts of an error in the currency, and adds advice.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(wallet_error) = error.downcast_ref::<WalletError>() else {
            return error;
        };
        let flag = &self.flag;
        if let Ok(chosen) = self.wallet.balance_of(self.currency.as_deref())
            && let Some(text) = amounts_text(wallet_error, &unit(&chosen))
        {
            return failure::reworded(&error, text);
        }
        let help = match wallet_error {
            WalletError::RestoreFirst(url) => format!("`opencoin wallet restore {url}{flag}`"),
            WalletError::NoCurrency => format!("`opencoin wallet add URL{flag}` adds a currency"),
            WalletError::UnknownCurrency { .. } => format!(
                "nothing was asked there, and nothing was stored. If you trust it: `opencoin wallet receive --trust`, or \
                 first `opencoin wallet add URL{flag}`"
            ),
            WalletError::UnknownSend(_) | WalletError::UnknownOperation(_) | WalletError::NotPending(_) => {
                format!("`opencoin wallet history{flag}` shows the numbers")
            }
            WalletError::Log(error) => log::advice(error, flag),
            WalletError::Exchange(ExchangeError::Recoup) => {
                format!("`opencoin wallet recoup{flag}` exchanges it for fresh coins")
            }
            WalletError::Exchange(ExchangeError::Refused { word, .. })
                if word == "key-revoked" && self.holds_revoked() =>
            {
                format!("`opencoin wallet recoup{flag}` exchanges the revoked coins for fresh ones")
            }
            WalletError::Exchange(refused) if refused.is_double_spend() => {
                "they are worth nothing to you: their giver has taken them back, or has given them to somebody else too"
                    .to_owned()
            }
            WalletError::NoGoodCoin(_) => "ask their giver for other coins; --verbose says what is wrong with each".to_owned(),
            WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "insufficient-funds" => {
                format!("`opencoin account show{flag}` shows what it holds")
            }
            WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "unauthorized" => {
                "log in again with `opencoin account login`, or give the account's own token".to_owned()
            }
            WalletError::Exchange(ExchangeError::NeedsToken(_)) => format!(
                "`opencoin wallet resume --token-file FILE{flag}` finishes it, or log in to that account and run \
                 `opencoin wallet resume{flag}`"
            ),
            WalletError::Exchange(_) if self.wallet.has_unfinished() => format!(
                "nothing is lost: `opencoin wallet resume{flag}` finishes it, or `opencoin wallet abandon \
                 NUMBER{flag}` gives it up"
            ),
            _ => return error,
        };
        failure::explained(error, &help)
    }

    fn holds_revoked(&self) -> bool {
        self.wallet.balances().iter().any(|balance| balance.revoked > 0)
    }
}

/// The texts of errors with amounts, which the library shows in the smallest unit.
fn amounts_text(error: &WalletError, unit: &CurrencyUnit) -> Option<String> {
    let show = |units: &u64| unit.show(*units);
    Some(match error {
        WalletError::InsufficientFunds { balance, needed } => {
            let (balance, needed) = (show(balance), show(needed));
            format!("the wallet holds {balance}, but {needed} are needed")
        }
        WalletError::AccountTooLow { balance, needed } => {
            let (balance, needed) = (show(balance), show(needed));
            format!("the account holds {balance}, but {needed} are needed; nothing was done")
        }
        WalletError::SpentElsewhere(amount) => format!(
            "coins of this wallet worth {} have already been spent, perhaps by a copy of the wallet. They were dropped, \
             and nothing else was done: the same command works with the remaining coins",
            show(amount)
        ),
        WalletError::NoExactCoins(amount) => format!(
            "the coins in the wallet do not add up to exactly {}, and could not be changed now",
            show(amount)
        ),
        WalletError::NoMintKey(value) => {
            format!(
                "the issuer has no mint key that signs coins of {} now",
                show(value)
            )
        }
        WalletError::NotRepresentable(NotRepresentable {
            amount,
            denominations,
            nearest,
        }) => {
            let list = |values: &[u64]| values.iter().map(show).collect::<Vec<_>>().join(", ");
            let (amount, coins, nearest) = (show(amount), list(denominations), list(nearest));
            format!("{amount} cannot be made of coins of {coins}; the nearest that can: {nearest}")
        }
        _ => return None,
    })
}
