//! The bounds of values in requests, for the OpenAPI description. The types of this crate hold plain text and numbers,
//! because the server checks them itself and says what is wrong.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    ACCOUNT_KEY_CHARS, ACCOUNT_NAME_CHARS_MAX, BANK_LINE_ID_CHARS, CHALLENGE_CHARS, DOMAIN_CHARS_MAX,
    IDEMPOTENCY_KEY_CHARS_MAX, KEY_PAYMENT_ID_CHARS_MAX, MEMO_BYTES_MAX, PAGE_LENGTH_MAX, PASSWORD_BYTES_MAX,
    PASSWORD_CHARS_MIN, PAYMENT_NONCE_CHARS, SERVICE_ID_CHARS, SERVICE_KEY_CHARS, SIGNATURE_CHARS,
    TEXT_CHARS_MAX,
};

/// The greatest amount and the greatest id.
const NUMBER_MAX: i64 = i64::MAX;
/// The most hex digits of the id of a mint key, a SHA-1.
const MINT_KEY_ID_CHARS_MAX: usize = 40;
/// The characters of a day.
const DAY_CHARS: usize = 10;
/// Excludes control characters and characters that change the direction of text.
const PRINTED: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufff9-\\ufffb]*$";

/// An account in the list of all key accounts. Not as `prefixItems`, which tools for testing do not understand.
pub struct KeyAccountRow;

impl PartialSchema for KeyAccountRow {
    fn schema() -> RefOr<Schema> {
        let value = OneOfBuilder::new()
            .item(hex(ACCOUNT_KEY_CHARS))
            .item(number(0, NUMBER_MAX));
        let row = ArrayBuilder::new()
            .items(RefOr::T(Schema::OneOf(value.build())))
            .min_items(Some(3))
            .max_items(Some(3))
            .description(Some("Key, balance and number of payments."));
        RefOr::T(Schema::Array(row.build()))
    }
}

impl ToSchema for KeyAccountRow {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("KeyAccountRow")
    }
}

/// Declares a schema of the description.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident, $description:literal, $object:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let object: ObjectBuilder = $object;
                let object: Object = object.description(Some($description)).build();
                RefOr::T(Schema::Object(object))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

