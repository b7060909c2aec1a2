//! `opencoin demo`: shows the life of a coin. Everything is real: keys, files, HTTP on loopback, books.

mod issuer;
mod live;
mod nodes;
mod public_log;
mod site;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use opencoin_audit::check;
use opencoin_config::{Config, DATABASE_DEFAULT};
use opencoin_crypto::CipherSuite;
use opencoin_issuer::{
    Cashier, OpenedBooks, Operator, SecondPersonLimit, StoreMode, open_audit_source, open_books,
};
use opencoin_keys::{
    Cosigners, Currency, Directory, KeyFiles, NewCurrency, Passphrase, SystemClock, create_with_key_files,
};
use opencoin_ledger::{AccountName, Amount, OperatorName, Reference};
use opencoin_terminal::output;
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args::CoinsSecretArgs;
use opencoin_text::AmountDisplay;
use opencoin_wallet::{Network, Secret, Wallet, WalletError};
use rand::RngCore;
use rand::rngs::OsRng;
use tempfile::TempDir;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use self::issuer::start_issuer;
use self::public_log::RunningWitness;
use super::verify::Verifier;
use super::wallet;
use crate::coin_stack;

const NAME: &str = "OpenCent";
/// What moves more than this needs two operators.
const SECOND_PERSON_ABOVE: &str = "100";
const DIVISOR: u64 = 100;
const DENOMINATIONS: [u64; 4] = [1, 2, 5, 10];
const PAID_IN: u64 = 500;
const MINTED: u64 = 137;
const HANDED_OVER: u64 = 50;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Keep the folder with the currency, the wallets and the coin stack, and print its path.
    #[arg(long)]
    keep: bool,
    /// The cipher suite of the currency.
    #[arg(long, default_value_t)]
    cipher_suite: CipherSuite,
    /// Show payments by key and auditors instead: who checks the issuer, and how a fraud is proven.
    #[arg(long, conflicts_with = "serve")]
    nodes: bool,
    /// Serve a currency with accounts, coins and payouts instead, whose pages a browser shows, until Ctrl-C.
    #[arg(long)]
    serve: bool,
    /// The address of the pages, on loopback. The operator's pages are on the next port, or on a free one if that is taken.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "serve")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let folder = TempDir::with_prefix("opencoin-demo-").context("cannot create a temporary folder")?;
    let played = if arguments.serve {
        site::serve(folder.path(), arguments.cipher_suite, arguments.listen).await
    } else if arguments.nodes {
        nodes::play(folder.path(), arguments.cipher_suite).await
    } else {
        play(folder.path(), arguments.cipher_suite).await
    };
    if arguments.keep {
        let kept = folder.keep();
        output::line(&format!("\nkept: {}", kept.display()))?;
        if arguments.nodes && played.is_ok() {
            let file = kept.join(nodes::EVIDENCE_FILE);
            output::line(&format!("check the file: opencoin evidence {}", file.display()))?;
        }
    }
    played.context("the demo failed")?;
    if !arguments.serve {
        output::line("\nAll of it held.")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn play(folder: &Path, suite: CipherSuite) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on loopback")?;
    let url = format!("http://{}", listener.local_addr()?);
    let directory = Directory::new(folder.join("currency"));
    let passphrase = Passphrase::new(Zeroizing::new(OsRng.next_u64().to_string()))?;
    let witness = RunningWitness::create(&folder.join("witness"), OsRng.next_u64().to_string()).await?;
    let (currency, keys) = make_currency(&directory, &url, suite, &passphrase, witness.log())?;
    let OpenedBooks { books, history } =
        open_books(DATABASE_DEFAULT, directory.root(), StoreMode::Create).await?;
    let history = history.position(None).await?.mark.history;
    let witness = witness.start(&currency).await?;
    step(
        "witness",
        "will cosign the public log of the currency, as long as it only grows",
    )?;
    let issuer = start_issuer(
        &directory,
        (&keys, &passphrase),
        (books.clone(), history),
        listener,
    )
    .await?;
    step(
        "issuer",
        &format!("serves {url} and relays live transfers, books in SQLite"),
    )?;

    let name = OperatorName::command_line();
    let operator = Operator::new(books.clone(), Arc::new(SystemClock), name.clone());
    let cashier = Cashier::new(
        books,
        Arc::new(SystemClock),
        Box::new(OsRng),
        SecondPersonLimit::OFF,
    );
    let acting = cashier.acting(&name);
    let (alice_name, bob_name): (AccountName, AccountName) = ("alice".parse()?, "bob".parse()?);
    let alice_token = Secret::new(acting.open_account(&alice_name, None).await?.expose());
    let bob_token = Secret::new(acting.open_account(&bob_name, None).await?.expose());
    acting
        .credit(
            &alice_name,
            Amount::new(PAID_IN)?,
            Reference::new("statement 1, line 1")?,
        )
        .await?
        .done();
    step(
        "operator",
        &format!("opens accounts; Alice pays in {}", show(PAID_IN)),
    )?;

    let mut alice = wallet::open(&folder.join("alice"), &Network::default())?;
    alice.add(&url).await?;
    alice.mint(None, MINTED, &alice_token, &mut |_, _| {}).await?;
    ensure!(held(&alice) == MINTED, "Alice should hold {MINTED}");
    step(
        "Alice",
        &format!(
            "mints {}: the issuer signs coins that it cannot see",
            show(MINTED)
        ),
    )?;

    let mut bob = wallet::open(&folder.join("bob"), &Network::default())?;
    bob.add(&url).await?;
    let stack_file = live::hand_over(folder, &url, &operator, (&mut alice, &mut bob)).await?;

    bob.redeem(None, HANDED_OVER, &bob_token).await?;
    let balance = cashier.account(&bob_name).await?.account.balance.units();
    ensure!(
        balance == HANDED_OVER,
        "Bob's account should hold {HANDED_OVER}, not {balance}"
    );
    step(
        "Bob",
        &format!("redeems {}: it is in his account", show(HANDED_OVER)),
    )?;

    try_again(folder, &url, &stack_file).await?;
    audit(&currency, directory.root(), &stack_file).await?;
    look_into_log(&mut alice, &mut bob).await?;
    issuer.stop().await?;
    witness.stop().await
}

