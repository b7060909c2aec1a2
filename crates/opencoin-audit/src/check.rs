//! The invariants of the books, checked on the facts of a pass.

use opencoin_ledger::LogTotals;

use crate::rule::for_all;
use crate::{
    AccountFacts, AuditFacts, Check, ClosedAccountFacts, LogFacts, LoggedAccountFacts, MintKeyFacts,
    PayoutFacts,
};

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Every invariant, whether it holds or not.
    pub checks: Vec<Check>,
}

impl AuditReport {
    /// Whether every invariant holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// The names of the invariants that do not hold.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.checks.iter().filter(|check| !check.holds);
        broken.map(|check| check.name).collect()
    }
}

/// Checks every invariant of the books.
#[must_use]
pub fn check(facts: &AuditFacts) -> AuditReport {
    let (accounts, keys) = (&facts.accounts, &facts.mint_keys);
    let mut checks = vec![
        for_all("every row makes sense", &facts.invalid, |row| {
            Some((*row).clone())
        }),
        for_all("no balance is below zero", accounts, |account| {
            (account.balance < 0).then(|| format!("{}: {}", account.name, account.balance))
        }),
        for_all("every balance is what the journal says", accounts, |account| {
            let journal = account.journal.balance;
            let differs = account.balance != journal;
            differs.then(|| format!("{}: {}, journal {journal}", account.name, account.balance))
        }),
        for_all("no entry of an account is missing", accounts, |account| {
            let (last, journal) = (account.last_entry, account.journal.last_entry);
            let fits = last == journal || (last == facts.entries_above && last > journal);
            (!fits).then(|| format!("{}: {last} entries, journal {journal}", account.name))
        }),
        for_all(CLOSED, accounts, closed_has_something),
        for_all(KEY_COUNTS, accounts, key_counts_differ),
        for_all(KEYS_LOGGED, accounts, logged_differently),
        for_all("no mint key has more coins back than it signed", keys, |key| {
            let fits = (0..=key.issued).contains(&key.returned);
            (!fits).then(|| format!("{:?}: {} of {}", key.id, key.returned, key.issued))
        }),
        for_all(
            "every signature counted was accepted in the journal",
            keys,
            |key| {
                (key.issued != key.blinds)
                    .then(|| format!("{:?}: {}, journal {}", key.id, key.issued, key.blinds))
            },
        ),
        for_all(
            "no more signatures were given again than were recovered from the public log",
            keys,
            |key| {
                let fits = key.again <= key.recovered && (facts.log.is_some() || key.recovered == 0);
                (!fits).then(|| format!("{:?}: {} again, {} recovered", key.id, key.again, key.recovered))
            },
        ),
        for_all(
            "every coin counted as returned is recorded as spent",
            keys,
            |key| {
                let differs = key.counted && !key.pruned && key.returned != key.spent;
                differs.then(|| format!("{:?}: {}, spent {}", key.id, key.returned, key.spent))
            },
        ),
        for_all(
            "every coin counted as recouped is recorded as such",
            keys,
            |key| {
                let differs = key.counted && !key.pruned && key.recouped != key.recouped_rows;
                differs.then(|| format!("{:?}: {}, recorded {}", key.id, key.recouped, key.recouped_rows))
            },
        ),
        for_all(
            "a pruned mint key has no more coins recorded as spent or recouped than it counts",
            keys,
            |key| {
                // The rows are deleted in portions after the key was pruned.
                let fits = key.spent <= key.returned && key.recouped_rows <= key.recouped;
                (key.pruned && !fits).then(|| {
                    format!(
                        "{:?}: spent {}, recouped {}",
                        key.id, key.spent, key.recouped_rows
                    )
                })
            },
        ),
        for_all(
            "coins of stopped mint keys alone were recouped, and no more than were signed",
            keys,
            |key| {
                let fits = (0..=key.issued).contains(&key.recouped) && (key.stopped || key.recouped == 0);
                (!fits).then(|| {
                    format!(
                        "{:?}: {} of {}, stopped: {}",
                        key.id, key.recouped, key.issued, key.stopped
                    )
                })
            },
        ),
        keys_are_recorded(
            "every retired mint key was retired in the journal",
            facts,
            |key| key.retired,
            facts.retirements,
        ),
        // Marking a key as pruned could hide that somebody deleted rows of its coins.
        keys_are_recorded(
            "every pruned mint key was pruned in the journal",
            facts,
            |key| key.pruned,
            facts.prunes,
        ),
        for_all(
            "every payout was asked for in the journal and settled as it says",
            &facts.payouts,
            |payout| {
                let &PayoutFacts {
                    no,
                    requests,
                    settlements,
                    paid,
                    ..
                } = payout;
                let fits = requests == 1 && settlements == u64::from(paid.is_some());
                (!fits).then(|| {
                    format!(
                        "payout {}: {requests} requests, {settlements} settlements",
                        no.get()
                    )
                })
            },
        ),
        all_blinds_are_of_records(facts),
        no_given_up_mint_waits(facts),
        money_is_conserved(facts),
        payouts_agree(facts),
        coins_outstanding_agree(facts),
        recouped_agree(facts),
        log_counts_agree(facts),
        log_totals_agree(facts),
        ledger_root_agrees(facts),
        log_goes_on(facts),
    ];
    checks.extend(crate::files::rules(facts));
    AuditReport { checks }
}

