//! The bank's side of a currency, without input or output: what comes from the operator's bank and what goes to it.
//!
//! Money comes in as the lines of an account statement, which [`statement::read`] reads from CAMT.053 or CSV. A payer
//! writes the [payment code](payment_code) of an account into the text of the transfer. Every line has an identity
//! ([`BankLineId`]) that does not depend on the file that brings it, so that it is booked once.
//!
//! Money goes out as a file of credit transfers, in the form of ISO 20022 ([`pain`]) or as a table ([`cells`]), to
//! accounts whose IBAN was checked ([`Destination`]).
//!
//! Files come from outside: each limit has a name, and what a file does not say clearly is refused as a whole, with the
//! place, so that no line is lost in silence.

pub mod cells;
mod content;
mod currency;
mod destination;
mod iban;
mod line;
mod line_id;
pub mod pain;
pub mod payment_code;
mod sepa_text;
pub mod statement;

pub use content::{BankLineContent, Direction};
pub use currency::{BankAmountError, BankCurrency, CurrencyCode, CurrencyCodeError};
pub use destination::{Destination, DestinationError};
pub use iban::{Bic, BicError, Iban, IbanError};
pub use line::{BankLine, Ignored, Incoming, LineKind};
pub use line_id::{BankLineId, BankLineIdError, IdentityKind, bare};
