//! Mints that wait for money, with two server processes, across crashes, and with the command line's wallet.

use std::thread;

use opencoin_e2e::foreign_wallet::{Answer, ForeignWallet, request_mint, request_redeem, request_resume};
use opencoin_e2e::{Currency, Database, Process, RFC9474, free_port, wait_for, wait_until};
use reqwest::blocking::Client;
use serde_json::json;

/// The wallet's message while a mint waits.
const FOR_MONEY: &str = "waiting for money on the account; nothing was taken yet";

/// A currency whose mints wait for money, for this time.
fn currency_with_waiting_mints(database: Database, wait: &str) -> Currency {
    let environment = vec![
        ("OPENCOIN_ISSUER_ACCOUNTS_WHEN_SHORT", "delay".into()),
        ("OPENCOIN_ISSUER_ACCOUNTS_WAIT", wait.into()),
    ];
    Currency::make_in(environment, RFC9474, database, &[])
}

/// Waits for the balance by reading the ledger only, so that no request makes the issuer look at the waiting mints.
fn wait_for_balance(currency: &Currency, expected: u64) {
    wait_for("the balance of alice", || {
        let balance = currency.balance("alice");
        if balance == expected { Ok(()) } else { Err(balance) }
    });
}

/// Runs the audit, and checks the amount that is outstanding in coins.
fn audit(currency: &Currency, coins_outstanding: u64) {
    let report = currency.audit();
    assert_eq!(
        report["totals"]["coins_outstanding"], coins_outstanding,
        "{report:#}"
    );
}

