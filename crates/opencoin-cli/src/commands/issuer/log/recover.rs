//! `opencoin log recover` and `opencoin log recovered`: what restored books get from a copy of the log.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use clap::Args;
use opencoin_issuer::log::copy::LogCopy;
use opencoin_issuer::log::recovery::{self, CopiedLog, RecoveredLog, Trust};
use opencoin_issuer::{
    Books, GuardError, HighWaterMark, OpenedBooks, Operator, StoreMode, accept_state, examine,
};
use opencoin_keys::{Clock, Directory, SystemClock, ledger_time};
use opencoin_ledger::RecoveredEntry;
use opencoin_ledger::journal::Kind;
use opencoin_ledger::{
    AccountId, HISTORY_ID_BYTES, HistoryId, LEASE_HOLDER_BYTES, LogBatchNo, LogStore, OperatorName, Profile,
    RollbackDetected,
};
use opencoin_terminal::output::OutputArgs;
use rand::RngCore;
use rand::rngs::OsRng;
use serde_json::{Value, json};

use crate::commands::issuer;
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// A copy of the log: the URL under which somebody serves it, like `https://mirror.example/log`, or a folder
    /// with its files.
    #[arg(long, value_name = "URL|DIR")]
    from: String,
    /// Go on although this machine has signed, or a witness has seen, a longer log than the copy has. What is missing is lost
    /// for good, and such a witness cosigns no more.
    #[arg(long)]
    although_newer: bool,
    /// Accept a copy whose checkpoint is signed by the log, but not cosigned by the quorum of its witnesses. Whoever has the
    /// key of the log can make such a copy, and get blinds signed that nobody has paid for.
    #[arg(long)]
    without_quorum: bool,
    /// Confirm that these are not the books that were served before, and that they are the right ones.
    #[arg(long)]
    yes_these_are_other_books: bool,
    #[command(flatten)]
    dir: DirArgs,
}

pub(super) async fn recover(arguments: RecoverArguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let currency = directory.currency()?;
    let lock = directory.lock()?;
    let opened = issuer::open_books(&directory, &config, StoreMode::Existing).await?;
    let OpenedBooks { books, history } = &opened;
    check_unused(books.log.as_ref()).await?;
    let trust = Trust {
        although_newer: arguments.although_newer,
        without_quorum: arguments.without_quorum,
    };
    let copy = LogCopy::new(&arguments.from)?;
    let copied = recovery::read(&copy, books, &currency, &directory.log_folder(), trust).await?;
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    let is_set_back = match examine(history.as_ref(), &mark).await {
        Ok(_) => false,
        Err(GuardError::Rollback(other @ RollbackDetected::Other { .. }))
            if !arguments.yes_these_are_other_books =>
        {
            bail!("{other}; if they are the right ones, add --yes-these-are-other-books");
        }
        Err(GuardError::Rollback(_)) => true,
        Err(error) => return Err(error.into()),
    };
    // A recovery that was interrupted at its end has only to be accepted.
    let head = books.log.head().await?;
    let was_recovered = head.is_some_and(|head| head.recovered_to.map(LogBatchNo::next) == Some(head.batch));
    if copied.is_empty() && !(is_set_back && was_recovered) {
        if is_set_back {
            bail!(
                "the copy has nothing that the books lack, but they are older than they were. Look for a newer copy; if there \
                 is none, what was accepted since was not in the log: opencoin issuer accept-restored-state"
            );
        }
        let said = "there is nothing to recover: the books have everything that the copy has";
        return output.show(json!({ "batches": 0 }), [said]);
    }
    let mut id = [0; HISTORY_ID_BYTES];
    OsRng.fill_bytes(&mut id);
    let at = ledger_time(SystemClock.now());
    history.suspend(HistoryId::new(id), at).await?;
    directory.restore_documents(&copied.cddcs, &copied.mkcs, &lock)?;
    let recovered = carry_out(&copied, &opened).await.context(
        "the recovery is not complete, and no server serves these books until it is; run the same command again",
    )?;
    accept_state(history.as_ref(), &mark, at, &mut OsRng).await?;
    let unit = CurrencyUnit::of(currency.current().cdd());
    let (value, lines) = shown(&recovered, &copied, &unit, &directory);
    output.show(value, lines)
}

