//! Reads the statements of holders, and checks what needs no books.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opencoin_api::{IntroduceKey, KeyPayment as ApiPayment};
use opencoin_log::key::ED25519_SIGNATURE_BYTES;
use opencoin_log::key_account::{AccountKey, AccountKeyError, Introduction, Payee, Payment, PaymentOrder};

use crate::refusal::{Reason, Refusal};

/// The values of `to` that are no keys.
const TO_MINT: &str = "mint";
const TO_ACCOUNT: &str = "account";

pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads a key that may have no account yet.
pub(super) fn account_key(field: &str, text: &str) -> Result<AccountKey, Refusal> {
    text.parse().map_err(|error| {
        let reason = match error {
            AccountKeyError::Hex => Reason::Invalid,
            AccountKeyError::NotCanonical | AccountKeyError::Weak => Reason::WeakKey,
        };
        Refusal::new(reason, format!("{field}: {error}; use another key"))
    })
}

/// The refusal of a key without an account. Only these are examined, since no other key is introduced.
pub(super) fn unknown_key(field: &str, key: AccountKey) -> Refusal {
    match AccountKey::new(*key.as_bytes()) {
        Ok(_) => Refusal::new(
            Reason::UnknownKey,
            format!("{field}: this key has no account; introduce it first, with POST /v1/key-accounts"),
        ),
        Err(error) => Refusal::new(Reason::WeakKey, format!("{field}: {error}; use another key")),
    }
}

pub(super) fn introduction(request: &IntroduceKey) -> Result<Introduction, Refusal> {
    let challenge = request.challenge.parse();
    Ok(Introduction {
        challenge: challenge.map_err(|error| invalid("challenge", error))?,
        key: account_key("key", &request.key)?,
        nonce: request.nonce,
    })
}

/// Reads a payment. Its keys were not looked at, and its signature was not verified.
pub(super) fn payment(request: &ApiPayment) -> Result<Payment, Refusal> {
    let key = |field: &str, text: &str| {
        AccountKey::of_stored_text(text)
            .ok_or_else(|| invalid(field, "not a key of 64 lower-case hex digits"))
    };
    let to = match (&*request.to, &request.details) {
        (TO_MINT, Some(details)) => Payee::Mint(hash(details)?),
        (TO_ACCOUNT, Some(details)) => Payee::Account(hash(details)?),
        (TO_MINT | TO_ACCOUNT, None) => return Err(wrong_details("they are missing")),
        (_, Some(_)) => return Err(wrong_details("a payment to a key has none")),
        (to, None) => Payee::Key(key("payment.to", to)?),
    };
    let sig = decode::<ED25519_SIGNATURE_BYTES>(&request.sig);
    let sig = sig.ok_or_else(|| invalid("payment.sig", "not 128 lower-case hex digits"))?;
    let order = PaymentOrder {
        amount: request.amount,
        domain: request.domain.clone(),
        expires: request.expires,
        from: key("payment.from", &request.from)?,
        memo: request.memo.clone(),
        seq: request.seq,
        to,
    };
    Ok(Payment { order, sig })
}

/// Checks a payment by itself: its form, the log that it is for, and its signature.
pub(super) fn check_payment(payment: &Payment, origin: &str) -> Result<(), Refusal> {
    payment.order.check()?;
    if payment.order.domain != origin {
        return Err(Refusal::new(
            Reason::WrongDomain,
            format!("payment.domain: accounts of this currency are in {origin}; sign the payment for that"),
        ));
    }
    if payment.is_signed() {
        Ok(())
    } else {
        Err(wrong_signature(
            "payment.sig: the key in `from` has not signed this payment",
        ))
    }
}

pub(super) fn wrong_signature(description: &str) -> Refusal {
    Refusal::new(Reason::WrongSignature, description)
}

pub(super) fn wrong_details(description: &str) -> Refusal {
    Refusal::new(Reason::WrongDetails, format!("payment.details: {description}"))
}

pub(super) fn invalid(field: &str, reason: impl ToString) -> Refusal {
    Refusal::new(Reason::Invalid, format!("{field}: {}", reason.to_string()))
}

fn hash(text: &str) -> Result<[u8; 32], Refusal> {
    decode(text).ok_or_else(|| wrong_details("not 64 lower-case hex digits"))
}

/// Lower-case hex digits of exactly so many bytes.
pub(super) fn decode<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let is_lower = text
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let bytes = const_hex::decode(text).ok().filter(|_| is_lower)?;
    bytes.try_into().ok()
}
