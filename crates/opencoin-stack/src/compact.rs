//! The compact encoding of a coin stack, in CBOR (RFC 8949) with the deterministic encoding of its section 4.2.1.
//!
//! The payloads of a stack repeat themselves: the currency is named once, each mint key once, and a coin has its
//! serial and its signature only.
//!
//! ```text
//! stack    = [1, subject, [* currency], [* key], [* coin]] / json
//! currency = [issuer_id: bstr, cdd_location: tstr, protocol_version: tstr / null]
//! key      = [index of the currency: uint, mint_key_id: bstr, denomination: uint]
//! coin     = [index of the key: uint, serial: bstr, signature: bstr]
//! json     = tstr
//! ```
//!
//! Numbers are big-endian bytes without leading zeros. `null` is the protocol version of
//! [`PROTOCOL_VERSION`]. Currencies and keys are in the order in which the coins name them first. A stack that exceeds
//! [`COINS_MAX`] or [`URL_BYTES_MAX`] is written as its JSON text. Each stack has one encoding, and [`decode`] refuses
//! every other.

use std::collections::HashMap;
use std::hash::Hash;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use opencoin_schema::{
    BigInt, Coin, CoinStack, NUMBER_DIGITS_MAX, PROTOCOL_VERSION, Payload, from_json, text,
};

use crate::StackError;

/// The version of the encoding.
pub const VERSION: u64 = 1;

/// The most coins of a stack in the compact form. With [`URL_BYTES_MAX`] it bounds the memory of a decoded stack,
/// because every decoded coin has the texts of its currency.
pub const COINS_MAX: usize = 10_000;

/// The longest `cdd_location` and `protocol_version` in the compact form.
pub const URL_BYTES_MAX: usize = 512;

/// The longest number, in bytes: what the JSON form can hold.
const NUMBER_BYTES_MAX: usize = NUMBER_DIGITS_MAX / 2;

/// What the coins of one currency share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Currency<'a> {
    issuer_id: &'a BigInt,
    cdd_location: &'a str,
    protocol_version: &'a str,
}

/// What the coins of one mint key share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'a> {
    currency: u64,
    mint_key_id: &'a BigInt,
    denomination: u64,
}

/// Encodes a stack.
#[must_use]
pub fn encode(stack: &CoinStack) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = if fits(stack) {
        write_compact(&mut encoder, stack)
    } else {
        encoder.str(&text::compact(stack)).map(drop)
    };
    written.expect("writing to a vector cannot fail");
    encoder.into_writer()
}

/// Decodes a stack.
///
/// # Errors
/// The bytes are not what [`encode`] writes for some stack.
pub fn decode(bytes: &[u8]) -> Result<CoinStack, StackError> {
    let mut decoder = Decoder::new(bytes);
    let stack = match decoder.datatype() {
        Ok(Type::String) => read_json(&mut decoder)?,
        _ => read_compact(&mut decoder)?,
    };
    if encode(&stack) != bytes {
        return Err(StackError::Malformed("it is not in the deterministic encoding"));
    }
    Ok(stack)
}

/// Whether the stack has a compact form.
fn fits(stack: &CoinStack) -> bool {
    let is_short = |payload: &Payload| {
        payload.cdd_location.len() <= URL_BYTES_MAX && payload.protocol_version.len() <= URL_BYTES_MAX
    };
    stack.coins.len() <= COINS_MAX && stack.coins.iter().all(|coin| is_short(&coin.payload))
}

/// Distinct values in the order in which they were first met.
struct Table<T> {
    indices: HashMap<T, u64>,
    values: Vec<T>,
}

impl<T: Copy + Eq + Hash> Table<T> {
    fn new() -> Self {
        let (indices, values) = (HashMap::new(), Vec::new());
        Self { indices, values }
    }

    fn index(&mut self, value: T) -> u64 {
        *self.indices.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() as u64 - 1
        })
    }
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write_compact(encoder: &mut Encoder<Vec<u8>>, stack: &CoinStack) -> Written {
    let (mut currencies, mut keys) = (Table::new(), Table::new());
    let coins = stack.coins.iter().map(|coin| {
        let payload = &coin.payload;
        let currency = currencies.index(Currency {
            issuer_id: &payload.issuer_id,
            cdd_location: &payload.cdd_location,
            protocol_version: &payload.protocol_version,
        });
        let key = keys.index(Key {
            currency,
            mint_key_id: &payload.mint_key_id,
            denomination: payload.denomination,
        });
        (key, coin)
    });
    let coins: Vec<(u64, &Coin)> = coins.collect();

    encoder.array(5)?.u64(VERSION)?.str(&stack.subject)?;
    encoder.array(currencies.values.len() as u64)?;
    for currency in currencies.values {
        encoder.array(3)?.bytes(currency.issuer_id.as_be_bytes())?;
        encoder.str(currency.cdd_location)?;
        match currency.protocol_version {
            PROTOCOL_VERSION => encoder.null()?,
            other => encoder.str(other)?,
        };
    }
    encoder.array(keys.values.len() as u64)?;
    for key in keys.values {
        encoder.array(3)?.u64(key.currency)?;
        encoder
            .bytes(key.mint_key_id.as_be_bytes())?
            .u64(key.denomination)?;
    }
    encoder.array(coins.len() as u64)?;
    for (key, coin) in coins {
        encoder.array(3)?.u64(key)?;
        encoder
            .bytes(coin.payload.serial.as_be_bytes())?
            .bytes(coin.signature.as_be_bytes())?;
    }
    Ok(())
}

