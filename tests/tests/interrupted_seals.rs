//! An issuer is killed at every step from what waits for the public log to a published checkpoint. After a restart, each
//! accepted leaf is in the log once, and no other checkpoint of the same tree was ever signed.
//!
//! The test decides when the issuer dies: a trigger makes the statement of one step wait for a lock of the test, or the
//! witness does not answer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::thread;

use opencoin_e2e::replayed_log::ReplayedLog;
use opencoin_e2e::{Currency, Database, Process, RFC9474, Wallet, WatchedWitness, wait_until};
use opencoin_testkit::postgres::{TestDatabase, TestSession};

/// So many coins of 10 are more leaves than a bundle has, so a tile above level 0 is written.
const MANY: u64 = 2600;

/// The statement at which a trigger makes a transaction wait, and whether it waits before, after, or in the commit.
struct Step {
    when: &'static str,
    statement: &'static str,
    table: &'static str,
}

const fn step(when: &'static str, statement: &'static str, table: &'static str) -> Step {
    Step {
        when,
        statement,
        table,
    }
}

/// The steps of the transaction that seals, before its commit.
const SEALING: [Step; 5] = [
    step("BEFORE", "DELETE", "log_pending"),
    step("AFTER", "DELETE", "log_pending"),
    step("AFTER", "INSERT OR UPDATE", "log_bundles"),
    step("AFTER", "INSERT OR UPDATE", "log_tiles"),
    step("AFTER", "UPDATE", "log_head"),
];
const SEAL_COMMIT: Step = step("COMMIT", "UPDATE", "log_head");
const PUBLISHING: Step = step("BEFORE", "INSERT OR UPDATE", "log_checkpoint");
const PUBLISHING_COMMIT: Step = step("COMMIT", "INSERT OR UPDATE", "log_checkpoint");

/// Makes transactions wait at a step until it is dropped.
struct Hold {
    step: &'static Step,
    lock: Option<TestSession>,
    /// For statements that wait for what was held.
    control: TestSession,
}

