//! Finds out in which form coins come.

use std::path::Path;

use anyhow::{Context, Result, bail};
use opencoin_lock::{find_armored, is_locked};
use opencoin_pictures::{Message, Reader, find_parts, is_picture};
use opencoin_schema::{AnyDocument, CoinStack};
use opencoin_stack::{LOCKED_PREFIX, PREFIX};
use opencoin_text::printable;
use opencoin_transfer::invitation::find_link;

use super::{Coins, Content, Form, LOCKED_TYPE, STACK_TYPE};
use crate::failure;

/// The first byte of the compact form: a CBOR array of five. No text begins with it.
const COMPACT_BEGIN: u8 = 0x85;

/// Whether an argument is not the name of a file, but coins.
pub(super) fn is_line(argument: &[u8]) -> bool {
    let is_code = String::from_utf8_lossy(argument)
        .to_ascii_lowercase()
        .contains("/#opencoincode");
    is_code
        || find_link(&String::from_utf8_lossy(argument)).is_some()
        || [PREFIX, LOCKED_PREFIX, "ur:"].into_iter().any(|prefix| {
            let begin = argument.get(..prefix.len());
            argument.len() > prefix.len()
                && begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix.as_bytes()))
        })
}

/// The coins in the bytes of a file or a text, in every form but the specification's JSON. `None` if there are none.
pub(crate) fn recognise(bytes: &[u8]) -> Result<Option<Coins>> {
    let file = |content| {
        Some(Coins {
            form: Form::File,
            content,
        })
    };
    if is_picture(bytes) {
        let mut reader = Reader::default();
        reader.read(bytes)?;
        return of_pictures(reader).map(Some);
    }
    if is_locked(bytes) {
        return Ok(file(Content::Locked(bytes.to_vec())));
    }
    if bytes.first() == Some(&COMPACT_BEGIN) {
        return Ok(file(Content::Open(opencoin_stack::decode(bytes)?)));
    }
    let Ok(text) = any_text(bytes) else {
        return Ok(None);
    };
    // A JSON document may have anything as its subject.
    let is_document = |json: &str| AnyDocument::from_json(json.as_bytes()).is_ok();
    match of_text(&text) {
        None => Ok(None),
        Some(_) if json_object(&text).is_some_and(is_document) => Ok(None),
        Some(found) => found.map(Some),
    }
}

/// The coins in a text.
fn of_text(text: &str) -> Option<Result<Coins>> {
    let coins = |form, content| Coins { form, content };
    if let Some(link) = find_link(text) {
        return Some(Ok(coins(Form::Text, Content::Invitation(link.to_owned()))));
    }
    if let Some(locked) = find_armored(text) {
        let locked = locked.map(|locked| coins(Form::File, Content::Locked(locked)));
        return Some(locked.map_err(Into::into));
    }
    if let Some(stack) = opencoin_stack::find_text(text) {
        let stack = stack.map(|stack| coins(Form::Text, Content::Open(stack)));
        return Some(stack.map_err(Into::into));
    }
    if let Some(locked) = opencoin_stack::find_locked_text(text) {
        let locked = locked.map(|locked| coins(Form::Text, Content::Locked(locked)));
        return Some(locked.map_err(Into::into));
    }
    if let Some(code) = opencoin_stack::find_code(text) {
        let code = code.map(|code| coins(Form::Code, Content::Code(code)));
        return Some(code.map_err(Into::into));
    }
    let mut parts = find_parts(text).peekable();
    parts.peek()?;
    let mut reader = Reader::default();
    let read = parts.try_for_each(|part| reader.read_text(part));
    Some(read.map_err(Into::into).and_then(|()| of_pictures(reader)))
}

/// The coins in pictures that were all read.
pub(super) fn of_pictures(reader: Reader) -> Result<Coins> {
    let content = match reader.finish()? {
        opencoin_pictures::Content::Message(message) => of_message(message)?,
        // A QR code may hold the line of text or a short code as well.
        opencoin_pictures::Content::Text(text) => match of_text(&text) {
            Some(coins) => coins?.content,
            None => return Err(failure::refused("the QR code holds something else than coins")),
        },
    };
    Ok(Coins {
        form: Form::Qr,
        content,
    })
}

fn of_message(message: Message) -> Result<Content> {
    match message.ur_type.as_str() {
        STACK_TYPE => Ok(Content::Open(opencoin_stack::decode(&message.bytes)?)),
        LOCKED_TYPE => Ok(Content::Locked(opencoin_lock::from_cbor(&message.bytes)?)),
        other => Err(failure::refused(format!(
            "the QR code holds something else than coins: a Uniform Resource of type {}",
            printable(other)
        ))),
    }
}

/// Reads the JSON object in a text of UTF-8 or UTF-16, possibly with words that a mail program has added.
pub(super) fn read_json(path: &Path, bytes: &[u8]) -> Result<CoinStack> {
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
    use opencoin_keys::Passphrase;

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

    #[test]
    fn the_vectors_are_recognised_in_each_form() {
        let vector = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/transfer/");
            std::fs::read(format!("{folder}{name}")).unwrap()
        };
        let json: CoinStack = opencoin_schema::from_json(&vector("coinstack.json")).unwrap();
        let no_passphrase = || unreachable!("it is not locked");
        let open = |bytes: &[u8]| {
            let coins = recognise(bytes).unwrap().unwrap();
            (coins.form, coins.open(no_passphrase).unwrap())
        };
        assert!(recognise(&vector("coinstack.json")).unwrap().is_none());
        assert_eq!(open(&opencoin_stack::encode(&json)), (Form::File, json.clone()));
        assert_eq!(open(&vector("coinstack.txt")), (Form::Text, json.clone()));
        assert_eq!(open(&vector("coinstack.ur.txt")), (Form::Qr, json.clone()));
        assert_eq!(open(&vector("coinstack.ur-parts.txt")), (Form::Qr, json.clone()));
        // A document whose subject looks like coins is a document.
        let named = String::from_utf8(vector("coinstack.json")).unwrap();
        let named = named.replacen("\"subject\": \"", "\"subject\": \"ur:opencoin-stack/ae ", 1);
        assert!(recognise(named.as_bytes()).unwrap().is_none());

        for (name, form) in [
            ("coinstack-locked.txt", Form::Text),
            ("coinstack-locked.age", Form::File),
        ] {
            let coins = recognise(&vector(name)).unwrap().unwrap();
            assert!(coins.is_locked() && coins.form == form);
            let passphrase = Passphrase::new("correct horse".to_owned().into()).unwrap();
            assert_eq!(coins.open(|| Ok(passphrase)).unwrap(), json);
        }
    }
}
