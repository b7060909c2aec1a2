//! Puts the message of Uniform Resources together, from any of its parts in any order.
//!
//! A part is the sum (XOR) of some fragments of the message. The decoder of the crate `ur` resolves one fragment at a
//! time and can need more parts than carry the message; this one solves the linear equations that the parts are, so
//! every set of parts that determines the message is enough. Which fragments a part has is what `ur` says.

use crc::{CRC_32_ISO_HDLC, Crc};
use minicbor::Decoder;
use thiserror::Error;
use ur::bytewords::{self, Style};

use crate::limits::{FRAGMENTS_MAX, MESSAGE_BYTES_MAX};

/// The beginning of each Uniform Resource.
const SCHEME: &str = "ur:";

/// The checksum of a message and of each part.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A message and its type, in small letters.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The type.
    pub ur_type: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why a text is not a part of the message. No error quotes it, because it may be money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PartError {
    /// The text is no Uniform Resource.
    #[error("this is not a Uniform Resource")]
    NotResource,
    /// A checksum is wrong, or the parts contradict each other.
    #[error("the code is damaged, or it was made by a program with an error: read it again")]
    Damaged,
    /// The part belongs to another message than those before it.
    #[error("the codes belong to different messages: read those of one message at a time")]
    Mixed,
    /// The message would exceed a limit.
    #[error("the message is larger than {MESSAGE_BYTES_MAX} bytes or has more than {FRAGMENTS_MAX} parts")]
    TooLarge,
}

/// What all parts of a sequence have in common.
#[derive(Clone, PartialEq, Eq)]
struct Shape {
    ur_type: String,
    fragments: usize,
    message_bytes: usize,
    checksum: u32,
    fragment_bytes: usize,
}

/// The sum of some fragments.
struct Equation {
    /// A bit for each fragment.
    fragments: Vec<u64>,
    sum: Vec<u8>,
}

impl Equation {
    fn has(&self, fragment: usize) -> bool {
        self.fragments[fragment / 64] >> (fragment % 64) & 1 == 1
    }

    fn add(&mut self, other: &Self) {
        self.fragments
            .iter_mut()
            .zip(&other.fragments)
            .for_each(|(bits, more)| *bits ^= more);
        self.sum
            .iter_mut()
            .zip(&other.sum)
            .for_each(|(byte, more)| *byte ^= more);
    }
}

struct Sequence {
    shape: Shape,
    /// At each index, an equation whose first fragment is that one.
    equations: Vec<Option<Equation>>,
    /// How many equations there are.
    rank: usize,
}

/// Collects parts until the message is complete.
#[derive(Default)]
pub struct Parts {
    single: Option<Message>,
    sequence: Option<Sequence>,
}

impl Parts {
    /// Takes a text. Parts that say nothing new are accepted. An error leaves everything as it was.
    ///
    /// # Errors
    /// The text is not a part of the same message.
    pub fn receive(&mut self, text: &str) -> Result<(), PartError> {
        let text = text.trim().to_ascii_lowercase();
        let rest = text.strip_prefix(SCHEME).ok_or(PartError::NotResource)?;
        if rest.len() > 3 * MESSAGE_BYTES_MAX {
            return Err(PartError::TooLarge);
        }
        let (ur_type, rest) = rest.split_once('/').ok_or(PartError::NotResource)?;
        let (indices, body) = match rest.split_once('/') {
            Some((indices, body)) => (Some(indices), body),
            None => (None, rest),
        };
        if !body.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(PartError::Damaged);
        }
        let body = bytewords::decode(body, Style::Minimal).map_err(|_| PartError::Damaged)?;
        match indices {
            None => self.receive_single(ur_type, body),
            Some(indices) => self.receive_part(ur_type, indices, &body),
        }
    }

    fn receive_single(&mut self, ur_type: &str, bytes: Vec<u8>) -> Result<(), PartError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(PartError::TooLarge);
        }
        let message = Message {
            ur_type: ur_type.to_owned(),
            bytes,
        };
        if self.sequence.is_some() || self.single.as_ref().is_some_and(|known| *known != message) {
            return Err(PartError::Mixed);
        }
        self.single = Some(message);
        Ok(())
    }

    fn receive_part(&mut self, ur_type: &str, indices: &str, body: &[u8]) -> Result<(), PartError> {
        let part = Part::parse(ur_type, body)?;
        let (number, fragments) = indices.split_once('-').ok_or(PartError::Damaged)?;
        let is = |text: &str, number: usize| text.parse() == Ok(number);
        if !is(number, part.number) || !is(fragments, part.shape.fragments) {
            return Err(PartError::Damaged);
        }
        if self.single.is_some() {
            return Err(PartError::Mixed);
        }
        match &mut self.sequence {
            None => {
                let mut sequence = Sequence::new(part.shape.clone());
                sequence.insert(part.equation)?;
                self.sequence = Some(sequence);
                Ok(())
            }
            Some(sequence) if sequence.shape == part.shape => sequence.insert(part.equation),
            Some(_) => Err(PartError::Mixed),
        }
    }

    /// Whether there is nothing yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.single.is_none() && self.sequence.is_none()
    }

    /// How many parts were received that said something new, and how many are needed at least.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        match &self.sequence {
            Some(sequence) => (sequence.rank, sequence.shape.fragments),
            None => (self.single.iter().count(), 1),
        }
    }

    /// Whether the message is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let (received, needed) = self.progress();
        received == needed
    }

    /// The message, if it is complete.
    ///
    /// # Errors
    /// The checksum of the whole message is wrong.
    pub fn message(self) -> Result<Option<Message>, PartError> {
        if !self.is_complete() {
            return Ok(None);
        }
        match self.sequence {
            Some(sequence) => sequence.solve().map(Some),
            None => Ok(self.single),
        }
    }
}

