//! `opencoin wallet`: thin on top of the wallet library.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use opencoin_keys::{Clock, SystemClock};
use opencoin_schema::{AnyDocument, CoinStack, text};
use opencoin_text::AmountDisplay;
use opencoin_wallet::account::StoredSession;
use opencoin_wallet::{Authorities, Balance, Bearer, Done, HttpTransport, Wallet, WalletError};
use rand::rngs::OsRng;

use super::account::connection;
use super::inspect::read_document;
use crate::network_args::NetworkArgs;
use crate::progress::ProgressBar;
use crate::token_args::TokenArgs;
use crate::{amount_args, output};

/// Below this a mint is done before a progress bar could be read.
const PROGRESS_AMOUNT_MIN: u64 = 100;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The folder of the wallet; a new one is made.
    #[arg(long, value_name = "W", env = "OPENCOIN_WALLET_DIR", global = true)]
    dir: Option<PathBuf>,
    /// Which currency, by name or id; needed when the wallet holds several.
    #[arg(long, global = true)]
    currency: Option<String>,
    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add the currency of an issuer, or bring its documents up to date. You trust its master key from then
    /// on.
    Add {
        /// Where the issuer is, for example http://127.0.0.1:8080.
        url: String,
    },
    /// Mint coins, paid for by an account.
    Mint {
        /// How much, in the smallest unit.
        #[arg(value_parser = amount_args::parse)]
        amount: u64,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Take coins out, to be handed over as a file. Who can read the file can spend them.
    Send {
        /// How much, in the smallest unit.
        #[arg(value_parser = amount_args::parse)]
        amount: u64,
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
        /// How much, in the smallest unit.
        #[arg(value_parser = amount_args::parse)]
        amount: u64,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Show what the wallet holds.
    Balance {
        /// Write {"balance": ..., "currency": ..., "expired": ..., "id": ..., "pending": ..., "revoked": ...,
        /// "sent": ...}, or a list of these for several currencies.
        #[arg(long)]
        json: bool,
    },
    /// Show what the wallet has done.
    History,
    /// Finish everything that was begun: after a crash, a lost answer, a delay.
    Resume,
    /// Take back coins that were sent and that their receiver has not renewed.
    Reclaim {
        /// The number of a send, from `history`. Default: all.
        id: Option<u64>,
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

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let dir = arguments
        .dir
        .context("say which wallet: --dir W, or OPENCOIN_WALLET_DIR in the environment")?;
    let mut wallet = open(&dir, &arguments.network.authorities()?)?;
    let currency = arguments.currency.as_deref();
    match arguments.command {
        Command::Add { url } => {
            let added = wallet.add(&url).await?;
            output::line(&format!("added {}, id {}", added.name, added.currency))?;
            output::line("compare the id with what the operator publishes elsewhere")?;
        }
        Command::Mint { amount, token } => {
            let bearer = bearer(&wallet, &dir, currency, &token)?;
            mint(&mut wallet, currency, amount, bearer).await?;
        }
        Command::Send { amount, subject, out } => {
            send(&mut wallet, currency, amount, &subject, out.as_deref()).await?
        }
        Command::Receive { file } => {
            let stack = read_stack(&file)?;
            let amount = wallet.receive(&stack).await?;
            let shown = in_currency(
                &wallet,
                amount,
                Some(&stack.coins[0].payload.issuer_id.to_string()),
            );
            output::line(&format!("received {shown}: {:?}", stack.subject))?;
        }
        Command::Redeem { amount, token } => {
            let bearer = bearer(&wallet, &dir, currency, &token)?;
            let done = wallet.redeem(currency, amount, bearer).await?;
            output::line(&format!("redeemed {}", in_currency(&wallet, amount, currency)))?;
            warn(&done);
        }
        Command::Balance { json } => show_balances(&wallet.balances(), json)?,
        Command::History => {
            for entry in wallet.history() {
                let at = entry.at.format("%Y-%m-%d %H:%M:%S");
                let subject = if entry.subject.is_empty() {
                    String::new()
                } else {
                    format!("  {:?}", entry.subject)
                };
                output::line(&format!(
                    "{:>4}  {at}  {:<8} {}  {}{subject}",
                    entry.id, entry.kind, entry.amount, entry.state
                ))?;
            }
        }
        Command::Resume => {
            if let Some(session) = StoredSession::read(&dir)? {
                wallet.use_session(session);
            }
            let done = wallet.resume().await?;
            output::line(&format!("finished {} requests", done.value))?;
            if let Some(error) = done.warning {
                return Err(error.into());
            }
        }
        Command::Reclaim { id } => {
            let amount = wallet.reclaim(id).await?;
            output::line(&format!("took back {}", in_currency(&wallet, amount, currency)))?;
        }
        Command::Recoup { sent } => recoup(&mut wallet, currency, sent).await?,
    }
    Ok(ExitCode::SUCCESS)
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

/// Whose account pays or is paid: that of the token that was given, or of the session in the wallet's folder.
fn bearer(wallet: &Wallet, dir: &Path, currency: Option<&str>, token: &TokenArgs) -> Result<Bearer> {
    match token.given()? {
        Some(token) => Ok(Bearer::from(&token)),
        None => Ok(Bearer::from(&connection::session_for_wallet(
            dir,
            wallet.currency_url(currency)?,
        )?)),
    }
}

async fn mint(wallet: &mut Wallet, currency: Option<&str>, amount: u64, bearer: Bearer) -> Result<()> {
    let bar = (amount >= PROGRESS_AMOUNT_MIN).then(|| ProgressBar::new("blinding coins"));
    let mut progress = |done, total| bar.iter().for_each(|bar| bar.set(done, total));
    let before = held(wallet);
    let minted = wallet.mint(currency, amount, bearer, &mut progress).await;
    drop(bar);
    // Less than before where it has learned meanwhile that coins were revoked.
    let part = held(wallet).saturating_sub(before);
    if minted.is_err() && part > 0 {
        // A large mint is several requests.
        output::complain(&format!(
            "note: {} of it were minted",
            in_currency(wallet, part, currency)
        ));
    }
    minted?;
    output::line(&format!("minted {}", in_currency(wallet, amount, currency)))
}

async fn recoup(wallet: &mut Wallet, currency: Option<&str>, sent: bool) -> Result<()> {
    let done = wallet.recoup(currency, sent).await?;
    let show = |amount| in_currency(wallet, amount, currency);
    output::line(&format!("recouped {}", show(done.value.value)))?;
    if done.value.sent > 0 {
        output::line(&format!(
            "  left alone: {} that were sent; see `opencoin wallet recoup --help`",
            show(done.value.sent)
        ))?;
    }
    if done.value.unprovable > 0 {
        let amount = show(done.value.unprovable);
        output::line(&format!(
            "  not possible for {amount}: an older version of the wallet kept no proof of where they come from"
        ))?;
    }
    warn(&done);
    Ok(())
}

async fn send(
    wallet: &mut Wallet,
    currency: Option<&str>,
    amount: u64,
    subject: &str,
    out: Option<&Path>,
) -> Result<()> {
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
    let sent = wallet.send(currency, amount, subject).await;
    if let (Err(_), Some(path)) = (&sent, out) {
        // The empty file says nothing.
        let _ = std::fs::remove_file(path);
    }
    let done = sent?;
    let json = text::compact(&done.value);
    match &mut file {
        Some(file) => {
            let written = file.write_all(json.as_bytes()).and_then(|()| file.sync_all());
            written.context(
                "the file could not be written; take the coins back with `opencoin wallet reclaim`",
            )?;
            output::line(&format!(
                "sent {} in {} coins",
                in_currency(wallet, amount, currency),
                done.value.coins.len()
            ))?;
        }
        None => output::line(&json).context("take the coins back with `opencoin wallet reclaim`")?,
    }
    warn(&done);
    Ok(())
}

fn show_balances(balances: &[Balance], json: bool) -> Result<()> {
    if balances.is_empty() {
        return Err(WalletError::NoCurrency.into());
    }
    if json {
        let mut values = balances.iter().map(|balance| {
            serde_json::json!({
                "balance": balance.balance,
                "currency": balance.name,
                "expired": balance.expired,
                "id": balance.currency,
                "pending": balance.pending,
                "revoked": balance.revoked,
                "sent": balance.sent,
            })
        });
        return match (balances.len(), values.next()) {
            (1, Some(value)) => output::json(&value),
            (_, first) => output::json(&first.into_iter().chain(values).collect::<Vec<_>>()),
        };
    }
    for balance in balances {
        let show = |amount| AmountDisplay::new(amount, balance.divisor, &balance.name).to_string();
        output::line(&show(balance.balance))?;
        let resumable = balance.pending - balance.awaits_recoup;
        if resumable > 0 {
            output::line(&format!(
                "  not finished: {}; `opencoin wallet resume`",
                show(resumable)
            ))?;
        }
        let recoupable = balance.revoked + balance.awaits_recoup;
        if recoupable > 0 {
            let amount = show(recoupable);
            output::line(&format!(
                "  revoked: {amount}; `opencoin wallet recoup` makes fresh coins of them"
            ))?;
        }
        if balance.expired > 0 {
            output::line(&format!(
                "  expired: {}; no issuer takes these any more",
                show(balance.expired)
            ))?;
        }
        if balance.sent > 0 {
            output::line(&format!(
                "  sent: {}; `opencoin wallet reclaim` takes back what nobody has taken",
                show(balance.sent)
            ))?;
        }
    }
    Ok(())
}

fn held(wallet: &Wallet) -> u64 {
    wallet.balances().iter().map(|balance| balance.balance).sum()
}

fn in_currency(wallet: &Wallet, amount: u64, currency: Option<&str>) -> String {
    let balances = wallet.balances();
    let is_named =
        |balance: &&Balance| currency.is_none_or(|name| balance.name == name || balance.currency == name);
    match balances.iter().find(is_named) {
        Some(balance) => AmountDisplay::new(amount, balance.divisor, &balance.name).to_string(),
        None => amount.to_string(),
    }
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
