//! Accounts: balances in the books that belong to holders, and the system accounts.

use std::fmt;
use std::str::FromStr;

use opencoin_log::key_account::AccountKey;

use crate::Amount;

/// The maximum number of waiting mints of one account.
pub const WAITING_MINTS_PER_ACCOUNT_MAX: usize = 16;
/// The maximum length of an account name, in characters.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 64;

/// The number of an account in the books.
///
/// The balances of system accounts are computed from the journal and not stored, so that payments do not wait
/// for each other at one row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(i64);

impl AccountId {
    /// System account: money of a lost time that the public log has, and that is not assigned to accounts. Below zero
    /// if more was minted in that time than was redeemed and paid in.
    pub const RECOVERED: Self = Self(-2);
    /// System account: the payouts that the operator has not settled.
    pub const PAYOUTS: Self = Self(-1);
    /// System account: what the issuer pays for recouped coins.
    pub const RECOUPED: Self = Self(0);
    /// System account: the world outside. Money paid in comes from it, money paid out goes to it.
    pub const OUTSIDE: Self = Self(1);
    /// System account: all outstanding coins.
    pub const COINS: Self = Self(2);
    /// The lowest number of a holder's account.
    pub const FIRST_HOLDER: Self = Self(3);
    /// The lowest number of an account that belongs to a key. So the numbers in a record tell whether its money is
    /// the issuer's word or public in the log.
    pub const FIRST_KEY_ACCOUNT: Self = Self(1 << 62);

    /// The account with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether the account belongs to a key.
    #[must_use]
    pub const fn is_key_account(self) -> bool {
        self.0 >= Self::FIRST_KEY_ACCOUNT.0
    }

    /// Whether the account belongs to a holder, whose money the issuer keeps.
    #[must_use]
    pub const fn is_custodial(self) -> bool {
        self.0 >= Self::FIRST_HOLDER.0 && !self.is_key_account()
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}", self.0)
    }
}

/// What the holder of an account can do with its money. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum AccountStatus {
    /// Everything.
    Open = 0,
    /// The holder and their services move no money and no coins, and can read. Transfers to the account, and what
    /// the operator does, still arrive.
    Frozen = 1,
    /// Nothing, for good. The account is empty, nobody can log in, and its name is never used again.
    Closed = 2,
}

impl AccountStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Frozen, Self::Closed];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The status with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// The name of an account: 1 to [`ACCOUNT_NAME_CHARS_MAX`] characters of `a-z 0-9 . _ -`. The first is one of
/// `a-z 0-9 _`, because `.` and `..` have a meaning in a URL and `-x` is an option of a command.
///
/// The account of a key is named after it, in 64 hexadecimal digits. Holders cannot take such names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

/// The text is not an account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an account name has 1 to {ACCOUNT_NAME_CHARS_MAX} characters, each one of a-z, 0-9, '.', '_' and '-', and does not begin with '.' or '-'"
)]
pub struct AccountNameError;

impl AccountName {
    /// The name of the account of this key.
    #[must_use]
    pub fn of_key(key: AccountKey) -> Self {
        Self(key.to_string())
    }

    /// The key whose account this is; `None` for the names of holders. The key was not checked.
    #[must_use]
    pub fn key(&self) -> Option<AccountKey> {
        AccountKey::of_stored_text(&self.0)
    }

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

/// The hash of the token of an account or session, or of a service's key. The books store only the hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
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

/// An account as a store returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The number in the books.
    pub id: AccountId,
    /// Chosen when the account is opened; unique.
    pub name: AccountName,
    /// The money that can be minted, transferred or paid out.
    pub balance: Amount,
    /// What its holder can do. The account of a key is always open.
    pub status: AccountStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_limited_in_length_and_characters() {
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
    fn a_name_of_64_hexadecimal_digits_is_that_of_a_key() {
        let key = AccountKey::of_stored([0xab; 32]);
        let name = AccountName::of_key(key);
        assert_eq!((name.as_str(), name.key()), (&*"ab".repeat(32), Some(key)));
        assert_eq!("ab".repeat(32).parse(), Ok(name));
        for other in ["alice".to_owned(), "ab".repeat(31), "xy".repeat(32)] {
            assert_eq!(other.parse::<AccountName>().unwrap().key(), None);
        }
    }

    #[test]
    fn numbers_tell_holders_from_keys_and_systems() {
        let kinds = |id: AccountId| (id.is_custodial(), id.is_key_account());
        assert_eq!(kinds(AccountId::COINS), (false, false));
        assert_eq!(kinds(AccountId::FIRST_HOLDER), (true, false));
        assert_eq!(
            kinds(AccountId::new(AccountId::FIRST_KEY_ACCOUNT.get() - 1)),
            (true, false)
        );
        assert_eq!(kinds(AccountId::FIRST_KEY_ACCOUNT), (false, true));
    }

    #[test]
    fn a_token_hash_is_not_printed() {
        assert_eq!(format!("{:?}", TokenHash::new([7; 32])), "TokenHash(..)");
    }
}