async fn carry_out(copied: &CopiedLog, opened: &OpenedBooks) -> Result<RecoveredLog> {
    let recovered = recovery::carry_out(copied, &opened.books, &SystemClock).await?;
    let operator = Operator::new(
        opened.books.clone(),
        Arc::new(SystemClock),
        OperatorName::command_line(),
    );
    operator.finish_prunes().await?;
    Ok(recovered)
}

/// Checks that no server seals. From the first change on, none serves these books.
async fn check_unused(log: &dyn LogStore) -> Result<()> {
    let mut holder = [0; LEASE_HOLDER_BYTES];
    OsRng.fill_bytes(&mut holder);
    let now = ledger_time(SystemClock.now());
    if !log.take_lease(holder, now, now).await? {
        bail!("a server uses these books, or did a moment ago: stop it, and try again in a few seconds");
    }
    Ok(())
}

fn shown(
    recovered: &RecoveredLog,
    copied: &CopiedLog,
    unit: &CurrencyUnit,
    directory: &Directory,
) -> (Value, Vec<String>) {
    let booked = &recovered.booked;
    let dir = directory.root().display();
    let accounts = i64::try_from(recovered.accounts).unwrap_or_default();
    let mut lines = vec![
        match recovered.batches {
            1 => "recovered one batch of the log".to_owned(),
            batches => format!("recovered {batches} batches of the log"),
        },
        format!(
            "blinds that were accepted: {}; signed again when their wallets ask",
            booked.issued
        ),
        format!("coins that came back: {}; they stay spent", booked.spent),
    ];
    if booked.recouped > 0 {
        lines.push(format!("coins that were recouped: {}", booked.recouped));
    }
    if booked.introduced > 0 {
        lines.push(format!("keys that got an account: {}", booked.introduced));
    }
    if booked.key_payments > 0 {
        lines.push(format!(
            "payments by key: {}; they stay paid",
            booked.key_payments
        ));
    }
    if booked.mint_keys > 0 {
        lines.push(format!(
            "mint keys that were registered: {}; their private halves must be here, or their holders' blinds are not signed",
            booked.mint_keys
        ));
    }
    for cddc in &copied.cddcs {
        lines.push(format!(
            "written: the description with serial {}",
            cddc.cdd.cdd_serial
        ));
    }
    for mkc in &copied.mkcs {
        lines.push(format!(
            "written: the certificate of mint key {}",
            mkc.mint_key.id
        ));
    }
    lines.extend([
        format!(
            "paid in: {}, paid out: {}",
            unit.show(booked.paid_in),
            unit.show(booked.paid_out)
        ),
        format!(
            "the money in accounts of holders has changed by {} {} in the lost time; the log does not say whose it is",
            unit.signed(accounts),
            unit.name
        ),
    ]);
    let settled = &recovered.settled;
    if settled.waiting_mints > 0 {
        lines.push(format!(
            "mints that waited for money and are carried out: {}",
            settled.waiting_mints
        ));
    }
    if settled.shortfall > 0 {
        lines.push(format!(
            "accounts owe {}, which the issuer bears until you debit them",
            unit.show(settled.shortfall)
        ));
    }
    let last = copied.last_batch_s().and_then(|time| i64::try_from(time).ok());
    if let Some(last) = last.and_then(|time| DateTime::from_timestamp(time, 0)) {
        lines.push(format!(
            "lost: what was accepted after {}; coins that were spent after it can be spent again",
            utc(last)
        ));
    }
    lines.extend([
        "lost: new accounts of holders, their payments, payouts, passwords and sessions since the backup".to_owned(),
        format!("next, before you start a server: \"When the books were restored\" in docs/LOG.md; opencoin log recovered --dir {dir}"),
    ]);
    let value = json!({
        "batches": recovered.batches,
        "issued": booked.issued,
        "spent": booked.spent,
        "recouped": booked.recouped,
        "introduced": booked.introduced,
        "key_payments": booked.key_payments,
        "mint_keys": booked.mint_keys,
        "paid_in": booked.paid_in,
        "paid_out": booked.paid_out,
        "accounts": accounts,
        "waiting_mints": settled.waiting_mints,
        "shortfall": settled.shortfall,
    });
    (value, lines)
}

