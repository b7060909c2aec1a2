//! Adds a currency, receives a coin stack and shows the balance, with nothing but the library:
//!
//! ```text
//! cargo run -p opencoin-wallet --example receive -- WALLET-FOLDER ISSUER-URL STACK-FILE
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its result")]
#![expect(
    clippy::disallowed_methods,
    reason = "a program reads the clock, and libraries are given it"
)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use opencoin_schema::{AnyDocument, CoinStack};
use opencoin_wallet::{ExchangeError, HttpTransport, Network, Wallet, WalletError};
use rand::rngs::OsRng;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, url, file] = arguments.as_slice() else {
        return Err(
            "give the folder of the wallet, the URL of the issuer and the file with the coins".into(),
        );
    };
    // The network, the clock and the randomness come from the program, so that tests can replace them.
    let transport = Arc::new(HttpTransport::new(&Network::default())?);
    let clock = Arc::new(Utc::now);
    let mut wallet = Wallet::create(Path::new(folder), None, transport, clock, Box::new(OsRng))?;

    // From now on the wallet trusts this master key. A person compares the id with the one that the operator publishes.
    let added = wallet.add(url).await?;
    println!("{}, id {}", added.name, added.currency);

    match wallet.receive(&read_stack(file)?).await {
        Ok(received) => println!("received {}", received.amount),
        // The coins are safe: the wallet holds them, and `resume` finishes the renewal.
        Err(WalletError::Exchange(ExchangeError::Delayed { .. } | ExchangeError::Unknown(_))) => {
            let resumed = wallet.resume().await?;
            println!("finished {} requests later", resumed.value);
        }
        Err(error) => return Err(error.into()),
    }
    // Changes coins, so that the wallet can pay every amount without asking the issuer first.
    wallet.tidy().await?;
    for balance in wallet.balances() {
        println!(
            "{} {}, {} not finished",
            balance.balance, balance.name, balance.pending
        );
    }
    Ok(())
}

fn read_stack(file: &str) -> Result<CoinStack, Box<dyn Error>> {
    match AnyDocument::from_json(&std::fs::read(file)?)? {
        AnyDocument::CoinStack(stack) => Ok(stack),
        other => Err(format!("{file} is a {:?}, not a coin stack", other.type_name()).into()),
    }
}
