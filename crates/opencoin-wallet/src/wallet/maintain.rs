//! Upkeep without a user: a timer calls [`Wallet::maintain`] from time to time.
//!
//! It does what loses nothing and reveals nothing new. It takes back no sent coins, because they may be a gift on its way.
//! It exchanges coins of revoked keys only if the user has allowed it, because a recoup shows the issuer where they were
//! minted.

use opencoin_schema::BigInt;

use super::holdings::EXPIRY_MARGIN;
use super::{Done, Wallet};
use crate::coins::Held;
use crate::error::WalletError;
use crate::event::{Kind, Operation, OperationId};
use crate::state::Status;
use crate::tokenizing::sum;

/// What [`Wallet::maintain`] has done with one currency. Amounts are in the smallest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintained {
    /// The currency's id.
    pub currency: String,
    /// The amount in own coins that were renewed or changed.
    pub renewed: u64,
    /// The amount of pending requests, and of received coins, that were finished.
    pub finished: u64,
    /// The amount that a recoup has brought.
    pub recouped: u64,
    /// The amount in coins of revoked mint keys that is left. Only a recoup brings it.
    pub revoked: u64,
    /// The amount that still expires soon.
    pub expiring: u64,
}

impl Maintained {
    /// Whether the wallet holds something else than before.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        self.renewed > 0 || self.finished > 0 || self.recouped > 0
    }
}

impl Wallet {
    /// Asks every issuer for revoked and new mint keys, finishes pending requests, and renews coins that expire within 30
    /// days. With `may_recoup` it also exchanges coins of revoked mint keys, which tells the issuer in which transaction
    /// they were minted. Returns one item for each currency, and the first error that did not stop the others.
    ///
    /// # Errors
    /// The wallet's file cannot be written.
    pub async fn maintain(&mut self, may_recoup: bool) -> Result<Done<Vec<Maintained>>, WalletError> {
        self.read_clock();
        let (first, mut warning) = (self.state.next_id(), None);
        let pending = self.pending();
        let currencies: Vec<BigInt> = self.state.currencies.keys().cloned().collect();
        for id in &currencies {
            note(&mut warning, self.refresh(id).await)?;
        }
        let resumed = self.resume().await?;
        warning = warning.or(resumed.warning);
        let mut all = Vec::new();
        for id in currencies {
            let name = id.to_string();
            let has_revoked = self.balance_of(Some(&name))?;
            let has_revoked = has_revoked.revoked + has_revoked.awaits_recoup > 0;
            let recouped = if may_recoup && has_revoked {
                let done = self.recoup(Some(&name), false).await.map(|done| done.value);
                note(&mut warning, done)?.unwrap_or(0)
            } else {
                0
            };
            let done_now = |operation: &&Operation| {
                operation.currency == id
                    && self.state.operations[&operation.id].status == Status::Done
                    && (operation.id >= first || pending.contains(&operation.id))
            };
            let done: Vec<&Operation> = self
                .state
                .operations
                .values()
                .map(|tracked| &tracked.item)
                .filter(done_now)
                .collect();
            let amount_of = |is_wanted: fn(&Kind) -> bool| {
                let wanted = done.iter().filter(|operation| is_wanted(&operation.kind));
                sum(wanted.map(|operation| operation.amount))
            };
            let left = self.balance_of(Some(&name))?;
            all.push(Maintained {
                renewed: amount_of(|kind| matches!(kind, Kind::Change)),
                finished: amount_of(|kind| !matches!(kind, Kind::Change | Kind::Recoup)),
                recouped,
                revoked: left.revoked + left.awaits_recoup,
                expiring: self.expiring(&id)?,
                currency: name,
            });
        }
        Ok(Done { value: all, warning })
    }

    /// Returns the amount in coins that expire within 30 days, of the currency with this name or id or of the only one.
    ///
    /// # Errors
    /// The wallet has no such currency, or several.
    pub fn expiring_soon(&self, currency: Option<&str>) -> Result<u64, WalletError> {
        self.expiring(&self.choose(currency)?)
    }

    fn expiring(&self, id: &BigInt) -> Result<u64, WalletError> {
        let (currency, now) = (self.currency(id)?, (self.clock)());
        let is_soon = |held: &&Held| currency.is_spendable(held, now) && held.expiry - now <= EXPIRY_MARGIN;
        Ok(sum(currency
            .coins
            .values()
            .filter(is_soon)
            .map(|held| held.value)))
    }

    fn pending(&self) -> Vec<OperationId> {
        let pending = self.state.operations.values();
        let pending = pending.filter(|tracked| tracked.status == Status::Pending);
        pending.map(|tracked| tracked.item.id).collect()
    }
}

/// Keeps the first error as a warning. Fails if the wallet's file cannot be used.
fn note<T>(
    warning: &mut Option<WalletError>,
    done: Result<T, WalletError>,
) -> Result<Option<T>, WalletError> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => Err(error),
        Err(error) => {
            warning.get_or_insert(error);
            Ok(None)
        }
    }
}
