//! Tests of an auditor: what it must find after somebody tampered with a store, in a full pass or in the
//! short passes after it.

use crate::exports::{added, export_worth, finish, pay, withdraw};
use crate::key_world::*;
use crate::world::*;
use crate::{Pair, Store, World};
use opencoin_audit::{
    ACCEPTANCES_PER_PAGE_MAX, AuditSource, Audited, Auditor, Extent, Wanted, decode_state, encode_state,
};
use opencoin_ledger::bank::{ExportEnd, ExportNo};
use opencoin_ledger::{Ledger, TransactionNo};

const PAST: &str = "the journal that was read earlier has not changed";

/// A way to tamper with the books.
#[derive(Debug, Clone, Copy)]
pub struct Tampering {
    /// SQL statements that both SQLite and PostgreSQL accept. `COUNTS` stands for the table with the counts of
    /// coins, and `COUNTS_KEY` for its column with the number of the mint key.
    pub statements: &'static str,
    /// The name of a check that then fails.
    pub finding: &'static str,
    /// Whether short passes find it, at the latest after as many passes as there are mint keys.
    pub is_found_while_following: bool,
}

const fn at_once(statements: &'static str, finding: &'static str) -> Tampering {
    Tampering {
        statements,
        finding,
        is_found_while_following: true,
    }
}

const fn in_a_full_pass(statements: &'static str, finding: &'static str) -> Tampering {
    Tampering {
        statements,
        finding,
        is_found_while_following: false,
    }
}

