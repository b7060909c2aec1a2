//! Statements of banks: what is read, what is ignored and why, and what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_bank::statement::{
    ColumnMap, Encoding, StatementError, StatementFormat, StatementReading, read,
};
use opencoin_bank::{BankCurrency, BankLine, Direction, Ignored, Incoming, LineKind, payment_code};
use proptest::prelude::*;

const VERSION_02: &str = include_str!("files/camt053-02.xml");
const VERSION_08: &str = include_str!("files/camt053-08.xml");
const TABLE: &[u8] = include_bytes!("files/table.csv");

fn reading() -> StatementReading {
    StatementReading {
        account: "DE89370400440532013000".parse().unwrap(),
        currency: BankCurrency {
            code: "EUR".parse().unwrap(),
            divisor: 100,
        },
        columns: Some(ColumnMap {
            delimiter: b';',
            encoding: Encoding::Windows1252,
            decimal: ',',
            date_format: "DD.MM.YYYY".parse().unwrap(),
            day: "Buchungstag".into(),
            amount: "Betrag".into(),
            texts: vec!["Verwendungszweck".into()],
            currency: Some("Währung".into()),
            direction: None,
            party: Some("Auftraggeber".into()),
            party_account: Some("IBAN".into()),
            account: None,
            bank_reference: None,
        }),
    }
}

fn camt(text: &str) -> Result<Vec<BankLine>, StatementError> {
    read(text.as_bytes(), StatementFormat::Camt053, &reading())
}

fn table(text: &str) -> Result<Vec<BankLine>, StatementError> {
    read(text.as_bytes(), StatementFormat::Csv, &reading())
}

fn incoming(line: &BankLine) -> &Incoming {
    match &line.kind {
        LineKind::Incoming(incoming) => incoming,
        LineKind::Ignored(reason) => panic!("line {} is ignored: {reason:?}", line.place),
    }
}

fn ids(lines: &[BankLine]) -> Vec<String> {
    let id = |line: &BankLine| match &line.kind {
        LineKind::Incoming(incoming) => Some(incoming.id.to_string()),
        LineKind::Ignored(_) => None,
    };
    lines.iter().filter_map(id).collect()
}

#[test]
fn the_codes_of_the_files_are_right() {
    assert_eq!(payment_code::of_account("alice"), "OC-ALICE-OA");
    assert_eq!(payment_code::of_account("carol"), "OC-CAROL-R5");
}

#[test]
fn version_02_is_read() {
    let lines = camt(VERSION_02).unwrap();
    assert_eq!(lines.len(), 7);
    let first = &lines[0].content;
    assert_eq!(
        (first.direction, first.amount.as_str()),
        (Direction::Credit, "12.50")
    );
    assert_eq!(first.day.to_string(), "2026-05-04");
    assert_eq!(first.party, "Alice Meyer & Co");
    assert_eq!(first.party_account, "GB29NWBK60161331926819");
    assert_eq!(first.text, "Einzahlung fuer OC-AL ICE-OA danke");
    assert_eq!(first.bank_reference, "2026050400017");
    assert_eq!(first.end_to_end_id, "NOTPROVIDED");
    assert_eq!(incoming(&lines[0]).units, 1250);
    assert_eq!(incoming(&lines[0]).codes, ["alice"]);

    let [one, other] = [&lines[1], &lines[2]].map(incoming);
    assert_eq!((one.units, one.codes.as_slice()), (500, &[][..]));
    assert_ne!(one.id, other.id, "two equal payments are two");

    let [carol, dan] = [&lines[3], &lines[4]];
    assert_eq!(
        (incoming(carol).units, incoming(carol).codes.as_slice()),
        (4000, &["carol".to_owned()][..])
    );
    assert_eq!((incoming(dan).units, dan.content.party.as_str()), (2000, "Dan"));

    assert_eq!(lines[5].kind, LineKind::Ignored(Ignored::Outgoing));
    assert_eq!(lines[5].content.end_to_end_id, "OC-PAYOUT-7");
    assert_eq!(lines[6].kind, LineKind::Ignored(Ignored::NotBooked));
    assert_eq!(lines[6].place, 7);
}

#[test]
fn version_08_is_read() {
    let lines = camt(VERSION_08).unwrap();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0].content.party, "Alice Meyer & Co");
    assert_eq!(lines[0].content.text, "Einzahlung fuer OC-ALICE-OA danke");
    let returned = incoming(&lines[1]);
    assert!(returned.is_return);
    assert_eq!(lines[2].kind, LineKind::Ignored(Ignored::OtherCurrency));
    assert!(
        matches!(lines[3].kind, LineKind::Ignored(Ignored::Amount(_))),
        "half a cent cannot be booked"
    );
    assert_eq!(lines[4].kind, LineKind::Ignored(Ignored::OtherAccount));
}

