//! Account tokens: shown once, stored hashed, looked up once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use opencoin_ledger::{AccountId, Ledger, LedgerError, TokenHash};
use rand::CryptoRng;
use rand::RngCore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How much randomness a token has. That much needs no slow hash: it cannot be guessed.
const TOKEN_BYTES: usize = 32;
/// Lets people and secret scanners see what it is.
const TOKEN_PREFIX: &str = "oc_";

/// The secret with which a holder uses an account over HTTP.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new token.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        let hex = Zeroizing::new(const_hex::encode(bytes.as_ref()));
        Self(Zeroizing::new(format!("{TOKEN_PREFIX}{}", hex.as_str())))
    }

    /// What a client sent as its token; whether it is one, the ledger knows.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The token itself: to be shown once and to be kept nowhere.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::new(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// How many accounts are remembered: a megabyte at most. Beyond that the memory begins anew.
const ACCOUNTS_REMEMBERED_MAX: usize = 10_000;

/// Whose token is whose. An account keeps its token for good, so the ledger is asked once; a token that it does not know
/// is asked for each time.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    accounts: Mutex<HashMap<TokenHash, AccountId>>,
}

impl Holders {
    /// The account of this token.
    pub(crate) async fn account(&self, ledger: &dyn Ledger, token: &Token) -> Result<Option<AccountId>, LedgerError> {
        let hash = token.hash();
        let known = self.accounts().get(&hash).copied();
        if known.is_some() {
            return Ok(known);
        }
        let Some(account) = ledger.account_by_token(&hash).await? else { return Ok(None) };
        let mut accounts = self.accounts();
        if accounts.len() >= ACCOUNTS_REMEMBERED_MAX {
            accounts.clear();
        }
        accounts.insert(hash, account.id);
        Ok(Some(account.id))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<TokenHash, AccountId>> {
        self.accounts.lock().expect("nothing panics while it is held")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}
