//! The wallet as transfers see it.

use async_trait::async_trait;
use opencoin_schema::CoinStack;
use opencoin_transfer::machine::sender::SenderState;
use opencoin_transfer::machine::{Durable, Event, Machine, WalletAnswer};
use opencoin_wallet::{ExchangeError, Reclaimed, TransferCoins, Wallet, WalletError};
use serde_json::Value;

use crate::error::TransferError;
use crate::stored::StoredRecord;

/// A stored transfer. `Debug` hides the record, which has keys and perhaps coins.
#[derive(Clone, PartialEq)]
pub struct Stored {
    /// The id.
    pub id: String,
    /// The record.
    pub record: Value,
    /// Where the coins of an outgoing transfer are.
    pub coins: TransferCoins,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Stored")
            .field("id", &self.id)
            .field("coins", &self.coins)
            .finish_non_exhaustive()
    }
}

/// Makes the new record of the old one and the result of a reclaim.
pub(crate) type RecordOf<'call> = &'call (dyn Fn(Value, Reclaimed) -> Value + Sync);

/// What transfers need of a wallet. What a call changes is durable when it returns, and a call that is made again after a
/// crash finds what the first one did.
#[async_trait]
pub trait TransferWallet: Send {
    /// The transfers that are not over.
    async fn stored(&mut self) -> Result<Vec<Stored>, WalletError>;

    /// Stores a record in the way that a step asks for.
    async fn store(
        &mut self,
        id: &str,
        how: Durable,
        record: &Value,
        is_over: bool,
    ) -> Result<(), WalletError>;

    /// Reserves coins for a transfer, or returns those that it has.
    async fn reserve(
        &mut self,
        id: &str,
        issuer_id: &str,
        amount: u64,
        subject: &str,
        record: &Value,
    ) -> Result<CoinStack, WalletError>;

    /// The coins of an outgoing transfer.
    async fn stack(&mut self, id: &str) -> Result<CoinStack, WalletError>;

    /// Takes the coins of a transfer back by renewing them.
    async fn reclaim(&mut self, id: &str, record_of: RecordOf<'_>) -> Result<Reclaimed, WalletError>;

    /// Finishes pending requests. Whether there were any.
    async fn resume(&mut self) -> Result<bool, WalletError>;

    /// Whether all coins of a stack are signed by keys of their issuer and valid.
    async fn check(&mut self, stack: &CoinStack) -> Result<bool, WalletError>;

    /// Renews the coins that a transfer has brought, or finishes doing so. Coins that came in another way do not count.
    async fn renew(
        &mut self,
        id: &str,
        stack: &CoinStack,
        may_begin: bool,
    ) -> Result<WalletAnswer, WalletError>;
}

#[async_trait]
impl TransferWallet for Wallet {
    async fn stored(&mut self) -> Result<Vec<Stored>, WalletError> {
        let all = self.transfers().into_iter();
        Ok(all
            .map(|transfer| Stored {
                id: transfer.id,
                record: transfer.record,
                coins: transfer.coins,
            })
            .collect())
    }

    async fn store(
        &mut self,
        id: &str,
        how: Durable,
        record: &Value,
        is_over: bool,
    ) -> Result<(), WalletError> {
        match how {
            Durable::Unchanged => Ok(()),
            Durable::Put => self.put_transfer(id, record, is_over),
            Durable::Release => {
                if self.transfer_coins(id) == TransferCoins::Reserved {
                    self.release_transfer(id, record)?;
                }
                self.put_transfer(id, record, is_over)
            }
            Durable::Leave => self.transfer_leaves(id, record),
            Durable::Delivered => self.transfer_delivered(id, record),
        }
    }

    async fn reserve(
        &mut self,
        id: &str,
        issuer_id: &str,
        amount: u64,
        subject: &str,
        record: &Value,
    ) -> Result<CoinStack, WalletError> {
        if self.transfer_coins(id) == TransferCoins::Reserved {
            return self.transfer_stack(id);
        }
        self.reserve_transfer(id, Some(issuer_id), amount, subject, record)
            .await
    }

    async fn stack(&mut self, id: &str) -> Result<CoinStack, WalletError> {
        self.transfer_stack(id)
    }

    async fn reclaim(&mut self, id: &str, record_of: RecordOf<'_>) -> Result<Reclaimed, WalletError> {
        self.reclaim_transfer_with(id, record_of).await
    }

    async fn resume(&mut self) -> Result<bool, WalletError> {
        if !self.has_unfinished() {
            return Ok(false);
        }
        Ok(Wallet::resume(self).await?.value > 0)
    }

    async fn check(&mut self, stack: &CoinStack) -> Result<bool, WalletError> {
        Ok(self.check_stack(stack).await?.is_empty())
    }

