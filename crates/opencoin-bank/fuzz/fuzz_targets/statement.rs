//! No file makes a reader of statements panic, and a file that is read gives the same lines again, each with an identity
//! of its own.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use opencoin_bank::statement::{ColumnMap, Encoding, StatementFormat, StatementReading, read};
use opencoin_bank::{BankCurrency, LineKind};

fuzz_target!(|file: &[u8]| {
    let reading = StatementReading {
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
            day: "d".into(),
            amount: "a".into(),
            texts: vec!["t".into()],
            currency: None,
            direction: None,
            party: None,
            party_account: None,
            account: None,
            bank_reference: None,
        }),
    };
    for format in [StatementFormat::Camt053, StatementFormat::Csv] {
        let Ok(lines) = read(file, format, &reading) else { continue };
        assert_eq!(read(file, format, &reading).as_ref(), Ok(&lines));
        let id = |kind: &LineKind| match kind {
            LineKind::Incoming(incoming) => Some(incoming.id),
            LineKind::Ignored(_) => None,
        };
        let ids: Vec<_> = lines.iter().filter_map(|line| id(&line.kind)).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
});
