//! Rules of operations that need a second operator: nothing moves before another operator consents, and then once.

use std::sync::Arc;

use opencoin_ledger::{
    AccountStatus, Action, ActionFilter, ActionKind, Command, Consent, DeclineOutcome, Effect,
    OperatorCommand, Outcome, Proposal, ProposalFilter, ProposalNo, Proposed, Refusal,
};

use crate::world::*;
use crate::{Pair, Store, World};

/// An action of the operator with this name.
pub(super) fn by(operator: &str, kind: ActionKind) -> Action {
    Action {
        operator: operator.parse().unwrap(),
        ..action(kind, "subject")
    }
}

async fn apply(ledger: &dyn Store, operator: &str, command: Command, consent: Consent) -> Outcome {
    let kind = match consent {
        Consent::Needed => ActionKind::Propose,
        Consent::NotNeeded | Consent::Given(_) => ActionKind::Credit,
    };
    let command = OperatorCommand {
        command,
        action: by(operator, kind),
        consent,
    };
    without_log(ledger.apply_for_operator(&[command]).await.unwrap()).remove(0)
}

async fn propose(ledger: &dyn Store, operator: &str, command: Command) -> Outcome {
    apply(ledger, operator, command, Consent::Needed).await
}

/// Carries out what is proposed, as it is read.
async fn consent(ledger: &dyn Store, operator: &str, no: i64) -> Outcome {
    let command = proposal(ledger, no).await.command(NOW).unwrap();
    apply(ledger, operator, command, Consent::Given(ProposalNo::new(no))).await
}

pub(super) async fn decline(ledger: &dyn Store, operator: &str, no: i64) -> DeclineOutcome {
    let declined = by(operator, ActionKind::DeclineProposal);
    let operators = ledger.operators();
    operators.decline(ProposalNo::new(no), &declined).await.unwrap()
}

pub(super) async fn proposal(ledger: &dyn Store, no: i64) -> Proposal {
    let found = ledger.operators().proposal(ProposalNo::new(no)).await;
    found.unwrap().unwrap()
}

/// The numbers of the proposals that wait.
pub(super) async fn waiting(ledger: &dyn Store) -> Vec<i64> {
    let operators = ledger.operators();
    let waiting = operators.proposals(ProposalFilter::Waiting, ProposalNo::BEFORE_ALL, 100);
    waiting
        .await
        .unwrap()
        .iter()
        .map(|proposal| proposal.no.get())
        .collect()
}

async fn recorded(ledger: &dyn Store) -> Vec<(String, String)> {
    let actions = ledger.operators().actions(ActionFilter::All, None, 1000).await;
    let mut actions = actions.unwrap();
    actions.reverse();
    let shown = actions.into_iter();
    shown
        .map(|action| (action.operator.as_str().to_owned(), action.kind))
        .collect()
}

fn proposed(no: i64) -> Effect {
    Effect::Proposed(ProposalNo::new(no))
}

