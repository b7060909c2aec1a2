//! Findings in words for people.

use std::fmt;

use opencoin_log::batch::BATCH_CLOSINGS_MAX;

use super::{BrokenRule, Finding, KeyUse};

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "batch {}, leaf {}: {}",
            self.batch, self.index, self.rule
        )
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Issued => "signs",
            Self::Spent => "has coins taken back",
            Self::Recouped => "has coins exchanged as those of a revoked key",
        })
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { reason } => formatter.write_str(reason),
            Self::Disorder => write!(formatter, "the leaf is not after the one before it"),
            Self::CoinTwice { key_no, .. } => {
                write!(formatter, "a coin of key {} ends a second time", key_no.get())
            }
            Self::BlindTwice { key_no, .. } => {
                write!(
                    formatter,
                    "a blind of key {} is recouped a second time",
                    key_no.get()
                )
            }
            Self::Unfinished => write!(formatter, "the log ends within a batch"),
            Self::BatchNumber { declared, expected } => {
                write!(
                    formatter,
                    "the batch has the number {declared} instead of {expected}"
                )
            }
            Self::BatchPlace { .. } => write!(
                formatter,
                "the batch says that it, or the one before it, is in another place"
            ),
            Self::TimeBack { .. } => write!(formatter, "the batch is earlier than the one before it"),
            Self::TotalFell { total, .. } => write!(formatter, "the total {total} has fallen"),
            Self::Unbalanced => write!(
                formatter,
                "what was paid in and recouped, less what was paid out, is not what the issuer owes"
            ),
            Self::CoinsValue { declared, counted } => write!(
                formatter,
                "the batch declares coins worth {} and expired ones worth {}, but {} and {} follow from the counts",
                declared[0], declared[1], counted[0], counted[1]
            ),
            Self::KeyCounts {
                key_no,
                declared,
                counted,
                ..
            } => {
                let key_no = key_no.get();
                match declared {
                    Some([issued, spent]) => write!(
                        formatter,
                        "the batch declares {issued} issued and {spent} spent coins of key {key_no}, but {} and {} \
                         follow from the leaves",
                        counted[0], counted[1]
                    ),
                    None => write!(
                        formatter,
                        "the batch leaves out key {key_no}, whose counts have changed"
                    ),
                }
            }
            Self::OverRedemption {
                key_no,
                issued,
                spent,
            } => write!(
                formatter,
                "{spent} coins of key {} came back, but only {issued} were issued",
                key_no.get()
            ),
            Self::KeysRoot => write!(formatter, "keys_root is not the root of the keys in the log"),
            Self::KeyNumber { declared, expected } => write!(
                formatter,
                "a mint key has the number {} instead of {}",
                declared.get(),
                expected.get()
            ),
            Self::KeyTwice { key_no, first } => {
                write!(formatter, "mint key {} is already in leaf {first}", key_no.get())
            }
            Self::Certificate { key_no, reason } => {
                write!(
                    formatter,
                    "the certificate of mint key {}: {reason}",
                    key_no.get()
                )
            }
            Self::Description { reason } => {
                write!(formatter, "the description of the currency: {reason}")
            }
            Self::UnknownKey { key_no } => write!(formatter, "mint key {key_no} is not in the log"),
            Self::EarlyUse { key_no, .. } => write!(
                formatter,
                "key {} signs in the batch that first names it",
                key_no.get()
            ),
            Self::OutsideWindow { key_no, used, .. } => {
                write!(formatter, "key {} {used} outside its time", key_no.get())
            }
            Self::AfterClosing {
                key_no,
                used,
                closing,
            } => write!(
                formatter,
                "key {} {used} although it was closed by leaf {closing}",
                key_no.get()
            ),
            Self::ClosingCounts {
                key_no,
                declared,
                counted,
                ..
            } => write!(
                formatter,
                "key {} was closed with {} issued and {} spent coins, but it has {} and {}",
                key_no.get(),
                declared[0],
                declared[1],
                counted[0],
                counted[1]
            ),
            Self::NotRevoked { key_no, .. } => write!(
                formatter,
                "coins of key {} are recouped, but it was not revoked",
                key_no.get()
            ),
            Self::TooManyClosings => {
                write!(formatter, "the batch closes more than {BATCH_CLOSINGS_MAX} keys")
            }
            Self::KeyAccounts { reason, .. } => write!(formatter, "key accounts: {reason}"),
            Self::KeyAccountTotals { total, .. } => write!(
                formatter,
                "the balances of key accounts, {total} in all, are not as the batch declares"
            ),
            Self::ManySigningKeys { denomination, keys } => {
                write!(
                    formatter,
                    "{keys} keys of denomination {denomination} sign at once"
                )
            }
        }
    }
}
