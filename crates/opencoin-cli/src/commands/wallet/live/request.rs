//! `opencoin wallet request`: asking for money.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output::complain;
use opencoin_text::AmountText;
use opencoin_transfer::Party;
use opencoin_transfer::invitation::Kind;
use opencoin_transfer::machine::Participant;
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer_client::{Patience, Person, Setting, SharedWallet, StoredRecord, TillEntry, till};
use opencoin_wallet::Balance;
use rand::rngs::OsRng;

use super::outcome::received;
use super::screen::Screen;
use super::{RelayArgs, now_s};
use crate::commands::wallet::session::{Session, Tidy, unit};
use crate::service;

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// What the money is for.
    #[arg(long, default_value = "")]
    subject: String,
    /// Let many people pay the same request, one after the other or at the same time, until this command is stopped.
    #[arg(long)]
    many: bool,
    #[command(flatten)]
    relay: RelayArgs,
}

impl Session {
    pub(in super::super) async fn request(&mut self, arguments: &Arguments) -> Result<()> {
        let (chosen, units) = self.amount(&arguments.amount)?;
        let relay = self.relay(&chosen, &arguments.relay)?;
        let kind = Kind::ToPay {
            amount: units,
            subject: arguments.subject.clone(),
            many: arguments.many,
        };
        let is_same = |record: &StoredRecord| {
            let invitation = &record.participant().invitation;
            !matches!(record, StoredRecord::Sender(_))
                && invitation.kind == kind
                && invitation.relay == relay
                && invitation.issuer_id.to_string() == chosen.currency
                && invitation.expires > now_s()
        };
        let record = match self.stored_transfer(is_same).await? {
            Some(record) => record,
            None => {
                let invitation = self.new_invitation(relay, &chosen, kind.clone()).await?;
                let record = if arguments.many {
                    let participant = Participant::new(invitation, Party::Receiver, &mut OsRng);
                    StoredRecord::Till(TillEntry { participant })
                } else {
                    let record = ReceiverRecord::new(invitation, &mut OsRng);
                    StoredRecord::Receiver { record }
                };
                self.store_new(record).await?
            }
        };
        self.show_invitation(&record, "pay", &chosen, &arguments.relay)?;
        if let StoredRecord::Till(TillEntry { participant }) = &record {
            return self.serve_till(participant, &chosen).await;
        }
        let receiver = self
            .run_transfer::<ReceiverRecord>(&record, &chosen, true, false)
            .await?;
        self.show_receiver(&receiver, &chosen)?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    async fn serve_till(&mut self, request: &Participant, chosen: &Balance) -> Result<()> {
        let upgrader = self.upgrader()?;
        let (unit, output) = (unit(chosen), self.output);
        let person_of = |_: &str| Box::new(Screen::new(unit.clone(), output, true)) as Box<dyn Person>;
        let mut stop = Box::pin(service::stop_signal()?);
        let mut setting = Setting {
            upgrader: &upgrader,
            now_s: &now_s,
            rng: &mut OsRng,
            stop: stop.as_mut(),
            patience: Patience::default(),
            is_expected: true,
        };
        let mut tell = |record: &ReceiverRecord| match received(record, chosen) {
            Ok((value, line)) => {
                // If nobody reads the results any more, the till still serves.
                let _ = output.show(value, [line]);
            }
            // A payment that did not come about is no error of the till.
            Err(error) => complain(&format!("note: {error}")),
        };
        let served = {
            let wallet = SharedWallet::new(&mut self.wallet);
            till(
                request,
                &wallet,
                &person_of,
                &|| Box::new(OsRng),
                &mut setting,
                &mut tell,
            )
            .await
        };
        served.map_err(|error| self.transfer_error(error))?;
        self.tidy(Tidy::All).await;
        Ok(())
    }
}
