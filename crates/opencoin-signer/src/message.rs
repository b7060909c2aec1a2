//! The messages between the two processes.
//!
//! A request has a transaction reference and a number of blinds; the signer reads the blinds from the books. Many
//! requests share a connection. Each has its own number, and answers come in any order. Integers are big-endian,
//! lengths precede contents. A malformed message ends the connection.

use opencoin_crypto::{KEY_BITS_MAX, SignError};
use opencoin_ledger::{MINT_KEY_ID_BYTES, TRANSACTION_REFERENCE_BYTES_MAX, TransactionReference};
use opencoin_schema::BigInt;
use opencoin_text::printable;
use thiserror::Error;

/// The most blinds of a request, the same as in a request to the issuer.
pub const BLINDS_MAX: usize = 1000;

/// The longest message to a signer: kind, number, number of blinds, reference.
pub(crate) const REQUEST_BYTES_MAX: usize = 1 + 8 + 4 + TRANSACTION_REFERENCE_BYTES_MAX;

/// The longest message from a signer: kind, number, count, and a length with each signature.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 + 8 + 4 + BLINDS_MAX * (2 + KEY_BITS_MAX / 8);

/// The most characters of a refusal's text that are sent and read.
const REASON_CHARS_MAX: usize = 300;

const SIGN: u8 = 1;
const CANCEL: u8 = 2;
const PING: u8 = 3;

const SIGNED: u8 = 1;
const BUSY: u8 = 2;
const UNKNOWN_KEY: u8 = 3;
const OUT_OF_RANGE: u8 = 4;
const UNAVAILABLE: u8 = 5;
const NOT_ACCEPTED: u8 = 6;
const FAILED: u8 = 7;
const PONG: u8 = 8;

/// The bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a malformed message")]
pub(crate) struct Malformed;

/// A message to a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Requests signatures of what was accepted under a reference.
    Sign {
        number: u64,
        blinds: u32,
        reference: TransactionReference,
    },
    /// Cancels a request.
    Cancel { number: u64 },
    /// Requests a pong.
    Ping,
}

/// A message from a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer to [`Request::Sign`].
    Sign {
        number: u64,
        result: Result<Vec<BigInt>, SignError>,
    },
    /// The answer to [`Request::Ping`].
    Pong,
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Sign {
                number,
                blinds,
                reference,
            } => [
                &[SIGN][..],
                &number.to_be_bytes(),
                &blinds.to_be_bytes(),
                reference.as_bytes(),
            ]
            .concat(),
            Self::Cancel { number } => [&[CANCEL][..], &number.to_be_bytes()].concat(),
            Self::Ping => vec![PING],
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(bytes);
        let request = match rest.u8()? {
            SIGN => {
                let (number, blinds) = (rest.u64()?, rest.u32()?);
                let reference = TransactionReference::new(rest.all()).map_err(|_| Malformed)?;
                Self::Sign {
                    number,
                    blinds,
                    reference,
                }
            }
            CANCEL => Self::Cancel { number: rest.u64()? },
            PING => Self::Ping,
            _ => return Err(Malformed),
        };
        rest.end(request)
    }
}

impl Answer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (number, result) = match self {
            Self::Pong => return vec![PONG],
            Self::Sign { number, result } => (number, result),
        };
        let begin = |kind: u8| [&[kind][..], &number.to_be_bytes()].concat();
        match result {
            Ok(signatures) => {
                let mut bytes = begin(SIGNED);
                bytes.reserve(
                    4 + signatures
                        .iter()
                        .map(|signature| 2 + signature.as_be_bytes().len())
                        .sum::<usize>(),
                );
                bytes.extend_from_slice(&count_of(signatures.len()).to_be_bytes());
                for signature in signatures {
                    let length = u16::try_from(signature.as_be_bytes().len())
                        .expect("a signature is as long as its key");
                    bytes.extend_from_slice(&length.to_be_bytes());
                    bytes.extend_from_slice(signature.as_be_bytes());
                }
                bytes
            }
            Err(SignError::Busy) => begin(BUSY),
            Err(SignError::UnknownKey(id)) => [&begin(UNKNOWN_KEY)[..], id.as_be_bytes()].concat(),
            Err(SignError::OutOfRange { index }) => {
                [&begin(OUT_OF_RANGE)[..], &count_of(*index).to_be_bytes()].concat()
            }
            Err(SignError::Unavailable) => begin(UNAVAILABLE),
            Err(SignError::NotAccepted(reason)) => {
                [&begin(NOT_ACCEPTED)[..], short(reason).as_bytes()].concat()
            }
            Err(SignError::Failed) => begin(FAILED),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(bytes);
        let kind = rest.u8()?;
        if kind == PONG {
            return rest.end(Self::Pong);
        }
        let number = rest.u64()?;
        let result = match kind {
            SIGNED => Ok(rest.signatures()?),
            BUSY => Err(SignError::Busy),
            UNKNOWN_KEY => Err(SignError::UnknownKey(rest.key_id()?)),
            OUT_OF_RANGE => Err(SignError::OutOfRange {
                index: rest.u32()? as usize,
            }),
            UNAVAILABLE => Err(SignError::Unavailable),
            NOT_ACCEPTED => Err(SignError::NotAccepted(short(
                str::from_utf8(rest.all()).map_err(|_| Malformed)?,
            ))),
            FAILED => Err(SignError::Failed),
            _ => return Err(Malformed),
        };
        rest.end(Self::Sign { number, result })
    }
}

