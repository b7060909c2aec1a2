//! Coin stacks as people hand them over: the specification's JSON in a file, or a line of text for a messenger.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use opencoin_schema::{AnyDocument, CoinStack, text};
use opencoin_stack::{PREFIX, StackError};

use crate::failure;
use crate::input::read_file;

/// A likely cause of damage: the line editor of a terminal.
const PASTED_HELP: &str =
    "a terminal cuts off pasted lines after 4095 characters: save the text in a file, and receive the file";

/// How coins are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    /// The specification's coin stack, JSON, which every wallet reads.
    #[default]
    File,
    /// One line for a messenger or a mail, about half as long.
    Text,
}

impl Form {
    /// The name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Text => "text",
        }
    }

    pub(crate) fn write(self, stack: &CoinStack) -> String {
        match self {
            Self::File => text::compact(stack),
            Self::Text => opencoin_stack::to_text(stack),
        }
    }
}

/// Reads coins that somebody has handed over: a file, stdin for `-`, or the line of text itself.
pub(crate) fn read(coins: &Path) -> Result<(CoinStack, Form)> {
    let argument = coins.as_os_str().as_encoded_bytes();
    let is_line = argument.len() > PREFIX.len()
        && argument[..PREFIX.len()].eq_ignore_ascii_case(PREFIX.as_bytes())
        && !coins.exists();
    // The argument must not be repeated in an error, because it is money.
    if is_line && let Some(stack) = find_text(argument) {
        return Ok((stack?, Form::Text));
    }
    let bytes = read_file(coins)?;
    if let Some(stack) = find_text(&bytes) {
        let is_pasted = coins == Path::new("-") && io::stdin().is_terminal();
        let stack = stack.map_err(|error| match error {
            StackError::Damaged if is_pasted => failure::explained(error.into(), PASTED_HELP),
            error => error.into(),
        })?;
        return Ok((stack, Form::Text));
    }
    Ok((read_json(coins, &bytes)?, Form::File))
}

/// The stack of a line of text, if there is one. `None` for a JSON document, whose subject may look like one.
pub(crate) fn find_text(bytes: &[u8]) -> Option<Result<CoinStack, StackError>> {
    let text = any_text(bytes).ok()?;
    let found = opencoin_stack::find_text(&text)?;
    let is_document = |json: &str| AnyDocument::from_json(json.as_bytes()).is_ok();
    (!json_object(&text).is_some_and(is_document)).then_some(found)
}

/// Reads the JSON object in a text of UTF-8 or UTF-16, possibly with words that a mail program has added.
fn read_json(path: &Path, bytes: &[u8]) -> Result<CoinStack> {
    let text = any_text(bytes).with_context(|| format!("{} is not text", path.display()))?;
    let json = json_object(&text).unwrap_or(&text);
    let document = AnyDocument::from_json(json.as_bytes());
    match document.with_context(|| format!("{} is not a valid document", path.display()))? {
        AnyDocument::CoinStack(stack) => Ok(stack),
        other => bail!(
            "{} is a {:?}, not a coin stack",
            path.display(),
            other.type_name()
        ),
    }
}

/// Decodes UTF-8, or UTF-16 with a byte order mark.
fn any_text(bytes: &[u8]) -> Result<String> {
    let utf_16 = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| read([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units)
    };
    Ok(match bytes {
        [0xff, 0xfe, ..] => utf_16(u16::from_le_bytes)?,
        [0xfe, 0xff, ..] => utf_16(u16::from_be_bytes)?,
        _ => String::from_utf8(bytes.to_vec())?,
    })
}

/// From the first brace to the last. Wrong only if the surrounding text contains braces.
fn json_object(text: &str) -> Option<&str> {
    let (begin, end) = (text.find('{')?, text.rfind('}')?);
    (begin < end).then(|| &text[begin..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_found_in_other_encodings_and_surrounding_text() {
        let json = r#"{"type": "coinstack", "subject": "caf\u00e9 {1}", "coins": []}"#;
        let utf_16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            let units = [mark].into_iter().chain(json.encode_utf16());
            units.flat_map(bytes).collect::<Vec<u8>>()
        };
        for file in [
            json.as_bytes().to_vec(),
            format!("\u{feff}{json}\r\n").into_bytes(),
            format!("Here they are:\n\n{json}\n-- \nAlice, Example Street 1\n").into_bytes(),
            utf_16(0xfeff, u16::to_le_bytes),
            utf_16(0xfeff, u16::to_be_bytes),
        ] {
            assert_eq!(json_object(&any_text(&file).unwrap()), Some(json));
        }
        assert!(any_text(&[0xc3, 0x28]).is_err());
    }
}
