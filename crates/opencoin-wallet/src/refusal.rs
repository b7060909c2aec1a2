//! What a refusal means to a person. The issuer's own text is for programmers: it begins with a fixed word and lists
//! indices of coins.

use opencoin_api::read_coin_indices;

/// The error words of an issuer.
pub(crate) mod word {
    /// Coins were spent before.
    pub(crate) const DOUBLE_SPEND: &str = "double-spend";
    /// A token, password or key is missing, wrong or has ended.
    pub(crate) const UNAUTHORIZED: &str = "unauthorized";
    /// The token does not permit this.
    pub(crate) const FORBIDDEN: &str = "forbidden";
    /// The account holds too little.
    pub(crate) const INSUFFICIENT_FUNDS: &str = "insufficient-funds";
    /// A mint key no longer signs, or coins have expired.
    pub(crate) const KEY_EXPIRED: &str = "key-expired";
    /// A mint key was revoked.
    pub(crate) const KEY_REVOKED: &str = "key-revoked";
    /// Too many requests, or too many wrong passwords.
    pub(crate) const TOO_MANY_REQUESTS: &str = "too-many-requests";
    /// Another request has this transaction reference.
    pub(crate) const REFERENCE_CONFLICT: &str = "reference-conflict";
    /// What the request names does not exist.
    pub(crate) const NOT_FOUND: &str = "not-found";
    /// A key has no account.
    pub(crate) const UNKNOWN_KEY: &str = "unknown-key";
    /// A payment by key does not have the next number.
    pub(crate) const WRONG_SEQUENCE: &str = "wrong-sequence";
    /// A payment by key is too late.
    pub(crate) const PAYMENT_EXPIRED: &str = "payment-expired";
    /// The challenge for an introduction is too old.
    pub(crate) const CHALLENGE_EXPIRED: &str = "challenge-expired";
    /// The challenge for an introduction is not the issuer's.
    pub(crate) const WRONG_CHALLENGE: &str = "wrong-challenge";
}

/// How many coins of a request a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedCoins {
    /// The refused coins.
    pub refused: usize,
    /// The coins of the request.
    pub given: usize,
}

impl RefusedCoins {
    /// Counts the coins that a refusal names by index, in a request whose coins `is_meant` says to count. `None` if the
    /// issuer does not name them.
    pub(crate) fn named(indices: Option<&str>, is_meant: &[bool]) -> Option<Self> {
        let indices = read_coin_indices(indices?, is_meant.len())?;
        Some(Self {
            refused: indices.iter().filter(|index| is_meant[**index]).count(),
            given: is_meant.iter().filter(|is_meant| **is_meant).count(),
        })
    }
}

/// The refusal of a request with coins, or of a mint, in plain words.
pub(crate) fn of_coins(word: &str, description: &str, coins: Option<RefusedCoins>) -> String {
    let coins = coins.filter(|coins| coins.refused > 0);
    let are_all = coins.is_some_and(|coins| coins.refused == coins.given);
    let some = if are_all { "" } else { "some of " };
    let count = coins.map(|coins| format!(" ({} of {})", coins.refused, coins.given));
    let count = count.unwrap_or_default();
    match word {
        word::DOUBLE_SPEND => format!("{some}these coins have already been taken by somebody else{count}"),
        word::KEY_EXPIRED => {
            "coins have expired, or the issuer no longer signs with the mint keys of the request".to_owned()
        }
        word::KEY_REVOKED => "the issuer has revoked a mint key, and accepts none of its coins".to_owned(),
        word::REFERENCE_CONFLICT => {
            "a copy of this wallet has made another request with the same number; try again, and use one of them only"
                .to_owned()
        }
        word => of_account(word, description),
    }
}

/// The refusal of a request about an account, in plain words.
pub(crate) fn of_account(word: &str, description: &str) -> String {
    let reason = without_word(word, description);
    match word {
        word::INSUFFICIENT_FUNDS => "the account does not hold enough money".to_owned(),
        word::UNAUTHORIZED => {
            format!("the issuer does not recognise the account's token or password: {reason}")
        }
        word::FORBIDDEN => format!("the issuer does not allow this with the token that was given: {reason}"),
        word::TOO_MANY_REQUESTS => format!("the issuer asks to wait: {reason}"),
        word::NOT_FOUND => format!("the issuer says: {reason}"),
        word::UNKNOWN_KEY => {
            "a key has no account at this issuer: its owner must introduce it first".to_owned()
        }
        word::WRONG_SEQUENCE => {
            "the issuer has other payments by this key; perhaps a copy of this wallet has paid".to_owned()
        }
        word::PAYMENT_EXPIRED => "the payment has reached the issuer too late, and was not made".to_owned(),
        _ => format!("the issuer refuses: {reason}"),
    }
}

/// The issuer's text without the error word at its beginning.
fn without_word<'text>(word: &str, description: &'text str) -> &'text str {
    let rest = description
        .strip_prefix(word)
        .and_then(|rest| rest.strip_prefix(": "));
    rest.unwrap_or(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_coins_are_counted_in_words() {
        let all = RefusedCoins::named(Some("0-124"), &[true; 125]);
        let text = |coins| {
            of_coins(
                "double-spend",
                "double-spend: coins were spent before: [0, 1]",
                coins,
            )
        };
        assert_eq!(
            text(all),
            "these coins have already been taken by somebody else (125 of 125)"
        );
        let few = RefusedCoins::named(Some("3"), &[true; 9]);
        assert_eq!(
            text(few),
            "some of these coins have already been taken by somebody else (1 of 9)"
        );
        assert_eq!(
            text(None),
            "some of these coins have already been taken by somebody else"
        );
        // Coins that the wallet adds on its own are not counted.
        let mixed = RefusedCoins::named(Some("0,2"), &[true, false, true, false]);
        assert_eq!(mixed, Some(RefusedCoins { refused: 2, given: 2 }));
        assert_eq!(RefusedCoins::named(Some("7"), &[true]), None);
    }

    #[test]
    fn the_error_word_is_not_shown() {
        assert_eq!(of_coins("invalid", "invalid: no", None), "the issuer refuses: no");
        assert_eq!(
            of_account("exists", "the name is taken"),
            "the issuer refuses: the name is taken"
        );
        assert!(!of_coins("key-expired", "key-expired: MintKeyId(7)", None).contains("key-expired"));
    }
}
