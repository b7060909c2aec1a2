//! `opencoin account` and `opencoin service`: an account at an issuer, over HTTP. Thin on top of the wallet
//! library.

pub(super) mod connection;
mod login;
mod money;
pub(crate) mod service;
mod view;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use connection::HolderArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    holder: HolderArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in with the account's password. The session is kept in the wallet's folder, until it ends.
    Login(login::LoginArguments),
    /// End the session, at the issuer and here.
    Logout,
    /// Choose another password. All other sessions of the account end.
    Password(login::PasswordArguments),
    /// Show name, balance, the newest entries, and payments whose answer was never seen.
    Show,
    /// Show the balance alone.
    Balance,
    /// Show what has moved the account's money, newest first.
    History(view::HistoryArguments),
    /// Show entries as they come, until Ctrl-C. A server that goes away is waited for; nothing is missed or
    /// shown twice.
    Watch(view::WatchArguments),
    /// Show the accounts that chose to be listed.
    Directory,
    /// Choose whether the account stands in the directory.
    ListMe(view::ListMeArguments),
    /// Pay to another account.
    ///
    /// If no answer comes, or this program dies, run the same command again: the issuer pays once. An
    /// identical second payment is a new one as soon as the first one's result was shown.
    Pay(money::PayArguments),
    /// Have money paid out of the currency, by the operator.
    ///
    /// The money leaves the account at once. If no answer comes, run the same command again: it is asked for
    /// once.
    Payout(money::PayoutArguments),
    /// Show the payouts of the account and what came of them.
    Payouts(money::PayoutsArguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let holder = arguments.holder;
    match arguments.command {
        Command::Login(login) => login::log_in(&holder, &login).await?,
        Command::Logout => login::log_out(&holder).await?,
        Command::Password(password) => login::change_password(&holder, &password).await?,
        Command::Show => view::show(&holder).await?,
        Command::Balance => view::balance(&holder).await?,
        Command::History(history) => view::history(&holder, &history).await?,
        Command::Watch(watch) => view::watch(&holder, &watch).await?,
        Command::Directory => view::directory(&holder).await?,
        Command::ListMe(choice) => view::list_me(&holder, &choice).await?,
        Command::Pay(pay) => money::transfer(&holder, pay).await?,
        Command::Payout(payout) => money::payout(&holder, payout).await?,
        Command::Payouts(payouts) => money::payouts(&holder, &payouts).await?,
    }
    Ok(ExitCode::SUCCESS)
}
