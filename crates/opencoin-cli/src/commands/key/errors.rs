//! Errors about key accounts, with advice.

use opencoin_wallet::{ExchangeError, WalletError};

use super::KeySession;
use crate::dates::utc;
use crate::failure;

impl KeySession {
    pub(super) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(wallet_error) = error.downcast_ref::<WalletError>() else {
            return error;
        };
        let flag = &self.session.flag;
        let help = match wallet_error {
            WalletError::NoKey => format!("`opencoin key new{flag}` makes one"),
            WalletError::UnknownKey(_) => format!("`opencoin key list{flag}` shows the keys"),
            WalletError::WhichKey(_) => "name it with --key, its first digits are enough".to_owned(),
            WalletError::NoPhrase => format!("`opencoin wallet backup{flag}` makes one"),
            WalletError::KeyNotIntroduced(_) => format!("`opencoin key introduce{flag}` opens it"),
            WalletError::UnknownPayment(_) => {
                format!("`opencoin key show{flag}` shows the payments; an id is KEY.NUMBER")
            }
            WalletError::PaymentPending { until, .. } => format!(
                "try again after {}; `opencoin wallet resume{flag}` asks before that whether it was made",
                utc(*until)
            ),
            WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "insufficient-funds" => {
                format!(
                    "`opencoin key show{flag}` shows what the account holds; what is in no batch yet counts too"
                )
            }
            WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "wrong-sequence" => {
                "nothing was paid; the wallet asks for the number before the next payment, so try again"
                    .to_owned()
            }
            WalletError::Exchange(ExchangeError::Unknown(_)) => format!(
                "nothing is paid twice: the same command finishes it, or `opencoin wallet resume{flag}`"
            ),
            _ => return self.session.explain(error),
        };
        failure::explained(error, &help)
    }
}
