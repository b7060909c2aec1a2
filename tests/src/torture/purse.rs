//! A wallet of the real program. It runs random commands, whose processes may be killed, and checks each result.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::mailbox::{Mailbox, Parcel};
use crate::program;
use crate::tally::Tally;

/// The longest time of one command.
const PATIENCE: Duration = Duration::from_secs(120);
const SIGKILL: i32 = 9;
const MINT_MAX: u64 = 60;
const SEND_MAX: u64 = 30;
/// A wallet that holds more redeems some of it.
const HELD_MAX: u64 = 200;
/// A wallet that cannot finish in this time is a violation. It is many times longer than any fault lasts.
const FINISH_PATIENCE: Duration = Duration::from_secs(180);
/// The name of the counter of killed wallet processes.
pub(super) const WALLETS_KILLED: &str = "wallets killed";
/// The exit code of a command whose request is stored and can be finished later.
const TRY_LATER: i32 = 3;
const DOUBLE_SPEND: &str = "already been taken by somebody else";
const RECEIVED_BEFORE: &str = "has received these coins before";

/// The running process of a wallet, which the nemesis may kill.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Child>>);

impl Slot {
    /// Kills the process. Returns whether one was running.
    pub(super) fn kill(&self) -> bool {
        self.0
            .lock()
            .unwrap()
            .as_mut()
            .is_some_and(|process| process.kill().is_ok())
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Done(String),
    /// It can be finished later.
    Temporary,
    Killed,
    /// Any other error, with its text.
    Refused(String),
}

/// A wallet, and the parcels that it exchanges with others.
pub(super) struct Purse {
    dir: PathBuf,
    token: String,
    slot: Arc<Slot>,
    mailbox: Arc<Mailbox>,
    tally: Arc<Tally>,
    rng: StdRng,
    /// Parcels that it has sent and that may not have been received.
    sent: Vec<Arc<Parcel>>,
    /// The parcel that it has taken from the mailbox and may not have received.
    inbox: Option<Arc<Parcel>>,
    /// Parcels of which a receive was interrupted.
    unsettled: Vec<Arc<Parcel>>,
    /// A command was interrupted, so there may be something to resume.
    is_unfinished: Cell<bool>,
}

impl Purse {
    /// A new wallet with the currency at `url`.
    pub(super) fn new(
        dir: PathBuf,
        url: &str,
        token: String,
        slot: Arc<Slot>,
        mailbox: Arc<Mailbox>,
        tally: Arc<Tally>,
        rng: StdRng,
    ) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let is_unfinished = Cell::new(false);
        let (sent, unsettled) = (Vec::new(), Vec::new());
        let purse = Self {
            dir,
            token,
            slot,
            mailbox,
            tally,
            rng,
            sent,
            inbox: None,
            unsettled,
            is_unfinished,
        };
        let is_added = purse
            .tally
            .wait(FINISH_PATIENCE, || match purse.run(&["add", url]) {
                Ended::Done(_) => true,
                Ended::Temporary | Ended::Killed => false,
                Ended::Refused(text) => {
                    purse.tally.violate(format!("wallet add: {text}"));
                    false
                }
            });
        if !is_added && !purse.tally.is_broken() {
            purse.tally.violate("a wallet cannot be told of its currency");
        }
        purse
    }

