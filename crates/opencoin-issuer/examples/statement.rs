//! Measures how long the largest statement of a bank takes, with books in SQLite: 10,000 lines for 100 accounts are uploaded,
//! previewed and booked, and the same file is booked again. Exits with 1 if a step takes longer than docs/PERFORMANCE.md
//! promises.
//!
//! `cargo run --release -p opencoin-issuer --example statement`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_bank::payment_code;
use opencoin_bank::statement::LINES_MAX;
use opencoin_config::{BankConfig, BankCsvConfig};
use opencoin_issuer::{
    BankDesk, BankSettings, Books, SecondPersonLimit, StatementFile, StoreMode, open_books,
};
use opencoin_keys::SystemClock;
use opencoin_ledger::{AccountName, Command, LedgerTime, OperatorName, Reference};

/// The accounts that the lines are for.
const ACCOUNTS: usize = 100;
/// How long upload and preview may take together.
const PREVIEW_MAX: Duration = Duration::from_secs(2);
/// How long booking may take.
const BOOKING_MAX: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let folder = tempfile::tempdir()?;
    let books = open_books("sqlite:books.sqlite", folder.path(), StoreMode::Create)
        .await?
        .books;
    open_accounts(&books).await?;
    let desk = BankDesk::new(books.clone(), Arc::new(SystemClock), settings(), 100);
    let operator = OperatorName::command_line();
    let acting = desk.acting(&operator);

    let begun = Instant::now();
    let (statement, _) = acting.upload(file()?).await?;
    let uploaded = begun.elapsed();
    let preview = desk.preview(statement.no).await?;
    let previewed = begun.elapsed();
    println!("upload of {} lines: {uploaded:.2?}", preview.lines.len());
    println!("upload and preview: {previewed:.2?}, at most {PREVIEW_MAX:?}");

    let begun = Instant::now();
    let booking = acting.book(statement.no, preview.digest()).await?;
    let booked = begun.elapsed();
    println!(
        "booking of {} lines: {booked:.2?}, at most {BOOKING_MAX:?}",
        booking.booked.lines
    );

    let begun = Instant::now();
    let again = acting.book(statement.no, preview.digest()).await?;
    println!("the same booking again: {:.2?}", begun.elapsed());
    let mut sum = 0;
    for number in 0..ACCOUNTS {
        let profile = books.accounts.profile(&account(number)?).await?;
        sum += profile.ok_or("an account is missing")?.account.balance.units();
    }
    let is_right = again.repeated && sum == booking.booked.amount.units() && sum == 100 * LINES_MAX as u64;
    if !is_right {
        return Err("the accounts did not get each line once".into());
    }
    let is_fast = previewed <= PREVIEW_MAX && booked <= BOOKING_MAX;
    Ok(if is_fast {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn account(number: usize) -> Result<AccountName, Failure> {
    Ok(format!("holder-{number}").parse()?)
}

async fn open_accounts(books: &Books) -> Result<(), Failure> {
    for number in 0..ACCOUNTS {
        let open = Command::OpenAccount {
            name: account(number)?,
            token_hash: None,
            password: None,
            at: LedgerTime::from_unix_micros(1),
        };
        for outcome in books.ledger.apply(&[open]).await? {
            outcome?;
        }
    }
    Ok(())
}

fn settings() -> BankSettings {
    BankSettings {
        account: BankConfig {
            iban: Some("DE89370400440532013000".to_owned()),
            ..BankConfig::default()
        },
        columns: BankCsvConfig {
            day: Some("day".to_owned()),
            amount: Some("amount".to_owned()),
            text: vec!["text".to_owned()],
            party: Some("party".to_owned()),
            ..BankCsvConfig::default()
        },
        second_person: SecondPersonLimit::OFF,
    }
}

/// A table with as many lines as one may have, each of 1.00.
fn file() -> Result<StatementFile, Failure> {
    let mut table = "day;party;text;amount\n".to_owned();
    for line in 0..LINES_MAX {
        let code = payment_code::of_account(account(line % ACCOUNTS)?.as_str());
        writeln!(
            table,
            "04.05.2026;Payer {line};Deposit {line} for {code}, thank you;1,00"
        )?;
    }
    Ok(StatementFile {
        name: Reference::new("statement.csv")?,
        content: table.into_bytes(),
        format: None,
        columns: settings().columns,
    })
}