#[test]
fn money_that_the_bank_takes_back_is_told_apart() {
    let credit = "12.50</Amt>\n        <CdtDbtInd>CRDT</CdtDbtInd>";
    let debit = "12.50</Amt>\n        <CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd>";
    let lines = camt(&VERSION_02.replace(credit, debit)).unwrap();
    assert_eq!(lines[0].kind, LineKind::Ignored(Ignored::TakenBack));
    assert_eq!(lines[5].kind, LineKind::Ignored(Ignored::Outgoing));
}

#[test]
fn a_movement_has_one_identity_in_both_versions() {
    let (older, newer) = (camt(VERSION_02).unwrap(), camt(VERSION_08).unwrap());
    assert_eq!(ids(&older)[0], ids(&newer)[0]);
}

#[test]
fn a_gathering_entry_without_all_amounts_is_one_line_for_people() {
    for wrong in [
        VERSION_02.replace(
            "<AmtDtls><TxAmt><Amt Ccy=\"EUR\">20.00</Amt></TxAmt></AmtDtls>",
            "",
        ),
        VERSION_02.replace("<Amt Ccy=\"EUR\">20.00</Amt>", "<Amt Ccy=\"EUR\">20.01</Amt>"),
        VERSION_02.replace("<Amt Ccy=\"EUR\">20.00</Amt>", "<Amt Ccy=\"USD\">20.00</Amt>"),
    ] {
        let lines = camt(&wrong).unwrap();
        assert_eq!(incoming(&lines[3]).codes, ["carol"], "one text of two has a code");
        assert!(
            incoming(&lines[3]).is_gathered,
            "and the money is not all of that account"
        );
        let wrong = wrong.replace(">nothing<", ">OC-ALICE-OA<");
        let lines = camt(&wrong).unwrap();
        assert_eq!(lines.len(), 6);
        assert_eq!(incoming(&lines[3]).units, 6000);
        assert_eq!(incoming(&lines[3]).codes, ["alice", "carol"]);
        assert_eq!(lines[3].content.text, "oc-carol-r5 OC-ALICE-OA");
        assert!(incoming(&lines[3]).is_gathered);
    }
}

#[test]
fn an_entry_that_announces_more_transactions_than_it_shows_is_for_people() {
    let announced = |number: &str| {
        let batch = format!("<NtryDtls><Btch><NbOfTxs>{number}</NbOfTxs></Btch>");
        camt(&VERSION_02.replace("<NtryDtls>", &batch)).unwrap()
    };
    let lines = announced("1");
    assert!(!incoming(&lines[0]).is_gathered);
    for number in ["2", "3"] {
        let lines = announced(number);
        assert!(incoming(&lines[0]).is_gathered, "one of {number} is shown");
        assert_eq!(incoming(&lines[0]).codes, ["alice"]);
    }
    let lines = announced("3");
    assert_eq!(lines.len(), 6, "two of three are not told apart");
    assert!(incoming(&lines[3]).is_gathered);
}

#[test]
fn small_files_do_not_become_large_in_memory() {
    let long = VERSION_02.replace("for my account", &"x".repeat(10_001));
    assert!(matches!(camt(&long), Err(StatementError::TextTooLong { .. })));
    let longest = VERSION_02.replace("for my account", &"x".repeat(10_000));
    assert!(camt(&longest).is_ok());
    let pieces = VERSION_02.replace("for my account", &"&amp;".repeat(10_001));
    assert!(matches!(camt(&pieces), Err(StatementError::TextTooLong { .. })));
    let details = |count: usize| {
        let many = format!("<NtryDtls>{}", "\n        <TxDtls/>".repeat(count));
        camt(&VERSION_02.replacen("<NtryDtls>", &many, 1))
    };
    assert!(details(9_000).is_ok(), "spaces between elements are not a text");
    assert_eq!(details(10_001), Err(StatementError::TooManyLines));
    let elements = VERSION_02.replacen("<NtryDtls>", &format!("<NtryDtls>{}", "<Cd/>".repeat(400_000)), 1);
    assert!(matches!(
        camt(&elements),
        Err(StatementError::TooManyElements { .. })
    ));
    let mut reading = reading();
    let read = |file: &str, reading: &StatementReading| read(file.as_bytes(), StatementFormat::Csv, reading);
    for row in [";".repeat(1_000), "x".repeat(10_001)] {
        assert!(matches!(
            read(&row, &reading),
            Err(StatementError::Row { row: 1, .. })
        ));
    }
    reading.columns.as_mut().unwrap().texts = vec!["x".to_owned(); 21];
    assert_eq!(read("", &reading), Err(StatementError::TooManyColumns(20)));
}

