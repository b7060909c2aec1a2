//! `opencoin key watch`: what a key account pays and receives.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use opencoin_log::key_account::{CreditSource, Payee};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::WalletSecretArgs;
use opencoin_text::IssuerUrl;
use opencoin_wallet::storage::StorageError;
use opencoin_wallet::{EntryKind, FollowedKey, HttpTransport, KeyEntry, KeyInfo, Secret, WalletError};
use serde_json::{Value, json};

use super::super::wallet::{Session, open_over, quoted, with_passphrase};
use super::{KeySession, unit_of, words};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::network_args::NetworkArgs;
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

/// The wallet and the key that are watched. The wallet is opened for each look and closed again, so that other commands can
/// use it meanwhile.
pub(super) struct Watched {
    pub(super) dir: PathBuf,
    pub(super) flag: String,
    pub(super) transport: Arc<HttpTransport>,
    pub(super) network: NetworkArgs,
    pub(super) secret: WalletSecretArgs,
    pub(super) currency: Option<String>,
    pub(super) key: Option<String>,
    pub(super) output: OutputArgs,
}

/// What was shown so far.
#[derive(Default)]
struct Shown {
    /// Entries that are not final yet.
    open: Vec<KeyEntry>,
    /// The last problem, which is not repeated.
    problem: String,
}

pub(super) async fn run(arguments: &Arguments, watched: &Watched) -> Result<ExitCode> {
    let stopped = service::stop_signal()?;
    tokio::pin!(stopped);
    let passphrase = watched.passphrase()?;
    let mut shown = Shown::default();
    loop {
        let looked = tokio::select! {
            looked = watched.look(arguments, passphrase.as_ref(), &mut shown) => looked,
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
        };
        let has_more = match looked {
            Ok(has_more) => {
                shown.problem.clear();
                has_more
            }
            Err(error) if !arguments.once && is_temporary(&error) => {
                let problem = output::error_text(&error);
                if problem != shown.problem {
                    output::complain(&format!("note: {problem}"));
                }
                shown.problem = problem;
                false
            }
            Err(error) => return Err(error),
        };
        if has_more {
            continue;
        }
        if arguments.once {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// Whether a later look may succeed: the log does not answer, or another command uses the wallet for a moment.
fn is_temporary(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<WalletError>() {
        Some(WalletError::Log(problem)) => problem.is_temporary(),
        Some(WalletError::Storage(StorageError::InUse(_))) => true,
        _ => false,
    }
}

impl Watched {
    /// The passphrase of the wallet, if it is encrypted. Asked for once.
    fn passphrase(&self) -> Result<Option<Secret>> {
        let used = RefCell::new(None);
        let opened = with_passphrase(&self.secret, |passphrase| {
            *used.borrow_mut() = passphrase.cloned();
            open_over(&self.dir, Arc::clone(&self.transport), passphrase)
        });
        match opened {
            Err(error) if !is_temporary(&error) => Err(error),
            Ok(_) | Err(_) => Ok(used.into_inner()),
        }
    }

    /// Shows what is new. Returns whether there is more.
    async fn look(
        &self,
        arguments: &Arguments,
        passphrase: Option<&Secret>,
        shown: &mut Shown,
    ) -> Result<bool> {
        let wallet = open_over(&self.dir, Arc::clone(&self.transport), passphrase)?;
        let from = arguments.from.as_ref().map(IssuerUrl::as_str);
        let mut keys = KeySession {
            session: Session {
                wallet,
                dir: self.dir.clone(),
                flag: self.flag.clone(),
                currency: self.currency.clone(),
                network: self.network.clone(),
                output: self.output,
            },
            key: self.key.clone(),
        };
        let looked = keys.look(from, shown).await;
        looked.map_err(|error| match is_temporary(&error) {
            true => error,
            false => keys.explain(error),
        })
    }
}

impl KeySession {
    async fn look(&mut self, from: Option<&str>, shown: &mut Shown) -> Result<bool> {
        let info = self.chosen()?;
        let followed = self.session.wallet.follow_key(&info.key, from).await?;
        self.show_followed(&info, &followed, &mut shown.open)?;
        self.session.wallet.key_followed(&info.key, &followed)?;
        Ok(followed.has_more)
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
