//! The order to redeem coins into a key account, which takes the place of an account's token.

use opencoin_schema::text;
use serde::{Deserialize, Serialize};

use super::public_key::AccountKey;
use super::{fixed_type, from_compact};
use crate::encoding::from_hex;
use crate::hash::Hash;
use crate::key::ED25519_SIGNATURE_BYTES;

const REDEEM_DOMAIN: &str = "opencoin.org/key-redeem/v1";

/// Says which account gets the coins of a request, and that its holder wants it. It is not in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemOrder {
    /// The account.
    pub key: AccountKey,
    /// The key's signature of [`redeem_message`].
    pub sig: [u8; ED25519_SIGNATURE_BYTES],
}

fixed_type!(Type, "key redeem");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    key: AccountKey,
    sig: String,
    r#type: Type,
}

/// What the key signs: the root of the request's spent leaves, in the order of the coins, in the log `origin`.
#[must_use]
pub fn redeem_message(origin: &str, request_root: &Hash) -> Vec<u8> {
    let prefix = format!("{REDEEM_DOMAIN}\n{origin}\n");
    [prefix.as_bytes(), request_root.as_bytes()].concat()
}

impl RedeemOrder {
    /// Whether the key has signed this request in the log `origin`.
    #[must_use]
    pub fn is_for(&self, origin: &str, request_root: &Hash) -> bool {
        self.key
            .verifies(&redeem_message(origin, request_root), &self.sig)
    }

    /// The compact text.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::compact(&Object {
            key: self.key,
            sig: const_hex::encode(self.sig),
            r#type: Type::Only,
        })
    }

    /// Reads the compact text; `None` for any other.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let object: Object = from_compact(text)?;
        Some(Self {
            key: object.key,
            sig: from_hex(&object.sig)?,
        })
    }
}