impl Hold {
    fn at(step: &'static Step, database: &TestDatabase) -> Self {
        let mut hold = Self {
            step,
            lock: Some(TestSession::open(database)),
            control: TestSession::open(database),
        };
        hold.lock
            .as_mut()
            .unwrap()
            .execute("SELECT pg_advisory_lock(4711)");
        let Step {
            when,
            statement,
            table,
        } = step;
        let trigger = if *when == "COMMIT" {
            format!(
                "CONSTRAINT TRIGGER hold AFTER {statement} ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            )
        } else {
            format!("TRIGGER hold {when} {statement} ON {table} FOR EACH STATEMENT")
        };
        // It waits for as long as the test wants, whatever the session says.
        hold.control.execute(&format!(
            "CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0
                AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
            CREATE {trigger} EXECUTE FUNCTION hold();"
        ));
        hold
    }

    fn wait_until_held(&self, database: &TestDatabase) {
        let what = format!("a transaction waits: {} {}", self.step.when, self.step.table);
        wait_until(&what, || {
            database.number(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            ) > 0
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        drop(self.lock.take());
        if !thread::panicking() {
            // This waits for the end of the transaction that was held.
            self.control
                .execute(&format!("DROP TRIGGER hold ON {}", self.step.table));
        }
    }
}

/// A currency with one witness that the test watches, in whose log Alice has coins.
struct Sealing {
    currency: Currency,
    witness: WatchedWitness,
    witnessing: Process,
    token: String,
    alice: Wallet,
}

/// The log in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    batches: i64,
    size: i64,
    published: i64,
    /// The coins and blinds that wait.
    waiting: i64,
}

impl Sealing {
    fn start(database: Database) -> Self {
        let mut currency = Currency::make_on(RFC9474, database, &[]);
        currency.seal_every_second();
        let (witness, witnessing) = WatchedWitness::start(&currency);
        currency.serve();
        let token = currency.account("alice", 10_000);
        let alice = currency.wallet("alice");
        let sealing = Self {
            currency,
            witness,
            witnessing,
            token,
            alice,
        };
        sealing.mint(1);
        sealing.wait_until_fulfilled();
        sealing
    }

    fn mint(&self, amount: u64) {
        self.alice
            .run(&["mint", &amount.to_string(), "--token", &self.token]);
    }

    /// Waits until the wallet has found all that was promised to it.
    fn wait_until_fulfilled(&self) {
        wait_until("the promises are fulfilled", || {
            let seen = self.alice.run(&["log", "--json"]).json();
            assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
            seen["promises"]["open"] == 0
        });
    }

    fn state(&self) -> State {
        let rows = self.currency.rows();
        let number = |query: &str| rows.number(query);
        State {
            batches: number("SELECT count(*) FROM log_batches"),
            size: number("SELECT size FROM log_head"),
            published: number("SELECT size FROM log_checkpoint"),
            waiting: number("SELECT coalesce(sum(length(coins)), 0) / 38 FROM log_pending"),
        }
    }

    /// The last checkpoint that was signed, from the file beside the keys.
    fn signed(&self) -> String {
        let text = fs::read_to_string(self.currency.dir().join("log/signed")).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    fn has_signed(&self, size: i64) -> bool {
        self.signed().lines().nth(1).unwrap() == size.to_string()
    }

    /// Kills the issuer.
    fn kill(&mut self) {
        self.currency.kill();
        // The lease of the dead process would only make the test wait.
        self.currency.change_ledger("DELETE FROM log_lease");
    }

    /// Kills the issuer at a step of what follows a mint.
    fn kill_at(&mut self, step: &'static Step, amount: u64) {
        let hold = Hold::at(step, self.currency.database());
        self.mint(amount);
        hold.wait_until_held(self.currency.database());
        self.kill();
        drop(hold);
    }

    /// Kills the issuer after it has stored what it is about to sign. It reads the bundles then, for the proof to the
    /// witness.
    fn kill_before_the_witness_is_asked(&mut self) {
        let database = self.currency.database();
        let waits_for_bundles = || {
            let query =
                "SELECT count(*) FROM pg_locks WHERE relation = 'log_bundles'::regclass AND NOT granted";
            database.number(query) > 0
        };
        let hold = Hold::at(&SEAL_COMMIT, database);
        self.mint(1);
        hold.wait_until_held(database);
        let locked = thread::scope(|scope| {
            let locking = scope.spawn(|| {
                let mut session = TestSession::open(database);
                session.execute("BEGIN; LOCK TABLE log_bundles IN ACCESS EXCLUSIVE MODE");
                session
            });
            wait_until("the test is the next to lock the bundles", waits_for_bundles);
            drop(hold);
            locking.join().unwrap()
        });
        wait_until("the issuer waits for the bundles", waits_for_bundles);
        self.kill();
        drop(locked);
    }

    fn kill_while_the_witness_is_asked(&mut self) {
        self.witness.withhold();
        self.mint(1);
        let is_new = |note: &String| note.starts_with(&self.signed());
        wait_until("the witness has the checkpoint", || {
            self.witness.withheld().iter().any(is_new)
        });
        self.kill();
        self.witness.pass();
    }

    /// As [`Self::recover`]. The batch was signed and not published when the issuer was killed.
    fn recover_unpublished(&mut self, before: &State) {
        let killed = self.state();
        assert!(self.has_signed(killed.size));
        assert_eq!(killed.published, before.published);
        self.recover(before);
    }

    /// A batch with the coin was sealed in the books, and is published after a restart. All checkpoints of its size that
    /// the witness was shown are the same bytes.
    fn recover(&mut self, before: &State) {
        let killed = self.state();
        assert_eq!(killed.batches, before.batches + 1, "{killed:?} after {before:?}");
        assert_eq!(
            (killed.size, killed.waiting),
            (before.size + 2, 0),
            "{killed:?} after {before:?}"
        );
        self.currency.serve();
        self.wait_until_fulfilled();
        let recovered = self.state();
        assert_eq!(
            (recovered.batches, recovered.size),
            (killed.batches, killed.size),
            "no batch more"
        );
        assert_eq!(recovered.published, killed.size);
        let signed = self.signed();
        assert!(self.has_signed(killed.size), "{signed}");
        let of_size = |note: &String| note.lines().nth(1).unwrap() == killed.size.to_string();
        let shown: Vec<String> = self.witness.shown().into_iter().filter(of_size).collect();
        assert!(!shown.is_empty());
        for note in &shown {
            assert!(note.starts_with(&signed), "{note}");
            assert_eq!(note, &shown[0]);
        }
    }

    /// Every checkpoint that was ever signed is of the beginning of the log, which has what the books have.
    fn end(mut self) {
        let rows = self.currency.rows();
        let log = ReplayedLog::read(&rows);
        self.witness.assert_one_history(&log);
        assert_eq!(log.faults_against(&rows), [""; 0]);
        self.currency.stop();
        self.currency.audit();
        self.witnessing.stop();
    }
}

#[test]
fn an_issuer_that_is_killed_before_the_commit_of_a_batch_seals_it_later() {
    let mut sealing = Sealing::start(Database::Postgres);
    let before = sealing.state();
    let mut minted = 0;
    for step in &SEALING {
        sealing.kill_at(step, if minted == 0 { MANY } else { 1 });
        let State { waiting, .. } = sealing.state();
        assert_eq!(
            sealing.state(),
            State { waiting, ..before },
            "nothing has changed"
        );
        assert!(sealing.has_signed(before.size));
        if minted == 0 {
            assert!(waiting > 256, "{waiting} coins");
            minted = waiting;
        } else {
            minted += 1;
        }
        assert_eq!(waiting, minted, "what waits is still there");
        sealing.currency.serve();
    }
    sealing.wait_until_fulfilled();
    let State { batches, size, .. } = sealing.state();
    assert_eq!(size - before.size, minted + batches - before.batches);
    sealing.end();
}

#[test]
fn an_issuer_that_is_killed_after_the_commit_of_a_batch_publishes_it_once() {
    let mut sealing = Sealing::start(Database::Postgres);

    // It never learns that the batch is sealed.
    let before = sealing.state();
    sealing.kill_at(&SEAL_COMMIT, 1);
    assert!(sealing.has_signed(before.size));
    sealing.recover(&before);

    let before = sealing.state();
    sealing.kill_before_the_witness_is_asked();
    sealing.recover_unpublished(&before);

    // The witness has the checkpoint, or its answer is lost.
    let before = sealing.state();
    sealing.kill_while_the_witness_is_asked();
    sealing.recover_unpublished(&before);

    // The witness has cosigned.
    let before = sealing.state();
    sealing.kill_at(&PUBLISHING, 1);
    sealing.recover_unpublished(&before);

    // It never learns that the checkpoint is published.
    let before = sealing.state();
    sealing.kill_at(&PUBLISHING_COMMIT, 1);
    let killed = sealing.state();
    assert_eq!(killed.published, killed.size);
    sealing.recover(&before);
    sealing.end();
}

#[test]
fn an_issuer_on_sqlite_that_is_killed_while_the_witness_is_asked_publishes_the_batch_once() {
    let mut sealing = Sealing::start(Database::Sqlite);
    let before = sealing.state();
    sealing.kill_while_the_witness_is_asked();
    sealing.recover_unpublished(&before);
    sealing.end();
}
