//! Limits the number of open streams, per account and in total.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::AccountId;

/// The most open streams.
const STREAMS_MAX: usize = 512;
/// The most open streams of one account.
const STREAMS_PER_ACCOUNT_MAX: usize = 16;
/// The seconds after which a refused client may try again.
const STREAM_RETRY_AFTER_S: u32 = 30;

/// The streams that are open.
#[derive(Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<AccountId, usize>>>);

/// An open stream. It counts until this is dropped.
pub(super) struct Place {
    open: Arc<Mutex<HashMap<AccountId, usize>>>,
    account: AccountId,
}

impl Streams {
    pub(super) fn enter(&self, account: AccountId) -> Result<Place, Refusal> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= STREAMS_MAX {
            let mut refusal = Refusal::new(
                Reason::Unavailable,
                "too many streams are open; ask for pages, or try again later",
            );
            refusal.retry_after_s = Some(STREAM_RETRY_AFTER_S);
            return Err(refusal);
        }
        let own = open.entry(account).or_default();
        if *own >= STREAMS_PER_ACCOUNT_MAX {
            let description = format!("an account has at most {STREAMS_PER_ACCOUNT_MAX} open streams");
            return Err(Refusal::too_many_requests(STREAM_RETRY_AFTER_S, description));
        }
        *own += 1;
        Ok(Place {
            open: Arc::clone(&self.0),
            account,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get_mut(&self.account).expect("an open stream is counted");
        *own -= 1;
        if *own == 0 {
            open.remove(&self.account);
        }
    }
}