fn assert_waits(answer: &Answer) {
    assert_eq!(
        (answer.http_status, &answer.body["type"]),
        (202, &json!("response delay")),
        "{answer:?}"
    );
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

#[test]
fn a_waiting_mint_is_carried_out_once_by_two_processes() {
    for database in [Database::Sqlite, Database::Postgres] {
        let currency = currency_with_waiting_mints(database, "1h");
        let (operators, ports) = (free_port(), [currency.port(), free_port()]);
        let admin = format!("127.0.0.1:{operators}");
        let serve = || -> [Process; 2] {
            [
                currency.serve_with(ports[0], &["--admin-listen", &admin]),
                currency.serve_with(ports[1], &[]),
            ]
        };
        let servers = serve();
        let (token, bob) = (currency.account("alice", 0), currency.account("bob", 0));
        let wallets = ports.map(|port| ForeignWallet::new(&format!("http://127.0.0.1:{port}")));
        let resume =
            |at: usize, reference: &str| wallets[at].post("/resume", None, &request_resume(reference));

        // One process accepts the mint, a command credits the account, and either process carries the mint out.
        let first = [wallets[0].blind(5, "1")];
        assert_waits(&wallets[0].post("/mint", Some(&token), &request_mint(&first, "a1")));
        assert_waits(&resume(1, "a1"));
        assert_eq!(currency.balance("alice"), 0);
        currency.credit("alice", 6, "statement 1");
        wait_for_balance(&currency, 1);
        let coins = wallets[0].unblind(&first, &resume(1, "a1"));

        // The operator's API credits the account, while both processes get resumes and the repeated mint.
        let second = [wallets[0].blind(5, "1"), wallets[0].blind(2, "2")];
        let mint = request_mint(&second, "b2");
        assert_waits(&wallets[1].post("/mint", Some(&token), &mint));
        let operator = currency.admin_token("desk");
        let url = format!("http://{admin}/v1/admin/accounts/alice/credits");
        let answers: Vec<Answer> = thread::scope(|scope| {
            let ask = |number: usize| {
                let (resume, wallets, token, mint) = (&resume, &wallets, &token, &mint);
                scope.spawn(move || {
                    loop {
                        let answer = match number {
                            0..4 => resume(number % 2, "b2"),
                            _ => wallets[number % 2].post("/mint", Some(token), mint),
                        };
                        if answer.http_status != 202 {
                            return answer;
                        }
                    }
                })
            };
            let askers: Vec<_> = (0..6).map(ask).collect();
            // Enough money for two such mints.
            let payment = json!({"amount": 20, "reference": "statement 2"}).to_string();
            let paid = Client::new()
                .post(&url)
                .bearer_auth(&operator)
                .header("Content-Type", "application/json");
            assert_eq!(paid.body(payment).send().unwrap().status(), 201);
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert!(
            answers
                .iter()
                .all(|answer| answer.body["blind_signatures"] == answers[0].body["blind_signatures"])
        );
        let _coins = wallets[1].unblind(&second, &answers[0]);
        assert_eq!(currency.balance("alice"), 21 - 7);
        assert_eq!(
            wallets[1]
                .post("/redeem", Some(&bob), &request_redeem(&coins))
                .http_status,
            200
        );

        // No server runs when the money arrives, and the next servers are killed at once.
        let third = [wallets[0].blind(10, "1"), wallets[0].blind(10, "2")];
        assert_waits(&wallets[0].post("/mint", Some(&token), &request_mint(&third, "c3")));
        servers.into_iter().for_each(Process::kill);
        currency.credit("alice", 30, "statement 3");
        serve().into_iter().for_each(Process::kill);
        let servers = serve();
        wait_for_balance(&currency, 44 - 20);
        let _coins = wallets[0].unblind(&third, &resume(0, "c3"));
        assert_eq!(resume(1, "c3").http_status, 200);
        assert_eq!((currency.balance("alice"), currency.balance("bob")), (24, 5));
        audit(&currency, 7 + 20);
        servers.into_iter().for_each(Process::stop);
    }
}

#[test]
fn an_expired_mint_is_never_carried_out() {
    let mut currency = currency_with_waiting_mints(Database::Sqlite, "1s");
    currency.serve();
    let token = currency.account("alice", 0);
    let wallet = ForeignWallet::new(&currency.url(""));
    let blinds = [wallet.blind(5, "1")];
    assert_waits(&wallet.post("/mint", Some(&token), &request_mint(&blinds, "a1")));
    wait_until("the mint expires", || {
        wallet.post("/resume", None, &request_resume("a1")).http_status != 202
    });
    currency.credit("alice", 50, "too late");
    let assert_expired = |answer: Answer| {
        assert_eq!(answer.http_status, 402, "{answer:?}");
        assert_eq!(answer.error_word.as_deref(), Some("insufficient-funds"));
    };
    assert_expired(wallet.post("/resume", None, &request_resume("a1")));
    assert_expired(wallet.post("/mint", Some(&token), &request_mint(&blinds, "a1")));
    assert_eq!(currency.balance("alice"), 50);
    // With another reference it is another mint.
    assert_eq!(
        wallet
            .post("/mint", Some(&token), &request_mint(&blinds, "a2"))
            .http_status,
        200
    );
    assert_eq!(currency.balance("alice"), 50 - 5);
    audit(&currency, 5);
    currency.stop();
}

#[test]
fn the_wallet_reports_a_waiting_mint_and_it_survives_crashes() {
    let mut currency = currency_with_waiting_mints(Database::Sqlite, "1h");
    currency.serve();
    let token = currency.account("alice", 3);
    let alice = currency.wallet("alice");
    let short = alice
        .run_unchecked(&["mint", "8", "--token", &token])
        .refused(3, FOR_MONEY);
    assert!(short.stderr.contains("opencoin wallet resume"), "{short:?}");
    let _ = alice.run_unchecked(&["resume"]).refused(3, FOR_MONEY);
    let pending = || alice.amount("pending");
    assert_eq!((alice.balance(), pending(), currency.balance("alice")), (0, 8, 3));
    // It keeps waiting across a crash of the server.
    currency.kill();
    let _ = alice.run_unchecked(&["resume"]).refused(3, "nothing is lost");
    currency.serve();
    let _ = alice.run_unchecked(&["resume"]).refused(3, FOR_MONEY);
    // The balance is not reserved for the waiting mint: it can be spent otherwise.
    currency.issuer(&["account", "debit", "alice", "3", "--reference", "statement 1"]);
    currency.credit("alice", 9, "statement 2");
    wait_for_balance(&currency, 1);
    currency.kill();
    currency.serve();
    assert!(alice.run(&["resume"]).stdout.contains("finished 1 request\n"));
    assert_eq!((alice.balance(), pending(), currency.balance("alice")), (8, 0, 1));
    assert!(alice.run(&["resume"]).stdout.contains("finished 0 requests"));
    audit(&currency, 8);
    currency.stop();
}
