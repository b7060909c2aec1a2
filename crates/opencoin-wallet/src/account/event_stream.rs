//! A parser of server-sent events (HTML standard, section 9.2.6 "Interpreting an event stream").
//!
//! An event is complete with the empty line at its end. When a connection breaks, an incomplete event is
//! dropped; the next connection sends it again.

use std::time::Duration;

use thiserror::Error;

/// The longest event; an entry has a few hundred bytes.
const EVENT_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamEvent {
    /// The event's type; `message` if the stream names none.
    pub(crate) kind: String,
    /// The lines of data, joined by line feeds.
    pub(crate) data: String,
}

/// An event is longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an event has more than {EVENT_BYTES_MAX} bytes")]
pub(crate) struct EventTooLong;

/// The parser of one connection's stream.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    line: Vec<u8>,
    /// The last line ended with a carriage return, so a line feed that follows belongs to it.
    is_after_return: bool,
    is_after_first_line: bool,
    kind: String,
    data: Option<String>,
    /// How long the server asks to wait before reconnecting.
    pub(crate) retry: Option<Duration>,
}

impl EventParser {
    /// Adds bytes and returns the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<StreamEvent>, EventTooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.is_after_return => self.is_after_return = false,
                b'\n' | b'\r' => {
                    self.is_after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_line(&line));
                }
                _ => {
                    self.is_after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > EVENT_BYTES_MAX {
                return Err(EventTooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<StreamEvent> {
        let text = String::from_utf8_lossy(line);
        let is_first = !std::mem::replace(&mut self.is_after_first_line, true);
        let text = if is_first {
            text.strip_prefix('\u{feff}').unwrap_or(&text)
        } else {
            &text
        };
        if text.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let kind = if kind.is_empty() {
                "message".to_owned()
            } else {
                kind
            };
            return self.data.take().map(|data| StreamEvent { kind, data });
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            // Comments have no field name. The id is ignored because the entry has it too.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let events = EventParser::default().push(text.as_bytes()).unwrap();
        events.into_iter().map(|event| (event.kind, event.data)).collect()
    }

    fn message(data: &str) -> (String, String) {
        ("message".to_owned(), data.to_owned())
    }

    /// The examples of the standard, section 9.2.6.
    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(
            read("data: YHOO\ndata: +2\ndata: 10\n\n"),
            [message("YHOO\n+2\n10")]
        );
        let stream =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
        assert_eq!(
            read(stream),
            [message("first event"), message("second event")],
            "the last event is incomplete"
        );
        assert_eq!(read("data\n\ndata\ndata\n\ndata:"), [message(""), message("\n")]);
        assert_eq!(
            read("data:test\n\ndata: test\n\n"),
            [message("test"), message("test")]
        );
    }

    #[test]
    fn types_comments_unknown_fields_and_empty_events() {
        assert_eq!(
            read("event: add\ndata: 1\n\ndata: 2\n\n"),
            [("add".to_owned(), "1".to_owned()), message("2")]
        );
        assert_eq!(
            read("event: gone\n\ndata: 1\n\n"),
            [message("1")],
            "a type without data is no event and is forgotten"
        );
        assert_eq!(
            read(":\n: keep alive\n\nnonsense: 1\nDATA: 2\ndata: a:b\n\n"),
            [message("a:b")]
        );
        assert_eq!(read("\u{feff}data: 1\n\n"), [message("1")]);
    }

    #[test]
    fn the_retry_field_sets_the_wait() {
        let retry = |text: &str| {
            let mut parser = EventParser::default();
            parser.push(text.as_bytes()).unwrap();
            parser.retry
        };
        assert_eq!(retry("retry: 1500\n"), Some(Duration::from_millis(1_500)));
        assert_eq!(
            retry("retry: 1500\nretry: 1x\nretry:\nretry: 99999999999999999999\n"),
            Some(Duration::from_millis(1_500))
        );
    }

    #[test]
    fn an_event_that_is_too_long_is_rejected() {
        let mut parser = EventParser::default();
        assert!(parser.push(&vec![b'x'; EVENT_BYTES_MAX]).is_ok());
        assert_eq!(parser.push(b"x"), Err(EventTooLong));
        let lines = "data: xxxxxxx\n".repeat(EVENT_BYTES_MAX / 8 + 1);
        assert_eq!(EventParser::default().push(lines.as_bytes()), Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn chunks_and_line_ends_do_not_matter(
            data in prop::collection::vec("[a-zäöü:]{0,6}", 1..6),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(1usize..7, 1..8),
        ) {
            let mut stream: String = data.iter().map(|line| format!("data: {line}{end}")).collect();
            stream += end;
            stream += "data: last\n\n";
            let (mut parser, mut events) = (EventParser::default(), Vec::new());
            let (mut rest, mut cut) = (stream.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
                events.extend(parser.push(now).unwrap());
                rest = later;
            }
            let read: Vec<String> = events.into_iter().map(|event| event.data).collect();
            prop_assert_eq!(read, [data.join("\n"), "last".to_owned()]);
        }
    }
}
