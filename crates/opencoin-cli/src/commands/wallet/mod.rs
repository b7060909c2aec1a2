//! `opencoin wallet`, a thin layer over the wallet library. One file for each command.

mod abandon;
mod add;
mod backup;
mod balance;
mod delay;
mod errors;
mod evidence;
mod hand_over;
mod history;
mod live;
mod log;
mod maintain;
mod mint;
mod new_file;
mod pair;
mod passphrase;
mod receipts;
mod receive;
mod reclaim;
mod recoup;
mod redeem;
mod restore;
mod resume;
mod send;
mod session;
mod show_codes;
mod unknown_currency;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::WalletSecretArgs;
use opencoin_text::printable;
use opencoin_wallet::{Secret, Wallet};
use rand::rngs::OsRng;

pub(crate) use self::new_file::NewFile;
pub(crate) use self::session::{Session, Tidy, open, open_over, open_to_read, open_with, with_passphrase};
use crate::failure::{self, DetailArgs};
use crate::network_args::NetworkArgs;
use crate::wallet_dir_args::WalletDirArgs;

/// The format of expiry dates.
const DAY: &str = "%Y-%m-%d";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    dir: WalletDirArgs,
    /// The currency, by name or id. Required if the wallet holds several.
    #[arg(long, global = true)]
    currency: Option<String>,
    /// Use mint keys for once without looking for them in the currency's public log, if the log cannot be read. The
    /// wallet notes it.
    #[arg(long, global = true)]
    without_log_check: bool,
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
    /// Add the currency of an issuer, or update its documents. The first `add` creates the wallet.
    ///
    /// The wallet trusts the issuer's master key from then on: compare the id with the one that the operator publishes
    /// elsewhere.
    Add(add::Arguments),
    /// Connect the wallet with an account, by the link or QR code of the account's page. Mints and redeems need no password then.
    ///
    /// Adds the issuer's currency if the wallet does not know it yet, as `add` does.
    Pair(pair::Arguments),
    /// Mint coins and pay for them from an account.
    Mint(mint::Arguments),
    /// Take coins out of the wallet, to hand them over. Everyone who can read them can spend them.
    Send(send::Arguments),
    /// Receive coins: verify them and renew them at once, so that nobody else can spend them.
    ///
    /// The coins are a file, a line of text that begins with `opencoin`, also in the middle of a mail, or pictures of QR
    /// codes: a PNG, GIF or JPEG file, or a folder of them. The wallet finds out which.
    Receive(receive::Arguments),
    /// Ask somebody for money: shows a payment request, waits for the payer and receives the coins.
    ///
    /// The same command continues an interrupted request.
    Request(live::request::Arguments),
    /// Pay what somebody asks for with `wallet request`.
    ///
    /// The same command continues an interrupted payment.
    Pay(live::pay::Arguments),
    /// Show the receipts of live transfers: what was paid and received, with proofs.
    Receipts(receipts::Arguments),
    /// Redeem coins: the money goes to an account.
    Redeem(redeem::Arguments),
    /// Show the balance of the wallet.
    Balance(balance::Arguments),
    /// Show the operations of the wallet.
    History(history::Arguments),
    /// Finish all pending operations, after a crash, a lost answer or a delay.
    ///
    /// The wallet stores no account token: to finish a mint or a redeem, give the token again or log in to the same
    /// account.
    Resume(resume::Arguments),
    /// Look after the wallet: renew coins before they expire, finish what is pending, learn of revoked mint keys. For a
    /// timer.
    ///
    /// Prints nothing if there was nothing to do. Never takes back what was sent. The exit code is 3 if it should be tried
    /// again later, because the issuer does not answer or another command uses the wallet, and 1 if a person should look.
    Maintain(maintain::Arguments),
    /// Give up a request that `resume` cannot finish, and take its coins back.
    ///
    /// The coins are renewed, so that the old request can no longer spend them. If it has already spent them, they are
    /// gone: for a redeem, the money is on the account.
    Abandon(abandon::Arguments),
    /// Take back coins that were sent and that their receiver has not received.
    ///
    /// A receiver who is late gets nothing, so name the one send that failed.
    Reclaim(reclaim::Arguments),
    /// Exchange coins of stolen mint keys, which the issuer has revoked, for fresh ones. This shows the issuer where
    /// those coins were minted or renewed: for a mint, which account paid for them.
    Recoup(recoup::Arguments),
    /// Show the backup phrase, from which the coins and keys can be restored if the wallet is lost.
    ///
    /// A wallet of an earlier version gets its phrase now: its coins are renewed. What others gave you is covered as soon
    /// as it is received; sent coins are not.
    Backup(backup::Arguments),
    /// Restore the coins and keys of a lost wallet from its backup phrase, into a new folder.
    ///
    /// It asks the issuers for every request of the lost wallet, and renews the coins. Coins that the lost wallet had sent
    /// and that nobody has received come back too, those of short codes excepted. The issuers learn which requests belonged to one wallet.
    Restore(restore::Arguments),
    /// Encrypt the wallet's file with a passphrase, or change the passphrase.
    Passphrase(passphrase::Arguments),
    /// Check the currency's public log: whether it continues what this wallet has seen, and whether the issuer has kept
    /// its promises to enter what this wallet minted, renewed and redeemed.
    ///
    /// Nothing that is asked for names a coin. The exit code is 1 if anything is or was wrong.
    Log(log::Arguments),
    /// Write what this wallet can prove about faults of an issuer's public log. `opencoin evidence` checks such files.
    Evidence(evidence::Arguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let command = arguments.command;
    let (flag, dir) = (arguments.dir.flag(), arguments.dir.path()?);
    if !matches!(command, Command::Add(_) | Command::Pair(_) | Command::Restore(_)) && !Wallet::is_in(&dir) {
        let text = format!(
            "there is no wallet in {}; `opencoin wallet add URL{flag}` creates one",
            dir.display()
        );
        return Err(failure::not_found(text));
    }
    if let Command::Receive(receive) = &command {
        receive.wait(&mut OsRng).await?;
    }
    let mut wallet = match command {
        // Reading works on a read-only disk and while another command is running.
        Command::Balance(_) | Command::History(_) | Command::Evidence(_) | Command::Receipts(_) => {
            open_to_read(&dir, &arguments.passphrase)?
        }
        Command::Add(add::Arguments { encrypt: true, .. })
        | Command::Pair(pair::Arguments { encrypt: true, .. })
        | Command::Restore(restore::Arguments { encrypt: true, .. }) => {
            if Wallet::is_in(&dir) {
                return Err(failure::usage(format!(
                    "there is a wallet in {} already; `opencoin wallet passphrase{flag}` encrypts it",
                    dir.display()
                )));
            }
            let new = arguments.passphrase.new_passphrase()?;
            open_with(
                &dir,
                &arguments.network.network()?,
                Some(&Secret::new(new.text().as_str())),
            )?
        }
        _ => with_passphrase(&arguments.passphrase, |passphrase| {
            open_with(&dir, &arguments.network.network()?, passphrase)
        })?,
    };
    if let Some(file) = wallet.exposed_file() {
        output::complain(&format!(
            "note: other users can read {0} and spend the coins in it: run `chmod 600 {0}`",
            file.display()
        ));
    }
    if arguments.without_log_check {
        wallet.without_log_check();
    }
    let mut session = Session {
        wallet,
        dir,
        flag,
        currency: arguments.currency,
        network: arguments.network,
        output: arguments.output,
    };
    let done = session.run(command).await;
    done.map_err(|error| session.explain(error))?;
    Ok(ExitCode::SUCCESS)
}

