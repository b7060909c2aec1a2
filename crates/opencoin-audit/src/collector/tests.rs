//! Tests of the facts that rows give.

use super::*;
use crate::AccountSums;
use opencoin_ledger::encode_blinds;

const KEY: [u8; 20] = [7; 20];
const ONE_OF_KEY_1: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];

fn collector() -> Collector {
    let mut collector = Collector::default();
    collector.account(AccountRow {
        id: 3,
        name: "alice",
        balance: 0,
        last_entry: 0,
        counts: [None, None],
        status: 0,
    });
    let dates = [10, 20, 30];
    collector.mint_key(&StoredMintKey {
        no: 1,
        id: KEY.to_vec(),
        denomination: 5,
        dates,
        issued: 1,
        returned: 0,
        recouped: 0,
        stopped_reason: None,
        retired: false,
        pruned: false,
        awaits_log: false,
        fingerprint: vec![0; 32],
        modulus_bytes: 256,
    });
    collector
}

/// A record with the first entry of each holder's account.
fn row(kind: Kind, debit: i64, credit: i64, amount: i64) -> JournalRow<'static> {
    let [debit_entry, credit_entry] = [debit, credit].map(|account| (account >= 3).then_some(1));
    let (debit, credit) = (Some(debit), Some(credit));
    let kind = kind.code().into();
    JournalRow {
        id: 1,
        kind,
        debit,
        debit_entry,
        credit,
        credit_entry,
        amount,
        at: 15,
        reference: &[3, 1],
        content: &[0; 32],
        issued: None,
        blinds: None,
    }
}

#[test]
fn money_is_posted_to_both_sides() {
    let mut collector = collector();
    collector.journal(&row(Kind::Credit, 1, 3, 100));
    collector.journal(&JournalRow {
        debit_entry: Some(2),
        ..row(Kind::Debit, 3, 1, 30)
    });
    let blind = Blind {
        reference: "a".into(),
        mint_key: MintKeyId::new(KEY),
        blinded: vec![1],
    };
    let blinds = encode_blinds(&[blind]);
    collector.journal(&JournalRow {
        debit_entry: Some(3),
        issued: Some(&ONE_OF_KEY_1),
        blinds: Some((&blinds, 1)),
        ..row(Kind::Mint, 3, 2, 5)
    });
    collector.journal(&JournalRow {
        issued: Some(&ONE_OF_KEY_1),
        blinds: Some((&blinds, 1)),
        ..row(Kind::Recoup, 0, 2, 5)
    });
    let facts = collector.finish();
    assert_eq!(
        (
            facts.paid_in,
            facts.paid_out,
            facts.recouped,
            facts.coins_outstanding
        ),
        (100, 30, 5, 10)
    );
    let sums = AccountSums {
        balance: 65,
        last_entry: 3,
        ..AccountSums::default()
    };
    assert_eq!((facts.accounts[0].journal, facts.mint_keys[0].blinds), (sums, 2));
    assert_eq!(facts.records_with_blinds, 2);
    assert_eq!(
        (facts.transactions, facts.invalid_rows),
        (4, 0),
        "{:?}",
        facts.invalid
    );
}

#[test]
fn payouts_are_compared_with_the_journal() {
    let mut collector = collector();
    let settlement = ReferenceKey::of_settlement(PayoutNo::new(1));
    let (request, settlement) = (&b"request"[..], settlement.as_bytes());
    collector.payout(PayoutRow {
        no: 1,
        account: 3,
        amount: 30,
        reference: b"request",
        paid: Some(false),
    });
    collector.journal(&JournalRow {
        reference: request,
        ..row(Kind::RequestPayout, 3, -1, 30)
    });
    assert_eq!(
        (
            collector.facts.unsettled_payouts,
            collector.facts.accounts[0].journal.balance
        ),
        (30, -30)
    );
    collector.journal(&JournalRow {
        reference: settlement,
        credit_entry: Some(2),
        ..row(Kind::ReturnPayout, -1, 3, 30)
    });
    assert_eq!(
        (collector.facts.unsettled_payouts, collector.facts.invalid_rows),
        (0, 0)
    );
    for (row, expected) in [
        (
            JournalRow {
                reference: settlement,
                ..row(Kind::PayPayout, -1, 1, 30)
            },
            "it does not fit payout 1",
        ),
        (
            JournalRow {
                reference: request,
                debit_entry: Some(3),
                ..row(Kind::RequestPayout, 3, -1, 31)
            },
            "it does not fit payout 1",
        ),
        (
            JournalRow {
                reference: b"x",
                debit_entry: Some(4),
                ..row(Kind::RequestPayout, 3, -1, 30)
            },
            "its payout does not exist",
        ),
    ] {
        collector.journal(&row);
        assert_eq!(
            collector.facts.invalid.pop().unwrap(),
            format!("transaction 1: {expected}")
        );
    }
    let facts = collector.finish();
    assert_eq!((facts.payouts[0].requests, facts.payouts[0].settlements), (1, 1));
    assert_eq!((facts.paid_out, facts.unsettled_payouts), (30, 31));
}

