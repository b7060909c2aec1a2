//! Rules of the bank's statements: every line is decided once, whoever asks, how often and at what time.

mod second_operator;

pub use second_operator::*;

use opencoin_bank::statement::{ColumnMap, Encoding, StatementFormat, StatementReading, read};
use opencoin_bank::{BankCurrency, BankLineId};
use opencoin_ledger::bank::{
    BankLineNo, BankLineState, BankLineStateKind, ClaimOutcome, LineAccount, LineMeaning, LineOutcome,
    NewStatement, Preview, StatementClaim, StatementDigest, StatementNo, TableColumns, Unmatched, Verdict,
};
use opencoin_ledger::{AccountStatus, ActionFilter, ActionKind, Amount, Consent, Reference};

use crate::world::*;
use crate::{Pair, Store, World};

/// A statement with these texts and amounts. `name` makes it another file.
fn statement(name: &str, lines: &[(&str, &str)]) -> NewStatement {
    let head = "day;text;amount\n";
    let rows = lines
        .iter()
        .map(|(text, amount)| format!("2026-05-04;{text};{amount}\n"));
    let file: String = std::iter::once(head.to_owned()).chain(rows).collect();
    let reading = StatementReading {
        account: "DE89370400440532013000".parse().unwrap(),
        currency: BankCurrency {
            code: "EUR".parse().unwrap(),
            divisor: 100,
        },
        columns: Some(ColumnMap {
            delimiter: b';',
            encoding: Encoding::Utf8,
            decimal: '.',
            date_format: "YYYY-MM-DD".parse().unwrap(),
            day: "day".into(),
            amount: "amount".into(),
            texts: vec!["text".into()],
            currency: None,
            direction: None,
            party: None,
            party_account: None,
            account: None,
            bank_reference: None,
        }),
    };
    let lines = read(file.as_bytes(), StatementFormat::Csv, &reading).unwrap();
    let mut digest = [0; 32];
    digest[..name.len()].copy_from_slice(name.as_bytes());
    NewStatement {
        digest: StatementDigest::new(digest),
        reading: [1; 32],
        columns: None,
        name: Reference::new(name).unwrap(),
        lines: lines.into_iter().map(Into::into).collect(),
    }
}

fn code(name: &str) -> String {
    opencoin_bank::payment_code::of_account(name)
}

async fn upload(ledger: &dyn Store, new: NewStatement) -> StatementNo {
    let uploaded = action(ActionKind::UploadStatement, new.name.as_str());
    ledger.bank().add_statement(new, uploaded).await.unwrap().0.no
}

/// The preview of a statement. That of each of its lines, and of all of them, is the same.
async fn preview(ledger: &dyn Store, no: StatementNo) -> Preview {
    let bank = ledger.bank();
    let preview = bank.preview(no).await.unwrap().unwrap();
    let incoming = preview.lines.iter().filter(|line| line.line.id().is_some());
    let incoming: Vec<_> = incoming.cloned().collect();
    let ids: Vec<_> = incoming.iter().filter_map(|line| line.line.id()).collect();
    for (id, line) in ids.iter().zip(&incoming) {
        let one = bank.preview_lines(no, vec![*id]).await.unwrap();
        assert_eq!(one, std::slice::from_ref(line));
    }
    assert_eq!(bank.preview_lines(no, ids.clone()).await.unwrap(), incoming);
    let kept = bank.lines(None, BankLineNo::BEFORE_ALL, 1000).await.unwrap();
    let kept = kept.iter().filter_map(|line| Some((line.line.id()?, line.no)));
    let mut kept: Vec<_> = kept.filter(|(id, _)| ids.contains(id)).collect();
    let mut numbers = bank.line_numbers(ids).await.unwrap();
    kept.sort_unstable();
    numbers.sort_unstable();
    assert_eq!(numbers, kept);
    preview
}

async fn claim(ledger: &dyn Store, no: StatementNo, preview: &Preview) -> StatementClaim {
    let booked = action(ActionKind::BookStatement, &no.get().to_string());
    let bank = ledger.bank();
    let claimed = bank.claim_statement(no, preview.digest(), booked, None);
    claimed.await.unwrap()
}

