//! The operator's changes to the books as a whole: pausing signing, revoking mint keys, pruning expired ones; and the
//! record of what operators do. [`Cashier`](crate::Cashier) is for accounts.

use std::sync::Arc;

use opencoin_keys::{
    CertifiedMintKey, Change, Clock, Currency, SigningRequest, ledger_time, register_command,
};
use opencoin_ledger::{
    Action, ActionDetail, ActionFilter, ActionKind, ActionSubject, Amount, Applied, Command, Consent, Effect,
    Ledger, LedgerError, MintKeyId, MintKeyStatus, OperatorCommand, OperatorName, Operators, RecordedAction,
    Refusal, StopReason,
};
use thiserror::Error;

use crate::refusal::{Refusal as RequestRefusal, unavailable};
use crate::store::Books;

/// How many rows of a pruned mint key one transaction deletes, which takes some ten milliseconds.
const FORGOTTEN_ROWS_MAX: u32 = 10_000;

/// What actions that change mint keys are about.
pub(crate) const MINT_KEYS: &str = "mint keys";

/// Among how many of the newest actions on a subject one is looked for that shall not be recorded twice.
const NEWEST_ACTIONS: u32 = 50;

/// Changes the books for an operator.
pub struct Operator {
    ledger: Arc<dyn Ledger>,
    operators: Arc<dyn Operators>,
    clock: Arc<dyn Clock>,
    pub(crate) name: OperatorName,
}

/// A pruned mint key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedMintKey {
    /// Its id.
    pub id: MintKeyId,
    /// The value of each of its coins.
    pub denomination: Amount,
    /// Rows of spent coins that were deleted.
    pub rows_dropped: u64,
    /// Coins that were never returned. The books keep them as outstanding; the operator's accounting writes them
    /// off.
    pub coins_outstanding: u64,
}

/// Why an operator's change failed.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<OperatorError> for RequestRefusal {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Ledger(error) => unavailable(error),
            OperatorError::Refused(refusal) => refusal.into(),
        }
    }
}

/// What is recorded of a request for the master key.
fn request_detail(request: &SigningRequest) -> String {
    format!("request {} for the master key", request.fingerprint())
}

impl Operator {
    /// Changes these books for the operator with this name.
    #[must_use]
    pub fn new(books: impl Into<Books>, clock: Arc<dyn Clock>, name: OperatorName) -> Self {
        let Books {
            ledger, operators, ..
        } = books.into();
        Self {
            ledger,
            operators,
            clock,
            name,
        }
    }