fn read_json(decoder: &mut Decoder<'_>) -> Result<CoinStack, StackError> {
    let json = decoder
        .str()
        .map_err(|_| StackError::Malformed("its JSON text is cut off or not UTF-8"))?;
    from_json(json.as_bytes()).map_err(|_| StackError::Malformed("its JSON text is not a coin stack"))
}

fn read_compact(decoder: &mut Decoder<'_>) -> Result<CoinStack, StackError> {
    let begins = array(decoder, "it does not begin with an array")?;
    let version = uint(decoder, "it has no version")?;
    if version != VERSION {
        return Err(StackError::OtherVersion(version));
    }
    if begins != 5 {
        return Err(StackError::Malformed("it does not have five parts"));
    }
    let subject = string(decoder, "its subject is not a text")?.to_owned();
    let mut currencies = Vec::new();
    for _ in 0..array(decoder, "its currencies are not an array")? {
        currencies.push(read_currency(decoder)?);
    }
    let mut keys = Vec::new();
    for _ in 0..array(decoder, "its mint keys are not an array")? {
        let wrong = "a mint key is not a currency, an id and a denomination";
        triple(decoder, wrong)?;
        let currency = entry(&currencies, uint(decoder, wrong)?)?;
        keys.push((currency, number(decoder, wrong)?, uint(decoder, wrong)?));
    }
    let count = array(decoder, "its coins are not an array")?;
    if count > COINS_MAX as u64 {
        return Err(StackError::Malformed("it has too many coins"));
    }
    let mut coins = Vec::new();
    for _ in 0..count {
        let wrong = "a coin is not a mint key, a serial and a signature";
        triple(decoder, wrong)?;
        let ((issuer_id, cdd_location, protocol_version), mint_key_id, denomination) =
            entry(&keys, uint(decoder, wrong)?)?;
        coins.push(Coin {
            payload: Payload {
                cdd_location: (*cdd_location).to_owned(),
                denomination: *denomination,
                issuer_id: issuer_id.clone(),
                mint_key_id: mint_key_id.clone(),
                protocol_version: (*protocol_version).to_owned(),
                serial: number(decoder, wrong)?,
            },
            signature: number(decoder, wrong)?,
        });
    }
    Ok(CoinStack { coins, subject })
}

fn read_currency<'b>(decoder: &mut Decoder<'b>) -> Result<(BigInt, &'b str, &'b str), StackError> {
    let wrong = "a currency is not an id, a location and a protocol version";
    triple(decoder, wrong)?;
    let issuer_id = number(decoder, wrong)?;
    let cdd_location = string(decoder, wrong)?;
    let protocol_version = match decoder.datatype() {
        Ok(Type::Null) => {
            decoder.null().map_err(|_| StackError::Malformed(wrong))?;
            PROTOCOL_VERSION
        }
        _ => string(decoder, wrong)?,
    };
    if cdd_location.len() > URL_BYTES_MAX || protocol_version.len() > URL_BYTES_MAX {
        return Err(StackError::Malformed(
            "the location or the protocol version of a currency is too long",
        ));
    }
    Ok((issuer_id, cdd_location, protocol_version))
}

fn entry<T>(table: &[T], index: u64) -> Result<&T, StackError> {
    let entry = usize::try_from(index).ok().and_then(|index| table.get(index));
    entry.ok_or(StackError::Malformed(
        "it refers to an entry that it does not have",
    ))
}

/// The length of an array, which is at most the number of bytes that follow.
fn array(decoder: &mut Decoder<'_>, wrong: &'static str) -> Result<u64, StackError> {
    let length = decoder.array().ok().flatten();
    length.ok_or(StackError::Malformed(wrong))
}

fn triple(decoder: &mut Decoder<'_>, wrong: &'static str) -> Result<(), StackError> {
    match array(decoder, wrong)? {
        3 => Ok(()),
        _ => Err(StackError::Malformed(wrong)),
    }
}

fn uint(decoder: &mut Decoder<'_>, wrong: &'static str) -> Result<u64, StackError> {
    decoder.u64().map_err(|_| StackError::Malformed(wrong))
}

fn string<'b>(decoder: &mut Decoder<'b>, wrong: &'static str) -> Result<&'b str, StackError> {
    decoder.str().map_err(|_| StackError::Malformed(wrong))
}

fn number(decoder: &mut Decoder<'_>, wrong: &'static str) -> Result<BigInt, StackError> {
    let bytes = decoder.bytes().map_err(|_| StackError::Malformed(wrong))?;
    if bytes.len() > NUMBER_BYTES_MAX {
        return Err(StackError::Malformed("a number is too long"));
    }
    Ok(BigInt::from_be_bytes(bytes))
}
