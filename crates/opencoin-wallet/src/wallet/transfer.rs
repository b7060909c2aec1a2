//! What the wallet stores of transfers to and from other wallets.
//!
//! A transfer is a conversation, whose rules are not the wallet's business: it keeps the record of the conversation as
//! it is given. But the record and the coins change together. The coins of an outgoing transfer are first *reserved*:
//! they are in the wallet and in no other payment, and can be released. From the moment before they leave they are *in
//! flight*: only a receipt of the receiver, or a renewal, tells whose they are.

use std::fmt;

use opencoin_schema::CoinStack;
use serde_json::Value;

use super::Wallet;
use crate::error::WalletError;
use crate::event::{Event, OperationId, Send, TransferCoins, TransferEvent};
use crate::state::Status;

/// A transfer, with the record of its conversation. `Debug` hides the record, which has keys and perhaps coins.
#[derive(Clone, PartialEq)]
pub struct StoredTransfer {
    /// The id of the transfer.
    pub id: String,
    /// The record.
    pub record: Value,
    /// Where the coins of an outgoing transfer are.
    pub coins: TransferCoins,
}

impl fmt::Debug for StoredTransfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredTransfer")
            .field("id", &self.id)
            .field("coins", &self.coins)
            .finish_non_exhaustive()
    }
}

/// The result of taking back the coins of a transfer. Amounts are in the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaimed {
    /// The value of the coins that came back.
    pub returned: u64,
    /// The value of the coins that the receiver had renewed.
    pub taken: u64,
}

impl Wallet {
    /// Returns the transfers that are not over.
    #[must_use]
    pub fn transfers(&self) -> Vec<StoredTransfer> {
        let all = self.state.transfers.iter();
        all.map(|(id, transfer)| StoredTransfer {
            id: id.clone(),
            record: transfer.record.clone(),
            coins: transfer.coins,
        })
        .collect()
    }

    /// Returns where the coins of a transfer are. [`TransferCoins::None`] also for one that is over or unknown.
    #[must_use]
    pub fn transfer_coins(&self, id: &str) -> TransferCoins {
        let transfer = self.state.transfers.get(id);
        transfer.map_or(TransferCoins::None, |transfer| transfer.coins)
    }

    /// Returns the transfers that are over, with their receipts.
    ///
    /// # Errors
    /// The wallet cannot be read.
    pub fn ended_transfers(&self) -> Result<Vec<StoredTransfer>, WalletError> {
        let ended = self.store.ended_transfers()?.into_iter();
        Ok(ended
            .map(|(id, transfer)| StoredTransfer {
                id,
                record: transfer.record,
                coins: transfer.coins,
            })
            .collect())
    }

    /// Stores the record of a transfer. It is durable when this returns. A transfer that is over, and whose coins are
    /// not on their way, is kept for [`Self::ended_transfers`] alone.
    ///
    /// # Errors
    /// The transfer is over although its coins are reserved or on their way, or the wallet cannot be written.
    pub fn put_transfer(&mut self, id: &str, record: &Value, is_over: bool) -> Result<(), WalletError> {
        let coins = self.state.transfers.get(id).map(|transfer| transfer.coins);
        if is_over && coins.is_some_and(TransferCoins::are_out) {
            return Err(WalletError::TransferHasCoins(id.to_owned()));
        }
        self.record_transfer(id, record, TransferEvent::Record { is_over })
    }

    /// Takes coins worth `amount` out of the wallet for a transfer, and stores its record with them. Changes coins first
    /// if need be.
    ///
    /// # Errors
    /// The transfer has coins already, or see [`Self::send`].
    pub async fn reserve_transfer(
        &mut self,
        id: &str,
        currency: Option<&str>,
        amount: u64,
        subject: &str,
        record: &Value,
    ) -> Result<CoinStack, WalletError> {
        self.read_clock();
        if self
            .state
            .transfers
            .get(id)
            .is_some_and(|transfer| transfer.coins.are_out())
        {
            return Err(WalletError::TransferHasCoins(id.to_owned()));
        }
        let currency = self.choose(currency)?;
        let coins = self.pick(&currency, amount).await?;
        let known = self.currency(&currency)?;
        let send = Send {
            id: self.state.next_id(),
            coins: coins.iter().map(|coin| known.coin_id(&coin.payload)).collect(),
            currency,
            amount,
            subject: subject.to_owned(),
            transfer: Some(id.to_owned()),
            returned: 0,
            at: self.now,
        };
        self.record_transfer(id, record, TransferEvent::Reserve { send: Box::new(send) })?;
        Ok(CoinStack {
            coins,
            subject: subject.to_owned(),
        })
    }

