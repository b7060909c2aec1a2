//! Why a coin of a stack was not taken.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use thiserror::Error;

/// Why a coin of a stack was not taken. The texts fit one coin and several: [`faults_in_words`] counts them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CoinFault {
    /// The wallet does not know the currency.
    #[error(
        "of a currency that this wallet does not know ({issuer}), whose issuer is said to be at {hint:?}"
    )]
    UnknownCurrency {
        /// The currency's id.
        issuer: String,
        /// The issuer's URL according to the coin. It is not verified.
        hint: String,
    },
    /// The coin is of another known currency. One receive takes coins of one currency.
    #[error("of another currency ({0}), which takes a second receive of the same stack")]
    OtherCurrency(String),
    /// The issuer does not know the coin's mint key.
    #[error("of a mint key that the issuer does not know")]
    UnknownMintKey,
    /// The signature is not valid.
    #[error("not genuine: the issuer has not signed them")]
    NotSigned,
    /// The coin has expired.
    #[error("expired on {}", .0.format("%Y-%m-%d"))]
    Expired(DateTime<Utc>),
    /// The mint key was revoked. The wallet that minted the coin can exchange it with a recoup.
    #[error("of a mint key that was revoked ({0}); only the wallet that minted them can exchange them")]
    Revoked(String),
    /// The stack has the coin more than once.
    #[error("in the stack twice")]
    Repeated,
    /// The wallet has received the coin or is receiving it.
    #[error("received before by this wallet")]
    ReceivedBefore,
    /// The coin was spent.
    #[error("already taken by somebody else")]
    Spent,
    /// The issuer refused the coin for a temporary reason. The wallet keeps it and tries again.
    #[error("not accepted by the issuer now; the wallet keeps them and tries again")]
    Refused,
}

/// A coin of a stack that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("coin {index} of the stack, said to be worth {denomination} of the smallest unit: {fault}")]
pub struct LeftOut {
    /// The index in the stack, from 0.
    pub index: usize,
    /// The denomination according to the coin, in smallest units. It is not verified.
    pub denomination: u64,
    /// The reason.
    pub fault: CoinFault,
}

/// Names each reason once, with how many of the stack's `coins` it concerns: `expired on 2026-03-01 (2 of 50)`. The
/// most frequent reason comes first.
#[must_use]
pub fn faults_in_words(left_out: &[LeftOut], coins: usize) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for left_out in left_out {
        *counts.entry(left_out.fault.to_string()).or_default() += 1;
    }
    let mut reasons: Vec<(String, usize)> = counts.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reasons = reasons
        .into_iter()
        .map(|(reason, count)| format!("{reason} ({count} of {coins})"));
    reasons.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_named_once() {
        let left_out = |fault: &CoinFault| LeftOut {
            index: 0,
            denomination: 1,
            fault: fault.clone(),
        };
        let faults = [CoinFault::NotSigned, CoinFault::Spent, CoinFault::Spent];
        let left_out: Vec<LeftOut> = faults.iter().map(left_out).collect();
        assert_eq!(
            faults_in_words(&left_out, 50),
            "already taken by somebody else (2 of 50); not genuine: the issuer has not signed them (1 of 50)"
        );
    }
}
