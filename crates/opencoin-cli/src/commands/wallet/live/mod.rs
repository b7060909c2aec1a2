//! Live transfers: `wallet send --live`, `receive INVITATION`, `request` and `pay`.
//!
//! Each command finds the stored transfer that it began before and continues it, or begins a new one. Progress goes to
//! stderr, or with `--json` to stdout as one event a line.

mod outcome;
pub(super) mod pay;
pub(super) mod request;
mod screen;
mod words;

use std::path::Path;
use std::pin::Pin;

use anyhow::{Result, anyhow};
use clap::Args;
use opencoin_keys::{Clock, SystemClock};
use opencoin_pictures::{Code, Colors, VERSION_MAX, terminal};
use opencoin_schema::BigInt;
use opencoin_transfer::Secret32;
use opencoin_transfer::invitation::{ISSUERS_RELAY_PATH, Invitation, Kind, relay_url};
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer::machine::sender::{SenderEnd, SenderRecord, SenderState};
use opencoin_transfer::machine::{Durable, INVITATION_S};
use opencoin_transfer_client::{
    Patience, RelayError, Running, SenderEntry, Setting, StoredRecord, TransferError, TransferWallet,
    check_stored, end_late, find_relay, run, settle,
};
use opencoin_wallet::{Balance, Upgrader, WalletError};
use rand::rngs::OsRng;
use serde_json::json;

use self::screen::Screen;
use super::session::{Session, Tidy, unit};
use crate::{coin_stack, failure, service};

/// Where wallets meet.
#[derive(Debug, Clone, Args)]
pub(super) struct RelayArgs {
    /// The URL of the relay, where both wallets meet. Default: the relay of the currency's issuer, if it has one.
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// Show the invitation as a QR code too, for the camera of the other person's machine.
    #[arg(long)]
    qr: bool,
}

/// The time in seconds since 1970.
fn now_s() -> u64 {
    u64::try_from(SystemClock.now().timestamp()).unwrap_or(0)
}

/// The link of an invitation, which is given as coins are.
fn read_link(invitation: &Path) -> Result<String> {
    let coins = coin_stack::read(invitation)?;
    let link = coins.invitation().map(str::to_owned);
    link.ok_or_else(|| {
        failure::refused("these are coins, and no invitation: `opencoin wallet receive` takes them")
    })
}

impl Session {
    /// `wallet send --live`.
    pub(super) async fn send_live(
        &mut self,
        units: u64,
        chosen: &Balance,
        subject: &str,
        relay_args: &RelayArgs,
    ) -> Result<()> {
        let relay = self.relay(chosen, relay_args)?;
        let is_same = |record: &StoredRecord| match record {
            StoredRecord::Sender(SenderEntry {
                record,
                request: None,
            }) => {
                let invitation = &record.participant.invitation;
                invitation.kind == Kind::ToReceive
                    && invitation.relay == relay
                    && invitation.issuer_id.to_string() == chosen.currency
                    && (record.amount, record.subject.as_str()) == (units, subject)
            }
            _ => false,
        };
        let record = match self.stored_transfer(is_same).await? {
            Some(record) => record,
            None => {
                if chosen.balance < units {
                    return Err(WalletError::InsufficientFunds {
                        balance: chosen.balance,
                        needed: units,
                    }
                    .into());
                }
                let invitation = self.new_invitation(relay, chosen, Kind::ToReceive).await?;
                let record = SenderRecord::inviting(invitation, units, subject.to_owned(), &mut OsRng);
                let entry = SenderEntry {
                    record,
                    request: None,
                };
                self.store_new(StoredRecord::Sender(entry)).await?
            }
        };
        self.show_invitation(&record, "receive", chosen, relay_args)?;
        let sender = self
            .run_transfer::<SenderRecord>(&record, chosen, true, false)
            .await?;
        self.show_sender(&sender, chosen).await
    }

