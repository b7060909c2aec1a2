//! Holders with accounts, who mint and redeem coins with a wallet that has no code of this project.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::blocking::Client;
use serde_json::Value;

use super::network::Network;
use crate::foreign_wallet::{Answer, ForeignWallet, request_mint, request_redeem};
use crate::tally::Tally;
use crate::wait_for;

const COIN_HOLDERS: u64 = 2;
const PAID_IN: u64 = 1000;
/// The first transaction reference. Each holder has a range of its own above it.
const FIRST_REFERENCE: u64 = 0x2000_0000;
const REFERENCES: u64 = 0x0100_0000;

/// A holder with an account, who mints one coin after another and redeems it.
pub(super) struct Holder {
    name: String,
    token: String,
    wallet: ForeignWallet,
    next_reference: AtomicU64,
}

/// Opens the accounts of all holders.
pub(super) fn open(network: &Network) -> Vec<Holder> {
    let holder = |number: u64| {
        let name = format!("holder-{number}");
        // A connection for each request, so that the proxy chooses an issuer for each.
        let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Holder {
            token: network.currency.account(&name, PAID_IN),
            name,
            wallet: ForeignWallet::with_client(client, &network.url("")),
            next_reference: AtomicU64::new(FIRST_REFERENCE + number * REFERENCES),
        }
    };
    (0..COIN_HOLDERS).map(holder).collect()
}

impl Holder {
    /// Works until the time is over. Every request is repeated until it succeeds.
    pub(super) fn work(&self, tally: &Tally) {
        while !tally.is_over() {
            let reference = self.next_reference.fetch_add(1, Ordering::Relaxed);
            let blinds = self.wallet.blinds(&[1, 2]);
            let minted = self.send("/mint", &request_mint(&blinds, &format!("{reference:x}")));
            let coins = self.wallet.unblind(&blinds, &minted);
            self.send("/redeem", &request_redeem(&coins));
            tally.count("coins minted and redeemed");
        }
    }

    fn send(&self, path: &str, request: &Value) -> Answer {
        let body = request.to_string().into_bytes();
        wait_for("an answer", || {
            match self.wallet.try_post_bytes(path, Some(&self.token), body.clone()) {
                Ok(answer) if answer.http_status == 200 => Ok(answer),
                // No issuer is ready, or it has just started.
                Ok(answer) if matches!(answer.http_status, 202 | 502 | 503) => Err(answer.text),
                Ok(answer) => panic!("{path}: {answer:?}"),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

/// All money is back in the accounts.
pub(super) fn check(holders: &[Holder], network: &Network) {
    for holder in holders {
        assert_eq!(network.currency.balance(&holder.name), PAID_IN, "{}", holder.name);
    }
}