/// One part of a sequence.
struct Part {
    number: usize,
    shape: Shape,
    equation: Equation,
}

impl Part {
    /// Parses `[number, fragments, bytes of the message, checksum of the message, sum of fragments]`. Checks the limits
    /// before it computes the fragments, which takes memory for each.
    fn parse(ur_type: &str, cbor: &[u8]) -> Result<Self, PartError> {
        let mut decoder = Decoder::new(cbor);
        if !matches!(decoder.array(), Ok(Some(5))) {
            return Err(PartError::Damaged);
        }
        let mut uint = || decoder.u32().map_err(|_| PartError::Damaged);
        let (number, fragments, message_bytes, checksum) = (uint()?, uint()?, uint()?, uint()?);
        let sum = decoder.bytes().map_err(|_| PartError::Damaged)?;
        let (number, fragments, message_bytes) =
            (number as usize, fragments as usize, message_bytes as usize);
        if fragments > FRAGMENTS_MAX || message_bytes > MESSAGE_BYTES_MAX {
            return Err(PartError::TooLarge);
        }
        // The last fragment is padded to the length of the others.
        let is_shape = fragments > 0 && message_bytes.div_ceil(fragments) == sum.len() && !sum.is_empty();
        if number == 0 || !is_shape || decoder.position() != cbor.len() {
            return Err(PartError::Damaged);
        }
        let part: ur::fountain::Part = minicbor::decode(cbor).map_err(|_| PartError::Damaged)?;
        let mut equation = Equation {
            fragments: vec![0; fragments.div_ceil(64)],
            sum: sum.to_vec(),
        };
        for index in part.indexes() {
            equation.fragments[index / 64] |= 1 << (index % 64);
        }
        let (ur_type, fragment_bytes) = (ur_type.to_owned(), sum.len());
        let shape = Shape {
            ur_type,
            fragments,
            message_bytes,
            checksum,
            fragment_bytes,
        };
        Ok(Self {
            number,
            shape,
            equation,
        })
    }
}

impl Sequence {
    fn new(shape: Shape) -> Self {
        let equations = (0..shape.fragments).map(|_| None).collect();
        Self {
            shape,
            equations,
            rank: 0,
        }
    }

    /// Reduces an equation by those that are known, and keeps what remains.
    fn insert(&mut self, mut equation: Equation) -> Result<(), PartError> {
        for first in 0..self.shape.fragments {
            if !equation.has(first) {
                continue;
            }
            match &self.equations[first] {
                Some(known) => equation.add(known),
                None => {
                    self.equations[first] = Some(equation);
                    self.rank += 1;
                    return Ok(());
                }
            }
        }
        // It says nothing new, so its sum must be what the others say.
        if equation.sum.iter().any(|byte| *byte != 0) {
            return Err(PartError::Damaged);
        }
        Ok(())
    }

    /// The message. All equations must be there.
    fn solve(self) -> Result<Message, PartError> {
        let mut solved: Vec<Equation> = Vec::with_capacity(self.shape.fragments);
        // From the last one: its equation has no other fragment, and the one before it at most that one.
        for (first, equation) in self.equations.into_iter().enumerate().rev() {
            let mut equation = equation.expect("a complete sequence has an equation for each fragment");
            for (index, later) in (first + 1..self.shape.fragments).rev().zip(&solved) {
                if equation.has(index) {
                    equation.add(later);
                }
            }
            solved.push(equation);
        }
        let mut bytes: Vec<u8> = solved
            .into_iter()
            .rev()
            .flat_map(|equation| equation.sum)
            .collect();
        let padding = bytes.split_off(self.shape.message_bytes);
        if padding.iter().any(|byte| *byte != 0) || CHECKSUM.checksum(&bytes) != self.shape.checksum {
            return Err(PartError::Damaged);
        }
        Ok(Message {
            ur_type: self.shape.ur_type,
            bytes,
        })
    }
}

/// Finds the Uniform Resources in a text with other words, of whatever case, in the order in which they stand.
pub fn find_parts(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || [':', '/', '-'].contains(&char);
    text.split(move |char| !is_part(char)).filter(|word| {
        let scheme = word.get(..SCHEME.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) && word.contains('/')
    })
}