/// Only another operator carries a proposal out, once, and whoever asks for the same meanwhile is told that it waits.
pub async fn a_proposal_is_carried_out_by_another_operator(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let [one, two] = [&*ledgers[0], &*ledgers[1]];
    let wanted = || credit(alice(), 90, "line 1");
    assert_eq!(propose(one, "ann", wanted()).await, new(proposed(1)));
    assert_eq!(propose(two, "ann", wanted()).await, again(proposed(1)));
    assert_eq!(propose(two, "ben", wanted()).await, again(proposed(1)));
    let other = Err(Refusal::OtherProposal {
        no: ProposalNo::new(1),
    });
    assert_eq!(propose(one, "ben", credit(alice(), 91, "line 1")).await, other);
    assert_eq!(propose(one, "ben", debit(alice(), 5, "line 1")).await, other);
    assert_eq!(world.balances().await, [10, 0]);
    let waits = proposal(two, 1).await;
    assert_eq!(waits.proposed, Proposed::Credit("line 1".parse().unwrap()));
    assert_eq!(
        (waits.account.id, waits.amount, waits.at),
        (alice(), amount(90), NOW)
    );
    assert_eq!((waits.operator.as_str(), waits.verdict), ("ann", None));
    let for_whom = async |name: &str| {
        let waiting = two
            .operators()
            .proposals_for(&name.parse().unwrap())
            .await
            .unwrap();
        (waiting.count, waiting.oldest)
    };
    assert_eq!(for_whom("ann").await, (0, None));
    assert_eq!(for_whom("ben").await, (1, Some(NOW)));

    assert_eq!(consent(one, "ann", 1).await, Err(Refusal::OwnProposal));
    let unknown = Consent::Given(ProposalNo::new(7));
    assert_eq!(
        apply(one, "ben", wanted(), unknown).await,
        Err(Refusal::UnknownProposal)
    );
    let exchanged = apply(
        one,
        "ben",
        credit(bob(), 90, "line 1"),
        Consent::Given(ProposalNo::new(1)),
    )
    .await;
    assert_eq!(exchanged, Err(Refusal::ReferenceConflict));
    assert_eq!(world.balances().await, [10, 0]);
    assert_eq!(consent(two, "ben", 1).await, new(moved(90)));
    assert_eq!(consent(one, "ben", 1).await, again(moved(90)));
    assert_eq!(consent(one, "ann", 1).await, Err(Refusal::OwnProposal));
    assert_eq!(propose(one, "ann", wanted()).await, again(moved(90)));
    assert_eq!(decline(one, "cleo", 1).await, DeclineOutcome::CarriedOut);
    assert_eq!(world.balances().await, [100, 0]);
    let verdict = proposal(one, 1).await.verdict.unwrap();
    assert_eq!((verdict.carried_out, verdict.operator.as_str()), (true, "ben"));
    assert_eq!(waiting(one).await, [0; 0]);
    let acted = |operator: &str, kind: &str| (operator.to_owned(), kind.to_owned());
    assert_eq!(
        recorded(two).await,
        [acted("ann", "propose"), acted("ben", "credit")]
    );
}

/// A declined proposal is never carried out. The same can be proposed again, under another number.
pub async fn a_declined_proposal_moves_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let [one, two] = [&*ledgers[0], &*ledgers[1]];
    let wanted = || debit(alice(), 10, "cash");
    assert_eq!(propose(one, "ann", wanted()).await, new(proposed(1)));
    assert_eq!(decline(two, "ben", 1).await, DeclineOutcome::Declined);
    assert_eq!(decline(one, "ann", 1).await, DeclineOutcome::Repeated);
    assert_eq!(decline(one, "ann", 2).await, DeclineOutcome::Unknown);
    assert_eq!(consent(one, "cleo", 1).await, Err(Refusal::ProposalDeclined));
    assert_eq!(propose(one, "ann", wanted()).await, new(proposed(2)));
    assert_eq!(decline(two, "ann", 2).await, DeclineOutcome::Declined);
    assert_eq!(propose(two, "ben", wanted()).await, new(proposed(3)));
    assert_eq!(waiting(one).await, [3]);
    assert_eq!(world.balances().await, [10, 0]);
    assert_eq!(consent(one, "ann", 3).await, new(moved(10)));
    assert_eq!(world.balances().await, [0, 0]);
    let all = one
        .operators()
        .proposals(ProposalFilter::All, ProposalNo::new(1), 1)
        .await;
    assert_eq!(all.unwrap(), [proposal(two, 2).await]);
}

/// What cannot be carried out now is not proposed, and a proposal that cannot be carried out any more waits on.
pub async fn a_refused_proposal_waits_on(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let [one, two] = [&*ledgers[0], &*ledgers[1]];
    let short = |balance, needed| -> Outcome {
        Err(Refusal::InsufficientFunds {
            balance: amount(balance),
            needed: amount(needed),
        })
    };
    assert_eq!(
        propose(one, "ann", debit(alice(), 11, "cash")).await,
        short(10, 11)
    );
    assert_eq!(waiting(one).await, [0; 0]);
    assert_eq!(
        propose(one, "ann", debit(alice(), 10, "cash")).await,
        new(proposed(1))
    );
    world.one(transfer(alice(), bob(), 10, "spent")).await.unwrap();
    assert_eq!(consent(two, "ben", 1).await, short(0, 10));
    assert_eq!(waiting(two).await, [1]);
    world.one(transfer(bob(), alice(), 10, "back")).await.unwrap();
    assert_eq!(consent(two, "ben", 1).await, new(moved(10)));

    assert_eq!(
        propose(one, "ann", credit(bob(), 90, "line")).await,
        new(proposed(2))
    );
    world.one(set_status(bob(), AccountStatus::Closed)).await.unwrap();
    assert_eq!(consent(two, "ben", 2).await, Err(Refusal::AccountClosed));
    assert_eq!(
        propose(one, "ann", credit(bob(), 5, "other")).await,
        Err(Refusal::AccountClosed)
    );
    assert_eq!(waiting(two).await, [2]);
    assert_eq!(decline(two, "ann", 2).await, DeclineOutcome::Declined);
}

