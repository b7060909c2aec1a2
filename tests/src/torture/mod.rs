//! A torture test: no coin may be lost or doubled.
//!
//! Wallets mint, send, renew and redeem at random with real issuers, while a nemesis kills issuers and wallets, crashes
//! the database, closes connections, pauses signing and makes statements fail. Then the faults end and all wallets
//! finish: every coin that a wallet holds must redeem exactly once, and all money must be back in the accounts.
//!
//! A seed determines the order of faults, but the operating system's scheduling determines what they hit. A seed that
//! has found a fault therefore finds it often, but not always.

mod answers;
mod books;
mod checks;
mod clients;
mod issuers;
mod mailbox;
mod nemesis;
mod proxy;
mod purse;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use self::books::Books;
use self::clients::Client;
use self::issuers::Issuers;
use self::mailbox::Mailbox;
use self::proxy::Proxy;
use self::purse::{Purse, Slot};
use crate::foreign_wallet::ForeignWallet;
use crate::free_port;
use crate::tally::Tally;

const PURSES: usize = 3;
const CLIENTS: usize = 4;
/// The number of commands of a wallet before a new one replaces it, so that wallets of every age take part.
const STEPS_OF_PURSE_MAX: u32 = 80;
/// The opening balance of each account, which is never used up.
const OPENING: u64 = 1_000_000_000;
/// In a run of at least this length every kind of fault must happen.
const COMPLETE_FROM: Duration = Duration::from_secs(60);

/// The database of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TortureDatabase {
    /// SQLite, with one issuer.
    Sqlite,
    /// PostgreSQL, with two issuers.
    Postgres,
    /// PostgreSQL distributed by Citus, a coordinator and two workers, with two issuers.
    Citus,
}

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where the books are.
    pub database: TortureDatabase,
    /// How long wallets and nemesis work, without finishing and checking.
    pub time: Duration,
    /// Determines the order of faults.
    pub seed: u64,
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// All counters, as a table.
    pub table: String,
    /// The violations; empty if the run passed.
    pub violations: Vec<String>,
    /// The folder with wallets, logs and database of a failed run.
    pub remains: Option<PathBuf>,
}

/// Runs the torture with one currency.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let folder = tempfile::Builder::new()
        .prefix("opencoin-torture-")
        .tempdir()
        .unwrap();
    let tally = Arc::new(Tally::new(options.time));
    tally.guard("the torture", || {
        Torture::begin(options, folder.path(), &tally).run(options)
    });
    let violations = tally.violations();
    let remains = (!violations.is_empty()).then(|| folder.keep());
    Outcome {
        table: tally.table(),
        violations,
        remains,
    }
}

/// A currency, its users, and the proxy between them.
struct Torture {
    folder: PathBuf,
    tally: Arc<Tally>,
    rng: StdRng,
    issuers: Issuers,
    proxy: Arc<Proxy>,
    url: String,
    wallet: Arc<ForeignWallet>,
    /// Names and tokens.
    accounts: Vec<(String, String)>,
    mailbox: Arc<Mailbox>,
    slots: Vec<Arc<Slot>>,
}