/// Every kind of tampering that the constraints of the tables do not prevent.
pub const TAMPERINGS: [Tampering; 44] = [
    at_once(
        "UPDATE accounts SET balance = balance + 1 WHERE id = 3",
        "every balance is what the journal says",
    ),
    at_once("DELETE FROM accounts WHERE id = 4", "every row makes sense"),
    at_once(
        "INSERT INTO log_keys (key_no, issued, spent, signing_closed, coins_closed) VALUES (1, 1, 0, false, false)",
        "the public log has every signature and every coin that came back",
    ),
    at_once(
        "UPDATE log_head SET paid_in = paid_in + 1",
        "the totals of the public log are those of the books",
    ),
    at_once(
        "DELETE FROM log_pending",
        "the public log has every signature and every coin that came back",
    ),
    at_once(
        "UPDATE log_head SET key_accounts = key_accounts + 1",
        "the totals of the public log are those of the books",
    ),
    at_once(
        "UPDATE log_head SET ledger_root = (SELECT content FROM transactions WHERE id = 1)",
        "the root over key accounts in the public log is that of its rows",
    ),
    at_once(
        "UPDATE log_pending SET statements = others WHERE key_accounts > 0",
        "the public log has the account of every key as the books have it",
    ),
    at_once(
        "INSERT INTO log_key_accounts (key, balance, seq, credits)
            SELECT content, 0, 0, 0 FROM transactions WHERE id = 1",
        "every row makes sense",
    ),
    at_once(
        "UPDATE accounts SET seq = seq + 1 WHERE seq = 1",
        "every key has made the payments and got the credits that the journal says",
    ),
    at_once(
        "UPDATE accounts SET credits = 0 WHERE credits = 1",
        "every key has made the payments and got the credits that the journal says",
    ),
    // Two keys swap their money, so that every sum is right.
    at_once(
        "UPDATE accounts SET balance = 10 - balance WHERE seq IS NOT NULL",
        "the public log has the account of every key as the books have it",
    ),
    at_once("UPDATE log_head SET halted = 'tampered'", "the public log is not halted"),
    at_once(
        "UPDATE accounts SET last_entry = last_entry + 1 WHERE id = 3",
        "no entry of an account is missing",
    ),
    at_once(
        "UPDATE COUNTS SET issued = issued + 1 WHERE COUNTS_KEY = 2",
        "every signature counted was accepted in the journal",
    ),
    at_once(
        "UPDATE COUNTS SET returned = returned - 1 WHERE COUNTS_KEY = 1 AND returned > 0",
        "coins outstanding by mint key are what the journal says",
    ),
    at_once(
        "UPDATE mint_keys SET denomination = 3 WHERE no = 2",
        "coins outstanding by mint key are what the journal says",
    ),
    at_once(
        "DELETE FROM spent WHERE mint_key_no = 1",
        "every coin counted as returned is recorded as spent",
    ),
    at_once(
        "DELETE FROM recouped",
        "every coin counted as recouped is recorded as such",
    ),
    at_once(
        "UPDATE mint_keys SET stopped_reason = NULL",
        "coins of stopped mint keys alone were recouped, and no more than were signed",
    ),
    at_once(
        "UPDATE mint_keys SET retired = true WHERE no = 1",
        "every retired mint key was retired in the journal",
    ),
    at_once(
        "UPDATE mint_keys SET pruned = true WHERE no = 1",
        "every pruned mint key was pruned in the journal",
    ),
    at_once(
        "UPDATE payouts SET paid = true, settlement = 'x', settled_at = 1 WHERE no = 2",
        "every payout was asked for in the journal and settled as it says",
    ),
    at_once("DELETE FROM payouts WHERE no = 1", "every row makes sense"),
    at_once(
        "UPDATE payouts SET amount = amount + 1 WHERE no = 2",
        "payouts on their way are what the journal says",
    ),
    at_once(
        "UPDATE payout_exports SET state = 0, ended_at = NULL WHERE no = 1",
        "every payout is in at most one file that was not withdrawn",
    ),
    at_once(
        "UPDATE payout_exports SET state = 1, ended_at = 1 WHERE no = 3",
        "every payout of a file that the bank has paid is settled",
    ),
    at_once(
        "UPDATE payout_exports SET amount = amount + 1 WHERE no = 3",
        "every file has as many payouts and as much money as it says",
    ),
    // What was in a file that was withdrawn shall be seen later.
    at_once(
        "DELETE FROM exported_payouts WHERE export = 1",
        "every file has as many payouts and as much money as it says",
    ),
    at_once(
        "UPDATE exported_payouts SET is_withdrawn = true WHERE export = 3",
        "every row makes sense",
    ),
    at_once("DELETE FROM payout_exports WHERE no = 1", "every row makes sense"),
    at_once(
        "UPDATE waiting_mints SET amount = amount + 1",
        "every row makes sense",
    ),
    at_once(
        "INSERT INTO waiting_mints (reference, account, content, amount, asked_at, expires_at, blinds)
            SELECT record.reference, waiting.account, record.content, amount, asked_at, expires_at, waiting.blinds
            FROM (SELECT reference, content FROM transactions WHERE kind = 18) AS record,
                (SELECT account, amount, asked_at, expires_at, blinds FROM waiting_mints) AS waiting",
        "no mint waits for money that was given up",
    ),
    at_once(
        "DELETE FROM transactions WHERE id = (SELECT max(id) FROM transactions)",
        PAST,
    ),
    // The record and the balance are both changed, so that every sum is right again.
    at_once(
        "UPDATE transactions SET amount = 101 WHERE kind = 2; UPDATE accounts SET balance = balance + 1 WHERE id = 3",
        PAST,
    ),
    in_a_full_pass(
        "DELETE FROM transactions WHERE kind = 8 AND id < 14",
        "every balance is what the journal says",
    ),
    in_a_full_pass("DELETE FROM transactions WHERE kind = 1", PAST),
    in_a_full_pass(
        "UPDATE transactions SET debit_entry = debit_entry + 1 WHERE kind = 14",
        "every row makes sense",
    ),
    in_a_full_pass(
        "UPDATE transactions SET issued = (SELECT issued FROM transactions WHERE kind = 9) WHERE kind = 13",
        "every signature counted was accepted in the journal",
    ),
    in_a_full_pass(
        "DELETE FROM blinds WHERE reference IN (SELECT reference FROM transactions WHERE kind = 9)",
        "every row makes sense",
    ),
    in_a_full_pass(
        "UPDATE blinds SET expires_with = expires_with + 1",
        "every row makes sense",
    ),
    in_a_full_pass(
        "UPDATE blinds SET blinds = (SELECT blinds FROM blinds ORDER BY reference LIMIT 1)",
        "every row makes sense",
    ),
    in_a_full_pass(
        "INSERT INTO blinds (reference, expires_with, blinds)
            SELECT reference, 1, content FROM transactions WHERE kind = 2",
        "all stored blinds belong to a transaction",
    ),
    in_a_full_pass(
        "UPDATE transactions SET applied_at = applied_at + 1 WHERE kind = 10",
        PAST,
    ),
];

