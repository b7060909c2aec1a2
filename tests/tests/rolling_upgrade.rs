//! Two servers behind a proxy with health checks are replaced one after the other, while the tables are migrated. No
//! request fails.

use opencoin_e2e::foreign_wallet::ForeignWallet;
use opencoin_e2e::load::Load;
use opencoin_e2e::{COMPATIBLE_MIGRATION, Currency, RFC9474, RoundRobin, free_port, wait_until};
use opencoin_testkit::postgres::TestDatabase;

const GRACE: [&str; 2] = ["--shutdown-grace", "1s"];
const WALLETS: u64 = 4;
const INCOMPATIBLE: &str = "UPDATE schema_compatibility SET oldest_program = 9000";

/// Mints and redeems until the end of the run. Every request must succeed at the first attempt.
fn work(currency: &Currency, token: &str, number: u64, load: &Load) {
    let wallet = ForeignWallet::new(&currency.url(""));
    load.mint_and_redeem(&wallet, number, |path, request| {
        wallet.post(path, Some(token), request)
    });
}

#[test]
fn no_request_fails_while_servers_are_replaced_and_tables_migrated() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &[]);
    let token = currency.account("alice", 1000);
    let ports = [free_port(), free_port()];
    let mut servers = ports.map(|port| Some(currency.serve_with(port, &GRACE)));
    let proxy = RoundRobin::start_with_health_checks(currency.port(), &ports);

    let load = Load::default();
    let wallet = |number| work(&currency, &token, number, &load);
    load.run(WALLETS, wallet, || {
        load.wait_for_requests(40);
        database.execute(COMPATIBLE_MIGRATION);
        load.wait_for_requests(40);
        for (server, port) in servers.iter_mut().zip(ports) {
            server.take().unwrap().stop();
            *server = Some(currency.serve_with(port, &GRACE));
            // Otherwise no server would be ready when the other one stops.
            wait_until("the proxy sees that the server is ready", || proxy.is_ready(port));
            load.wait_for_requests(40);
        }
    });
    assert!(load.finished() > 150);
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
