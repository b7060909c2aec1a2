//! The bundle: a compact coin stack, padded so that its parts tell the relay little about the number of coins.
//!
//! ```text
//! bundle = length of the stack (4 bytes, big-endian) || stack || zeros
//! ```
//!
//! It is cut into parts of [`PART_BYTES`] each. Their number is one of [`PART_CLASSES`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opencoin_schema::CoinStack;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Digest;
use crate::message::CoinsPart;

/// The bytes of each part. In Base64 they fit into one large frame.
pub const PART_BYTES: usize = 2_880;

/// The possible numbers of parts.
pub const PART_CLASSES: [usize; 6] = [1, 4, 16, 64, 256, 1024];

const LENGTH_BYTES: usize = 4;

/// The longest compact stack that fits into the parts, in bytes.
pub const STACK_BYTES_MAX: usize = PART_BYTES * PART_CLASSES[PART_CLASSES.len() - 1] - LENGTH_BYTES;

/// The stack does not fit into a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the coins take {0} bytes, more than the {STACK_BYTES_MAX} that a live transfer takes at once; send a smaller amount"
)]
pub struct TooManyCoins(usize);

/// Parts do not form a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the parts of the coins do not belong together")]
pub struct BadParts;

/// The digest of a stack.
#[must_use]
pub fn digest(stack: &CoinStack) -> Digest {
    Digest(Sha256::digest(opencoin_stack::encode(stack)).into())
}

/// Cuts a stack into parts.
///
/// # Errors
/// It is too large.
pub fn parts(stack: &CoinStack) -> Result<Vec<CoinsPart>, TooManyCoins> {
    let bytes = Zeroizing::new(opencoin_stack::encode(stack));
    let needed = LENGTH_BYTES + bytes.len();
    let count = PART_CLASSES
        .into_iter()
        .find(|count| needed <= count * PART_BYTES)
        .ok_or(TooManyCoins(bytes.len()))?;
    let mut bundle = Zeroizing::new(Vec::with_capacity(count * PART_BYTES));
    bundle.extend((bytes.len() as u32).to_be_bytes());
    bundle.extend(bytes.iter());
    bundle.resize(count * PART_BYTES, 0);
    let part = |(no, data): (usize, &[u8])| CoinsPart {
        part: no as u32,
        parts: count as u32,
        data: STANDARD.encode(data),
    };
    Ok(bundle.chunks(PART_BYTES).enumerate().map(part).collect())
}

/// Collects the parts of a bundle, which come in order.
#[derive(Default)]
pub struct Parts {
    bytes: Zeroizing<Vec<u8>>,
    next: u32,
    parts: u32,
}

impl Parts {
    /// Adds a part. A part 0 begins anew. Returns the compact stack after the last part.
    ///
    /// # Errors
    /// The part is not the next one.
    pub fn add(&mut self, part: &CoinsPart) -> Result<Option<Zeroizing<Vec<u8>>>, BadParts> {
        if part.part == 0 {
            *self = Self {
                parts: part.parts,
                ..Self::default()
            };
        }
        let data = Zeroizing::new(STANDARD.decode(&part.data).map_err(|_| BadParts)?);
        let is_class = PART_CLASSES.contains(&(part.parts as usize));
        if !is_class || part.part != self.next || part.parts != self.parts || data.len() != PART_BYTES {
            return Err(BadParts);
        }
        self.bytes.extend(data.iter());
        self.next += 1;
        if self.next < self.parts {
            return Ok(None);
        }
        let bundle = std::mem::take(self).bytes;
        let (length, rest) = bundle.split_first_chunk::<LENGTH_BYTES>().ok_or(BadParts)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len() || rest[length..].iter().any(|byte| *byte != 0) {
            return Err(BadParts);
        }
        Ok(Some(Zeroizing::new(rest[..length].to_vec())))
    }
}
