//! Reading JSON strictly, with errors that say where and why.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use thiserror::Error;

/// Longer paths and reasons are cut, because both may repeat what the sender wrote.
const PATH_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 300;

/// The only field that takes negative integers and integers of more than 64 bits.
const MESSAGE_REFERENCE: &str = "message_reference";

/// A text is not the expected document.
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
    // Tracking the path costs time, so a text is read with it only after it was refused.
    serde_json::from_slice(json).map_err(|error| explain::<D>(json, &error))
}

fn explain<D: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> DecodeError {
    // For 1.5 or 2^127 as an `i128`, serde_json reports a syntax error, although the text is JSON.
    if !error.is_data() && serde_json::from_slice::<IgnoredAny>(json).is_ok() {
        return DecodeError {
            path: MESSAGE_REFERENCE.to_owned(),
            reason: "not an integer, or one of more than 127 bits".to_owned(),
        };
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let (path, reason) = match serde_path_to_error::deserialize::<_, D>(&mut deserializer) {
        Err(located) => (located.path().to_string(), reason(located.inner())),
        // The document is right, but something follows it.
        Ok(_) => (String::new(), reason(error)),
    };
    let path = if path == "." { "" } else { &path };
    DecodeError {
        path: path.chars().take(PATH_CHARS_MAX).collect(),
        reason,
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

/// Describes why a field does not take a JSON value, in terms of JSON instead of Rust's types.
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

/// Reads a string field whose text is parsed by `T`. Errors call the field's type `expected`.
pub(crate) fn parse_text<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct TextVisitor<T>(&'static str, PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(TextVisitor(expected, PhantomData))
}

/// The fields of a JSON object that are needed to route and answer it, whatever its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The value of `type`, if it is a string.
    pub type_name: Option<String>,
    /// The value of `message_reference`, if it is an integer of at most 64 bits.
    pub message_reference: Option<i128>,
}

impl Envelope {
    /// Reads these fields from the top level of a JSON object and skips all others.
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
                            envelope.type_name = map.next_value::<Value>()?.as_str().map(str::to_owned);
                        }
                        Field::MessageReference => {
                            let value: Value = map.next_value()?;
                            let signed = value.as_i64().map(i128::from);
                            envelope.message_reference = signed.or_else(|| value.as_u64().map(i128::from));
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
