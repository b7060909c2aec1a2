//! Writes credit transfers for a bank: ISO 20022, pain.001.001.09.
//!
//! The same transfers give the same bytes. Texts are written in the characters that every bank of SEPA transmits.

use std::fmt::{self, Write};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use thiserror::Error;

use crate::currency::{BankAmountError, BankCurrency};
use crate::iban::{Bic, Iban};
use crate::sepa_text::sepa_text;

/// The namespace of the message.
pub const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
/// The most transfers of one file.
pub const TRANSFERS_MAX: usize = 10_000;
/// The longest id of a message or transfer, in characters (`Max35Text`).
pub const ID_CHARS_MAX: usize = 35;
/// The longest name, in characters. The schema has room for 140, but SEPA only for these.
const NAME_CHARS_MAX: usize = 70;
/// The longest text of a transfer, in characters (`Max140Text`).
const TEXT_CHARS_MAX: usize = 140;

/// A file of transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfers {
    /// The id of the message, by which a bank recognises a file that it gets twice.
    pub message_id: String,
    /// When the message was made.
    pub created: DateTime<Utc>,
    /// The day on which the bank shall pay.
    pub execution: NaiveDate,
    /// Who pays.
    pub payer: Payer,
    /// The currency of all amounts.
    pub currency: BankCurrency,
    /// The transfers; at least one.
    pub transfers: Vec<Transfer>,
}

/// Who pays: the operator's account at the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    /// The name of the account's owner.
    pub name: String,
    /// The account.
    pub iban: Iban,
    /// Its bank, if that wants to be named.
    pub bic: Option<Bic>,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Given to the payee with the money, and back to the payer in statements.
    pub end_to_end_id: String,
    /// In the smallest unit of the issuer's currency.
    pub units: u64,
    /// The payee's name.
    pub name: String,
    /// The payee's account.
    pub iban: Iban,
    /// The text for the payee.
    pub text: String,
}

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransfersError {
    /// There is nothing to pay, or too much for a file.
    #[error("a file for the bank has 1 to {TRANSFERS_MAX} transfers")]
    Number,
    /// An id is empty, too long, or has a character that banks do not transmit.
    #[error("an id has 1 to {ID_CHARS_MAX} letters, digits and -?:().,'+")]
    Id,
    /// A name has no character that banks transmit.
    #[error("the name {0:?} has no letter that banks transmit")]
    Name(String),
    /// An amount cannot be written in the bank's currency.
    #[error("transfer {id}: {error}")]
    Amount {
        /// The transfer.
        id: String,
        /// The reason.
        error: BankAmountError,
    },
    /// The sum of the transfers is too large.
    #[error("the transfers are worth more together than a file can say")]
    Sum,
}

impl Transfers {
    /// The XML document.
    ///
    /// # Errors
    /// A bank could not read it.
    pub fn document(&self) -> Result<String, TransfersError> {
        if self.transfers.is_empty() || self.transfers.len() > TRANSFERS_MAX {
            return Err(TransfersError::Number);
        }
        let sum = self
            .transfers
            .iter()
            .try_fold(0_u64, |sum, transfer| sum.checked_add(transfer.units));
        let sum = sum.and_then(|sum| self.currency.decimal(sum).ok());
        let head = Head {
            message_id: id(&self.message_id)?,
            payer: name(&self.payer.name)?,
            count: self.transfers.len(),
            sum: sum.ok_or(TransfersError::Sum)?,
        };
        let mut xml = String::new();
        self.write_head(&mut xml, &head).expect("a String takes any text");
        for transfer in &self.transfers {
            let amount = self
                .currency
                .decimal(transfer.units)
                .map_err(|error| TransfersError::Amount {
                    id: transfer.end_to_end_id.clone(),
                    error,
                })?;
            let written = Written {
                id: id(&transfer.end_to_end_id)?,
                name: name(&transfer.name)?,
                amount,
                text: sepa_text(&transfer.text, TEXT_CHARS_MAX),
            };
            self.write_transfer(&mut xml, transfer, &written)
                .expect("a String takes any text");
        }
        xml.push_str("    </PmtInf>\n  </CstmrCdtTrfInitn>\n</Document>\n");
        Ok(xml)
    }

    fn write_head(&self, xml: &mut String, head: &Head) -> fmt::Result {
        let Head {
            message_id,
            payer,
            count,
            sum,
        } = head;
        let created = self.created.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (execution, iban) = (self.execution, self.payer.iban.as_str());
        write!(
            xml,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{NAMESPACE}">
  <CstmrCdtTrfInitn>
    <GrpHdr>
      <MsgId>{message_id}</MsgId>
      <CreDtTm>{created}</CreDtTm>
      <NbOfTxs>{count}</NbOfTxs>
      <CtrlSum>{sum}</CtrlSum>
      <InitgPty><Nm>{payer}</Nm></InitgPty>
    </GrpHdr>
    <PmtInf>
      <PmtInfId>{message_id}</PmtInfId>
      <PmtMtd>TRF</PmtMtd>
      <NbOfTxs>{count}</NbOfTxs>
      <CtrlSum>{sum}</CtrlSum>
"#
        )?;
        // The rules of SEPA are for its currency alone.
        if self.currency.code.as_str() == "EUR" {
            writeln!(xml, "      <PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>")?;
        }
        let bank = match &self.payer.bic {
            Some(bic) => format!("<BICFI>{}</BICFI>", bic.as_str()),
            None => "<Othr><Id>NOTPROVIDED</Id></Othr>".to_owned(),
        };
        write!(
            xml,
            r"      <ReqdExctnDt><Dt>{execution}</Dt></ReqdExctnDt>
      <Dbtr><Nm>{payer}</Nm></Dbtr>
      <DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct>
      <DbtrAgt><FinInstnId>{bank}</FinInstnId></DbtrAgt>
      <ChrgBr>SLEV</ChrgBr>
"
        )
    }

    fn write_transfer(&self, xml: &mut String, transfer: &Transfer, written: &Written) -> fmt::Result {
        let Written {
            id,
            name,
            amount,
            text,
        } = written;
        let (currency, iban) = (&self.currency.code, transfer.iban.as_str());
        write!(
            xml,
            r#"      <CdtTrfTxInf>
        <PmtId><EndToEndId>{id}</EndToEndId></PmtId>
        <Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt>
        <Cdtr><Nm>{name}</Nm></Cdtr>
        <CdtrAcct><Id><IBAN>{iban}</IBAN></Id></CdtrAcct>
"#
        )?;
        if !text.is_empty() {
            writeln!(xml, "        <RmtInf><Ustrd>{text}</Ustrd></RmtInf>")?;
        }
        xml.write_str("      </CdtTrfTxInf>\n")
    }
}

/// What stands in the head, checked.
struct Head {
    message_id: String,
    payer: String,
    count: usize,
    sum: String,
}

/// What stands in one transfer, checked. None of these characters has a meaning in XML, so nothing is escaped.
struct Written {
    id: String,
    name: String,
    amount: String,
    text: String,
}

fn id(text: &str) -> Result<String, TransfersError> {
    let is_id = !text.is_empty()
        && text.len() <= ID_CHARS_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-?:().,'+".contains(&byte));
    if is_id {
        Ok(text.to_owned())
    } else {
        Err(TransfersError::Id)
    }
}

fn name(text: &str) -> Result<String, TransfersError> {
    let written = sepa_text(text, NAME_CHARS_MAX);
    let has_letter = written.bytes().any(|byte| byte.is_ascii_alphanumeric());
    if has_letter {
        Ok(written)
    } else {
        Err(TransfersError::Name(text.to_owned()))
    }
}
