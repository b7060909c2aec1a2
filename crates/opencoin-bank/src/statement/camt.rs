//! CAMT.053: the statement of ISO 20022, in its versions from 02 on.
//!
//! The versions differ little in what is read here: a status is a text or a code in an element, and a party stands in
//! an element of its own or not. An entry that gathers several transactions becomes one line for each of them, if their
//! amounts are there and their sum is that of the entry; otherwise it is one line, which is for people to look at.

use chrono::NaiveDate;
use quick_xml::events::BytesStart;

use super::encoding;
use super::error::StatementError;
use super::lines::{LineFault, Lines, Movement};
use super::xml::{Element, Piece, Xml, attribute};
use super::{LINES_MAX, StatementReading};
use crate::content::{BankLineContent, Direction};
use crate::line::BankLine;
use crate::line_id::IdentityKind;

const NAMESPACES: &str = "urn:iso:std:iso:20022:tech:xsd:";
const MESSAGE: &str = "camt.053.001.";

/// The elements of an entry that are read.
const NAMES: [&str; 41] = [
    "AcctSvcrRef",
    "AddtlNtryInf",
    "AddtlTxInf",
    "Amt",
    "AmtDtls",
    "BookgDt",
    "Btch",
    "Cd",
    "CdtDbtInd",
    "Cdtr",
    "CdtrAcct",
    "CdtrRefInf",
    "Dbtr",
    "DbtrAcct",
    "Dt",
    "DtTm",
    "EndToEndId",
    "IBAN",
    "Id",
    "NbOfTxs",
    "Nm",
    "NtryDtls",
    "NtryRef",
    "Othr",
    "Pty",
    "Ref",
    "Refs",
    "RltdPties",
    "RmtInf",
    "RtrInf",
    "RvslInd",
    "Strd",
    "Sts",
    "TxAmt",
    "TxDtls",
    "TxId",
    "Ustrd",
    "ValDt",
    "Acct",
    "Ntry",
    "Ccy",
];
/// The decimals of an amount at most (`ActiveOrHistoricCurrencyAndAmount`).
const DECIMALS_MAX: usize = 5;

pub(super) fn read(file: &[u8], reading: &StatementReading) -> Result<Vec<BankLine>, StatementError> {
    let text = encoding::decode_xml(file)?;
    let mut xml = Xml::new(&text);
    let mut lines = Lines::new(reading, IdentityKind::CamtContent);
    open_document(&mut xml)?;
    let (mut entries, mut statements) = (0, 0);
    // The elements Document and BkToCstmrStmt are open; the loop ends with the end of the document.
    loop {
        match xml.next()? {
            Piece::Open(start) if start.local_name().into_inner() == "BkToCstmrStmt" => {}
            Piece::Open(start) if start.local_name().into_inner() == "Stmt" => {
                statements += 1;
                read_statement(&mut xml, &mut lines, &mut entries)?;
            }
            Piece::Open(_) => xml.skip()?,
            Piece::Close | Piece::Text(_) => {}
            Piece::End if statements == 0 => return Err(StatementError::NoStatement),
            Piece::End => return Ok(lines.finish()),
        }
    }
}

/// Reads up to the root element and checks what document it is.
fn open_document(xml: &mut Xml<'_>) -> Result<(), StatementError> {
    loop {
        match xml.next()? {
            Piece::Open(start) => {
                let name = start.name();
                let declaration = match name.prefix() {
                    Some(prefix) => format!("xmlns:{}", prefix.into_inner()),
                    None => "xmlns".to_owned(),
                };
                let namespace = attribute(xml, &start, &declaration)?;
                let document = namespace.strip_prefix(NAMESPACES).unwrap_or(&namespace);
                let version = document
                    .strip_prefix(MESSAGE)
                    .and_then(|version| version.parse().ok());
                let is_statement = start.local_name().into_inner() == "Document"
                    && matches!(version, Some(2_u32..=99))
                    && document != namespace;
                return if is_statement {
                    Ok(())
                } else {
                    Err(other_document(document, &start))
                };
            }
            Piece::End => return Err(StatementError::NoStatement),
            Piece::Text(_) | Piece::Close => {}
        }
    }
}

fn other_document(document: &str, start: &BytesStart<'_>) -> StatementError {
    let name = if document.is_empty() {
        start.local_name().into_inner()
    } else {
        document
    };
    StatementError::OtherDocument(opencoin_text::printable(
        &name.chars().take(80).collect::<String>(),
    ))
}

