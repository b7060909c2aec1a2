//! `opencoin issuer init`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_crypto::CipherSuite;
use opencoin_issuer::{
    Config, DATABASE_DEFAULT, Directory, LISTEN_DEFAULT, NewCurrency, StoreMode, SystemClock, create, is_shared, open_ledger,
    register_mint_keys,
};
use rand::rngs::OsRng;

use crate::output;
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder to make; it must not exist, or be empty.
    #[arg(long, value_name = "D", env = "OPENCOIN_ISSUER_DIR")]
    dir: PathBuf,
    /// The name of the currency.
    #[arg(long)]
    name: String,
    /// How many of the smallest unit make one of the currency.
    #[arg(long, default_value_t = 100)]
    divisor: u64,
    /// The values of coins in the smallest unit. With a 1 among them every amount can be paid.
    #[arg(long, value_delimiter = ',', default_value = "1,2,5,10,20,50,100,200,500,1000")]
    denominations: Vec<u64>,
    /// Where wallets reach the issuer.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Where the server listens, unless `serve --listen` says otherwise.
    #[arg(long, default_value = LISTEN_DEFAULT)]
    listen: String,
    /// The books: `sqlite:PATH`, relative to the folder, or `postgres://USER:PASSWORD@HOST/DATABASE`, an empty database.
    #[arg(long, default_value = DATABASE_DEFAULT)]
    database: String,
    /// How coins are signed: RSA-SHA384-PSS-RFC9474, or RSA-SHA256-PSS-CHAUM82 for wallets that know only that.
    #[arg(long, default_value_t)]
    cipher_suite: CipherSuite,
    /// The size of mint keys in bits.
    #[arg(long, default_value_t = 2048)]
    key_bits: usize,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let directory = Directory::new(&arguments.dir);
    let new = NewCurrency {
        name: arguments.name,
        divisor: arguments.divisor,
        denominations: arguments.denominations,
        url: arguments.url,
        cipher_suite: arguments.cipher_suite,
        key_bits: arguments.key_bits,
        config: Config { database: arguments.database, listen: arguments.listen },
    };
    new.check()?;
    directory.check_vacant()?;
    let database = new.config.database.clone();
    if is_shared(&database) {
        // Before keys are made, which takes a while: is there a database, and is it nobody's?
        let ledger = open_ledger(&database, directory.root(), StoreMode::Create).await?;
        if !ledger.mint_keys().await?.is_empty() {
            bail!("the database holds the books of a currency already; give this one a database of its own");
        }
    }
    let cddc = tokio::task::block_in_place(|| {
        let progress = Progress::new("making keys");
        create(&new, &directory, &SystemClock, &mut OsRng, &mut |done, total| progress.set(done, total))
    })?;
    let ledger = open_ledger(&database, directory.root(), StoreMode::Create)
        .await
        .context("the currency is made, but its books are not; `opencoin issuer serve` tries again")?;
    register_mint_keys(&directory.currency()?, ledger.as_ref(), &SystemClock).await?;
    let dir = directory.root().display();
    let cdd = cddc.cdd();
    output::line(&format!("created {} with coins of {:?}, id {}", cdd.currency_name, cdd.denominations, cdd.id))?;
    output::line(&format!("cipher suite {}, keys of {} bits", cdd.issuer_cipher_suite, new.key_bits))?;
    output::line(&format!("keep {dir}/keys secret and safe: whoever has them prints money, whoever loses them stops"))?;
    output::line(&format!("next: opencoin issuer serve --dir {dir}"))?;
    Ok(ExitCode::SUCCESS)
}
