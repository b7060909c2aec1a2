//! Mints that wait for money: on the real server, as two processes, across crashes, with the wallet of the
//! command line.

use std::ffi::OsString;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{Answer, ForeignWallet, request_mint, request_redeem, request_resume};
use opencoin_e2e::{Currency, Process, RFC9474, Wallet, free_port};
use opencoin_testkit::postgres::TestDatabase;
use reqwest::blocking::Client;
use serde_json::json;

const SQLITE: &str = "sqlite:ledger.sqlite";
/// Servers look every second; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// In a wallet's words, what it waits for.
const FOR_MONEY: &str = "waiting for money on the account; nothing was taken yet";

/// A currency in which mints wait for money, for so long.
fn patient(database: &str, wait: &str) -> Currency {
    let setting = |name, value: &str| (name, OsString::from(value));
    let environment = vec![
        setting("OPENCOIN_ISSUER_ACCOUNTS_WHEN_SHORT", "delay"),
        setting("OPENCOIN_ISSUER_ACCOUNTS_WAIT", wait),
    ];
    Currency::make_in(environment, RFC9474, database, &[])
}

fn credit(currency: &Currency, amount: u64, reference: &str) {
    currency.issuer(&[
        "account",
        "credit",
        "alice",
        &amount.to_string(),
        "--reference",
        reference,
    ]);
}

/// Waits without asking the issuer for anything but what the account holds, at its books.
fn wait_for_balance(currency: &Currency, balance: u64) {
    let begun = Instant::now();
    while currency.balance("alice") != balance {
        assert!(
            begun.elapsed() < PATIENCE,
            "alice holds {} and not {balance}",
            currency.balance("alice")
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// Demands that every check of the audit holds, and that so much is outstanding in coins.
fn audited(currency: &Currency, coins_outstanding: u64) {
    let report = currency.issuer(&["audit", "--json"]).json();
    assert_eq!(report["holds"], true, "{report:#}");
    assert_eq!(
        report["totals"]["coins_outstanding"], coins_outstanding,
        "{report:#}"
    );
}

fn waits(answer: &Answer) {
    assert_eq!(
        (answer.http_status, &answer.body["type"]),
        (202, &json!("response delay")),
        "{answer:?}"
    );
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

#[test]
fn a_mint_waits_at_two_processes_and_is_carried_out_once() {
    for database in [None, Some(TestDatabase::create())] {
        let address = database
            .as_ref()
            .map_or_else(|| SQLITE.to_owned(), |database| database.url());
        let currency = patient(&address, "1h");
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

        // Asked for at one process, paid by a command, carried out by whoever looks first.
        let first = [wallets[0].blind(5, "1")];
        waits(&wallets[0].post("/mint", Some(&token), &request_mint(&first, "a1")));
        waits(&resume(1, "a1"));
        assert_eq!(currency.balance("alice"), 0);
        credit(&currency, 6, "statement 1");
        wait_for_balance(&currency, 1);
        let coins = wallets[0].unblind(&first, &resume(1, "a1"));

        // Paid through the operator's API, while both processes are asked at the same time, and with the mint
        // again.
        let second = [wallets[0].blind(5, "1"), wallets[0].blind(2, "2")];
        let mint = request_mint(&second, "b2");
        waits(&wallets[1].post("/mint", Some(&token), &mint));
        let operator = currency
            .issuer(&["admin-token", "create", "desk", "--json"])
            .json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
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
            // Enough for it twice.
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

        // Nobody serves when the money comes; and who looks then may be killed while he does.
        let third = [wallets[0].blind(10, "1"), wallets[0].blind(10, "2")];
        waits(&wallets[0].post("/mint", Some(&token), &request_mint(&third, "c3")));
        servers.into_iter().for_each(Process::kill);
        credit(&currency, 30, "statement 3");
        serve().into_iter().for_each(Process::kill);
        let servers = serve();
        wait_for_balance(&currency, 44 - 20);
        let _coins = wallets[0].unblind(&third, &resume(0, "c3"));
        assert_eq!(resume(1, "c3").http_status, 200);
        assert_eq!((currency.balance("alice"), currency.balance("bob")), (24, 5));
        audited(&currency, 7 + 20);
        servers.into_iter().for_each(Process::stop);
    }
}

#[test]
fn what_has_waited_its_time_is_not_carried_out_any_more() {
    let mut currency = patient(SQLITE, "3s");
    currency.serve();
    let token = currency.account("alice", 0);
    let wallet = ForeignWallet::new(&currency.url(""));
    let blinds = [wallet.blind(5, "1")];
    waits(&wallet.post("/mint", Some(&token), &request_mint(&blinds, "a1")));
    let begun = Instant::now();
    while wallet.post("/resume", None, &request_resume("a1")).http_status == 202 {
        assert!(begun.elapsed() < PATIENCE, "its time does not end");
        thread::sleep(Duration::from_millis(200));
    }
    credit(&currency, 50, "too late");
    let given_up = |answer: Answer| {
        assert_eq!(answer.http_status, 402, "{answer:?}");
        assert_eq!(answer.error_word.as_deref(), Some("insufficient-funds"));
    };
    given_up(wallet.post("/resume", None, &request_resume("a1")));
    given_up(wallet.post("/mint", Some(&token), &request_mint(&blinds, "a1")));
    assert_eq!(currency.balance("alice"), 50);
    // Under another reference it is another mint.
    assert_eq!(
        wallet
            .post("/mint", Some(&token), &request_mint(&blinds, "a2"))
            .http_status,
        200
    );
    assert_eq!(currency.balance("alice"), 50 - 5);
    audited(&currency, 5);
    currency.stop();
}

#[test]
fn the_wallet_says_that_it_waits_for_money_and_lives_through_crashes() {
    let mut currency = patient(SQLITE, "1h");
    currency.serve();
    let token = currency.account("alice", 3);
    let alice = Wallet::new(&currency.scratch("alice"));
    alice.run(&["add", &currency.url("")]);
    let short = alice
        .run_unchecked(&["mint", "8", "--token", &token])
        .refused(3, FOR_MONEY);
    assert!(short.stderr.contains("opencoin wallet resume"), "{short:?}");
    let _ = alice.run_unchecked(&["resume"]).refused(3, FOR_MONEY);
    let pending = || {
        alice.run(&["balance", "--json"]).json()["pending"]
            .as_u64()
            .unwrap()
    };
    assert_eq!((alice.balance(), pending(), currency.balance("alice")), (0, 8, 3));
    // It goes on waiting while the server is away, and after.
    currency.kill();
    let _ = alice.run_unchecked(&["resume"]).refused(3, "nothing is lost");
    currency.serve();
    let _ = alice.run_unchecked(&["resume"]).refused(3, FOR_MONEY);
    // Money that was spent otherwise is not there for it, and none of it is bound.
    currency.issuer(&["account", "debit", "alice", "3", "--reference", "statement 1"]);
    credit(&currency, 9, "statement 2");
    wait_for_balance(&currency, 1);
    currency.kill();
    currency.serve();
    assert!(alice.run(&["resume"]).stdout.contains("finished 1 request\n"));
    assert_eq!((alice.balance(), pending(), currency.balance("alice")), (8, 0, 1));
    assert!(alice.run(&["resume"]).stdout.contains("finished 0 requests"));
    audited(&currency, 8);
    currency.stop();
}