fn read_statement(
    xml: &mut Xml<'_>,
    lines: &mut Lines<'_>,
    entries: &mut usize,
) -> Result<(), StatementError> {
    let mut account = String::new();
    loop {
        match xml.next()? {
            Piece::Open(start) => match start.local_name().into_inner() {
                "Acct" => {
                    let element = Element::read(xml, "Acct", &start, &NAMES)?;
                    account = account_of(&element).to_owned();
                }
                "Ntry" => {
                    *entries += 1;
                    let entry = *entries;
                    let element = Element::read(xml, "Ntry", &start, &NAMES)?;
                    let at = |reason| StatementError::Entry { entry, reason };
                    add_movements(lines, &element, &account).map_err(|fault| fault.of_file(at))?;
                }
                _ => xml.skip()?,
            },
            Piece::Close | Piece::End => return Ok(()),
            Piece::Text(_) => {}
        }
    }
}

/// Adds the movements of one entry, one by one: all of them together could be much larger than the file.
fn add_movements(lines: &mut Lines<'_>, entry: &Element, account: &str) -> Result<(), LineFault> {
    let whole = Entry::new(entry, account).map_err(LineFault::Reason)?;
    let details: Vec<&Element> = entry
        .all("NtryDtls")
        .flat_map(|part| part.all("TxDtls"))
        .take(LINES_MAX + 1)
        .collect();
    if details.len() > LINES_MAX {
        return Err(LineFault::TooMany);
    }
    let is_complete = !entry.all("NtryDtls").any(announces_more);
    if is_complete && details.len() > 1 && whole.is_sum_of(&details).map_err(LineFault::Reason)? {
        for detail in details {
            let movement = whole.movement(&[detail], amount_of(detail));
            lines.add(movement.map_err(LineFault::Reason)?)?;
        }
        return Ok(());
    }
    let movement = whole.movement(&details, None).map_err(LineFault::Reason)?;
    lines.add(Movement {
        is_gathered: !is_complete || details.len() > 1,
        ..movement
    })
}

/// Whether a part of an entry stands for more transactions than it shows.
fn announces_more(part: &Element) -> bool {
    let shown = part.all("TxDtls").count().max(1);
    let announced = part.text_at(&["Btch", "NbOfTxs"]);
    announced.is_some_and(|number| number.parse::<usize>().is_ok_and(|number| number > shown))
}

impl<'a> Entry<'a> {
    fn new(entry: &'a Element, account: &'a str) -> Result<Self, String> {
        Ok(Self {
            account,
            entry,
            amount: entry.at(&["Amt"]).ok_or("it has no amount")?,
            day: day_of(entry)?,
            direction: direction_of(entry)?.ok_or("it does not say whether it is a credit or a debit")?,
            is_booked: entry
                .text_at(&["Sts", "Cd"])
                .or(entry.text_at(&["Sts"]))
                .is_none_or(|status| status == "BOOK"),
            is_reversal: entry
                .text_at(&["RvslInd"])
                .is_some_and(|text| matches!(text, "true" | "1")),
        })
    }
}

/// What an entry says for all of its transactions.
struct Entry<'a> {
    account: &'a str,
    entry: &'a Element,
    amount: &'a Element,
    day: NaiveDate,
    direction: Direction,
    is_booked: bool,
    is_reversal: bool,
}

impl Entry<'_> {
    /// Whether the transactions have amounts of the same currency and direction that make up that of the entry.
    fn is_sum_of(&self, details: &[&Element]) -> Result<bool, String> {
        let mut sum = 0;
        for detail in details {
            let Some(amount) = amount_of(detail) else {
                return Ok(false);
            };
            let same_direction = direction_of(detail)?.is_none_or(|direction| direction == self.direction);
            let Some(value) = fixed(text(amount)) else {
                return Ok(false);
            };
            if amount.currency != self.amount.currency || !same_direction {
                return Ok(false);
            }
            sum += value;
        }
        Ok(fixed(text(self.amount)) == Some(sum))
    }

    /// The movement of these transactions: all of the entry, or one that has an amount of its own.
    fn movement(&self, details: &[&Element], own_amount: Option<&Element>) -> Result<Movement, String> {
        let Self { entry, direction, .. } = *self;
        let amount = own_amount.unwrap_or(self.amount);
        let one = if let [one] = details { Some(*one) } else { None };
        let in_one = |path: &[&str]| {
            one.and_then(|one| one.text_at(path))
                .unwrap_or_default()
                .to_owned()
        };
        let (party, party_account) = match direction {
            Direction::Credit => ("Dbtr", "DbtrAcct"),
            Direction::Debit => ("Cdtr", "CdtrAcct"),
        };
        let parties = one.and_then(|one| one.at(&["RltdPties"]));
        let name = parties.and_then(|parties| {
            let nested = parties.text_at(&[party, "Pty", "Nm"]);
            nested.or(parties.text_at(&[party, "Nm"]))
        });
        let other_account = parties.and_then(|parties| parties.at(&[party_account]));
        let mut texts = details
            .iter()
            .flat_map(|detail| texts_of(detail))
            .collect::<Vec<_>>();
        texts.extend(entry.text_at(&["AddtlNtryInf"]).map(str::to_owned));
        let shown = if one.is_some() || texts.is_empty() {
            1
        } else {
            texts.len()
        };
        let text = texts
            .iter()
            .take(shown)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n");
        let own_reference = in_one(&["Refs", "AcctSvcrRef"]);
        let of_entry = || entry.text_at(&["AcctSvcrRef"]).unwrap_or_default().to_owned();
        // The reference of a gathering entry is that of all of its transactions. Equal ones are counted.
        let bank_reference = match own_amount {
            _ if !own_reference.is_empty() => own_reference,
            Some(_) => String::new(),
            None => of_entry(),
        };
        Ok(Movement {
            content: BankLineContent {
                account: self.account.to_owned(),
                day: self.day,
                direction,
                currency: amount.currency.clone(),
                amount: text_amount(amount)?,
                party: name.unwrap_or_default().to_owned(),
                party_account: other_account.map(account_of).unwrap_or_default().to_owned(),
                text,
                bank_reference,
                end_to_end_id: in_one(&["Refs", "EndToEndId"]),
            },
            other_texts: texts,
            is_booked: self.is_booked,
            is_gathered: false,
            is_return: self.is_reversal || details.iter().any(|detail| detail.at(&["RtrInf"]).is_some()),
        })
    }
}