pub(super) async fn recovered(dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (_, currency, books) = super::open(dir).await?;
    let unit = CurrencyUnit::of(currency.current().cdd());
    let head = books.log.head().await?;
    let recovered_to = head.and_then(|head| head.recovered_to);
    let Some(last) = recovered_to else {
        let said = "nothing was recovered from a copy of the log";
        return output.show(json!({ "unassigned": 0, "entries": [] }), [said]);
    };
    let entries = books.log.recovered_entries().await?;
    let keys = books.ledger.mint_keys().await?;
    let value: HashMap<i32, u64> = keys
        .iter()
        .map(|key| (key.no.get(), key.terms.denomination().units()))
        .collect();
    // The payment of a key is in the log, so a mint that it paid for costs it nothing again.
    let worth = |entry: &RecoveredEntry| -> u64 {
        if entry.account.is_none_or(AccountId::is_key_account) {
            return 0;
        }
        let signed = entry.signed_again.iter();
        signed
            .map(|(no, count)| value.get(&no.get()).copied().unwrap_or_default() * u64::from(*count))
            .sum()
    };
    let names = names(&books, &entries).await?;
    let name = |account: Option<AccountId>| {
        let known = account.and_then(|account| names.get(&account));
        known.map_or("an account that is gone", String::as_str)
    };
    let unassigned: i64 = entries.iter().map(|entry| entry.received).sum();
    let mut lines = vec![format!("batches of the log up to {} were recovered", last.get())];
    let mut shown = Vec::new();
    let borne: i64 = entries
        .iter()
        .filter(|entry| entry.kind == Kind::BearShortfall)
        .map(|entry| entry.received)
        .sum();
    if borne > 0 {
        let borne = unit.show(borne.unsigned_abs());
        lines.push(format!(
            "borne by the issuer, because accounts owed it after the recovery: {borne}"
        ));
    }
    let is_of_account = |entry: &&RecoveredEntry| entry.account.is_some();
    for entry in entries.iter().filter(is_of_account) {
        let (name, paid) = (name(entry.account), entry.received);
        let due = worth(entry).saturating_sub(paid.unsigned_abs());
        let line = match entry.kind {
            Kind::MintAgain if due > 0 => format!(
                "{name}: a mint was signed again; the account paid {} and did not hold the other {}",
                unit.number(paid.unsigned_abs()),
                unit.number(due)
            ),
            Kind::MintAgain if entry.account.is_some_and(AccountId::is_key_account) => {
                format!("{name}: a mint was signed again; the key has paid for it, as the log says")
            }
            Kind::MintAgain => {
                format!(
                    "{name}: a mint was signed again; the account paid {}",
                    unit.number(paid.unsigned_abs())
                )
            }
            _ if paid < 0 => format!("{name}: got {}", unit.number(paid.unsigned_abs())),
            _ => format!("{name}: gave {}", unit.number(paid.unsigned_abs())),
        };
        lines.push(line);
        let due = if entry.kind == Kind::MintAgain { due } else { 0 };
        shown.push(json!({ "account": name, "received": -paid, "due": due }));
    }
    lines.push(format!("not assigned: {} {}", unit.signed(unassigned), unit.name));
    output.show(
        json!({ "unassigned": unassigned, "borne": borne, "entries": shown }),
        lines,
    )
}

/// The names of the accounts in these entries, as far as they exist.
async fn names(books: &Books, entries: &[RecoveredEntry]) -> Result<HashMap<AccountId, String>> {
    let accounts: BTreeSet<AccountId> = entries.iter().filter_map(|entry| entry.account).collect();
    let mut names = HashMap::new();
    for account in accounts {
        if let Some(Profile { account, .. }) = books.accounts.profile_by_id(account).await? {
            names.insert(account.id, account.name.as_str().to_owned());
        }
    }
    Ok(names)
}