/// The states of all kept lines.
async fn states(ledger: &dyn Store) -> Vec<BankLineStateKind> {
    let bank = ledger.bank();
    let lines = bank.lines(None, BankLineNo::BEFORE_ALL, 1000).await.unwrap();
    let unmatched = lines
        .iter()
        .filter(|line| line.state.kind() == BankLineStateKind::Unmatched);
    let counted = bank.count_lines(BankLineStateKind::Unmatched).await.unwrap();
    assert_eq!(counted.count, unmatched.clone().count() as u64);
    assert_eq!(counted.oldest, unmatched.map(|line| line.at).min());
    lines.iter().map(|line| line.state.kind()).collect()
}

async fn kinds(ledger: &dyn Store) -> Vec<String> {
    let operators = ledger.operators();
    let actions = operators.actions(ActionFilter::All, None, 1000).await;
    actions.unwrap().into_iter().map(|action| action.kind).collect()
}

fn named(name: &str) -> LineAccount {
    LineAccount {
        id: if name == "alice" { alice() } else { bob() },
        name: name.parse().unwrap(),
    }
}

/// A statement is stored once, with all that it says, and shows what booking it would do.
pub async fn a_statement_is_stored_once_and_previewed(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let (alice_code, both) = (code("alice"), format!("{} {}", code("alice"), code("bob")));
    let (text, unknown) = (format!("rent {alice_code}"), code("nobody"));
    let new = statement(
        "may.csv",
        &[
            (text.as_str(), "12.50"),
            ("rent", "1.00"),
            (both.as_str(), "2.00"),
            (unknown.as_str(), "3.00"),
            ("out", "-4.00"),
        ],
    );
    let no = upload(&*ledgers[0], new.clone()).await;
    assert_eq!(
        upload(&*ledgers[1], new.clone()).await,
        no,
        "the same file is stored once"
    );
    assert_eq!(kinds(&*ledgers[0]).await, ["upload-statement"]);
    let preview = preview(&*ledgers[1], no).await;
    let mut gathered = statement("gathered", &[(alice_code.as_str(), "60.00")]);
    for line in &mut gathered.lines {
        if let LineMeaning::Incoming(incoming) = &mut line.meaning {
            incoming.is_gathered = true;
        }
    }
    let gathered = upload(&*ledgers[0], gathered).await;
    let lines: Vec<_> = preview.lines.iter().map(|line| line.line.clone()).collect();
    assert_eq!(lines, new.lines, "what was read comes back");
    let unmatched = |why| Verdict::Unmatched { why, is_kept: false };
    let verdicts: Vec<_> = preview.lines.iter().map(|line| line.verdict.clone()).collect();
    assert_eq!(verdicts[0], Verdict::New(named("alice")));
    assert_eq!(verdicts[1], unmatched(Unmatched::NoCode));
    assert_eq!(verdicts[2], unmatched(Unmatched::SeveralCodes));
    assert_eq!(verdicts[3], unmatched(Unmatched::UnknownAccount));
    assert!(matches!(verdicts[4], Verdict::Ignored(_)));
    assert_eq!(preview.new_amount(), amount(1250));
    assert!(
        states(&*ledgers[0]).await.is_empty(),
        "nothing is kept before it is booked"
    );
    let statements = ledgers[0].bank().statements(None, 10).await.unwrap();
    assert_eq!(statements[1..], [preview.statement]);
    for found in &statements {
        let same = ledgers[1].bank().statement(found.no).await.unwrap();
        assert_eq!(same.as_ref(), Some(found));
    }
    let unknown = ledgers[1].bank().statement(StatementNo::new(7)).await.unwrap();
    assert_eq!(unknown, None);
    assert_eq!((statements[1].lines, &statements[1].booked), (5, &None));
    let preview = ledgers[1].bank().preview(gathered).await.unwrap().unwrap();
    assert_eq!(
        preview.lines[0].verdict,
        unmatched(Unmatched::Gathered),
        "one text of several has a code, and the money is not all of that account"
    );
    let unknown = ledgers[0].bank().preview(StatementNo::new(7)).await.unwrap();
    assert_eq!(unknown, None);
}

