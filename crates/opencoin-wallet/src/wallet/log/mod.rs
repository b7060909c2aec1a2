//! The public log in the wallet: a *light auditor* of what concerns this wallet.
//!
//! A currency whose description names a log ([`LogBlock`]) is checked at three points. Before a mint key is used for the
//! first time, its leaf must be in the log (`keys`). Every answer to an accepted request must carry the issuer's promise
//! that the request will be in the log (`promises`); it is on the disk before the answer takes effect. And the user
//! can check at any time whether the promises were kept (`check`). All of it rests on the newest checkpoint, which must
//! continue the last one that this wallet has seen (`checkpoint`). What the issuer owes and nobody can prove, a signature or
//! the leaf of a coin that it says was spent, becomes a challenge (`challenges`).
//!
//! A fault of the log never costs coins: it is noted, and what can be proven can be shown to others
//! ([`Evidence`]). Nothing happens for currencies without a log.

mod challenges;
mod check;
mod checkpoint;
mod keys;
mod omission;
mod promises;
mod secret_keys;
mod status;

use opencoin_evidence::{Claim, Evidence, ShownPromise};
use opencoin_log::log_block::LogBlock;
use opencoin_log::promise::Promise;
use opencoin_schema::{BigInt, Cddc};

use super::Wallet;
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::Event;
use crate::public_log::LogError;
use crate::public_log::memory::{LogEvent, LogFault, LogMemory, path_of};

pub(super) use checkpoint::NewestLog;
pub use status::{LogStatus, SeenLog, ShownFault};

impl Wallet {
    /// Uses mint keys without looking for them in the public log, until the wallet is closed. The wallet notes it.
    pub fn without_log_check(&mut self) {
        self.is_log_checked = false;
    }

    /// Returns what the currency's newest description says about its log; `None` if it has none.
    pub(super) fn log_block(&self, id: &BigInt) -> Result<Option<LogBlock>, WalletError> {
        let block = LogBlock::find(&self.currency(id)?.cddc.cdd().additional_info);
        block.map_err(|error| LogError::Block(error.to_string()).into())
    }

    /// Returns the description with this serial if its log has other keys than the newest one's.
    fn other_description(&self, id: &BigInt, serial: u64) -> Result<Option<Cddc>, WalletError> {
        let (currency, newest) = (self.currency(id)?, self.log_block(id)?);
        let is_other = block_of(currency, serial) != newest;
        let then = currency.cddcs.get(&serial).filter(|_| is_other);
        Ok(then.map(|cddc| cddc.cddc().clone()))
    }

    fn log_memory(&self, id: &BigInt) -> Option<&LogMemory> {
        self.state.logs.get(id)
    }

    fn record_log(&mut self, id: &BigInt, event: LogEvent) -> Result<(), WalletError> {
        self.record(Event::Log {
            currency: id.clone(),
            log: Box::new(event),
        })
    }

    /// Notes a fault, unless it was noted before. Evidence that would not convince others is left out.
    fn note_fault(
        &mut self,
        id: &BigInt,
        operation: Option<u64>,
        description: String,
        shown: Option<String>,
        claim: Option<Claim>,
    ) -> Result<(), WalletError> {
        let memory = self.log_memory(id);
        if memory.is_some_and(|memory| memory.has_fault(operation, shown.as_deref())) {
            return Ok(());
        }
        let evidence = claim.and_then(|claim| evidence(self.currency(id).ok()?, claim));
        let fault = LogFault {
            operation,
            description,
            shown,
            evidence: evidence.map(Box::new),
            at: self.now,
        };
        self.record_log(id, LogEvent::Fault(fault))
    }
}

/// Makes evidence under the currency's newest description; `None` if it does not hold.
fn evidence(currency: &Currency, claim: Claim) -> Option<Evidence> {
    Evidence::new(currency.cddc.cddc().clone(), claim).ok()
}

/// Returns what the description with this serial says about the log, if the wallet has it.
fn block_of(currency: &Currency, serial: u64) -> Option<LogBlock> {
    let cddc = currency.cddcs.get(&serial)?;
    LogBlock::find(&cddc.cdd().additional_info).ok()?
}

/// Makes the part of evidence that shows one leaf of a promise, and nothing of the request's other leaves.
fn promised_claim(
    promise: &Promise,
    leaves: &[Vec<u8>],
    index: usize,
    then: Option<Cddc>,
) -> Option<ShownPromise> {
    let path = path_of(leaves, index)?;
    let leaf = leaves.get(index)?.clone();
    Some(ShownPromise::new(promise, leaf, &path, then))
}
