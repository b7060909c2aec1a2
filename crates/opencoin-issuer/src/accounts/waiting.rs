//! Mints that wait for money, where the operator lets them.
//!
//! Nothing is taken while a mint waits. It is carried out by the command of an ordinary mint, which is done
//! once for its reference however many processes try: by a resume, by the same mint sent again, or by the
//! background work here. What was carried out is forgotten here afterwards; a crash between the two leaves a
//! mint that is found carried out by the next try.
//!
//! Whoever hears that a mint has waited in vain gives it up, so it must not be carried out any more. Nobody
//! begins to after its time; but what was begun before takes a while, and clocks differ. So it is said
//! [`IN_VAIN_AFTER`] later, and until then that it waits.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta};
use opencoin_config::WhenShort;
use opencoin_keys::ledger_time;
use opencoin_ledger::{
    AccountId, Amount, Applied, Blind, Command, LedgerTime, Refusal as LedgerRefusal, TransactionReference,
    WaitRefusal, WaitingMint,
};

use super::Desk;
use crate::committer::Unconfirmed;
use crate::refusal::{Reason, Refusal, unavailable};

/// The most waiting mints that are carried out in one turn.
const CARRIED_OUT_MAX: u32 = 100;
/// The most mints that are left alone because they can never be carried out; they end by themselves.
const HOPELESS_MAX: usize = 10_000;
/// How many mints in a row may be left without an answer before a turn ends: the ledger is away.
const UNCONFIRMED_IN_A_ROW_MAX: usize = 3;
/// How long after its time a mint is said to have waited in vain: more than the clocks of two processes may
/// differ ([`CLOCK_SKEW`](opencoin_config::CLOCK_SKEW), either way) and a command may take, in the queue and
/// in a slow database.
const IN_VAIN_AFTER: TimeDelta = TimeDelta::hours(1);
/// How long it is said of a mint that it has waited in vain.
const WAITED_KEPT_MICROS: i64 = 30 * 24 * 3600 * 1_000_000;

/// What earlier turns have learned.
#[derive(Default)]
pub(super) struct EarlierTurns(Mutex<SetAside>);

