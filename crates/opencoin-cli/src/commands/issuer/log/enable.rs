//! `opencoin log enable`: a log for a currency that was created without one.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_issuer::{Books, StoreMode, open_audit_source};
use opencoin_keys::{
    CddChange, CertifiedMintKey, Clock, Currency, Directory, LogKeys, SystemClock, describe_log, ledger_time,
    log_origin,
};
use opencoin_ledger::log::DeclaredBooks;
use opencoin_ledger::{Command, LogTotals};
use opencoin_log::log_block::LogBlock;
use opencoin_terminal::output::{OutputArgs, complain};
use opencoin_terminal::secret_args::{LogSecretArgs, MasterSecretArgs};
use rand::rngs::OsRng;
use serde_json::json;

use super::keys;
use crate::commands::issuer;
use crate::cosigner_args::CosignerArgs;

#[derive(Debug, Args)]
pub(crate) struct EnableArguments {
    #[command(flatten)]
    cosigners: CosignerArgs,
    #[command(flatten)]
    store: keys::KeyStoreArgs,
    #[command(flatten)]
    log_secret: LogSecretArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

pub(super) async fn enable(arguments: EnableArguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.store.directory()?;
    let is_described = directory.currency()?.log().is_some();
    // Without the master key on this machine, the new description is signed and imported first.
    if !is_described && !describe(&arguments, &directory, output).await? {
        complain("after the import, stop all servers and run this command again");
        return Ok(());
    }
    let currency = directory.currency()?;
    let block = currency.log().context("the new description names the log")?;
    let config = directory.config()?;
    let books = issuer::books_to_change(&directory, &config, StoreMode::Existing).await?;
    let is_open = books.log.head().await?.is_some();
    if !is_open {
        open(&directory, &currency, &books).await?;
    }
    let said = if is_open {
        "the log is open already"
    } else {
        "the log is open"
    };
    let key = super::log_key(block);
    output.show(
        json!({ "opened": !is_open, "key": key }),
        [
            said.to_owned(),
            format!("key {key}"),
            "start the servers: no mint key signs until the log is published, with a quorum of its witnesses if it has some"
                .to_owned(),
        ],
    )
}

/// Makes the keys of the log, and names them in the next description of the currency. Returns whether that is signed.
async fn describe(arguments: &EnableArguments, directory: &Directory, output: OutputArgs) -> Result<bool> {
    let cosigners = arguments.cosigners.read()?;
    let passphrase = arguments.log_secret.passphrase(arguments.store.secrets())?;
    let change = |currency: &Currency| {
        let url = currency.current().cdd().mint_service.first();
        let url = &url
            .context("the description of the currency names no mint service")?
            .1;
        let (folder, origin) = (directory.log_folder(), log_origin(url)?);
        // A run that was interrupted may have made them.
        let keys = if LogKeys::are_in(&folder) {
            LogKeys::open(&folder, &origin, &passphrase)?
        } else {
            LogKeys::create(&folder, &origin, &passphrase, &mut OsRng)?
        };
        let block: LogBlock = describe_log(&keys, url, &cosigners)?;
        Ok(CddChange {
            log: Some(block),
            ..CddChange::default()
        })
    };
    keys::describe_quietly(&arguments.store, &arguments.master, change, output).await
}

/// Opens the log with the totals and counts of the books. The ledger refuses it if they change meanwhile.
async fn open(directory: &Directory, currency: &Currency, books: &Books) -> Result<()> {
    let config = directory.config()?;
    let source = open_audit_source(&config.database, directory.root()).await?;
    let facts = source.audit_facts().await?;
    let in_accounts: i128 = facts.accounts.iter().map(|account| account.balance).sum();
    let totals = LogTotals {
        accounts: in_accounts + facts.unsettled_payouts,
        key_accounts: 0, // they need a log
        paid_in: facts.paid_in,
        paid_out: facts.paid_out,
        recouped: facts.recouped,
    };
    let entries = facts
        .accounts
        .iter()
        .map(|account| i128::from(account.last_entry))
        .sum();
    let certificate = |key: &CertifiedMintKey| (key.ledger_id, key.verified.mkc().clone());
    let has_money = facts.paid_in > 0;
    let command = Command::OpenLog {
        certificates: currency.mint_keys().map(certificate).collect(),
        declared: has_money.then_some(DeclaredBooks { totals, entries }),
        at: ledger_time(SystemClock.now()),
    };
    for outcome in books.ledger.apply(&[command]).await? {
        outcome?;
    }
    Ok(())
}
