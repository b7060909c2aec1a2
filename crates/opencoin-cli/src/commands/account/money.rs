//! Paying, and paying out.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use opencoin_api::{
    Entry, IDEMPOTENCY_KEY_CHARS_MAX, PAGE_LENGTH_MAX, Payout, PayoutState, RequestPayout, Transfer,
};
use opencoin_keys::{Clock, SystemClock};
use opencoin_wallet::account::{AccountError, Outbox, Paid, Payer, Payment, Receipt, pay, pay_with_key};
use rand::RngCore;
use rand::rngs::OsRng;
use serde_json::Value;

use super::connection::{Connection, HolderArgs};
use super::view::{printable, time};
use crate::{amount_args, output};

/// Random bytes of a key: nobody makes the same up twice.
const KEY_BYTES: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct PayArguments {
    /// The name of the account that gets it.
    to: String,
    /// How much, in the smallest unit.
    #[arg(value_parser = amount_args::parse)]
    amount: u64,
    /// What it is for; both sides read it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutArguments {
    /// How much, in the smallest unit.
    #[arg(value_parser = amount_args::parse)]
    amount: u64,
    /// Where to, in the words of the operator's bank system: an IBAN, say.
    destination: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// An idempotency key of your own: the issuer pays once for each key, whenever and wherever it is sent
    /// again. Without one, this program makes one up and keeps it in the wallet's folder until the result was
    /// shown.
    #[arg(long, value_parser = parse_key)]
    key: Option<String>,
    /// Write what the issuer has made, with `key` and `repeated` (whether it was made before).
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutsArguments {
    /// Only those with higher numbers.
    #[arg(long, value_name = "C", default_value_t = 0)]
    after: u64,
    /// Write {"payouts": [...], "after": C}.
    #[arg(long)]
    json: bool,
}

fn parse_key(text: &str) -> Result<String> {
    let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text.to_owned())
    } else {
        bail!("a key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters")
    }
}

pub(super) async fn transfer(holder: &HolderArgs, arguments: PayArguments) -> Result<()> {
    let PayArguments {
        to,
        amount,
        label,
        key,
    } = arguments;
    send(holder, Payment::Transfer(Transfer { to, amount, label }), &key).await
}

pub(super) async fn payout(holder: &HolderArgs, arguments: PayoutArguments) -> Result<()> {
    let PayoutArguments {
        amount,
        destination,
        key,
    } = arguments;
    send(
        holder,
        Payment::Payout(RequestPayout { amount, destination }),
        &key,
    )
    .await
}

async fn send(holder: &HolderArgs, payment: Payment, arguments: &KeyArgs) -> Result<()> {
    let connection = holder.connect()?;
    if let Some(key) = &arguments.key {
        let made = explain(
            &connection,
            pay_with_key(&connection.client, &payment, key).await,
            "the same command again asks",
        )?;
        let paid = Paid {
            receipt: made.value,
            is_repeated: made.is_repeated,
            key: key.clone(),
            begun_before: None,
        };
        return show(&payment, &paid, arguments.json);
    }
    let dir = holder
        .dir()
        .context("an idempotency key is kept there; or make one up yourself: --key KEY")?;
    let payer = Payer::new(&connection.url, &connection.account_name().await?);
    let mut outbox = Outbox::open(dir)?;
    let paid = pay(
        &connection.client,
        &mut outbox,
        &payer,
        &payment,
        new_key,
        SystemClock.now(),
    )
    .await;
    let paid = explain(
        &connection,
        paid,
        "the same command again finds out, and does not pay twice",
    )?;
    // In this order: a result that nobody has seen is not settled.
    show(&payment, &paid, arguments.json)?;
    Ok(outbox.settle(&payer, &paid.key)?)
}

fn new_key() -> String {
    let mut bytes = [0; KEY_BYTES];
    OsRng.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn explain<T>(connection: &Connection, result: Result<T, AccountError>, again: &str) -> Result<T> {
    let is_open = matches!(result, Err(AccountError::Open(_)));
    connection.explain(result).map_err(|error| {
        if is_open {
            anyhow!("{error:#}\nwhether it was paid is not known: {again}")
        } else {
            error
        }
    })
}

fn show(payment: &Payment, paid: &Paid, json: bool) -> Result<()> {
    if json {
        let mut value = match &paid.receipt {
            Receipt::Entry(entry) => serde_json::to_value(entry)?,
            Receipt::Payout(payout) => serde_json::to_value(payout)?,
        };
        value["key"] = Value::from(paid.key.clone());
        value["repeated"] = Value::from(paid.is_repeated);
        return output::json(&value);
    }
    let done = match (&paid.receipt, payment) {
        (Receipt::Entry(Entry { id, at, .. }), Payment::Transfer(Transfer { to, amount, .. })) => {
            format!("paid {amount} to {}: entry {id} of {}", printable(to), time(*at))
        }
        (
            Receipt::Payout(Payout { id, requested_at, .. }),
            Payment::Payout(RequestPayout { amount, destination }),
        ) => {
            format!(
                "asked for a payout of {amount} to {}: number {id} of {}",
                printable(destination),
                time(*requested_at)
            )
        }
        (Receipt::Entry(_), Payment::Payout(_)) | (Receipt::Payout(_), Payment::Transfer(_)) => {
            unreachable!("a transfer makes an entry, a payout a payout")
        }
    };
    if paid.is_repeated {
        output::line(&format!("{done}\nthis was done before and not again now"))
    } else {
        output::line(&done)
    }?;
    if let Some(begun) = paid.begun_before {
        output::complain(&format!(
            "note: this finishes what was begun {} and whose answer nobody saw; if you meant a second one, run the command again",
            time(begun)
        ));
    }
    Ok(())
}

pub(super) async fn payouts(holder: &HolderArgs, arguments: &PayoutsArguments) -> Result<()> {
    let connection = holder.connect()?;
    let (mut after, mut collected) = (arguments.after, Vec::new());
    loop {
        let page = connection.explain(connection.client.payouts(after, PAGE_LENGTH_MAX).await)?;
        if page.payouts.is_empty() || page.after <= after {
            break;
        }
        after = page.after;
        for payout in page.payouts {
            if arguments.json {
                collected.push(payout)
            } else {
                output::line(&shown(&payout))?
            }
        }
    }
    if arguments.json {
        output::json(&serde_json::json!({ "payouts": collected, "after": after }))
    } else {
        Ok(())
    }
}

fn shown(payout: &Payout) -> String {
    let state = match payout.state {
        PayoutState::Requested => "requested",
        PayoutState::Paid => "paid",
        PayoutState::Failed => "failed",
    };
    let note = payout
        .note
        .as_ref()
        .map(|note| format!("  {}", printable(note)))
        .unwrap_or_default();
    let destination = printable(&payout.destination);
    format!(
        "{:>6}  {}  {:>12}  {state}  to {destination}{note}",
        payout.id,
        time(payout.requested_at),
        payout.amount
    )
}
