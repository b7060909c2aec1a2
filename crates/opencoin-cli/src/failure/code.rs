//! Codes of errors, for programs that read `--json`. docs/COMMANDS.md lists them; a code never changes its meaning.

use opencoin_lock::UnlockError;
use opencoin_log::key_account::PaymentFault;
use opencoin_pictures::{PartError, PictureError, ReadError};
use opencoin_stack::StackError;
use opencoin_wallet::account::AccountError;
use opencoin_wallet::storage::StorageError;
use opencoin_wallet::{ExchangeError, FileError, LogError, PaymentProofError, WalletError};

use super::command_error::CommandError;
use super::kind::Failure;

/// The issuer's error words that are codes, as docs/API.md defines them. Another word of an issuer becomes `refused`.
const ISSUER_WORDS: [&str; 25] = [
    "challenge-expired",
    "double-spend",
    "exists",
    "forbidden",
    "insufficient-funds",
    "invalid",
    "key-expired",
    "key-revoked",
    "malformed",
    "no-proof-of-work",
    "not-found",
    "payment-expired",
    "payment-to-itself",
    "reference-conflict",
    "too-large",
    "too-many-requests",
    "unauthorized",
    "unknown-key",
    "weak-key",
    "wrong-amount",
    "wrong-challenge",
    "wrong-details",
    "wrong-domain",
    "wrong-memo",
    "wrong-sequence",
];

/// The code of the outermost cause that has one, else the word of the kind of failure.
pub(super) fn of(error: &anyhow::Error) -> &'static str {
    let code = error.chain().find_map(of_cause);
    code.unwrap_or_else(|| Failure::of(error).word())
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<CommandError>() {
        return Some(error.code);
    }
    if let Some(error) = cause.downcast_ref::<WalletError>() {
        return Some(of_wallet(error));
    }
    if let Some(error) = cause.downcast_ref::<AccountError>() {
        return Some(match error {
            AccountError::Refused { word, .. } => of_word(word),
            AccountError::TooSoon { .. } => "too-many-requests",
            AccountError::Open(_) => "outcome-unknown",
            AccountError::File(error) => of_file(error),
        });
    }
    if let Some(error) = cause.downcast_ref::<StackError>() {
        return Some(match error {
            StackError::Damaged | StackError::CodeDamaged => "text-damaged",
            StackError::OtherVersion(_) => "newer-version",
            StackError::Malformed(_) => "stack-malformed",
        });
    }
    if let Some(error) = cause.downcast_ref::<UnlockError>() {
        return Some(match error {
            UnlockError::WrongPassphrase => "wrong-coins-passphrase",
            UnlockError::TooMuchWork(_) | UnlockError::NoPassphrase => "lock-unknown",
            UnlockError::Damaged => "text-damaged",
            UnlockError::TooLarge => "too-large",
        });
    }
    if let Some(error) = cause.downcast_ref::<ReadError>() {
        return Some(of_pictures(error));
    }
    if cause.downcast_ref::<PaymentProofError>().is_some() {
        return Some("not-proven");
    }
    cause.downcast_ref::<FileError>().map(of_file)
}

fn of_storage(error: &StorageError) -> &'static str {
    match error {
        StorageError::InUse(_) => "in-use",
        StorageError::NoWallet(_) => "no-wallet",
        StorageError::NeedsPassphrase => "needs-passphrase",
        StorageError::WrongPassphrase => "wrong-passphrase",
        StorageError::Damaged { .. } => "damaged",
        StorageError::NewerFormat(_) => "newer-version",
        StorageError::TwoWallets(_) => "two-wallets",
        StorageError::ReadOnly(_)
        | StorageError::Broken
        | StorageError::Failed { .. }
        | StorageError::Io(_) => "storage",
    }
}

fn of_pictures(error: &ReadError) -> &'static str {
    match error {
        ReadError::Picture(PictureError::Format) | ReadError::NoCode(_) => "no-code",
        ReadError::Picture(PictureError::Damaged(_))
        | ReadError::Part(PartError::Damaged)
        | ReadError::Unreadable => "picture-damaged",
        ReadError::Picture(PictureError::TooLarge(_))
        | ReadError::Part(PartError::TooLarge)
        | ReadError::TooMany
        | ReadError::TooSlow => "too-large",
        ReadError::Missing { .. } => "pictures-missing",
        ReadError::Part(PartError::Mixed) | ReadError::SeveralTexts => "pictures-mixed",
        ReadError::Part(PartError::NotResource) => "no-code",
    }
}

