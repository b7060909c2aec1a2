//! How a transfer ended, for the person.

use anyhow::Result;
use opencoin_transfer::machine::Ending;
use opencoin_transfer::machine::receiver::{ReceiverRecord, ReceiverState};
use opencoin_transfer::machine::sender::{SenderEnd, SenderRecord, SenderState};
use opencoin_transfer::message::AbortReason;
use opencoin_wallet::Balance;
use serde_json::{Value, json};

use super::super::quoted;
use super::super::session::{Session, Tidy, unit};
use crate::failure;

impl Session {
    /// Shows what became of a payment of this wallet. It is an error if nothing was paid, or if that is not known yet.
    pub(super) async fn show_sender(&mut self, record: &SenderRecord, chosen: &Balance) -> Result<()> {
        let unit = unit(chosen);
        let (amount, id) = (unit.show(record.amount), record.participant.id());
        match &record.state {
            SenderState::Delivered { .. } => {
                let value = json!({
                    "event": "paid",
                    "amount": record.amount,
                    "currency": chosen.name,
                    "id": chosen.currency,
                    "transfer": id.to_string(),
                });
                let line = format!(
                    "paid {amount}; `opencoin wallet receipts{}` shows the receipt",
                    self.flag
                );
                self.output.show(value, [line])?;
                self.tidy(Tidy::All).await;
                Ok(())
            }
            SenderState::Ended(SenderEnd::Kept(ending)) => {
                Err(failure::refused(format!("nothing was paid: {}", reason(*ending))))
            }
            SenderState::Ended(SenderEnd::Reclaimed { ending, amount }) => Err(failure::refused(format!(
                "the payment did not arrive, and {} came back: {}",
                unit.show(*amount),
                reason(*ending)
            ))),
            SenderState::Ended(SenderEnd::Taken(_)) => Err(failure::refused(format!(
                "the coins worth {amount} were taken and there is no receipt: ask the payee, whose wallet may have one"
            ))),
            SenderState::InFlight(_) | SenderState::Reclaiming { .. } => Err(failure::explained(
                failure::later(format!(
                    "the coins worth {amount} have left and it is not known yet whether they arrived"
                )),
                &format!(
                    "the same command continues; `opencoin wallet reclaim --transfer {id}{}` takes them back if the payee \
                     has not renewed them",
                    self.flag
                ),
            )),
            _ => Err(failure::later(
                "the transfer is not finished, and no coins have left: the same command continues it"
                    .to_owned(),
            )),
        }
    }

    /// Shows what this wallet was paid.
    pub(super) fn show_receiver(&self, record: &ReceiverRecord, chosen: &Balance) -> Result<()> {
        let (value, line) = received(record, chosen)?;
        self.output.show(value, [line])
    }
}

/// What a wallet was paid, for a program and for a person. It is an error if that is less than the whole amount.
pub(super) fn received(record: &ReceiverRecord, chosen: &Balance) -> Result<(Value, String)> {
    let unit = unit(chosen);
    let id = record.participant.id().to_string();
    match &record.state {
            ReceiverState::Paid { receipt, is_seen } => {
                let subject = record.offer.as_ref().map_or("", |offer| offer.subject.as_str());
                let value = json!({
                    "event": "received",
                    "amount": receipt.paid.amount,
                    "currency": chosen.name,
                    "id": chosen.currency,
                    "receipt_seen": is_seen,
                    "subject": subject,
                    "transfer": id,
                });
                let mut line = format!("received {}", unit.show(receipt.paid.amount));
                if !subject.is_empty() {
                    line.push_str(&format!(": {}", quoted(subject)));
                }
                if !is_seen {
                    line.push_str("; the payer has not confirmed the receipt: the same command tries again to give it");
                }
                Ok((value, line))
            }
            ReceiverState::Ended { ending, amount: 0 } => Err(failure::refused(format!(
                "nothing was received: {}",
                reason(*ending)
            ))),
            ReceiverState::Ended { ending, amount } => Err(failure::refused(format!(
                "only {} were received, and no receipt was given: {}",
                unit.show(*amount),
                reason(*ending)
            ))),
            ReceiverState::Holding(_) | ReceiverState::Renewing(_) => Err(failure::later(
                "the coins are here, and are not yours before the issuer has renewed them: run the same command again \
                 soon"
                    .to_owned(),
            )),
            _ => Err(failure::later(
                "the transfer is not finished, and no coins have come: the same command continues it".to_owned(),
            )),
        }
}

/// Why a transfer ended.
pub(super) fn reason(ending: Ending) -> String {
    if !ending.by_this_end {
        return ending.reason.text().to_owned();
    }
    match ending.reason {
        AbortReason::Declined => "you declined",
        AbortReason::Cancelled => "you stopped the transfer",
        AbortReason::Late => "the time for it was over",
        AbortReason::OtherTerms => "the other side wanted another amount, currency or subject",
        AbortReason::Wallet => "this wallet could not do its part",
        AbortReason::BadCoins => "the coins are not those that were announced, or not valid",
        AbortReason::Spent => "the coins have already been taken by somebody else",
        AbortReason::Protocol => "the other program did something that the protocol does not allow",
    }
    .to_owned()
}
