//! A coin stack as a line of text: `opencoinstack1`, the compact encoding and a checksum in Base64, and `=`. A stack that
//! a passphrase locks is a line that begins with `opencoinlocked1`; what locks and opens it is not here.
//!
//! The alphabet is that of standard Base64 (RFC 4648, section 4), because messengers change others: they take the `_`
//! of the URL-safe alphabet for italics and turn `--` into a dash. There is no colon, which begins smileys. Base32, as
//! in Bech32, would be a fifth longer and its checksum is made for short texts. The checksum is the first four bytes of
//! a SHA-256: it finds damage, and who changes the text on purpose gains nothing, because the coins are signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use opencoin_schema::CoinStack;
use sha2::{Digest, Sha256};

use crate::{StackError, VERSION, compact};

/// The beginning of each text. The version follows, as one digit.
pub const PREFIX: &str = "opencoinstack";

/// The beginning of each text with a locked stack. The version follows, as one digit.
pub const LOCKED_PREFIX: &str = "opencoinlocked";

/// The end of each text. Without it the text reaches as far as its alphabet does.
const END: char = '=';

const CHECKSUM_BYTES: usize = 4;

/// Writes a stack as a line of text.
#[must_use]
pub fn to_text(stack: &CoinStack) -> String {
    write(PREFIX, compact::encode(stack))
}

/// Writes the bytes of a locked stack as a line of text.
#[must_use]
pub fn locked_to_text(locked: &[u8]) -> String {
    write(LOCKED_PREFIX, locked.to_vec())
}

/// Finds the first stack in a text, which may contain other words, line breaks and the marks of a quoted mail. `None`
/// if it contains no stack at all.
#[must_use]
pub fn find_text(text: &str) -> Option<Result<CoinStack, StackError>> {
    find(PREFIX, text).map(|bytes| compact::decode(&bytes?))
}

/// As [`find_text`], for the bytes of a locked stack.
#[must_use]
pub fn find_locked_text(text: &str) -> Option<Result<Vec<u8>, StackError>> {
    find(LOCKED_PREFIX, text)
}

fn write(prefix: &str, mut bytes: Vec<u8>) -> String {
    bytes.extend(checksum(&bytes));
    format!("{prefix}{VERSION}{}{END}", STANDARD_NO_PAD.encode(bytes))
}

fn find(prefix: &str, text: &str) -> Option<Result<Vec<u8>, StackError>> {
    // Lower-casing ASCII keeps all positions.
    let begin = text.to_ascii_lowercase().find(prefix)? + prefix.len();
    let mut rest = text[begin..].chars().filter(|char| !is_ignored(*char));
    Some(
        match rest.next().and_then(|char| char.to_digit(10)).map(u64::from) {
            Some(VERSION) => read(rest),
            Some(other) => Err(StackError::OtherVersion(other)),
            None => Err(StackError::Damaged),
        },
    )
}

fn read(chars: impl Iterator<Item = char>) -> Result<Vec<u8>, StackError> {
    let is_base64 = |char: &char| char.is_ascii_alphanumeric() || ['+', '/'].contains(char);
    let base64: String = chars.take_while(is_base64).collect();
    let mut bytes = STANDARD_NO_PAD.decode(base64).map_err(|_| StackError::Damaged)?;
    let end = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .ok_or(StackError::Damaged)?;
    let sum = bytes.split_off(end);
    if checksum(&bytes)[..] != sum {
        return Err(StackError::Damaged);
    }
    Ok(bytes)
}

/// What programs add when they break and quote lines: white space, `>`, soft hyphens, zero-width spaces.
fn is_ignored(char: char) -> bool {
    char.is_whitespace() || ['>', '\u{ad}', '\u{200b}', '\u{feff}'].contains(&char)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&Sha256::digest(bytes)[..CHECKSUM_BYTES]);
    sum
}
