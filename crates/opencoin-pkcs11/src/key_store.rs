//! A token as a store of mint keys.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cryptoki::object::ObjectClass;
use opencoin_crypto::{KeyStore, KeyStoreError, PublicKey, Signer};
use opencoin_schema::BigInt;

use crate::generate::generate;
use crate::keys;
use crate::module::Access;
use crate::token::Token;
use crate::{TokenError, TokenOptions, TokenSigner};

/// A token that makes, keeps and destroys mint keys. All calls block.
pub struct TokenKeyStore {
    token: Arc<Token>,
}

impl TokenKeyStore {
    /// Loads the module, finds the token and logs in, with one attempt. The module stays loaded for as long
    /// as the process lives.
    ///
    /// # Errors
    /// See [`TokenError`], which says what to do. After a refused PIN do not try the same one again: the
    /// token would lock.
    pub fn open(options: TokenOptions) -> Result<Self, TokenError> {
        Ok(Self {
            token: Arc::new(Token::open(options)?),
        })
    }

    /// An engine that signs with the keys of this token. It outlives the store.
    ///
    /// # Errors
    /// The keys cannot be read, or the system gives no more threads.
    pub fn token_signer(&self) -> Result<TokenSigner, TokenError> {
        TokenSigner::start(Arc::clone(&self.token))
    }
}

impl KeyStore for TokenKeyStore {
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError> {
        Ok(self.token.keys()?.iter().map(|key| key.id().clone()).collect())
    }

    /// As [`KeyStore::generate`]: in the token, not to be taken out, with the public exponent 65537. Takes
    /// seconds, and minutes in a small token.
    fn generate(&self, bits: usize) -> Result<PublicKey, KeyStoreError> {
        Ok(generate(&self.token, bits)?)
    }

    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError> {
        let destroyed = self.token.with_session(Access::Write, |session| {
            let private = keys::find(session, ObjectClass::PRIVATE_KEY, id)?;
            for half in &private {
                session.destroy_object(half.handle)?;
            }
            // Also what a destruction left that was interrupted.
            for half in keys::find(session, ObjectClass::PUBLIC_KEY, id)? {
                session.destroy_object(half.handle)?;
            }
            Ok(!private.is_empty())
        });
        Ok(destroyed?)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError> {
        Ok(Arc::new(self.token_signer()?))
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