#[derive(Default, Clone)]
struct SetAside {
    /// Mints that the books have refused for good: a key that signs no more, say. A resume is told why until
    /// their time is over.
    hopeless: HashSet<TransactionReference>,
    /// Mints that were left without an answer in the last turn: others come first.
    unconfirmed: HashSet<TransactionReference>,
}

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
        let LedgerRefusal::InsufficientFunds { needed, .. } = &short else {
            return Err(short.into());
        };
        let (now, amount): (_, Amount) = (self.clock.now(), *needed);
        let (asked, expires) = (ledger_time(now), ledger_time(now + self.config.wait.get()));
        let mint = WaitingMint {
            account,
            transaction_reference,
            blinds,
            amount,
            asked,
            expires,
        };
        let refusal = match self.config.when_short {
            WhenShort::Refuse => short.into(),
            WhenShort::Delay => match self.accounts.wait(&mint, asked).await.map_err(unavailable)? {
                Ok(()) => return Ok(()),
                Err(refusal @ WaitRefusal::ReferenceConflict) => {
                    return Err(Refusal::new(Reason::ReferenceConflict, refusal.to_string()));
                }
                Err(refusal @ WaitRefusal::TooMany) => {
                    Refusal::new(Reason::InsufficientFunds, format!("{short}, and {refusal}"))
                }
            },
        };
        // One that waits already may be carried out yet, whatever is said of new ones.
        let before = self
            .accounts
            .waiting(&mint.transaction_reference)
            .await
            .map_err(unavailable)?;
        let is_same = |before: &WaitingMint| (before.account, &before.blinds) == (mint.account, &mint.blinds);
        if before.is_some_and(|before| is_same(&before) && asked < in_vain_from(&before)) {
            Ok(())
        } else {
            Err(refusal)
        }
    }

    /// Tries to carry out a mint that waits; `None` when none waits under this reference.
    ///
    /// # Errors
    /// When its time is over, or the books refuse it for another reason than too little money.
    pub(crate) async fn resume(&self, reference: &TransactionReference) -> Result<Option<Resumed>, Refusal> {
        let Some(mint) = self.accounts.waiting(reference).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let now = self.now();
        if now >= in_vain_from(&mint) {
            return Err(waited_in_vain(mint.expires));
        }
        if now >= mint.expires {
            return Ok(Some(Resumed::Waits));
        }
        match self.carry_out(mint).await? {
            Ok(_applied) => Ok(Some(Resumed::Accepted)),
            Err(LedgerRefusal::InsufficientFunds { .. }) => Ok(Some(Resumed::Waits)),
            Err(other) => Err(other.into()),
        }
    }

    /// Forgets that a mint waits, once it was accepted. Few of those that are accepted have waited, so it is
    /// looked up first.
    pub(crate) async fn stop_waiting(&self, reference: &TransactionReference) {
        if self.config.when_short == WhenShort::Refuse {
            return; // what an earlier setting has left ends by itself
        }
        if matches!(
            self.accounts.waiting(reference).await.map_err(unavailable),
            Ok(Some(_))
        ) {
            self.forget(reference).await;
        }
    }

    /// One turn of the background work: carries out mints whose accounts can pay now.
    pub(crate) async fn carry_out_payable(&self) {
        if self.config.when_short == WhenShort::Refuse {
            return;
        }
        let SetAside {
            hopeless,
            unconfirmed,
        } = self.earlier_turns.known();
        // They come first, again and again, and must not keep others from their turn.
        let set_aside = u32::try_from(hopeless.len() + unconfirmed.len()).expect("some ten thousand at most");
        let limit = CARRIED_OUT_MAX + set_aside;
        let Ok(payable) = self
            .accounts
            .payable(self.now(), limit)
            .await
            .map_err(unavailable)
        else {
            return;
        };
        let (left_alone, payable): (Vec<_>, Vec<_>) =
            payable.into_iter().partition(|mint| hopeless.contains(mint));
        let (last, mut payable): (Vec<_>, Vec<_>) =
            payable.into_iter().partition(|mint| unconfirmed.contains(mint));
        payable.extend(last);
        payable.truncate(CARRIED_OUT_MAX as usize);
        let mut learned = SetAside {
            hopeless: left_alone.into_iter().collect(),
            unconfirmed: HashSet::new(),
        };
        let mut in_a_row = 0;
        for reference in payable {
            match self.carry_out_if_it_waits(&reference).await {
                Ok(Ok(())) => in_a_row = 0,
                Ok(Err(refusal)) => {
                    tracing::warn!(%refusal, "a mint that waited for money cannot be carried out any more");
                    learned.hopeless.insert(reference);
                    in_a_row = 0;
                }
                // It is tried again. Where it is this one that the ledger chokes on, it must not keep others
                // from their turn.
                Err(_unavailable) => {
                    learned.unconfirmed.insert(reference);
                    in_a_row += 1;
                    if in_a_row == UNCONFIRMED_IN_A_ROW_MAX {
                        break;
                    }
                }
            }
        }
        self.earlier_turns.set(learned);
    }

    /// Deletes what is over: sessions, counts of wrong passwords, mints that have waited in vain a month ago.
    pub(crate) async fn tidy(&self) {
        let now = self.now();
        let waited_before =
            LedgerTime::from_unix_micros(now.unix_micros().saturating_sub(WAITED_KEPT_MICROS));
        // What cannot be done now is done next time; the log says why.
        let _ = self.accounts.tidy(now, waited_before).await.map_err(unavailable);
    }

    /// Carries out a mint that was found a while ago: by now it may be done, or its time over, or the money
    /// gone.
    async fn carry_out_if_it_waits(
        &self,
        reference: &TransactionReference,
    ) -> Result<Result<(), LedgerRefusal>, Refusal> {
        let mint = self.accounts.waiting(reference).await.map_err(unavailable)?;
        let Some(mint) = mint.filter(|mint| self.now() < mint.expires) else {
            return Ok(Ok(()));
        };
        match self.carry_out(mint).await? {
            Ok(_) | Err(LedgerRefusal::InsufficientFunds { .. }) => Ok(Ok(())),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn carry_out(&self, mint: WaitingMint) -> Result<Result<Applied, LedgerRefusal>, Refusal> {
        let WaitingMint {
            account,
            transaction_reference,
            blinds,
            ..
        } = mint;
        let reference = transaction_reference.clone();
        let command = Command::Mint {
            account,
            transaction_reference,
            blinds,
            at: self.now(),
        };
        let outcome = self
            .committer
            .apply(command)
            .await
            .map_err(|Unconfirmed| Refusal::unavailable())?;
        if outcome.is_ok() {
            self.forget(&reference).await;
        }
        Ok(outcome)
    }

    /// A mint that is accepted is so, whatever is remembered of its waiting; that ends by itself.
    async fn forget(&self, reference: &TransactionReference) {
        let _ = self.accounts.stop_waiting(reference).await.map_err(unavailable); // the log says why
    }
}

impl EarlierTurns {
    fn known(&self) -> SetAside {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, mut learned: SetAside) {
        if learned.hopeless.len() > HOPELESS_MAX {
            learned.hopeless.clear(); // they are tried again
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = learned;
    }
}

/// From when it may be said that the mint has waited in vain.
fn in_vain_from(mint: &WaitingMint) -> LedgerTime {
    let after = IN_VAIN_AFTER
        .num_microseconds()
        .expect("an hour has not too many");
    LedgerTime::from_unix_micros(mint.expires.unix_micros().saturating_add(after))
}

fn waited_in_vain(expired: LedgerTime) -> Refusal {
    let expired = DateTime::from_timestamp_micros(expired.unix_micros()).unwrap_or_default();
    let description = format!(
        "the account had too little money until {}; nothing was taken",
        expired.format("%Y-%m-%dT%H:%M:%SZ")
    );
    Refusal::new(Reason::InsufficientFunds, description)
}
