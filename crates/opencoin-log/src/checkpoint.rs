//! Checkpoints: the size and root that a log commits itself to.
//!
//! A log never signs two checkpoints unless one tree begins with the other. Source: C2SP tlog-checkpoint.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::encoding::{from_decimal, split_line};
use crate::hash::Hash;

/// The longest origin in bytes: ML-DSA cosignatures write its length in one byte.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// The text of a checkpoint: origin, size, root and possibly further lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// The text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// A line is missing, empty or without its newline, or has a control character.
    #[error("not three or more lines of text")]
    Lines,
    /// The origin has too many bytes.
    #[error("an origin of more than {ORIGIN_BYTES_MAX} bytes")]
    Origin,
    /// The size is not a decimal number of 64 bits.
    #[error("not a size")]
    Size,
    /// The root is not the base64 of 32 bytes.
    #[error("not a root")]
    Root,
}

impl Checkpoint {
    /// A checkpoint without further lines.
    ///
    /// # Errors
    /// The origin is empty, too long, or has a control character.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        Ok(Self {
            origin: parse_origin(origin)?,
            size,
            root,
            extensions: Vec::new(),
        })
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// Lines after the root, which other logs may have. Nobody audits them, and ML-DSA signatures do not cover them.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

fn parse_origin(line: &str) -> Result<String, CheckpointError> {
    if line.is_empty() || line.contains(is_control) {
        return Err(CheckpointError::Lines);
    }
    if line.len() > ORIGIN_BYTES_MAX {
        return Err(CheckpointError::Origin);
    }
    Ok(line.to_owned())
}

/// The characters that a note does not have within a line.
fn is_control(character: char) -> bool {
    character < ' '
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let line = |text| split_line(text).ok_or(CheckpointError::Lines);
        let (origin, rest) = line(text)?;
        let (size, rest) = line(rest)?;
        let (root, mut rest) = line(rest)?;
        let origin = parse_origin(origin)?;
        let size = from_decimal(size).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointError::Root)?;
        let mut extensions = Vec::new();
        while !rest.is_empty() {
            let (extension, after) = line(rest)?;
            if extension.is_empty() || extension.contains(is_control) {
                return Err(CheckpointError::Lines);
            }
            extensions.push(extension.to_owned());
            rest = after;
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }
}

impl fmt::Display for Checkpoint {
    /// The text of the note, with its last newline.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{}\n{}\n{}",
            self.origin,
            self.size,
            self.root.to_base64()
        )?;
        self.extensions
            .iter()
            .try_for_each(|extension| writeln!(formatter, "{extension}"))
    }
}