/// Makes books with rows in every table that an audit reads.
///
/// # Panics
/// The ledger refuses.
pub async fn books_to_tamper_with(ledgers: &Pair) -> World {
    let world = World::with_paid_in(ledgers, 100).await;
    let (first, second) = (mint(alice(), "a", &[1, 2, 5]), mint(alice(), "b", &[5, 1]));
    for command in [
        first,
        second,
        redeem(bob(), &[(1, 1)]),
        renew("c", &[(2, 1)], &[1, 1]),
        stop(5),
    ] {
        world.one(command).await.unwrap();
    }
    world.one(recoup("d", &[(5, 1, 1)], &[2, 2, 1])).await.unwrap();
    for command in [payout(alice(), 3, "p"), payout(alice(), 4, "q")] {
        world.one(command).await.unwrap();
    }
    three_files(&*ledgers[0]).await;
    for command in [
        paid(1, "bank 1"),
        patient(SIGN_TO, mint(bob(), "waits", &[2])),
        patient(SIGN_TO - 1, mint(bob(), "given up", &[2, 2])),
        at(SIGN_TO - 1, mint(bob(), "given up", &[2, 2])),
        introduce(0),
        introduce(1),
        transfer(alice(), key_account(0), 10, "funding"),
        pay_key(0, 1, 1, 3),
    ] {
        world.one(command).await.unwrap();
    }
    assert!(matches!(
        finish(&*ledgers[0], ExportNo::new(2)).await,
        ExportEnd::Ended(_)
    ));
    world
}

/// A file with payouts 1 and 2 that was withdrawn, one with payout 1 that the bank has paid, and one with payout 2.
async fn three_files(ledger: &dyn Store) {
    let first = added(ledger, export_worth("first", &[1, 2], 7)).await;
    assert!(matches!(withdraw(ledger, first).await, ExportEnd::Ended(_)));
    let second = added(ledger, export_worth("second", &[1], 3)).await;
    assert!(matches!(pay(ledger, second).await, ExportEnd::Ended(_)));
    added(ledger, export_worth("third", &[2], 4)).await;
}

/// After a full pass and a short pass in which everything holds, the books are tampered with. The auditor
/// finds it and names the failed check.
///
/// # Panics
/// The auditor does not find it.
pub async fn tampering_is_found(
    ledgers: &Pair,
    source: &dyn AuditSource,
    tampering: Tampering,
    tamper: impl AsyncFnOnce(&str),
) {
    let world = books_to_tamper_with(ledgers).await;
    let mut auditor = Auditor::new();
    assert_holds(&auditor.turn(source).await.unwrap(), Extent::Full);
    world.one(mint(alice(), "e", &[1])).await.unwrap();
    let audited = auditor.turn(source).await.unwrap();
    assert_holds(&audited, Extent::New);
    assert_eq!(audited.rows_read, 1);

    tamper(tampering.statements).await;
    let mint_keys = audited.facts.mint_keys.len();
    let mut found = Vec::new();
    for _ in 0..mint_keys {
        let audited = auditor.turn(source).await.unwrap();
        found = audited.report.broken();
        if !found.is_empty() {
            assert_eq!(
                audited.extent,
                Extent::Full,
                "everything is read before a finding is reported"
            );
            break;
        }
    }
    if !tampering.is_found_while_following {
        assert_eq!(found, [""; 0], "{tampering:?}");
        found = auditor.full(source, None).await.unwrap().report.broken();
    }
    assert!(found.contains(&tampering.finding), "{tampering:?}: {found:?}");
}

/// An auditor of broken books continues with short passes. It reads everything again only for a new finding.
///
/// # Panics
/// A pass has an unexpected extent or finding.
pub async fn an_auditor_goes_on_in_broken_books(
    ledgers: &Pair,
    source: &dyn AuditSource,
    tamper: impl AsyncFn(&str),
) {
    let world = books_to_tamper_with(ledgers).await;
    let mut auditor = Auditor::new();
    auditor.turn(source).await.unwrap();
    tamper("UPDATE accounts SET balance = balance + 1 WHERE id = 3").await;
    assert_eq!(auditor.turn(source).await.unwrap().extent, Extent::Full);
    world.one(mint(alice(), "e", &[1])).await.unwrap();
    let audited = auditor.turn(source).await.unwrap();
    assert_eq!(
        (audited.extent, audited.rows_read, audited.report.holds()),
        (Extent::New, 1, false)
    );
    tamper("UPDATE COUNTS SET issued = issued + 1 WHERE COUNTS_KEY = 2").await;
    let audited = auditor.turn(source).await.unwrap();
    assert_eq!(audited.extent, Extent::Full);
    assert!(
        audited
            .report
            .broken()
            .contains(&"every signature counted was accepted in the journal")
    );
    tamper("UPDATE accounts SET balance = balance - 1 WHERE id = 3; UPDATE COUNTS SET issued = issued - 1 WHERE COUNTS_KEY = 2").await;
    assert_holds(&auditor.turn(source).await.unwrap(), Extent::New);
}