fn make_currency(
    directory: &Directory,
    url: &str,
    suite: CipherSuite,
    passphrase: &Passphrase,
    log: Cosigners,
) -> Result<(Currency, Arc<KeyFiles>)> {
    let new = NewCurrency {
        name: NAME.to_owned(),
        divisor: DIVISOR,
        denominations: DENOMINATIONS.to_vec(),
        url: url.to_owned(),
        cipher_suite: suite,
        log: Some(log),
        config: settings(url),
    };
    let made = tokio::task::block_in_place(|| {
        let progress = ProgressBar::new("generating keys");
        let mut report = |done, total| progress.set(done, total);
        create_with_key_files(
            &new,
            directory,
            passphrase,
            &SystemClock,
            &mut OsRng,
            || Box::new(OsRng),
            &mut report,
        )
    })?;
    let coins = DENOMINATIONS
        .map(|value| AmountDisplay::new(value, DIVISOR, NAME).number())
        .join(", ");
    step(
        "operator",
        &format!("creates {NAME} with coins of {coins}, {suite}"),
    )?;
    let (currency, keys) = made;
    Ok((currency, Arc::new(keys)))
}

/// The settings of the demo's issuer, which has an account at a bank. Its number is the example of the registry of IBANs.
fn settings(url: &str) -> Config {
    let mut config = Config::new(DATABASE_DEFAULT, url.trim_start_matches("http://"));
    config.admin.second_person_above = Some(SECOND_PERSON_ABOVE.to_owned());
    config.relay.enabled = true;
    config.bank.name = Some("Demo".to_owned());
    config.bank.iban = Some("DE89370400440532013000".to_owned());
    config.bank_csv.day = Some("Day".to_owned());
    config.bank_csv.amount = Some("Amount".to_owned());
    config.bank_csv.text = vec!["Text".to_owned()];
    config.bank_csv.party = Some("Name".to_owned());
    config
}

/// Alice has kept a copy of the stack. Her second wallet tries to spend it.
async fn try_again(folder: &Path, url: &str, stack_file: &Path) -> Result<()> {
    let mut second = wallet::open(&folder.join("alice-again"), &Network::default())?;
    second.add(url).await?;
    match second
        .receive(&coin_stack::read(stack_file)?.open(|| CoinsSecretArgs::default().read())?)
        .await
    {
        Err(WalletError::Exchange(refused)) if refused.is_double_spend() => {}
        Ok(_) => bail!("coins were spent twice"),
        Err(error) => return Err(error.into()),
    }
    step(
        "Alice",
        "tries the same coins again from a copy: refused, somebody else has taken them",
    )
}

async fn audit(currency: &Currency, root: &Path, stack_file: &Path) -> Result<()> {
    let mut verifier = Verifier::of(currency);
    let said = verifier.check(stack_file, &CoinsSecretArgs::default())?;
    step(
        "auditor",
        &format!("verifies the certificates and the coin stack: {said}"),
    )?;
    let books = open_audit_source(DATABASE_DEFAULT, root).await?;
    let report = check(&books.audit_facts().await?);
    if let Some(broken) = report.checks.iter().find(|check| !check.holds) {
        bail!(
            "the audit found a broken invariant: {}: {}",
            broken.name,
            broken.detail
        );
    }
    step(
        "auditor",
        &format!("audits the books: {} invariants hold", report.checks.len()),
    )
}

/// What the issuer has promised to the holders is in a checkpoint that the witness has cosigned.
async fn look_into_log(alice: &mut Wallet, bob: &mut Wallet) -> Result<()> {
    for (who, wallet) in [("Alice", alice), ("Bob", bob)] {
        let status = public_log::find_promised(wallet).await?;
        let newest = status.newest.context("the wallet has seen a checkpoint")?;
        step(
            who,
            &format!(
                "finds everything that the issuer promised in the public log, cosigned by {} of {} witnesses",
                newest.witnesses.len(),
                newest.witnesses_named
            ),
        )?;
    }
    Ok(())
}

fn held(wallet: &Wallet) -> u64 {
    wallet.balances().iter().map(|balance| balance.balance).sum()
}

fn show(amount: u64) -> String {
    AmountDisplay::new(amount, DIVISOR, NAME).to_string()
}

fn step(who: &str, what: &str) -> Result<()> {
    output::line(&format!("{who:>9}  {what}"))
}
