//! Wallets of the real program that pay each other by key. Their commands are killed now and then, and repeated until the
//! outcome is known.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::key_books::{KeyBooks, KeyPayee, KeyPayment};
use super::network::Network;
use crate::files::text;
use crate::tally::Tally;
use crate::{Wallet, command, opencoin, wait_for};

pub(super) const KEY_WALLETS: u32 = 3;
/// The account of a holder who takes payments by key.
pub(super) const SHOP: &str = "shop";
/// A wallet introduces further keys up to this number.
const KEYS_MAX: usize = 3;
/// What the operator credits to each key.
const PAID_IN: u64 = 1000;
const PAYMENT_MAX: u64 = 30;
const MINT_MAX: u64 = 20;
/// The share of commands that are killed.
const KILLED_PER_CENT: u32 = 20;
/// The longest life of a command that is killed.
const LIFE_MILLIS_MAX: u64 = 400;
/// Leaves the machine some time for the other nodes.
const PAUSE_MILLIS: (u64, u64) = (20, 300);
const SIGKILL: i32 = 9;
/// The exit code for: the outcome is not known yet, or the ledger is away for a moment.
const TRY_LATER: i32 = 3;

/// The names of counters.
pub(super) const KEYS_INTRODUCED: &str = "keys introduced";
pub(super) const PAYMENTS: &str = "payments by key";
pub(super) const MINTS: &str = "mints by key";
pub(super) const REDEEMS: &str = "redeems to a key";
pub(super) const WALLETS_KILLED: &str = "wallets killed";
/// Payments whose first outcome was not told, and that a repetition of the same command has found.
pub(super) const REPEATED: &str = "payments by key told by a repetition";

/// A wallet with keys.
pub(super) struct KeyWallet {
    number: u32,
    dir: PathBuf,
    /// The folder of the currency, for the operator's commands.
    currency_dir: PathBuf,
    pub(super) wallet: Wallet,
    pub(super) keys: Vec<String>,
    /// The value of its coins.
    coins: u64,
    memos: u32,
    books: Arc<KeyBooks>,
    tally: Arc<Tally>,
    rng: StdRng,
}

/// How a command ended whose outcome is not a refusal.
enum Ended {
    Done(Value),
    Later(String),
    Killed,
}

impl KeyWallet {
    /// A new wallet that knows the currency.
    pub(super) fn new(
        number: u32,
        network: &Network,
        books: &Arc<KeyBooks>,
        tally: &Arc<Tally>,
        rng: StdRng,
    ) -> Self {
        let dir = network.currency.scratch(&format!("key-wallet-{number}"));
        let wallet = Wallet::new(&dir);
        wallet.run(&["add", &network.url("")]);
        Self {
            number,
            dir,
            currency_dir: network.currency.dir(),
            wallet,
            keys: Vec::new(),
            coins: 0,
            memos: 0,
            books: Arc::clone(books),
            tally: Arc::clone(tally),
            rng,
        }
    }

    /// Works until the time is over. Every command is repeated until its outcome is known.
    pub(super) fn work(&mut self) {
        self.introduce();
        while !self.tally.is_over() {
            match self.rng.gen_range(0..20) {
                0 if self.keys.len() < KEYS_MAX => self.introduce(),
                1..=3 => self.mint(),
                4..=5 if self.coins > 0 => self.redeem(),
                6 => self.pay_shop(),
                _ => self.pay_key(),
            }
            let (least, most) = PAUSE_MILLIS;
            let pause = Duration::from_millis(self.rng.gen_range(least..=most));
            self.tally.pause(pause);
        }
    }

    fn introduce(&mut self) {
        // Needs no connection.
        let made = self.wallet.key(&["new", "--json"]).json();
        let key = made["key"].as_str().unwrap().to_owned();
        self.until_done(&["key", "introduce", "--key", &key]);
        self.credit(&key);
        self.books.open(&key, PAID_IN);
        self.keys.push(key);
        self.tally.count(KEYS_INTRODUCED);
    }

    /// Lets the operator credit a key.
    fn credit(&self, key: &str) {
        let (amount, reference) = (PAID_IN.to_string(), format!("opening {key}"));
        let credit = [
            "issuer",
            "account",
            "credit",
            key,
            &amount,
            "--reference",
            &reference,
        ];
        let dir = ["--dir", text(&self.currency_dir)];
        wait_for("the operator's credit", || {
            let output = opencoin(&[&credit[..], &dir].concat());
            match output.code {
                Some(TRY_LATER) => Err(output.stderr),
                _ => Ok(output.success()),
            }
        });
    }

