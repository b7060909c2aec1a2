//! The nemesis: one thread kills processes, another one breaks the database. Each takes its faults from a shuffled deck,
//! so that the seed determines the order and no fault is left out.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::books::{Books, CONNECTIONS_CUT, Trigger, fired};
use super::issuers::Issuers;
use super::purse::{Slot, WALLETS_KILLED};
use crate::tally::Tally;

/// The pause between two faults of one thread.
const KILL_PAUSE_MILLIS: (u64, u64) = (20, 500);
const BREAK_PAUSE_MILLIS: (u64, u64) = (50, 400);
/// The duration of a fault that lasts.
const FAULT_MILLIS: (u64, u64) = (50, 400);
/// How long the nemesis waits for a trigger to fire or for a process to kill.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for a trigger on a statement that is rarely reached.
const LONG_PATIENCE: Duration = Duration::from_secs(12);
/// Statements that set up a fault are retried, because another fault may make them fail.
const TRIES_MAX: u32 = 20;

/// The amount of a credit by the operator.
const CREDIT: u64 = 1000;

#[derive(Debug, Clone, Copy)]
enum Kill {
    Issuer,
    Wallet,
}

#[derive(Debug, Clone, Copy)]
enum Break {
    /// Crashes the server with this number.
    Crash(usize),
    CutConnections,
    PauseSigning,
    Fail(Trigger),
    Audit,
    Credit,
}

/// The names of the counters of all faults that a long run must have.
pub(super) fn fault_names(books: &Books) -> Vec<String> {
    let mut names = ["issuers killed", WALLETS_KILLED, "signing paused"]
        .map(str::to_owned)
        .to_vec();
    names.extend(books.fault_names().into_iter().map(str::to_owned));
    names.extend(triggers_fired(books));
    names
}

/// The names of the counters of all triggers.
pub(super) fn triggers_fired(books: &Books) -> impl Iterator<Item = String> {
    Trigger::all(books)
        .into_iter()
        .map(|trigger| fired(&trigger.name()))
}

/// Kills issuers and wallets until the time is over.
pub(super) fn kill(issuers: &Issuers, slots: &[Arc<Slot>], tally: &Tally, mut rng: StdRng) {
    while !tally.is_over() {
        let mut deck = [
            Kill::Issuer,
            Kill::Issuer,
            Kill::Wallet,
            Kill::Wallet,
            Kill::Wallet,
            Kill::Wallet,
        ];
        deck.shuffle(&mut rng);
        for kill in deck {
            pause(tally, &mut rng, KILL_PAUSE_MILLIS);
            if tally.is_over() {
                return;
            }
            match kill {
                Kill::Issuer => {
                    let index = rng.gen_range(0..issuers.count());
                    issuers.check_alive();
                    issuers.kill(index);
                    tally.count("issuers killed");
                    issuers.books.end_lease();
                    issuers.revive(index);
                }
                Kill::Wallet => {
                    let first = rng.gen_range(0..slots.len());
                    let order = slots.iter().cycle().skip(first).take(slots.len());
                    tally.wait(PATIENCE, || order.clone().any(|slot| slot.kill()));
                }
            }
        }
    }
}

/// Breaks the database and runs operators' commands until the time is over. Returns the sum of the credits to `account`.
pub(super) fn break_books(issuers: &Issuers, account: &str, tally: &Tally, mut rng: StdRng) -> u64 {
    let mut credited = 0;
    while !tally.is_over() {
        for fault in deck(&issuers.books, &mut rng) {
            pause(tally, &mut rng, BREAK_PAUSE_MILLIS);
            if tally.is_over() {
                return credited;
            }
            match fault {
                Break::Crash(server) => {
                    let wait = || pause(tally, &mut rng, FAULT_MILLIS);
                    tally.count(issuers.books.crash(server, wait));
                }
                Break::CutConnections => {
                    persist(tally, "cut connections", || issuers.books.cut_connections());
                    tally.count(CONNECTIONS_CUT);
                }
                Break::PauseSigning => {
                    let _ = issuers.operate_until_done(&["signing", "pause"]);
                    tally.count("signing paused");
                    pause(tally, &mut rng, FAULT_MILLIS);
                    let _ = issuers.operate_until_done(&["signing", "resume"]);
                }
                Break::Fail(trigger) => fail_statements(issuers, trigger, tally, &mut rng),
                Break::Audit => issuers.audit(false),
                Break::Credit => {
                    let (amount, reference) = (CREDIT.to_string(), format!("{:x}", rng.r#gen::<u64>()));
                    // Repeated, because the same reference must credit only once.
                    for _ in 0..2 {
                        let _ = issuers.operate_until_done(&[
                            "account",
                            "credit",
                            account,
                            &amount,
                            "--reference",
                            &reference,
                        ]);
                    }
                    tally.count("operator's credits");
                    credited += CREDIT;
                }
            }
        }
    }
    credited
}

fn deck(books: &Books, rng: &mut StdRng) -> Vec<Break> {
    let mut deck: Vec<Break> = Trigger::all(books).into_iter().map(Break::Fail).collect();
    deck.extend([
        Break::PauseSigning,
        Break::PauseSigning,
        Break::Audit,
        Break::Credit,
    ]);
    let servers = books.servers();
    deck.extend(servers.iter().map(|server| Break::Crash(*server)));
    if !servers.is_empty() {
        deck.extend([Break::CutConnections; 3]);
    }
    deck.shuffle(rng);
    deck
}

/// Installs a trigger, waits until it fires, and removes it.
fn fail_statements(issuers: &Issuers, trigger: Trigger, tally: &Tally, rng: &mut StdRng) {
    let fired = fired(&trigger.name());
    let before = tally.get(&fired);
    persist(tally, "install a trigger", || issuers.books.install(trigger));
    // Statements that wallets never cause come from operators' commands, which must fail.
    let operators = match (trigger.statement, trigger.table) {
        ("INSERT", "accounts") => Some(vec![
            "account".to_owned(),
            "create".to_owned(),
            format!("a{:x}", rng.r#gen::<u64>()),
        ]),
        ("UPDATE", "signing") => Some(vec!["signing".to_owned(), "pause".to_owned()]),
        _ => None,
    };
    if let Some(arguments) = operators {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // The first attempt may fail for another reason.
        for _ in 0..TRIES_MAX {
            if issuers.operate(&arguments).code == Some(0) {
                tally.violate(format!(
                    "{arguments:?} succeeded although {} fails",
                    trigger.name()
                ));
            }
            if tally.get(&fired) > before || tally.is_over() {
                break;
            }
        }
    } else {
        pause(tally, rng, FAULT_MILLIS);
    }
    let patience = if trigger.is_rare() {
        LONG_PATIENCE
    } else {
        PATIENCE
    };
    tally.wait(patience, || tally.get(&fired) > before || tally.is_over());
    persist(tally, "remove a trigger", || issuers.books.remove(trigger));
}

/// Retries until the action succeeds, up to [`TRIES_MAX`] times.
fn persist(tally: &Tally, what: &str, mut act: impl FnMut() -> Result<(), String>) {
    for attempt in 1.. {
        match act() {
            Ok(()) => return,
            Err(error) if attempt == TRIES_MAX => {
                tally.violate(format!("the torture cannot {what}: {error}"));
                return;
            }
            Err(_) => tally.pause(Duration::from_millis(100)),
        }
    }
}

fn pause(tally: &Tally, rng: &mut StdRng, (from, to): (u64, u64)) {
    tally.pause(Duration::from_millis(rng.gen_range(from..=to)));
}
