//! A wallet that mints, renews and redeems all the time, sends a request again until it is done, and knows
//! what it was told.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::foreign_wallet::{Answer, Blinded, ForeignWallet, request_mint, request_redeem, request_renew};

use super::Tally;

/// What is minted and renewed.
const DENOMINATIONS: [u64; 2] = [1, 2];
/// The pause before a request is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a request is sent again before the run has failed.
const PATIENCE: Duration = Duration::from_secs(180);
/// Transaction references are hex numbers: the client's number, then that of the transaction.
const TRANSACTIONS_MAX: u64 = 1 << 32;
/// Before a reference it makes another one, of more clients than there are.
const OTHER: &str = "ffff";

/// A wallet with an account.
pub(super) struct Client<'a> {
    wallet: &'a ForeignWallet,
    number: u32,
    token: String,
    transactions: u64,
    done: Vec<Done>,
}

/// An acknowledged request.
struct Done {
    path: &'static str,
    message: Value,
    answer: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(wallet: &'a ForeignWallet, number: u32, token: String) -> Self {
        Self {
            wallet,
            number,
            token,
            transactions: 0,
            done: Vec::new(),
        }
    }

    /// The name of its account.
    pub(super) fn account(number: u32) -> String {
        format!("client-{number}")
    }

    /// Mints, renews and redeems until it is told to stop; then it has no coins.
    pub(super) fn work(&mut self, tally: &Tally) {
        while !tally.stop.load(Ordering::SeqCst) {
            let (blinded, reference) = (self.blinds(), self.next_reference());
            let minted = self.ask(tally, "/mint", request_mint(&blinded, &reference));
            let coins = self.wallet.unblind(&blinded, &minted);
            let (blinded, reference) = (self.blinds(), self.next_reference());
            let renewed = self.ask(tally, "/renew", request_renew(&coins, &blinded, &reference));
            let coins = self.wallet.unblind(&blinded, &renewed);
            self.ask(tally, "/redeem", request_redeem(&coins));
        }
    }

    /// Everything that was acknowledged is answered again byte for byte, and no coin can be spent by somebody
    /// else or for something else. Gives the number of comparisons.
    pub(super) fn check(&self, other_token: &str) -> u64 {
        for Done {
            path,
            message,
            answer,
        } in &self.done
        {
            let again = self.wallet.post(path, Some(&self.token), message);
            assert_eq!(
                (again.http_status, &again.text),
                (200, answer),
                "{path} {}",
                message["transaction_reference"]
            );
            let stolen = match *path {
                "/renew" => {
                    let coins = message["coins"].as_array().unwrap();
                    let reference = format!("{OTHER}{}", message["transaction_reference"].as_str().unwrap());
                    self.wallet
                        .post(path, None, &request_renew(coins, &self.blinds(), &reference))
                }
                "/redeem" => self.wallet.post(path, Some(other_token), message),
                _ => continue,
            };
            assert_eq!(
                stolen.error_word.as_deref(),
                Some("double-spend"),
                "{path} {}",
                message["transaction_reference"]
            );
        }
        self.done.len() as u64
    }

    fn blinds(&self) -> Vec<Blinded> {
        DENOMINATIONS
            .map(|denomination| self.wallet.blind(denomination, &denomination.to_string()))
            .into()
    }

    fn next_reference(&mut self) -> String {
        self.transactions += 1;
        format!(
            "{:x}",
            u64::from(self.number + 1) * TRANSACTIONS_MAX + self.transactions
        )
    }

    /// Sends a request until it is done.
    fn ask(&mut self, tally: &Tally, path: &'static str, message: Value) -> Answer {
        let begun = Instant::now();
        loop {
            assert!(
                begun.elapsed() < PATIENCE,
                "{path} is not done: {}",
                message["transaction_reference"]
            );
            let deaths = tally.deaths.load(Ordering::SeqCst);
            tally.requests.fetch_add(1, Ordering::SeqCst);
            let answer =
                self.wallet
                    .try_post_bytes(path, Some(&self.token), message.to_string().into_bytes());
            match answer {
                Ok(answer) if answer.http_status == 200 => {
                    tally.acknowledged.fetch_add(1, Ordering::SeqCst);
                    self.done.push(Done {
                        path,
                        message,
                        answer: answer.text.clone(),
                    });
                    return answer;
                }
                // Lost, not confirmed, or accepted and not signed yet.
                Err(_) => {}
                Ok(answer) => assert!([202, 503].contains(&answer.http_status), "{path}: {answer:?}"),
            }
            if deaths % 2 == 1 || tally.deaths.load(Ordering::SeqCst) != deaths {
                tally.unknown.fetch_add(1, Ordering::SeqCst);
            }
            tally.retried.fetch_add(1, Ordering::SeqCst);
            thread::sleep(PAUSE);
        }
    }
}
