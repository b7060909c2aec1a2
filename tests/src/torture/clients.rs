//! Wallets in memory that send requests of their own making: several coins at a time, the same request twice
//! at once, the same coin in two requests at once, coins that are spent. They ask until they know.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};
use serde_json::Value;

use crate::foreign_wallet::{
    Answer, Blinded, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use crate::tally::Tally;

/// How long the answer to one request may take, all attempts together.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE_MILLIS_MAX: u64 = 60;
const DENOMINATIONS: [u64; 4] = [10, 5, 2, 1];
/// The largest number of coins of one mint or redeem.
const COINS_MAX: usize = 8;
/// A client with more coins redeems before it mints again.
const HELD_MAX: usize = 60;
/// The number of spent coins that a client stores, to try to spend them again.
const SPENT_MAX: usize = 60;

/// A wallet in memory.
pub(super) struct Client {
    wallet: Arc<ForeignWallet>,
    token: String,
    rng: StdRng,
    tally: Arc<Tally>,
    coins: Vec<Value>,
    spent: VecDeque<Value>,
}

/// A request, and the transaction reference with which it can be resumed.
struct Question<'a> {
    path: &'a str,
    token: Option<&'a str>,
    request: &'a Value,
    reference: Option<&'a str>,
}

impl Client {
    pub(super) fn new(wallet: Arc<ForeignWallet>, token: String, rng: StdRng, tally: Arc<Tally>) -> Self {
        Self {
            wallet,
            token,
            rng,
            tally,
            coins: Vec::new(),
            spent: VecDeque::new(),
        }
    }

    /// Runs random operations until the time is over.
    pub(super) fn work(&mut self) {
        while !self.tally.is_over() {
            match self.rng.gen_range(0..10) {
                0..=2 if self.coins.len() < HELD_MAX => self.mint(),
                3..=5 if !self.coins.is_empty() => self.renew(),
                6 if !self.coins.is_empty() => self.race(),
                7 if !self.spent.is_empty() => self.spend_again(),
                8..=9 if !self.coins.is_empty() => {
                    let count = self.rng.gen_range(1..=COINS_MAX);
                    self.redeem(count);
                }
                _ => self.mint(),
            }
        }
    }

    /// Redeems every coin that it holds, and tries to spend some earlier coins again.
    pub(super) fn finish(&mut self) {
        while !self.coins.is_empty() && !self.tally.is_broken() {
            self.redeem(COINS_MAX);
        }
        for _ in 0..self.spent.len() {
            self.spend_again();
        }
    }

    fn mint(&mut self) {
        let values: Vec<u64> = (0..self.rng.gen_range(1..=COINS_MAX))
            .map(|_| *DENOMINATIONS.choose(&mut self.rng).unwrap())
            .collect();
        let (blinded, reference) = (self.blind(&values), self.reference());
        let request = request_mint(&blinded, &reference);
        let token = Some(self.token.clone());
        let question = Question {
            path: "/mint",
            token: token.as_deref(),
            request: &request,
            reference: Some(&reference),
        };
        let answer = self.ask_sometimes_twice(&question);
        if let Some(answer) = self.demand(&answer, 200, "a mint") {
            self.tally.add("coins minted by clients", blinded.len() as u64);
            self.coins.extend(self.wallet.unblind(&blinded, answer));
        }
    }

    fn renew(&mut self) {
        let count = self.rng.gen_range(1..=COINS_MAX);
        let given = self.take(count);
        let blinded = self.blind_worth(given.iter().map(value).sum());
        let reference = self.reference();
        let request = request_renew(&given, &blinded, &reference);
        let question = Question {
            path: "/renew",
            token: None,
            request: &request,
            reference: Some(&reference),
        };
        let answer = self.ask_sometimes_twice(&question);
        if let Some(answer) = self.demand(&answer, 200, "a renew") {
            self.tally.add("coins renewed by clients", given.len() as u64);
            self.forget(given);
            self.coins.extend(self.wallet.unblind(&blinded, answer));
        }
    }

    fn redeem(&mut self, count: usize) {
        let given = self.take(count);
        let request = request_redeem(&given);
        let token = Some(self.token.clone());
        let answer = self.ask_sometimes_twice(&Question {
            path: "/redeem",
            token: token.as_deref(),
            request: &request,
            reference: None,
        });
        if self.demand(&answer, 200, "a redeem").is_some() {
            self.tally.add("coins redeemed by clients", given.len() as u64);
            self.forget(given);
        }
    }

    /// Renews one coin in two requests at once. One succeeds, and the other is refused as a double spend.
    fn race(&mut self) {
        let given = self.take(1);
        let attempts = [(); 2].map(|()| {
            let (blinded, reference) = (self.blind_worth(value(&given[0])), self.reference());
            let request = request_renew(&given, &blinded, &reference);
            (blinded, reference, request, self.rng.next_u64())
        });
        let answers = thread::scope(|scope| {
            let client = &*self;
            let running = attempts.each_ref().map(|(_, reference, request, seed)| {
                let question = Question {
                    path: "/renew",
                    token: None,
                    request,
                    reference: Some(reference),
                };
                scope.spawn(move || client.ask(&question, *seed))
            });
            running.map(|thread| thread.join().unwrap())
        });
        self.tally.count("races of two renews for a coin");
        let won: Vec<usize> = (0..2)
            .filter(|index| {
                answers[*index]
                    .as_ref()
                    .is_some_and(|answer| answer.http_status == 200)
            })
            .collect();
        let [winner] = won[..] else {
            if self.tally.is_broken() {
                return;
            }
            self.tally
                .violate(format!("of two renews of one coin {} succeeded", won.len()));
            return;
        };
        if self
            .demand(&answers[1 - winner], 409, "the second renew of a coin")
            .is_some()
        {
            let answer = answers[winner].as_ref().unwrap();
            self.coins
                .extend(self.wallet.unblind(&attempts[winner].0, answer));
            self.forget(given);
        }
    }

