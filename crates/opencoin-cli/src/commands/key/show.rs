//! `opencoin key show`: what a key account holds, and how far payments are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::{IssuerUrl, printable};
use opencoin_wallet::{FoundKeyPayment, KeyBalance, KeyInfo, KeyPaymentState, ShownKeyPayment, WalletError};
use serde_json::{Value, json};

use super::super::wallet::{NewFile, quoted};
use super::{KeySession, unit_of, verify, words};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show only this payment, of anybody: its id, KEY.NUMBER.
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// Write the proof of the payment to this file, a `.tlog-proof`.
    #[arg(long, value_name = "FILE", requires = "payment")]
    proof: Option<PathBuf>,
    /// Read this copy of the public log instead of the log itself, for example an auditor's.
    #[arg(long, value_name = "URL", conflicts_with = "payment")]
    from: Option<IssuerUrl>,
}

impl KeySession {
    pub(super) async fn show(&mut self, arguments: &Arguments) -> Result<()> {
        if let Some(id) = &arguments.payment {
            return self.show_payment(id, arguments.proof.as_ref()).await;
        }
        let info = self.chosen()?;
        let from = arguments.from.as_ref().map(IssuerUrl::as_str);
        self.look_at_payments(&info).await;
        let balance = self.session.wallet.prove_balance(&info.key, from).await?;
        let payments = self.session.wallet.key_payments(&info.key)?;
        let value = json!({
            "balance": balance.balance,
            "batch": balance.batch,
            "covered": info.is_covered,
            "currency": info.name,
            "id": info.currency,
            "in_log": balance.exists,
            "key": info.key.to_string(),
            "payments": payments.iter().map(payment_json).collect::<Value>(),
            "pending": balance.pending.amount,
            "seq": balance.seq,
            "time": balance.time,
        });
        self.session
            .output
            .show(value, balance_lines(&info, &balance, &payments))
    }

    /// Asks how far the payments are that are not final. A failure does not keep the balance from being shown.
    async fn look_at_payments(&mut self, info: &KeyInfo) {
        let payments = self.session.wallet.key_payments(&info.key).unwrap_or_default();
        let can_change =
            |state: KeyPaymentState| matches!(state, KeyPaymentState::Accepted | KeyPaymentState::Published);
        for payment in payments.iter().filter(|payment| can_change(payment.state)) {
            if let Err(error) = self.session.wallet.look_at_payment(payment.number).await {
                output::complain(&format!("note: payment {}: {error}", payment.id));
            }
        }
    }

    async fn show_payment(&mut self, id: &str, proof_path: Option<&PathBuf>) -> Result<()> {
        let currency = self.session.currency.clone();
        let own = match self.session.wallet.payment_number(id) {
            Ok(number) => Some(number),
            Err(WalletError::UnknownPayment(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let found = match own {
            Some(number) => {
                let state = self.session.wallet.look_at_payment(number).await?;
                self.session.wallet.payment_told(number)?;
                let proof = self.session.wallet.payment_proof(number)?;
                proof.map(|proof| (state, proof))
            }
            None => match self.session.wallet.find_payment(currency.as_deref(), id).await? {
                FoundKeyPayment::Accepted => None,
                FoundKeyPayment::InLog { checked, proof } => {
                    let state = match checked.is_final() {
                        true => KeyPaymentState::Final,
                        false => KeyPaymentState::Published,
                    };
                    Some((state, proof))
                }
            },
        };
        let Some((state, proof)) = found else {
            let accepted = KeyPaymentState::Accepted;
            if proof_path.is_some() {
                return Err(failure::later(format!(
                    "payment {id} is in no batch yet, so nothing proves it; try again later"
                )));
            }
            return self.session.output.show(
                json!({ "payment": id, "state": accepted.word() }),
                [words::state(accepted)],
            );
        };
        let checked = self
            .session
            .wallet
            .payment_verifier()
            .check(&proof, verify::now())?;
        if let Some(path) = proof_path {
            let file = NewFile::create(path);
            let written = file.and_then(|file| file.finish(proof.as_bytes()));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut value = verify::to_json(&checked);
        value["state"] = state.word().into();
        if let Some(path) = proof_path {
            value["proof"] = json!(path);
        }
        self.session.output.show(value, verify::lines(&checked))
    }
}

fn payment_json(payment: &ShownKeyPayment) -> Value {
    let order = &payment.payment.order;
    json!({
        "account": payment.to_account,
        "amount": order.amount,
        "at": payment.at,
        "memo": order.memo,
        "note": payment.note,
        "payment": payment.id,
        "request": payment.number,
        "state": payment.state.word(),
        "to": words::payee_json(order),
    })
}

fn balance_lines(info: &KeyInfo, balance: &KeyBalance, payments: &[ShownKeyPayment]) -> Vec<String> {
    let unit = unit_of(info);
    let mut lines = vec![format!("key {}", info.key)];
    let (time, batch) = (utc(balance.time), balance.batch);
    lines.push(match (balance.exists, info.is_open) {
        (true, _) => format!(
            "  {}, proven by the public log: batch {batch} of {time}",
            unit.show(balance.balance)
        ),
        (false, true) => {
            format!("  introduced, and not in the public log yet: batch {batch} of {time} does not have it")
        }
        (false, false) => format!("  {}: not introduced", printable(&info.name)),
    });
    if balance.pending.count > 0 {
        lines.push(format!(
            "  pending: -{} in {} not in that batch",
            unit.show(balance.pending.amount),
            super::super::wallet::counted(balance.pending.count, "payment")
        ));
    }
    if !info.is_covered {
        lines.push("  the backup phrase does not restore it; pay what it holds to a new key".to_owned());
    }
    lines.extend(payments.iter().map(|payment| payment_line(payment, &unit)));
    lines
}

fn payment_line(payment: &ShownKeyPayment, unit: &CurrencyUnit) -> String {
    let order = &payment.payment.order;
    let memo = match order.memo.as_str() {
        "" => String::new(),
        memo => format!(" {}", quoted(memo)),
    };
    let why = match payment.note.as_str() {
        "" => String::new(),
        note => format!(": {note}"),
    };
    format!(
        "  {} -{} to {}{memo}: payment {}, {}{why}",
        utc(payment.at),
        unit.number(order.amount),
        words::payee(&order.to, payment.to_account.as_deref()),
        order.seq,
        payment.state.word(),
    )
}
