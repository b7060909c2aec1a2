//! Key accounts: new keys, their introduction, payments, and what the log proves of them.
//!
//! A payment has the same steps as a request about coins. It is signed and on the disk before it is sent, and is sent
//! again until the issuer has accepted or refused it; the issuer accepts one payment for a number. Only then is the next
//! payment signed. So no number is ever used for two payments that could both be carried out.

mod coins;
mod earlier;
mod follow;
mod introduce;
mod pay;
mod payments;
mod proven;
mod restore;

use chrono::{DateTime, Utc};
use opencoin_log::key_account::AccountKey;
use opencoin_log::log_block::LogBlock;
use opencoin_schema::BigInt;

use super::Wallet;
use crate::error::WalletError;
use crate::event::Event;
use crate::key_account::PaymentVerifier;
use crate::key_account::records::{AccountAt, KeyEvent, OwnKey};

pub use follow::{EntryKind, FollowedKey, KeyEntry};
pub use introduce::OnAttempts;
pub use pay::{KeyPayee, KeyPaymentOrder, PaidByKey};
pub use payments::{FoundKeyPayment, ShownKeyPayment};
pub use proven::{KeyBalance, PendingPayments};
pub use restore::RestoredKeys;

/// A key of the wallet, and what it knows of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key.
    pub key: AccountKey,
    /// The currency's id.
    pub currency: String,
    /// The currency's name.
    pub name: String,
    /// How many of the smallest unit are one unit.
    pub divisor: u64,
    /// When the wallet made it.
    pub made_at: DateTime<Utc>,
    /// Whether the issuer has the account.
    pub is_open: bool,
    /// Whether the backup phrase restores it.
    pub is_covered: bool,
    /// What the log has last proven; `None` if it was never looked at.
    pub proven: Option<KeyBalance>,
}

impl Wallet {
    /// Makes a key for a new account. The issuer learns of it when it is introduced.
    ///
    /// # Errors
    /// The currency has no public log, the wallet has no backup phrase, or it was made from one whose requests were not
    /// restored yet.
    pub fn new_key(&mut self, currency: Option<&str>) -> Result<KeyInfo, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        self.require_log(&id)?;
        let derivation = self.derivation(&id).ok_or(WalletError::NoPhrase)?;
        let known = self.currency(&id)?;
        if self.store.is_restored() && !known.numbers.is_restored {
            return Err(WalletError::RestoreFirst(known.url.clone()));
        }
        let index = self.next_key_index(&id);
        let seed = derivation.account_key(index);
        let key = self.own_key(&id, index, seed.public_key());
        let info = self.key_info(&key)?;
        let key = Box::new(key);
        self.record_key(KeyEvent::Made { key, seed })?;
        Ok(info)
    }

    /// Returns the keys of the currency with this name or id, or of all currencies, the oldest first.
    ///
    /// # Errors
    /// The wallet has no such currency.
    pub fn keys(&self, currency: Option<&str>) -> Result<Vec<KeyInfo>, WalletError> {
        let wanted = currency.map(|_| self.choose(currency)).transpose()?;
        let is_wanted = |key: &&OwnKey| wanted.as_ref().is_none_or(|wanted| key.currency == *wanted);
        let keys = self.state.keys.values().filter(is_wanted);
        keys.map(|key| self.key_info(key)).collect()
    }

    /// Returns the key that begins with `wanted`, in hex, or the only one.
    ///
    /// # Errors
    /// The wallet has no such key, or several.
    pub fn choose_key(&self, currency: Option<&str>, wanted: Option<&str>) -> Result<KeyInfo, WalletError> {
        let mut found = self.keys(currency)?;
        if let Some(wanted) = wanted {
            found.retain(|info| info.key.to_string().starts_with(&wanted.to_ascii_lowercase()));
        }
        match (found.len(), wanted) {
            (1, _) => Ok(found.remove(0)),
            (0, None) => Err(WalletError::NoKey),
            (0, Some(wanted)) => Err(WalletError::UnknownKey(wanted.to_owned())),
            _ => {
                let keys: Vec<String> = found.iter().map(|info| info.key.to_string()).collect();
                Err(WalletError::WhichKey(keys.join(", ")))
            }
        }
    }

    /// Returns what checks payments in the logs of the wallet's currencies.
    #[must_use]
    pub fn payment_verifier(&self) -> PaymentVerifier {
        let currencies = self.state.currencies.values();
        PaymentVerifier::new(currencies.flat_map(|currency| currency.cddcs.values().cloned()))
    }

    fn require_log(&self, id: &BigInt) -> Result<LogBlock, WalletError> {
        let name = || {
            self.currency(id)
                .map(|known| known.cddc.cdd().currency_name.clone())
        };
        match self.log_block(id)? {
            Some(block) => Ok(block),
            None => Err(WalletError::NoLog(name()?)),
        }
    }

    /// Returns the number of the row of a key.
    fn key_no(&self, key: &AccountKey) -> Result<u64, WalletError> {
        let found = self.state.keys.values().find(|own| own.key == *key);
        found
            .map(|own| own.no)
            .ok_or_else(|| WalletError::UnknownKey(key.to_string()))
    }

    /// Returns the number of the next key that is derived from the backup phrase.
    fn next_key_index(&self, id: &BigInt) -> u64 {
        let is_ours = |own: &&OwnKey| own.currency == *id && own.phrase == self.state.phrase;
        let indices = self.state.keys.values().filter(is_ours).map(|own| own.index);
        indices.max().map_or(0, |last| last + 1)
    }

    fn own_key(&self, id: &BigInt, index: u64, key: AccountKey) -> OwnKey {
        OwnKey {
            no: self.state.keys.keys().last().map_or(1, |last| last + 1),
            currency: id.clone(),
            key,
            phrase: self.state.phrase,
            index,
            made_at: self.now,
            introduction: None,
            is_open: false,
            accepted: 0,
            is_seq_unsure: false,
            proven: None,
            followed: None,
        }
    }

    fn key_info(&self, own: &OwnKey) -> Result<KeyInfo, WalletError> {
        let cdd = self.currency(&own.currency)?.cddc.cdd();
        Ok(KeyInfo {
            key: own.key,
            currency: own.currency.to_string(),
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
            made_at: own.made_at,
            is_open: own.is_open,
            is_covered: own.phrase == self.state.phrase,
            proven: own.proven.map(|at| self.key_balance(own, at)),
        })
    }

    fn record_key(&mut self, event: KeyEvent) -> Result<(), WalletError> {
        self.record(Event::Key(Box::new(event)))
    }
}

/// Returns when a batch was sealed.
fn batch_time(at: AccountAt) -> DateTime<Utc> {
    let time = i64::try_from(at.time_s).ok();
    let time = time.and_then(|time| DateTime::from_timestamp(time, 0));
    time.unwrap_or(DateTime::<Utc>::MAX_UTC)
}
