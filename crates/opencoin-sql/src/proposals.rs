//! The rows of `proposals`: operations of operators that wait for a second one.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredProposal};
use opencoin_ledger::{
    Action, DeclineOutcome, LedgerError, LedgerTime, OperatorName, Proposal, ProposalFilter, ProposalNo,
    ProposalVerdict, Reference, Touches, View, WaitingProposals,
};

use crate::actions::record;
use crate::{Executor, Row, SqlError, Value};

const COLUMNS: &str =
    "p.no, p.kind, p.account, a.name, p.amount, p.payout, p.line, p.text, p.operator, p.at, p.carried_out,
    p.decided_by, p.decided_at";

fn select(condition: &str) -> String {
    format!("SELECT {COLUMNS} FROM proposals p JOIN accounts a ON a.id = p.account WHERE {condition}")
}

fn proposal(row: &mut Row) -> Result<Proposal, SqlError> {
    Ok(stored::proposal(StoredProposal {
        no: row.take()?,
        kind: row.take()?,
        account: row.take()?,
        name: row.take()?,
        amount: row.take()?,
        payout: row.take()?,
        line: row.take()?,
        text: row.take()?,
        operator: row.take()?,
        at: row.take()?,
        carried_out: row.take()?,
        decided_by: row.take()?,
        decided_at: row.take()?,
    })?)
}

/// Locks and loads the proposals that a batch touches. It comes before all other locks of the batch.
///
/// # Errors
/// The database does not answer, or a row makes no sense.
pub async fn load_proposals(
    sql: &mut dyn Executor,
    touches: &Touches,
    view: &mut View,
) -> Result<(), SqlError> {
    for no in &touches.proposals {
        if let Some(found) = locked(sql, *no).await? {
            view.load_proposal(found);
        }
    }
    for reference in &touches.proposed {
        if let Some(found) = waiting(sql, reference).await? {
            view.load_proposal(found);
        }
    }
    if !touches.proposed.is_empty() {
        view.load_last_proposal(last(sql).await?);
    }
    Ok(())
}

/// The number that was given last.
pub(crate) async fn last(sql: &mut dyn Executor) -> Result<ProposalNo, SqlError> {
    let query = format!(
        "SELECT {}(coalesce((SELECT max(no) FROM proposals), 0), (SELECT max(numbers_above) FROM histories))",
        sql.dialect().greatest
    );
    Ok(ProposalNo::new(sql.one(&query, &[], Row::take).await?))
}

/// Reads a proposal and locks it until the end of the transaction.
pub(crate) async fn locked(sql: &mut dyn Executor, no: ProposalNo) -> Result<Option<Proposal>, SqlError> {
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT no FROM proposals WHERE no = $1 {for_update}");
    let found: Option<i64> = sql.optional(&query, &[no.get().into()], Row::take).await?;
    match found {
        Some(_) => by_no(sql, no).await,
        None => Ok(None),
    }
}

/// The proposal of an operation that waits. Two that begin to wait at the same time violate an index, and one of the
/// transactions is tried again.
pub(crate) async fn waiting(
    sql: &mut dyn Executor,
    reference: &ReferenceKey,
) -> Result<Option<Proposal>, SqlError> {
    let query = select("p.reference = $1 AND p.carried_out IS NULL");
    sql.optional(&query, &[reference.as_bytes().into()], proposal)
        .await
}

pub(crate) async fn by_no(sql: &mut dyn Executor, no: ProposalNo) -> Result<Option<Proposal>, SqlError> {
    sql.optional(&select("p.no = $1"), &[no.get().into()], proposal)
        .await
}

pub(crate) async fn page(
    sql: &mut dyn Executor,
    filter: ProposalFilter,
    after: ProposalNo,
    limit: u32,
) -> Result<Vec<Proposal>, SqlError> {
    let query = match filter {
        ProposalFilter::All => select("p.no > $1 ORDER BY p.no LIMIT $2"),
        ProposalFilter::Waiting => select("p.no > $1 AND p.carried_out IS NULL ORDER BY p.no LIMIT $2"),
    };
    sql.all(&query, &[after.get().into(), i64::from(limit).into()], proposal)
        .await
}