/// A payment that was booked directly while it was proposed counts once.
pub async fn what_was_booked_meanwhile_is_not_carried_out_again(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let [one, two] = [&*ledgers[0], &*ledgers[1]];
    for reference in ["same", "other"] {
        propose(one, "ann", credit(alice(), 50, reference)).await.unwrap();
    }
    let booked = [credit(alice(), 50, "same"), credit(alice(), 7, "other")];
    for command in booked {
        let outcome = apply(two, "ann", command, Consent::NotNeeded).await;
        assert!(!outcome.unwrap().repeated);
    }
    assert_eq!(consent(one, "ben", 1).await, again(moved(50)));
    assert_eq!(consent(one, "ben", 2).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.balances().await, [57, 0]);
    assert_eq!(waiting(one).await, [2]);
}

/// A payout has one proposed settlement at a time.
pub async fn a_settlement_is_proposed_and_carried_out(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let [one, two] = [&*ledgers[0], &*ledgers[1]];
    for key in ["a", "b"] {
        world.one(payout(alice(), 5, key)).await.unwrap();
    }
    assert_eq!(
        propose(one, "ann", failed(9, "no")).await,
        Err(Refusal::UnknownPayout)
    );
    assert_eq!(propose(one, "ann", paid(1, "sent")).await, new(proposed(1)));
    assert_eq!(propose(two, "ann", paid(1, "sent")).await, again(proposed(1)));
    assert_eq!(
        propose(two, "ben", failed(1, "closed")).await,
        Err(Refusal::OtherProposal {
            no: ProposalNo::new(1)
        })
    );
    assert_eq!(propose(two, "ann", failed(2, "closed")).await, new(proposed(2)));
    let waits = proposal(one, 2).await;
    assert_eq!((waits.account.id, waits.amount), (alice(), amount(5)));
    assert_eq!(consent(two, "ben", 1).await, new(moved(5)));
    assert_eq!(consent(two, "ben", 2).await, new(moved(5)));
    assert_eq!(world.balances().await, [5, 0]);
    assert_eq!(
        propose(one, "ann", failed(1, "closed")).await,
        Err(Refusal::ReferenceConflict)
    );
}

/// If many operators propose the same, carry it out and decline it at once, in two processes, one verdict counts and the
/// money moves once or not at all.
pub async fn one_of_many_verdicts_at_once_counts(ledgers: &Pair) {
    const OPERATORS: usize = 12;
    let world = World::with_paid_in(ledgers, 0).await;
    for round in 1..=3_u64 {
        let reference = format!("line {round}");
        let no = i64::try_from(round).unwrap();
        let before = world.balances().await[0];
        let tasks: Vec<_> = (0..OPERATORS)
            .map(|index| {
                let (ledger, reference) = (Arc::clone(&ledgers[index % 2]), reference.clone());
                tokio::spawn(async move {
                    let command = credit(alice(), 90, &reference);
                    propose(&*ledger, "ann", command).await.unwrap()
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            let applied = task.await.unwrap();
            assert_eq!(applied.effect, proposed(no));
            made += usize::from(!applied.repeated);
        }
        assert_eq!(made, 1);
        let tasks: Vec<_> = (0..OPERATORS)
            .map(|index| {
                let ledger = Arc::clone(&ledgers[index % 2]);
                tokio::spawn(async move {
                    let operator = format!("operator-{index}");
                    if index % 3 == 0 {
                        decline(&*ledger, &operator, no).await == DeclineOutcome::Declined
                    } else {
                        let outcome = consent(&*ledger, &operator, no).await;
                        assert!(
                            outcome.is_ok() || outcome == Err(Refusal::ProposalDeclined),
                            "{outcome:?}"
                        );
                        outcome.is_ok_and(|applied| !applied.repeated)
                    }
                })
            })
            .collect();
        let mut verdicts = 0;
        for task in tasks {
            verdicts += usize::from(task.await.unwrap());
        }
        assert_eq!(verdicts, 1);
        let verdict = proposal(&*ledgers[0], no).await.verdict.unwrap();
        let gained = if verdict.carried_out { 90 } else { 0 };
        assert_eq!(world.balances().await[0], before + gained);
    }
    let actions = recorded(&*ledgers[1]).await;
    assert_eq!(actions.len(), 6, "a proposal and a verdict each: {actions:?}");
}
