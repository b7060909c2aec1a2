//! Short codes: a few dozen bytes from which the receiver makes the coins.
//!
//! The sender has renewed coins with secrets that are derived from 32 random bytes. The code has these bytes, and the
//! receiver derives the same and asks the issuer for the signatures. So a code is as long for a thousand coins as for
//! one, and whoever has it can spend the coins.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use opencoin_schema::BigInt;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::StackError;

/// What the code itself begins with. The URL of the issuer and a `#` stand before it, so that the code is a link of which
/// no server sees the secret.
pub const CODE_PREFIX: &str = "opencoincode1";
/// The length of the secret.
pub const SECRET_BYTES: usize = 32;
/// The bytes of the issuer's id that are in a code: enough to tell issuers apart.
pub const ISSUER_BYTES: usize = 8;
/// The most kinds of coins in a code.
pub const KINDS_MAX: usize = 64;
/// The most coins of a code (an issuer's limit for one request).
pub const CODE_COINS_MAX: u64 = 1_000;
/// The longest URL of an issuer in a code, in bytes.
pub const CODE_URL_BYTES_MAX: usize = 512;
/// The length of the checksum.
const CHECKSUM_BYTES: usize = 4;
/// The longest code after its prefix, in digits: more than the limits above allow.
const DIGITS_MAX: usize = 4_096;

/// A short code. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ShortCode {
    /// The URL of the issuer. Anybody can have written it.
    pub url: String,
    /// The first bytes of the issuer's id, as a number of [`ISSUER_BYTES`] bytes.
    pub issuer: [u8; ISSUER_BYTES],
    /// What the secrets of the coins are derived from.
    pub secret: Zeroizing<[u8; SECRET_BYTES]>,
    /// The denominations, in rising order, and how many coins of each there are.
    pub coins: Vec<(u64, u32)>,
}

impl ShortCode {
    /// Returns the first bytes of an issuer's id. Short ids are preceded by zeros.
    #[must_use]
    pub fn issuer_bytes(id: &BigInt) -> [u8; ISSUER_BYTES] {
        let bytes = id.as_be_bytes();
        let mut first = [0; ISSUER_BYTES];
        let length = bytes.len().min(ISSUER_BYTES);
        first[ISSUER_BYTES - length..].copy_from_slice(&bytes[..length]);
        first
    }

    /// Returns the total of the coins, in the smallest unit; `None` if it is too large.
    #[must_use]
    pub fn amount(&self) -> Option<u64> {
        let values = self
            .coins
            .iter()
            .map(|(value, count)| value.checked_mul(u64::from(*count)));
        values
            .into_iter()
            .try_fold(0, |sum: u64, value| sum.checked_add(value?))
    }

    /// Returns the denomination of each coin, in the order of the blinds of its request.
    #[must_use]
    pub fn denominations(&self) -> Vec<u64> {
        let all = self.coins.iter();
        all.flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize))
            .collect()
    }

    /// Writes the code as a link.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = self.bytes();
        let checksum = checksum(&self.url, &bytes);
        bytes.extend_from_slice(&checksum);
        let digits = Zeroizing::new(BASE32_NOPAD.encode(&bytes).to_ascii_lowercase());
        Zeroizing::new(format!("{}/#{CODE_PREFIX}{}", self.url, *digits))
    }

    /// The bytes of the code, without the checksum.
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new([self.issuer.as_slice(), self.secret.as_slice()].concat());
        for (value, count) in &self.coins {
            write_number(&mut bytes, *value);
            write_number(&mut bytes, u64::from(*count));
        }
        bytes
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ShortCode")
            .field("url", &self.url)
            .field("coins", &self.coins)
            .finish_non_exhaustive()
    }
}

/// Finds the first short code in a text and reads it; `None` if there is none. Capital letters count as small ones, as
/// QR codes have them.
///
/// # Errors
/// The code is damaged, of another version, or not one that a wallet writes.
pub fn find_code(text: &str) -> Option<Result<ShortCode, StackError>> {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let name = CODE_PREFIX.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let marker = format!("/#{name}");
    let at = lower.find(&marker)?;
    let begin = lower[..at].rfind(|char: char| char.is_whitespace() || "<>\"'()".contains(char));
    let begin = begin.map_or(0, |index| {
        index + lower[index..].chars().next().map_or(1, char::len_utf8)
    });
    let rest = &lower[at + marker.len()..];
    let end = rest.find(|char: char| !char.is_ascii_alphanumeric());
    let digits = &rest[..end.unwrap_or(rest.len())];
    Some(read(&text[begin..at], digits))
}

fn read(url: &str, digits: &str) -> Result<ShortCode, StackError> {
    let Some(digits) = digits.strip_prefix('1') else {
        let version = digits.bytes().take_while(u8::is_ascii_digit).count();
        return Err(match digits[..version].parse() {
            Ok(version) => StackError::OtherVersion(version),
            Err(_) => StackError::CodeDamaged,
        });
    };
    if digits.len() > DIGITS_MAX || url.len() > CODE_URL_BYTES_MAX {
        return Err(StackError::CodeDamaged);
    }
    // A scheme and a host are the same in capital letters, in which codes for QR are written.
    let url = if url.chars().any(|char| char.is_ascii_lowercase()) {
        url.to_owned()
    } else {
        url.to_ascii_lowercase()
    };
    let digits = Zeroizing::new(digits.to_ascii_uppercase());
    let bytes = BASE32_NOPAD.decode(digits.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| StackError::CodeDamaged)?;
    let end = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .ok_or(StackError::CodeDamaged)?;
    if checksum(&url, &bytes[..end]) != bytes[end..] {
        return Err(StackError::CodeDamaged);
    }
    read_bytes(url, &bytes[..end]).ok_or(StackError::Malformed("the counts of its coins are not in order"))
}

fn read_bytes(url: String, bytes: &[u8]) -> Option<ShortCode> {
    let (issuer, rest) = bytes.split_first_chunk::<ISSUER_BYTES>()?;
    let (secret, mut rest) = rest.split_first_chunk::<SECRET_BYTES>()?;
    let mut coins: Vec<(u64, u32)> = Vec::new();
    while !rest.is_empty() {
        let value = read_number(&mut rest)?;
        let count = u32::try_from(read_number(&mut rest)?).ok()?;
        let is_next = coins.last().is_none_or(|(last, _)| *last < value);
        if value == 0 || count == 0 || !is_next || coins.len() == KINDS_MAX {
            return None;
        }
        coins.push((value, count));
    }
    let code = ShortCode {
        url,
        issuer: *issuer,
        secret: Zeroizing::new(*secret),
        coins,
    };
    let count: u64 = code.coins.iter().map(|(_, count)| u64::from(*count)).sum();
    (1..=CODE_COINS_MAX).contains(&count).then_some(())?;
    code.amount()?;
    // Each code has one text.
    (*code.bytes() == bytes).then_some(code)
}

/// The checksum is of the URL too: a changed host would ask another server for the coins.
fn checksum(url: &str, bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new()
        .chain_update(url)
        .chain_update([0])
        .chain_update(bytes)
        .finalize();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}

/// LEB128: seven bits a byte, the lowest first; the highest bit says that more follow.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        number |= part
            .checked_shl(shift)
            .filter(|shifted| shifted >> shift == part)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
