//! Two issuers that both believe to hold the lease seal and publish the public log at the same time, while wallets work:
//! the log has each leaf once, and only one history is signed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use opencoin_e2e::files::{copy_folder, text};
use opencoin_e2e::foreign_wallet::ForeignWallet;
use opencoin_e2e::load::Load;
use opencoin_e2e::replayed_log::ReplayedLog;
use opencoin_e2e::{Currency, Database, Log, Process, RFC9474, WatchedWitness, free_port, wait_until};
use opencoin_testkit::postgres::TestDatabase;

const WALLETS: u64 = 3;

/// Whoever asks for the lease gets it, and who has sealed which batch is written down.
const EVERYBODY_SEALS: &str = "
    CREATE FUNCTION expire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.until := 0; RETURN NEW; END $$;
    CREATE TRIGGER expire BEFORE INSERT OR UPDATE ON log_lease FOR EACH ROW EXECUTE FUNCTION expire();
    CREATE TABLE sealers (sealer text NOT NULL);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN INSERT INTO sealers VALUES (current_user); RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT ON log_batches FOR EACH ROW EXECUTE FUNCTION note();";

/// Starts another issuer of the currency in this folder, as on a machine of its own. Another role opens the books there.
fn serve_in(folder: &Path, currency: &Currency, role: &str, port: u16, log: &Log) -> Process {
    let url = currency.database().url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    let mut command = currency.command();
    command.args(["issuer", "serve", "--dir", text(folder)]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command
        .env("OPENCOIN_ISSUER_DATABASE", format!("{scheme}://{role}@{place}"))
        .env("OPENCOIN_LOG", "warn");
    Process::start(&mut command, "serving ", log)
}

/// Whether an issuer has a transaction, with which it could hold up the other one.
fn is_in_transaction(database: &TestDatabase, role: &str) -> bool {
    let transactions = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = '{role}'
            AND application_name LIKE 'opencoin%' AND state <> 'idle'"
    );
    database.number(&transactions) > 0
}

#[test]
fn two_issuers_that_both_hold_the_lease_write_one_log() {
    let mut currency = Currency::make_on(RFC9474, Database::Postgres, &[]);
    currency.seal_every_second();
    let (witness, witnessing) = WatchedWitness::start(&currency);
    let owner = currency
        .database()
        .texts("SELECT CAST(current_user AS text)")
        .concat();
    let role = format!("seals_{}", currency.database().name());
    currency.change_ledger(&format!("{EVERYBODY_SEALS} CREATE ROLE {role} LOGIN SUPERUSER"));
    let elsewhere = currency.scratch("elsewhere");
    copy_folder(&currency.dir(), &elsewhere);
    let one = currency.serve_on(currency.port());
    let (port, log) = (free_port(), Log::default());
    let other = serve_in(&elsewhere, &currency, &role, port, &log);
    let token = currency.account("alice", 1000);
    let urls = [currency.url(""), format!("http://127.0.0.1:{port}")];

    let sealed = |sealer: &str| {
        let query = format!("SELECT count(*) FROM sealers WHERE sealer LIKE '{sealer}'");
        currency.database().number(&query)
    };

    let load = Load::default();
    let work = |number: u64| {
        let wallet = ForeignWallet::new(&urls[number as usize % 2]);
        let send = |path: &str, message: &_| wallet.post(path, Some(&token), message);
        load.mint_and_redeem(&wallet, number, send);
    };
    load.run(WALLETS, work, || {
        load.wait_for_requests(1);
        for (paused, its_role, sealer) in [(&one, &owner, &role), (&other, &role, &owner)] {
            let before = sealed(sealer);
            wait_until("the other issuer has sealed", || {
                paused.pause();
                let has_sealed = sealed(sealer) > before;
                if !has_sealed && is_in_transaction(currency.database(), its_role) {
                    paused.resume();
                }
                has_sealed
            });
            // It believes what it believed before.
            paused.resume();
            let before = sealed("%");
            wait_until("one of both has sealed", || sealed("%") > before);
        }
    });
    currency.wait_until_all_is_published();

    for url in urls {
        let ready = reqwest::blocking::get(format!("{url}/health/ready")).unwrap();
        assert_eq!(ready.status().as_u16(), 200, "{}{}", currency.log(), log.text());
    }
    one.stop();
    other.stop();
    for said in [currency.log(), log.text()] {
        assert!(
            !said.contains("ALARM") && !said.contains("does not cosign"),
            "{said}"
        );
    }
    let rows = currency.rows();
    let log = ReplayedLog::read(&rows);
    witness.assert_one_history(&log);
    assert_eq!(log.faults_against(&rows), [""; 0]);
    assert_eq!(currency.balance("alice"), 1000);
    currency.audit();
    witnessing.stop();
    currency.change_ledger(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
