//! Shows a transfer while it runs, and asks the person.

use std::io::{self, BufRead, IsTerminal};

use async_trait::async_trait;
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_text::printable;
use opencoin_transfer::Party;
use opencoin_transfer::message::Offer;
use opencoin_transfer_client::{Person, Progress};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::quoted;
use super::words;
use crate::currency_unit::CurrencyUnit;

/// The person at this terminal, or the program that started this one.
pub(super) struct Screen {
    unit: CurrencyUnit,
    output: OutputArgs,
    /// Whether offers are accepted without a question.
    is_accepted: bool,
    /// What was shown last, which is not shown twice in a row.
    last: Option<String>,
}

impl Screen {
    pub(super) const fn new(unit: CurrencyUnit, output: OutputArgs, is_accepted: bool) -> Self {
        Self {
            unit,
            output,
            is_accepted,
            last: None,
        }
    }

    fn show(&mut self, value: &Value, text: String) {
        if self.last.as_ref() == Some(&text) {
            return;
        }
        if self.output.json {
            // If nobody reads the events any more, the transfer still goes on.
            let _ = output::json(value);
        } else {
            output::complain(&text);
        }
        self.last = Some(text);
    }
}

#[async_trait]
impl Person for Screen {
    async fn accepts(&mut self, offer: &Offer) -> bool {
        let (amount, subject) = (self.unit.show(offer.amount), quoted(&offer.subject));
        let value = json!({ "event": "offer", "amount": offer.amount, "subject": offer.subject, "accepted": self.is_accepted });
        let about = if offer.subject.is_empty() {
            String::new()
        } else {
            format!(": {subject}")
        };
        self.show(&value, format!("you are offered {amount}{about}"));
        if self.is_accepted {
            return true;
        }
        if !io::stdin().is_terminal() {
            output::complain("not accepted, because there is no terminal to ask on; --yes accepts any offer");
            return false;
        }
        output::complain("Type yes to take it:");
        // A thread of its own: the program ends although somebody might still type.
        let (answer, answered) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let is_read = io::stdin().lock().read_line(&mut line).is_ok();
            let _ = answer.send(is_read && line.trim() == "yes");
        });
        answered.await.unwrap_or(false)
    }

    fn tell(&mut self, progress: Progress<'_>) {
        let (value, text) = match progress {
            Progress::Waiting => (
                json!({ "event": "waiting" }),
                "waiting for the other side".to_owned(),
            ),
            Progress::Retrying(reason) => (
                json!({ "event": "retrying", "reason": reason }),
                format!("trying again: {}", printable(reason)),
            ),
            Progress::Connected(digits) => (
                json!({ "event": "connected", "digits": digits.to_string() }),
                format!("connected; the other side must see the same digits: {digits}"),
            ),
            Progress::Gone => (
                json!({ "event": "gone" }),
                "the other side has gone; waiting for it".to_owned(),
            ),
            Progress::Stranger => (
                json!({ "event": "stranger" }),
                "somebody else has opened this invitation and was turned away".to_owned(),
            ),
            Progress::Reconnecting(reason) => (
                json!({ "event": "reconnecting", "reason": reason }),
                format!("connecting again: {}", printable(reason)),
            ),
            Progress::Message(from, number) => {
                let Some(text) = words::of_message(from, number) else {
                    return;
                };
                let from = match from {
                    Party::Sender => "sender",
                    Party::Receiver => "receiver",
                };
                (
                    json!({ "event": "progress", "from": from, "number": number, "text": text }),
                    text.to_owned(),
                )
            }
            Progress::WalletFailed(reason) => (
                json!({ "event": "wallet_failed", "reason": reason }),
                format!("this wallet could not do its part: {}", printable(reason)),
            ),
        };
        self.show(&value, text);
    }
}