/// Columns are remembered once somebody has booked what was read with them, until another table is booked.
pub async fn the_columns_of_the_newest_booked_table_are_remembered(ledgers: &Pair) {
    async fn book(ledger: &dyn Store, no: StatementNo) {
        let seen = preview(ledger, no).await;
        let claimed = claim(ledger, no, &seen).await;
        assert!(matches!(claimed, StatementClaim::Claimed(_)), "{claimed:?}");
    }
    World::with_paid_in(ledgers, 0).await;
    let ledger = &*ledgers[0];
    let remembered = async || ledgers[1].bank().typed_columns().await.unwrap();
    let mut uploaded = Vec::new();
    let typed = |columns: &str| Some(TableColumns::Typed(columns.to_owned()));
    let tables = [
        ("a", typed("{\"day\":\"Tag\"}")),
        ("b", typed("other")),
        ("c", None),
        ("d", Some(TableColumns::OfSettings)),
    ];
    for (number, (name, columns)) in tables.into_iter().enumerate() {
        let amount = format!("{}.00", number + 1);
        let lines = [("rent", amount.as_str())];
        let new = NewStatement {
            columns,
            ..statement(name, &lines)
        };
        uploaded.push(upload(ledger, new).await);
    }
    assert_eq!(remembered().await, None, "nobody has looked at what was read");
    for (place, expected) in [
        (1, Some("other")),
        // One that was uploaded earlier, and one that is no table.
        (0, Some("other")),
        (2, Some("other")),
        (3, None),
    ] {
        book(ledger, uploaded[place]).await;
        assert_eq!(remembered().await.as_deref(), expected, "{place}");
    }
}

/// Booking claims exactly what the preview shows, once, and refuses another preview.
pub async fn a_statement_is_claimed_as_it_was_previewed(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let (alice_code, carol_code) = (code("alice"), code("carol"));
    let lines = [(alice_code.as_str(), "5.00"), (carol_code.as_str(), "7.00")];
    let no = upload(&*ledgers[0], statement("one", &lines)).await;
    let before = preview(&*ledgers[0], no).await;
    ledgers[0].apply(&[open("carol", 3)]).await.unwrap();
    assert_eq!(
        claim(&*ledgers[1], no, &before).await,
        StatementClaim::Changed,
        "carol has an account now"
    );
    assert!(states(&*ledgers[0]).await.is_empty());
    let seen = preview(&*ledgers[1], no).await;
    let StatementClaim::Claimed(booked) = claim(&*ledgers[1], no, &seen).await else {
        panic!("it is not claimed");
    };
    let figures = booked.booked.as_ref().map(|booked| (booked.lines, booked.amount));
    assert_eq!(figures, Some((2, amount(1200))));
    assert_eq!(
        claim(&*ledgers[0], no, &seen).await,
        StatementClaim::Repeated(booked.clone())
    );
    let nothing = preview(&*ledgers[0], no).await;
    assert_ne!(nothing.digest(), seen.digest());
    assert_eq!(
        claim(&*ledgers[0], no, &nothing).await,
        StatementClaim::Repeated(booked),
        "a booking of nothing leaves the record of the real one"
    );
    let claimed = ledgers[0]
        .bank()
        .claimed(BankLineNo::BEFORE_ALL, 10)
        .await
        .unwrap();
    let amounts: Vec<_> = claimed
        .iter()
        .map(|line| (line.account.name.as_str(), line.amount.units()))
        .collect();
    assert_eq!(amounts, [("alice", 500), ("carol", 700)]);
    assert_eq!(kinds(&*ledgers[0]).await, ["book-statement", "upload-statement"]);

    // A second file with the same lines and one more brings only that.
    let more = [lines[0], lines[1], (alice_code.as_str(), "5.00")];
    let second = upload(&*ledgers[0], statement("two", &more)).await;
    let seen = preview(&*ledgers[0], second).await;
    assert_eq!(seen.new_lines().count(), 1);
    let digest = seen.digest();
    let ended = claimed
        .into_iter()
        .map(|line| (line, ClaimOutcome::Credited))
        .collect();
    ledgers[1].bank().end_claims(ended, NOW).await.unwrap();
    let later = preview(&*ledgers[1], second).await;
    assert_eq!(
        later.digest(),
        digest,
        "what was decided before does not change a preview"
    );
    assert!(matches!(
        claim(&*ledgers[0], second, &later).await,
        StatementClaim::Claimed(_)
    ));
    let unknown = action(ActionKind::BookStatement, "9");
    let bank = ledgers[0].bank();
    let unknown = bank
        .claim_statement(StatementNo::new(9), digest, unknown, None)
        .await;
    assert_eq!(unknown.unwrap(), StatementClaim::Unknown);
}

