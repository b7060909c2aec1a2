//! Measures how long the server takes for pages of large books in SQLite: 10,000 accounts, and one with 110,000 entries and
//! 10,000 payouts that wait. Each page is asked for fifty times. Exits with 1 if the median of a page is longer than
//! docs/PERFORMANCE.md promises.
//!
//! `cargo run --release -p opencoin-web --example large_books`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, HOST, SET_COOKIE};
use axum::http::{Request, Response};
use opencoin_config::Config;
use opencoin_crypto::{CipherSuite, KeyStore};
use opencoin_http::{Server, ServerOptions, admin_router, router};
use opencoin_issuer::{
    AdminScope, AdminTokens, Books, Issuer, IssuerOptions, NewPassword, StoreMode, open_books,
};
use opencoin_keys::{
    Clock, Directory, NewCurrency, Passphrase, Randomness, SystemClock, create_with_key_files,
};
use opencoin_ledger::{
    AccountName, Amount, BATCH_COMMANDS_MAX, Command, IdempotencyKey, LedgerTime, Reference,
};
use opencoin_web::SiteOptions;
use rand::rngs::OsRng;
use tower::ServiceExt;

const ACCOUNTS: usize = 10_000;
/// The entries of the first account.
const ENTRIES: usize = 100_000;
/// Its payouts that wait.
const PAYOUTS: usize = 10_000;
/// How often each page is asked for.
const TIMES: usize = 50;
/// How long the server may take for a page.
const PAGE_MAX: Duration = Duration::from_millis(50);
const PASSWORD: &str = "correct horse battery staple";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let folder = tempfile::tempdir()?;
    let books = open_books("sqlite:books.sqlite", folder.path(), StoreMode::Create)
        .await?
        .books;
    let issuer = issuer(&books, &Directory::new(folder.path().join("currency"))).await?;
    fill(&books, &issuer).await?;
    let tokens = AdminTokens::in_folder(folder.path());
    let name = "desk".parse()?;
    let token = tokens.create(&name, [AdminScope::Read].into(), SystemClock.now(), &mut OsRng)?;
    let pages = opencoin_web::pages(SiteOptions {
        rng: Box::new(OsRng),
        clock: Arc::new(SystemClock),
        operators: tokens.clone(),
    });
    let server = Server::with_pages(issuer, ServerOptions::default(), Some(pages));
    server.issuer().take_sample().await;

    let public = router(Arc::clone(&server));
    let operators = admin_router(server, tokens);
    let holder = log_in(
        &public,
        "/account/login",
        &[("name", &account(0)?.to_string()), ("password", PASSWORD)],
    )
    .await?;
    let operator = log_in(&operators, "/console/login", &[("token", token.expose())]).await?;
    let mut is_fast = true;
    for (listener, cookie, path) in [
        (&public, "", "/"),
        (&public, holder.as_str(), "/account"),
        (&public, &holder, "/account/entries"),
        (&public, &holder, "/account/entries?q=deposit+77777"),
        (&public, &holder, "/account/payouts"),
        (&operators, &operator, "/console"),
        (&operators, &operator, "/console/figures"),
        (&operators, &operator, "/console/accounts"),
        (&operators, &operator, "/console/accounts?q=holder-99"),
        (&operators, &operator, "/console/accounts/holder-0"),
        (&operators, &operator, "/console/payouts"),
        (&operators, &operator, "/console/payouts/5000"),
        (&operators, &operator, "/console/bank"),
        (&operators, &operator, "/console/proposals?all=1"),
        (&operators, &operator, "/console/keys"),
        (&operators, &operator, "/console/actions"),
    ] {
        let mut durations = Vec::with_capacity(TIMES);
        let mut bytes = 0;
        for _ in 0..TIMES {
            let begun = Instant::now();
            bytes = page(listener, path, cookie).await?;
            durations.push(begun.elapsed());
        }
        durations.sort_unstable();
        let (median, slowest) = (durations[TIMES / 2], durations[TIMES - 1]);
        println!("{median:>9.2?}, at most {slowest:>9.2?}, {bytes:>7} bytes  {path}");
        is_fast &= median <= PAGE_MAX;
    }
    Ok(if is_fast {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn account(number: usize) -> Result<AccountName, Failure> {
    Ok(format!("holder-{number}").parse()?)
}

async fn issuer(books: &Books, directory: &Directory) -> Result<Issuer, Failure> {
    let new = NewCurrency {
        name: "OpenCent".to_owned(),
        divisor: 100,
        denominations: vec![1, 100],
        url: "http://127.0.0.1".to_owned(),
        cipher_suite: CipherSuite::RsaSha384PssRfc9474,
        log: None,
        config: Config::new("sqlite:books.sqlite", "127.0.0.1:0"),
    };
    let (_, keys) = create_with_key_files(
        &new,
        directory,
        &Passphrase::new("passphrase".to_owned().into())?,
        &SystemClock,
        &mut OsRng,
        || Box::new(OsRng) as Box<dyn Randomness>,
        &mut |_, _| {},
    )?;
    let (currency, clock) = (directory.currency()?, Arc::new(SystemClock));
    let options = IssuerOptions::default();
    Ok(Issuer::open(currency, books.clone(), keys.signer()?, clock, options).await?)
}

/// Opens the accounts, pays into the first one, and asks for its payouts.
async fn fill(books: &Books, issuer: &Issuer) -> Result<(), Failure> {
    let at = LedgerTime::from_unix_micros(SystemClock.now().timestamp_micros());
    let mut commands = Vec::with_capacity(ACCOUNTS);
    for number in 0..ACCOUNTS {
        commands.push(Command::OpenAccount {
            name: account(number)?,
            token_hash: None,
            password: None,
            at,
        });
    }
    apply(books, &commands).await?;
    let name = account(0)?;
    let profile = books.accounts.profile(&name).await?;
    let first = profile.ok_or("the first account is missing")?.account.id;
    let mut commands = Vec::with_capacity(ENTRIES);
    for number in 0..ENTRIES {
        commands.push(Command::Credit {
            account: first,
            amount: Amount::new(100)?,
            reference: Reference::new(format!("deposit {number}"))?,
            at,
        });
    }
    for number in 0..PAYOUTS {
        commands.push(Command::RequestPayout {
            account: first,
            amount: Amount::new(100)?,
            destination: Reference::new("DE89 3704 0044 0532 0130 00")?,
            key: IdempotencyKey::new(format!("payout-{number}"))?,
            at,
        });
    }
    apply(books, &commands).await?;
    let (cashier, operator) = (issuer.cashier(), "desk".parse()?);
    let password = NewPassword::new(PASSWORD)?;
    Ok(cashier.acting(&operator).set_password(&name, password).await?)
}

async fn apply(books: &Books, commands: &[Command]) -> Result<(), Failure> {
    for batch in commands.chunks(BATCH_COMMANDS_MAX) {
        for outcome in books.ledger.apply(batch).await? {
            outcome?;
        }
    }
    Ok(())
}

/// The cookie of a session.
async fn log_in(listener: &Router, path: &str, fields: &[(&str, &str)]) -> Result<String, Failure> {
    let request = Request::post(path)
        .header(HOST, "127.0.0.1")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(serde_urlencoded::to_string(fields)?))?;
    let response = listener.clone().oneshot(request).await?;
    let cookie = response
        .headers()
        .get(SET_COOKIE)
        .ok_or("the log-in was refused")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    Ok(cookie.to_owned())
}

/// The length of a page in bytes.
async fn page(listener: &Router, path: &str, cookie: &str) -> Result<usize, Failure> {
    let request = Request::get(path)
        .header(HOST, "127.0.0.1")
        .header("accept", "text/html")
        .header(COOKIE, cookie)
        .body(Body::empty())?;
    let response: Response<Body> = listener.clone().oneshot(request).await?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("{path}: {status}").into());
    }
    Ok(to_bytes(response.into_body(), usize::MAX).await?.len())
}
