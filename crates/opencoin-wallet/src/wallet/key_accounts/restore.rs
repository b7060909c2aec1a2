//! Key accounts of a lost wallet, found again from its backup phrase.

use opencoin_log::key_account::AccountKey;
use opencoin_schema::BigInt;

use super::Wallet;
use crate::error::WalletError;
use crate::key_account::records::KeyEvent;
use crate::key_account::seed::KeySeed;
use crate::tokenizing::sum;

/// So many keys in a row without an account end a restore.
const GAP_MAX: u64 = 20;

/// The key accounts that a restore has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredKeys {
    /// The keys.
    pub keys: Vec<AccountKey>,
    /// What they hold, in the smallest unit.
    pub balance: u64,
}

impl Wallet {
    /// Looks for the accounts of the keys that are derived from the backup phrase. It finds those that are in the log;
    /// an account of the last minutes is found later. It can be repeated.
    ///
    /// # Errors
    /// The wallet has no such currency or no phrase, the log or the issuer does not answer, or what they say does not
    /// agree.
    pub async fn restore_keys(&mut self, currency: Option<&str>) -> Result<RestoredKeys, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        let derivation = self.derivation(&id).ok_or(WalletError::NoPhrase)?;
        if self.log_block(&id)?.is_none() {
            return Ok(RestoredKeys::default());
        }
        let mut restored = RestoredKeys::default();
        let mut balances = Vec::new();
        let (mut index, mut gap) = (0, 0);
        while gap < GAP_MAX {
            let seeds: Vec<KeySeed> = (index..index + GAP_MAX)
                .map(|number| derivation.account_key(number))
                .collect();
            let keys: Vec<AccountKey> = seeds.iter().map(KeySeed::public_key).collect();
            let proven = self.prove(&id, &keys, None).await?;
            for ((seed, key), at) in seeds.into_iter().zip(keys).zip(proven) {
                gap = if at.exists { 0 } else { gap + 1 };
                if at.exists {
                    let no = self.remember_key(&id, index, key, seed)?;
                    self.record_key(KeyEvent::Proven { no, at })?;
                    restored.keys.push(key);
                    balances.push(at.balance);
                }
                index += 1;
            }
        }
        restored.balance = sum(balances);
        Ok(restored)
    }

    /// Notes a key of the lost wallet, which may have made payments that are not in the log yet.
    fn remember_key(
        &mut self,
        id: &BigInt,
        index: u64,
        key: AccountKey,
        seed: KeySeed,
    ) -> Result<u64, WalletError> {
        if let Ok(no) = self.key_no(&key) {
            return Ok(no);
        }
        let mut own = self.own_key(id, index, key);
        (own.is_open, own.is_seq_unsure) = (true, true);
        let no = own.no;
        let key = Box::new(own);
        self.record_key(KeyEvent::Made { key, seed })?;
        Ok(no)
    }
}
