//! `opencoin key verify`: a payment, proven by a file alone.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::WalletSecretArgs;
use opencoin_text::printable;
use opencoin_wallet::{CheckedPayment, PaymentVerifier, Wallet};
use serde_json::{Value, json};

use super::super::verify::read_cddc;
use super::super::wallet::{open_to_read, quoted};
use super::words;
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::failure::{self, Failure};
use crate::input::read_file;
use crate::wallet_dir_args::WalletDirArgs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The proof, a `.tlog-proof` file; `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The currency's CDDC, which names the log, its witnesses and auditors: a cdd certificate or a response cddc. Default:
    /// the currencies of the wallet.
    #[arg(long, value_name = "FILE")]
    cddc: Option<PathBuf>,
}

pub(super) fn run(
    arguments: &Arguments,
    dir: &WalletDirArgs,
    secret: &WalletSecretArgs,
    output: OutputArgs,
) -> Result<ExitCode> {
    let name = arguments.file.display();
    let file = String::from_utf8(read_file(&arguments.file)?);
    let file = file
        .map_err(|_| failure::refused(format!("{name}: this is not a proof of a payment: it is no text")))?;
    // With a description no wallet is needed, and no folder for one.
    let wallet = match &arguments.cddc {
        Some(_) => None,
        None => dir.path().ok().filter(|dir| Wallet::is_in(dir)),
    };
    let verifier = match (&arguments.cddc, wallet) {
        (Some(path), _) => PaymentVerifier::new([read_cddc(path)?]),
        (None, Some(dir)) => open_to_read(&dir, secret)?.payment_verifier(),
        (None, None) => {
            return Err(failure::usage(
                "give the currency's CDDC with --cddc: its issuer has it at /cddc; or name a wallet that has the currency",
            ));
        }
    };
    if verifier.is_empty() {
        return Err(failure::refused(
            "the currency has no public log, so it has no payments by key",
        ));
    }
    let checked = verifier.check(&file, now()).with_context(|| name.to_string())?;
    output.show(to_json(&checked), lines(&checked))?;
    if checked.is_final() {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(Failure::TryLater.code())
    }
}

pub(super) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

pub(super) fn to_json(checked: &CheckedPayment) -> Value {
    let order = &checked.payment.order;
    json!({
        "amount": order.amount,
        "cosigned_by": checked.cosigned_by,
        "currency": checked.currency,
        "expires": order.expires,
        "final": checked.is_final(),
        "from": order.from.to_string(),
        "id": checked.master_key,
        "index": checked.index,
        "joint": checked.joint,
        "log": checked.log,
        "memo": order.memo,
        "payment": format!("{}.{}", order.from, order.seq),
        "seen_at": checked.seen_at,
        "to": words::payee_json(order),
    })
}

pub(super) fn lines(checked: &CheckedPayment) -> Vec<String> {
    let order = &checked.payment.order;
    let unit = CurrencyUnit {
        name: checked.currency.clone(),
        divisor: checked.divisor,
    };
    let mut lines = vec![
        format!("key {} has paid {}", order.from, unit.show(order.amount)),
        format!("  to {}", words::payee(&order.to, None)),
    ];
    if !order.memo.is_empty() {
        lines.push(format!("  memo {}", quoted(&order.memo)));
    }
    lines.push(format!(
        "  payment {} of this key, entry {} of the log {}",
        order.seq,
        checked.index,
        printable(&checked.log)
    ));
    lines.push(match checked.seen_at {
        Some(at) => format!("  its witnesses had seen it by {}", utc(at)),
        None => {
            "  the currency names no witnesses: the issuer alone vouches for its log, and nothing tells when"
                .to_owned()
        }
    });
    if !checked.cosigned_by.is_empty() {
        lines.push(format!("  cosigned by {}", checked.cosigned_by.join(", ")));
    }
    lines.push(match (&checked.joint, checked.has_joint_signature) {
        _ if !checked.is_description_current => {
            "  not final: its witnesses are those of an earlier description of the currency; get a new proof with `opencoin key show`"
                .to_owned()
        }
        (Some(group), true) => format!(
            "  final: it has the joint signature ({group}) of auditors who have replayed the log up to there"
        ),
        (Some(group), false) => {
            format!("  not final: the joint signature ({group}) of the auditors is missing")
        }
        (None, _) => "  final: the currency asks for no joint signature of auditors".to_owned(),
    });
    lines.push(format!(
        "This rests on the master key {} of {}. Compare the id with the one that the operator publishes.",
        checked.master_key,
        quoted(&checked.currency)
    ));
    lines
}