    fn pay_key(&mut self) {
        let from = self.own_key();
        if let Some(to) = self.books.another_key(&from, &mut self.rng) {
            self.pay(from, KeyPayee::Key(to));
        }
    }

    fn pay_shop(&mut self) {
        let from = self.own_key();
        self.pay(from, KeyPayee::Shop);
    }

    fn pay(&mut self, from: String, payee: KeyPayee) {
        let amount = self.rng.gen_range(1..=PAYMENT_MAX);
        if !self.books.take(&from, amount) {
            return;
        }
        self.memos += 1;
        let memo = format!("{}.{}", self.number, self.memos);
        let units = amount.to_string();
        let to = match &payee {
            KeyPayee::Key(key) => vec![key.as_str()],
            KeyPayee::Shop => vec!["--to-account", SHOP],
        };
        let pay = [
            &["key", "pay"],
            &to[..],
            &[&units, "--memo", &memo, "--key", &from],
        ]
        .concat();
        let paid = self.until_done(&pay);
        if paid["repeated"] == true {
            self.tally.count(REPEATED);
        }
        let id = paid["payment"].as_str().unwrap().to_owned();
        self.books.paid(KeyPayment {
            id,
            from,
            payee,
            amount,
            memo,
        });
        self.tally.count(PAYMENTS);
    }

    fn mint(&mut self) {
        let (key, amount) = (self.own_key(), self.rng.gen_range(1..=MINT_MAX));
        if !self.books.take(&key, amount) {
            return;
        }
        self.change_coins("mint", &key, amount, self.coins + amount);
        self.books.minted(&key);
        self.tally.count(MINTS);
    }

    fn redeem(&mut self) {
        let (key, amount) = (self.own_key(), self.rng.gen_range(1..=self.coins));
        self.change_coins("redeem", &key, amount, self.coins - amount);
        self.books.redeemed(&key, amount);
        self.tally.count(REDEEMS);
    }

    /// Runs `key mint` or `key redeem` until it was done once. After an outcome that is not known, the wallet finishes what
    /// was begun, and its coins tell whether that was anything.
    fn change_coins(&mut self, name: &str, key: &str, amount: u64, after: u64) {
        let amount = amount.to_string();
        let change = ["key", name, &amount, "--key", key];
        wait_for(name, || match self.run(&change) {
            Ended::Done(_) => Ok(()),
            Ended::Later(_) | Ended::Killed => {
                self.until_done(&["wallet", "resume"]);
                let held = self.wallet.run(&["balance", "--json"]).json();
                assert_eq!(held["pending"], 0, "{held}");
                let held = held["balance"].as_u64().unwrap();
                assert!(held == self.coins || held == after, "{held} instead of {after}");
                if held == after { Ok(()) } else { Err(held) }
            }
        });
        self.coins = after;
    }

    fn own_key(&mut self) -> String {
        self.keys[self.rng.gen_range(0..self.keys.len())].clone()
    }

    /// Repeats a command until it succeeds. Returns what it has printed.
    fn until_done(&mut self, arguments: &[&str]) -> Value {
        wait_for(&arguments.join(" "), || match self.run(arguments) {
            Ended::Done(printed) => Ok(printed),
            Ended::Later(why) => Err(why),
            Ended::Killed => Err("it was killed".to_owned()),
        })
    }

    /// Runs a command of the wallet, and perhaps kills it.
    fn run(&mut self, arguments: &[&str]) -> Ended {
        let mut command = command();
        command.args(arguments).args(["--json", "--dir", text(&self.dir)]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if self.rng.gen_range(0..100) < KILLED_PER_CENT {
            let life = self.rng.gen_range(0..=LIFE_MILLIS_MAX);
            thread::sleep(Duration::from_millis(life));
            // It may have ended.
            let _: io::Result<()> = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.signal() == Some(SIGKILL) {
            self.tally.count(WALLETS_KILLED);
            // Who has read that the payment is made does not repeat the command, which would pay again. `wallet resume`
            // also tells what it has finished when something is left.
            let told = serde_json::from_slice(&output.stdout).ok();
            let is_outcome = arguments[0] == "key";
            return told.filter(|_| is_outcome).map_or(Ended::Killed, Ended::Done);
        }
        match output.status.code() {
            Some(0) => Ended::Done(serde_json::from_slice(&output.stdout).unwrap()),
            Some(TRY_LATER) => Ended::Later(printed(&output.stderr)),
            _ => panic!("{arguments:?}: {}: {}", output.status, printed(&output.stderr)),
        }
    }
}
