//! Accounts: who holds money with the issuer that is not in coins.

use std::fmt;
use std::str::FromStr;

use crate::Amount;

/// The most mints of one account that wait for money.
pub const WAITING_MINTS_PER_ACCOUNT_MAX: usize = 16;
/// The longest account name, in characters.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 64;

/// The number of an account in the books.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(i64);

impl AccountId {
    /// Money on its way out: holders have asked for it to be paid out, and the operator has not said yet what
    /// came of it. Derived as well.
    pub const PAYOUTS: Self = Self(-1);
    /// What the issuer pays out of its own pocket for honest coins of a stopped mint key. Derived as well.
    pub const RECOUPED: Self = Self(0);
    /// The world outside: what was paid in comes from here, what is paid out goes here. Its balance is
    /// derived from the journal and never stored, so that no payment waits for another at one row.
    pub const OUTSIDE: Self = Self(1);
    /// All coins outstanding. Its balance is derived as well.
    pub const COINS: Self = Self(2);
    /// The first number that a holder can have.
    pub const FIRST_HOLDER: Self = Self(3);

    /// The account with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}", self.0)
    }
}

/// The name under which an operator knows an account: 1 to [`ACCOUNT_NAME_CHARS_MAX`] characters of `a-z 0-9
/// . _ -`, the first of `a-z 0-9 _`: `..` and `.` cannot stand in a URL, and `-x` is an option of a command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

/// The text is not an account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an account name has 1 to {ACCOUNT_NAME_CHARS_MAX} characters, each one of a-z, 0-9, '.', '_' and '-', and does not begin with '.' or '-'"
)]
pub struct AccountNameError;

impl AccountName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = AccountNameError;

    fn from_str(text: &str) -> Result<Self, AccountNameError> {
        let fits = (1..=ACCOUNT_NAME_CHARS_MAX).contains(&text.len());
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if fits && text.bytes().all(allowed) && !text.starts_with(['.', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AccountNameError)
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash of an account's token. The token itself is shown once and never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// What a store answers about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number in the books.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
    /// What the holder can mint or be paid out.
    pub balance: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "alice", "shop-1_b.eu", &"x".repeat(ACCOUNT_NAME_CHARS_MAX)] {
            assert_eq!(good.parse::<AccountName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Alice",
            "a b",
            "é",
            "a/b",
            ".",
            "..",
            ".a",
            "-x",
            &"x".repeat(ACCOUNT_NAME_CHARS_MAX + 1),
        ] {
            assert_eq!(bad.parse::<AccountName>(), Err(AccountNameError), "{bad:?}");
        }
    }

    #[test]
    fn a_token_hash_is_not_printed() {
        assert_eq!(format!("{:?}", TokenHash::new([7; 32])), "TokenHash(..)");
    }
}
