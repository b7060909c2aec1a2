//! The link that connects a wallet with an account.
//!
//! `https://issuer.example/account/pair#1.ID.KEY`, with the id and the key of a service. A browser does not send what
//! follows the `#` to any server. The wallet replaces the key at once, so a link that was used is worthless.

use std::fmt;
use std::str::FromStr;

use crate::{SERVICE_ID_CHARS, SERVICE_KEY_CHARS, Secret};

/// The path of the link, which is also that of a page that explains it.
pub const PAIRING_PATH: &str = "/account/pair";
/// The version of the link.
const VERSION: &str = "1";
/// The first characters of the key of a service.
pub const SERVICE_KEY_PREFIX: &str = "ock_";

/// A link that connects a wallet with an account. Whoever reads it first can do what the service may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingLink {
    /// The URL of the issuer, without a slash at its end.
    pub url: String,
    /// The id of the service.
    pub id: String,
    /// Its key.
    pub key: Secret,
}

/// The text is no pairing link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPairingLink;

impl fmt::Display for NoPairingLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "this is not a link that connects a wallet: it looks like https://issuer.example{PAIRING_PATH}#{VERSION}.ID.KEY"
        )
    }
}

impl std::error::Error for NoPairingLink {}

impl PairingLink {
    /// The text of the link, to be shown once.
    #[must_use]
    pub fn expose(&self) -> Secret {
        let Self { url, id, key } = self;
        Secret::new(format!(
            "{}{PAIRING_PATH}#{VERSION}.{id}.{}",
            url.trim_end_matches('/'),
            key.expose()
        ))
    }
}

impl FromStr for PairingLink {
    type Err = NoPairingLink;

    fn from_str(text: &str) -> Result<Self, NoPairingLink> {
        let (address, secret) = text.trim().split_once('#').ok_or(NoPairingLink)?;
        let url = address.strip_suffix(PAIRING_PATH).ok_or(NoPairingLink)?;
        let parts: Vec<&str> = secret.split('.').collect();
        let [VERSION, id, key] = parts[..] else {
            return Err(NoPairingLink);
        };
        let is_hex = |text: &str| {
            text.bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        let digits = key.strip_prefix(SERVICE_KEY_PREFIX).ok_or(NoPairingLink)?;
        let is_whole = id.len() == SERVICE_ID_CHARS && key.len() == SERVICE_KEY_CHARS;
        if is_whole && is_hex(id) && is_hex(digits) {
            Ok(Self {
                url: url.to_owned(),
                id: id.to_owned(),
                key: Secret::new(key),
            })
        } else {
            Err(NoPairingLink)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let link = PairingLink {
            url: "https://issuer.example/cent".to_owned(),
            id: "0a".repeat(16),
            key: Secret::new(format!("ock_{}", "1b".repeat(32))),
        };
        let text = link.expose();
        assert_eq!(
            text.expose(),
            format!(
                "https://issuer.example/cent/account/pair#1.{}.ock_{}",
                "0a".repeat(16),
                "1b".repeat(32)
            )
        );
        assert_eq!(text.expose().parse(), Ok(link.clone()));
        assert!(!format!("{link:?}").contains("1b1b"));
    }

    #[test]
    fn other_texts_are_no_links() {
        let (id, key) = ("0a".repeat(16), format!("ock_{}", "1b".repeat(32)));
        for wrong in [
            String::new(),
            format!("https://issuer.example#1.{id}.{key}"),
            format!("https://issuer.example/account/pair?1.{id}.{key}"),
            format!("https://issuer.example/account/pair#2.{id}.{key}"),
            format!("https://issuer.example/account/pair#1.{id}"),
            format!("https://issuer.example/account/pair#1.{id}.{key}.x"),
            format!("https://issuer.example/account/pair#1.{id}.{}", &key[..67]),
            format!(
                "https://issuer.example/account/pair#1.{}.{key}",
                id.to_uppercase()
            ),
        ] {
            assert_eq!(wrong.parse::<PairingLink>(), Err(NoPairingLink), "{wrong}");
        }
    }
}
