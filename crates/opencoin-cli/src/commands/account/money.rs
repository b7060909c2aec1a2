//! Payments and payouts.

use anyhow::{Result, bail};
use clap::Args;
use opencoin_api::{
    Entry, IDEMPOTENCY_KEY_CHARS_MAX, PAGE_LENGTH_MAX, Payout, PayoutState, RequestPayout, Transfer,
};
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_text::{AmountText, printable};
use opencoin_wallet::account::{AccountError, Outbox, Paid, Payer, Payment, Receipt, pay, pay_with_key};
use rand::RngCore;
use rand::rngs::OsRng;
use serde_json::Value;

use super::connection::{Connection, HolderArgs};
use super::view::time;
use crate::currency_unit::CurrencyUnit;
use crate::failure;

/// Random bytes of a generated idempotency key, enough to be unique.
const KEY_BYTES: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct PayArguments {
    /// The name of the receiving account.
    to: String,
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// A description of the payment for both sides.
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutArguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// The destination in the operator's bank system, for example an IBAN.
    destination: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// Your own idempotency key: the issuer pays once for each key, no matter when and from where it is sent again.
    /// Without this option, the program generates a key and stores it in the wallet's folder until the result is shown.
    #[arg(long, value_parser = parse_key)]
    key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutsArguments {
    /// Show only payouts with higher numbers.
    #[arg(long, value_name = "C", default_value_t = 0)]
    after: u64,
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
    let to_payment = |amount| Payment::Transfer(Transfer { to, amount, label });
    send(holder, &amount, to_payment, &key).await
}

pub(super) async fn payout(holder: &HolderArgs, arguments: PayoutArguments) -> Result<()> {
    let PayoutArguments {
        amount,
        destination,
        key,
    } = arguments;
    let to_payment = |amount| Payment::Payout(RequestPayout { amount, destination });
    send(holder, &amount, to_payment, &key).await
}

async fn send(
    holder: &HolderArgs,
    amount: &AmountText,
    to_payment: impl FnOnce(u64) -> Payment,
    arguments: &KeyArgs,
) -> Result<()> {
    let connection = holder.connect()?;
    let unit = connection.unit().await?;
    let payment = to_payment(unit.read(amount)?);
    if let Some(key) = &arguments.key {
        let made = explain(
            &connection,
            pay_with_key(&connection.client, &payment, key).await,
            "the same command again checks it",
        )?;
        let paid = Paid {
            receipt: made.value,
            is_repeated: made.is_repeated,
            key: key.clone(),
            begun_before: None,
        };
        return show(&payment, &paid, &unit, holder.output);
    }
    let dir = holder.dir()?;
    let payer = Payer::new(connection.url.as_str(), &connection.account_name().await?);
    let mut outbox = Outbox::open(&dir)?;
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
        "the same command again checks it and does not pay twice",
    )?;
    // Settled only after the result was shown.
    show(&payment, &paid, &unit, holder.output)?;
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
            failure::explained(error, &format!("it is not known whether it was paid: {again}"))
        } else {
            error
        }
    })
}

fn show(payment: &Payment, paid: &Paid, unit: &CurrencyUnit, output: OutputArgs) -> Result<()> {
    let mut value = match &paid.receipt {
        Receipt::Entry(entry) => serde_json::to_value(entry)?,
        Receipt::Payout(payout) => serde_json::to_value(payout)?,
    };
    value["key"] = Value::from(paid.key.clone());
    value["repeated"] = Value::from(paid.is_repeated);
    let done = match (&paid.receipt, payment) {
        (Receipt::Entry(Entry { id, at, .. }), Payment::Transfer(Transfer { to, amount, .. })) => {
            format!(
                "paid {} to {}: entry {id} of {}",
                unit.show(*amount),
                printable(to),
                time(*at)
            )
        }
        (
            Receipt::Payout(Payout { id, requested_at, .. }),
            Payment::Payout(RequestPayout { amount, destination }),
        ) => {
            format!(
                "requested a payout of {} to {}: number {id} of {}",
                unit.show(*amount),
                printable(destination),
                time(*requested_at)
            )
        }
        (Receipt::Entry(_), Payment::Payout(_)) | (Receipt::Payout(_), Payment::Transfer(_)) => {
            unreachable!("a transfer makes an entry, a payout a payout")
        }
    };
    let repeated = paid
        .is_repeated
        .then(|| "this was done before and is not repeated now".to_owned());
    output.show_once(value, [done].into_iter().chain(repeated))?;
    if output.json {
        return Ok(());
    }
    if let Some(begun) = paid.begun_before {
        output::complain(&format!(
            "note: this finishes a payment begun {} that got no answer; for a second payment run the command again",
            time(begun)
        ));
    }
    Ok(())
}

pub(super) async fn payouts(holder: &HolderArgs, arguments: &PayoutsArguments) -> Result<()> {
    let connection = holder.connect()?;
    let unit = connection.unit_for(holder.output).await?;
    let (mut after, mut collected) = (arguments.after, Vec::new());
    loop {
        let page = connection.explain(connection.client.payouts(after, PAGE_LENGTH_MAX).await)?;
        if page.payouts.is_empty() || page.after <= after {
            break;
        }
        after = page.after;
        for payout in page.payouts {
            match &unit {
                None => collected.push(payout),
                Some(unit) => output::line(&shown(&payout, unit))?,
            }
        }
    }
    if holder.output.json {
        output::json(&serde_json::json!({ "payouts": collected, "after": after }))?;
    }
    Ok(())
}

fn shown(payout: &Payout, unit: &CurrencyUnit) -> String {
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
        unit.number(payout.amount)
    )
}