impl Session {
    async fn run(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Add(arguments) => self.add(&arguments).await,
            Command::Pair(arguments) => self.pair(&arguments).await,
            Command::Mint(arguments) => self.mint(&arguments).await,
            Command::Send(arguments) => self.send(&arguments).await,
            Command::Receive(arguments) => self.receive(&arguments).await,
            Command::Request(arguments) => self.request(&arguments).await,
            Command::Pay(arguments) => self.pay(&arguments).await,
            Command::Receipts(arguments) => self.receipts(&arguments),
            Command::Redeem(arguments) => self.redeem(&arguments).await,
            Command::Balance(arguments) => self.balance(&arguments),
            Command::History(arguments) => self.history(&arguments),
            Command::Resume(arguments) => self.resume(&arguments).await,
            Command::Maintain(arguments) => self.maintain(&arguments).await,
            Command::Abandon(arguments) => self.abandon(&arguments).await,
            Command::Reclaim(arguments) => self.reclaim(&arguments).await,
            Command::Recoup(arguments) => self.recoup(&arguments).await,
            Command::Backup(arguments) => self.backup(&arguments).await,
            Command::Restore(arguments) => self.restore(&arguments).await,
            Command::Passphrase(arguments) => self.passphrase(&arguments),
            Command::Log(arguments) => self.log(&arguments).await,
            Command::Evidence(arguments) => self.evidence(&arguments),
        }
    }
}

/// An untrusted text in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// `1 request`, `2 requests`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
