//! Money that the issuer puts on an account.

use opencoin_schema::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::public_key::AccountKey;
use super::{AMOUNT_MAX, fixed_type, from_compact};

/// The statement that an account was credited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credit {
    /// In the smallest unit; 1 to [`AMOUNT_MAX`].
    pub amount: u64,
    /// Where the money comes from.
    pub from: CreditSource,
    /// The account.
    pub key: AccountKey,
    /// The number among the credits of this account: 1, 2, 3 ...
    pub number: u64,
}

/// Where credited money comes from. The totals of the batch change with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditSource {
    /// Coins were redeemed.
    Coins,
    /// A custodial account has paid.
    Account,
    /// It was paid in.
    Deposit,
}

fixed_type!(Type, "log credit");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    amount: u64,
    from: CreditSource,
    key: AccountKey,
    number: u64,
    r#type: Type,
}

impl Credit {
    /// The compact text.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::compact(self)
    }

    /// Reads the compact text; `None` for any other, and for an amount or a number that cannot be.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        from_compact(text)
    }
}

impl Serialize for Credit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            amount,
            from,
            key,
            number,
        } = *self;
        Object {
            amount,
            from,
            key,
            number,
            r#type: Type::Only,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object {
            amount,
            from,
            key,
            number,
            r#type: Type::Only,
        } = Object::deserialize(deserializer)?;
        if !(1..=AMOUNT_MAX).contains(&amount) || number == 0 {
            return Err(de::Error::custom("not an amount or number of a credit"));
        }
        Ok(Self {
            amount,
            from,
            key,
            number,
        })
    }
}