/// An unmatched line is decided once, and what is decided stays.
pub async fn an_unmatched_line_is_decided_once(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let no = upload(&*ledgers[0], statement("one", &[("a", "1.00"), ("b", "2.00")])).await;
    claim(&*ledgers[0], no, &preview(&*ledgers[0], no).await).await;
    let unmatched = Some(BankLineStateKind::Unmatched);
    let kept = ledgers[1]
        .bank()
        .lines(unmatched, BankLineNo::BEFORE_ALL, 10)
        .await
        .unwrap();
    let ids: Vec<BankLineId> = kept.iter().filter_map(|line| line.line.id()).collect();
    assert_eq!(ids.len(), 2);
    let assign = async |ledger: usize, id, name: &str| {
        let assigned = action(ActionKind::AssignBankLine, "line");
        ledgers[ledger]
            .bank()
            .claim_line(id, named(name), assigned, Consent::NotNeeded)
            .await
            .unwrap()
    };
    let set_aside = async |id, reason: &str| {
        let (reason, set) = (
            Reference::new(reason).unwrap(),
            action(ActionKind::SetBankLineAside, "line"),
        );
        ledgers[0].bank().set_aside(id, reason, set).await.unwrap()
    };
    assert_eq!(assign(0, ids[0], "alice").await, LineOutcome::Changed);
    assert_eq!(assign(1, ids[0], "alice").await, LineOutcome::Repeated);
    let claimed = LineOutcome::Decided(BankLineState::Claimed(named("alice")));
    assert_eq!(assign(1, ids[0], "bob").await, claimed);
    assert_eq!(set_aside(ids[0], "no").await, claimed);
    assert_eq!(set_aside(ids[1], "a loan").await, LineOutcome::Changed);
    assert_eq!(set_aside(ids[1], "a loan").await, LineOutcome::Repeated);
    let aside = BankLineState::SetAside(Reference::new("a loan").unwrap());
    assert_eq!(
        assign(0, ids[1], "bob").await,
        LineOutcome::Decided(aside.clone())
    );
    assert_eq!(
        assign(0, BankLineId::new([9; 16]), "bob").await,
        LineOutcome::Unknown
    );

    // A claim that the ledger refuses for good is released, one that it accepts is booked, and neither happens again.
    let claims = ledgers[0]
        .bank()
        .claimed(BankLineNo::BEFORE_ALL, 10)
        .await
        .unwrap();
    let end = async |outcome| {
        let ended = claims.iter().map(|claim| (claim.clone(), outcome)).collect();
        ledgers[1].bank().end_claims(ended, NOW).await.unwrap();
    };
    end(ClaimOutcome::Refused).await;
    assert_eq!(assign(0, ids[0], "bob").await, LineOutcome::Changed);
    end(ClaimOutcome::Credited).await;
    let line = ledgers[0].bank().line(ids[0]).await.unwrap().unwrap();
    assert_eq!(
        line.state,
        BankLineState::Claimed(named("bob")),
        "another claim is not ended"
    );
    let claims = ledgers[0]
        .bank()
        .claimed(BankLineNo::BEFORE_ALL, 10)
        .await
        .unwrap();
    let ended = claims
        .into_iter()
        .map(|claim| (claim, ClaimOutcome::Credited))
        .collect();
    ledgers[0].bank().end_claims(ended, NOW).await.unwrap();
    let line = ledgers[1].bank().line(ids[0]).await.unwrap().unwrap();
    assert_eq!(line.state, BankLineState::Booked(named("bob")));
    assert_eq!(assign(1, ids[0], "bob").await, LineOutcome::Repeated);
    assert_eq!(
        ledgers[0].bank().line(ids[1]).await.unwrap().unwrap().state,
        aside
    );
    let changes = kinds(&*ledgers[0]).await;
    assert_eq!(
        changes.iter().filter(|kind| *kind == "assign-bank-line").count(),
        2
    );
    assert_eq!(
        changes
            .iter()
            .filter(|kind| *kind == "set-bank-line-aside")
            .count(),
        1
    );
}

