//! The signing engine of a token: threads that share a queue and have a session each.
//!
//! Failures: when the token, a session or the login is lost, current requests get "not available", and later ones
//! try to connect again (see `token.rs`). Other errors and wrong signatures fail only their own request. After each
//! failure the thread opens a new session, because the old one may be in the middle of an operation.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{ObjectClass, ObjectHandle};
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, KeyStoreError, Pool, PoolItem, PublicKey, SignError, Signer, Worker,
};
use opencoin_schema::BigInt;

use crate::TokenError;
use crate::keys;
use crate::module::Access;
use crate::token::{Token, TokenSession};

/// The prefix of the threads' names, as `top -H` shows them.
const THREAD_NAME: &str = "token";

/// Signs with the keys that the token had at the start or at the last [`refresh`](Signer::refresh). Dropping it
/// finishes the operations under way, answers all other callers with [`SignError::Unavailable`], and waits for its
/// threads to end.
pub(crate) struct TokenSigner {
    token: Arc<Token>,
    keys: RwLock<Keys>,
    refreshes: Arc<AtomicU64>,
    pool: Pool<Task, BigInt>,
}

type Keys = BTreeMap<BigInt, PublicKey>;

struct Task {
    key: PublicKey,
    /// As long as the key's modulus.
    input: Vec<u8>,
}

/// A token signs one number after the other.
impl PoolItem for Task {
    const GROUP_MAX: usize = 1;

    fn joins(&self, _: &Self) -> bool {
        true
    }

    fn group_min(&self) -> usize {
        1
    }
}

impl TokenSigner {
    pub(crate) fn start(token: Arc<Token>) -> Result<Self, TokenError> {
        let keys = RwLock::new(keys_of(&token)?);
        let refreshes = Arc::<AtomicU64>::default();
        let worker = || -> Worker<Task, BigInt> {
            let mut thread = Thread {
                token: Arc::clone(&token),
                refreshes: Arc::clone(&refreshes),
                opened: None,
            };
            Box::new(move |tasks| tasks.iter().map(|task| thread.sign(task)).collect())
        };
        let workers = (0..token.options().sessions.get()).map(|_| worker()).collect();
        let pool = Pool::start(THREAD_NAME, workers, token.options().blinds_queued_max);
        let pool = pool.map_err(|error| TokenError::Threads(error.to_string()))?;
        Ok(Self {
            token,
            keys,
            refreshes,
            pool,
        })
    }

    fn prepare(keys: &Keys, index: usize, blind: &BlindToSign) -> Result<Task, SignError> {
        let key = keys
            .get(&blind.mint_key_id)
            .ok_or_else(|| SignError::UnknownKey(blind.mint_key_id.clone()))?;
        Ok(Task {
            input: blind.input(key, index)?,
            key: key.clone(),
        })
    }
}

#[async_trait]
impl Signer for TokenSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        let tasks = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let blinds = accepted.blinds.iter().enumerate();
            blinds
                .map(|(index, blind)| Self::prepare(&keys, index, blind))
                .collect::<Result<_, _>>()?
        };
        self.pool.run(tasks).await
    }

    fn refresh(&self) -> Result<(), KeyStoreError> {
        let keys = keys_of(&self.token)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn keys_of(token: &Token) -> Result<Keys, TokenError> {
    let keys = token.keys()?.into_iter();
    Ok(keys.map(|key| (key.id().clone(), key)).collect())
}

/// The state of one thread.
struct Thread {
    token: Arc<Token>,
    refreshes: Arc<AtomicU64>,
    opened: Option<Opened>,
}

/// A session and the private keys that were found in it.
struct Opened {
    token_session: TokenSession,
    /// The number of refreshes before the first of these keys was found.
    refreshes: u64,
    private_keys: HashMap<BigInt, ObjectHandle>,
}

/// The token did not sign.
enum Failure {
    Call(Error),
    /// The key was not found.
    NoKey,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl Thread {
    fn sign(&mut self, task: &Task) -> Result<BigInt, SignError> {
        // Put back only after success: after an error or a panic, the session is not used again.
        let mut opened = self.take_opened()?;
        let signature = match opened.sign(task) {
            Ok(signature) => signature,
            Err(failure) => return Err(self.explain(&opened, task, failure)),
        };
        let Some(signature) = keys::check_signature(&task.key, &task.input, &signature) else {
            tracing::error!(mint_key = %task.key.id(), "the token made a wrong signature, which was discarded");
            return Err(SignError::Failed);
        };
        self.opened = Some(opened);
        Ok(signature)
    }

    fn take_opened(&mut self) -> Result<Opened, SignError> {
        let refreshes = self.refreshes.load(Ordering::Relaxed);
        let opened = self
            .opened
            .take()
            .filter(|opened| self.token.is_current(opened.token_session.connection));
        let mut opened = match opened {
            Some(opened) => opened,
            None => {
                let token_session = self.token.session(Access::Read).map_err(|error| {
                    if let TokenError::Call { .. } = error {
                        tracing::warn!(%error, "no session to sign with");
                    }
                    SignError::Unavailable
                })?;
                Opened {
                    token_session,
                    refreshes,
                    private_keys: HashMap::new(),
                }
            }
        };
        if opened.refreshes != refreshes {
            opened.private_keys.clear();
            opened.refreshes = refreshes;
        }
        Ok(opened)
    }

    fn explain(&self, opened: &Opened, task: &Task, failure: Failure) -> SignError {
        let connection = opened.token_session.connection;
        let error = match failure {
            Failure::Call(error) => self.token.failed(connection, error),
            Failure::NoKey if self.token.is_alive(connection) => {
                return SignError::UnknownKey(task.key.id().clone());
            }
            Failure::NoKey => {
                self.token.lost(connection, &TokenError::Lost);
                TokenError::Lost
            }
        };
        if error == TokenError::Lost {
            return SignError::Unavailable;
        }
        tracing::error!(mint_key = %task.key.id(), %error, "the token does not sign");
        SignError::Failed
    }
}

impl Opened {
    /// The unchecked signature.
    fn sign(&mut self, task: &Task) -> Result<Vec<u8>, Failure> {
        let private = match self.private_keys.get(task.key.id()) {
            Some(private) => *private,
            None => self.find(task)?,
        };
        match self.sign_with(private, task) {
            // Some tokens change the handles of keys.
            Err(Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _)) => {
                let private = self.find(task)?;
                Ok(self.sign_with(private, task)?)
            }
            result => Ok(result?),
        }
    }

    fn sign_with(&self, private: ObjectHandle, task: &Task) -> Result<Vec<u8>, Error> {
        self.token_session
            .session
            .call(|session| keys::sign(session, private, &task.input))
    }

    fn find(&mut self, task: &Task) -> Result<ObjectHandle, Failure> {
        let id = task.key.id();
        let halves = self
            .token_session
            .session
            .call(|session| keys::find(session, ObjectClass::PRIVATE_KEY, id))?;
        let half = halves.first().ok_or(Failure::NoKey)?;
        self.private_keys.insert(id.clone(), half.handle);
        Ok(half.handle)
    }
}
