//! The texts of the pages in all languages. The build makes a method for each message of `locales`.
//!
//! A text with placeholders is a [`Message`]. Shown in a template, each value is escaped and stands in a `<bdi>` of its
//! own, so that a name or label from outside cannot change the order of the words around it. A moment is the element of its
//! time, as everywhere else.

use std::borrow::Cow;
use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};

use crate::format::Moment;
use crate::language::Language;

/// The texts in one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Messages {
    pub(crate) language: Language,
}

impl Messages {
    pub(crate) fn new(language: Language) -> Self {
        Self { language }
    }
}

/// A text with its values. `Display` writes HTML; [`Message::plain`] is the text alone.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    parts: Cow<'static, [Part]>,
    values: Vec<Value>,
}

/// The value of a placeholder.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Moment(Moment),
}

/// A piece of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Text(&'static str),
    /// The place of a value.
    Value(usize),
}

impl Message {
    fn new(parts: &'static [Part], values: Vec<Value>) -> Self {
        Self {
            parts: Cow::Borrowed(parts),
            values,
        }
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text without markup: for titles, attributes and files.
    pub(crate) fn plain(&self) -> String {
        let piece = |part: &Part| match *part {
            Part::Text(text) => Cow::Borrowed(text),
            Part::Value(place) => match &self.values[place] {
                Value::Text(text) => Cow::Borrowed(text.as_str()),
                Value::Moment(moment) => Cow::Owned(moment.plain()),
            },
        };
        self.parts.iter().map(piece).collect()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.parts.iter() {
            match *part {
                Part::Text(text) => Html.write_escaped_str(&mut *formatter, text)?,
                Part::Value(place) => match &self.values[place] {
                    Value::Text(text) => {
                        formatter.write_str("<bdi>")?;
                        Html.write_escaped_str(&mut *formatter, text)?;
                        formatter.write_str("</bdi>")?;
                    }
                    Value::Moment(moment) => moment.fmt(formatter)?,
                },
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Message {}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self {
            parts: Cow::Owned(vec![Part::Text(text)]),
            values: Vec::new(),
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_isolated() {
        let message = Message::new(
            &[Part::Text("Paid & sent to "), Part::Value(0), Part::Text(".")],
            vec![Value::Text("<b>\u{202e}bob</b>".to_owned())],
        );
        assert_eq!(
            message.to_string(),
            "Paid &#38; sent to <bdi>&#60;b&#62;\u{202e}bob&#60;/b&#62;</bdi>."
        );
        assert_eq!(message.plain(), "Paid & sent to <b>\u{202e}bob</b>.");
    }
}
