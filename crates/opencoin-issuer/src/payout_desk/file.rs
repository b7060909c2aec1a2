//! Writes the file of an export.

use chrono::{DateTime, Utc};
use opencoin_bank::cells::{CsvCell, write_row};
use opencoin_bank::pain::{Payer, Transfer, Transfers};
use opencoin_bank::{BankCurrency, Destination, DestinationError};
use opencoin_ledger::Payout;
use opencoin_ledger::bank::ExportFormat;

use super::{ExportRequest, PayoutDesk, PayoutDeskError};

/// The columns of a table.
const COLUMNS: [&str; 9] = [
    "payout",
    "account",
    "name",
    "iban",
    "amount",
    "currency",
    "text",
    "reference",
    "message",
];

impl PayoutDesk {
    /// The file of these payouts.
    pub(super) fn written(
        &self,
        request: &ExportRequest,
        payouts: &[Payout],
        message_id: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, PayoutDeskError> {
        let setting = |(key, reason)| PayoutDeskError::Setting { key, reason };
        let payer = self.account.payer().map_err(setting)?;
        let payer = payer.ok_or(PayoutDeskError::NoAccount)?;
        let currency = self.account.currency(self.divisor).map_err(setting)?;
        let (mut transfers, mut wrong) = (Vec::with_capacity(payouts.len()), Vec::new());
        for payout in payouts {
            match self.transfer(payout) {
                Ok(transfer) => transfers.push(transfer),
                Err(reason) => wrong.push((payout.no, reason)),
            }
        }
        if !wrong.is_empty() {
            return Err(PayoutDeskError::Destinations(wrong));
        }
        Ok(match request.format {
            ExportFormat::Pain001 => pain(request, transfers, (payer, currency), (message_id, now))?,
            ExportFormat::Csv => table(payouts, &transfers, &currency, message_id)?,
        }
        .into_bytes())
    }

    /// A payee who gives no name is called like the account.
    fn transfer(&self, payout: &Payout) -> Result<Transfer, DestinationError> {
        let no = payout.no;
        let destination = Destination::read(payout.destination.as_str())?;
        let name = destination
            .name
            .filter(|name| name.chars().any(|character| character.is_ascii_alphanumeric()));
        Ok(Transfer {
            end_to_end_id: format!("OC-PAYOUT-{}", no.get()),
            units: payout.amount.units(),
            name: name.unwrap_or_else(|| payout.name.as_str().to_owned()),
            iban: destination.iban,
            text: format!("{} payout {}", self.currency, no.get()),
        })
    }
}

fn pain(
    request: &ExportRequest,
    transfers: Vec<Transfer>,
    (payer, currency): (Payer, BankCurrency),
    (message_id, now): (&str, DateTime<Utc>),
) -> Result<String, PayoutDeskError> {
    let transfers = Transfers {
        message_id: message_id.to_owned(),
        created: now,
        execution: request.execution.unwrap_or_else(|| now.date_naive()),
        payer,
        currency,
        transfers,
    };
    Ok(transfers.document()?)
}

/// Cells that a holder has written never become formulas.
fn table(
    payouts: &[Payout],
    transfers: &[Transfer],
    currency: &BankCurrency,
    message_id: &str,
) -> Result<String, PayoutDeskError> {
    let mut table = String::new();
    write_row(&mut table, &COLUMNS.map(CsvCell::Plain));
    for (payout, transfer) in payouts.iter().zip(transfers) {
        let no = payout.no;
        let amount = currency
            .decimal(transfer.units)
            .map_err(|reason| PayoutDeskError::Amount { no, reason })?;
        let number = no.get().to_string();
        write_row(
            &mut table,
            &[
                CsvCell::Plain(&number),
                CsvCell::Text(payout.name.as_str()),
                CsvCell::Text(&transfer.name),
                CsvCell::Plain(transfer.iban.as_str()),
                CsvCell::Plain(&amount),
                CsvCell::Plain(currency.code.as_str()),
                CsvCell::Text(&transfer.text),
                CsvCell::Plain(&transfer.end_to_end_id),
                CsvCell::Plain(message_id),
            ],
        );
    }
    Ok(table)
}
