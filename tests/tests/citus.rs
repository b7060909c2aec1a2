//! Currencies on tables that Citus distributes over two workers: from the beginning, and after a move.

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint, request_redeem, request_resume};
use opencoin_e2e::{Currency, RFC9474};
use opencoin_testkit::citus::{CitusCluster, PROGRAMS_VARIABLE};
use opencoin_testkit::postgres::TestDatabase;

const DISTRIBUTED: &str =
    "spent, transactions and blinds are distributed by Citus: 8 shards each on 2 servers";

#[test]
fn a_currency_moves_to_distributed_tables_and_goes_on() {
    let Some(cluster) = CitusCluster::start() else {
        println!("SKIPPED: {PROGRAMS_VARIABLE} does not name the programs of a PostgreSQL with Citus");
        return;
    };
    let fresh = cluster.create_database();
    let from_the_beginning = Currency::make(RFC9474, &fresh.url(), &["--distributed"]);
    assert!(from_the_beginning.issuer(&["check"]).stdout.contains(DISTRIBUTED));

    let database = cluster.create_database();
    let mut currency = Currency::make(RFC9474, &database.url(), &[]);
    assert!(
        currency
            .issuer(&["check"])
            .stdout
            .contains("all tables are on one server")
    );
    currency.serve();
    let [alice, bob] = ["alice", "bob"].map(|name| currency.account(name, 100));
    let wallet = ForeignWallet::new(&currency.url(""));
    let blinded = wallet.blinds(&[1, 2, 5]);
    let mint = request_mint(&blinded, "a1");
    let minted = wallet.post("/mint", Some(&alice), &mint);
    let mut coins = wallet.unblind(&blinded, &minted);
    let spent = coins.pop().unwrap();
    let redeem = request_redeem(&[spent]);
    assert_eq!(wallet.post("/redeem", Some(&alice), &redeem).http_status, 200);
    let _in_use = currency
        .issuer_unchecked(&["migrate", "--distributed"])
        .refused(1, "stop all servers");
    currency.stop();

    for _ in 0..2 {
        let moved = currency.issuer(&["migrate", "--distributed"]);
        assert!(moved.stdout.contains(DISTRIBUTED), "{}", moved.stdout);
    }
    assert!(currency.issuer(&["check"]).stdout.contains(DISTRIBUTED));
    currency.audit();

    currency.serve();
    for (path, token, message) in [
        ("/mint", Some(&alice), &mint),
        ("/resume", None, &request_resume("a1")),
    ] {
        let again = wallet.post(path, token.map(String::as_str), message);
        assert_eq!(again.body["blind_signatures"], minted.body["blind_signatures"]);
    }
    assert_eq!(wallet.post("/redeem", Some(&bob), &redeem).http_status, 409);
    let rest = request_redeem(&coins);
    assert_eq!(wallet.post("/redeem", Some(&bob), &rest).http_status, 200);
    let unknown = wallet.post("/resume", None, &request_resume("a2"));
    assert_eq!(unknown.http_status, 404);
    assert_eq!((currency.balance("alice"), currency.balance("bob")), (97, 103));
    currency.issuer(&["prune"]);
    currency.audit();
    currency.stop();
    // A point to which all servers can be restored, as the documents say.
    database.execute("SELECT citus_create_restore_point('opencoin')");
}

#[test]
fn a_database_without_citus_is_not_distributed() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &[]);
    let _unchanged = currency
        .issuer_unchecked(&["migrate", "--distributed"])
        .refused(1, "has no Citus");
    assert!(
        currency
            .issuer(&["check"])
            .stdout
            .contains("all tables are on one server")
    );
}
