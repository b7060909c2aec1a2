//! `opencoin wallet`: thin on top of the wallet library.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args, Subcommand};
use opencoin_keys::{Clock, SystemClock};
use opencoin_schema::{AnyDocument, CoinStack, text};
use opencoin_terminal::output;
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::progress::ProgressBar;
use opencoin_text::{AmountText, IssuerUrl, printable};
use opencoin_wallet::account::StoredSession;
use opencoin_wallet::{
    Authorities, Balance, Bearer, ExchangeError, HistoryEntry, HttpTransport, NotRepresentable, Recouped,
    Wallet, WalletError,
};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use super::account::connection;
use super::inspect::read_file;
use crate::currency_unit::CurrencyUnit;
use crate::failure;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::token_args::TokenArgs;
use crate::wallet_dir_args::WalletDirArgs;

/// Below this a mint is done before a progress bar could be read.
const PROGRESS_AMOUNT_MIN: u64 = 100;
/// How long a command goes on after its result was shown, to renew and change coins.
const TIDY_DURATION_MAX: Duration = Duration::from_secs(10);
/// How the time of an expiry is shown.
const DAY: &str = "%Y-%m-%d";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    dir: WalletDirArgs,
    /// Which currency, by name or id; needed when the wallet holds several.
    #[arg(long, global = true)]
    currency: Option<String>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add the currency of an issuer, or update its documents. The first `add` makes the wallet.
    ///
    /// The wallet trusts the issuer's master key from then on: compare the id with what the operator publishes
    /// elsewhere.
    Add {
        /// The URL of the issuer, for example `https://issuer.example`.
        url: IssuerUrl,
    },
    /// Mint coins, paid for by an account.
    Mint {
        /// How much, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Take coins out, to be handed over as a file. Who can read the file can spend them.
    Send {
        /// How much, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        /// A message to the receiver.
        #[arg(long, default_value = "")]
        subject: String,
        /// The file to make. Default: stdout.
        #[arg(long, value_name = "F.oc")]
        out: Option<PathBuf>,
    },
    /// Take the coins of a file: verify them and renew them at once, so that nobody else can spend them.
    Receive {
        /// The file; `-` reads stdin.
        #[arg(value_name = "F.oc")]
        file: PathBuf,
    },
    /// Turn coins into money of an account.
    Redeem {
        /// How much, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Show what the wallet holds.
    Balance,
    /// Show what the wallet has done.
    History,
    /// Finish everything that was begun: after a crash, a lost answer, a delay.
    ///
    /// The wallet keeps no account token: a mint or a redeem that is not finished needs it again, or the session
    /// of the same holder.
    Resume {
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Give up a request that `resume` cannot finish, and take its coins back.
    ///
    /// The coins are renewed, so that the old request can no longer spend them. If it has spent them already,
    /// they are gone: for a redeem, the money is on the account.
    Abandon {
        /// The number of the request, from `history`.
        id: u64,
    },
    /// Take back coins that were sent and that their receiver has not taken.
    ///
    /// A receiver who takes the coins later gets nothing, so name the one send that went wrong.
    #[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
    Reclaim {
        /// The number of the send, from `history`.
        id: Option<u64>,
        /// Take back everything that was sent and not taken, gifts on their way among it.
        #[arg(long)]
        all: bool,
    },
    /// Make fresh coins of those whose mint keys the issuer has revoked, because they were stolen. This shows
    /// the issuer where those coins were minted or renewed: which account paid for them, if it was a mint.
    Recoup {
        /// Also coins that were sent and not taken back. Where their receiver has spent them already, nothing
        /// comes back, and the issuer learns that it was you who sent them.
        #[arg(long)]
        sent: bool,
    },
}

/// A wallet and how a command was asked to use it.
struct Session {
    wallet: Wallet,
    dir: PathBuf,
    /// As messages advise it: ` --dir W`, or nothing for the wallet that everybody has.
    flag: String,
    currency: Option<String>,
    output: OutputArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        command,
        dir,
        currency,
        network,
        output,
    } = arguments;
    let (flag, dir) = (dir.flag(), dir.path()?);
    if !matches!(command, Command::Add { .. }) && !Wallet::is_in(&dir) {
        let text = format!(
            "there is no wallet in {}; `opencoin wallet add URL{flag}` makes one",
            dir.display()
        );
        return Err(failure::not_found(text));
    }
    let wallet = match command {
        // Nothing but looking: also on a disk that cannot be written, and while another command is at work.
        Command::Balance | Command::History => {
            Wallet::open_to_read(&dir, Arc::new(|| SystemClock.now()), Box::new(OsRng))?
        }
        _ => open(&dir, &network.authorities()?)?,
    };
    if let Some(file) = wallet.exposed_file() {
        output::complain(&format!(
            "note: others than you can read {}, and so spend what is in it; `chmod 600` mends that",
            file.display()
        ));
    }
    let mut session = Session {
        wallet,
        dir,
        flag,
        currency,
        output,
    };
    let done = session.run(command).await;
    done.map_err(|error| session.explain(error))?;
    Ok(ExitCode::SUCCESS)
}

impl Session {
    async fn run(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Add { url } => self.add(&url).await,
            Command::Mint { amount, token } => self.mint(&amount, &token).await,
            Command::Send { amount, subject, out } => self.send(&amount, &subject, out.as_deref()).await,
            Command::Receive { file } => self.receive(&file).await,
            Command::Redeem { amount, token } => self.redeem(&amount, &token).await,
            Command::Balance => self.balance(),
            Command::History => self.history(),
            Command::Resume { token } => self.resume(&token).await,
            Command::Abandon { id } => self.abandon(id).await,
            Command::Reclaim { id, all: _ } => self.reclaim(id).await,
            Command::Recoup { sent } => self.recoup(sent).await,
        }
    }

    async fn add(&mut self, url: &IssuerUrl) -> Result<()> {
        warn_if_exposed(url, "change what the issuer says of itself");
        let added = self.wallet.add(url.as_str()).await?;
        let name = printable(&added.name);
        if let Some(at) = added.description_expired_at {
            output::complain(&format!(
                "note: the issuer's description of the currency expired on {}; ask the operator for a new one",
                at.format(DAY)
            ));
        }
        self.output.show(
            json!({ "currency": added.name, "id": added.currency, "url": url.as_str() }),
            [
                format!("added {name}, id {}", added.currency),
                "compare the id with what the operator publishes elsewhere".to_owned(),
            ],
        )
    }

    async fn mint(&mut self, amount: &AmountText, token: &TokenArgs) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        let bearer = self.bearer(token)?;
        let bar = (units >= PROGRESS_AMOUNT_MIN).then(|| ProgressBar::new("blinding coins"));
        let mut progress = |done, total| bar.iter().for_each(|bar| bar.set(done, total));
        let before = held(&self.wallet);
        let minted = self
            .wallet
            .mint(Some(&chosen.currency), units, bearer, &mut progress)
            .await;
        drop(bar);
        // Less than before where the wallet has learned meanwhile that coins were revoked.
        let part = held(&self.wallet).saturating_sub(before);
        if minted.is_err() && part > 0 {
            // A large mint is several requests.
            output::complain(&format!("note: {} of it were minted", unit(&chosen).show(part)));
        }
        let id = minted?;
        self.show_amount(&chosen, units, "minted", Some(id))?;
        self.tidy(Tidy::Expiring).await;
        Ok(())
    }

    async fn receive(&mut self, file: &Path) -> Result<()> {
        let stack = read_stack(file)?;
        let received = self.wallet.receive(&stack).await?;
        let currency = self.wallet.balance_of(Some(&received.currency))?;
        let left_out = received.left_out.iter().map(|left_out| {
            json!({
                "coin": left_out.index,
                "denomination": left_out.denomination,
                "reason": left_out.fault.to_string(),
            })
        });
        self.output.show(
            json!({
                "amount": received.amount,
                "currency": currency.name,
                "id": received.currency,
                "left_out": left_out.collect::<Value>(),
                "subject": stack.subject,
            }),
            [format!(
                "received {}: {}",
                unit(&currency).show(received.amount),
                quoted(&stack.subject)
            )],
        )?;
        self.tidy(Tidy::All).await;
        if received.left_out.is_empty() {
            return Ok(());
        }
        let count = counted(received.left_out.len(), "coin");
        let reasons: BTreeSet<String> = received
            .left_out
            .iter()
            .map(|left_out| left_out.fault.to_string())
            .collect();
        let reasons: Vec<String> = reasons.into_iter().collect();
        Err(failure::refused(format!(
            "{count} of the stack could not be taken: {}",
            printable(&reasons.join("; "))
        )))
    }

    async fn redeem(&mut self, amount: &AmountText, token: &TokenArgs) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        let bearer = self.bearer(token)?;
        let id = self.wallet.redeem(Some(&chosen.currency), units, bearer).await?;
        self.show_amount(&chosen, units, "redeemed", Some(id))?;
        self.tidy(Tidy::Expiring).await;
        Ok(())
    }

    /// Renews and changes coins, when the result of the command was shown.
    async fn tidy(&mut self, what: Tidy) {
        let tidied = async {
            match what {
                Tidy::All => self.wallet.tidy().await,
                Tidy::Expiring => self.wallet.renew_expiring().await,
            }
        };
        let error = match tokio::time::timeout(TIDY_DURATION_MAX, tidied).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the issuer takes too long".to_owned(),
        };
        output::complain(&format!(
            "note: coins could not be changed now, so some amounts may need it later: {error}"
        ));
    }

    fn history(&self) -> Result<()> {
        let entries = self.wallet.history();
        let value = entries.iter().map(|entry| {
            json!({
                "id": entry.id,
                "at": entry.at,
                "kind": entry.kind,
                "amount": entry.amount.units(),
                "currency": entry.currency,
                "subject": entry.subject,
                "state": entry.state,
            })
        });
        let lines = entries.iter().map(|entry| {
            let at = entry.at.format("%Y-%m-%d %H:%M:%S");
            let subject = match entry.subject.as_str() {
                "" => String::new(),
                subject => format!("  {}", quoted(subject)),
            };
            let (id, kind, amount, state) = (entry.id, entry.kind, &entry.amount, printable(&entry.state));
            format!("{id:>4}  {at}  {kind:<8} {amount}  {state}{subject}")
        });
        self.output.show(value.collect(), lines)
    }

    async fn resume(&mut self, token: &TokenArgs) -> Result<()> {
        if let Some(token) = token.given()? {
            self.wallet.use_token(token);
        }
        match StoredSession::read(&self.dir) {
            Ok(Some(session)) => self.wallet.use_session(session),
            Ok(None) => {}
            // Some requests need no session, and the others say that they need one.
            Err(error) => output::complain(&format!("note: the session cannot be read: {error}")),
        }
        let done = self.wallet.resume().await?;
        let lines = [format!("finished {}", counted(done.value, "request"))];
        self.output.show(json!({ "finished": done.value }), lines)?;
        done.warning.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn abandon(&mut self, id: u64) -> Result<()> {
        let find = |entry: &HistoryEntry| entry.id == id;
        let entry = self.wallet.history().into_iter().find(find);
        let done = self.wallet.abandon(id).await?;
        let currency = entry.map(|entry| entry.currency);
        let chosen = self.wallet.balance_of(currency.as_deref())?;
        let show = |units| unit(&chosen).show(units);
        let mut lines = Vec::new();
        if done.is_finished {
            lines.push(format!("number {id} had been carried out; it is finished now"));
        } else {
            lines.push(format!(
                "abandoned number {id}, took back {}",
                show(done.returned)
            ));
            if done.spent > 0 {
                lines.push(format!(
                    "  gone: {}, spent before; if number {id} was a redeem, look at the account",
                    show(done.spent)
                ));
            }
        }
        self.output.show(
            json!({
                "amount": done.returned,
                "currency": chosen.name,
                "finished": done.is_finished,
                "id": chosen.currency,
                "spent": done.spent,
            }),
            lines,
        )?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    async fn reclaim(&mut self, id: Option<u64>) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = self.wallet.reclaim(id).await?;
        self.show_amount(&chosen, units, "took back", None)?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    async fn recoup(&mut self, sent: bool) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let done = self.wallet.recoup(Some(&chosen.currency), sent).await?;
        let show = |amount| unit(&chosen).show(amount);
        let Recouped {
            value,
            sent,
            unprovable,
        } = done;
        let mut lines = vec![format!("recouped {}", show(value))];
        if sent > 0 {
            let left = show(sent);
            lines.push(format!(
                "  left alone: {left} that were sent; see `opencoin wallet recoup --help`"
            ));
        }
        if unprovable > 0 {
            lines.push(format!(
                "  not possible for {}: an older version of the wallet kept no proof of where they come from",
                show(unprovable)
            ));
        }
        self.output.show(
            json!({
                "amount": value,
                "currency": chosen.name,
                "id": chosen.currency,
                "sent": sent,
                "unprovable": unprovable,
            }),
            lines,
        )?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    async fn send(&mut self, amount: &AmountText, subject: &str, out: Option<&Path>) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        // Before coins are taken out: can the file be made?
        let file = match out {
            Some(path) => Some(
                NewFile::create(path)
                    .with_context(|| format!("cannot make {}; no coins were taken", path.display()))?,
            ),
            None => None,
        };
        let sent = self.wallet.send(Some(&chosen.currency), units, subject).await?;
        let (stack, coins, id) = (text::compact(&sent.stack), sent.stack.coins.len(), sent.id);
        let take_back = || {
            format!(
                "take the coins back with `opencoin wallet reclaim {id}{}`",
                self.flag
            )
        };
        match file {
            Some(file) => {
                file.finish(stack.as_bytes())
                    .with_context(|| format!("the file could not be written; {}", take_back()))?;
                let value = json!({
                    "amount": units,
                    "coins": coins,
                    "currency": chosen.name,
                    "id": chosen.currency,
                    "file": out,
                    "send": id,
                });
                let lines = [format!(
                    "sent {} in {}",
                    unit(&chosen).show(units),
                    counted(coins, "coin")
                )];
                self.output.show(value, lines)?;
            }
            None => output::once(output::line(&stack)).with_context(take_back)?,
        }
        self.tidy(Tidy::All).await;
        Ok(())
    }

    fn balance(&self) -> Result<()> {
        let balances = match &self.currency {
            Some(currency) => vec![self.wallet.balance_of(Some(currency))?],
            None => self.wallet.balances(),
        };
        if balances.is_empty() {
            return Err(WalletError::NoCurrency.into());
        }
        let mut values: Vec<Value> = balances.iter().map(balance_json).collect();
        // One currency is the usual case and is one object.
        let value = if values.len() == 1 {
            values.remove(0)
        } else {
            Value::Array(values)
        };
        self.output.show(
            value,
            balances
                .iter()
                .flat_map(|balance| balance_lines(balance, &self.flag)),
        )
    }

    fn show_amount(&self, chosen: &Balance, units: u64, done: &str, request: Option<u64>) -> Result<()> {
        let mut value = json!({ "amount": units, "currency": chosen.name, "id": chosen.currency });
        if let Some(request) = request {
            value["request"] = request.into();
        }
        self.output
            .show(value, [format!("{done} {}", unit(chosen).show(units))])
    }

    /// The currency that is meant, and the amount in its smallest unit.
    fn amount(&self, amount: &AmountText) -> Result<(Balance, u64)> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = unit(&chosen).read(amount)?;
        Ok((chosen, units))
    }

    /// Whose account pays or is paid: that of the token that was given, or of the session in the wallet's
    /// folder.
    fn bearer(&self, token: &TokenArgs) -> Result<Bearer> {
        let url = self.wallet.currency_url(self.currency.as_deref())?;
        if let Ok(url) = url.parse() {
            warn_if_exposed(&url, "read the account's token");
        }
        match token.given()? {
            Some(token) => Ok(Bearer::from(&token)),
            None => Ok(Bearer::from(&connection::session_for_wallet(
                &self.dir, &self.flag, url,
            )?)),
        }
    }

    /// The error with amounts in the currency, and with the command that helps.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(wallet_error) = error.downcast_ref::<WalletError>() else {
            return error;
        };
        let flag = &self.flag;
        if let Ok(chosen) = self.wallet.balance_of(self.currency.as_deref())
            && let Some(text) = amounts_text(wallet_error, &unit(&chosen))
        {
            return failure::refused(text);
        }
        let help = match wallet_error {
            WalletError::NoCurrency | WalletError::UnknownCurrency { .. } => {
                format!("`opencoin wallet add URL{flag}` adds a currency")
            }
            WalletError::UnknownSend(_) | WalletError::UnknownOperation(_) | WalletError::NotPending(_) => {
                format!("`opencoin wallet history{flag}` shows the numbers")
            }
            WalletError::Exchange(ExchangeError::Recoup) => {
                format!("`opencoin wallet recoup{flag}` makes fresh coins of it")
            }
            WalletError::Exchange(ExchangeError::Refused { word, .. })
                if word == "key-revoked" && self.holds_revoked() =>
            {
                format!("`opencoin wallet recoup{flag}` makes fresh coins of those that were revoked")
            }
            WalletError::Exchange(_) if self.has_unfinished() => {
                format!(
                    "nothing is lost: `opencoin wallet resume{flag}` finishes it, or `opencoin wallet abandon \
                     NUMBER{flag}` gives it up"
                )
            }
            _ => return error,
        };
        failure::explained(error, &help)
    }

    fn has_unfinished(&self) -> bool {
        self.wallet.has_unfinished()
    }

    fn holds_revoked(&self) -> bool {
        self.wallet.balances().iter().any(|balance| balance.revoked > 0)
    }
}