/// What the payer has written, first; then what the bank has.
fn texts_of(detail: &Element) -> Vec<String> {
    let remittances = || detail.all("RmtInf");
    let free: Vec<&str> = remittances()
        .flat_map(|part| part.all("Ustrd"))
        .filter_map(|text| text.text_at(&[]))
        .collect();
    let mut texts = Vec::new();
    if !free.is_empty() {
        texts.push(free.join("\n"));
    }
    let references = remittances().flat_map(|part| part.all("Strd"));
    texts.extend(references.filter_map(|part| Some(part.text_at(&["CdtrRefInf", "Ref"])?.to_owned())));
    texts.extend(detail.text_at(&["AddtlTxInf"]).map(str::to_owned));
    texts
}

fn account_of(element: &Element) -> &str {
    let number = element.text_at(&["Id", "IBAN"]);
    number
        .or(element.text_at(&["Id", "Othr", "Id"]))
        .unwrap_or_default()
}

/// The amount of a transaction: in an element of its own since version 03.
fn amount_of(detail: &Element) -> Option<&Element> {
    detail.at(&["Amt"]).or(detail.at(&["AmtDtls", "TxAmt", "Amt"]))
}

fn text(element: &Element) -> &str {
    element.text_at(&[]).unwrap_or_default()
}

fn text_amount(amount: &Element) -> Result<String, String> {
    let text = text(amount);
    if fixed(text).is_none() {
        return Err(format!("{:?} is not an amount", opencoin_text::printable(text)));
    }
    Ok(text.trim_start_matches('+').to_owned())
}

/// A decimal number in units of the smallest fraction that the schema allows.
fn fixed(text: &str) -> Option<u128> {
    let (whole, fraction) = text
        .strip_prefix('+')
        .unwrap_or(text)
        .split_once('.')
        .unwrap_or((text, ""));
    let whole = whole.trim_start_matches('+');
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = whole.len() <= 20 && fraction.len() <= DECIMALS_MAX && whole.len() + fraction.len() > 0;
    if !fits || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("0{whole}{fraction:0<DECIMALS_MAX$}").parse().ok()
}

fn direction_of(element: &Element) -> Result<Option<Direction>, String> {
    match element.text_at(&["CdtDbtInd"]) {
        None => Ok(None),
        Some("CRDT") => Ok(Some(Direction::Credit)),
        Some("DBIT") => Ok(Some(Direction::Debit)),
        Some(_) => Err("it is neither a credit nor a debit".to_owned()),
    }
}

/// The day of the booking, or else that of the value.
fn day_of(entry: &Element) -> Result<NaiveDate, String> {
    let paths: [&[&str]; 4] = [
        &["BookgDt", "Dt"],
        &["BookgDt", "DtTm"],
        &["ValDt", "Dt"],
        &["ValDt", "DtTm"],
    ];
    let text = paths
        .iter()
        .find_map(|path| entry.text_at(path))
        .ok_or("it has no day")?;
    let day = text.get(..10).and_then(|day| day.parse().ok());
    day.ok_or_else(|| format!("{:?} is not a day", opencoin_text::printable(text)))
}
