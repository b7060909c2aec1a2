//! The reference of a mint, renew or recoup, which the wallet chooses at random.
//!
//! Whoever knows it can fetch the signatures (`request resume`), so it is never printed.

use std::fmt;

/// The maximum length of a transaction reference, in bytes.
pub const TRANSACTION_REFERENCE_BYTES_MAX: usize = 256;

/// A wallet's reference of one mint, renew or recoup: its `transaction_reference` as big-endian bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionReference(Box<[u8]>);

/// The reference has no bytes or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transaction reference has 1 to {TRANSACTION_REFERENCE_BYTES_MAX} bytes")]
pub struct TransactionReferenceError;

impl TransactionReference {
    /// The reference with these bytes. The caller passes the canonical form of the number, without leading
    /// zeros.
    ///
    /// # Errors
    /// There are no bytes, or more than [`TRANSACTION_REFERENCE_BYTES_MAX`].
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, TransactionReferenceError> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > TRANSACTION_REFERENCE_BYTES_MAX {
            return Err(TransactionReferenceError);
        }
        Ok(Self(bytes))
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TransactionReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionReference(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_limited_in_length_and_not_printed() {
        assert!(TransactionReference::new([1; TRANSACTION_REFERENCE_BYTES_MAX]).is_ok());
        assert_eq!(TransactionReference::new([]), Err(TransactionReferenceError));
        let long = TransactionReference::new([1; TRANSACTION_REFERENCE_BYTES_MAX + 1]);
        assert_eq!(long, Err(TransactionReferenceError));
        let text = format!("{:?}", TransactionReference::new([0x5e]).unwrap());
        assert_eq!(text, "TransactionReference(..)");
    }
}