    async fn renew(
        &mut self,
        id: &str,
        stack: &CoinStack,
        may_begin: bool,
    ) -> Result<WalletAnswer, WalletError> {
        let before = self.stack_progress(id, stack)?;
        let mut failed = None;
        if before.received + before.pending > 0 {
            Wallet::resume(self).await?;
        } else if may_begin {
            failed = self.receive_transfer(id, stack).await.err();
        } else {
            return Ok(WalletAnswer::NotBegun);
        }
        let after = self.stack_progress(id, stack)?;
        if after.pending > 0 {
            // The issuer has not decided.
            return failed.map_or(Ok(WalletAnswer::Failed), Err);
        }
        if after.received > 0 {
            return Ok(WalletAnswer::Renewed {
                amount: after.received,
            });
        }
        match failed {
            Some(
                WalletError::Exchange(ExchangeError::Refused { .. })
                | WalletError::NoGoodCoin(_)
                | WalletError::ReceivedBefore,
            )
            | None => Ok(WalletAnswer::Spent),
            Some(error) => Err(error),
        }
    }
}

/// Reads all stored transfers. Those that cannot be read are left out.
///
/// # Errors
/// The wallet cannot be read.
pub async fn check_stored(
    wallet: &mut (impl TransferWallet + ?Sized),
) -> Result<Vec<(Stored, StoredRecord)>, WalletError> {
    let stored = wallet.stored().await?.into_iter();
    Ok(stored
        .filter_map(|stored| {
            let record = StoredRecord::read(&stored.id, &stored.record).ok()?;
            Some((stored, record))
        })
        .collect())
}

/// Ends a transfer that goes on no more, without the other participant: reserved coins are freed, and coins in flight are
/// taken back, if `is_forced` or if the receiver's time is over. Returns the record, if there is such a sender.
///
/// # Errors
/// The wallet cannot be written, or the issuer does not decide.
pub async fn settle(
    wallet: &mut (impl TransferWallet + ?Sized),
    id: &str,
    is_forced: bool,
    now_s: u64,
) -> Result<Option<StoredRecord>, TransferError> {
    let all = check_stored(wallet).await?;
    let Some((_, StoredRecord::Sender(mut entry))) = all.into_iter().find(|(stored, _)| stored.id == id)
    else {
        return Ok(None);
    };
    if entry.record.is_over() {
        // The program ended before this was stored among those that are over.
        let value = wrapped(&entry, &entry.record).value();
        wallet.store(id, Durable::Put, &value, true).await?;
        return Ok(Some(StoredRecord::Sender(entry)));
    }
    let is_reclaiming = matches!(entry.record.state, SenderState::Reclaiming { .. });
    let event = match (is_reclaiming, is_forced) {
        (true, _) => None,
        (false, true) => Some(Event::Stopped),
        (false, false) => Some(Event::Tick),
    };
    if let Some(event) = event {
        let step = entry.record.clone().step(event, now_s);
        let (record, _) = step
            .store(async |how, record| {
                let value = wrapped(&entry, record).value();
                wallet.store(id, how, &value, record.is_over()).await
            })
            .await?;
        entry.record = record;
    }
    if matches!(entry.record.state, SenderState::Reclaiming { .. }) {
        let after = |answer| Machine::step(entry.record.clone(), Event::Wallet(answer), now_s);
        let record_of = |_, reclaimed| wrapped(&entry, after(answer_of(reclaimed)).record()).value();
        let reclaimed = wallet.reclaim(id, &record_of).await?;
        let (record, _) = after(answer_of(reclaimed))
            .store(async |how, record| {
                let value = wrapped(&entry, record).value();
                wallet.store(id, how, &value, record.is_over()).await
            })
            .await?;
        entry.record = record;
    }
    Ok(Some(StoredRecord::Sender(entry)))
}

/// Ends a transfer of a receiver, or a request that many may pay, if nothing has come of it before its invitation expired.
///
/// # Errors
/// The wallet cannot be written.
pub async fn end_late(
    wallet: &mut (impl TransferWallet + ?Sized),
    id: &str,
    record: StoredRecord,
    now_s: u64,
) -> Result<(), TransferError> {
    match record {
        StoredRecord::Receiver { record } if !record.is_over() => {
            let step = record.step(Event::Tick, now_s);
            step.store(async |how, record| {
                let stored = StoredRecord::Receiver {
                    record: record.clone(),
                };
                wallet.store(id, how, &stored.value(), record.is_over()).await
            })
            .await?;
        }
        StoredRecord::Till(till) if till.participant.invitation.expires < now_s => {
            let record = StoredRecord::Till(till).value();
            wallet.store(id, Durable::Put, &record, true).await?;
        }
        _ => {}
    }
    Ok(())
}

fn wrapped(
    entry: &crate::stored::SenderEntry,
    record: &opencoin_transfer::machine::sender::SenderRecord,
) -> StoredRecord {
    let mut entry = entry.clone();
    entry.record = record.clone();
    StoredRecord::Sender(entry)
}

/// What a reclaim means for a transfer: if any coin has come back, no receipt can be right.
pub(crate) const fn answer_of(reclaimed: Reclaimed) -> WalletAnswer {
    if reclaimed.returned > 0 {
        WalletAnswer::Reclaimed {
            amount: reclaimed.returned,
        }
    } else {
        WalletAnswer::Taken
    }
}
