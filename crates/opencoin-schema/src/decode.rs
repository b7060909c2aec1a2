//! Reading JSON strictly, with errors that say where and why.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// How much of a path and of a reason is kept: both may repeat what the sender wrote.
const PATH_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 300;

/// The only field whose integers may be negative or longer than 64 bits.
const MESSAGE_REFERENCE: &str = "message_reference";

/// Why a text is not the document that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{}{reason}", .path, if .path.is_empty() { "" } else { ": " })]
pub struct DecodeError {
    /// The field, for example `blinds[3].mint_key_id`; empty for the document itself.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads one document (or a list of them) from JSON in any layout.
///
/// # Errors
/// When the text is not JSON, or not exactly the fields of `D`.
pub fn from_json<D: DeserializeOwned>(json: &[u8]) -> Result<D, DecodeError> {
    // Keeping track of the path costs time, so only a text that is refused is read with it.
    serde_json::from_slice(json).map_err(|error| explain::<D>(json, &error))
}

fn explain<D: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> DecodeError {
    // The reader of large integers takes 1.5 or 2^127 for the end of the number, and calls it a fault of the
    // JSON.
    if !error.is_data() && serde_json::from_slice::<IgnoredAny>(json).is_ok() {
        let reason = "not an integer, or one of more than 127 bits".to_owned();
        return DecodeError {
            path: MESSAGE_REFERENCE.to_owned(),
            reason,
        };
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, D>(&mut deserializer) {
        Err(located) => {
            let path = located.path().to_string();
            let path = if path == "." {
                String::new()
            } else {
                path.chars().take(PATH_CHARS_MAX).collect()
            };
            DecodeError {
                path,
                reason: reason(located.inner()),
            }
        }
        // The document was read; what follows it is the trouble.
        Ok(_) => DecodeError {
            path: String::new(),
            reason: reason(error),
        },
    }
}

fn reason(error: &serde_json::Error) -> String {
    let text = if error.is_data() {
        wrong_value(error)
    } else {
        format!("not JSON: {error}")
    };
    text.chars().take(REASON_CHARS_MAX).collect()
}

/// What is wrong with a value that is JSON and not what the field takes, in the words of JSON and not in those of
/// this program's types.
#[must_use]
pub fn wrong_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&position).unwrap_or(&text);
    let found_and_expected = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|beginning| text.strip_prefix(beginning)?.rsplit_once(", expected "));
    let Some((found, expected)) = found_and_expected else {
        return text.to_owned();
    };
    let is_number = ["integer `", "floating point `"]
        .iter()
        .any(|kind| found.starts_with(kind));
    let found = match found {
        "map" => "an object",
        "sequence" => "an array",
        _ if is_number => found.split('`').nth(1).unwrap_or(found),
        _ => found,
    };
    let expected = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0 to 18446744073709551615",
        "i128" => "a whole number",
        _ => expected,
    };
    format!("{found} is not {expected}")
}

/// What can be said of a text without knowing its schema: the fields by which it is routed and answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The value of `type`, if it is a string.
    pub type_name: Option<String>,
    /// The value of `message_reference`, if it is an integer.
    pub message_reference: Option<i128>,
}

impl Envelope {
    /// Looks at the top level of a JSON object and passes over everything else.
    ///
    /// # Errors
    /// When the text is not a JSON object.
    pub fn peek(json: &[u8]) -> Result<Self, DecodeError> {
        from_json(json)
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Field {
            Type,
            MessageReference,
            #[serde(other)]
            Other,
        }

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            Text(String),
            Other(IgnoredAny),
        }

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Integer {
            Unsigned(u64),
            Signed(i64),
            Other(IgnoredAny),
        }

        struct EnvelopeVisitor;
        impl<'de> Visitor<'de> for EnvelopeVisitor {
            type Value = Envelope;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with a `type`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Type => {
                            envelope.type_name = match map.next_value()? {
                                Text::Text(text) => Some(text),
                                Text::Other(IgnoredAny) => None,
                            }
                        }
                        Field::MessageReference => {
                            envelope.message_reference = match map.next_value()? {
                                Integer::Unsigned(number) => Some(number.into()),
                                Integer::Signed(number) => Some(number.into()),
                                Integer::Other(IgnoredAny) => None,
                            }
                        }
                        Field::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}