/// A movement that is read in another way, or comes with other content, is not credited again.
pub async fn a_movement_is_not_credited_again_by_another_reading(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let (to_alice, to_bob) = (code("alice"), code("bob"));
    let first = statement("first", &[(to_alice.as_str(), "5.00"), (to_bob.as_str(), "6.00")]);
    let no = upload(&*ledgers[0], first.clone()).await;
    claim(&*ledgers[0], no, &preview(&*ledgers[0], no).await).await;
    let why = async |new: NewStatement| {
        let no = upload(&*ledgers[1], new).await;
        let seen = preview(&*ledgers[1], no).await;
        let verdicts: Vec<_> = seen.lines.iter().map(|line| line.verdict.clone()).collect();
        verdicts
    };
    let unmatched = |why, is_kept| Verdict::Unmatched { why, is_kept };

    // Other columns show more of the text, so the identity is another one.
    let longer = format!("more {to_alice}");
    let lines = [
        (longer.as_str(), "5.00"),
        (longer.as_str(), "7.00"),
        (to_bob.as_str(), "6.00"),
        ("no code", "5.00"),
        ("no code", "7.00"),
    ];
    let other = NewStatement {
        reading: [2; 32],
        ..statement("other", &lines)
    };
    let verdicts = why(other).await;
    assert_eq!(verdicts[0], unmatched(Unmatched::MayBeBooked, false));
    assert_eq!(verdicts[1], Verdict::New(named("alice")), "the amount is another");
    assert!(matches!(verdicts[2], Verdict::Decided(_)));
    assert_eq!(verdicts[3], unmatched(Unmatched::MayBeBooked, false));
    assert_eq!(verdicts[4], unmatched(Unmatched::NoCode, false));
    let same = statement("same", &[(longer.as_str(), "5.00")]);
    assert_eq!(
        why(same).await,
        [Verdict::New(named("alice"))],
        "the reading tells them apart"
    );

    // Two movements share a reference, and a later file has a new one before the one that is known.
    let mut shifted = statement("shifted", &[(to_bob.as_str(), "5.00"), (longer.as_str(), "5.00")]);
    let known = first.lines[0].id().unwrap();
    for line in &mut shifted.lines {
        line.content.bank_reference = "2026050400017".into();
    }
    if let LineMeaning::Incoming(incoming) = &mut shifted.lines[0].meaning {
        incoming.id = known;
    }
    let expected = [
        unmatched(Unmatched::OtherContent, true),
        unmatched(Unmatched::OtherContent, false),
    ];
    assert_eq!(why(shifted).await, expected);
}

/// Several operators book overlapping statements at once, and every line is claimed once.
pub async fn statements_booked_at_once_claim_each_line_once(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let texts: Vec<String> = (0..100)
        .map(|number| format!("{} no {number}", code("alice")))
        .collect();
    let lines: Vec<(&str, &str)> = texts.iter().map(|text| (text.as_str(), "1.00")).collect();
    let numbers = [
        upload(&*ledgers[0], statement("one", &lines[..70])).await,
        upload(&*ledgers[1], statement("two", &lines[30..])).await,
    ];
    let booking = (0..6_usize).map(|number| {
        let (ledger, no) = (
            std::sync::Arc::clone(&ledgers[number % 2]),
            numbers[number / 2 % 2],
        );
        tokio::spawn(async move {
            loop {
                let seen = ledger.bank().preview(no).await.unwrap().unwrap();
                match claim(&*ledger, no, &seen).await {
                    StatementClaim::Changed => {}
                    StatementClaim::Claimed(_) | StatementClaim::Repeated(_) => return,
                    StatementClaim::Unknown | StatementClaim::NeedsAnother(_) => {
                        panic!("the statement is there")
                    }
                }
            }
        })
    });
    for booked in booking.collect::<Vec<_>>() {
        booked.await.unwrap();
    }
    assert_eq!(states(&*ledgers[0]).await, vec![BankLineStateKind::Claimed; 100]);
    let lines = ledgers[0]
        .bank()
        .lines(None, BankLineNo::BEFORE_ALL, 1000)
        .await
        .unwrap();
    let numbers: Vec<i64> = lines.iter().map(|line| line.no.get()).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<i64>>());
}

/// A line with the code of a closed account is kept.
pub async fn a_line_for_a_closed_account_is_kept(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let no = upload(&*ledgers[0], statement("one", &[(code("bob").as_str(), "1.00")])).await;
    let close = set_status(bob(), AccountStatus::Closed);
    ledgers[0].apply(&[close]).await.unwrap()[0].as_ref().unwrap();
    let preview = preview(&*ledgers[1], no).await;
    assert_eq!(preview.new_amount(), Amount::ZERO);
    let why = Unmatched::ClosedAccount;
    assert_eq!(
        preview.lines[0].verdict,
        Verdict::Unmatched { why, is_kept: false }
    );
}