shape! {
    /// The name of an account or a service.
    Name, "The name of an account or a service.",
    text(1, ACCOUNT_NAME_CHARS_MAX).pattern(Some("^[a-z0-9_][a-z0-9._-]*$"))
}
shape! {
    /// A reference, a reason, a destination.
    Text, "A short text without control characters and without characters that change its direction.",
    text(1, TEXT_CHARS_MAX).pattern(Some(PRINTED))
}
shape! {
    /// A day.
    Day, "A day: 2026-11-30.",
    text(DAY_CHARS, DAY_CHARS).pattern(Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
        .examples(["2026-11-30"])
}
shape! {
    /// A text that may be empty.
    Label, "A short text without control characters and without characters that change its direction. May be empty.",
    text(0, TEXT_CHARS_MAX).pattern(Some(PRINTED))
}
shape! {
    /// A new password.
    NewPassword, "At most 1024 bytes in UTF-8.",
    text(PASSWORD_CHARS_MIN, PASSWORD_BYTES_MAX)
}
shape! {
    /// A start code.
    StartCode, "Twelve characters, for example `7K3M-Q9TW-X2RD`.",
    text(0, 100)
}
shape! {
    /// A password to log in with.
    Password, "At most 1024 bytes in UTF-8.",
    text(0, PASSWORD_BYTES_MAX)
}
shape! {
    /// The id of a service.
    ServiceId, "32 hex digits.",
    text(SERVICE_ID_CHARS, SERVICE_ID_CHARS).pattern(Some("^[0-9a-f]+$"))
}
shape! {
    /// The id of a mint key.
    MintKeyId, "At most 40 hex digits.",
    text(1, MINT_KEY_ID_CHARS_MAX).pattern(Some("^[0-9a-f]+$"))
}
shape! {
    /// The key of a service.
    ServiceKey, "`ock_` and 64 hex digits.",
    text(SERVICE_KEY_CHARS, SERVICE_KEY_CHARS)
}
shape! {
    /// The key that a service has made for itself.
    NewServiceKey, "`ock_` and 64 random hex digits.",
    text(SERVICE_KEY_CHARS, SERVICE_KEY_CHARS).pattern(Some("^ock_[0-9a-f]{64}$"))
        .examples([format!("ock_{}", "0123456789abcdef".repeat(4))])
}
shape! {
    /// An amount to pay.
    Amount, "In the smallest unit of the currency.",
    number(1, NUMBER_MAX)
}
shape! {
    /// The id of an entry or a payout after or before which a page begins.
    Cursor, "An id, or 0 for the beginning.",
    number(0, NUMBER_MAX)
}
shape! {
    /// The number of a payout.
    PayoutId, "The number of the payout.",
    number(1, NUMBER_MAX)
}
shape! {
    /// The number of a proposal.
    ProposalId, "The number of the proposal.",
    number(1, NUMBER_MAX)
}
shape! {
    /// The number of a statement.
    StatementId, "The number of the statement.",
    number(1, NUMBER_MAX)
}
shape! {
    /// The number of a file of payouts.
    ExportId, "The number of the export.",
    number(1, NUMBER_MAX)
}
shape! {
    /// The id of a line of a statement.
    BankLineId, "32 lower-case hex digits.", hex(BANK_LINE_ID_CHARS)
}
shape! {
    /// A digest.
    Digest, "64 lower-case hex digits.", hex(ACCOUNT_KEY_CHARS)
}
shape! {
    /// A file.
    FileContent, "The bytes of a file.",
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}
shape! {
    /// The key of an account.
    AccountKey, "An Ed25519 public key: 64 lower-case hex digits.", hex(ACCOUNT_KEY_CHARS)
}
shape! {
    /// A challenge.
    Challenge, "48 lower-case hex digits.", hex(CHALLENGE_CHARS)
}
shape! {
    /// The details of a payment.
    Details, "A SHA-256: 64 lower-case hex digits.", hex(ACCOUNT_KEY_CHARS)
}
shape! {
    /// A signature.
    Signature, "An Ed25519 signature: 128 lower-case hex digits.", hex(SIGNATURE_CHARS)
}
shape! {
    /// The nonce of a payment to an account.
    PaymentNonce, "16 random bytes: 32 lower-case hex digits.", hex(PAYMENT_NONCE_CHARS)
}
shape! {
    /// The memo of a payment.
    Memo, "At most 140 bytes in UTF-8, without control characters. May be empty, and is public.",
    text(0, MEMO_BYTES_MAX).pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]*$"))
}
shape! {
    /// Who receives a payment.
    Payee, "A key, `mint` or `account`.", text(1, ACCOUNT_KEY_CHARS)
}
shape! {
    /// The origin of a log.
    Domain, "The name of the log in which the account is.", text(1, DOMAIN_CHARS_MAX)
}
shape! {
    /// The id of a payment.
    KeyPaymentId, "The payer's key and the number of the payment, with a point between them.",
    text(1, KEY_PAYMENT_ID_CHARS_MAX).pattern(Some("^[0-9a-f]{64}\\.[0-9]+$"))
}
shape! {
    /// A number of 64 bits.
    Unsigned, "A whole number below 2^64.",
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(utoipa::Number::UInt(usize::MAX)))
}
shape! {
    /// The most items of a page.
    PageLength, "The most items of the page; 50 by default.",
    number(1, PAGE_LENGTH_MAX.into())
}
shape! {
    /// The minutes up to now of which there are samples.
    SampleMinutes, "The minutes up to now; 60 by default.",
    number(1, 1_440)
}
shape! {
    /// The seconds that a sample covers.
    SampleStep, "The seconds that a sample covers; 10 by default.",
    number(10, 3_600)
}
shape! {
    /// The value of the header `Idempotency-Key`.
    IdempotencyKey, "Visible ASCII characters, chosen by the client and unique within its account. Transfers and payouts share the keys.",
    text(1, IDEMPOTENCY_KEY_CHARS_MAX).pattern(Some("^[!-~]+$"))
}

fn text(chars_min: usize, chars_max: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(chars_min))
        .max_length(Some(chars_max))
}

fn hex(chars: usize) -> ObjectBuilder {
    text(chars, chars).pattern(Some("^[0-9a-f]+$"))
}

fn number(min: i64, max: i64) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    let bounded = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(min))
        .maximum(Some(max));
    bounded.format(Some(format))
}
