//! Why what was sent was not done, on the page that shows its form again.

use opencoin_issuer::Refusal;
use opencoin_text::printable;

use crate::messages::Message;

/// Why what was sent was not done.
pub(crate) struct Fault {
    pub(crate) text: Message,
    /// What to do next.
    pub(crate) next: Option<&'static str>,
    /// The same in technical words, for support.
    pub(crate) detail: Option<String>,
}

impl Fault {
    pub(crate) fn new(text: impl Into<Message>) -> Self {
        Self {
            text: text.into(),
            next: None,
            detail: None,
        }
    }

    /// Says it in the words of the refusal, too.
    pub(crate) fn detailed(self, refusal: &Refusal) -> Self {
        let detail = Some(printable(&refusal.description));
        Self { detail, ..self }
    }

    pub(crate) fn then(self, next: &'static str) -> Self {
        let next = Some(next);
        Self { next, ..self }
    }
}
