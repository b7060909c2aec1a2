//! `opencoin key watch`: what a key account pays and receives.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use opencoin_log::key_account::{CreditSource, Payee};
use opencoin_terminal::output;
use opencoin_text::IssuerUrl;
use opencoin_wallet::{EntryKind, FollowedKey, KeyEntry, KeyInfo, WalletError};
use serde_json::{Value, json};

use super::super::wallet::quoted;
use super::{KeySession, unit_of, words};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::service;

/// The pause between two looks at the log.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Read this copy of the public log instead of the log itself, for example an auditor's.
    #[arg(long, value_name = "URL")]
    from: Option<IssuerUrl>,
    /// Look once, and do not wait for more.
    #[arg(long)]
    once: bool,
}

impl KeySession {
    pub(super) async fn watch(&mut self, arguments: &Arguments) -> Result<()> {
        let info = self.chosen()?;
        let from = arguments.from.as_ref().map(IssuerUrl::as_str);
        let stopped = service::stop_signal()?;
        tokio::pin!(stopped);
        // Entries that were shown and are not final yet.
        let mut open: Vec<KeyEntry> = Vec::new();
        let mut last_problem = String::new();
        loop {
            let followed = tokio::select! {
                followed = self.session.wallet.follow_key(&info.key, from) => followed,
                () = &mut stopped => return Ok(()),
            };
            match followed {
                Ok(followed) => {
                    self.show_followed(&info, &followed, &mut open)?;
                    last_problem.clear();
                }
                Err(WalletError::Log(problem)) if problem.is_temporary() && !arguments.once => {
                    let problem = problem.to_string();
                    if problem != last_problem {
                        output::complain(&format!("note: {problem}"));
                    }
                    last_problem = problem;
                }
                Err(error) => return Err(error.into()),
            }
            if arguments.once {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = &mut stopped => return Ok(()),
            }
        }
    }

    fn show_followed(&self, info: &KeyInfo, followed: &FollowedKey, open: &mut Vec<KeyEntry>) -> Result<()> {
        let (output, unit) = (self.session.output, unit_of(info));
        if followed.has_gap {
            output::complain(
                "note: this account was not watched for so long that what has happened since is not shown",
            );
        }
        for entry in &followed.entries {
            let is_final = entry.index < followed.final_size;
            output.show(entry_json(entry, is_final), [entry_line(entry, is_final, &unit)])?;
            if !is_final {
                open.push(entry.clone());
            }
        }
        let became_final = open.extract_if(.., |entry| entry.index < followed.final_size);
        for entry in became_final.collect::<Vec<_>>() {
            let line = format!("{} entry {} is final", utc(followed.time), entry.index);
            output.show(json!({ "event": "final", "index": entry.index }), [line])?;
        }
        Ok(())
    }
}

fn entry_json(entry: &KeyEntry, is_final: bool) -> Value {
    let mut value = json!({
        "balance": entry.balance,
        "batch": entry.batch,
        "final": is_final,
        "index": entry.index,
        "time": entry.time,
    });
    match &entry.kind {
        EntryKind::Introduced => value["event"] = "introduced".into(),
        EntryKind::Credited { amount, from, number } => {
            value["event"] = "credited".into();
            value["amount"] = (*amount).into();
            value["from"] = json!(from);
            value["number"] = (*number).into();
        }
        EntryKind::Received(payment) => {
            let order = &payment.order;
            value["event"] = "received".into();
            value["amount"] = order.amount.into();
            value["from"] = order.from.to_string().into();
            value["memo"] = order.memo.clone().into();
            value["payment"] = format!("{}.{}", order.from, order.seq).into();
        }
        EntryKind::Paid(payment) => {
            let order = &payment.order;
            value["event"] = "paid".into();
            value["amount"] = order.amount.into();
            value["to"] = words::payee_json(order).into();
            value["memo"] = order.memo.clone().into();
            value["payment"] = format!("{}.{}", order.from, order.seq).into();
        }
    }
    value
}

fn entry_line(entry: &KeyEntry, is_final: bool, unit: &CurrencyUnit) -> String {
    let memo = |memo: &str| match memo {
        "" => String::new(),
        memo => format!(" {}", quoted(memo)),
    };
    let what = match &entry.kind {
        EntryKind::Introduced => "the account was opened".to_owned(),
        EntryKind::Credited { amount, from, .. } => format!(
            "+{} from {}",
            unit.number(*amount),
            match from {
                CreditSource::Coins => "coins",
                CreditSource::Account => "an account at the issuer",
                CreditSource::Deposit => "the issuer, who was paid",
            }
        ),
        EntryKind::Received(payment) => {
            let order = &payment.order;
            format!(
                "+{} from key {}{}",
                unit.number(order.amount),
                order.from,
                memo(&order.memo)
            )
        }
        EntryKind::Paid(payment) => {
            let order = &payment.order;
            let to = match order.to {
                Payee::Key(key) => format!("key {key}"),
                Payee::Mint(_) | Payee::Account(_) => words::payee(&order.to, None),
            };
            format!("-{} to {to}{}", unit.number(order.amount), memo(&order.memo))
        }
    };
    let state = if is_final { "final" } else { "published" };
    format!(
        "{} {what}; balance {}; entry {}, {state}",
        utc(entry.time),
        unit.number(entry.balance),
        entry.index
    )
}