#[test]
fn a_table_is_read_below_its_header() {
    let lines = read(TABLE, StatementFormat::Csv, &reading()).unwrap();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0].content.amount, "1012.50");
    assert_eq!(lines[0].content.party, "Jürgen Groß");
    assert_eq!(lines[0].content.text, "Einzahlung; OC-ALICE -OA");
    assert_eq!(incoming(&lines[0]).codes, ["alice"]);
    assert_eq!(lines[1].content.party, "=1+1");
    assert_eq!(lines[1].content.text, "für \"mich\"");
    assert_ne!(incoming(&lines[1]).id, incoming(&lines[2]).id);
    assert_eq!(lines[3].kind, LineKind::Ignored(Ignored::Outgoing));
    assert_eq!(lines[4].kind, LineKind::Ignored(Ignored::OtherCurrency));
}

#[test]
fn columns_may_say_more() {
    let mut reading = reading();
    let columns = reading.columns.as_mut().unwrap();
    (columns.direction, columns.account) = (Some("S/H".into()), Some("Konto".into()));
    columns.bank_reference = Some("Referenz".into());
    let head = "Buchungstag;S/H;Konto;Referenz;Auftraggeber;IBAN;Verwendungszweck;Betrag;W\u{e4}hrung\n";
    let row = "04.05.2026;H;DE89 3704 0044 0532 0130 00;2026050400017;A;;x;12,50;EUR\n";
    let encoded = |text: &str| text.replace('\u{e4}', "?").into_bytes();
    let file = |rows: &str| {
        let mut file = encoded(&format!("{head}{rows}"));
        for byte in &mut file {
            if *byte == b'?' {
                *byte = 0xe4;
            }
        }
        read(&file, StatementFormat::Csv, &reading)
    };
    let lines = file(row).unwrap();
    assert_eq!(
        ids(&lines)[0],
        ids(&camt(VERSION_02).unwrap())[0],
        "a reference is the same in every form"
    );
    assert_eq!(
        file(&row.replace(";H;", ";S;")).unwrap()[0].kind,
        LineKind::Ignored(Ignored::Outgoing)
    );
    let other = file(&row.replace("DE89", "DE88")).unwrap();
    assert_eq!(other[0].kind, LineKind::Ignored(Ignored::OtherAccount));
    assert!(file(&row.replace(";H;", ";X;")).is_err());
}

#[test]
fn text_that_misleads_is_marked() {
    let text = VERSION_02.replace("for my account", "for \u{202e}my account\u{200b}");
    let lines = camt(&text).unwrap();
    assert_eq!(lines[1].content.text, "for \u{fffd}my account\u{fffd}");
    let long = VERSION_02.replace("for my account", &format!("{} OC-ALICE-OA", "x".repeat(5_000)));
    let lines = camt(&long).unwrap();
    assert_eq!(lines[1].content.text.chars().count(), 1_001);
    assert_eq!(
        incoming(&lines[1]).codes,
        ["alice"],
        "a code is found in all of a text"
    );
}

#[test]
fn hostile_xml_is_refused() {
    let with_head = |head: &str| VERSION_02.replacen("<Document", &format!("{head}<Document"), 1);
    let doctype = with_head("<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>");
    assert_eq!(camt(&doctype), Err(StatementError::Doctype));
    let bombs = with_head("<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>");
    assert_eq!(camt(&bombs), Err(StatementError::Doctype));
    let entity = VERSION_02.replace("for my account", "for &my; account");
    assert!(matches!(camt(&entity), Err(StatementError::Entity { .. })));
    let deep = VERSION_02.replace(
        "for my account",
        &format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)),
    );
    assert!(matches!(camt(&deep), Err(StatementError::TooDeep { .. })));
    let zero = VERSION_02.replace("for my account", "&#0;");
    assert!(matches!(camt(&zero), Err(StatementError::Xml { .. })));
}

#[test]
fn damaged_xml_is_refused_as_a_whole() {
    for cut in [VERSION_02.len() - 20, VERSION_02.len() / 2, 300] {
        assert!(camt(&VERSION_02[..cut]).is_err(), "cut at {cut}");
    }
    let crossed = VERSION_02.replace("</Ustrd></RmtInf>", "</RmtInf></Ustrd>");
    assert!(matches!(camt(&crossed), Err(StatementError::Xml { .. })));
    assert!(camt(&format!("{VERSION_02}<a>")).is_err());
}

#[test]
fn what_an_entry_lacks_is_said() {
    let error = |from: &str, to: &str| camt(&VERSION_02.replacen(from, to, 1)).unwrap_err().to_string();
    let first = "<Amt Ccy=\"EUR\">12.50</Amt>";
    assert_eq!(error(first, ""), "entry 1: it has no amount");
    assert_eq!(
        error(first, "<Amt Ccy=\"EUR\">12,50</Amt>"),
        "entry 1: \"12,50\" is not an amount"
    );
    assert_eq!(
        error(first, "<Amt Ccy=\"EUR\">-1</Amt>"),
        "entry 1: \"-1\" is not an amount"
    );
    let day = "<BookgDt><Dt>2026-05-04</Dt></BookgDt>\n        <ValDt><Dt>2026-05-04</Dt></ValDt>";
    assert_eq!(error(day, ""), "entry 1: it has no day");
    assert_eq!(
        error(day, "<BookgDt><Dt>2026-02-31</Dt></BookgDt>"),
        "entry 1: \"2026-02-31\" is not a day"
    );
}

