//! XML from outside, reduced to what statements need: elements and text.
//!
//! Nothing that XML can do beyond that is done: a document type, which could name other files or multiply text, is
//! refused, and so are entities besides the five of XML. The depth is limited, so that no file can use up the stack or
//! the memory.

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::error::StatementError;
use super::{LINES_MAX, TEXT_BYTES_MAX};

/// The deepest nesting of elements. Statements need less than 15.
const DEPTH_MAX: usize = 32;
/// The most elements that are kept of one element of a statement. A transaction has about 20.
const ELEMENTS_MAX: usize = 40 * LINES_MAX;

/// A document, read piece by piece.
pub(super) struct Xml<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    depth: usize,
}

/// A piece of a document.
pub(super) enum Piece<'a> {
    /// An element begins.
    Open(BytesStart<'a>),
    /// The newest open element ends.
    Close,
    /// Text inside of the newest open element.
    Text(String),
    /// The document ends.
    End,
}

impl<'a> Xml<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self {
            text,
            reader,
            depth: 0,
        }
    }

    /// The next piece, without comments.
    pub(super) fn next(&mut self) -> Result<Piece<'a>, StatementError> {
        loop {
            let event = self
                .reader
                .read_event()
                .map_err(|error| self.error(&error.to_string()))?;
            return match event {
                Event::Start(element) | Event::Empty(element) => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(StatementError::TooDeep { line: self.line() });
                    }
                    Ok(Piece::Open(element))
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Ok(Piece::Close)
                }
                Event::Text(text) => Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::CData(text) => Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => self.resolve(&reference).map(Piece::Text),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
                Event::DocType(_) => Err(StatementError::Doctype),
                Event::Eof if self.depth > 0 => Err(self.error("the file ends before its last element")),
                Event::Eof => Ok(Piece::End),
            };
        }
    }

    /// Reads to the end of the element that was opened last.
    pub(super) fn skip(&mut self) -> Result<(), StatementError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    /// An error at the place that was read last.
    pub(super) fn error(&self, reason: &str) -> StatementError {
        StatementError::Xml {
            line: self.line(),
            reason: opencoin_text::printable(reason),
        }
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<String, StatementError> {
        match reference.resolve_char_ref() {
            Ok(Some(character)) => return Ok(character.to_string()),
            Ok(None) => {}
            Err(error) => return Err(self.error(&error.to_string())),
        }
        let name = reference.xml10_content();
        let text = resolve_xml_entity(&name).ok_or_else(|| StatementError::Entity {
            line: self.line(),
            name: opencoin_text::printable(&name.chars().take(40).collect::<String>()),
        })?;
        Ok(text.to_owned())
    }

    fn line(&self) -> usize {
        let read = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let read = &self.text.as_bytes()[..read.min(self.text.len())];
        1 + read.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// An element with what is in it, as far as a statement needs it.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    /// The text without spaces at both ends.
    text: String,
    /// The attribute `Ccy`.
    pub(super) currency: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads an element that was opened. Elements below it that have other names than `names` are left out.
    pub(super) fn read(
        xml: &mut Xml<'_>,
        name: &'static str,
        start: &BytesStart<'_>,
        names: &[&'static str],
    ) -> Result<Self, StatementError> {
        let mut left = ELEMENTS_MAX;
        Self::read_within(xml, name, start, names, &mut left)
    }

    /// Reads an element as [`Element::read`] does, if it has no more elements than are `left`.
    fn read_within(
        xml: &mut Xml<'_>,
        name: &'static str,
        start: &BytesStart<'_>,
        names: &[&'static str],
        left: &mut usize,
    ) -> Result<Self, StatementError> {
        *left = left
            .checked_sub(1)
            .ok_or_else(|| StatementError::TooManyElements { line: xml.line() })?;
        let mut element = Self {
            name,
            text: String::new(),
            currency: attribute(xml, start, "Ccy")?,
            children: Vec::new(),
        };
        if element.currency.len() > TEXT_BYTES_MAX {
            return Err(StatementError::TextTooLong { line: xml.line() });
        }
        loop {
            match xml.next()? {
                Piece::Open(start) => {
                    let local = start.local_name().into_inner();
                    match names.iter().find(|name| **name == local) {
                        Some(name) => {
                            let child = Self::read_within(xml, name, &start, names, left)?;
                            element.children.push(child);
                        }
                        None => xml.skip()?,
                    }
                }
                // Spaces between elements are no text of the element around them.
                Piece::Text(text) if element.text.is_empty() => element.text.push_str(text.trim_start()),
                Piece::Text(text) => element.text.push_str(&text),
                Piece::Close | Piece::End => break,
            }
            if element.text.len() > TEXT_BYTES_MAX {
                return Err(StatementError::TextTooLong { line: xml.line() });
            }
        }
        element.text = element.text.trim().to_owned();
        Ok(element)
    }

    /// The children with this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element on this path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Element> {
        let Some((name, rest)) = path.split_first() else {
            return Some(self);
        };
        self.all(name).find_map(|child| child.at(rest))
    }

    /// The text of the first element on this path that has one.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        let Some((name, rest)) = path.split_first() else {
            return (!self.text.is_empty()).then_some(&self.text);
        };
        self.all(name).find_map(|child| child.text_at(rest))
    }
}

/// The value of an attribute; empty if the element has none.
pub(super) fn attribute(xml: &Xml<'_>, start: &BytesStart<'_>, name: &str) -> Result<String, StatementError> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| xml.error(&error.to_string()))?;
        if attribute.key.into_inner() == name {
            return Ok(attribute.value.into_owned());
        }
    }
    Ok(String::new())
}
