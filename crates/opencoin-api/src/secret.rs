//! Texts that nobody else may read: they are erased when they are dropped, and no error repeats them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

/// What is said of a value that is no text. It may be the secret all the same, so it is not repeated.
const NO_TEXT: &str = "this is not a text in quotation marks";

/// A password, a token, a passphrase or a service's key. `Debug` does not show it, and its memory is erased.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error of the deserializer quotes the value that is no text.
        let text = String::deserialize(deserializer).map_err(|_| D::Error::custom(NO_TEXT))?;
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_text_and_no_error_repeats_another_value() {
        let secret: Secret = serde_json::from_str("\"a \\u0062\"").unwrap();
        assert_eq!(secret.expose(), "a b");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"a b\"");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        for number in ["4711", "-4711", "4711.5", "47e11"] {
            let error = serde_json::from_str::<Secret>(number).unwrap_err().to_string();
            assert!(error.starts_with(NO_TEXT) && !error.contains("47"), "{error}");
        }
        for other in ["true", "[4711]", "{\"a\":4711}", "null"] {
            let error = serde_json::from_str::<Secret>(other).unwrap_err().to_string();
            assert!(error.starts_with(NO_TEXT) && !error.contains("4711"), "{error}");
        }
    }
}
