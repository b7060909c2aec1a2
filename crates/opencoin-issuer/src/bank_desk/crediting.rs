//! Credits lines that are claimed for accounts, each once.

use opencoin_bank::BankLineId;
use opencoin_ledger::bank::{
    BankLineNo, BankLineState, ClaimOutcome, ClaimedLine, StatementNo, Verdict, credit_reference,
};
use opencoin_ledger::{
    Action, ActionDetail, ActionKind, ActionSubject, Command, Consent, LedgerError, LedgerTime,
    OperatorCommand, Refusal,
};

use super::BankDesk;

/// How many lines one transaction credits. A larger one would keep other payments waiting.
const CREDITED_AT_A_TIME_MAX: u32 = 500;

/// At how many lines of a page the ledger may fail before it counts as failed as a whole.
const FAILED_ALONE_MAX: usize = 8;

impl BankDesk {
    /// Credits what is claimed and not known to be credited, in the order of the numbers, and marks it. Returns the claims
    /// that were refused for good; their lines are unmatched again.
    pub(super) async fn finish(&self) -> Result<Vec<ClaimedLine>, LedgerError> {
        let (mut after, mut refused) = (BankLineNo::BEFORE_ALL, Vec::new());
        loop {
            let claims = self.store().claimed(after, CREDITED_AT_A_TIME_MAX).await?;
            let Some(last) = claims.last() else {
                return Ok(refused);
            };
            after = last.no;
            let ended = self.credited(claims).await?;
            let lost = ended
                .iter()
                .filter(|(_, outcome)| *outcome == ClaimOutcome::Refused);
            refused.extend(lost.map(|(claim, _)| claim.clone()));
            self.store().end_claims(ended, self.now()).await?;
        }
    }

    /// Credits a page of claimed lines. If the ledger fails at all of them together, one of them may be at fault, so each is
    /// tried by itself.
    async fn credited(
        &self,
        claims: Vec<ClaimedLine>,
    ) -> Result<Vec<(ClaimedLine, ClaimOutcome)>, LedgerError> {
        let error = match self.credit(claims.clone()).await {
            Ok(ended) => return Ok(ended),
            // The database is at fault, and no line.
            Err(error @ LedgerError::Unavailable(_)) => return Err(error),
            Err(error) => error,
        };
        let (mut ended, mut failed) = (Vec::new(), 0);
        for claim in claims {
            let (id, account) = (claim.id, claim.account.name.clone());
            match self.credit(vec![claim]).await {
                Ok(one) => ended.extend(one),
                Err(error) => {
                    failed += 1;
                    if failed > FAILED_ALONE_MAX {
                        return Err(error);
                    }
                    tracing::error!(line = %id, %account, %error, "the ledger fails at the credit of a line");
                }
            }
        }
        // What was credited is marked first; the same call says then what is left.
        if ended.is_empty() { Err(error) } else { Ok(ended) }
    }

    /// The lines of a statement that are claimed and not known to be credited.
    pub(super) async fn waiting(&self, no: StatementNo) -> Result<Vec<BankLineId>, LedgerError> {
        // Usually nothing waits, and the preview of a large statement takes long.
        let claims = self.store().claimed(BankLineNo::BEFORE_ALL, 1).await?;
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let preview = self.store().preview(no).await?;
        let lines = preview.into_iter().flat_map(|preview| preview.lines);
        let waiting = lines.filter_map(|line| match line.verdict {
            Verdict::Decided(BankLineState::Claimed(_)) => line.line.id(),
            _ => None,
        });
        Ok(waiting.collect())
    }

    /// Credits claimed lines in one transaction. Those that are refused only for now are left out: they stay claimed.
    async fn credit(
        &self,
        claims: Vec<ClaimedLine>,
    ) -> Result<Vec<(ClaimedLine, ClaimOutcome)>, LedgerError> {
        let at = self.now();
        let commands: Vec<_> = claims.iter().map(|claim| credit(claim, at)).collect();
        let outcomes = self.books.ledger.apply_for_operator(&commands).await?;
        let mut ended = Vec::with_capacity(claims.len());
        for (claim, outcome) in claims.into_iter().zip(outcomes) {
            match outcome {
                Ok(_) => ended.push((claim, ClaimOutcome::Credited)),
                Err(refusal) if is_for_good(&refusal) => {
                    tracing::error!(line = %claim.id, account = %claim.account.name, %refusal,
                        "a line of a bank statement was not credited; it is unmatched again");
                    ended.push((claim, ClaimOutcome::Refused));
                }
                Err(refusal) => {
                    tracing::error!(line = %claim.id, account = %claim.account.name, %refusal,
                        "a line of a bank statement was not credited yet; the next booking tries again");
                }
            }
        }
        Ok(ended)
    }
}

/// The credit of a claimed line, by whoever claimed it.
fn credit(claim: &ClaimedLine, at: LedgerTime) -> OperatorCommand {
    let reference = credit_reference(claim.id);
    let action = Action {
        operator: claim.operator.clone(),
        kind: ActionKind::Credit,
        subject: ActionSubject::new(claim.account.name.as_str()),
        amount: Some(claim.amount),
        detail: Some(ActionDetail::new(reference.as_str())),
        at,
    };
    let command = Command::Credit {
        account: claim.account.id,
        amount: claim.amount,
        reference,
        at,
    };
    OperatorCommand {
        command,
        action,
        // Whoever claimed the line had what it needs.
        consent: Consent::NotNeeded,
    }
}

/// Whether the same credit will be refused for ever.
fn is_for_good(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::AccountClosed | Refusal::ReferenceConflict | Refusal::UnknownAccount
    )
}
