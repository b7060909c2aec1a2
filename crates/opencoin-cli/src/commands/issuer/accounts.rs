//! `opencoin issuer account`: manages accounts directly in the books, whether or not a server runs.

mod holders;

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use opencoin_issuer::{Asked, Cashier, NewPassword, SecondPersonLimit, Token};
use opencoin_keys::{Directory, SystemClock};
use opencoin_ledger::recovered::AssignmentWay;
use opencoin_ledger::{AccountName, AccountStatus, Amount, OperatorName, Profile, ProfileFilter, Reference};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::NewPasswordArgs;
use opencoin_text::AmountText;
use rand::rngs::OsRng;
use serde_json::json;

use super::pages::{PAGE, all_pages};
use super::{Purpose, proposals};
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account and show its token, or a start code for its holder, once.
    Create {
        /// The name of the account.
        name: AccountName,
        /// Issue a code with which the holder sets a password, in place of a token.
        #[arg(long)]
        start_code: bool,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Credit an incoming payment to an account, by its name or by the key that it belongs to. Each reference is credited
    /// once. An amount above the limit waits for a second operator.
    Credit(PaymentArguments),
    /// Debit an outgoing payment from an account. Each reference is debited once. An amount above the limit waits for a
    /// second operator.
    Debit(PaymentArguments),
    /// Show an account's balance.
    Show {
        /// The name of the account, or the key that it belongs to.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show all accounts of holders with their balances, by name.
    List {
        /// Show the accounts that belong to keys instead, as the public log has them at its last batch.
        #[arg(long, conflicts_with = "frozen")]
        keys: bool,
        /// Show frozen accounts only.
        #[arg(long)]
        frozen: bool,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Replace the token of an account and show the new one, once. The old token becomes invalid.
    Token {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Issue a code with which the holder of an account sets a password, and show it, once. The code before it ends.
    StartCode(ChangeArguments),
    /// Freeze an account: its holder and their services move no money and no coins, and can read. Transfers to it arrive.
    Freeze(ReasonArguments),
    /// Open a frozen account again.
    Thaw(ReasonArguments),
    /// Close an empty account for good: its token, password, services and start code end, and its name is never used
    /// again.
    Close(ReasonArguments),
    /// Show the entries of an account, the newest first.
    Entries(EntriesArguments),
    /// Show the services that may act for an account.
    Services {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Remove a service of an account. Its sessions end at once.
    RemoveService {
        /// The name of the account.
        name: AccountName,
        /// The id of the service, as `opencoin issuer account services` shows it.
        id: String,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Set the password of an account. All sessions that were opened with a password end.
    Password {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        new: NewPasswordArgs,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChangeArguments {
    /// The name of the account.
    name: AccountName,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReasonArguments {
    /// Why, for the record of actions.
    #[arg(long)]
    reason: Reference,
    #[command(flatten)]
    change: ChangeArguments,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EntriesArguments {
    /// The name of the account.
    name: AccountName,
    /// Begin below this number.
    #[arg(long, value_name = "N")]
    before: Option<u32>,
    /// The most entries to show.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PaymentArguments {
    /// The name of the account.
    name: AccountName,
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// A unique reference of the payment, for example a line of a bank statement.
    #[arg(long)]
    reference: Reference,
    /// Assign money that was recovered from the public log after a loss of data, instead of a payment from or to the
    /// outside: `opencoin log recovered` shows it.
    #[arg(long)]
    recovered: bool,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(command: AccountCommand, output: OutputArgs) -> Result<()> {
    match command {
        AccountCommand::Create {
            name,
            start_code: true,
            by,
            dir,
        } => holders::create(&name, &by.name(), dir, output).await,
        AccountCommand::Create { name, by, dir, .. } => create(&name, &by.name(), dir, output).await,
        AccountCommand::StartCode(change) => holders::issue_start_code(change, output).await,
        AccountCommand::Freeze(arguments) => {
            holders::set_status(arguments, AccountStatus::Frozen, output).await
        }
        AccountCommand::Thaw(arguments) => holders::set_status(arguments, AccountStatus::Open, output).await,
        AccountCommand::Close(arguments) => {
            holders::set_status(arguments, AccountStatus::Closed, output).await
        }
        AccountCommand::Entries(arguments) => holders::entries(arguments, output).await,
        AccountCommand::Services { name, dir } => holders::services(&name, dir, output).await,
        AccountCommand::RemoveService { name, id, by, dir } => {
            let (cashier, _) = open(dir, Purpose::Change).await?;
            cashier.acting(&by.name()).remove_service(&name, &id).await?;
            let said = format!("the service {id} of {name} is removed; its sessions have ended");
            output.show(
                json!({ "account": name.as_str(), "service": id, "removed": true }),
                [said],
            )
        }
        AccountCommand::Credit(arguments) => pay(arguments, Direction::In, output).await,
        AccountCommand::Debit(arguments) => pay(arguments, Direction::Out, output).await,
        AccountCommand::Show { name, dir } => show(&name, dir, output).await,
        AccountCommand::List { keys: true, dir, .. } => list_keys(dir, output).await,
        AccountCommand::List { frozen, dir, .. } => list(frozen, dir, output).await,
        AccountCommand::Token { name, by, dir } => {
            let (cashier, _) = open(dir, Purpose::Change).await?;
            let token = cashier.acting(&by.name()).replace_token(&name).await?;
            show_token(&name, &token, output)
        }
        AccountCommand::Password { name, new, by, dir } => {
            let password = NewPassword::new(new.read()?.text())?;
            let (cashier, _) = open(dir, Purpose::Change).await?;
            cashier.acting(&by.name()).set_password(&name, password).await?;
            let said = format!("the password of {name} is set; the sessions of the account have ended");
            output.show(json!({ "account": name.as_str(), "password_set": true }), [said])
        }
    }
}

async fn create(name: &AccountName, by: &OperatorName, dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (cashier, _) = open(dir, Purpose::Change).await?;
    let token = cashier.acting(by).open_account(name, None).await?;
    show_token(name, &token, output)
}

fn show_token(name: &AccountName, token: &Token, output: OutputArgs) -> Result<()> {
    output.show_once(
        json!({ "account": name.as_str(), "token": token.expose() }),
        [
            format!("account: {name}"),
            format!("token: {}", token.expose()),
            "this is the only time that the token is shown".to_owned(),
        ],
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

async fn pay(arguments: PaymentArguments, direction: Direction, output: OutputArgs) -> Result<()> {
    let (name, reference) = (arguments.name, arguments.reference);
    let (cashier, directory) = open(arguments.dir, Purpose::Change).await?;
    let unit = super::unit(&directory)?;
    let units = unit.read(&arguments.amount)?;
    let amount = Amount::new(units)?;
    let (done, preposition, way) = match direction {
        Direction::In => ("credited", "to", AssignmentWay::ToAccount),
        Direction::Out => ("debited", "from", AssignmentWay::FromAccount),
    };
    let by = arguments.by.name();
    let acting = cashier.acting(&by);
    let asked = if arguments.recovered {
        acting.assign_recovered(&name, amount, way, reference).await?
    } else {
        match direction {
            Direction::In => acting.credit(&name, amount, reference).await?,
            Direction::Out => acting.debit(&name, amount, reference).await?,
        }
    };
    let applied = match asked {
        Asked::Done(applied) => applied,
        Asked::Waits(waiting) => return proposals::show_waiting(*waiting, &unit, output),
    };
    let balance = cashier.account(&name).await?.account.balance.units();
    let done = if applied.repeated {
        format!("was {done} before with this reference: nothing changed;")
    } else {
        done.to_owned()
    };
    let shown = unit.show(units);
    output.show(
        json!({ "account": name.as_str(), "amount": units, "balance": balance, "repeated": applied.repeated }),
        [format!("{done} {shown} {preposition} {name}; balance {}", unit.show(balance))],
    )
}

async fn show(name: &AccountName, dir: DirArgs, output: OutputArgs) -> Result<()> {
    let directory = dir.directory()?;
    let books = super::books(&directory, Purpose::Look).await?;
    let unit = super::unit(&directory)?;
    let key = match name.key() {
        Some(key) => books.accounts.key_account(&key).await?,
        None => None,
    };
    if let Some(account) = key {
        let (balance, seq) = (account.balance.units(), account.seq);
        return output.show(
            json!({ "account": name.as_str(), "balance": balance, "seq": seq, "credits": account.credits }),
            [format!("{name}: {}, {seq} payments", unit.show(balance))],
        );
    }
    let limit = SecondPersonLimit::OFF; // it only looks
    let cashier = Cashier::new(books, Arc::new(SystemClock), Box::new(OsRng), limit);
    let account = cashier.account(name).await?.account;
    let (balance, status) = (account.balance.units(), holders::word(account.status));
    output.show(
        json!({ "account": name.as_str(), "balance": balance, "status": status }),
        [format!(
            "{name}: {}{}",
            unit.show(balance),
            holders::remark(account.status)
        )],
    )
}

async fn list(only_frozen: bool, dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (cashier, directory) = open(dir, Purpose::Look).await?;
    let filter = if only_frozen {
        ProfileFilter::Frozen
    } else {
        ProfileFilter::All
    };
    let page = async |last: Option<&Profile>| {
        let after = last.map(|last| &last.account.name);
        cashier.accounts(filter, after, PAGE).await
    };
    let accounts = all_pages(page).await?;
    let unit = super::unit(&directory)?;
    let value = accounts.iter().map(|Profile { account, listed, .. }| {
        let status = holders::word(account.status);
        json!({
            "account": account.name.as_str(),
            "balance": account.balance.units(),
            "listed": listed,
            "status": status,
        })
    });
    let lines = accounts.iter().map(|Profile { account, .. }| {
        let (balance, remark) = (
            unit.show(account.balance.units()),
            holders::remark(account.status),
        );
        format!("{}: {balance}{remark}", account.name)
    });
    output.show(value.collect(), lines)
}

async fn list_keys(dir: DirArgs, output: OutputArgs) -> Result<()> {
    let directory = dir.directory()?;
    let books = super::books(&directory, Purpose::Look).await?;
    let logged = books.log.key_accounts().await?;
    let logged = logged.context("this currency has no public log, so no account belongs to a key")?;
    let unit = super::unit(&directory)?;
    let accounts = || logged.ledger.accounts();
    let value = accounts().map(|(key, account)| {
        json!({ "key": key.to_string(), "balance": account.balance, "seq": account.seq, "credits": account.credits })
    });
    let lines = accounts()
        .map(|(key, account)| format!("{key}: {}, {} payments", unit.show(account.balance), account.seq));
    output.show(value.collect(), lines)
}

pub(super) async fn open(dir: DirArgs, purpose: Purpose) -> Result<(Cashier, Directory)> {
    let directory = dir.directory()?;
    let books = super::books(&directory, purpose).await?;
    let limit = super::second_person(&directory.config()?, &super::unit(&directory)?)?;
    let cashier = Cashier::new(books, Arc::new(SystemClock), Box::new(OsRng), limit);
    Ok((cashier, directory))
}