    /// `wallet receive INVITATION`.
    pub(super) async fn receive_live(
        &mut self,
        link: &str,
        is_accepted: bool,
        is_trusted: bool,
    ) -> Result<()> {
        let invitation = Invitation::read(link).map_err(|error| failure::refused(error.to_string()))?;
        if invitation.kind != Kind::ToReceive {
            return Err(failure::refused(format!(
                "this is {}: `opencoin wallet pay INVITATION{}` pays it",
                invitation.kind, self.flag
            )));
        }
        let id = invitation.issuer_id.to_string();
        if let Err(WalletError::UnknownCurrencyName { .. } | WalletError::NoCurrency) =
            self.wallet.balance_of(Some(&id))
        {
            self.trust_currency_of_coins(&id, &|other| other == id, &invitation.issuer_url, is_trusted)
                .await?;
        }
        let chosen = self.currency_of(&invitation)?;
        let record = match self.transfer_of(&invitation).await? {
            Some(record) => record,
            None => {
                let record = ReceiverRecord::new(invitation, &mut OsRng);
                self.store_new(StoredRecord::Receiver { record }).await?
            }
        };
        let receiver = self
            .run_transfer::<ReceiverRecord>(&record, &chosen, is_accepted, false)
            .await?;
        self.show_receiver(&receiver, &chosen)?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    /// `wallet reclaim --transfer`.
    pub(super) async fn reclaim_live(&mut self, id: &str) -> Result<()> {
        let settled = settle(&mut self.wallet, id, true, now_s()).await;
        let settled = settled.map_err(|error| self.transfer_error(error))?;
        let Some(StoredRecord::Sender(SenderEntry { record, .. })) = settled else {
            return Err(failure::not_found(format!(
                "this wallet has no unfinished payment with the id {id:?}"
            )));
        };
        let chosen = self.currency_of(&record.participant.invitation)?;
        match record.state {
            SenderState::Ended(SenderEnd::Kept(_)) => {
                self.show_amount(&chosen, record.amount, "kept", None)?
            }
            SenderState::Ended(SenderEnd::Reclaimed { amount, .. }) => {
                self.show_amount(&chosen, amount, "took back", None)?;
            }
            _ => return self.show_sender(&record, &chosen).await,
        }
        self.tidy(Tidy::All).await;
        Ok(())
    }

    /// Ends live transfers that cannot go on any more: coins whose receiver is late come back.
    pub(super) async fn settle_transfers(&mut self) -> Result<()> {
        let mut failed = None;
        for (stored, record) in check_stored(&mut self.wallet).await? {
            let settled = match record {
                StoredRecord::Sender(_) => settle(&mut self.wallet, &stored.id, false, now_s())
                    .await
                    .map(drop),
                record => end_late(&mut self.wallet, &stored.id, record, now_s()).await,
            };
            // The others are ended too.
            failed = failed.or(settled.err());
        }
        failed.map_or(Ok(()), |error| Err(self.transfer_error(error)))
    }

    /// Drives a transfer of this wallet until it is over or cannot go on.
    async fn run_transfer<M: Running>(
        &mut self,
        record: &StoredRecord,
        chosen: &Balance,
        is_accepted: bool,
        is_expected: bool,
    ) -> Result<M> {
        let upgrader = self.upgrader()?;
        let mut screen = Screen::new(unit(chosen), self.output, is_accepted);
        let mut stop = Box::pin(service::stop_signal()?);
        let setting = Setting {
            upgrader: &upgrader,
            now_s: &now_s,
            rng: &mut OsRng,
            stop: stop.as_mut() as Pin<&mut (dyn Future<Output = ()> + Send)>,
            patience: Patience::default(),
            is_expected,
        };
        let ran = run::<M>(record, &mut self.wallet, &mut screen, setting).await;
        ran.map_err(|error| self.transfer_error(error))
    }

    fn upgrader(&self) -> Result<Upgrader> {
        Ok(self.network.network()?.upgrader()?)
    }

    fn transfer_error(&self, error: TransferError) -> anyhow::Error {
        match error {
            TransferError::Wallet(error) => error.into(),
            TransferError::Relay(RelayError::NoRelay(url)) => failure::refused(format!(
                "there is no relay at {url}: name one where both wallets can meet, with --relay URL"
            )),
            TransferError::Relay(RelayError::NoAnswer(error)) => failure::explained(
                error.into(),
                "the same command continues the transfer; --relay URL names another relay",
            ),
            TransferError::Relay(error) => failure::refused(error.to_string()),
            error => anyhow!(error),
        }
    }

    /// The URL of the relay: the given one, or that of the currency's issuer.
    fn relay(&self, chosen: &Balance, RelayArgs { relay, .. }: &RelayArgs) -> Result<url::Url> {
        let text = match relay {
            Some(relay) => relay.clone(),
            None => format!(
                "{}{ISSUERS_RELAY_PATH}",
                self.wallet
                    .currency_url(Some(&chosen.currency))?
                    .trim_end_matches('/')
            ),
        };
        relay_url(&text).map_err(|_| {
            failure::usage(format!(
                "{text:?} is not the URL of a relay, such as https://relay.example/relay"
            ))
        })
    }

    /// Makes an invitation to a relay that is there: nobody should get a link that leads nowhere.
    async fn new_invitation(&self, relay: url::Url, chosen: &Balance, kind: Kind) -> Result<Invitation> {
        let found = find_relay(&self.upgrader()?, relay.as_str(), &mut OsRng).await;
        found.map_err(|error| self.transfer_error(error.into()))?;
        let issuer_id: BigInt = chosen.currency.parse()?;
        Ok(Invitation {
            relay,
            secret: Secret32::random(&mut OsRng),
            issuer_id,
            issuer_url: self.wallet.currency_url(Some(&chosen.currency))?.to_owned(),
            expires: now_s() + INVITATION_S,
            kind,
        })
    }

    /// The currency of an invitation, which the wallet must know.
    fn currency_of(&self, invitation: &Invitation) -> Result<Balance> {
        let id = invitation.issuer_id.to_string();
        self.wallet.balance_of(Some(&id)).map_err(|error| match error {
            WalletError::UnknownCurrencyName { .. } | WalletError::NoCurrency => {
                let url = opencoin_text::printable(&invitation.issuer_url);
                failure::not_found(format!(
                    "the invitation is about a currency that this wallet does not know ({id}); it says that the issuer \
                     is at {url}: compare the id with the one that the operator publishes, and run `opencoin wallet \
                     add {url}{}`",
                    self.flag
                ))
            }
            error => error.into(),
        })
    }

    /// The stored transfer of an invitation, also one that is over.
    async fn transfer_of(&mut self, invitation: &Invitation) -> Result<Option<StoredRecord>> {
        let id = invitation.transfer_id().to_string();
        if let Some(stored) = self
            .stored_transfer(|record| record.participant().id().to_string() == id)
            .await?
        {
            return Ok(Some(stored));
        }
        let ended = self.wallet.ended_transfers()?.into_iter();
        let found = ended
            .filter(|transfer| transfer.id == id)
            .find_map(|transfer| StoredRecord::read(&id, &transfer.record).ok());
        Ok(found)
    }

    /// The first stored transfer that is not over and is the wanted one.
    async fn stored_transfer(
        &mut self,
        is_wanted: impl Fn(&StoredRecord) -> bool,
    ) -> Result<Option<StoredRecord>> {
        let all = check_stored(&mut self.wallet).await?.into_iter();
        Ok(all
            .map(|(_, record)| record)
            .find(|record| !record.is_over() && is_wanted(record)))
    }

    async fn store_new(&mut self, record: StoredRecord) -> Result<StoredRecord> {
        let id = record.participant().id().to_string();
        self.wallet
            .store(&id, Durable::Put, &record.value(), false)
            .await?;
        Ok(record)
    }

    /// Shows the link that the other person needs.
    fn show_invitation(
        &self,
        record: &StoredRecord,
        command: &str,
        chosen: &Balance,
        relay: &RelayArgs,
    ) -> Result<()> {
        let link = record.participant().invitation.link();
        let value = json!({
            "event": "invitation",
            "currency": chosen.name,
            "id": chosen.currency,
            "invitation": link,
            "transfer": record.participant().id().to_string(),
        });
        let lines = [
            link.clone(),
            format!(
                "give this link to the other person alone; they run: opencoin wallet {command} 'LINK', with the whole link"
            ),
        ];
        if self.output.json {
            return opencoin_terminal::output::json(&value);
        }
        opencoin_terminal::output::line(&lines[0])?;
        if relay.qr {
            let code = Code::of_text(&link, VERSION_MAX)?;
            opencoin_terminal::output::exact(&terminal(&code, Colors::Fixed))?;
        }
        opencoin_terminal::output::complain(&lines[1]);
        Ok(())
    }
}
