//! Runs the conformance suite on the in-memory model.

use std::sync::Arc;

use opencoin_conformance::Store;
use opencoin_conformance::{Pair, assert_agreement, assert_recovers, sequence};
use opencoin_ledger::MemoryLedger;
use proptest::prelude::*;

async fn open() -> (Pair, ()) {
    let ledger: Arc<dyn Store> = Arc::new(MemoryLedger::new());
    ([Arc::clone(&ledger), ledger], ())
}

opencoin_conformance::conformance_tests!(open);

proptest! {
    /// The books hold after any commands, and dividing the commands into batches makes no difference.
    #[test]
    fn books_hold_after_any_commands(batches in sequence()) {
        let single: Vec<_> = batches.concat().into_iter().map(|command| vec![command]).collect();
        let run = async {
            let [batched, one_by_one]: [Arc<dyn Store>; 2] = [Arc::new(MemoryLedger::new()), Arc::new(MemoryLedger::new())];
            assert_agreement(&batches, &[Arc::clone(&batched)]).await;
            assert_agreement(&single, &[Arc::clone(&one_by_one)]).await;
            assert_eq!(batched.audit_facts().await, one_by_one.audit_facts().await);
        };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run);
    }

    /// Whatever a backup has missed is recovered from the log.
    #[test]
    fn any_lost_time_is_recovered(batches in sequence(), backup in 0_usize..60, sealed in 1_usize..8) {
        let store = MemoryLedger::new();
        let run = assert_recovers(&batches, backup, sealed, &store);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run);
    }
}