/// Which coins are renewed after a command.
enum Tidy {
    All,
    /// Only those that would be lost otherwise.
    Expiring,
}

/// A file that is there whole or not at all, whenever the program ends.
struct NewFile {
    path: PathBuf,
    /// Beside it: what a program that was ended leaves is empty.
    unfinished: PathBuf,
    file: File,
}

impl NewFile {
    /// Makes sure that the file can be made.
    fn create(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(opencoin_private_files::FILE_MODE);
        Ok(Self {
            path: path.to_owned(),
            file: options.open(&unfinished)?,
            unfinished,
        })
    }

    /// Writes it, and puts it in its place when it is on the disk. Never over another file.
    fn finish(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        fs::hard_link(&self.unfinished, &self.path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            // A file system without links.
            _ => fs::rename(&self.unfinished, &self.path),
        })?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already where it was renamed.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// What the library says in the smallest unit, in the currency.
fn amounts_text(error: &WalletError, unit: &CurrencyUnit) -> Option<String> {
    let show = |units: &u64| unit.show(*units);
    Some(match error {
        WalletError::InsufficientFunds { balance, needed } => {
            format!(
                "the wallet holds {}, and this takes {}",
                show(balance),
                show(needed)
            )
        }
        WalletError::AccountTooLow { balance, needed } => {
            format!(
                "the account holds {}, and this takes {}; nothing was done",
                show(balance),
                show(needed)
            )
        }
        WalletError::SpentElsewhere(amount) => format!(
            "coins of this wallet worth {} were spent before, by a copy of the wallet perhaps. They were dropped, \
             and nothing else was done: the same command works with the coins that are left",
            show(amount)
        ),
        WalletError::NoExactCoins(amount) => format!(
            "the coins at hand do not make {} exactly, and could not be changed into others now",
            show(amount)
        ),
        WalletError::NoMintKey(value) => {
            format!(
                "the issuer has no mint key that signs coins of {} now",
                show(value)
            )
        }
        WalletError::NotRepresentable(NotRepresentable {
            amount,
            denominations,
            nearest,
        }) => {
            let list = |values: &[u64]| values.iter().map(show).collect::<Vec<_>>().join(", ");
            let (amount, coins, nearest) = (show(amount), list(denominations), list(nearest));
            format!("{amount} cannot be made of coins of {coins}; the nearest that can: {nearest}")
        }
        _ => return None,
    })
}

/// Opens the wallet in this folder, or makes it, over HTTP.
pub(crate) fn open(dir: &Path, authorities: &Authorities) -> Result<Wallet> {
    let transport = Arc::new(HttpTransport::trusting(authorities)?);
    Ok(Wallet::create(
        dir,
        transport,
        Arc::new(|| SystemClock.now()),
        Box::new(OsRng),
    )?)
}

fn balance_json(balance: &Balance) -> Value {
    json!({
        "balance": balance.balance,
        "currency": balance.name,
        "expired": balance.expired,
        "expires_at": balance.expires_at,
        "id": balance.currency,
        "pending": balance.pending,
        "revoked": balance.revoked,
        "sent": balance.sent,
    })
}

fn balance_lines(balance: &Balance, flag: &str) -> Vec<String> {
    let show = |units| unit(balance).show(units);
    let mut lines = vec![show(balance.balance)];
    if let Some(at) = balance.expires_at {
        lines.push(format!(
            "  the first coins expire on {}; any command that asks the issuer renews them in time",
            at.format(DAY)
        ));
    }
    let resumable = balance.pending - balance.awaits_recoup;
    if resumable > 0 {
        lines.push(format!(
            "  not finished: {}; `opencoin wallet resume{flag}`",
            show(resumable)
        ));
    }
    let recoupable = balance.revoked + balance.awaits_recoup;
    if recoupable > 0 {
        let amount = show(recoupable);
        lines.push(format!(
            "  revoked: {amount}; `opencoin wallet recoup{flag}` makes fresh coins of them"
        ));
    }
    if balance.expired > 0 {
        lines.push(format!(
            "  expired, by the clock of this machine: {}; no issuer takes these any more",
            show(balance.expired)
        ));
    }
    if balance.sent > 0 {
        lines.push(format!(
            "  sent: {}, if nobody has taken it yet; `opencoin wallet reclaim ID{flag}` takes a send back",
            show(balance.sent)
        ));
    }
    lines
}

fn held(wallet: &Wallet) -> u64 {
    wallet.balances().iter().map(|balance| balance.balance).sum()
}

fn unit(balance: &Balance) -> CurrencyUnit {
    CurrencyUnit {
        name: balance.name.clone(),
        divisor: balance.divisor,
    }
}

/// A text of somebody else between quotation marks.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// `1 request`, `2 requests`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Reads a coin stack that somebody has handed over: JSON in UTF-8 or UTF-16, whatever a mail program has put
/// after it.
pub(crate) fn read_stack(path: &Path) -> Result<CoinStack> {
    let bytes = read_file(path)?;
    let json = stack_text(&bytes).with_context(|| format!("{} is not text", path.display()))?;
    let document = AnyDocument::from_json(json.as_bytes());
    match document.with_context(|| format!("{} is not a valid document", path.display()))? {
        AnyDocument::CoinStack(stack) => Ok(stack),
        other => bail!(
            "{} is a {:?}, not a coin stack",
            path.display(),
            other.type_name()
        ),
    }
}

/// The JSON object in a text, without a byte order mark and without what stands before and after it.
fn stack_text(bytes: &[u8]) -> Result<String> {
    let utf_16 = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| read([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => utf_16(u16::from_le_bytes)?,
        [0xfe, 0xff, ..] => utf_16(u16::from_be_bytes)?,
        _ => String::from_utf8(bytes.to_vec())?,
    };
    // A stack is one object; a subject may contain braces, but the last one closes the object unless text with
    // braces follows it.
    Ok(match (text.find('{'), text.rfind('}')) {
        (Some(begin), Some(end)) if begin < end => text[begin..=end].to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_found_whatever_a_program_has_made_of_its_file() {
        let json = r#"{"type": "coinstack", "subject": "caf\u00e9 {1}", "coins": []}"#;
        let utf_16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            let units = [mark].into_iter().chain(json.encode_utf16());
            units.flat_map(bytes).collect::<Vec<u8>>()
        };
        for file in [
            json.as_bytes().to_vec(),
            format!("\u{feff}{json}\r\n").into_bytes(),
            format!("Here they are:\n\n{json}\n-- \nAlice, Example Street 1\n").into_bytes(),
            utf_16(0xfeff, u16::to_le_bytes),
            utf_16(0xfeff, u16::to_be_bytes),
        ] {
            assert_eq!(stack_text(&file).unwrap(), json);
        }
        assert!(stack_text(&[0xc3, 0x28]).is_err());
    }

    #[test]
    fn a_new_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gift.oc");
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        drop(NewFile::create(&path).unwrap());
        assert!(names().is_empty(), "nothing is left of a command that failed");
        let file = NewFile::create(&path).unwrap();
        assert!(!path.exists(), "it is not there before it is whole");
        file.finish(b"coins").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names().len()), (b"coins".to_vec(), 1));
        assert!(
            NewFile::create(&path).is_err(),
            "another file is not written over"
        );
    }
}