#[test]
fn invalid_rows_are_described() {
    let blind = Blind {
        reference: "a".into(),
        mint_key: MintKeyId::new(KEY),
        blinded: vec![1],
    };
    let blinds = encode_blinds(&[blind]);
    let cases: [(JournalRow<'_>, &str); 15] = [
        (
            JournalRow {
                kind: 99,
                ..row(Kind::Credit, 1, 3, 1)
            },
            "transaction 1: unknown kind 99",
        ),
        (
            row(Kind::Credit, 1, 9, 1),
            "transaction 1: account 9 does not exist",
        ),
        (
            row(Kind::Credit, 3, 1, 1),
            "transaction 1: its accounts do not fit the kind Credit",
        ),
        (
            row(Kind::Credit, 1, 3, 0),
            "transaction 1: the amount 0 does not fit the kind Credit",
        ),
        (
            row(Kind::Credit, 1, 3, -4),
            "transaction 1: the amount -4 does not fit the kind Credit",
        ),
        (
            row(Kind::Mint, 3, 2, 5),
            "transaction 1: the presence of blinds does not fit the kind Mint",
        ),
        (
            JournalRow {
                issued: Some(&ONE_OF_KEY_1),
                blinds: Some((&[1, 2], 1)),
                ..row(Kind::Mint, 3, 2, 5)
            },
            "transaction 1: stored blinds are damaged",
        ),
        (
            JournalRow {
                issued: Some(&ONE_OF_KEY_1),
                ..row(Kind::Mint, 3, 2, 5)
            },
            "transaction 1: its blinds are missing, and none of their mint keys was pruned",
        ),
        (
            JournalRow {
                issued: Some(&[0, 0, 0, 1, 0, 0, 0, 2]),
                blinds: Some((&blinds, 1)),
                ..row(Kind::Mint, 3, 2, 10)
            },
            "transaction 1: its blinds are not those that it counts",
        ),
        (
            JournalRow {
                issued: Some(&ONE_OF_KEY_1),
                blinds: Some((&blinds, 2)),
                ..row(Kind::Mint, 3, 2, 5)
            },
            "transaction 1: its blinds do not expire with the last of their mint keys",
        ),
        (
            JournalRow {
                issued: Some(&ONE_OF_KEY_1),
                ..row(Kind::Mint, 3, 2, 6)
            },
            "transaction 1: its signatures are worth 5, its amount is 6",
        ),
        (
            JournalRow {
                issued: Some(&[0, 0, 0, 2, 0, 0, 0, 1]),
                ..row(Kind::Mint, 3, 2, 5)
            },
            "transaction 1: it names the unknown mint key number 2",
        ),
        (
            JournalRow {
                issued: Some(&[1]),
                ..row(Kind::Mint, 3, 2, 5)
            },
            "transaction 1: the counts of signatures are damaged",
        ),
        (
            JournalRow {
                credit_entry: Some(2),
                ..row(Kind::Credit, 1, 3, 1)
            },
            "transaction 1: its entry has the number 2 after 0",
        ),
        (
            JournalRow {
                credit_entry: None,
                ..row(Kind::Credit, 1, 3, 1)
            },
            "transaction 1: its entry has no number",
        ),
    ];
    for (row, expected) in cases {
        let mut collector = collector();
        collector.journal(&row);
        let facts = collector.finish();
        assert_eq!(facts.invalid, [expected]);
    }
}

#[test]
fn the_blinds_of_a_pruned_key_may_be_deleted() {
    let mut collector = collector();
    collector.facts.mint_keys[0].pruned = true;
    collector.journal(&JournalRow {
        issued: Some(&ONE_OF_KEY_1),
        ..row(Kind::Mint, 3, 2, 5)
    });
    let facts = collector.finish();
    assert_eq!((facts.invalid_rows, facts.mint_keys[0].blinds), (0, 1));
    assert_eq!(facts.records_with_blinds, 0);
}

/// After an accepted older state, entries are numbered above all that the lost state can have assigned.
#[test]
fn entries_skip_numbers_only_where_an_older_state_was_accepted() {
    let credit = |id, entry| JournalRow {
        id,
        credit_entry: Some(entry),
        ..row(Kind::Credit, 1, 3, 1)
    };
    let mut collector = collector();
    collector.journal(&credit(1, 1));
    let (debit, credit_account) = (None, None);
    collector.journal(&JournalRow {
        id: 101,
        debit,
        credit: credit_account,
        debit_entry: None,
        credit_entry: None,
        amount: 0,
        ..row(Kind::AcceptState, 1, 1, 0)
    });
    collector.journal(&credit(102, 101));
    collector.journal(&credit(103, 102));
    assert_eq!(collector.facts.invalid, [""; 0]);
    collector.journal(&credit(104, 104));
    assert_eq!(
        collector.facts.invalid,
        ["transaction 104: its entry has the number 104 after 102"]
    );
}

#[test]
fn all_invalid_rows_are_counted_and_a_few_described() {
    let mut collector = collector();
    (0..50).for_each(|no| collector.spent(100 + no, 1));
    let facts = collector.finish();
    assert_eq!(
        (facts.invalid_rows, facts.invalid.len()),
        (50, INVALID_ROWS_DESCRIBED_MAX)
    );
}
