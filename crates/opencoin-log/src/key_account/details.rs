//! What a payment out of the key accounts is for, hidden from the readers of the log.
//!
//! A payment to `mint` or `account` names neither the coins nor the account, but it commits to them. So the issuer
//! cannot use the signature for anything else, and only who knows the nonce can tell what it was for.

use sha2::{Digest, Sha256};

use crate::hash::{HASH_BYTES, Hash};

/// The length of the random nonce that hides a custodial account.
pub const ACCOUNT_NONCE_BYTES: usize = 16;

const DETAILS_DOMAIN: &[u8] = b"opencoin.org/key-payment-details/v1\n";

/// Commits to a mint: the request's transaction reference, and the root of its issued leaves, as in its promise.
#[must_use]
pub fn mint_details(transaction_reference: &[u8], request_root: &Hash) -> [u8; HASH_BYTES] {
    details(transaction_reference, request_root.as_bytes())
}

/// Commits to the custodial account with this name. The nonce is random.
#[must_use]
pub fn account_details(nonce: &[u8], account: &str) -> [u8; HASH_BYTES] {
    details(nonce, account.as_bytes())
}

fn details(nonce: &[u8], content: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::new()
        .chain_update(DETAILS_DOMAIN)
        .chain_update((nonce.len() as u64).to_be_bytes())
        .chain_update(nonce)
        .chain_update(content)
        .finalize()
        .into()
}