    /// Runs a random command.
    pub(super) fn step(&mut self) {
        if self.is_unfinished.get() && self.rng.r#gen() {
            return self.resume();
        }
        if self.inbox.is_some() && self.rng.r#gen() {
            return self.receive();
        }
        let Some(balance) = self.balance() else { return };
        let held = balance["balance"].as_u64().unwrap();
        match self.rng.gen_range(0..10) {
            0..=2 if held > 0 => self.send(held),
            3..=5 if self.inbox.is_none() => {
                self.inbox = self.mailbox.take(&mut self.rng);
                self.receive();
            }
            6 if !self.sent.is_empty() => self.reclaim(),
            7..=8 if held > 0 => {
                let amount = self.rng.gen_range(1..=held);
                self.redeem(amount);
            }
            _ if held > HELD_MAX => self.redeem(held / 2),
            _ => self.mint(),
        }
    }

    /// Receives all parcels in the mailbox.
    pub(super) fn empty_mailbox(&mut self) {
        let tally = Arc::clone(&self.tally);
        let is_empty = tally.wait(FINISH_PATIENCE, || {
            if self.inbox.is_none() {
                self.inbox = self.mailbox.take(&mut self.rng);
            }
            if self.inbox.is_none() {
                return true;
            }
            self.receive();
            false
        });
        if !is_empty && !tally.is_broken() {
            tally.violate("a wallet cannot empty the mailbox");
        }
    }

    /// Finishes all requests, reclaims unreceived coins, redeems all coins, and checks that the wallet is empty.
    pub(super) fn retire(mut self) {
        let tally = Arc::clone(&self.tally);
        if tally.wait(FINISH_PATIENCE, || self.is_emptied()) {
            tally.count("wallets emptied");
            fs::remove_dir_all(&self.dir).unwrap();
        } else if !tally.is_broken() {
            let (dir, balance) = (self.dir.display(), self.balance());
            tally.violate(format!("the wallet in {dir} cannot be emptied: {balance:?}"));
        }
    }

    /// Goes one step towards an empty wallet. Returns whether it is empty.
    fn is_emptied(&mut self) -> bool {
        self.receive();
        self.resume();
        self.reclaim();
        let Some(balance) = self.balance() else {
            return false;
        };
        let [held, pending, sent] =
            ["balance", "pending", "sent"].map(|name| balance[name].as_u64().unwrap());
        if held > 0 {
            self.redeem(held);
            return false;
        }
        pending == 0 && sent == 0 && self.inbox.is_none() && !self.is_unfinished.get()
    }

    fn balance(&self) -> Option<Value> {
        match self.run(&["balance", "--json"]) {
            Ended::Done(stdout) => Some(serde_json::from_str(&stdout).unwrap()),
            Ended::Killed => None,
            other => {
                self.tally.violate(format!("wallet balance: {other:?}"));
                None
            }
        }
    }

    fn mint(&mut self) {
        let amount = self.rng.gen_range(1..=MINT_MAX);
        self.must_succeed("mint", &["mint", &amount.to_string()]);
    }

    fn redeem(&self, amount: u64) {
        self.must_succeed("redeem", &["redeem", &amount.to_string()]);
    }

    /// Runs a command that the issuer must not refuse.
    fn must_succeed(&self, name: &str, arguments: &[&str]) {
        if let Ended::Refused(text) = self.run(arguments) {
            self.tally
                .violate(format!("wallet {name} in {}: {text}", self.dir.display()));
        }
    }

    fn send(&mut self, held: u64) {
        let (amount, parcel) = (self.rng.gen_range(1..=held.min(SEND_MAX)), self.mailbox.parcel());
        match self.run(&["send", &amount.to_string(), "--out", parcel.path()]) {
            Ended::Refused(text) => self
                .tally
                .violate(format!("wallet send in {}: {text}", self.dir.display())),
            // A complete file can be received, even if the command was killed. A partial file has no meaning for the wallet.
            _ if parcel.is_whole() => {
                self.sent.push(Arc::clone(&parcel));
                self.mailbox.put(parcel);
            }
            _ => parcel.discard(),
        }
    }

    fn receive(&mut self) {
        let Some(parcel) = self.inbox.clone() else { return };
        match self.run(&["receive", parcel.path()]) {
            Ended::Done(_) => {}
            Ended::Temporary | Ended::Killed => {
                self.unsettled.push(parcel);
                return;
            }
            Ended::Refused(text) if text.contains(RECEIVED_BEFORE) => {}
            Ended::Refused(text) if text.contains(DOUBLE_SPEND) && parcel.is_contested() => {
                self.tally.count("parcels reclaimed in time")
            }
            Ended::Refused(text) => self
                .tally
                .violate(format!("wallet receive in {}: {text}", self.dir.display())),
        }
        parcel.discard();
        self.inbox = None;
    }

    fn reclaim(&mut self) {
        // From now on receiving them may fail.
        self.sent.iter().for_each(|parcel| parcel.contest());
        match self.run(&["reclaim", "--all"]) {
            Ended::Done(_) => self.sent.clear(),
            Ended::Temporary | Ended::Killed => {}
            Ended::Refused(text) => self
                .tally
                .violate(format!("wallet reclaim in {}: {text}", self.dir.display())),
        }
    }

    fn resume(&mut self) {
        match self.run(&["resume"]) {
            Ended::Done(_) => {
                self.is_unfinished.set(false);
                self.unsettled.clear();
            }
            Ended::Temporary | Ended::Killed => {}
            Ended::Refused(text)
                if text.contains(DOUBLE_SPEND)
                    && self.unsettled.iter().any(|parcel| parcel.is_contested()) =>
            {
                self.tally.count("parcels reclaimed in time");
            }
            Ended::Refused(text) => self
                .tally
                .violate(format!("wallet resume in {}: {text}", self.dir.display())),
        }
    }

    /// Runs `opencoin wallet ARGUMENTS --dir W` in the slot, where it may be killed.
    fn run(&self, arguments: &[&str]) -> Ended {
        let (stdout, stderr) = (
            self.dir.with_extension("stdout"),
            self.dir.with_extension("stderr"),
        );
        let mut command = program::command();
        command
            .arg("wallet")
            .args(arguments)
            .arg("--dir")
            .arg(&self.dir)
            .env("OPENCOIN_TOKEN", &self.token);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        *self.slot.0.lock().unwrap() = Some(command.spawn().unwrap());
        let mut status = None;
        self.tally.wait(PATIENCE, || {
            status = self.slot.0.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            status.is_some()
        });
        let mut process = self.slot.0.lock().unwrap().take().unwrap();
        let status = status.unwrap_or_else(|| {
            if !self.tally.is_broken() {
                self.tally.violate(format!(
                    "wallet {} takes more than {} s",
                    arguments[0],
                    PATIENCE.as_secs()
                ));
            }
            process.kill().unwrap();
            process.wait().unwrap()
        });
        let ended = judge(status, &stdout, &stderr);
        let word = match &ended {
            Ended::Done(_) => "done",
            Ended::Temporary => "later",
            Ended::Killed => "killed",
            Ended::Refused(_) => "refused",
        };
        self.tally.count(&format!("wallet {} {word}", arguments[0]));
        if ended == Ended::Killed {
            self.tally.count(WALLETS_KILLED);
        }
        if ended == Ended::Temporary || ended == Ended::Killed {
            self.is_unfinished.set(true);
        }
        ended
    }
}

fn judge(status: std::process::ExitStatus, stdout: &Path, stderr: &Path) -> Ended {
    if status.signal() == Some(SIGKILL) {
        return Ended::Killed;
    }
    let stderr = fs::read_to_string(stderr).unwrap();
    match status.code() {
        Some(0) => Ended::Done(fs::read_to_string(stdout).unwrap()),
        Some(TRY_LATER) => Ended::Temporary,
        _ => Ended::Refused(format!("{status}: {stderr}")),
    }
}