const CLOSED: &str = "a closed account has no money and no way in";

fn closed_has_something(account: &AccountFacts) -> Option<String> {
    let (closed, balance) = (account.closed?, account.balance);
    (balance != 0 || closed != ClosedAccountFacts::default())
        .then(|| format!("{}: balance {balance}, {closed:?}", account.name))
}

const KEY_COUNTS: &str = "every key has made the payments and got the credits that the journal says";

fn key_counts_differ(account: &AccountFacts) -> Option<String> {
    let key = account.key.as_ref()?;
    let (counted, journal) = (
        (key.seq, key.credits),
        (account.journal.seq, account.journal.credits),
    );
    (counted != journal).then(|| {
        format!(
            "{}: {} payments and {} credits, journal {} and {}",
            account.name, counted.0, counted.1, journal.0, journal.1
        )
    })
}

const KEYS_LOGGED: &str = "the public log has the account of every key as the books have it";

fn logged_differently(account: &AccountFacts) -> Option<String> {
    let key = account.key.as_ref()?;
    let books = LoggedAccountFacts {
        balance: account.balance,
        seq: key.seq,
        credits: key.credits,
    };
    let Some(logged) = key.logged else {
        return Some(format!("{}: it is not in the log", account.name));
    };
    (logged != books).then(|| format!("{}: log {logged:?}; books {books:?}", account.name))
}

fn ledger_root_agrees(facts: &AuditFacts) -> Check {
    let name = "the root over key accounts in the public log is that of its rows";
    let (holds, detail) = match &facts.log {
        None => (true, "none".to_owned()),
        Some(log) => (
            log.ledger_root == Some(log.computed_root),
            format!("computed {}", log.computed_root),
        ),
    };
    Check { name, holds, detail }
}

fn all_blinds_are_of_records(facts: &AuditFacts) -> Check {
    let (rows, records) = (facts.blinds_rows, facts.records_with_blinds);
    Check {
        name: "all stored blinds belong to a transaction",
        holds: rows.is_none_or(|rows| rows == records),
        detail: rows.map_or_else(
            || "not counted".to_owned(),
            |rows| format!("rows {rows}, transactions {records}"),
        ),
    }
}

fn keys_are_recorded(
    name: &'static str,
    facts: &AuditFacts,
    is_marked: fn(&MintKeyFacts) -> bool,
    journal: u64,
) -> Check {
    let keys = facts.mint_keys.iter().filter(|key| is_marked(key)).count();
    Check {
        name,
        holds: keys as u64 == journal,
        detail: format!("mint keys {keys}, journal {journal}"),
    }
}

fn no_given_up_mint_waits(facts: &AuditFacts) -> Check {
    let (waiting, given_up) = (facts.waiting_mints, facts.waiting_although_given_up);
    Check {
        name: "no mint waits for money that was given up",
        holds: given_up == 0,
        detail: format!("waiting {waiting}, for {}, given up {given_up}", facts.waited_for),
    }
}

