//! `opencoin account` and `opencoin service`: use an account at an issuer over HTTP. A thin layer over the wallet
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
    /// Log in with the account's password. The session is stored in the wallet's folder until it ends.
    Login(login::LoginArguments),
    /// End the session, at the issuer and here.
    Logout(login::LogoutArguments),
    /// Change the password. All other sessions of the account end.
    Password(login::PasswordArguments),
    /// Show name, balance, the newest entries, and payments without an answer.
    Show,
    /// Show the balance.
    Balance,
    /// Show the entries of the account, newest first.
    History(view::HistoryArguments),
    /// Show new entries until Ctrl-C. Reconnects to a restarted server and shows every entry exactly once.
    Watch(view::WatchArguments),
    /// Show the accounts that are listed in the directory.
    Directory,
    /// Choose whether the directory lists this account.
    ListMe(view::ListMeArguments),
    /// Pay to another account.
    ///
    /// If no answer comes, or the program is killed, run the same command again: the issuer pays once. After the result
    /// was shown, an identical command makes a new payment.
    Pay(money::PayArguments),
    /// Request a payout: the operator pays money out of the currency.
    ///
    /// The money leaves the account at once. If no answer comes, run the same command again: the payout is requested
    /// once.
    Payout(money::PayoutArguments),
    /// Show the payouts of the account and their states.
    Payouts(money::PayoutsArguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let holder = arguments.holder;
    match arguments.command {
        Command::Login(login) => login::log_in(&holder, &login).await?,
        Command::Logout(logout) => login::log_out(&holder, &logout).await?,
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
