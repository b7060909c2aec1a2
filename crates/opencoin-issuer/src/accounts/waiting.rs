//! Mints that wait for money, where the operator lets them.
//!
//! Nothing is taken while a mint waits. It is carried out by the command of an ordinary mint, which is done once for its reference
//! however many processes try: by a resume, by the same mint sent again, or by the background work here. What was carried out is
//! forgotten here afterwards; a crash between the two leaves a mint that is found carried out by the next try.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::DateTime;
use opencoin_ledger::{
    AccountId, Amount, Applied, Blind, Command, LedgerTime, Refusal as LedgerRefusal, TransactionReference, WaitRefusal,
    WaitingMint,
};

use super::Desk;
use crate::committer::Unconfirmed;
use crate::config::WhenShort;
use crate::currency::ledger_time;
use crate::issuer::unavailable;
use crate::refusal::{Reason, Refusal};

/// The most waiting mints that are carried out in one turn.
const CARRIED_OUT_MAX: u32 = 100;
/// The most mints that are left alone because they can never be carried out; they end by themselves.
const HOPELESS_MAX: usize = 10_000;
/// How long it is said of a mint that it has waited in vain.
const WAITED_KEPT_MICROS: i64 = 30 * 24 * 3600 * 1_000_000;

/// Mints that the books have refused for good: a key that signs no more, say. A resume is told why until their time is over.
#[derive(Default)]
pub(super) struct Hopeless(Mutex<HashSet<TransactionReference>>);

/// What a resume finds among waiting mints.
pub(crate) enum Resumed {
    /// It was accepted now, or by somebody else a moment ago.
    Accepted,
    /// It waits still.
    Waits,
}

impl Desk {
    /// Keeps a mint that its account cannot pay, if mints may wait here.
    ///
    /// # Errors
    /// When it may not wait: as if there were no waiting, or why not.
    pub(crate) async fn wait(
        &self,
        account: AccountId,
        transaction_reference: TransactionReference,
        blinds: Vec<Blind>,
        short: LedgerRefusal,
    ) -> Result<(), Refusal> {
        let (WhenShort::Delay, LedgerRefusal::InsufficientFunds { needed, .. }) = (self.config.when_short, &short) else {
            return Err(short.into());
        };
        let (now, amount): (_, Amount) = (self.clock.now(), *needed);
        let (asked, expires) = (ledger_time(now), ledger_time(now + self.config.wait.get()));
        let mint = WaitingMint { account, transaction_reference, blinds, amount, asked, expires };
        match self.accounts.wait(&mint, asked).await.map_err(unavailable)? {
            Ok(()) => Ok(()),
            Err(refusal @ WaitRefusal::ReferenceConflict) => Err(Refusal::new(Reason::ReferenceConflict, refusal.to_string())),
            Err(refusal @ WaitRefusal::TooMany) => {
                Err(Refusal::new(Reason::InsufficientFunds, format!("{short}, and {refusal}")))
            }
        }
    }

    /// Tries to carry out a mint that waits; `None` when none waits under this reference.
    ///
    /// # Errors
    /// When its time is over, or the books refuse it for another reason than too little money.
    pub(crate) async fn resume(&self, reference: &TransactionReference) -> Result<Option<Resumed>, Refusal> {
        let Some(mint) = self.accounts.waiting(reference).await.map_err(unavailable)? else { return Ok(None) };
        if self.now() >= mint.expires {
            return Err(waited_in_vain(mint.expires));
        }
        match self.carry_out(mint).await? {
            Ok(_applied) => Ok(Some(Resumed::Accepted)),
            Err(LedgerRefusal::InsufficientFunds { .. }) => Ok(Some(Resumed::Waits)),
            Err(other) => Err(other.into()),
        }
    }

    /// Forgets that a mint waits, once it was accepted.
    ///
    /// # Errors
    /// When the ledger fails. The mint is accepted all the same.
    pub(crate) async fn stop_waiting(&self, reference: &TransactionReference) -> Result<(), Refusal> {
        if self.config.when_short == WhenShort::Refuse {
            return Ok(()); // what an earlier setting has left ends by itself
        }
        self.accounts.stop_waiting(reference).await.map_err(unavailable)
    }

    /// One turn of the background work: carries out mints whose accounts can pay now.
    pub(crate) async fn carry_out_payable(&self) {
        if self.config.when_short == WhenShort::Refuse {
            return;
        }
        let hopeless = self.hopeless.known();
        // They come first, again and again, and must not keep others from their turn.
        let limit = CARRIED_OUT_MAX + u32::try_from(hopeless.len()).expect("at most ten thousand");
        let Ok(payable) = self.accounts.payable(self.now(), limit).await.map_err(unavailable) else { return };
        let (left_alone, payable): (Vec<_>, Vec<_>) =
            payable.into_iter().partition(|mint| hopeless.contains(&mint.transaction_reference));
        let mut refused: HashSet<_> = left_alone.into_iter().map(|mint| mint.transaction_reference).collect();
        for mint in payable {
            let reference = mint.transaction_reference.clone();
            match self.carry_out(mint).await {
                // Somebody was faster with the money.
                Ok(Ok(_) | Err(LedgerRefusal::InsufficientFunds { .. })) => {}
                Ok(Err(refusal)) => {
                    tracing::warn!(%refusal, "a mint that waited for money cannot be carried out any more");
                    refused.insert(reference);
                }
                Err(_unavailable) => break, // the ledger is away; all this is tried again
            }
        }
        self.hopeless.set(refused);
    }

    /// Deletes what is over: sessions, counts of wrong passwords, mints that have waited in vain a month ago.
    pub(crate) async fn tidy(&self) {
        let now = self.now();
        let waited_before = LedgerTime::from_unix_micros(now.unix_micros().saturating_sub(WAITED_KEPT_MICROS));
        // What cannot be done now is done next time; the log says why.
        let _ = self.accounts.tidy(now, waited_before).await.map_err(unavailable);
    }

    async fn carry_out(&self, mint: WaitingMint) -> Result<Result<Applied, LedgerRefusal>, Refusal> {
        let WaitingMint { account, transaction_reference, blinds, .. } = mint;
        let reference = transaction_reference.clone();
        let command = Command::Mint { account, transaction_reference, blinds, at: self.now() };
        let outcome = self.committer.apply(command).await.map_err(|Unconfirmed| Refusal::unavailable())?;
        if outcome.is_ok() {
            self.accounts.stop_waiting(&reference).await.map_err(unavailable)?;
        }
        Ok(outcome)
    }
}

impl Hopeless {
    fn known(&self) -> HashSet<TransactionReference> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, mut refused: HashSet<TransactionReference>) {
        if refused.len() > HOPELESS_MAX {
            refused.clear(); // they are tried again
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }
}

fn waited_in_vain(expired: LedgerTime) -> Refusal {
    let expired = DateTime::from_timestamp_micros(expired.unix_micros()).unwrap_or_default();
    let description =
        format!("the account had too little money until {}; nothing was taken", expired.format("%Y-%m-%dT%H:%M:%SZ"));
    Refusal::new(Reason::InsufficientFunds, description)
}
