//! A wallet that works all the time, repeats each request until it is done, and records the answers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::foreign_wallet::{
    Answer, Blinded, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use crate::{Currency, wait_for};

/// The denominations of a mint or renew.
const DENOMINATIONS: [u64; 2] = [1, 2];
/// The balance of a client's account at the beginning and at the end.
const OPENING_BALANCE: u64 = 1_000_000;
/// Transaction references are hex numbers: the client's number, then that of the transaction.
const TRANSACTIONS_MAX: u64 = 1 << 32;
/// A prefix that makes a new reference from an existing one. No client's number is as high.
const OTHER: &str = "ffff";

/// The counters of all clients.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) retried: AtomicU64,
    /// Mints that waited for money and were carried out.
    pub(super) carried_out: AtomicU64,
    /// Mints that waited for money and expired.
    pub(super) expired: AtomicU64,
    /// Incremented when a primary is about to be killed and when it is dead: odd in between.
    pub(super) deaths: AtomicU64,
    pub(super) stop: AtomicBool,
}

impl Tally {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// A wallet with two accounts: one with money, and one that is empty between operations.
pub(super) struct Client<'a> {
    wallet: &'a ForeignWallet,
    number: u32,
    token: String,
    empty_token: String,
    transactions: u64,
    done: Vec<Done>,
}

/// A request of a client.
#[derive(Clone)]
struct Request {
    path: &'static str,
    token: String,
    idempotency_key: Option<String>,
    message: Value,
}

/// An acknowledged request and its answer.
struct Done {
    request: Request,
    status: u16,
    answer: String,
}

impl<'a> Client<'a> {
    /// Opens the accounts of a client.
    pub(super) fn new(currency: &Currency, wallet: &'a ForeignWallet, number: u32) -> Self {
        Self {
            wallet,
            number,
            token: currency.account(&format!("client-{number}"), OPENING_BALANCE),
            empty_token: currency.account(&format!("empty-{number}"), 0),
            transactions: 0,
            done: Vec::new(),
        }
    }

    /// Mints, renews and redeems until told to stop. It then holds no coins.
    pub(super) fn work(&mut self, tally: &Tally) {
        while !tally.is_stopped() {
            let (blinded, reference) = (self.blinds(), self.next_reference());
            let mint = self.request("/mint", request_mint(&blinded, &reference));
            let coins = self.wallet.unblind(&blinded, &self.ask(tally, mint, &[200]));
            let (blinded, reference) = (self.blinds(), self.next_reference());
            let renew = self.request("/renew", request_renew(&coins, &blinded, &reference));
            let coins = self.wallet.unblind(&blinded, &self.ask(tally, renew, &[200]));
            let redeem = self.request("/redeem", request_redeem(&coins));
            self.ask(tally, redeem, &[200]);
        }
    }

    /// Lets mints of the empty account wait for money, until told to stop. The money comes at once for every second mint,
    /// and after it has expired for the others. An answer that says which of the two has happened is final.
    pub(super) fn wait_for_money(&mut self, tally: &Tally) {
        let mut pays_in_time = false;
        while !tally.is_stopped() {
            pays_in_time = !pays_in_time;
            let (blinded, reference) = (self.blinds(), self.next_reference());
            let mint = Request {
                token: self.empty_token.clone(),
                ..self.request("/mint", request_mint(&blinded, &reference))
            };
            // If the first answer is lost, the mint may have expired when it is repeated.
            self.ask(tally, mint.clone(), &[202, 402]);
            if pays_in_time {
                self.transfer(tally, &self.token.clone(), "empty");
            }
            let resume = self.request("/resume", request_resume(&reference));
            let verdict = self.ask(tally, resume, if pays_in_time { &[200, 402] } else { &[402] });
            if !pays_in_time {
                self.transfer(tally, &self.token.clone(), "empty");
            }
            // Only now is there money for an expired mint, which must stay expired.
            self.ask(tally, mint, &[verdict.http_status]);
            if verdict.http_status == 200 {
                tally.carried_out.fetch_add(1, Ordering::SeqCst);
                let redeem = request_redeem(&self.wallet.unblind(&blinded, &verdict));
                let redeem = self.request("/redeem", redeem);
                self.ask(tally, redeem, &[200]);
            } else {
                tally.expired.fetch_add(1, Ordering::SeqCst);
                self.transfer(tally, &self.empty_token.clone(), "client");
            }
        }
    }

