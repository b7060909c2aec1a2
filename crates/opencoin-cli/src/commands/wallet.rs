//! `opencoin wallet`: thin on top of the wallet library.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args, Subcommand};
use opencoin_keys::{Clock, SystemClock};
use opencoin_schema::{AnyDocument, CoinStack, text};
use opencoin_text::{AmountText, IssuerUrl, printable};
use opencoin_wallet::account::StoredSession;
use opencoin_wallet::{
    Authorities, Balance, Bearer, Done, HttpTransport, NotRepresentable, Recouped, Wallet, WalletError,
};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use super::account::connection;
use super::inspect::read_document;
use crate::currency_unit::CurrencyUnit;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::output::OutputArgs;
use crate::progress::ProgressBar;
use crate::token_args::TokenArgs;
use crate::wallet_dir_args::WalletDirArgs;
use crate::{failure, output};

/// Below this a mint is done before a progress bar could be read.
const PROGRESS_AMOUNT_MIN: u64 = 100;

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
    Resume,
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
    let mut session = Session {
        wallet: open(&dir, &network.authorities()?)?,
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
            Command::Resume => self.resume().await,
            Command::Reclaim { id, all: _ } => self.reclaim(id).await,
            Command::Recoup { sent } => self.recoup(sent).await,
        }
    }

    async fn add(&mut self, url: &IssuerUrl) -> Result<()> {
        warn_if_exposed(url, "change what the issuer says of itself");
        let added = self.wallet.add(url.as_str()).await?;
        let name = printable(&added.name);
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
        minted?;
        self.show_amount(&chosen, units, "minted")
    }

    async fn receive(&mut self, file: &Path) -> Result<()> {
        let stack = read_stack(file)?;
        let units = self.wallet.receive(&stack).await?;
        let issuer = stack.coins.first().map(|coin| coin.payload.issuer_id.to_string());
        let received = self.wallet.balance_of(issuer.as_deref())?;
        self.output.show(
            json!({ "amount": units, "currency": received.name, "id": received.currency, "subject": stack.subject }),
            [format!("received {}: {}", unit(&received).show(units), quoted(&stack.subject))],
        )
    }

    async fn redeem(&mut self, amount: &AmountText, token: &TokenArgs) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        let bearer = self.bearer(token)?;
        let done = self.wallet.redeem(Some(&chosen.currency), units, bearer).await?;
        self.show_amount(&chosen, units, "redeemed")?;
        warn(&done);
        Ok(())
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

    async fn resume(&mut self) -> Result<()> {
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

    async fn reclaim(&mut self, id: Option<u64>) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = self.wallet.reclaim(id).await?;
        self.show_amount(&chosen, units, "took back")
    }

    async fn recoup(&mut self, sent: bool) -> Result<()> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let done = self.wallet.recoup(Some(&chosen.currency), sent).await?;
        let show = |amount| unit(&chosen).show(amount);
        let Recouped {
            value,
            sent,
            unprovable,
        } = done.value;
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
        warn(&done);
        Ok(())
    }

    async fn send(&mut self, amount: &AmountText, subject: &str, out: Option<&Path>) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        // Before coins are taken out: can the file be made?
        let mut file = match out {
            Some(path) => Some(
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
                    .with_context(|| format!("cannot make {}; no coins were taken", path.display()))?,
            ),
            None => None,
        };
        let sent = self.wallet.send(Some(&chosen.currency), units, subject).await;
        if let (Err(_), Some(path)) = (&sent, out) {
            // The empty file says nothing.
            let _ = std::fs::remove_file(path);
        }
        let done = sent?;
        let (stack, coins) = (text::compact(&done.value), done.value.coins.len());
        let take_back = || {
            format!(
                "take the coins back with `opencoin wallet reclaim ID{}`",
                self.flag
            )
        };
        match &mut file {
            Some(file) => {
                let written = file.write_all(stack.as_bytes()).and_then(|()| file.sync_all());
                written.with_context(|| format!("the file could not be written; {}", take_back()))?;
                let value = json!({
                    "amount": units,
                    "coins": coins,
                    "currency": chosen.name,
                    "id": chosen.currency,
                    "file": out,
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
        warn(&done);
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

    fn show_amount(&self, chosen: &Balance, units: u64, done: &str) -> Result<()> {
        self.output.show(
            json!({ "amount": units, "currency": chosen.name, "id": chosen.currency }),
            [format!("{done} {}", unit(chosen).show(units))],
        )
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
            WalletError::UnknownSend(_) => format!("`opencoin wallet history{flag}` shows the numbers"),
            WalletError::Exchange(_) if self.has_unfinished() => {
                format!("nothing is lost: `opencoin wallet resume{flag}` finishes it")
            }
            _ => return error,
        };
        failure::explained(error, &help)
    }

    fn has_unfinished(&self) -> bool {
        let balances = self.wallet.balances();
        balances
            .iter()
            .any(|balance| balance.pending > balance.awaits_recoup)
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

/// Opens the wallet in this folder, over HTTP.
pub(crate) fn open(dir: &Path, authorities: &Authorities) -> Result<Wallet> {
    let transport = Arc::new(HttpTransport::trusting(authorities)?);
    Ok(Wallet::open(
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
        "id": balance.currency,
        "pending": balance.pending,
        "revoked": balance.revoked,
        "sent": balance.sent,
    })
}

fn balance_lines(balance: &Balance, flag: &str) -> Vec<String> {
    let show = |units| unit(balance).show(units);
    let mut lines = vec![show(balance.balance)];
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
            "  expired: {}; no issuer takes these any more",
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

fn warn<T>(done: &Done<T>) {
    if let Some(error) = &done.warning {
        output::complain(&format!(
            "note: coins could not be changed now, so some amounts may need it later: {error}"
        ));
    }
}

/// Reads a coin stack that somebody has handed over.
pub(crate) fn read_stack(path: &Path) -> Result<CoinStack> {
    match read_document(path)? {
        AnyDocument::CoinStack(stack) => Ok(stack),
        other => bail!(
            "{} is a {:?}, not a coin stack",
            path.display(),
            other.type_name()
        ),
    }
}