/// An auditor that resumes from a state file gets the same facts and findings as one that reads everything.
///
/// # Panics
/// They differ.
pub async fn an_auditor_resumes(ledgers: &Pair, source: &dyn AuditSource, tamper: impl AsyncFn(&str)) {
    let world = books_to_tamper_with(ledgers).await;
    let mut auditor = Auditor::new();
    auditor.full(source, None).await.unwrap();
    let state = encode_state(auditor.settled().unwrap(), "books");
    let late = |key: u8| at(EXPIRY + 1, prune(key));
    for command in [
        mint(alice(), "e", &[1, 2]),
        redeem(alice(), &[(1, 2)]),
        retire(2),
        late(5),
        mint(bob(), "f", &[1]),
    ] {
        world.one(command).await.unwrap();
    }
    let resumed = || Auditor::resume(decode_state(&state, "books").unwrap());
    let audited = resumed().turn(source).await.unwrap();
    assert_holds(&audited, Extent::New);
    assert_eq!(audited.rows_read, 5);
    let mut facts = audited.facts;
    let all = world.facts().await;
    for (key, counted) in facts.mint_keys.iter_mut().zip(&all.mint_keys) {
        let counts = (counted.spent, counted.recouped_rows);
        assert!(!key.counted || (key.spent, key.recouped_rows) == counts);
        (key.counted, (key.spent, key.recouped_rows)) = (true, counts);
    }
    facts.records_with_blinds += 4; // those of the records before
    facts.blinds_rows = all.blinds_rows;
    assert_eq!(facts, all);

    // The next pass does not read the record of the prune again, although no digest covers it.
    let mut auditor = resumed();
    auditor.turn(source).await.unwrap();
    assert_eq!(auditor.turn(source).await.unwrap().rows_read, 0);

    tamper("UPDATE transactions SET applied_at = applied_at + 1 WHERE kind = 10 AND id < 14").await;
    assert_holds(&resumed().turn(source).await.unwrap(), Extent::New);
    assert_eq!(
        resumed().full(source, None).await.unwrap().report.broken(),
        [PAST]
    );
    assert_holds(&Auditor::new().full(source, None).await.unwrap(), Extent::Full);
}

/// Mints, renews and recoups are read with all their blinds, by number or page by page.
///
/// # Panics
/// Other records are read.
pub async fn acceptances_are_read(ledgers: &Pair, source: &dyn AuditSource) {
    let world = books_to_tamper_with(ledgers).await;
    let all = source
        .acceptances(Wanted::After(TransactionNo::BEFORE_ALL))
        .await
        .unwrap();
    assert_eq!(
        all.iter().map(|acceptance| acceptance.kind).collect::<Vec<_>>(),
        [8, 8, 9, 13]
    );
    assert_eq!(
        (all[0].debit, all[0].at, &all[0].blinds),
        (Some(alice().get()), NOW, &Ok(stored(&[1, 2, 5])))
    );
    assert_eq!(
        all[0].content,
        opencoin_ledger::mint_content(alice(), &blinds(&[1, 2, 5])).as_bytes()
    );
    assert_eq!(
        source.acceptances(Wanted::After(all[1].no)).await.unwrap(),
        all[2..]
    );
    let numbers = [
        all[3].no,
        all[0].no,
        TransactionNo::new(1),
        TransactionNo::new(i64::MAX),
    ];
    let mut found = source.acceptances(Wanted::Numbers(&numbers)).await.unwrap();
    found.sort_by_key(|acceptance| acceptance.no);
    assert_eq!(found, [all[0].clone(), all[3].clone()]);
    world.one(credit(alice(), 1000, "for more")).await.unwrap();
    let many: Vec<_> = (0..=ACCEPTANCES_PER_PAGE_MAX)
        .map(|number| mint(alice(), &format!("m{number}"), &[1]))
        .collect();
    assert!(world.apply(&many).await.iter().all(Result::is_ok));
    let page = source
        .acceptances(Wanted::After(TransactionNo::BEFORE_ALL))
        .await
        .unwrap();
    assert_eq!(page.len(), ACCEPTANCES_PER_PAGE_MAX);
    assert!(page.is_sorted_by_key(|acceptance| acceptance.no) && page[..4] == all);
}

/// Credits Alice with 1 at this time, in microseconds since the epoch.
///
/// # Panics
/// The ledger refuses.
pub async fn credit_at(ledger: &dyn Ledger, micros: i64, text: &str) {
    let command = at(micros, credit(alice(), 1, text));
    ledger.apply(&[command]).await.unwrap().remove(0).unwrap();
}

fn assert_holds(audited: &Audited, extent: Extent) {
    assert_eq!(
        (audited.extent, audited.report.broken()),
        (extent, vec![]),
        "{:#?}",
        audited.report
    );
}
