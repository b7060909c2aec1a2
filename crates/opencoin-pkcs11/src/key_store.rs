//! The store of mint keys in a token.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cryptoki::object::ObjectClass;
use opencoin_crypto::{KeyPrimes, KeyStore, KeyStoreError, PublicKey, Signer};
use opencoin_schema::BigInt;

use crate::generate::generate;
use crate::keys;
use crate::module::Access;
use crate::signer::TokenSigner;
use crate::token::Token;
use crate::{TokenError, TokenOptions};

/// A token that makes, keeps and destroys mint keys. All functions block.
pub struct TokenKeyStore {
    token: Arc<Token>,
}

impl TokenKeyStore {
    /// Loads the module, finds the token and logs in, with one attempt. The module stays loaded until the process
    /// ends.
    ///
    /// # Errors
    /// See [`TokenError`], whose texts say what to do. Do not repeat a refused PIN, or the token locks itself.
    pub fn open(options: TokenOptions) -> Result<Self, TokenError> {
        let token = Arc::new(Token::open(options)?);
        Ok(Self { token })
    }
}

impl KeyStore for TokenKeyStore {
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError> {
        Ok(self.token.keys()?.iter().map(|key| key.id().clone()).collect())
    }

    /// As [`KeyStore::generate`], in the token. The key is not extractable and has the public exponent 65537. Takes
    /// seconds, in slow tokens minutes.
    fn generate(&self, bits: usize, primes: KeyPrimes) -> Result<PublicKey, KeyStoreError> {
        if primes == KeyPrimes::Three {
            return Err(KeyStoreError::Unusable(KeyPrimes::NOT_IN_TOKENS.to_owned()));
        }
        Ok(generate(&self.token, bits)?)
    }

    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError> {
        let destroyed = self.token.with_session(Access::Write, |session| {
            let private = keys::find(session, ObjectClass::PRIVATE_KEY, id)?;
            for half in &private {
                session.destroy_object(half.handle)?;
            }
            // Without a private key as well, after an interrupted call.
            for half in keys::find(session, ObjectClass::PUBLIC_KEY, id)? {
                session.destroy_object(half.handle)?;
            }
            Ok(!private.is_empty())
        });
        Ok(destroyed?)
    }

    /// An engine that signs with the keys of this token. It stays usable when the store is dropped.
    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError> {
        Ok(Arc::new(TokenSigner::start(Arc::clone(&self.token))?))
    }
}

impl fmt::Debug for TokenKeyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenKeyStore")
            .field("options", self.token.options())
            .finish()
    }
}
