//! Accounts that belong to keys, as their holders use them: introductions, payments, and what proves them.
//!
//! The holder of such an account has no token. Each order is signed, and everybody can read it in the public log. Here the
//! signatures, challenges and proofs of work are checked; everything that depends on the books or the time is decided by
//! the ledger.

mod authorization;
mod list;
mod payments;
mod statements;

pub use authorization::Authorization;
pub(super) use authorization::Party;
pub use list::KeyAccountList;

use chrono::TimeDelta;
use opencoin_api::{IntroduceKey, KeyAccount, KeyChallenge, LoggedKeyAccount};
use opencoin_keys::ledger_time;
use opencoin_ledger::{AccountId, Command, KeyAccountStatus};
use opencoin_log::key_account::{AccountKey, Introduction, WORK_BITS};

use super::{Answered, Issuer};
use crate::log::IssuerLog;
use crate::refusal::{Reason, Refusal, unavailable};

/// How long a challenge counts.
const CHALLENGE_LIFETIME: TimeDelta = TimeDelta::minutes(10);

impl Issuer {
    /// A challenge for the introduction of a key.
    ///
    /// # Errors
    /// When the text is not a key that an account can have, or the currency has no log.
    pub fn key_challenge(&self, key: &str) -> Result<KeyChallenge, Refusal> {
        let (log, key) = (self.key_log()?, statements::account_key("key", key)?);
        let expires = ledger_time(self.clock.now() + CHALLENGE_LIFETIME).unix_seconds();
        Ok(KeyChallenge {
            bits: WORK_BITS,
            challenge: log.challenges().challenge(key, expires).to_string(),
            domain: log.origin().to_owned(),
            expires,
        })
    }

    /// Opens the account of a key. The same key again gets the same answer.
    ///
    /// # Errors
    /// When the challenge or the proof of work is wrong.
    pub async fn introduce_key(&self, request: &IntroduceKey) -> Result<Answered<AccountKey>, Refusal> {
        let (log, introduction) = (self.key_log()?, statements::introduction(request)?);
        let Introduction { challenge, key, .. } = introduction;
        if !log.challenges().has_made(challenge, key) {
            return Err(Refusal::new(
                Reason::WrongChallenge,
                "this issuer has not made this challenge for this key; ask for one with GET /v1/key-accounts/challenge",
            ));
        }
        if !introduction.has_work(log.origin()) {
            return Err(Refusal::new(
                Reason::NoProofOfWork,
                format!(
                    "the hash of the proof of work does not begin with {WORK_BITS} zero bits; find another nonce"
                ),
            ));
        }
        let at = ledger_time(self.clock.now());
        let introduction = Box::new(introduction);
        let (_, promise) = self.commit(Command::IntroduceKey { introduction, at }).await?;
        Ok(Answered { answer: key, promise })
    }

    /// The account of a key, as in the books and as the published log has it.
    ///
    /// # Errors
    /// When the key has no account.
    pub async fn key_account(&self, key: &str) -> Result<KeyAccount, Refusal> {
        let (log, key) = (self.key_log()?, statements::account_key("key", key)?);
        let status = self.key_account_status("key", key).await?;
        let logged = log.logged_account(&key).await.map_err(unavailable)?;
        self.books.ledger.make_durable().await.map_err(unavailable)?;
        Ok(KeyAccount {
            balance: status.balance.units(),
            credits: status.credits,
            key: key.to_string(),
            logged: logged.map(|logged| LoggedKeyAccount {
                balance: logged.account.balance,
                batch_leaf: statements::base64(&logged.batch.leaf),
                count: logged.proof.count,
                index: logged.proof.index,
                path: logged.proof.path.iter().map(|hash| hash.to_base64()).collect(),
                proof: logged.batch.proof,
                seq: logged.account.seq,
            }),
            seq: status.seq,
        })
    }

    /// The account of a key in the books. `field` names the key in the request.
    pub(crate) async fn key_account_status(
        &self,
        field: &str,
        key: AccountKey,
    ) -> Result<KeyAccountStatus, Refusal> {
        let found = self.books.accounts.key_account(&key).await.map_err(unavailable)?;
        found.ok_or_else(|| statements::unknown_key(field, key))
    }

    pub(crate) async fn key_account_id(&self, field: &str, key: AccountKey) -> Result<AccountId, Refusal> {
        Ok(self.key_account_status(field, key).await?.id)
    }

    /// The public log, without which no account belongs to a key.
    pub(crate) fn key_log(&self) -> Result<&IssuerLog, Refusal> {
        let missing = || {
            Refusal::new(
                Reason::NotFound,
                "this currency has no public log, so no account belongs to a key",
            )
        };
        self.log.as_ref().ok_or_else(missing)
    }
}
