//! One wallet for several transfers at a time.

use std::sync::Arc;

use async_trait::async_trait;
use opencoin_schema::CoinStack;
use opencoin_transfer::machine::{Durable, WalletAnswer};
use opencoin_wallet::{Reclaimed, WalletError};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::wallet::{RecordOf, Stored, TransferWallet};

/// A wallet that several transfers use in turn.
pub struct SharedWallet<'a, W>(Arc<Mutex<&'a mut W>>);

impl<'a, W> SharedWallet<'a, W> {
    /// Shares a wallet.
    #[must_use]
    pub fn new(wallet: &'a mut W) -> Self {
        Self(Arc::new(Mutex::new(wallet)))
    }
}

impl<W> Clone for SharedWallet<'_, W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[async_trait]
impl<W: TransferWallet> TransferWallet for SharedWallet<'_, W> {
    async fn stored(&mut self) -> Result<Vec<Stored>, WalletError> {
        self.0.lock().await.stored().await
    }

    async fn store(
        &mut self,
        id: &str,
        how: Durable,
        record: &Value,
        is_over: bool,
    ) -> Result<(), WalletError> {
        self.0.lock().await.store(id, how, record, is_over).await
    }

    async fn reserve(
        &mut self,
        id: &str,
        issuer_id: &str,
        amount: u64,
        subject: &str,
        record: &Value,
    ) -> Result<CoinStack, WalletError> {
        let mut wallet = self.0.lock().await;
        wallet.reserve(id, issuer_id, amount, subject, record).await
    }

    async fn stack(&mut self, id: &str) -> Result<CoinStack, WalletError> {
        self.0.lock().await.stack(id).await
    }

    async fn reclaim(&mut self, id: &str, record_of: RecordOf<'_>) -> Result<Reclaimed, WalletError> {
        self.0.lock().await.reclaim(id, record_of).await
    }

    async fn resume(&mut self) -> Result<bool, WalletError> {
        self.0.lock().await.resume().await
    }

    async fn check(&mut self, stack: &CoinStack) -> Result<bool, WalletError> {
        self.0.lock().await.check(stack).await
    }

    async fn renew(
        &mut self,
        id: &str,
        stack: &CoinStack,
        may_begin: bool,
    ) -> Result<WalletAnswer, WalletError> {
        self.0.lock().await.renew(id, stack, may_begin).await
    }
}
