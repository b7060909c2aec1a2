//! The two text forms of a document: `compact`, which identifiers and coins hash, and `pretty`, which
//! certificates sign.
//!
//! Both are defined by example in the specification. The pretty form begins as the usual layout with an
//! indent of two spaces; the *whole text* is then rewritten, free text included, so that in rare documents (a
//! URL with an IPv6 address) it is not JSON any more. It is still what is signed, so a verifier builds it
//! again from the values.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};

/// The compact text: one line, `", "` and `": "`, ASCII only.
#[must_use]
pub fn compact<T: Serialize + ?Sized>(value: &T) -> String {
    write(value, Compact)
}

/// The pretty text: the form of the specification's examples, without a final newline.
#[must_use]
pub fn pretty<T: Serialize + ?Sized>(value: &T) -> String {
    rewrite_lists(&write(value, Pretty(PrettyFormatter::with_indent(b"  "))))
}

fn write<T: Serialize + ?Sized, F: Formatter>(value: &T, formatter: F) -> String {
    let mut bytes = Vec::with_capacity(1024);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .expect("documents have string keys and no failing values, and a Vec takes every byte");
    String::from_utf8(bytes).expect("both formatters write ASCII only")
}

/// The four steps that make a list of numbers one line and indent lists of pairs as the specification's
/// examples do.
fn rewrite_lists(text: &str) -> String {
    let text = join_innermost_lists(text);
    let text = replace_spaced(&text, "]", "],", "]\n      ],");
    let text = text.replace("[[", "[\n        [");
    text.replace("[ ", "[")
}

/// Step 1: in every run from a `[` to the next `]` that holds no `{`, white space becomes one space, and none
/// at the ends.
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
            // A run that holds a `{` is left as it is, but a later `[` may begin one that does not.
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

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }
}

struct Pretty<'indent>(PrettyFormatter<'indent>);

impl Formatter for Pretty<'_> {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

/// Writes a fragment without quotes, backslashes and control characters, with everything outside
/// U+0020..U+007E escaped.
fn write_ascii<W: io::Write + ?Sized>(writer: &mut W, fragment: &str) -> io::Result<()> {
    // Without stopping at the first that is not: the compiler then looks at many bytes at once, and nearly
    // all are numbers.
    let is_plain = fragment
        .bytes()
        .fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
    if is_plain {
        return writer.write_all(fragment.as_bytes());
    }
    for character in fragment.chars() {
        if matches!(character, ' '..='~') {
            writer.write_all(&[character as u8])?;
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(())
}
