//! `opencoin wallet pay`: paying what somebody asks for.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_text::printable;
use opencoin_transfer::Party;
use opencoin_transfer::invitation::{Invitation, Kind};
use opencoin_transfer::machine::Participant;
use opencoin_transfer::machine::sender::SenderRecord;
use opencoin_transfer_client::{Patience, SenderEntry, Setting, StoredRecord, own_room, settle};
use opencoin_wallet::{Balance, WalletError};
use rand::rngs::OsRng;

use super::now_s;
use super::screen::Screen;
use crate::commands::wallet::session::{Session, unit};
use crate::{confirmation, failure, service};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The payment request: the link, which other users of this machine can see while the command runs, or a file or
    /// picture with it; `-` reads stdin.
    #[arg(value_name = "LINK|FILE")]
    invitation: PathBuf,
    /// Pay without asking whether the amount is right.
    #[arg(long)]
    yes: bool,
}

impl Session {
    pub(in super::super) async fn pay(&mut self, arguments: &Arguments) -> Result<()> {
        let link = super::read_link(&arguments.invitation)?;
        let invitation = Invitation::read(&link).map_err(|error| failure::refused(error.to_string()))?;
        let Kind::ToPay {
            amount,
            subject,
            many,
        } = &invitation.kind
        else {
            return Err(failure::refused(format!(
                "this is {}: `opencoin wallet receive INVITATION{}` opens it",
                invitation.kind, self.flag
            )));
        };
        let (amount, subject, many) = (*amount, subject.clone(), *many);
        let chosen = self.currency_of(&invitation)?;
        let begun = if many {
            self.begun_payment(&invitation).await?
        } else {
            self.transfer_of(&invitation).await?
        };
        let record = match begun {
            Some(record) => record,
            None => {
                self.agree(amount, &subject, &chosen, arguments.yes)?;
                if many {
                    self.room_at_till(invitation, &chosen).await?
                } else {
                    let record = SenderRecord::paying(invitation, &mut OsRng)
                        .expect("it is a request for one payment");
                    self.store_new(StoredRecord::Sender(SenderEntry {
                        record,
                        request: None,
                    }))
                    .await?
                }
            }
        };
        let sender = self
            .run_transfer::<SenderRecord>(&record, &chosen, true, many)
            .await?;
        self.show_sender(&sender, &chosen).await
    }

    /// Makes sure that the person wants to pay and can.
    fn agree(&self, amount: u64, subject: &str, chosen: &Balance, is_agreed: bool) -> Result<()> {
        if chosen.balance < amount {
            return Err(WalletError::InsufficientFunds {
                balance: chosen.balance,
                needed: amount,
            }
            .into());
        }
        let about = match subject {
            "" => String::new(),
            subject => format!(" for \"{}\"", printable(subject)),
        };
        let question = format!("You are asked to pay {}{about}.", unit(chosen).show(amount));
        if is_agreed || confirmation::confirm(&question, "--yes pays without asking")? {
            Ok(())
        } else {
            Err(failure::refused("nothing was paid: you declined"))
        }
    }

    /// The payment of a request for many that has begun and not ended. One that nobody at the till knows of is given up.
    async fn begun_payment(&mut self, invitation: &Invitation) -> Result<Option<StoredRecord>> {
        let request = invitation.transfer_id().to_string();
        let is_same = |record: &StoredRecord| matches!(record, StoredRecord::Sender(entry) if entry.request.as_deref() == Some(&request));
        let found = self.stored_transfer(is_same).await?;
        match found {
            Some(record) if record.participant().peer().is_none() => {
                let id = record.participant().id().to_string();
                let settled = settle(&mut self.wallet, &id, true, now_s()).await;
                settled.map_err(|error| self.transfer_error(error))?;
                Ok(None)
            }
            found => Ok(found),
        }
    }

    async fn room_at_till(&mut self, invitation: Invitation, chosen: &Balance) -> Result<StoredRecord> {
        let upgrader = self.upgrader()?;
        let participant = Participant::new(invitation, Party::Sender, &mut OsRng);
        let mut screen = Screen::new(unit(chosen), self.output, true);
        let mut stop = Box::pin(service::stop_signal()?);
        let mut setting = Setting {
            upgrader: &upgrader,
            now_s: &now_s,
            rng: &mut OsRng,
            stop: stop.as_mut(),
            patience: Patience::default(),
            is_expected: true,
        };
        let room = own_room(&participant, &mut self.wallet, &mut screen, &mut setting).await;
        room.map_err(|error| self.transfer_error(error))?
            .ok_or_else(|| failure::refused("nothing was paid: you stopped the transfer"))
    }
}