fn of_wallet(error: &WalletError) -> &'static str {
    match error {
        WalletError::Storage(error) => of_storage(error),
        WalletError::Inconsistent(_) => "storage",
        WalletError::Exchange(error) => of_exchange(error),
        WalletError::Network(_) => "no-answer",
        WalletError::Log(error) => of_log(error),
        WalletError::Certificate(_) => "not-genuine",
        WalletError::MasterKeyChanged(_) => "other-currency",
        WalletError::NoCurrency => "no-currency",
        WalletError::UnknownCurrencyName { .. } | WalletError::UnknownCurrency { .. } => "unknown-currency",
        WalletError::WhichCurrency(_) => "which-currency",
        WalletError::TransferHasCoins(_) => "transfer-has-coins",
        WalletError::TransferHasNoCoins(_) => "transfer-has-no-coins",
        WalletError::UnknownSend(_) | WalletError::UnknownOperation(_) => "unknown-number",
        WalletError::CodeNotReady => "delayed",
        WalletError::CodeWithoutCoins => "no-coins",
        WalletError::NoLog(_) => "no-log",
        WalletError::NoKey | WalletError::UnknownKey(_) => "no-key",
        WalletError::WhichKey(_) => "which-key",
        WalletError::KeyNotIntroduced(_) => "not-introduced",
        WalletError::PaymentOrder(fault) => of_order(*fault),
        WalletError::PaymentPending { .. } => "payment-pending",
        WalletError::UnknownPayment(_) => "unknown-payment",
        WalletError::PaymentProof(_) | WalletError::OtherPayment(_) => "not-proven",
        WalletError::KeysUnchecked => "log-unreachable",
        WalletError::NoPhrase => "no-phrase",
        WalletError::RestoreFirst(_) => "restore-first",
        WalletError::OtherPhrase => "other-phrase",
        WalletError::PhraseWords(_) => "usage",
        WalletError::NotPending(_) => "not-pending",
        WalletError::InsufficientFunds { .. } => "insufficient-coins",
        WalletError::AccountTooLow { .. } => "insufficient-funds",
        WalletError::SpentElsewhere(_) => "spent-elsewhere",
        WalletError::NoExactCoins(_) => "no-exact-coins",
        WalletError::NotRepresentable(_) => "not-representable",
        WalletError::TooManyCoins { .. } => "too-many-coins",
        WalletError::NoGoodCoin(_) => "no-good-coin",
        WalletError::EmptyStack => "stack-empty",
        WalletError::ReceivedBefore => "received-before",
        WalletError::NoMintKey(_) => "no-mint-key",
        WalletError::WrongClock { .. } => "wrong-clock",
        WalletError::WrongSignature => "wrong-signature",
        WalletError::Blinding(_) => "blinding",
        WalletError::Overflow => "amount-too-large",
    }
}

fn of_exchange(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::Refused { word, .. } => of_word(word),
        ExchangeError::NotSent(_) => "no-answer",
        ExchangeError::Delayed { .. } => "delayed",
        ExchangeError::Recoup => "needs-recoup",
        ExchangeError::Unknown(_) => "outcome-unknown",
        ExchangeError::NeedsToken(_) => "needs-token",
    }
}

fn of_log(error: &LogError) -> &'static str {
    if error.is_temporary() {
        "log-unreachable"
    } else {
        "log-fault"
    }
}

fn of_order(fault: PaymentFault) -> &'static str {
    match fault {
        PaymentFault::Amount => "wrong-amount",
        PaymentFault::Memo => "wrong-memo",
        PaymentFault::Seq => "wrong-sequence",
        PaymentFault::ToItself => "payment-to-itself",
    }
}

fn of_file(error: &FileError) -> &'static str {
    match error {
        FileError::InUse(_) => "in-use",
        FileError::Io(_) | FileError::Damaged { .. } => "storage",
    }
}

fn of_word(word: &str) -> &'static str {
    let known = ISSUER_WORDS.into_iter().find(|known| *known == word);
    known.unwrap_or(Failure::Refused.word())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The texts in quotation marks of the code above, which are the codes.
    fn codes() -> BTreeSet<&'static str> {
        let code = include_str!("code.rs")
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
    }

    #[test]
    fn every_code_is_documented() {
        let documented = include_str!("../../../../docs/COMMANDS.md");
        let codes = codes();
        assert!(codes.len() > 40 && codes.contains("double-spend"), "{codes:?}");
        let missing: Vec<&str> = codes
            .into_iter()
            .filter(|code| !documented.contains(&format!("`{code}`")))
            .collect();
        assert!(missing.is_empty(), "docs/COMMANDS.md does not have {missing:?}");
    }

    #[test]
    fn an_unknown_word_of_an_issuer_is_no_code() {
        assert_eq!(of_word("double-spend"), "double-spend");
        assert_eq!(of_word("\u{1b}[2J"), "refused");
        assert_eq!(of(&anyhow::anyhow!("no")), "refused");
        assert_eq!(
            of(&anyhow::Error::new(WalletError::ReceivedBefore).context("outer")),
            "received-before"
        );
    }
}
