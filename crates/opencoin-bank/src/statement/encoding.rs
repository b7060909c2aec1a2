//! From the bytes of a file to text.

use std::borrow::Cow;

use super::columns::Encoding;
use super::error::StatementError;

/// Where XML says its encoding: near the beginning.
const DECLARATION_BYTES_MAX: usize = 200;

/// What windows-1252 has instead of the control characters from 0x80.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text of a file in a known encoding.
pub(super) fn decode(file: &[u8], encoding: Encoding) -> Result<Cow<'_, str>, StatementError> {
    let bytes = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    match encoding {
        Encoding::Utf8 => match str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(StatementError::Encoding("UTF-8")),
        },
        Encoding::Windows1252 => Ok(Cow::Owned(bytes.iter().map(|byte| windows_1252(*byte)).collect())),
    }
}

/// The text of an XML file, in the encoding that it says.
pub(super) fn decode_xml(file: &[u8]) -> Result<Cow<'_, str>, StatementError> {
    let beginning = String::from_utf8_lossy(&file[..file.len().min(DECLARATION_BYTES_MAX)]);
    let declaration = beginning
        .split_once("<?xml")
        .and_then(|(_, rest)| rest.split_once("?>"))
        .map_or("", |(declaration, _)| declaration);
    let name = declaration
        .split_once("encoding")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
        .unwrap_or("UTF-8");
    match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" => decode(file, Encoding::Utf8),
        "iso-8859-1" | "windows-1252" => decode(file, Encoding::Windows1252),
        _ => Err(StatementError::UnknownEncoding(name.chars().take(40).collect())),
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_encodings_are_read() {
        let text = |file: &[u8]| decode(file, Encoding::Windows1252).unwrap().into_owned();
        assert_eq!(text(b"12,50 \x80 f\xfcr \x93Miete\x94"), "12,50 € für “Miete”");
        assert_eq!(
            decode(b"f\xfcr", Encoding::Utf8),
            Err(StatementError::Encoding("UTF-8"))
        );
        assert_eq!(decode(b"\xef\xbb\xbfa", Encoding::Utf8), Ok("a".into()));
    }

    #[test]
    fn xml_says_its_encoding() {
        let text = |file: &[u8]| decode_xml(file).map(Cow::into_owned);
        assert_eq!(
            text(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xfc</a>"),
            Ok("<?xml version='1.0' encoding='ISO-8859-1'?><a>ü</a>".into())
        );
        assert_eq!(text("<a>ü</a>".as_bytes()), Ok("<a>ü</a>".into()));
        assert_eq!(text(b"<a>\xfc</a>"), Err(StatementError::Encoding("UTF-8")));
        assert_eq!(
            text(b"<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>"),
            Err(StatementError::UnknownEncoding("UTF-7".into()))
        );
    }
}
