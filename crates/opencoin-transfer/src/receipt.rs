//! The receipt: the receiver's signed statement that the coins are theirs now.

use opencoin_schema::BigInt;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::key::{ParticipantKey, SIGNATURE_BYTES, is_signed};
use crate::{Digest, NUMBER_MAX, PublicKey, TransferId};

/// What a receipt is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paid {
    /// The transfer.
    pub transfer: TransferId,
    /// The currency.
    pub issuer_id: BigInt,
    /// The amount, in the currency's smallest unit.
    pub amount: u64,
    /// The SHA-256 of the compact coin stack.
    pub digest: Digest,
    /// When the receiver held the renewed coins, in seconds since 1970, by their clock.
    pub time: u64,
}

/// A statement with its signature. It may be shown to anybody: it contains no coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The statement.
    pub paid: Paid,
    /// The receiver's key.
    pub key: PublicKey,
    /// The signature of [`Paid::signed_text`], in hex.
    pub signature: String,
}

/// Why a receipt does not prove a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// The signature is not that of the key.
    #[error("the signature of the receipt is wrong")]
    Signature,
    /// It is signed with another key than that of the receiver of this transfer.
    #[error("the receipt is signed with another key than the one that the receiver named")]
    Key,
    /// It is about another transfer, currency, amount or stack.
    #[error("the receipt is about another payment")]
    OtherPayment,
}

impl Paid {
    /// The signed text: six lines, each with its end.
    #[must_use]
    pub fn signed_text(&self) -> String {
        format!(
            "opencoin transfer receipt 1\ntransfer {}\nissuer {}\namount {}\ndigest {}\ntime {}\n",
            self.transfer, self.issuer_id, self.amount, self.digest, self.time
        )
    }
}

impl Receipt {
    /// Signs a statement.
    #[must_use]
    pub fn sign(paid: Paid, key: &ParticipantKey) -> Self {
        let signature = const_hex::encode(key.sign(paid.signed_text().as_bytes()));
        Self {
            paid,
            key: key.public(),
            signature,
        }
    }

    /// Checks the signature with the key in the receipt. Who owns that key is another question; see [`Self::verify_for`].
    ///
    /// # Errors
    /// It is wrong.
    pub fn verify(&self) -> Result<(), ReceiptError> {
        let signature: [u8; SIGNATURE_BYTES] =
            const_hex::decode_to_array(&self.signature).map_err(|_| ReceiptError::Signature)?;
        let is_valid = is_signed(&self.key, self.paid.signed_text().as_bytes(), &signature);
        if is_valid && self.paid.amount <= NUMBER_MAX {
            Ok(())
        } else {
            Err(ReceiptError::Signature)
        }
    }

    /// Checks that this key signed the receipt and that it is about this payment, at whatever time.
    ///
    /// # Errors
    /// It proves nothing of the kind.
    pub fn verify_for(&self, expected: &Paid, key: &PublicKey) -> Result<(), ReceiptError> {
        self.verify()?;
        if self.key != *key {
            return Err(ReceiptError::Key);
        }
        let about = Paid {
            time: self.paid.time,
            ..expected.clone()
        };
        if self.paid == about {
            Ok(())
        } else {
            Err(ReceiptError::OtherPayment)
        }
    }
}