/// Converts a count or index of blinds.
pub(crate) fn count_of(count: usize) -> u32 {
    u32::try_from(count).expect("a request has at most BLINDS_MAX blinds")
}

/// Shortens a text and escapes it for a line of a log.
fn short(text: &str) -> String {
    let text: String = text.chars().take(REASON_CHARS_MAX).collect();
    // Escapes may have made it longer.
    printable(&text).chars().take(REASON_CHARS_MAX).collect()
}

struct Reader<'bytes>(&'bytes [u8]);

impl<'bytes> Reader<'bytes> {
    fn take(&mut self, count: usize) -> Result<&'bytes [u8], Malformed> {
        self.0.split_off(..count).ok_or(Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    fn all(&mut self) -> &'bytes [u8] {
        std::mem::take(&mut self.0)
    }

    fn key_id(&mut self) -> Result<BigInt, Malformed> {
        let id = self.all();
        if id.len() > MINT_KEY_ID_BYTES {
            Err(Malformed)
        } else {
            Ok(BigInt::from_be_bytes(id))
        }
    }

    fn signatures(&mut self) -> Result<Vec<BigInt>, Malformed> {
        let count = self.u32()? as usize;
        if count > BLINDS_MAX {
            return Err(Malformed);
        }
        let mut signatures = Vec::with_capacity(count);
        for _ in 0..count {
            let length = self.array().map(u16::from_be_bytes)?;
            signatures.push(BigInt::from_be_bytes(self.take(length.into())?));
        }
        Ok(signatures)
    }

    /// Returns the message if no bytes follow it.
    fn end<T>(self, message: T) -> Result<T, Malformed> {
        if self.0.is_empty() {
            Ok(message)
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn reference() -> impl Strategy<Value = TransactionReference> {
        vec(any::<u8>(), 1..=TRANSACTION_REFERENCE_BYTES_MAX)
            .prop_map(|bytes| TransactionReference::new(bytes).unwrap())
    }

    fn number() -> impl Strategy<Value = BigInt> {
        vec(any::<u8>(), 0..KEY_BITS_MAX / 8).prop_map(|bytes| BigInt::from_be_bytes(&bytes))
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            (any::<u64>(), any::<u32>(), reference()).prop_map(|(number, blinds, reference)| Request::Sign {
                number,
                blinds,
                reference
            }),
            any::<u64>().prop_map(|number| Request::Cancel { number }),
            Just(Request::Ping),
        ]
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let id = vec(any::<u8>(), 0..=MINT_KEY_ID_BYTES).prop_map(|bytes| BigInt::from_be_bytes(&bytes));
        let result = prop_oneof![
            vec(number(), 0..5).prop_map(Ok),
            Just(Err(SignError::Busy)),
            id.prop_map(|id| Err(SignError::UnknownKey(id))),
            (0..BLINDS_MAX).prop_map(|index| Err(SignError::OutOfRange { index })),
            Just(Err(SignError::Unavailable)),
            "[a-zäöü ]{0,40}".prop_map(|reason| Err(SignError::NotAccepted(reason))),
            Just(Err(SignError::Failed)),
        ];
        prop_oneof![
            (any::<u64>(), result).prop_map(|(number, result)| Answer::Sign { number, result }),
            Just(Answer::Pong)
        ]
    }

    proptest! {
        #[test]
        fn an_encoded_message_is_decoded(request in request(), answer in answer()) {
            prop_assert!(request.encode().len() <= REQUEST_BYTES_MAX);
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
            prop_assert!(answer.encode().len() <= ANSWER_BYTES_MAX);
            prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }

        #[test]
        fn decoding_any_bytes_does_not_panic(bytes in vec(any::<u8>(), 0..60), kind in 0_u8..10) {
            let with_kind = [&[kind][..], &bytes].concat();
            for bytes in [bytes, with_kind] {
                let _ = Request::decode(&bytes);
                let _ = Answer::decode(&bytes);
            }
        }
    }

    #[test]
    fn the_largest_answer_fits() {
        let largest = BigInt::from_be_bytes(&[0xff; KEY_BITS_MAX / 8]);
        let answer = Answer::Sign {
            number: u64::MAX,
            result: Ok(vec![largest; BLINDS_MAX]),
        };
        assert_eq!(answer.encode().len(), ANSWER_BYTES_MAX);
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }

    #[test]
    fn a_reason_stays_on_one_short_line() {
        let reason = format!("no\nline {}", "x".repeat(1000));
        let answer = Answer::Sign {
            number: 1,
            result: Err(SignError::NotAccepted(reason)),
        };
        let Ok(Answer::Sign {
            result: Err(SignError::NotAccepted(reason)),
            ..
        }) = Answer::decode(&answer.encode())
        else {
            panic!("read as something else");
        };
        assert!(
            reason.starts_with(r"no\nline x") && reason.chars().count() == REASON_CHARS_MAX,
            "{reason}"
        );
    }
}
