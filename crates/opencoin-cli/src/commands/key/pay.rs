//! `opencoin key pay`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use opencoin_log::key_account::AccountKey;
use opencoin_terminal::output;
use opencoin_text::AmountText;
use opencoin_wallet::{
    ExchangeError, KeyInfo, KeyPayee, KeyPaymentOrder, KeyPaymentState, PaidByKey, WalletError,
};
use serde_json::json;

use super::super::wallet::NewFile;
use super::{KeySession, unit_of, words};
use crate::dates::utc;
use crate::failure::{self, Failure};
use crate::service;

/// The pause between two looks at a payment.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct Arguments {
    /// The key that receives the payment: 64 hex digits.
    #[arg(required_unless_present = "to_account")]
    payee: Option<AccountKey>,
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// A text for the payee, at most 140 bytes. Everybody can read it, for ever.
    #[arg(long, value_name = "TEXT", default_value = "")]
    memo: String,
    /// Pay to this account at the issuer instead of a key. The public log does not name it.
    #[arg(long, value_name = "NAME", conflicts_with = "payee")]
    to_account: Option<String>,
    /// How long to wait: until the auditors' joint signature makes the payment final, until it is in the public log, or not
    /// at all. Default: `joint` with --proof, else `none`.
    #[arg(long, value_enum, value_name = "STATE")]
    wait: Option<Wait>,
    /// Write the proof of the payment to this file, a `.tlog-proof`. It appears when the payment is as far as --wait says.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    Joint,
    Published,
    None,
}

impl Wait {
    fn is_over(self, state: KeyPaymentState) -> bool {
        match self {
            Self::None => true,
            Self::Published => state >= KeyPaymentState::Published,
            Self::Joint => state >= KeyPaymentState::Final,
        }
    }
}

impl KeySession {
    pub(super) async fn pay(&mut self, arguments: &Arguments) -> Result<ExitCode> {
        let default = match &arguments.proof {
            Some(_) => Wait::Joint,
            None => Wait::None,
        };
        let wait = arguments.wait.unwrap_or(default);
        if wait == Wait::None && arguments.proof.is_some() {
            return Err(failure::usage(
                "a payment has a proof when it is in the public log: --wait published or joint",
            ));
        }
        let info = self.chosen()?;
        let unit = unit_of(&info);
        let order = KeyPaymentOrder {
            to: payee(arguments)?,
            amount: unit.read(&arguments.amount)?,
            memo: arguments.memo.clone(),
        };
        // Before anything is paid.
        let file = arguments.proof.as_ref().map(|path| {
            let created = NewFile::create(path);
            created.with_context(|| format!("cannot write {}", path.display()))
        });
        let file = file.transpose()?;
        let paid = self.session.wallet.pay_by_key(&info.key, &order).await?;
        if let Some(begun) = paid.begun_before {
            output::complain(&format!(
                "note: this is the payment that was begun on {}; the same command makes another one now",
                utc(begun)
            ));
        }
        let state = match wait {
            Wait::None => KeyPaymentState::Accepted,
            _ => self.wait_for(&paid, wait).await?,
        };
        let is_over = wait.is_over(state);
        if let Some(file) = file.filter(|_| is_over) {
            let proof = self.session.wallet.payment_proof(paid.number)?;
            let proof = proof.context("the wallet has no proof of the payment")?;
            file.finish(proof.as_bytes())
                .context("the proof cannot be written")?;
        }
        self.show_paid(&info, &order, &paid, state, arguments)?;
        self.session.wallet.payment_told(paid.number)?;
        if is_over {
            return Ok(ExitCode::SUCCESS);
        }
        output::complain(&format!(
            "the payment is made, and was not waited for to the end; `opencoin key show --payment {}{}` shows how far it is",
            paid.id, self.session.flag
        ));
        Ok(Failure::TryLater.code())
    }

    /// Waits until the payment is as far as it should be, or until Ctrl-C.
    async fn wait_for(&mut self, paid: &PaidByKey, wait: Wait) -> Result<KeyPaymentState> {
        let stopped = service::stop_signal()?;
        tokio::pin!(stopped);
        let mut last = None;
        loop {
            let looked = tokio::select! {
                looked = self.session.wallet.look_at_payment(paid.number) => looked,
                () = &mut stopped => break,
            };
            match looked {
                Ok(state) if wait.is_over(state) => return Ok(state),
                Ok(state) => {
                    if last != Some(state) {
                        output::complain(&format!("{}; waiting, Ctrl-C stops it", words::state(state)));
                    }
                    last = Some(state);
                }
                // It is made, and the issuer is away for a moment.
                Err(WalletError::Exchange(ExchangeError::NotSent(_) | ExchangeError::Unknown(_))) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = &mut stopped => break,
            }
        }
        Ok(last.unwrap_or(KeyPaymentState::Accepted))
    }

    fn show_paid(
        &self,
        info: &KeyInfo,
        order: &KeyPaymentOrder,
        paid: &PaidByKey,
        state: KeyPaymentState,
        arguments: &Arguments,
    ) -> Result<()> {
        let to = match &order.to {
            KeyPayee::Key(key) => format!("key {key}"),
            KeyPayee::Account(name) => format!("account {name}"),
        };
        let mut value = json!({
            "amount": order.amount,
            "currency": info.name,
            "id": info.currency,
            "key": info.key.to_string(),
            "payment": paid.id,
            "repeated": paid.begun_before.is_some(),
            "request": paid.number,
            "state": state.word(),
        });
        let mut lines = vec![
            format!("paid {} to {to}", unit_of(info).show(order.amount)),
            format!("  payment {}", paid.id),
            format!("  {}", words::state(state)),
        ];
        if let Some(path) = arguments.proof.as_ref().filter(|path| path.exists()) {
            value["proof"] = json!(path);
            lines.push(format!("  proof in {}", path.display()));
        }
        output::once(self.session.output.show(value, lines))
    }
}

fn payee(arguments: &Arguments) -> Result<KeyPayee> {
    match (&arguments.payee, &arguments.to_account) {
        (Some(key), None) => Ok(KeyPayee::Key(*key)),
        (None, Some(name)) => Ok(KeyPayee::Account(name.clone())),
        _ => Err(failure::usage("say who is paid: a key, or --to-account NAME")),
    }
}
