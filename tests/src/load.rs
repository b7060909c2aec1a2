//! Wallets that mint and redeem without a pause while servers are replaced or crash.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::Value;

use crate::foreign_wallet::{Answer, ForeignWallet, request_mint, request_redeem};
use crate::{StopAtEnd, wait_until};

/// The first transaction reference. Each wallet has a range of its own above it.
const FIRST_REFERENCE: u64 = 0x1000_0000;
const ROUNDS_PER_WALLET: u64 = 0x0010_0000;

/// Wallets at work, and how many requests they have finished.
#[derive(Debug, Default)]
pub struct Load {
    is_over: AtomicBool,
    finished: AtomicU64,
}

impl Load {
    /// Runs this number of wallets, each in a thread, until `faults` returns. A wallet that panics ends the others.
    pub fn run(&self, wallets: u64, wallet: impl Fn(u64) + Sync, faults: impl FnOnce()) {
        thread::scope(|scope| {
            let _stop = StopAtEnd(&self.is_over);
            for number in 0..wallets {
                let wallet = &wallet;
                scope.spawn(move || {
                    let _stop_if_it_fails = StopAtEnd(&self.is_over);
                    wallet(number);
                });
            }
            faults();
        });
    }

    /// Mints a coin and redeems it, again and again, until the end of the run. `send` sends a request to a path and
    /// returns the answer, which must be the success.
    ///
    /// # Panics
    /// The wallet has used all of its transaction references.
    pub fn mint_and_redeem(
        &self,
        wallet: &ForeignWallet,
        number: u64,
        mut send: impl FnMut(&str, &Value) -> Answer,
    ) {
        for round in 0..ROUNDS_PER_WALLET {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let reference = format!("{:x}", FIRST_REFERENCE + number * ROUNDS_PER_WALLET + round);
            let blinds = wallet.blinds(&[1]);
            let minted = send("/mint", &request_mint(&blinds, &reference));
            let coins = wallet.unblind(&blinds, &minted);
            let redeemed = send("/redeem", &request_redeem(&coins));
            assert_eq!(redeemed.http_status, 200, "{redeemed:?}");
            self.finished.fetch_add(2, Ordering::Relaxed);
        }
        panic!("the wallets ran out of work before the test was over");
    }

    /// The number of requests that were finished so far.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    /// Waits until the wallets have finished this many more requests.
    ///
    /// # Panics
    /// A wallet has failed.
    pub fn wait_for_requests(&self, more: u64) {
        let wanted = self.finished() + more;
        wait_until("the wallets work", || {
            assert!(!self.is_over.load(Ordering::Relaxed), "a wallet failed");
            self.finished() >= wanted
        });
    }
}
