//! Books that an audit opens only when a test lets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opencoin_issuer::audits::OpenedSource;
use opencoin_ledger::{LedgerError, MemoryLedger};
use tokio::sync::Semaphore;

/// Opens the books for audits.
pub(crate) struct AuditDoor {
    ledger: Arc<MemoryLedger>,
    open: Semaphore,
    is_unreachable: AtomicBool,
}

impl AuditDoor {
    pub(crate) fn new(ledger: Arc<MemoryLedger>) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            open: Semaphore::new(1),
            is_unreachable: AtomicBool::new(false),
        })
    }

    /// The next audit waits from now on, until [`Self::let_in`].
    pub(crate) fn close(&self) {
        self.open.forget_permits(1);
    }

    pub(crate) fn let_in(&self) {
        self.open.add_permits(1);
    }

    /// From now on no audit can read the books.
    pub(crate) fn break_down(&self) {
        self.is_unreachable.store(true, Ordering::Relaxed);
    }

    pub(crate) fn opener(self: &Arc<Self>) -> impl Fn() -> OpenedSource + Send + Sync + 'static {
        let door = Arc::clone(self);
        move || {
            let door = Arc::clone(&door);
            Box::pin(async move {
                let _entered = door
                    .open
                    .acquire()
                    .await
                    .expect("the door is never closed for good");
                if door.is_unreachable.load(Ordering::Relaxed) {
                    return Err(LedgerError::Unavailable("by the test".to_owned()));
                }
                Ok(Arc::clone(&door.ledger) as _)
            })
        }
    }
}