pub(crate) async fn count_for(
    sql: &mut dyn Executor,
    operator: &OperatorName,
) -> Result<WaitingProposals, SqlError> {
    let query = "SELECT count(*), min(at) FROM proposals WHERE carried_out IS NULL AND operator <> $1";
    let waiting = |row: &mut Row| {
        let count: i64 = row.take()?;
        let oldest: Option<i64> = row.take()?;
        Ok(WaitingProposals {
            count: u64::try_from(count).expect("a count is not below zero"),
            oldest: oldest.map(LedgerTime::from_unix_micros),
        })
    };
    sql.one(query, &[operator.as_str().into()], waiting).await
}

/// Writes what a batch has proposed and carried out.
///
/// # Errors
/// The database does not answer, or another process proposes at the same time.
pub async fn save_proposals(
    sql: &mut dyn Executor,
    proposed: &[Proposal],
    decided: &[Proposal],
) -> Result<(), SqlError> {
    for proposal in proposed {
        insert(sql, proposal).await?;
    }
    for proposal in proposed.iter().chain(decided) {
        if let Some(verdict) = &proposal.verdict {
            write_verdict(sql, proposal.no, verdict).await?;
        }
    }
    Ok(())
}

/// Inserts a proposal that waits.
pub(crate) async fn insert(sql: &mut dyn Executor, proposal: &Proposal) -> Result<(), SqlError> {
    let query = "INSERT INTO proposals
            (no, reference, kind, account, amount, payout, line, text, operator, at, carried_out, decided_by, decided_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, NULL)";
    let reference = proposal.proposed.reference();
    let line = proposal.proposed.line();
    let values = [
        proposal.no.get().into(),
        reference.as_bytes().into(),
        i64::from(proposal.proposed.kind().code()).into(),
        proposal.account.id.get().into(),
        proposal.amount.as_i64().into(),
        proposal.proposed.payout().map(|payout| payout.get()).into(),
        Value::Bytes(line.as_ref().map(|line| &line.as_bytes()[..])),
        proposal.proposed.text().map(Reference::as_str).into(),
        proposal.operator.as_str().into(),
        proposal.at.unix_micros().into(),
    ];
    sql.execute(query, &values).await?;
    Ok(())
}

/// Writes the verdict of a proposal whose row this transaction has locked.
pub(crate) async fn write_verdict(
    sql: &mut dyn Executor,
    no: ProposalNo,
    verdict: &ProposalVerdict,
) -> Result<(), SqlError> {
    let query = "UPDATE proposals SET carried_out = $2, decided_by = $3, decided_at = $4
        WHERE no = $1 AND carried_out IS NULL";
    let values = [
        no.get().into(),
        verdict.carried_out.into(),
        verdict.operator.as_str().into(),
        verdict.at.unix_micros().into(),
    ];
    if sql.execute(query, &values).await? == 1 {
        Ok(())
    } else {
        let place = format!("proposal {}", no.get());
        Err(LedgerError::corrupt(place, "a row that this transaction locked was decided").into())
    }
}

pub(crate) async fn decline(
    sql: &mut dyn Executor,
    no: ProposalNo,
    action: &Action,
) -> Result<DeclineOutcome, SqlError> {
    let Some(proposal) = locked(sql, no).await? else {
        return Ok(DeclineOutcome::Unknown);
    };
    match proposal.verdict {
        Some(verdict) if verdict.carried_out => Ok(DeclineOutcome::CarriedOut),
        Some(_) => Ok(DeclineOutcome::Repeated),
        None => {
            write_verdict(sql, no, &ProposalVerdict::declined(action)).await?;
            record(sql, action).await?;
            Ok(DeclineOutcome::Declined)
        }
    }
}