impl Torture {
    fn begin(options: &Options, folder: &Path, tally: &Arc<Tally>) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let (dir, port) = (folder.join("currency"), free_port());
        let (books, count) = match options.database {
            TortureDatabase::Sqlite => (
                Books::Sqlite {
                    file: dir.join("ledger.sqlite"),
                },
                1,
            ),
            TortureDatabase::Postgres => (Books::postgres(), 2),
            TortureDatabase::Citus => (Books::citus(), 2),
        };
        let url = format!("http://127.0.0.1:{port}");
        let issuers = Issuers::start(dir, books, count, &url, Arc::clone(tally));
        let proxy = Proxy::start(port, issuers.ports.clone(), Arc::clone(tally), rng.next_u64());
        let names = (0..PURSES + CLIENTS).map(|number| format!("holder-{number}"));
        let accounts = names
            .map(|name| {
                let token = issuers.account(&name, OPENING);
                (name, token)
            })
            .collect();
        let wallet = Arc::new(ForeignWallet::new(&url));
        let mailbox = Arc::new(Mailbox::new(folder.join("mail")));
        let slots = (0..PURSES).map(|_| Arc::default()).collect();
        Self {
            folder: folder.to_owned(),
            tally: Arc::clone(tally),
            rng,
            issuers,
            proxy,
            url,
            wallet,
            accounts,
            mailbox,
            slots,
        }
    }

    fn run(mut self, options: &Options) {
        let tally = Arc::clone(&self.tally);
        self.tally.restart();
        self.proxy.set_faults(true);
        self.issuers.books.strike_commits(self.rng.next_u64());
        let (mut purses, mut clients, credited) = self.work();
        self.proxy.set_faults(false);
        self.issuers
            .books
            .spare_commits()
            .into_iter()
            .for_each(|(name, number)| tally.add(name, number));
        self.issuers.check_alive();
        tally.guard("emptying the mailbox", || {
            in_parallel(&tally, &mut purses, Purse::empty_mailbox)
        });
        tally.guard("redeeming", || in_parallel(&tally, &mut clients, Client::finish));
        for purse in purses {
            tally.guard("a wallet", || purse.retire());
        }
        if !tally.is_broken() {
            self.check(credited);
            self.check_work();
        }
        if options.time >= COMPLETE_FROM && !tally.is_broken() {
            self.check_faults();
        }
        self.proxy.close();
    }

    /// Wallets and nemesis work until the time is over. Returns the wallets and the amount that operators credited.
    fn work(&mut self) -> (Vec<Purse>, Vec<Client>, u64) {
        let mut rngs = (0..PURSES + CLIENTS + 2)
            .map(|_| StdRng::seed_from_u64(self.rng.next_u64()))
            .collect::<Vec<_>>();
        let (killer, breaker) = (rngs.pop().unwrap(), rngs.pop().unwrap());
        let this = &*self;
        thread::scope(|scope| {
            let mut rngs = rngs.into_iter();
            let purses: Vec<_> = (0..PURSES)
                .zip(&mut rngs)
                .map(|(number, rng)| {
                    scope.spawn(move || this.tally.guard("a wallet", || this.use_purses(number, rng)))
                })
                .collect();
            let clients: Vec<_> = (PURSES..PURSES + CLIENTS)
                .zip(&mut rngs)
                .map(|(number, rng)| {
                    let token = this.accounts[number].1.clone();
                    let mut client =
                        Client::new(Arc::clone(&this.wallet), token, rng, Arc::clone(&this.tally));
                    scope.spawn(move || {
                        this.tally.guard("a client", || {
                            client.work();
                            client
                        })
                    })
                })
                .collect();
            let nemesis = scope.spawn(move || {
                this.tally.guard("the killer", || {
                    nemesis::kill(&this.issuers, &this.slots, &this.tally, killer)
                })
            });
            let account = this.accounts[0].0.as_str();
            let credited = this.tally.guard("the breaker", || {
                nemesis::break_books(&this.issuers, account, &this.tally, breaker)
            });
            let _ = nemesis.join();
            let purses = purses
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect();
            let clients = clients
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect();
            (purses, clients, credited.unwrap_or(0))
        })
    }

    /// Uses one wallet after another, and empties each before the next.
    fn use_purses(&self, number: usize, mut rng: StdRng) -> Purse {
        let mut made = 0;
        let mut new_purse = || {
            made += 1;
            let dir = self.folder.join(format!("wallet-{number}-{made}"));
            let (token, rng) = (
                self.accounts[number].1.clone(),
                StdRng::seed_from_u64(rng.next_u64()),
            );
            Purse::new(
                dir,
                &self.url,
                token,
                Arc::clone(&self.slots[number]),
                Arc::clone(&self.mailbox),
                Arc::clone(&self.tally),
                rng,
            )
        };
        let mut purse = new_purse();
        let mut steps = 0;
        while !self.tally.is_over() {
            purse.step();
            steps += 1;
            if steps == STEPS_OF_PURSE_MAX {
                purse.retire();
                purse = new_purse();
                steps = 0;
            }
        }
        purse
    }
}

fn in_parallel<T: Send>(tally: &Tally, items: &mut [T], act: impl Fn(&mut T) + Sync) {
    thread::scope(|scope| {
        let act = &act;
        for item in items {
            scope.spawn(move || tally.guard("finishing", || act(item)));
        }
    });
}
