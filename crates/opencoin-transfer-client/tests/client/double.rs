//! A wallet in memory, and the issuer that decides whose coins are.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use opencoin_schema::{BigInt, Coin, CoinStack, PROTOCOL_VERSION, Payload};
use opencoin_transfer::Party;
use opencoin_transfer::machine::{Durable, WalletAnswer};
use opencoin_transfer_client::{Stored, StoredRecord, TransferWallet};
use opencoin_wallet::{Reclaimed, TransferCoins, WalletError};
use serde_json::Value;

/// Who has renewed the coins, if anybody has.
#[derive(Clone, Default)]
pub(crate) struct Bank(Arc<Mutex<Option<Party>>>);

impl Bank {
    pub(crate) fn owner(&self) -> Option<Party> {
        *self.0.lock().unwrap()
    }

    fn renew(&self, by: Party) -> bool {
        *self.0.lock().unwrap().get_or_insert(by) == by
    }
}

/// A wallet with one transfer.
pub(crate) struct MemoryWallet {
    bank: Bank,
    seed: u64,
    stored: Option<Stored>,
    stack: Option<CoinStack>,
}

impl MemoryWallet {
    pub(crate) fn new(bank: &Bank, seed: u64) -> Self {
        Self {
            bank: bank.clone(),
            seed,
            stored: None,
            stack: None,
        }
    }

    /// For randomness that differs from other wallets and from earlier runs.
    pub(crate) fn seed(&mut self) -> u64 {
        self.seed += 100;
        self.seed
    }

    pub(crate) fn coins(&self) -> TransferCoins {
        self.stored
            .as_ref()
            .map_or(TransferCoins::None, |stored| stored.coins)
    }

    pub(crate) fn record(&self) -> StoredRecord {
        let stored = self.stored.as_ref().unwrap();
        StoredRecord::read(&stored.id, &stored.record).unwrap()
    }

    fn put(&mut self, id: &str, record: &Value, coins: TransferCoins) {
        self.stored = Some(Stored {
            id: id.to_owned(),
            record: record.clone(),
            coins,
        });
    }
}

#[async_trait]
impl TransferWallet for MemoryWallet {
    async fn stored(&mut self) -> Result<Vec<Stored>, WalletError> {
        Ok(self.stored.iter().cloned().collect())
    }

    async fn store(&mut self, id: &str, how: Durable, record: &Value, _: bool) -> Result<(), WalletError> {
        let coins = match (how, self.coins()) {
            (Durable::Unchanged | Durable::Put, coins) => coins,
            (Durable::Release, TransferCoins::None | TransferCoins::Reserved) => TransferCoins::None,
            (Durable::Leave, TransferCoins::Reserved) => TransferCoins::InFlight,
            (Durable::Delivered, TransferCoins::InFlight) => TransferCoins::Ended,
            (how, coins) => panic!("{how:?} of coins that are {coins:?}"),
        };
        self.put(id, record, coins);
        Ok(())
    }

    async fn reserve(
        &mut self,
        id: &str,
        _: &str,
        amount: u64,
        subject: &str,
        record: &Value,
    ) -> Result<CoinStack, WalletError> {
        let number = |byte: u8| BigInt::from_be_bytes(&[byte; 32]);
        let coin = Coin {
            payload: Payload {
                cdd_location: "https://issuer.example/cdds/latest".to_owned(),
                denomination: amount,
                issuer_id: number(0xa1),
                mint_key_id: number(2),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial: number(3),
            },
            signature: number(4),
        };
        let stack = CoinStack {
            coins: vec![coin],
            subject: subject.to_owned(),
        };
        self.put(id, record, TransferCoins::Reserved);
        Ok(self.stack.insert(stack).clone())
    }

    async fn stack(&mut self, _: &str) -> Result<CoinStack, WalletError> {
        Ok(self.stack.clone().unwrap())
    }

    async fn reclaim(
        &mut self,
        id: &str,
        record_of: &(dyn Fn(Value, Reclaimed) -> Value + Sync),
    ) -> Result<Reclaimed, WalletError> {
        let reclaimed = if self.bank.renew(Party::Sender) {
            Reclaimed {
                returned: 1,
                taken: 0,
            }
        } else {
            Reclaimed {
                returned: 0,
                taken: 1,
            }
        };
        let record = record_of(self.stored.as_ref().unwrap().record.clone(), reclaimed);
        self.put(id, &record, TransferCoins::Ended);
        Ok(reclaimed)
    }

    async fn resume(&mut self) -> Result<bool, WalletError> {
        Ok(false)
    }

    async fn check(&mut self, stack: &CoinStack) -> Result<bool, WalletError> {
        Ok(!stack.coins.is_empty())
    }

    async fn renew(&mut self, _: &str, stack: &CoinStack, _: bool) -> Result<WalletAnswer, WalletError> {
        Ok(if self.bank.renew(Party::Receiver) {
            WalletAnswer::Renewed {
                amount: stack.coins.iter().map(|coin| coin.payload.denomination).sum(),
            }
        } else {
            WalletAnswer::Spent
        })
    }
}