    /// Records something that the operator has done outside of the books.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn record(
        &self,
        kind: ActionKind,
        subject: &str,
        detail: Option<&str>,
    ) -> Result<(), OperatorError> {
        let action = Action {
            detail: detail.map(ActionDetail::new),
            ..self.action(kind, subject)
        };
        Ok(self.operators.record(&action).await?)
    }

    /// Records what the operator is about to do outside of the books, before anything changes. A repetition is not recorded
    /// again.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn record_intent(
        &self,
        kind: ActionKind,
        subject: &str,
        detail: &str,
    ) -> Result<(), OperatorError> {
        let is_own = |action: &RecordedAction| action.operator == self.name;
        self.record_unless(kind, subject, detail, is_own).await
    }

    /// Records that a request waits for the master key, unless it is known who made it.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn record_request(&self, request: &SigningRequest) -> Result<(), OperatorError> {
        let kind = match request.cdd {
            Some(_) => ActionKind::ChangeDescription,
            None => ActionKind::RotateKeys,
        };
        self.record_unless(kind, MINT_KEYS, &request_detail(request), |_| true)
            .await
    }

    /// Records that the operator lets the master key sign this request, before it does.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn record_signing(&self, request: &SigningRequest) -> Result<(), OperatorError> {
        let kind = match request.cdd {
            Some(_) => ActionKind::ChangeDescription,
            None => ActionKind::RotateKeys,
        };
        let detail = format!("request {} certified", request.fingerprint());
        self.record_intent(kind, MINT_KEYS, &detail).await
    }

    /// Records an action, unless the newest ones have it already, from an operator for whom that counts.
    async fn record_unless(
        &self,
        kind: ActionKind,
        subject: &str,
        detail: &str,
        counts: impl Fn(&RecordedAction) -> bool,
    ) -> Result<(), OperatorError> {
        let filter = ActionFilter::Of(ActionSubject::new(subject));
        let newest = self.operators.actions(filter, None, NEWEST_ACTIONS).await?;
        let wanted = Some(ActionDetail::new(detail));
        let is_same =
            |action: &RecordedAction| action.kind == kind.word() && action.detail == wanted && counts(action);
        if newest.iter().any(is_same) {
            return Ok(());
        }
        self.record(kind, subject, Some(detail)).await
    }

    /// Records that keys or a description were made, or wait for the master key. Nothing is recorded if nothing was due.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn record_change(&self, kind: ActionKind, change: &Change) -> Result<(), OperatorError> {
        let detail = match change {
            Change::Nothing => return Ok(()),
            Change::Waits(request) => request_detail(request),
            Change::Done(imported) => format!("{} new keys", imported.certificates.mkcs.len()),
        };
        self.record(kind, MINT_KEYS, Some(&detail)).await
    }

    fn action(&self, kind: ActionKind, subject: &str) -> Action {
        Action {
            operator: self.name.clone(),
            kind,
            subject: ActionSubject::new(subject),
            amount: None,
            detail: None,
            at: ledger_time(self.clock.now()),
        }
    }

    /// Pauses or resumes signing, for every process at this ledger. Returns whether that changed anything.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn set_signing_paused(&self, paused: bool) -> Result<bool, OperatorError> {
        if self.ledger.signing_paused().await? == paused {
            return Ok(false);
        }
        let kind = if paused {
            ActionKind::PauseSigning
        } else {
            ActionKind::ResumeSigning
        };
        let action = self.action(kind, "signing");
        let at = action.at;
        let applied = self
            .apply(Command::SetSigningPaused { paused, at }, action)
            .await?;
        Ok(!applied.repeated)
    }

    /// Enters a mint key in books that do not have it yet, so that it can be stopped: a server would enter it in a while, and
    /// it could sign from then on. Returns whether the books have it; they never get one that came too late for the public log.
    ///
    /// Books without any key stay so, and do not have it, because the log of a currency begins with all of its first keys.
    ///
    /// # Errors
    /// When the ledger fails, or has a key with this id and other terms.
    pub async fn enter(&self, currency: &Currency, key: &CertifiedMintKey) -> Result<bool, OperatorError> {
        let (known, now) = (self.ledger.mint_keys().await?, self.clock.now());
        if known.is_empty() || currency.is_left_out(key, &known, now) {
            return Ok(false);
        }
        if known.iter().all(|status| status.id != key.ledger_id) {
            let register = register_command(key, ledger_time(now));
            for outcome in self.ledger.apply(&[register]).await? {
                outcome?;
            }
        }
        Ok(true)
    }

    /// Stops a mint key permanently, for every process at this ledger: it signs nothing more and its coins are
    /// refused. Returns whether that changed anything.
    ///
    /// # Errors
    /// When there is no such key, or the ledger fails.
    pub async fn revoke(&self, id: MintKeyId, reason: StopReason) -> Result<bool, OperatorError> {
        let action = Action {
            detail: Some(ActionDetail::new(reason.as_str())),
            ..self.action(ActionKind::RevokeKey, &id.to_string())
        };
        let at = action.at;
        let stop = Command::StopMintKey { id, reason, at };
        Ok(!self.apply(stop, action).await?.repeated)
    }

    /// The mint keys that can be pruned: their coins have expired, and they have not been pruned yet.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn prunable_mint_keys(&self) -> Result<Vec<MintKeyStatus>, OperatorError> {
        let at = ledger_time(self.clock.now());
        let mut keys = self.ledger.mint_keys().await?;
        keys.retain(|key| !key.pruned && !key.terms.accepts_coins_at(at));
        Ok(keys)
    }

    /// Deletes the spent coins of one mint key: a short transaction marks the key as pruned, then its coins are
    /// deleted in portions. An interruption leaves unused rows, with which an audit still holds;
    /// [`Self::finish_prunes`] deletes them.
    ///
    /// # Errors
    /// When the key's coins have not expired, the ledger fails, or the number of its spent coins differs from the
    /// ledger's count. Nothing is deleted then.
    pub async fn prune(&self, key: &MintKeyStatus) -> Result<PrunedMintKey, OperatorError> {
        let (id, denomination) = (key.id, key.terms.denomination());
        self.ledger.check_coins(id).await?;
        let action = self.action(ActionKind::PruneKey, &id.to_string());
        let at = action.at;
        let Effect::MintKeyPruned {
            forgotten,
            outstanding,
        } = self.apply(Command::PruneMintKey { id, at }, action).await?.effect
        else {
            unreachable!("the effect is that of the command");
        };
        self.forget_rows(id).await?;
        Ok(PrunedMintKey {
            id,
            denomination,
            rows_dropped: forgotten,
            coins_outstanding: outstanding,
        })
    }

    /// Deletes the rows that interrupted prunes have left, and returns their number.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn finish_prunes(&self) -> Result<u64, OperatorError> {
        let mut rows = 0;
        for key in self.ledger.mint_keys().await?.iter().filter(|key| key.pruned) {
            rows += self.forget_rows(key.id).await?;
        }
        Ok(rows)
    }

    async fn forget_rows(&self, id: MintKeyId) -> Result<u64, OperatorError> {
        let mut rows = 0;
        loop {
            match self.ledger.forget_rows(id, FORGOTTEN_ROWS_MAX).await? {
                0 => return Ok(rows),
                portion => rows += portion,
            }
        }
    }

    async fn apply(&self, command: Command, action: Action) -> Result<Applied, OperatorError> {
        let command = OperatorCommand {
            command,
            action,
            consent: Consent::NotNeeded,
        };
        let outcomes = self.ledger.apply_for_operator(&[command]).await?;
        Ok(outcomes
            .into_iter()
            .next()
            .expect("the ledger answers every command")?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use chrono::{DateTime, Utc};
    use opencoin_audit::AuditSource;
    use opencoin_ledger::{
        AccountId, Blind, CoinIn, LedgerTime, MemoryLedger, MintKeyTerms, Reference, SpentDigest, TokenHash,
        TransactionReference, register_uncertified_mint_key,
    };

    use super::*;

    const NOW: i64 = 150;
    const EXPIRY: i64 = 300;

    struct TestClock(AtomicI64);

    impl Clock for TestClock {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    fn id(key: u8) -> MintKeyId {
        MintKeyId::new([key; 20])
    }

    fn register(key: u8, expiry: i64) -> Command {
        let [from, to, expiry] = [0, NOW, expiry].map(LedgerTime::from_unix_micros);
        let terms = MintKeyTerms::new(Amount::new(key.into()).unwrap(), from, to, expiry).unwrap();
        register_uncertified_mint_key(id(key), terms, from)
    }

    /// Mints three coins of a key and redeems one.
    fn coins_of(key: u8) -> [Command; 2] {
        let at = LedgerTime::from_unix_micros(NOW);
        let blind = |no: u8| Blind {
            reference: no.to_string(),
            mint_key: id(key),
            blinded: vec![no],
        };
        let (account, transaction_reference) =
            (AccountId::FIRST_HOLDER, TransactionReference::new([key]).unwrap());
        let coin = CoinIn {
            mint_key: id(key),
            spent_digest: SpentDigest::new([key; 32]),
        };
        [
            Command::Mint {
                account,
                transaction_reference,
                blinds: [1, 2, 3].map(blind).to_vec(),
                payment: None,
                wait_until: None,
                at,
            },
            Command::Redeem {
                account,
                coins: vec![coin],
                at,
            },
        ]
    }

    #[tokio::test]
    async fn every_expired_key_is_pruned_once_and_the_audit_holds() {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let ledger = Arc::new(MemoryLedger::new());
        let operator = Operator::new(
            Arc::clone(&ledger),
            Arc::clone(&clock) as Arc<dyn Clock>,
            OperatorName::command_line(),
        );
        let at = LedgerTime::from_unix_micros(NOW);
        let open = Command::OpenAccount {
            name: "alice".parse().unwrap(),
            token_hash: Some(TokenHash::new([7; 32])),
            password: None,
            at,
        };
        let credit = Command::Credit {
            account: AccountId::FIRST_HOLDER,
            amount: Amount::new(100).unwrap(),
            reference: Reference::new("opening").unwrap(),
            at,
        };
        let mut batch = vec![open, credit];
        batch.extend([register(1, EXPIRY), register(2, EXPIRY + 1), register(5, EXPIRY)]);
        batch.extend([1, 2, 5].into_iter().flat_map(coins_of));
        assert!(ledger.apply(&batch).await.unwrap().iter().all(Result::is_ok));

        clock.0.store(EXPIRY, Ordering::Relaxed);
        assert_eq!(operator.prunable_mint_keys().await.unwrap(), []);
        let early = &ledger.mint_keys().await.unwrap()[0];
        let refused = operator.prune(early).await.unwrap_err();
        assert!(
            matches!(refused, OperatorError::Refused(Refusal::CoinsNotExpired { mint_key }) if mint_key == id(1))
        );

        clock.0.store(EXPIRY + 1, Ordering::Relaxed);
        let keys = operator.prunable_mint_keys().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [id(1), id(5)]);
        for key in &keys {
            let denomination = key.terms.denomination();
            let expected = PrunedMintKey {
                id: key.id,
                denomination,
                rows_dropped: 1,
                coins_outstanding: 2,
            };
            assert_eq!(operator.prune(key).await.unwrap(), expected);
        }
        assert_eq!(operator.prunable_mint_keys().await.unwrap(), []);
        let report = opencoin_audit::check(&ledger.audit_facts().await.unwrap());
        assert!(report.holds(), "{report:#?}");
    }
}
