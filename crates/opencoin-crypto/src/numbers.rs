//! Conversions between [`BigInt`], the bytes in documents, and [`BigUint`], which has arithmetic.

use num_bigint_dig::BigUint;
use opencoin_schema::BigInt;
use zeroize::Zeroizing;

pub(crate) fn to_biguint(number: &BigInt) -> BigUint {
    BigUint::from_bytes_be(number.as_be_bytes())
}

pub(crate) fn to_big_int(number: &BigUint) -> BigInt {
    BigInt::from_be_bytes(&number.to_bytes_be())
}

/// The big-endian bytes of a secret, padded with leading zeros to `length_bytes` and erased when dropped.
pub(crate) fn to_secret_bytes(secret: &BigUint, length_bytes: usize) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(secret.to_bytes_be());
    let zeros = length_bytes
        .checked_sub(bytes.len())
        .expect("the caller keeps the secret below the modulus");
    let mut padded = Zeroizing::new(vec![0; length_bytes]);
    padded[zeros..].copy_from_slice(&bytes);
    padded
}