fn money_is_conserved(facts: &AuditFacts) -> Check {
    let accounts: i128 = facts.accounts.iter().map(|account| account.balance).sum();
    let (coins, payouts) = (facts.coins_outstanding, facts.unsettled_payouts);
    let (paid_in, paid_out, recouped) = (facts.paid_in, facts.paid_out, facts.recouped);
    let recovered = facts.recovered_unassigned;
    let unassigned = if recovered == 0 {
        String::new()
    } else {
        format!(", recovered and not assigned {recovered}")
    };
    Check {
        name: "accounts, payouts on their way and coins outstanding are what was paid in minus what was paid out plus what was recouped",
        holds: accounts + payouts + recovered + coins == paid_in - paid_out + recouped,
        detail: format!(
            "accounts {accounts}, payouts {payouts}, coins {coins}, paid in {paid_in}, paid out {paid_out}, recouped {recouped}{unassigned}"
        ),
    }
}

fn payouts_agree(facts: &AuditFacts) -> Check {
    let open = facts.payouts.iter().filter(|payout| payout.paid.is_none());
    let open: i128 = open.map(|payout| payout.amount).sum();
    Check {
        name: "payouts on their way are what the journal says",
        holds: open == facts.unsettled_payouts,
        detail: format!("payouts {open}, journal {}", facts.unsettled_payouts),
    }
}

fn coins_outstanding_agree(facts: &AuditFacts) -> Check {
    let by_key: i128 = facts
        .mint_keys
        .iter()
        .map(|key| key.denomination * (key.issued - key.returned))
        .sum();
    Check {
        name: "coins outstanding by mint key are what the journal says",
        holds: by_key == facts.coins_outstanding,
        detail: format!("by mint key {by_key}, journal {}", facts.coins_outstanding),
    }
}

fn recouped_agree(facts: &AuditFacts) -> Check {
    let by_key: i128 = facts
        .mint_keys
        .iter()
        .map(|key| key.denomination * key.recouped)
        .sum();
    Check {
        name: "what was recouped by mint key is what the journal says",
        holds: by_key == facts.recouped - facts.borne,
        detail: format!("by mint key {by_key}, journal {}", facts.recouped - facts.borne),
    }
}

fn log_counts_agree(facts: &AuditFacts) -> Check {
    let keys: &[MintKeyFacts] = if facts.log.is_some() {
        &facts.mint_keys
    } else {
        &[]
    };
    for_all(
        "the public log has every signature and every coin that came back",
        keys,
        |key| {
            let differs = (key.logged_issued, key.logged_spent) != (key.issued, key.returned);
            differs.then(|| {
                format!(
                    "{:?}: signed {}, log {}; returned {}, log {}",
                    key.id, key.issued, key.logged_issued, key.returned, key.logged_spent
                )
            })
        },
    )
}

fn log_totals_agree(facts: &AuditFacts) -> Check {
    let name = "the totals of the public log are those of the books";
    let sum = |is_of_key: bool| -> i128 {
        let accounts = facts.accounts.iter();
        let of_kind = accounts.filter(|account| account.id.is_key_account() == is_of_key);
        of_kind.map(|account| account.balance).sum()
    };
    let books = LogTotals {
        accounts: sum(false) + facts.unsettled_payouts + facts.recovered_unassigned,
        key_accounts: sum(true),
        paid_in: facts.paid_in,
        paid_out: facts.paid_out,
        recouped: facts.recouped,
    };
    let (holds, detail) = match &facts.log {
        None => (true, "none".to_owned()),
        Some(LogFacts { totals: None, .. }) => (true, "too large to be stated, so the log halts".to_owned()),
        Some(LogFacts {
            totals: Some(log), ..
        }) => {
            let shown = |totals: &LogTotals| {
                format!(
                    "accounts {}, key accounts {}, paid in {}, paid out {}, recouped {}",
                    totals.accounts, totals.key_accounts, totals.paid_in, totals.paid_out, totals.recouped
                )
            };
            (
                *log == books,
                format!("log {}; books {}", shown(log), shown(&books)),
            )
        }
    };
    Check { name, holds, detail }
}

