//! What the wallet can say of a stack without taking it: whether its coins are good, and how much of it was received.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_schema::CoinStack;

use super::Wallet;
use super::receive::{left_out_of, signed_coins};
use crate::coin_fault::{CoinFault, LeftOut};
use crate::coins::CoinPlace;
use crate::error::WalletError;
use crate::event::Kind;
use crate::state::Status;

/// How much of a stack this wallet has received. Amounts are in the smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StackProgress {
    /// The value of the coins that were renewed.
    pub received: u64,
    /// The value of the coins whose renewal has begun and not ended.
    pub pending: u64,
}

impl Wallet {
    /// Checks the signatures, mint keys and expiry of the coins of a stack, whoever holds them. Returns those that are
    /// not good. Whether somebody else has spent them, only a renewal tells.
    ///
    /// # Errors
    /// The stack is empty or of an unknown currency, or the issuer does not answer questions about unknown mint keys.
    pub async fn check_stack(&mut self, stack: &CoinStack) -> Result<Vec<LeftOut>, WalletError> {
        self.read_clock();
        let first = stack.coins.first().ok_or(WalletError::EmptyStack)?;
        let id = first.payload.issuer_id.clone();
        if !self.state.currencies.contains_key(&id) {
            return Err(WalletError::UnknownCurrency {
                issuer: id.to_string(),
                hint: first.payload.cdd_location.clone(),
            });
        }
        self.learn_mint_keys(&id, stack).await?;
        let currency = self.currency(&id)?;
        let signed = signed_coins(currency, &stack.coins);
        let mut seen = BTreeSet::new();
        let mut left_out = Vec::new();
        for (index, coin) in stack.coins.iter().enumerate() {
            let checked = if seen.insert(currency.coin_id(&coin.payload)) {
                self.check_coin(&id, coin, signed.contains(&index))
            } else {
                Err(CoinFault::Repeated)
            };
            match checked {
                Ok(value) if value == coin.payload.denomination => {}
                Ok(_) => left_out.push(left_out_of(stack, index, CoinFault::NotSigned)),
                Err(fault) => left_out.push(left_out_of(stack, index, fault)),
            }
        }
        Ok(left_out)
    }

    /// How much of the stack of a live transfer this wallet has received. Coins that it has received in another way do not
    /// count: nobody can pay twice with them.
    ///
    /// # Errors
    /// The wallet cannot be read.
    pub fn stack_progress(&self, transfer: &str, stack: &CoinStack) -> Result<StackProgress, WalletError> {
        // By the last request for each coin, whether it is this transfer's, and whether it is pending.
        let mut last = BTreeMap::new();
        for tracked in self.state.operations.values() {
            if let Kind::Receive {
                transfer: brought, ..
            } = &tracked.item.kind
            {
                let is_meant = brought.as_deref() == Some(transfer);
                let state = (is_meant, tracked.status == Status::Pending);
                let foreign = tracked.item.gives.iter().filter(|given| !given.is_own);
                last.extend(foreign.map(|given| (&given.coin, state)));
            }
        }
        let mut progress = StackProgress::default();
        for coin in &stack.coins {
            let Some(currency) = self.state.currencies.get(&coin.payload.issuer_id) else {
                continue;
            };
            let id = currency.coin_id(&coin.payload);
            let is_received = currency.coins.get(&id).map(|held| held.place) == Some(CoinPlace::Received);
            match last.get(&id) {
                Some((true, is_pending)) if *is_pending || is_received => {
                    progress.pending += coin.payload.denomination;
                }
                _ if self.store.received_by(&id)?.as_deref() == Some(transfer) => {
                    progress.received += coin.payload.denomination;
                }
                _ => {}
            }
        }
        Ok(progress)
    }
}
