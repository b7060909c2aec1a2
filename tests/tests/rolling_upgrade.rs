//! Two servers behind a proxy with health checks are replaced one after the other, while the tables are migrated. No
//! request fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_redeem};
use opencoin_e2e::{Currency, RFC9474, RoundRobin, StopAtEnd, free_port, wait_until};
use opencoin_testkit::postgres::TestDatabase;

const GRACE: [&str; 2] = ["--shutdown-grace", "1s"];
const WALLETS: u64 = 4;
const COINS_PER_WALLET: u64 = 5_000;
/// A migration of a later version with which this program is compatible.
const COMPATIBLE_MIGRATION: &str = "
    ALTER TABLE accounts ADD COLUMN of_the_future int8 NOT NULL DEFAULT 0;
    ALTER TABLE transactions ADD COLUMN of_the_future int8;
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'from the future', true, '\\x00', 0);";
const INCOMPATIBLE: &str = "UPDATE schema_compatibility SET oldest_program = 9000";

/// Mints and redeems until told to stop. Every request must succeed at the first attempt.
fn work(currency: &Currency, token: &str, number: u64, is_over: &AtomicBool, requests: &AtomicU64) {
    let wallet = ForeignWallet::new(&currency.url(""));
    for round in 0..COINS_PER_WALLET {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let reference = format!("{:x}", 0x1000_0000 + number * COINS_PER_WALLET + round);
        let coins = wallet.mint(token, &[1], &reference);
        let redeemed = wallet.post("/redeem", Some(token), &request_redeem(&coins));
        assert_eq!(redeemed.http_status, 200, "{redeemed:?}");
        requests.fetch_add(2, Ordering::Relaxed);
    }
    panic!("the wallets ran out of work before the upgrade was over");
}

#[test]
fn no_request_fails_while_servers_are_replaced_and_tables_migrated() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &[]);
    let token = currency.account("alice", 1000);
    let ports = [free_port(), free_port()];
    let mut servers = ports.map(|port| Some(currency.serve_with(port, &GRACE)));
    let proxy = RoundRobin::start_with_health_checks(currency.port(), &ports);

    let (is_over, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    let wait_for_requests = |more: u64| {
        let wanted = requests.load(Ordering::Relaxed) + more;
        wait_until("the wallets work", || {
            requests.load(Ordering::Relaxed) >= wanted || is_over.load(Ordering::Relaxed)
        });
    };
    thread::scope(|scope| {
        let over = StopAtEnd(&is_over);
        for number in 0..WALLETS {
            let (currency, token, requests, is_over) = (&currency, &token, &requests, &is_over);
            scope.spawn(move || {
                let _stop_if_it_fails = StopAtEnd(is_over);
                work(currency, token, number, is_over, requests);
            });
        }
        wait_for_requests(40);
        database.execute(COMPATIBLE_MIGRATION);
        wait_for_requests(40);
        for (server, port) in servers.iter_mut().zip(ports) {
            server.take().unwrap().stop();
            *server = Some(currency.serve_with(port, &GRACE));
            // Otherwise no server would be ready when the other one stops.
            wait_until("the proxy sees that the server is ready", || proxy.is_ready(port));
            wait_for_requests(40);
        }
        drop(over);
    });
    assert!(requests.load(Ordering::Relaxed) > 150);
    currency.audit();
    assert!(
        currency
            .issuer(&["migrate", "--dry-run"])
            .stdout
            .contains("nothing to do")
    );
    for server in servers.iter_mut() {
        server.take().unwrap().stop();
    }
    database.execute(INCOMPATIBLE);
    let _newer = currency
        .issuer_unchecked(&["serve"])
        .refused(1, "schema version 9000");
}
