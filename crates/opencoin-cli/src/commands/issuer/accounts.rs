//! `opencoin issuer account`: accounts, at the books themselves, whether or not a server runs.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use opencoin_issuer::{Cashier, NewPassword};
use opencoin_keys::{Directory, SystemClock};
use opencoin_ledger::{AccountName, Amount, Applied, Reference};
use opencoin_text::AmountDisplay;
use rand::rngs::OsRng;

use super::{DirArgs, Purpose};
use crate::secret_args::NewPasswordArgs;
use crate::{amount_args, output};

/// Accounts that are read at one time.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account and show its token, once.
    Create {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
        /// Write {"account": ..., "token": ...}.
        #[arg(long)]
        json: bool,
    },
    /// Credit a payment that came in. The same reference credits once.
    Credit(PaymentArguments),
    /// Take out a payment that went out. The same reference debits once.
    Debit(PaymentArguments),
    /// Show an account's balance.
    Show {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
        /// Write {"account": ..., "balance": ...}.
        #[arg(long)]
        json: bool,
    },
    /// Show all accounts with their balances, by name.
    List {
        #[command(flatten)]
        dir: DirArgs,
        /// Write [{"account": ..., "balance": ..., "listed": ...}, ...].
        #[arg(long)]
        json: bool,
    },
    /// Set the password with which the holder logs in. Every session that a password has opened ends.
    Password {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        new: NewPasswordArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PaymentArguments {
    /// The name of the account.
    name: AccountName,
    /// How much, in the smallest unit.
    #[arg(value_parser = amount_args::parse)]
    amount: u64,
    /// What the payment is known by, for example a line of a bank statement.
    #[arg(long)]
    reference: Reference,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(command: AccountCommand) -> Result<ExitCode> {
    match command {
        AccountCommand::Create { name, dir, json } => create(&name, dir, json).await?,
        AccountCommand::Credit(arguments) => credit(arguments).await?,
        AccountCommand::Debit(arguments) => debit(arguments).await?,
        AccountCommand::Show { name, dir, json } => show(&name, dir, json).await?,
        AccountCommand::List { dir, json } => list(dir, json).await?,
        AccountCommand::Password { name, new, dir } => {
            let password = NewPassword::new(new.read()?.text())?;
            open(dir, Purpose::Change)
                .await?
                .0
                .set_password(&name, password)
                .await?;
            output::line(&format!(
                "the password of {name} is set; sessions of the account have ended"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(name: &AccountName, dir: DirArgs, json: bool) -> Result<()> {
    let token = open(dir, Purpose::Change)
        .await?
        .0
        .open_account(name, None)
        .await?;
    if json {
        return output::json(&serde_json::json!({ "account": name.as_str(), "token": token.expose() }));
    }
    output::line(&format!("account: {name}"))?;
    output::line(&format!("token: {}", token.expose()))?;
    output::line("this is the only time that the token is shown")
}

async fn credit(arguments: PaymentArguments) -> Result<()> {
    let PaymentArguments {
        name,
        amount,
        reference,
        dir,
    } = arguments;
    let (cashier, directory) = open(dir, Purpose::Change).await?;
    let applied = cashier.credit(&name, Amount::new(amount)?, reference).await?;
    let done = done(applied, "credited", "to");
    said(&cashier, &directory, &done, &name, amount).await
}

async fn debit(arguments: PaymentArguments) -> Result<()> {
    let PaymentArguments {
        name,
        amount,
        reference,
        dir,
    } = arguments;
    let (cashier, directory) = open(dir, Purpose::Change).await?;
    let applied = cashier.debit(&name, Amount::new(amount)?, reference).await?;
    let done = done(applied, "debited", "from");
    said(&cashier, &directory, &done, &name, amount).await
}

/// What happened, and between which words the amount stands.
fn done(applied: Applied, what: &str, preposition: &str) -> [String; 2] {
    let beginning = if applied.repeated {
        format!("was {what} before with this reference: nothing changed;")
    } else {
        what.to_owned()
    };
    [beginning, preposition.to_owned()]
}

async fn said(
    cashier: &Cashier,
    directory: &Directory,
    done: &[String; 2],
    name: &AccountName,
    amount: u64,
) -> Result<()> {
    let shown = display(directory, amount)?;
    let balance = display(directory, cashier.account(name).await?.account.balance.units())?;
    let [beginning, preposition] = done;
    output::line(&format!(
        "{beginning} {shown} {preposition} {name}; balance {balance}"
    ))
}

async fn show(name: &AccountName, dir: DirArgs, json: bool) -> Result<()> {
    let (cashier, directory) = open(dir, Purpose::Look).await?;
    let balance = cashier.account(name).await?.account.balance.units();
    if json {
        return output::json(&serde_json::json!({ "account": name.as_str(), "balance": balance }));
    }
    output::line(&format!("{name}: {}", display(&directory, balance)?))
}

async fn list(dir: DirArgs, json: bool) -> Result<()> {
    let (cashier, directory) = open(dir, Purpose::Look).await?;
    let mut accounts = Vec::new();
    loop {
        let after = accounts
            .last()
            .map(|last: &opencoin_ledger::Profile| last.account.name.clone());
        let page = cashier.accounts(after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        accounts.extend(page);
        if is_last {
            break;
        }
    }
    if json {
        let shown = |profile: &opencoin_ledger::Profile| {
            let (name, balance) = (profile.account.name.as_str(), profile.account.balance.units());
            serde_json::json!({ "account": name, "balance": balance, "listed": profile.listed })
        };
        return output::json(&accounts.iter().map(shown).collect::<Vec<_>>());
    }
    for profile in accounts {
        output::line(&format!(
            "{}: {}",
            profile.account.name,
            display(&directory, profile.account.balance.units())?
        ))?;
    }
    Ok(())
}

pub(super) async fn open(dir: DirArgs, purpose: Purpose) -> Result<(Cashier, Directory)> {
    let directory = dir.directory()?;
    let books = super::books(&directory, purpose).await?;
    Ok((
        Cashier::new(books, Arc::new(SystemClock), Box::new(OsRng)),
        directory,
    ))
}

pub(super) fn display(directory: &Directory, amount: u64) -> Result<String> {
    let currency = directory.currency().context("the certificates do not verify")?;
    let cdd = currency.current().cdd();
    Ok(AmountDisplay::new(amount, cdd.currency_divisor, &cdd.currency_name).to_string())
}
