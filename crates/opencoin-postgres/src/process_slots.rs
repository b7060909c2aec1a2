//! The slots in which the batches of this process count coins, so that those that run at the same time do not wait for
//! each other's rows of `mint_key_counts`.
//!
//! A process has [`SLOTS_PER_PROCESS`] slots. A batch takes a free one while its statement runs: the first free one, so
//! that a process whose batches run one after another always counts in the same rows. If none is free, two batches
//! share one, and the second waits for the commit of the first.
//!
//! A slot may have too few issued coins for those that come back, or have no row of a mint key yet. Then the statement
//! is refused, and a batch that is decided on loaded rows has to fill the slots. So after a refusal the next batch that
//! can be decided in that way is, and is not tried with a statement in another slot first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sqlx::PgConnection;

use crate::fault::Fault;
use crate::slots::{OwnSlots, SLOTS_PER_PROCESS, next};

/// The slots of this process and their use.
#[derive(Debug, Default)]
pub(crate) struct ProcessSlots {
    own: OnceLock<OwnSlots>,
    /// The number of batches that use each slot.
    batches: Mutex<[usize; SLOTS_PER_PROCESS]>,
    /// Whether a statement was refused since rows were last filled.
    is_refused: AtomicBool,
}

/// A slot in use by one batch, until it is dropped. If that happens before the server has ended the batch, the next
/// batch in the slot may wait for it.
pub(crate) struct SlotInUse<'p> {
    process: &'p ProcessSlots,
    /// The place among the slots of the process.
    index: usize,
}

impl ProcessSlots {
    /// The slots of this process, which it gets from the database when it first needs them.
    pub(crate) async fn own(&self, connection: &mut PgConnection) -> Result<OwnSlots, Fault> {
        if let Some(own) = self.own.get() {
            return Ok(*own);
        }
        let own = next(connection).await?;
        Ok(*self.own.get_or_init(|| own))
    }

    /// Takes the first of the slots that the fewest batches use.
    pub(crate) fn take(&self) -> SlotInUse<'_> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let index = (0..SLOTS_PER_PROCESS)
            .min_by_key(|index| batches[*index])
            .expect("a process has slots");
        batches[index] += 1;
        SlotInUse { process: self, index }
    }

    pub(crate) fn refused(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }

    /// The slots of some mint keys are being filled.
    pub(crate) fn filling(&self) {
        self.is_refused.store(false, Ordering::Relaxed);
    }

    /// Whether a statement was refused since slots were last filled.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }
}

impl SlotInUse<'_> {
    /// The number of the slot.
    pub(crate) async fn number(&self, connection: &mut PgConnection) -> Result<i16, Fault> {
        Ok(self.process.own(connection).await?.numbers()[self.index])
    }
}

impl Drop for SlotInUse<'_> {
    fn drop(&mut self) {
        let batches = &self.process.batches;
        batches.lock().unwrap_or_else(PoisonError::into_inner)[self.index] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_the_first_free_slot_and_shares_one_only_if_none_is_free() {
        let process = ProcessSlots::default();
        for _one_after_another in 0..3 {
            assert_eq!(process.take().index, 0);
        }
        let mut taken: Vec<_> = (0..SLOTS_PER_PROCESS).map(|_| process.take()).collect();
        assert!(taken.iter().map(|slot| slot.index).eq(0..SLOTS_PER_PROCESS));
        let shared = process.take();
        assert_eq!(shared.index, 0);
        drop(taken.remove(1));
        assert_eq!(process.take().index, 1);
        drop(taken);
        drop(shared);
        assert_eq!(*process.batches.lock().unwrap(), [0; SLOTS_PER_PROCESS]);
    }
}
