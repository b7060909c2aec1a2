//! Forms as they are sent.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use opencoin_http::Server;
use opencoin_issuer::{Reason, Refusal};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The longest form of a page, in bytes: several times the longest values of all its fields.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// The fields that may be there several times: payouts for a file, and those of frozen accounts among them.
const LIST_FIELDS: [&str; 2] = ["payout", "frozen"];
/// The field with the token that binds a form to its session.
const TOKEN_FIELD: &str = "form_token";
/// What a form token is made of besides the session's token.
const TOKEN_PURPOSE: &[u8] = b"OpenCoin form token, version 1\n";
/// How many bytes of the SHA-256 a form token has.
const TOKEN_BYTES: usize = 16;

/// The fields of a form.
pub(crate) struct Fields(Zeroizing<Vec<(String, String)>>);

impl Fields {
    /// Reads a form.
    ///
    /// # Errors
    /// It does not arrive, or is no form.
    pub(crate) async fn read(server: &Arc<Server>, body: Body) -> Result<Self, Refusal> {
        let bytes = Zeroizing::new(server.read_form(body, FORM_BYTES_MAX).await?);
        Self::parse(&bytes)
    }

    /// What is there twice could be meant in two ways, and is refused.
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes)
            .map_err(|_| Refusal::new(Reason::Malformed, "the body is not a form"))?;
        let fields = Self(Zeroizing::new(fields));
        let mut names = HashSet::new();
        let mut single = fields.0.iter().map(|(name, _)| name.as_str());
        if !single.all(|name| LIST_FIELDS.contains(&name) || names.insert(name)) {
            return Err(Refusal::new(Reason::Malformed, "the form has a field twice"));
        }
        Ok(fields)
    }

    /// The fields of a form with a file, which were read already.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Self {
        Self(Zeroizing::new(fields))
    }

    /// The value of a field; empty if it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map_or("", |(_, value)| value)
    }

    /// All values of a field that may be there several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.0.iter().filter(move |(field, _)| field == name);
        fields.map(|(_, value)| value.as_str())
    }

    /// As [`Self::text`], without spaces around it.
    pub(crate) fn trimmed(&self, name: &str) -> &str {
        self.text(name).trim()
    }

    /// Checks that the form was made for the session with this token.
    ///
    /// # Errors
    /// It was made for another one, or its session has ended since.
    pub(crate) fn check_token(&self, session: &str) -> Result<(), Refusal> {
        // Compared by their hashes, so that the time tells nothing.
        let hash = |text: &str| Sha256::digest(text.as_bytes());
        if hash(self.text(TOKEN_FIELD)) == hash(&form_token(session)) {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::Forbidden,
            "the form belongs to another session; open its page again",
        ))
    }
}

/// The token of the forms of a session. Another site cannot make it, since it does not know the session.
pub(crate) fn form_token(session: &str) -> String {
    let mut hash = Sha256::new_with_prefix(TOKEN_PURPOSE);
    hash.update(session.as_bytes());
    const_hex::encode(&hash.finalize()[..TOKEN_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_there_once_unless_it_is_a_list() {
        let fields = Fields::parse(b"payout=1&key=k&payout=2").expect("a form");
        assert_eq!(fields.all("payout").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((fields.text("key"), fields.text("missing")), ("k", ""));
        for twice in [&b"key=k&key=k"[..], b"amount=1&key=k&amount=2"] {
            let refused = Fields::parse(twice).err().expect("it is there twice");
            assert_eq!(refused.reason, Reason::Malformed);
        }
    }
}
