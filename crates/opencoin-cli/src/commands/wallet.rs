//! `opencoin wallet`, a thin layer over the wallet library.

mod evidence;
mod log;
mod new_file;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{ArgGroup, Args, Subcommand};
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::progress::ProgressBar;
use opencoin_text::{AmountText, IssuerUrl, printable};
use opencoin_wallet::account::StoredSession;
use opencoin_wallet::{
    Authorities, Balance, Bearer, ExchangeError, HttpTransport, NotRepresentable, Wallet, WalletError,
};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use self::new_file::NewFile;
use super::account::connection;
use crate::coin_stack::{self, Form};
use crate::currency_unit::CurrencyUnit;
use crate::failure;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::token_args::TokenArgs;
use crate::wallet_dir_args::WalletDirArgs;

/// Smaller mints are done before a progress bar could be read. In smallest units.
const PROGRESS_AMOUNT_MIN: u64 = 100;
/// The time limit for renewing and changing coins after the result of a command was shown.
const TIDY_DURATION_MAX: Duration = Duration::from_secs(10);
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
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add the currency of an issuer, or update its documents. The first `add` creates the wallet.
    ///
    /// The wallet trusts the issuer's master key from then on: compare the id with the one that the operator publishes
    /// elsewhere.
    Add {
        /// The URL of the issuer, for example `https://issuer.example`.
        url: IssuerUrl,
    },
    /// Mint coins and pay for them from an account.
    Mint {
        /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Take coins out of the wallet, to hand them over. Everyone who can read them can spend them.
    Send {
        /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        /// A message to the receiver.
        #[arg(long, default_value = "")]
        subject: String,
        /// How to hand the coins over.
        #[arg(long = "as", value_enum, default_value_t)]
        form: Form,
        /// The file to create. Default: stdout.
        #[arg(long, value_name = "F.oc")]
        out: Option<PathBuf>,
    },
    /// Receive coins: verify them and renew them at once, so that nobody else can spend them.
    ///
    /// The coins are a file or a line of text that begins with `opencoinstack`, also in the middle of a mail.
    Receive {
        /// The file; `-` reads stdin. Or the line of text itself, which other users of this machine can see while the
        /// command runs.
        #[arg(value_name = "F.oc")]
        coins: PathBuf,
    },
    /// Redeem coins: the money goes to an account.
    Redeem {
        /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
        amount: AmountText,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Show the balance of the wallet.
    Balance,
    /// Show the operations of the wallet.
    History,
    /// Finish all pending operations, after a crash, a lost answer or a delay.
    ///
    /// The wallet stores no account token: to finish a mint or a redeem, give the token again or log in to the same
    /// account.
    Resume {
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Give up a request that `resume` cannot finish, and take its coins back.
    ///
    /// The coins are renewed, so that the old request can no longer spend them. If it has already spent them, they are
    /// gone: for a redeem, the money is on the account.
    Abandon {
        /// The number of the request, from `history`.
        id: u64,
    },
    /// Take back coins that were sent and that their receiver has not received.
    ///
    /// A receiver who is late gets nothing, so name the one send that failed.
    #[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
    Reclaim {
        /// The number of the send, from `history`.
        id: Option<u64>,
        /// Take back everything that was sent and not received, including gifts that are still on their way.
        #[arg(long)]
        all: bool,
    },
    /// Exchange coins of stolen mint keys, which the issuer has revoked, for fresh ones. This shows the issuer where
    /// those coins were minted or renewed: for a mint, which account paid for them.
    Recoup {
        /// Include coins that were sent and not taken back. If their receiver has already spent them, nothing comes
        /// back, and the issuer learns that you sent them.
        #[arg(long)]
        sent: bool,
    },
    /// Check the currency's public log: whether it continues what this wallet has seen, and whether the issuer has kept
    /// its promises to enter what this wallet minted, renewed and redeemed.
    ///
    /// Nothing that is asked for names a coin. The exit code is 1 if anything is or was wrong.
    Log(log::Arguments),
    /// Write what this wallet can prove about faults of an issuer's public log, or check such a file.
    Evidence(evidence::Arguments),
}

/// An open wallet and the options of the command.
struct Session {
    wallet: Wallet,
    dir: PathBuf,
    /// See [`WalletDirArgs::flag`].
    flag: String,
    currency: Option<String>,
    output: OutputArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let command = arguments.command;
    if let Command::Evidence(evidence::Arguments {
        check: Some(file), ..
    }) = &command
    {
        // Needs no wallet.
        return evidence::check(file, &arguments.output);
    }
    let (flag, dir) = (arguments.dir.flag(), arguments.dir.path()?);
    if !matches!(command, Command::Add { .. }) && !Wallet::is_in(&dir) {
        let text = format!(
            "there is no wallet in {}; `opencoin wallet add URL{flag}` creates one",
            dir.display()
        );
        return Err(failure::not_found(text));
    }
    let mut wallet = match command {
        // Reading works on a read-only disk and while another command is running.
        Command::Balance | Command::History | Command::Evidence(_) => {
            Wallet::open_to_read(&dir, Arc::new(|| SystemClock.now()), Box::new(OsRng))?
        }
        _ => open(&dir, &arguments.network.authorities()?)?,
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
        output: arguments.output,
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
            Command::Send {
                amount,
                subject,
                form,
                out,
            } => self.send(&amount, &subject, form, out.as_deref()).await,
            Command::Receive { coins } => self.receive(&coins).await,
            Command::Redeem { amount, token } => self.redeem(&amount, &token).await,
            Command::Balance => self.balance(),
            Command::History => self.history(),
            Command::Resume { token } => self.resume(&token).await,
            Command::Abandon { id } => self.abandon(id).await,
            Command::Reclaim { id, all: _ } => self.reclaim(id).await,
            Command::Recoup { sent } => self.recoup(sent).await,
            Command::Log(arguments) => self.log(&arguments).await,
            Command::Evidence(arguments) => self.evidence(&arguments),
        }
    }

    async fn add(&mut self, url: &IssuerUrl) -> Result<()> {
        warn_if_exposed(url, "change the documents of the issuer");
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
                "compare the id with the one that the operator publishes elsewhere".to_owned(),
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
        // The balance can decrease if the wallet has learned meanwhile that coins were revoked.
        let part = held(&self.wallet).saturating_sub(before);
        if minted.is_err() && part > 0 {
            // A large mint consists of several requests.
            output::complain(&format!("note: {} of it were minted", unit(&chosen).show(part)));
        }
        let id = minted?;
        self.show_amount(&chosen, units, "minted", Some(id))?;
        self.tidy(Tidy::Expiring).await;
        Ok(())
    }

    async fn receive(&mut self, coins: &Path) -> Result<()> {
        let (stack, form) = coin_stack::read(coins)?;
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
                "form": form.name(),
                "id": received.currency,
                "left_out": left_out.collect::<Value>(),
                "subject": stack.subject,
            }),
            [format!(
                "received {} from a {}: {}",
                unit(&currency).show(received.amount),
                form.name(),
                quoted(&stack.subject)
            )],
        )?;
        self.tidy(Tidy::All).await;
        if received.left_out.is_empty() {
            return Ok(());
        }
        let count = counted(received.left_out.len(), "coin");
        let reasons = received
            .left_out
            .iter()
            .map(|left_out| left_out.fault.to_string());
        let reasons: Vec<String> = reasons.collect::<BTreeSet<_>>().into_iter().collect();
        Err(failure::refused(format!(
            "{count} of the stack could not be received: {}",
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

    /// Renews and changes coins after the result of the command was shown. Names promises that are due.
    async fn tidy(&mut self, what: Tidy) {
        self.change_coins(what).await;
        self.mention_overdue();
    }

    async fn change_coins(&mut self, what: Tidy) {
        let tidied = async {
            match what {
                Tidy::All => self.wallet.tidy().await,
                Tidy::Expiring => self.wallet.renew_expiring().await,
            }
        };
        let error = match tokio::time::timeout(TIDY_DURATION_MAX, tidied).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the issuer does not answer in time".to_owned(),
        };
        output::complain(&format!(
            "note: coins could not be changed now; some amounts may need that later: {error}"
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
            // Not fatal, because some requests need no session.
            Err(error) => output::complain(&format!("note: the session cannot be read: {error}")),
        }
        let done = self.wallet.resume().await?;
        let lines = [format!("finished {}", counted(done.value, "request"))];
        self.output.show(json!({ "finished": done.value }), lines)?;
        done.warning.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn abandon(&mut self, id: u64) -> Result<()> {
        let mut history = self.wallet.history().into_iter();
        let currency = history.find(|entry| entry.id == id).map(|entry| entry.currency);
        let done = self.wallet.abandon(id).await?;
        let chosen = self.wallet.balance_of(currency.as_deref())?;
        let show = |units| unit(&chosen).show(units);
        let mut lines = vec![if done.is_finished {
            format!("number {id} had been carried out; it is finished now")
        } else {
            format!("abandoned number {id}, took back {}", show(done.returned))
        }];
        if !done.is_finished && done.spent > 0 {
            lines.push(format!(
                "  gone: {}, spent before; if number {id} was a redeem, look at the account",
                show(done.spent)
            ));
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
        let mut lines = vec![format!("recouped {}", show(done.value))];
        if done.sent > 0 {
            lines.push(format!(
                "  not included: {} that were sent; see `opencoin wallet recoup --help`",
                show(done.sent)
            ));
        }
        if done.unprovable > 0 {
            lines.push(format!(
                "  not possible for {}: an older version of the wallet stored no proof of their origin",
                show(done.unprovable)
            ));
        }
        self.output.show(
            json!({
                "amount": done.value,
                "currency": chosen.name,
                "id": chosen.currency,
                "sent": done.sent,
                "unprovable": done.unprovable,
            }),
            lines,
        )?;
        self.tidy(Tidy::All).await;
        Ok(())
    }

    async fn send(
        &mut self,
        amount: &AmountText,
        subject: &str,
        form: Form,
        out: Option<&Path>,
    ) -> Result<()> {
        let (chosen, units) = self.amount(amount)?;
        // Created before coins are taken out, so that a wrong path costs nothing.
        let create = |path| {
            NewFile::create(path)
                .with_context(|| format!("cannot create {}; no coins were taken", path.display()))
        };
        let file = out.map(create).transpose()?;
        let sent = self.wallet.send(Some(&chosen.currency), units, subject).await?;
        let (stack, coins, id) = (form.write(&sent.stack), sent.stack.coins.len(), sent.id);
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
        // One currency, the usual case, is an object and not an array.
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

    /// The chosen currency, and the amount in its smallest unit.
    fn amount(&self, amount: &AmountText) -> Result<(Balance, u64)> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = unit(&chosen).read(amount)?;
        Ok((chosen, units))
    }

    /// The given token, or the session in the wallet's folder.
    fn bearer(&self, token: &TokenArgs) -> Result<Bearer> {
        let url = self.wallet.currency_url(self.currency.as_deref())?;
        if let Ok(url) = url.parse() {
            warn_if_exposed(&url, "read the account's token");
        }
        if let Some(token) = token.given()? {
            return Ok(Bearer::from(&token));
        }
        let session = connection::session_for_wallet(&self.dir, &self.flag, url)?;
        Ok(Bearer::from(&session))
    }

    /// Shows the amounts of an error in the currency, and adds advice.
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
            WalletError::Log(error) => log::advice(error, flag),
            WalletError::Exchange(ExchangeError::Recoup) => {
                format!("`opencoin wallet recoup{flag}` exchanges it for fresh coins")
            }
            WalletError::Exchange(ExchangeError::Refused { word, .. })
                if word == "key-revoked" && self.holds_revoked() =>
            {
                format!("`opencoin wallet recoup{flag}` exchanges the revoked coins for fresh ones")
            }
            WalletError::Exchange(ExchangeError::NeedsToken(_)) => format!(
                "`opencoin wallet resume --token-file FILE{flag}` finishes it, or log in to that account and run \
                 `opencoin wallet resume{flag}`"
            ),
            WalletError::Exchange(_) if self.wallet.has_unfinished() => format!(
                "nothing is lost: `opencoin wallet resume{flag}` finishes it, or `opencoin wallet abandon \
                 NUMBER{flag}` gives it up"
            ),
            _ => return error,
        };
        failure::explained(error, &help)
    }

    fn holds_revoked(&self) -> bool {
        self.wallet.balances().iter().any(|balance| balance.revoked > 0)
    }
}

/// The coins that are renewed after a command.
enum Tidy {
    All,
    /// Only coins that would expire soon.
    Expiring,
}

/// The texts of errors with amounts, which the library shows in the smallest unit.
fn amounts_text(error: &WalletError, unit: &CurrencyUnit) -> Option<String> {
    let show = |units: &u64| unit.show(*units);
    Some(match error {
        WalletError::InsufficientFunds { balance, needed } => {
            let (balance, needed) = (show(balance), show(needed));
            format!("the wallet holds {balance}, but {needed} are needed")
        }
        WalletError::AccountTooLow { balance, needed } => {
            let (balance, needed) = (show(balance), show(needed));
            format!("the account holds {balance}, but {needed} are needed; nothing was done")
        }
        WalletError::SpentElsewhere(amount) => format!(
            "coins of this wallet worth {} were spent before, perhaps by a copy of the wallet. They were dropped, \
             and nothing else was done: the same command works with the remaining coins",
            show(amount)
        ),
        WalletError::NoExactCoins(amount) => format!(
            "the coins in the wallet do not add up to exactly {}, and could not be changed now",
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

/// Opens the wallet in this folder, or creates it. It uses HTTP.
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
            "  the first coins expire on {}; every command that contacts the issuer renews them in time",
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
            "  revoked: {amount}; `opencoin wallet recoup{flag}` exchanges them for fresh coins"
        ));
    }
    if balance.expired > 0 {
        lines.push(format!(
            "  expired, by the clock of this machine: {}; the issuer no longer accepts them",
            show(balance.expired)
        ));
    }
    if balance.sent > 0 {
        lines.push(format!(
            "  sent: {}, perhaps not yet received; `opencoin wallet reclaim ID{flag}` takes a send back",
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

/// An untrusted text in quotation marks.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// `1 request`, `2 requests`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