    /// Tries to spend a coin again, in a new request.
    fn spend_again(&mut self) {
        let coin = self.spent.pop_front().unwrap();
        let given = [coin];
        let (blinded, reference) = (self.blind_worth(value(&given[0])), self.reference());
        let (renew, token) = (request_renew(&given, &blinded, &reference), self.token.clone());
        let question = Question {
            path: "/renew",
            token: Some(&token),
            request: &renew,
            reference: Some(&reference),
        };
        let seed = self.rng.next_u64();
        let answer = self.ask(&question, seed);
        if self.demand(&answer, 409, "a renew of a spent coin").is_some() {
            self.tally.count("spent coins refused");
        }
    }

    /// Sends the request, and sometimes sends it in two threads at once. The proxy compares the signatures.
    fn ask_sometimes_twice(&mut self, question: &Question<'_>) -> Option<Answer> {
        let seeds = [self.rng.next_u64(), self.rng.next_u64()];
        if self.rng.gen_range(0..4) > 0 {
            return self.ask(question, seeds[0]);
        }
        self.tally.count("requests sent twice at once");
        let answers = thread::scope(|scope| {
            let client = &*self;
            let running = seeds.map(|seed| scope.spawn(move || client.ask(question, seed)));
            running.map(|thread| thread.join().unwrap())
        });
        let [first, second] = answers;
        if let (Some(first), Some(second)) = (&first, &second)
            && first.http_status != second.http_status
        {
            let (path, first, second) = (question.path, first.http_status, second.http_status);
            self.tally.violate(format!(
                "the same request to {path} twice at once got {first} and {second}"
            ));
        }
        first
    }

    /// Sends the request until there is a final answer; `None` if there is none in time or the run is over.
    fn ask(&self, question: &Question<'_>, seed: u64) -> Option<Answer> {
        let mut rng: StdRng = rand::SeedableRng::seed_from_u64(seed);
        let begun = Instant::now();
        let mut is_resuming = false;
        while begun.elapsed() < PATIENCE && !self.tally.is_broken() {
            let answer = match question.reference.filter(|_| is_resuming) {
                Some(reference) => self.send("/resume", None, &request_resume(reference)),
                None => self.send(question.path, question.token, question.request),
            };
            match answer {
                Some(answer) if is_resuming && answer.http_status == 404 => is_resuming = false,
                Some(answer) if !matches!(answer.http_status, 202 | 503) => return Some(answer),
                Some(_) | None => {
                    // The answer was delayed or lost: either repeat the request or resume it.
                    is_resuming = rng.r#gen();
                    thread::sleep(Duration::from_millis(rng.gen_range(0..=PAUSE_MILLIS_MAX)));
                }
            }
        }
        if !self.tally.is_broken() {
            self.tally.violate(format!(
                "no final answer to {} in {} s",
                question.path,
                PATIENCE.as_secs()
            ));
        }
        None
    }

    fn send(&self, path: &str, token: Option<&str>, request: &Value) -> Option<Answer> {
        let answer = self
            .wallet
            .try_post_bytes(path, token, request.to_string().into_bytes())
            .ok();
        self.tally.count(if answer.is_some() {
            "clients: answers"
        } else {
            "clients: no answer"
        });
        answer
    }

    fn demand<'a>(&self, answer: &'a Option<Answer>, status: u16, what: &str) -> Option<&'a Answer> {
        let answer = answer.as_ref()?;
        let is_right = answer.http_status == status
            && (status != 409 || answer.error_word.as_deref() == Some("double-spend"));
        if !is_right {
            let word = answer.error_word.as_deref().unwrap_or("ok");
            let description = &answer.body["status_description"];
            self.tally.violate(format!(
                "{what} got {} ({word}) instead of {status}: {description}",
                answer.http_status
            ));
        }
        is_right.then_some(answer)
    }

    fn take(&mut self, count: usize) -> Vec<Value> {
        self.coins.shuffle(&mut self.rng);
        self.coins.split_off(self.coins.len().saturating_sub(count))
    }

    fn forget(&mut self, coins: Vec<Value>) {
        self.spent.extend(coins);
        self.spent.drain(..self.spent.len().saturating_sub(SPENT_MAX));
    }

    fn blind_worth(&mut self, mut amount: u64) -> Vec<Blinded> {
        let mut values = Vec::new();
        while amount > 0 {
            let fitting: Vec<u64> = DENOMINATIONS
                .into_iter()
                .filter(|value| *value <= amount)
                .collect();
            // Mostly the largest, to keep the number of coins small.
            let chosen = if self.rng.gen_range(0..3) > 0 {
                fitting[0]
            } else {
                *fitting.choose(&mut self.rng).unwrap()
            };
            values.push(chosen);
            amount -= chosen;
        }
        self.blind(&values)
    }

    fn blind(&self, values: &[u64]) -> Vec<Blinded> {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| self.wallet.blind(*value, &format!("b{index}")))
            .collect()
    }

    fn reference(&mut self) -> String {
        // The first digit is not zero, because numbers have no leading zeros on the wire.
        format!("{:x}", self.rng.r#gen::<u128>() | 1 << 127)
    }
}

fn value(coin: &Value) -> u64 {
    coin["payload"]["denomination"].as_u64().unwrap()
}