fn log_goes_on(facts: &AuditFacts) -> Check {
    let halted = facts.log.as_ref().and_then(|log| log.halted.as_ref());
    Check {
        name: "the public log is not halted",
        holds: halted.is_none(),
        detail: halted.cloned().unwrap_or_else(|| "none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountSums, FileFacts, KeyAccountFacts};
    use opencoin_ledger::bank::{ExportNo, ExportState};
    use opencoin_ledger::{AccountId, MintKeyId, PayoutNo};
    use opencoin_log::hash::Hash;

    fn sound() -> AuditFacts {
        let id = AccountId::new(3);
        AuditFacts {
            accounts: vec![
                AccountFacts {
                    id,
                    name: "alice".into(),
                    balance: 40,
                    last_entry: 2,
                    journal: AccountSums {
                        balance: 40,
                        last_entry: 2,
                        ..AccountSums::default()
                    },
                    key: None,
                    closed: None,
                },
                AccountFacts {
                    id: AccountId::FIRST_KEY_ACCOUNT,
                    name: "ab".repeat(32),
                    balance: 20,
                    last_entry: 4,
                    journal: AccountSums {
                        balance: 20,
                        last_entry: 4,
                        seq: 3,
                        credits: 1,
                    },
                    key: Some(KeyAccountFacts {
                        seq: 3,
                        credits: 1,
                        logged: Some(LoggedAccountFacts {
                            balance: 20,
                            seq: 3,
                            credits: 1,
                        }),
                    }),
                    closed: None,
                },
            ],
            mint_keys: vec![MintKeyFacts {
                id: MintKeyId::new([7; 20]),
                denomination: 10,
                terms: None,
                issued: 5,
                returned: 2,
                recouped: 1,
                blinds: 5,
                recovered: 0,
                again: 0,
                logged_issued: 5,
                logged_spent: 2,
                counted: true,
                spent: 2,
                recouped_rows: 1,
                stopped: true,
                retired: false,
                pruned: false,
            }],
            payouts: vec![PayoutFacts {
                no: PayoutNo::new(1),
                amount: 20,
                paid: None,
                requests: 1,
                settlements: 0,
                files: 1,
            }],
            files: vec![FileFacts {
                no: ExportNo::new(1),
                state: Some(ExportState::Made),
                payouts: 1,
                amount: 20,
                held: 1,
                held_amount: 20,
                open: 1,
            }],
            paid_in: 110,
            paid_out: 10,
            unsettled_payouts: 20,
            coins_outstanding: 30,
            recouped: 10,
            transactions: 9,
            log: Some(LogFacts {
                ledger_root: Some(Hash::EMPTY_TREE),
                computed_root: Hash::EMPTY_TREE,
                totals: Some(LogTotals {
                    accounts: 60,
                    key_accounts: 20,
                    paid_in: 110,
                    paid_out: 10,
                    recouped: 10,
                }),
                halted: None,
            }),
            ..AuditFacts::default()
        }
    }

    #[test]
    fn sound_books_hold() {
        let report = check(&sound());
        assert!(report.holds(), "{report:?}");
        assert!(check(&AuditFacts::default()).holds());
    }

    #[test]
    fn coins_that_were_not_counted_are_not_compared() {
        let mut facts = sound();
        (
            facts.mint_keys[0].counted,
            facts.mint_keys[0].spent,
            facts.mint_keys[0].recouped_rows,
        ) = (false, 0, 0);
        assert!(check(&facts).holds());
    }

    #[test]
    fn books_with_a_retired_and_pruned_key_hold() {
        let mut facts = sound();
        (facts.mint_keys[0].retired, facts.retirements) = (true, 1);
        (facts.mint_keys[0].pruned, facts.mint_keys[0].spent, facts.prunes) = (true, 0, 1);
        facts.mint_keys[0].recouped_rows = 0;
        let report = check(&facts);
        assert!(report.holds(), "{report:?}");
    }

    type Break = (fn(&mut AuditFacts), &'static str);

    #[test]
    fn every_broken_invariant_is_found_and_named() {
        let breaks: [Break; 38] = [
            (
                |facts| facts.payouts[0].files = 2,
                "every payout is in at most one file that was not withdrawn",
            ),
            (
                |facts| facts.files[0].state = Some(ExportState::Paid),
                "every payout of a file that the bank has paid is settled",
            ),
            (
                |facts| facts.files[0].held_amount = 21,
                "every file has as many payouts and as much money as it says",
            ),
            (
                |facts| facts.mint_keys[0].logged_issued = 4,
                "the public log has every signature and every coin that came back",
            ),
            (
                |facts| facts.mint_keys[0].logged_spent = 3,
                "the public log has every signature and every coin that came back",
            ),
            (
                |facts| facts.log.as_mut().unwrap().totals.as_mut().unwrap().accounts = 79,
                "the totals of the public log are those of the books",
            ),
            (
                |facts| facts.log.as_mut().unwrap().totals.as_mut().unwrap().paid_in = 111,
                "the totals of the public log are those of the books",
            ),
            (|facts| facts.accounts[1].journal.seq = 4, KEY_COUNTS),
            (
                |facts| facts.accounts[1].key.as_mut().unwrap().credits = 2,
                KEY_COUNTS,
            ),
            (
                |facts| facts.accounts[1].key.as_mut().unwrap().logged = None,
                KEYS_LOGGED,
            ),
            (
                |facts| facts.accounts[1].key.as_mut().unwrap().seq = 4,
                KEYS_LOGGED,
            ),
            (
                |facts| facts.log.as_mut().unwrap().ledger_root = None,
                "the root over key accounts in the public log is that of its rows",
            ),
            (
                |facts| facts.log.as_mut().unwrap().halted = Some("a coin is spent twice".into()),
                "the public log is not halted",
            ),
            (
                |facts| facts.invalid.push("transaction 4: odd".into()),
                "every row makes sense",
            ),
            (|facts| facts.accounts[0].balance = -1, "no balance is below zero"),
            (
                |facts| facts.accounts[0].journal.balance = 39,
                "every balance is what the journal says",
            ),
            (
                |facts| facts.accounts[0].last_entry = 3,
                "no entry of an account is missing",
            ),
            (
                |facts| facts.blinds_rows = Some(1),
                "all stored blinds belong to a transaction",
            ),
            (
                |facts| facts.mint_keys[0].returned = 6,
                "no mint key has more coins back than it signed",
            ),
            (
                |facts| facts.mint_keys[0].again = 1,
                "no more signatures were given again than were recovered from the public log",
            ),
            (
                |facts| facts.mint_keys[0].blinds = 4,
                "every signature counted was accepted in the journal",
            ),
            (
                |facts| facts.mint_keys[0].spent = 1,
                "every coin counted as returned is recorded as spent",
            ),
            (
                |facts| facts.mint_keys[0].recouped_rows = 2,
                "every coin counted as recouped is recorded as such",
            ),
            (
                |facts| (facts.mint_keys[0].pruned, facts.mint_keys[0].spent, facts.prunes) = (true, 1000, 1),
                "a pruned mint key has no more coins recorded as spent or recouped than it counts",
            ),
            (
                |facts| {
                    (
                        facts.mint_keys[0].pruned,
                        facts.mint_keys[0].recouped_rows,
                        facts.prunes,
                    ) = (true, 1000, 1)
                },
                "a pruned mint key has no more coins recorded as spent or recouped than it counts",
            ),
            (
                |facts| facts.mint_keys[0].stopped = false,
                "coins of stopped mint keys alone were recouped, and no more than were signed",
            ),
            (
                |facts| facts.mint_keys[0].recouped = 6,
                "coins of stopped mint keys alone were recouped, and no more than were signed",
            ),
            (
                |facts| facts.mint_keys[0].retired = true,
                "every retired mint key was retired in the journal",
            ),
            (
                |facts| (facts.mint_keys[0].pruned, facts.mint_keys[0].spent) = (true, 0),
                "every pruned mint key was pruned in the journal",
            ),
            (
                |facts| facts.payouts[0].requests = 2,
                "every payout was asked for in the journal and settled as it says",
            ),
            (
                |facts| facts.payouts[0].paid = Some(true),
                "every payout was asked for in the journal and settled as it says",
            ),
            (
                |facts| facts.accounts[0].closed = Some(ClosedAccountFacts::default()),
                "a closed account has no money and no way in",
            ),
            (
                |facts| facts.waiting_although_given_up = 1,
                "no mint waits for money that was given up",
            ),
            (
                |facts| facts.payouts[0].amount = 21,
                "payouts on their way are what the journal says",
            ),
            (
                |facts| facts.unsettled_payouts = 19,
                "accounts, payouts on their way and coins outstanding are what was paid in minus what was paid out plus what was recouped",
            ),
            (
                |facts| facts.paid_out = 0,
                "accounts, payouts on their way and coins outstanding are what was paid in minus what was paid out plus what was recouped",
            ),
            (
                |facts| facts.recouped = 0,
                "what was recouped by mint key is what the journal says",
            ),
            (
                |facts| facts.coins_outstanding = 20,
                "coins outstanding by mint key are what the journal says",
            ),
        ];
        for (break_it, name) in breaks {
            let mut facts = sound();
            break_it(&mut facts);
            let broken = check(&facts).broken();
            assert!(broken.contains(&name), "{name}: {broken:?}");
        }
    }
}
