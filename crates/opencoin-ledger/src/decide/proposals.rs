//! Decisions on operations that need a second operator.

use super::{applied, decide_command, repeated, repetition};
use crate::bank::LineAccount;
use crate::proposal::{Proposal, ProposalVerdict, Proposed};
use crate::recovered::AssignmentWay;
use crate::{
    AccountId, Action, Amount, Command, Effect, Outcome, Prepared, ProposalNo, Refusal, Settlement, View,
};

/// Stores a command as a proposal, if it could be carried out now.
pub(super) fn propose(view: &mut View, prepared: &Prepared<'_>, action: &Action) -> Outcome {
    if let Some(outcome) = repetition(view, prepared) {
        return outcome;
    }
    let (proposed, account, amount) = proposed_by(view, prepared.command)?;
    let account = view.account(account).ok_or(Refusal::UnknownAccount)?;
    let account = LineAccount {
        id: account.id,
        name: account.name.clone(),
    };
    let proposal = Proposal {
        no: view.next_proposal(),
        proposed,
        account,
        amount,
        operator: action.operator.clone(),
        at: action.at,
        verdict: None,
    };
    if let Some(waiting) = view.waiting_proposal(&proposal.proposed.reference()) {
        return if waiting.is_same(&proposal) {
            repeated(Effect::Proposed(waiting.no))
        } else {
            Err(Refusal::OtherProposal { no: waiting.no })
        };
    }
    decide_command(&mut view.clone(), prepared)?;
    let no = proposal.no;
    view.propose(proposal);
    view.note_action(action.clone());
    applied(Effect::Proposed(no))
}

/// Carries out a proposal of another operator. If it is refused, the proposal waits on.
pub(super) fn carry_out(
    view: &mut View,
    prepared: &Prepared<'_>,
    action: &Action,
    no: ProposalNo,
) -> Outcome {
    let proposal = view.proposal(no).ok_or(Refusal::UnknownProposal)?;
    let is_decided = proposal.consent_of(&action.operator)?;
    let (proposed, account, amount) = proposed_by(view, prepared.command)?;
    if proposal.proposed != proposed || proposal.account.id != account || proposal.amount != amount {
        return Err(Refusal::ReferenceConflict);
    }
    let outcome = decide_command(view, prepared)?;
    if !is_decided {
        view.decide_proposal(no, ProposalVerdict::carried_out(action));
        // Otherwise somebody has booked it directly meanwhile.
        if !outcome.repeated {
            view.note_action(action.clone());
        }
    }
    Ok(outcome)
}

/// What a command proposes, with the account and the amount.
fn proposed_by(view: &View, command: &Command) -> Result<(Proposed, AccountId, Amount), Refusal> {
    Ok(match command {
        Command::Credit {
            account,
            amount,
            reference,
            ..
        } => (Proposed::Credit(reference.clone()), *account, *amount),
        Command::Debit {
            account,
            amount,
            reference,
            ..
        } => (Proposed::Debit(reference.clone()), *account, *amount),
        Command::AssignRecovered {
            account,
            amount,
            way,
            reference,
            ..
        } => {
            let proposed = match way {
                AssignmentWay::ToAccount => Proposed::AssignRecovered(reference.clone()),
                AssignmentWay::FromAccount => Proposed::TakeRecovered(reference.clone()),
            };
            (proposed, *account, *amount)
        }
        Command::SettlePayout {
            payout, settlement, ..
        } => {
            let state = view.payout(*payout).ok_or(Refusal::UnknownPayout)?;
            let proposed = match settlement {
                Settlement::Paid(reference) => Proposed::PayPayout(*payout, reference.clone()),
                Settlement::Failed(reason) => Proposed::FailPayout(*payout, reason.clone()),
            };
            (proposed, state.account, state.amount)
        }
        _ => unreachable!("only these commands need a second operator"),
    })
}