#[test]
fn other_documents_are_refused_by_name() {
    let error = |text: &str| camt(text).unwrap_err().to_string();
    let other = VERSION_02.replace("camt.053.001.02", "camt.054.001.08");
    assert!(error(&other).contains("it is camt.054.001.08"));
    assert!(error("<html></html>").contains("it is html"));
    assert!(
        error(&VERSION_02.replace(" xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"", ""))
            .contains("Document")
    );
    assert_eq!(camt(""), Err(StatementError::NoStatement));
    let empty =
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt/></Document>";
    assert_eq!(camt(empty), Err(StatementError::NoStatement));
    assert_eq!(
        read(b"PK\x03\x04abc", StatementFormat::Csv, &reading()),
        Err(StatementError::Archive)
    );
}

#[test]
fn limits_hold() {
    let too_large = vec![b' '; opencoin_bank::statement::FILE_BYTES_MAX + 1];
    assert_eq!(
        read(&too_large, StatementFormat::Camt053, &reading()),
        Err(StatementError::TooLarge)
    );
    let head = "Buchungstag;Auftraggeber;IBAN;Verwendungszweck;Betrag;W\u{fffd}hrung\n";
    let mut reading = reading();
    let columns = reading.columns.as_mut().unwrap();
    (columns.encoding, columns.currency) = (Encoding::Utf8, None);
    let rows = |count: usize| format!("{head}{}", "04.05.2026;A;;x;1,00;EUR\n".repeat(count));
    let count = |rows: String| read(rows.as_bytes(), StatementFormat::Csv, &reading).map(|lines| lines.len());
    assert_eq!(count(rows(10_000)), Ok(10_000));
    assert_eq!(count(rows(10_001)), Err(StatementError::TooManyLines));
}

#[test]
fn tables_that_do_not_fit_are_refused_with_the_place() {
    assert!(matches!(
        table("a;b;c\n1;2;3\n"),
        Err(StatementError::NoHeader(_))
    ));
    assert!(matches!(table(""), Err(StatementError::NoHeader(_))));
    let mut without = reading();
    without.columns = None;
    assert_eq!(
        read(TABLE, StatementFormat::Csv, &without),
        Err(StatementError::NoColumns)
    );
    let mut file = TABLE.to_vec();
    let at = file.windows(8).position(|bytes| bytes == b"1.012,50").unwrap();
    file[at..at + 8].copy_from_slice(b"1,012.50");
    let error = read(&file, StatementFormat::Csv, &reading())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "row 4: \"1,012.50\" is not an amount with ',' before its decimals"
    );
}

#[test]
fn the_form_of_a_file_is_recognised() {
    for (file, format) in [
        (VERSION_02.as_bytes(), StatementFormat::Camt053),
        (b"\xef\xbb\xbf \n<a/>", StatementFormat::Camt053),
        (TABLE, StatementFormat::Csv),
        (b"", StatementFormat::Csv),
    ] {
        assert_eq!(StatementFormat::detect(file), format);
    }
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(file in any::<Vec<u8>>()) {
        let _ = read(&file, StatementFormat::Camt053, &reading());
        let _ = read(&file, StatementFormat::Csv, &reading());
    }

    #[test]
    fn no_change_of_a_statement_breaks_the_reader(at in any::<prop::sample::Index>(), byte in any::<u8>(),
        length in 0_usize..50) {
        let mut file = VERSION_08.as_bytes().to_vec();
        let at = at.index(file.len());
        let end = file.len().min(at + length);
        file.splice(at..end, [byte]);
        let _ = read(&file, StatementFormat::Camt053, &reading());
    }

    #[test]
    fn a_statement_read_twice_gives_the_same_identities(count in 1_usize..20, amounts in proptest::collection::vec(1_u32..3, 20)) {
        let head = "Buchungstag;Auftraggeber;IBAN;Verwendungszweck;Betrag\n";
        let rows: String = amounts[..count].iter().map(|amount| format!("04.05.2026;A;;x;{amount},00\n")).collect();
        let mut reading = reading();
        reading.columns.as_mut().unwrap().currency = None;
        let read = || read(format!("{head}{rows}").as_bytes(), StatementFormat::Csv, &reading).unwrap();
        let (first, second) = (read(), read());
        prop_assert_eq!(&first, &second);
        let mut distinct = ids(&first);
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), count);
    }
}
