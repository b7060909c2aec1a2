//! Rules of lines of the bank that need a second operator.

use opencoin_bank::BankLineId;
use opencoin_ledger::bank::{BankLineNo, BankLineState, BankLineStateKind, LineOutcome, StatementClaim};
use opencoin_ledger::{ActionKind, Consent, DeclineOutcome, ProposalNo, Proposed, Reference, Refusal};

use super::{claim, code, kinds, named, preview, statement, states, upload};
use crate::proposals::{by, decline, proposal, waiting};
use crate::world::*;
use crate::{Pair, Store, World};

/// The unmatched lines, in the order of their numbers.
async fn unmatched(ledger: &dyn Store) -> Vec<BankLineId> {
    let unmatched = Some(BankLineStateKind::Unmatched);
    let kept = ledger.bank().lines(unmatched, BankLineNo::BEFORE_ALL, 10).await;
    kept.unwrap().iter().filter_map(|line| line.line.id()).collect()
}

/// A line above the limit is claimed for an account when a second operator consents, once.
pub async fn a_line_is_assigned_with_the_consent_of_another_operator(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let no = upload(&*ledgers[0], statement("one", &[("a", "1.00"), ("b", "2.00")])).await;
    claim(&*ledgers[0], no, &preview(&*ledgers[0], no).await).await;
    let ids = unmatched(&*ledgers[1]).await;
    let assign = async |ledger: usize, operator: &str, id, name: &str, consent| {
        let kind = match consent {
            Consent::Needed => ActionKind::Propose,
            Consent::NotNeeded | Consent::Given(_) => ActionKind::AssignBankLine,
        };
        let bank = ledgers[ledger].bank();
        bank.claim_line(id, named(name), by(operator, kind), consent)
            .await
            .unwrap()
    };
    let (needed, given) = (Consent::Needed, |no| Consent::Given(ProposalNo::new(no)));
    let proposed = |no| LineOutcome::Proposed(ProposalNo::new(no));
    let nothing = BankLineId::new([9; 16]);
    assert_eq!(
        assign(0, "ann", nothing, "alice", needed).await,
        LineOutcome::Unknown
    );
    for (ledger, operator) in [(0, "ann"), (1, "ann"), (1, "ben")] {
        assert_eq!(
            assign(ledger, operator, ids[0], "alice", needed).await,
            proposed(1)
        );
    }
    let refused = |refusal| LineOutcome::Refused(refusal);
    let other = Refusal::OtherProposal {
        no: ProposalNo::new(1),
    };
    assert_eq!(assign(1, "ben", ids[0], "bob", needed).await, refused(other));
    let waits = proposal(&*ledgers[1], 1).await;
    assert_eq!(waits.proposed, Proposed::AssignBankLine(ids[0]));
    assert_eq!(
        (waits.account.clone(), waits.amount),
        (named("alice"), amount(100))
    );
    assert_eq!(unmatched(&*ledgers[0]).await, ids);
    assert_eq!(
        assign(0, "ann", ids[0], "alice", given(1)).await,
        refused(Refusal::OwnProposal)
    );
    assert_eq!(
        assign(0, "ben", ids[0], "bob", given(1)).await,
        refused(Refusal::ReferenceConflict)
    );
    assert_eq!(
        assign(0, "ben", ids[1], "alice", given(1)).await,
        refused(Refusal::ReferenceConflict)
    );
    assert_eq!(
        assign(0, "ben", ids[0], "alice", given(5)).await,
        refused(Refusal::UnknownProposal)
    );
    assert_eq!(
        assign(1, "ben", ids[0], "alice", given(1)).await,
        LineOutcome::Changed
    );
    assert_eq!(
        assign(0, "ben", ids[0], "alice", given(1)).await,
        LineOutcome::Repeated
    );
    assert_eq!(
        assign(0, "ann", ids[0], "alice", needed).await,
        LineOutcome::Repeated
    );
    assert!(proposal(&*ledgers[0], 1).await.verdict.unwrap().carried_out);

    // Somebody sets the line aside meanwhile: the proposal waits on, and is declined.
    assert_eq!(assign(0, "ann", ids[1], "alice", needed).await, proposed(2));
    let reason = Reference::new("a loan").unwrap();
    let aside = by("cleo", ActionKind::SetBankLineAside);
    let bank = ledgers[1].bank();
    let set = bank.set_aside(ids[1], reason.clone(), aside).await;
    assert_eq!(set.unwrap(), LineOutcome::Changed);
    assert_eq!(
        assign(1, "ben", ids[1], "alice", given(2)).await,
        LineOutcome::Decided(BankLineState::SetAside(reason))
    );
    assert_eq!(waiting(&*ledgers[0]).await, [2]);
    assert_eq!(decline(&*ledgers[0], "ben", 2).await, DeclineOutcome::Declined);
    assert_eq!(
        assign(1, "ben", ids[1], "alice", given(2)).await,
        refused(Refusal::ProposalDeclined)
    );
    let recorded = kinds(&*ledgers[0]).await;
    let last = [
        "decline-proposal",
        "set-bank-line-aside",
        "propose",
        "assign-bank-line",
        "propose",
    ];
    assert_eq!(recorded[..5], last);
}

/// Whoever has uploaded a statement with a line above the limit does not book it.
pub async fn large_lines_are_booked_by_another_operator(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let (alice_code, bob_code) = (code("alice"), code("bob"));
    let lines = [(alice_code.as_str(), "5.00"), (bob_code.as_str(), "5.01")];
    let no = upload(&*ledgers[0], statement("one", &lines)).await;
    let preview = preview(&*ledgers[0], no).await;
    let book = async |ledger: usize, operator: &str, limit| {
        let booked = by(operator, ActionKind::BookStatement);
        let bank = ledgers[ledger].bank();
        let claimed = bank.claim_statement(no, preview.digest(), booked, Some(amount(limit)));
        claimed.await.unwrap()
    };
    assert_eq!(preview.lines_above(amount(500)), 1);
    assert_eq!(book(0, "desk", 500).await, StatementClaim::NeedsAnother(1));
    assert_eq!(book(1, "desk", 499).await, StatementClaim::NeedsAnother(2));
    assert_eq!(states(&*ledgers[0]).await, []);
    assert!(matches!(book(1, "ben", 500).await, StatementClaim::Claimed(_)));
    assert!(matches!(book(0, "desk", 500).await, StatementClaim::Repeated(_)));
    let small = upload(&*ledgers[0], statement("two", &[(alice_code.as_str(), "4.00")])).await;
    let digest = self::preview(&*ledgers[0], small).await.digest();
    let booked = by("desk", ActionKind::BookStatement);
    let bank = ledgers[0].bank();
    let claimed = bank.claim_statement(small, digest, booked, Some(amount(500)));
    assert!(matches!(claimed.await.unwrap(), StatementClaim::Claimed(_)));
}
