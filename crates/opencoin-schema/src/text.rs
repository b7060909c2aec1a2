//! The two text forms of a document: [`compact`], which identifiers and coins hash, and [`pretty`], which
//! certificates sign.
//!
//! The specification defines both by example. The pretty form starts as ordinary JSON with an indent of two
//! spaces. Then the *whole text* is rewritten, free text included, so that in rare documents (a URL with an IPv6
//! address) it is no longer JSON. It is still the text that is signed, so a verifier builds it again from the
//! values.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The compact text: one line, `", "` and `": "`, ASCII only.
#[must_use]
pub fn compact<T: Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::with_capacity(1024);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, Compact))
        .expect(NEVER_FAILS);
    escape_non_ascii(String::from_utf8(bytes).expect(NEVER_FAILS))
}

/// The pretty text: the form of the specification's examples, without a final newline.
#[must_use]
pub fn pretty<T: Serialize + ?Sized>(value: &T) -> String {
    let text = serde_json::to_string_pretty(value).expect(NEVER_FAILS);
    rewrite_lists(&escape_non_ascii(text))
}

const NEVER_FAILS: &str = "documents have string keys and no failing values, and memory takes every byte";

/// Escapes everything above U+007E. The JSON writer has already escaped control characters below U+0020.
fn escape_non_ascii(text: String) -> String {
    let is_plain = |byte: u8| byte <= b'~';
    // Without stopping at the first other byte, the compiler checks many bytes at once.
    if text.bytes().fold(true, |so_far, byte| so_far & is_plain(byte)) {
        return text;
    }
    let mut escaped = String::with_capacity(2 * text.len());
    for character in text.chars() {
        if character <= '~' {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect(NEVER_FAILS);
            }
        }
    }
    escaped
}

/// The four steps that make a list of numbers one line and indent lists of pairs as the specification's
/// examples do.
fn rewrite_lists(text: &str) -> String {
    let text = join_innermost_lists(text);
    let text = replace_spaced(&text, "]", "],", "]\n      ],");
    let text = text.replace("[[", "[\n        [");
    text.replace("[ ", "[")
}

/// Step 1: in every run from a `[` to the next `]` without a `{` in between, each stretch of white space becomes
/// one space, and white space at the ends goes.
fn join_innermost_lists(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, run) = rest.split_at(open + 1);
        joined.push_str(before);
        rest = match run.find(['{', ']']) {
            Some(end) if run.as_bytes()[end] == b']' => {
                let mut words = run[..end].split_ascii_whitespace();
                joined.extend(words.next());
                for word in words {
                    joined.push(' ');
                    joined.push_str(word);
                }
                &run[end..]
            }
            // A run with a `{` stays as it is, but a later `[` in it may begin a run without one.
            Some(_) | None => run,
        };
    }
    joined.push_str(rest);
    joined
}

/// Replaces every `first`, white space, `second` (with at least one white space between) by `replacement`.
fn replace_spaced(text: &str, first: &str, second: &str, replacement: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find(first) {
        let (before, after) = (&rest[..position], &rest[position + first.len()..]);
        replaced.push_str(before);
        let unspaced = after.trim_ascii_start();
        match unspaced.strip_prefix(second) {
            Some(tail) if unspaced.len() < after.len() => {
                replaced.push_str(replacement);
                rest = tail;
            }
            _ => {
                replaced.push_str(first);
                rest = after;
            }
        }
    }
    replaced.push_str(rest);
    replaced
}

struct Compact;

impl Formatter for Compact {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