    /// Returns the coins of an outgoing transfer, the same as when they were reserved.
    ///
    /// # Errors
    /// The transfer has no coins, or they have come back.
    pub fn transfer_stack(&self, id: &str) -> Result<CoinStack, WalletError> {
        let send = self.send_of(id)?;
        let currency = self.currency(&send.currency)?;
        let coins = send.coins.iter().map(|coin| {
            let held = currency.coins.get(coin);
            self.coin(held.ok_or_else(|| WalletError::TransferHasNoCoins(id.to_owned()))?)
        });
        Ok(CoinStack {
            coins: coins.collect::<Result<_, _>>()?,
            subject: send.subject.clone(),
        })
    }

    /// Frees the coins of a transfer that have not left the wallet.
    ///
    /// # Errors
    /// No coins are reserved.
    pub fn release_transfer(&mut self, id: &str, record: &Value) -> Result<(), WalletError> {
        self.expect_coins(id, TransferCoins::Reserved)?;
        self.record_transfer(id, record, TransferEvent::Release)
    }

    /// Notes that the coins of a transfer are about to leave. From then on only a receipt or a renewal tells whose they
    /// are.
    ///
    /// # Errors
    /// No coins are reserved.
    pub fn transfer_leaves(&mut self, id: &str, record: &Value) -> Result<(), WalletError> {
        self.expect_coins(id, TransferCoins::Reserved)?;
        self.record_transfer(id, record, TransferEvent::Leave)
    }

    /// Notes that the receiver has the coins of a transfer: there is a verified receipt.
    ///
    /// # Errors
    /// No coins are on their way.
    pub fn transfer_delivered(&mut self, id: &str, record: &Value) -> Result<(), WalletError> {
        self.expect_coins(id, TransferCoins::InFlight)?;
        self.record_transfer(id, record, TransferEvent::Delivered)
    }

    /// Renews the coins of a transfer that are on their way. The issuer accepts either this or the receiver's renewal.
    ///
    /// # Errors
    /// No coins are on their way, or the issuer refuses, delays or does not answer; then the transfer is as before.
    pub async fn reclaim_transfer(&mut self, id: &str) -> Result<Reclaimed, WalletError> {
        self.reclaim_transfer_with(id, &|record, _| record).await
    }

    /// As [`Self::reclaim_transfer`]. `record_of` makes the new record of the old one and the result, and is stored with
    /// it.
    ///
    /// # Errors
    /// See [`Self::reclaim_transfer`].
    pub async fn reclaim_transfer_with(
        &mut self,
        id: &str,
        record_of: &(dyn Fn(Value, Reclaimed) -> Value + Sync),
    ) -> Result<Reclaimed, WalletError> {
        self.read_clock();
        self.expect_coins(id, TransferCoins::InFlight)?;
        let send = self.send_of(id)?.clone();
        self.reclaim_send(&send, &mut 0).await?;
        let ended = &self.state.sends[&send.id];
        if ended.status == Status::Pending {
            return Err(WalletError::TransferHasCoins(id.to_owned()));
        }
        // Earlier calls, and requests that `resume` has finished, count too.
        let returned = ended.item.returned.min(send.amount);
        let reclaimed = Reclaimed {
            returned,
            taken: send.amount - returned,
        };
        let record = record_of(self.state.transfers[id].record.clone(), reclaimed);
        self.record_transfer(id, &record, TransferEvent::Reclaimed)?;
        Ok(reclaimed)
    }

    fn record_transfer(&mut self, id: &str, record: &Value, event: TransferEvent) -> Result<(), WalletError> {
        self.record(Event::Transfer {
            id: id.to_owned(),
            record: record.clone(),
            event,
        })
    }

    fn send_of(&self, id: &str) -> Result<&Send, WalletError> {
        let send = self.state.transfers.get(id).and_then(|transfer| transfer.send);
        let tracked = send.and_then(|send: OperationId| self.state.sends.get(&send));
        let missing = || WalletError::TransferHasNoCoins(id.to_owned());
        Ok(&tracked.ok_or_else(missing)?.item)
    }

    fn expect_coins(&self, id: &str, coins: TransferCoins) -> Result<(), WalletError> {
        match self.state.transfers.get(id) {
            Some(transfer) if transfer.coins == coins => Ok(()),
            Some(_) | None => Err(WalletError::TransferHasNoCoins(id.to_owned())),
        }
    }
}
