//! The checks after all wallets have finished.

use std::time::Duration;

use serde_json::Value;

use super::answers::Sent;
use super::proxy::SIGNATURES_COMPARED;
use super::purse::WALLETS_KILLED;
use super::{OPENING, Torture, nemesis, proxy};
use crate::foreign_wallet::{Answer, request_redeem};
use crate::replayed_log::ReplayedLog;

/// The rows of a distributed table from which on they must be spread evenly.
const ROWS_COMPARED_MIN: i64 = 2000;
/// The largest difference between two workers, in per cent of the smaller number.
const ROWS_DIFFERENCE_PER_CENT_MAX: i64 = 10;

/// How long what waits for the public log may take to be published after the faults.
const SEALING_PATIENCE: Duration = Duration::from_secs(30);
/// Names of counters.
const LEAVES: &str = "checked: leaves of the public log";
const BATCHES: &str = "checked: batches of the public log";

impl Torture {
    /// No coin is outstanding: all money is back in the accounts, and no coin can be spent a second time.
    pub(super) fn check(&self, credited: u64) {
        self.check_accounts(credited);
        self.check_repetitions();
        self.check_double_spending();
        self.check_accounts(credited);
        self.issuers.audit(true);
        self.check_log();
        self.check_distribution();
    }

    /// The public log, read from its first leaf, has exactly what the books have.
    fn check_log(&self) {
        let rows = self.issuers.books.rows();
        let unsealed = "SELECT (SELECT count(*) FROM log_pending) + size
            - (SELECT coalesce(max(size), 0) FROM log_checkpoint) FROM log_head";
        self.tally.wait(SEALING_PATIENCE, || rows.number(unsealed) == 0);
        let log = ReplayedLog::read(&rows);
        self.tally.add(LEAVES, log.size());
        self.tally.add(BATCHES, log.batches() as u64);
        for fault in log.faults_against(&rows) {
            self.tally.violate(format!("the public log: {fault}"));
        }
    }

    /// Distributed tables have about the same number of rows on each server.
    fn check_distribution(&self) {
        for (table, rows) in self.issuers.books.rows_on_each_worker() {
            for (worker, rows) in (1..).zip(&rows) {
                let name = format!("rows of {table} on worker {worker}");
                self.tally.add(&name, rows.unsigned_abs());
            }
            let (least, most) = (*rows.iter().min().unwrap(), *rows.iter().max().unwrap());
            let is_even = (most - least) * 100 <= least * ROWS_DIFFERENCE_PER_CENT_MAX;
            if rows.iter().sum::<i64>() >= ROWS_COMPARED_MIN && !is_even {
                self.tally
                    .violate(format!("the rows of {table} on each worker: {rows:?}"));
            }
        }
    }

    /// Even the shortest run has had faults and comparisons.
    pub(super) fn check_work(&self) {
        for name in [
            "issuers killed",
            WALLETS_KILLED,
            SIGNATURES_COMPARED,
            "spent coins refused",
            "wallets emptied",
            LEAVES,
            BATCHES,
        ] {
            if self.tally.get(name) == 0 {
                self.tally
                    .violate(format!("nothing was tested, because this never happened: {name}"));
            }
        }
        if nemesis::triggers_fired(&self.issuers.books).all(|name| self.tally.get(&name) == 0) {
            self.tally.violate("no statement of an issuer has failed");
        }
    }

    /// Every kind of fault has happened.
    pub(super) fn check_faults(&self) {
        let names = nemesis::fault_names(&self.issuers.books)
            .into_iter()
            .chain(proxy::fault_names().map(str::to_owned));
        for name in names.filter(|name| self.tally.get(name) == 0) {
            self.tally.violate(format!(
                "a fault never happened: {name}; a longer run, or a calmer machine"
            ));
        }
    }

    fn check_accounts(&self, credited: u64) {
        let held: u64 = self
            .accounts
            .iter()
            .map(|(name, _)| self.issuers.balance(name))
            .sum();
        let paid_in = OPENING * self.accounts.len() as u64 + credited;
        if held != paid_in {
            self.tally.violate(format!(
                "{paid_in} were paid in, no coin is outstanding, and the accounts hold {held}"
            ));
        }
    }

    /// Accepted requests, repeated, get the same signatures (the proxy compares them) and move no money.
    fn check_repetitions(&self) {
        for kind in ["mint", "renew", "redeem"] {
            for sent in self.proxy.answers.samples(kind) {
                let answer = self.send(&sent);
                self.expect(&answer, 200, "an accepted request, sent again");
                self.tally.count("checked: accepted requests sent again");
            }
        }
    }

    /// Coins of accepted requests cannot be redeemed by another account.
    fn check_double_spending(&self) {
        for sent in ["renew", "redeem"]
            .into_iter()
            .flat_map(|kind| self.proxy.answers.samples(kind))
        {
            let message: Value = serde_json::from_slice(&sent.body).unwrap();
            let body = request_redeem(message["coins"].as_array().unwrap())
                .to_string()
                .into_bytes();
            let others = self.accounts.iter().map(|(_, token)| format!("Bearer {token}"));
            let other = others
                .into_iter()
                .find(|token| Some(token) != sent.token.as_ref());
            let answer = self.send(&Sent {
                path: "/redeem".to_owned(),
                token: other,
                body,
            });
            self.expect(&answer, 409, "a redeem of spent coins");
            self.tally.count("checked: spent coins refused");
        }
    }

    fn send(&self, sent: &Sent) -> Answer {
        let token = sent
            .token
            .as_deref()
            .map(|token| token.trim_start_matches("Bearer "));
        self.wallet
            .try_post_bytes(&sent.path, token, sent.body.clone())
            .unwrap()
    }

    fn expect(&self, answer: &Answer, status: u16, what: &str) {
        if answer.http_status != status {
            let (found, description) = (answer.http_status, &answer.body["status_description"]);
            self.tally
                .violate(format!("{what} got {found} instead of {status}: {description}"));
        }
    }
}
