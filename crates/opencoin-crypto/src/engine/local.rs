//! The signing engine in this process, on threads of its own, so that signing never blocks the async runtime.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, RwLock};
use std::thread;

use async_trait::async_trait;
use opencoin_lanes::LANES;
use opencoin_schema::BigInt;

use super::pool::{Pool, PoolItem, Worker};
use super::{AcceptedBlinds, BlindToSign, SignError, Signer};
use crate::{OperationError, PrivateKey};

/// The prefix of the threads' names, as `top -H` shows them.
const THREAD_NAME: &str = "sign";

const NEVER_POISONED: &str = "nothing panics while it holds the keys";

/// How a [`LocalSigner`] uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalSignerOptions {
    /// The number of signing threads. Default: one per core.
    pub threads: NonZeroUsize,
    /// The most blinds that may wait. A request that exceeds it is refused as [`SignError::Busy`], so it must be
    /// larger than the largest request. Default: [`Self::BLINDS_QUEUED_MAX`].
    pub blinds_queued_max: usize,
}

/// Signs in this process. Dropping it finishes the operations under way, answers all other callers with
/// [`SignError::Unavailable`], and waits for its threads to end.
pub struct LocalSigner {
    keys: RwLock<Keys>,
    pool: Pool<Task, BigInt>,
}

type Keys = HashMap<BigInt, Arc<PrivateKey>>;

struct Task {
    key: Arc<PrivateKey>,
    /// As long as the key's modulus.
    input: Vec<u8>,
}

/// Blinds of one key are signed together, whatever request they are of.
impl PoolItem for Task {
    const GROUP_MAX: usize = LANES;

    fn joins(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
    }

    fn group_min(&self) -> usize {
        self.key.group_min()
    }
}

impl LocalSignerOptions {
    /// About two seconds of work for two cores at 2048 bits: 256 requests of 64 blinds. A refused request was
    /// accepted by the books and will be repeated, so refusing early costs more than waiting.
    pub const BLINDS_QUEUED_MAX: usize = 16 * 1024;
}

impl Default for LocalSignerOptions {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            threads,
            blinds_queued_max: Self::BLINDS_QUEUED_MAX,
        }
    }
}

impl LocalSigner {
    /// Starts an engine with these keys.
    ///
    /// # Errors
    /// When the system cannot start the threads.
    pub fn start(
        keys: impl IntoIterator<Item = PrivateKey>,
        options: LocalSignerOptions,
    ) -> io::Result<Self> {
        let workers = (0..options.threads.get()).map(|_| -> Worker<Task, BigInt> { Box::new(sign) });
        let pool = Pool::start(THREAD_NAME, workers.collect(), options.blinds_queued_max)?;
        let signer = Self {
            keys: RwLock::default(),
            pool,
        };
        signer.change_keys(keys, |_| true);
        Ok(signer)
    }

    /// Adds `new` keys, and drops those of the others for which `is_kept` returns false. Blinds that are queued
    /// are still signed.
    ///
    /// # Panics
    /// Never: nothing panics while the lock is held.
    pub fn change_keys(&self, new: impl IntoIterator<Item = PrivateKey>, is_kept: impl Fn(&BigInt) -> bool) {
        let new: Keys = new
            .into_iter()
            .map(|key| {
                key.prepare_groups();
                (key.public_key().id().clone(), Arc::new(key))
            })
            .collect();
        let mut keys = self.keys.write().expect(NEVER_POISONED);
        keys.retain(|id, _| is_kept(id));
        keys.extend(new);
    }

    fn prepare(keys: &Keys, index: usize, blind: &BlindToSign) -> Result<Task, SignError> {
        let key = keys
            .get(&blind.mint_key_id)
            .ok_or_else(|| SignError::UnknownKey(blind.mint_key_id.clone()))?;
        Ok(Task {
            input: blind.input(key.public_key(), index)?,
            key: Arc::clone(key),
        })
    }
}

#[async_trait]
impl Signer for LocalSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        let tasks = {
            let keys = self.keys.read().expect(NEVER_POISONED);
            let blinds = accepted.blinds.iter().enumerate();
            blinds
                .map(|(index, blind)| Self::prepare(&keys, index, blind))
                .collect::<Result<_, _>>()?
        };
        self.pool.run(tasks).await
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalSigner").finish_non_exhaustive()
    }
}

fn sign(tasks: &[&Task]) -> Vec<Result<BigInt, SignError>> {
    let inputs: Vec<&[u8]> = tasks.iter().map(|task| &task.input[..]).collect();
    let signatures = tasks[0].key.raw_sign_all(&inputs);
    let result = |signature: Result<Vec<u8>, OperationError>| {
        signature.map_or(Err(SignError::Failed), |bytes| Ok(BigInt::from_be_bytes(&bytes)))
    };
    signatures.into_iter().map(result).collect()
}
