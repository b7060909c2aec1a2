//! Files for the bank: the same bytes as before, and what no bank could read is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_bank::pain::{Payer, Transfer, Transfers, TransfersError};
use opencoin_bank::{BankCurrency, cells};
use proptest::prelude::*;

fn transfers() -> Transfers {
    let transfer = |id: &str, units, name: &str, iban: &str| Transfer {
        end_to_end_id: id.into(),
        units,
        name: name.into(),
        iban: iban.parse().unwrap(),
        text: format!("OpenCent & more: {id}"),
    };
    Transfers {
        message_id: "OC-3-20260504T112000Z".into(),
        created: "2026-05-04T11:20:00Z".parse().unwrap(),
        execution: "2026-05-05".parse().unwrap(),
        payer: Payer {
            name: "OpenCent e.V. \u{201e}Ümlaut\u{201c}".into(),
            iban: "DE89370400440532013000".parse().unwrap(),
            bic: Some("COBADEFFXXX".parse().unwrap()),
        },
        currency: BankCurrency {
            code: "EUR".parse().unwrap(),
            divisor: 100,
        },
        transfers: vec![
            transfer("OC-PAYOUT-7", 1250, "Jürgen <Groß>", "GB29NWBK60161331926819"),
            transfer("OC-PAYOUT-9", 1, "=1+1", "FR1420041010050500013M02606"),
        ],
    }
}

#[test]
fn the_file_for_the_bank_stays_as_it_is() {
    assert_eq!(transfers().document().unwrap(), include_str!("files/pain001.xml"));
    let mut without = transfers();
    (without.payer.bic, without.currency.code) = (None, "CHF".parse().unwrap());
    let document = without.document().unwrap();
    assert!(document.contains("<Othr><Id>NOTPROVIDED</Id></Othr>"));
    assert!(!document.contains("SEPA"));
}

#[test]
fn what_no_bank_could_read_is_refused() {
    let error = |change: fn(&mut Transfers)| {
        let mut changed = transfers();
        change(&mut changed);
        changed.document().unwrap_err()
    };
    assert_eq!(error(|file| file.transfers.clear()), TransfersError::Number);
    assert_eq!(error(|file| file.message_id = "x".repeat(36)), TransfersError::Id);
    assert_eq!(
        error(|file| file.transfers[0].end_to_end_id = "a/b".into()),
        TransfersError::Id
    );
    assert_eq!(
        error(|file| file.payer.name = "李".into()),
        TransfersError::Name("李".into())
    );
    assert!(matches!(
        error(|file| file.transfers[1].units = 0),
        TransfersError::Amount { .. }
    ));
    assert_eq!(
        error(|file| file.transfers[1].units = u64::MAX),
        TransfersError::Sum
    );
    assert!(matches!(
        error(|file| file.currency.divisor = 1000),
        TransfersError::Amount { .. } | TransfersError::Sum
    ));
}

#[test]
fn a_table_for_the_bank_stays_as_it_is() {
    let mut table = String::new();
    for transfer in transfers().transfers {
        let row = [
            cells::CsvCell::Plain(&transfer.end_to_end_id),
            cells::CsvCell::Text(&transfer.name),
            cells::CsvCell::Plain(transfer.iban.as_str()),
            cells::CsvCell::Text(&transfer.text),
        ];
        cells::write_row(&mut table, &row);
    }
    assert_eq!(
        table,
        "OC-PAYOUT-7,Jürgen <Groß>,GB29NWBK60161331926819,OpenCent & more: OC-PAYOUT-7\r\n\
         OC-PAYOUT-9,'=1+1,FR1420041010050500013M02606,OpenCent & more: OC-PAYOUT-9\r\n"
    );
}

proptest! {
    #[test]
    fn no_text_breaks_the_document(name in any::<String>(), text in any::<String>()) {
        let mut file = transfers();
        (file.transfers[0].name, file.transfers[0].text) = (name, text);
        if let Ok(document) = file.document() {
            prop_assert_eq!(document.matches("<CdtTrfTxInf>").count(), 2);
            prop_assert_eq!(document.matches('<').count(), document.matches('>').count());
            prop_assert!(document.is_ascii() && !document.contains('&'));
        }
    }
}
