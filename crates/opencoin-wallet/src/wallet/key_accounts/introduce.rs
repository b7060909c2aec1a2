//! The introduction of a key: the issuer opens its account for a proof of work.

use opencoin_log::key_account::{AccountKey, Introduction, WORK_BITS};
use opencoin_schema::BigInt;
use rand::RngCore;

use super::Wallet;
use crate::client::ExchangeError;
use crate::error::WalletError;
use crate::key_account::records::{KeyEvent, OwnIntroduction};
use crate::key_requests::{self, is_refused_for_good};
use crate::refusal::word::{CHALLENGE_EXPIRED, WRONG_CHALLENGE};

/// Called with the number of attempts at the proof of work. It takes 2^20 of them on average.
pub type OnAttempts<'call> = &'call mut (dyn FnMut(u64) + Send);

/// The attempts between two reports, some ten milliseconds.
const ATTEMPTS_AT_ONCE: u64 = 1 << 15;
/// How often a new challenge is worked on because the old one was refused.
const CHALLENGES_MAX: usize = 3;

impl Wallet {
    /// Introduces a key, so that it has an account. Does nothing if it has one already. After a lost answer, a later call
    /// sends the same introduction again.
    ///
    /// # Errors
    /// The wallet has no such key, or the issuer refuses or does not answer.
    pub async fn introduce_key(
        &mut self,
        key: &AccountKey,
        attempts: OnAttempts<'_>,
    ) -> Result<(), WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        self.refresh_if_old(&id).await?;
        self.require_log(&id)?;
        for round in 1.. {
            let own = &self.state.keys[&no];
            if own.is_open {
                return Ok(());
            }
            if own.introduction.is_none() {
                if self.was_introduced(&id, no).await? {
                    return Ok(());
                }
                let introduction = self.work(&id, key, attempts).await?;
                let introduction = OwnIntroduction {
                    id: self.state.next_id(),
                    introduction,
                    at: self.now,
                };
                self.record_key(KeyEvent::Introducing { no, introduction })?;
            }
            match self.send_introduction(no).await {
                Err(WalletError::Exchange(refused))
                    if round < CHALLENGES_MAX
                        && refused.is_refused_with(&[CHALLENGE_EXPIRED, WRONG_CHALLENGE]) => {}
                sent => return sent,
            }
        }
        unreachable!("the last round returns")
    }

    /// Sends the introduction of a key, which is on the disk.
    pub(super) async fn send_introduction(&mut self, no: u64) -> Result<(), WalletError> {
        let own = &self.state.keys[&no];
        let (id, Some(introduction)) = (own.currency.clone(), own.introduction.clone()) else {
            return Ok(());
        };
        let services = self.currency(&id)?.info_services();
        let sent = key_requests::introduce(&self.transport, &services, &introduction.introduction).await;
        let promise = match sent {
            Ok(promise) => promise,
            Err(refused) if is_refused_for_good(&refused) => {
                let why = refused.to_string();
                self.record_key(KeyEvent::NotIntroduced { no, why })?;
                return Err(refused.into());
            }
            Err(error) => return Err(error.into()),
        };
        let leaf = introduction.leaf();
        let fault = self
            .take_statement_promise(&id, introduction.id, &leaf, promise.as_ref())
            .await?;
        self.record_key(KeyEvent::Open { no })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Asks whether the key has an account already: a restored wallet may not have found one of the last minutes. A second
    /// introduction would not be in the log.
    async fn was_introduced(&mut self, id: &BigInt, no: u64) -> Result<bool, WalletError> {
        let (services, key) = (self.currency(id)?.info_services(), self.state.keys[&no].key);
        let Some(books) = key_requests::books(&self.transport, &services, &key).await? else {
            return Ok(false);
        };
        let accepted = books.seq;
        self.record_key(KeyEvent::Counted { no, accepted })?;
        self.record_key(KeyEvent::Open { no })?;
        Ok(true)
    }

    async fn work(
        &mut self,
        id: &BigInt,
        key: &AccountKey,
        attempts: OnAttempts<'_>,
    ) -> Result<Introduction, WalletError> {
        let services = self.currency(id)?.info_services();
        let asked = key_requests::challenge(&self.transport, &services, key).await?;
        let origin = self.require_log(id)?.origin().as_str().to_owned();
        let wrong = |what: &str| ExchangeError::NotSent(format!("the issuer asks for {what}"));
        if asked.domain != origin {
            return Err(wrong("an introduction to another log").into());
        }
        if asked.bits != WORK_BITS {
            return Err(wrong("another amount of work than this program does").into());
        }
        let mut nonce = self.rng.next_u64();
        let mut done = 0;
        loop {
            if let Some(introduction) = asked.challenge.work(&origin, *key, nonce, ATTEMPTS_AT_ONCE) {
                return Ok(introduction);
            }
            nonce = nonce.wrapping_add(ATTEMPTS_AT_ONCE);
            done += ATTEMPTS_AT_ONCE;
            attempts(done);
            // So that the work can be broken off.
            tokio::task::yield_now().await;
        }
    }
}
