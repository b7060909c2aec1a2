//! Lines that are assigned to accounts: at once, as a proposal, or by carrying one out.

use opencoin_bank::BankLineId;
use opencoin_ledger::bank::{BankLineState, LineAccount, LineMeaning, LineOutcome};
use opencoin_ledger::{Action, Consent, Proposal, ProposalNo, ProposalVerdict, line_consent};

use super::claims::{decided, line};
use super::rows::kept;
use crate::actions::record;
use crate::proposals;
use crate::{Executor, SqlError};

pub(super) async fn claim(
    sql: &mut dyn Executor,
    id: BankLineId,
    account: &LineAccount,
    action: &Action,
    consent: Consent,
) -> Result<LineOutcome, SqlError> {
    match consent {
        Consent::NotNeeded => line(sql, id, &BankLineState::Claimed(account.clone()), action).await,
        Consent::Needed => propose(sql, id, account, action).await,
        Consent::Given(no) => carry_out(sql, id, account, action, no).await,
    }
}

async fn propose(
    sql: &mut dyn Executor,
    id: BankLineId,
    account: &LineAccount,
    action: &Action,
) -> Result<LineOutcome, SqlError> {
    let Some(kept) = kept(sql, id).await? else {
        return Ok(LineOutcome::Unknown);
    };
    if kept.state != BankLineState::Unmatched {
        return Ok(decided(kept, &BankLineState::Claimed(account.clone())));
    }
    let LineMeaning::Incoming(incoming) = &kept.line.meaning else {
        unreachable!("only incoming money is kept");
    };
    let no = proposals::last(sql).await?.next();
    let proposal = Proposal::of_line(no, (id, account.clone(), incoming.amount), action);
    if let Some(waiting) = proposals::waiting(sql, &proposal.proposed.reference()).await? {
        return Ok(proposal.beside(&waiting));
    }
    proposals::insert(sql, &proposal).await?;
    record(sql, action).await?;
    Ok(LineOutcome::Proposed(no))
}

/// The row of the proposal is locked first, then that of the line. If the line was decided in another way meanwhile, the
/// proposal waits on.
async fn carry_out(
    sql: &mut dyn Executor,
    id: BankLineId,
    account: &LineAccount,
    action: &Action,
    no: ProposalNo,
) -> Result<LineOutcome, SqlError> {
    let proposal = proposals::locked(sql, no).await?;
    match line_consent(proposal.as_ref(), (id, account.id), action) {
        Err(refusal) => return Ok(LineOutcome::Refused(refusal)),
        Ok(true) => return Ok(LineOutcome::Repeated),
        Ok(false) => {}
    }
    let outcome = line(sql, id, &BankLineState::Claimed(account.clone()), action).await?;
    if matches!(outcome, LineOutcome::Changed | LineOutcome::Repeated) {
        proposals::write_verdict(sql, no, &ProposalVerdict::carried_out(action)).await?;
    }
    Ok(outcome)
}
