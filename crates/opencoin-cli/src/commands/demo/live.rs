//! Alice hands coins to Bob in a live transfer.
//!
//! Signing is paused meanwhile, so Bob's renewal is accepted with a delay. Bob's side stops there, and continues when
//! signing resumes, as the same command would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use opencoin_issuer::Operator;
use opencoin_keys::{Clock, SystemClock};
use opencoin_schema::text;
use opencoin_transfer::Secret32;
use opencoin_transfer::invitation::{ISSUERS_RELAY_PATH, Invitation, Kind};
use opencoin_transfer::machine::receiver::{ReceiverRecord, ReceiverState};
use opencoin_transfer::machine::sender::{SenderRecord, SenderState};
use opencoin_transfer::machine::{INVITATION_S, Machine};
use opencoin_transfer::message::Offer;
use opencoin_transfer_client::{
    Patience, Person, Progress, Running, SenderEntry, Setting, StoredRecord, TransferWallet, run,
};
use opencoin_wallet::{Network, Upgrader, Wallet};
use rand::rngs::OsRng;

use super::{HANDED_OVER, held, show, step};

const SUBJECT: &str = "a little gift";

/// Somebody who accepts everything and remembers the digits.
#[derive(Default)]
struct Somebody {
    digits: Option<String>,
}

#[async_trait]
impl Person for Somebody {
    async fn accepts(&mut self, offer: &Offer) -> bool {
        offer.amount == HANDED_OVER && offer.subject == SUBJECT
    }

    fn tell(&mut self, progress: Progress<'_>) {
        if let Progress::Connected(digits) = progress {
            self.digits.get_or_insert_with(|| digits.to_string());
        }
    }
}

/// Hands coins over. Returns a file with a copy of the coin stack that went over.
pub(super) async fn hand_over(
    folder: &Path,
    url: &str,
    operator: &Operator,
    (alice, bob): (&mut Wallet, &mut Wallet),
) -> Result<PathBuf> {
    let upgrader = Network::default().upgrader()?;
    let invitation = Invitation {
        relay: format!("{url}{ISSUERS_RELAY_PATH}").parse()?,
        secret: Secret32::random(&mut OsRng),
        issuer_id: alice.balance_of(None)?.currency.parse()?,
        issuer_url: url.to_owned(),
        expires: now_s() + INVITATION_S,
        kind: Kind::ToReceive,
    };
    let sender = StoredRecord::Sender(SenderEntry {
        record: SenderRecord::inviting(invitation.clone(), HANDED_OVER, SUBJECT.to_owned(), &mut OsRng),
        request: None,
    });
    let mut receiver = StoredRecord::Receiver {
        record: ReceiverRecord::new(invitation, &mut OsRng),
    };
    let (mut payer, mut payee) = (Somebody::default(), Somebody::default());
    operator.set_signing_paused(true).await?;
    let receiving = async {
        let stopped: ReceiverRecord = drive(&receiver, bob, &mut payee, &upgrader).await?;
        let stack = stopped
            .held()
            .context("Bob got coins although signing is paused")?;
        operator.set_signing_paused(false).await?;
        receiver = StoredRecord::Receiver { record: stopped };
        let paid: ReceiverRecord = drive(&receiver, bob, &mut payee, &upgrader).await?;
        Ok::<_, anyhow::Error>((stack, paid))
    };
    let sending = drive::<SenderRecord>(&sender, alice, &mut payer, &upgrader);
    let (sent, received) = tokio::join!(sending, receiving);
    let (sent, (stack, received)) = (sent?, received?);
    step(
        "Alice",
        &format!("offers {} live, {SUBJECT:?}, and Bob accepts", show(HANDED_OVER)),
    )?;
    let digits = payer.digits.context("Alice has seen digits")?;
    ensure!(
        payee.digits.as_ref() == Some(&digits),
        "somebody is between Alice and Bob"
    );
    step(
        "both",
        &format!("see the digits {digits}: nobody is between them, and the relay can read nothing"),
    )?;
    step(
        "Bob",
        "renews the coins while signing is paused: accepted, with a delay; then holds them",
    )?;
    ensure!(held(bob) == HANDED_OVER, "Bob should hold {HANDED_OVER}");
    match (&sent.state, &received.state) {
        (SenderState::Delivered { receipt: kept, .. }, ReceiverState::Paid { receipt: given, .. })
            if kept == given =>
        {
            kept.verify()?;
        }
        _ => bail!("Alice and Bob should have the same receipt"),
    }
    step("Alice", "has the receipt that Bob has signed")?;
    let path = folder.join("gift.oc");
    fs::write(&path, text::compact(&stack)).context("cannot write the coin stack")?;
    Ok(path)
}

/// Runs one side until it is over or cannot go on for now.
async fn drive<M: Running>(
    record: &StoredRecord,
    wallet: &mut dyn TransferWallet,
    person: &mut Somebody,
    upgrader: &Upgrader,
) -> Result<M> {
    let mut never = Box::pin(std::future::pending::<()>());
    let setting = Setting {
        upgrader,
        now_s: &now_s,
        rng: &mut OsRng,
        stop: never.as_mut(),
        patience: Patience::default(),
        is_expected: true,
    };
    Ok(run(record, wallet, person, setting).await?)
}

fn now_s() -> u64 {
    u64::try_from(SystemClock.now().timestamp()).unwrap_or(0)
}
