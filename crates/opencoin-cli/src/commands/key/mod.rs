//! `opencoin key`: accounts that belong to a key, in the wallet. One file for each command.

mod coins;
mod errors;
mod introduce;
mod list;
mod new;
mod pay;
mod show;
mod verify;
mod watch;
mod words;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::WalletSecretArgs;
use opencoin_wallet::{HttpTransport, KeyInfo, Wallet};

use super::wallet::{Session, open_to_read, open_with, with_passphrase};
use crate::currency_unit::CurrencyUnit;
use crate::failure::{self, DetailArgs};
use crate::network_args::NetworkArgs;
use crate::wallet_dir_args::WalletDirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    dir: WalletDirArgs,
    /// The currency, by name or id. Required if the wallet holds several.
    #[arg(long, global = true)]
    currency: Option<String>,
    /// The key of the wallet, or its first digits. Required if the wallet has several of the currency.
    #[arg(long, value_name = "KEY", global = true)]
    key: Option<String>,
    #[command(flatten)]
    passphrase: WalletSecretArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    _detail: DetailArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key. Who wants to pay it needs nothing else than the key, once it is introduced.
    ///
    /// The key is derived from the wallet's backup phrase, so `opencoin wallet restore` finds it again.
    New(new::Arguments),
    /// Open the account of a key at the issuer, with a proof of work of about a second.
    Introduce(introduce::Arguments),
    /// Pay from a key account to another key, or to an account at the issuer.
    ///
    /// Amount, memo and both keys are public for ever. If no answer comes, or the program is killed, run the same command
    /// again: one payment is made. After the result was shown, the same command makes another payment.
    Pay(pay::Arguments),
    /// Show what a key account holds, as the public log proves it, and how far its payments are.
    ///
    /// The issuer does not learn whose balance is looked at, unless it has more than 100,000 key accounts.
    Show(show::Arguments),
    /// Show what a key account pays and receives until Ctrl-C, from the public log.
    ///
    /// Continues where the last `watch` has ended. A payment is the payee's for good when it is final. Other commands can
    /// use the wallet at the same time.
    Watch(watch::Arguments),
    /// Mint coins and pay for them from a key account.
    Mint(coins::MintArguments),
    /// Redeem coins of the wallet to a key account.
    Redeem(coins::RedeemArguments),
    /// Verify the `.tlog-proof` file of a payment, without any connection: who paid whom how much, whether it is in the
    /// public log, and whether it is final.
    ///
    /// The exit code is 0 for a final payment, 3 for one without the joint signature yet, and 1 if the file proves nothing.
    Verify(verify::Arguments),
    /// List the keys of the wallet, and what was last proven of their accounts.
    List(list::Arguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let command = arguments.command;
    if let Command::Verify(verify) = &command {
        return verify::run(verify, &arguments.dir, &arguments.passphrase, arguments.output);
    }
    let dir = arguments.dir.path()?;
    let flag = arguments.dir.flag();
    if !Wallet::is_in(&dir) {
        return Err(failure::not_found(format!(
            "there is no wallet in {}; `opencoin wallet add URL{flag}` creates one",
            dir.display()
        )));
    }
    if let Command::Watch(watch) = &command {
        let watched = watch::Watched {
            dir,
            flag,
            transport: Arc::new(HttpTransport::new(&arguments.network.network()?)?),
            network: arguments.network,
            secret: arguments.passphrase,
            currency: arguments.currency,
            key: arguments.key,
            output: arguments.output,
        };
        return watch::run(watch, &watched).await;
    }
    let wallet = match command {
        Command::List(_) => open_to_read(&dir, &arguments.passphrase)?,
        _ => with_passphrase(&arguments.passphrase, |passphrase| {
            open_with(&dir, &arguments.network.network()?, passphrase)
        })?,
    };
    let session = Session {
        wallet,
        dir,
        flag,
        currency: arguments.currency,
        network: arguments.network,
        output: arguments.output,
    };
    let mut keys = KeySession {
        session,
        key: arguments.key,
    };
    let done = keys.run(&command).await;
    done.map_err(|error| keys.explain(error))
}

/// An open wallet, and the key that is meant.
struct KeySession {
    session: Session,
    /// Its first digits, as the user gave them.
    key: Option<String>,
}

impl KeySession {
    async fn run(&mut self, command: &Command) -> Result<ExitCode> {
        match command {
            Command::New(arguments) => self.new_key(arguments)?,
            Command::Introduce(arguments) => self.introduce(arguments).await?,
            Command::Pay(arguments) => return self.pay(arguments).await,
            Command::Show(arguments) => self.show(arguments).await?,
            Command::Mint(arguments) => self.mint(arguments).await?,
            Command::Redeem(arguments) => self.redeem(arguments).await?,
            Command::List(arguments) => self.list(arguments)?,
            Command::Verify(_) | Command::Watch(_) => unreachable!("they open the wallet themselves"),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The key that is meant.
    fn chosen(&self) -> Result<KeyInfo> {
        let currency = self.session.currency.as_deref();
        Ok(self.session.wallet.choose_key(currency, self.key.as_deref())?)
    }
}

/// The currency in which the amounts of a key account are.
fn unit_of(info: &KeyInfo) -> CurrencyUnit {
    CurrencyUnit {
        name: info.name.clone(),
        divisor: info.divisor,
    }
}