    /// Checks that every acknowledged request gets the same answer again, byte for byte, and that no coin can be spent by
    /// another account or for another purpose. Returns the number of requests.
    pub(super) fn check(&self, other_token: &str) -> u64 {
        for Done {
            request,
            status,
            answer,
        } in &self.done
        {
            let (path, message) = (request.path, &request.message);
            let again = self.send(request).unwrap();
            assert_eq!(
                (again.http_status, &again.text),
                (*status, answer),
                "{path} {message}"
            );
            let stolen = match path {
                "/renew" => {
                    let coins = message["coins"].as_array().unwrap();
                    let reference = format!("{OTHER}{}", message["transaction_reference"].as_str().unwrap());
                    let renew = request_renew(coins, &self.blinds(), &reference);
                    self.wallet.post(path, None, &renew)
                }
                "/redeem" => self.wallet.post(path, Some(other_token), message),
                _ => continue,
            };
            assert_eq!(
                stolen.error_word.as_deref(),
                Some("double-spend"),
                "{path} {message}"
            );
        }
        self.done.len() as u64
    }

    /// Checks that all money is back in the first account.
    pub(super) fn check_balances(&self, currency: &Currency) {
        let balances = ["client", "empty"].map(|kind| currency.balance(&format!("{kind}-{}", self.number)));
        assert_eq!(balances, [OPENING_BALANCE, 0], "client {}", self.number);
    }

    fn blinds(&self) -> Vec<Blinded> {
        self.wallet.blinds(&DENOMINATIONS)
    }

    fn next_reference(&mut self) -> String {
        self.transactions += 1;
        let number = u64::from(self.number + 1) * TRANSACTIONS_MAX + self.transactions;
        format!("{number:x}")
    }

    fn request(&self, path: &'static str, message: Value) -> Request {
        Request {
            path,
            token: self.token.clone(),
            idempotency_key: None,
            message,
        }
    }

    /// Transfers the price of a mint from the account of this token to one of the client's accounts.
    fn transfer(&mut self, tally: &Tally, token: &str, to: &str) {
        let amount: u64 = DENOMINATIONS.iter().sum();
        let message = json!({"to": format!("{to}-{}", self.number), "amount": amount});
        let transfer = Request {
            token: token.to_owned(),
            idempotency_key: Some(self.next_reference()),
            ..self.request("/v1/transfers", message)
        };
        self.ask(tally, transfer, &[200, 201]);
    }

    /// Sends a request until the status of its answer is one of these.
    fn ask(&mut self, tally: &Tally, request: Request, expected: &[u16]) -> Answer {
        let answer = wait_for("an answer", || {
            let deaths = tally.deaths.load(Ordering::SeqCst);
            tally.requests.fetch_add(1, Ordering::SeqCst);
            let state = match self.send(&request) {
                Ok(answer) if expected.contains(&answer.http_status) => return Ok(answer),
                // Not confirmed, or accepted and not signed yet.
                Ok(answer) if [202, 503].contains(&answer.http_status) => format!("{answer:?}"),
                Ok(answer) => panic!("{} {}: {answer:?}", request.path, request.message),
                Err(error) => error.to_string(),
            };
            if deaths % 2 == 1 || tally.deaths.load(Ordering::SeqCst) != deaths {
                tally.unknown.fetch_add(1, Ordering::SeqCst);
            }
            tally.retried.fetch_add(1, Ordering::SeqCst);
            Err(state)
        });
        // A mint that waits is not done.
        if answer.http_status != 202 {
            tally.acknowledged.fetch_add(1, Ordering::SeqCst);
            self.done.push(Done {
                request,
                // The repetition of what was created with 201 is answered 200.
                status: if answer.http_status == 201 {
                    200
                } else {
                    answer.http_status
                },
                answer: answer.text.clone(),
            });
        }
        answer
    }

    fn send(&self, request: &Request) -> Result<Answer, reqwest::Error> {
        let key = request.idempotency_key.as_deref();
        let body = request.message.to_string().into_bytes();
        self.wallet
            .try_post(request.path, Some(&request.token), key, body)
    }
}
