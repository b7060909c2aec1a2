//! Three issuers with a signer each, configured as in `deploy/scale-out`, on one PostgreSQL behind a proxy with health
//! checks. One issuer is killed and one is replaced under load; keys are rotated on one signer machine.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::thread;

use opencoin_e2e::files::{contents, copy_folder};
use opencoin_e2e::foreign_wallet::{Answer, ForeignWallet, request_mint, request_redeem};
use opencoin_e2e::load::Load;
use opencoin_e2e::machines::{KEY_MACHINE, MACHINES, Machines};
use opencoin_e2e::{
    Answers, COMPATIBLE_MIGRATION, Currency, CuttingProxy, Process, RFC9474, RoundRobin, free_port, get_text,
    metrics, run, sqlite, wait_for, wait_until,
};
use opencoin_testkit::postgres::TestDatabase;
use reqwest::blocking::Client;
use serde_json::Value;

const WALLETS: u64 = 4;
const PAID_IN: u64 = 1000;
/// The requests of all wallets between two events.
const REQUESTS_BETWEEN: u64 = 40;
/// One in this many requests is sent again although it was answered.
const SENT_AGAIN: u64 = 5;
/// The issuer that is killed, and the one that is stopped and replaced.
const KILLED: usize = 0;
const REPLACED: usize = 1;
/// The number of a wallet's transaction outside the ranges of the load.
const LOST_REFERENCE: &str = "10571057";
const MINTS: &str = r#"opencoin_requests_total{request="mint",outcome="ok"}"#;

/// A wallet that repeats what was cut off, with an entrance to the proxy that no other wallet uses: so it knows to which
/// server its request went.
struct Holder<'test> {
    wallet: ForeignWallet,
    entrance: RoundRobin,
    token: &'test str,
    /// The port of the issuer that is killed.
    killed: u16,
    sent: Cell<u64>,
}

impl<'test> Holder<'test> {
    fn new(front: &RoundRobin, token: &'test str, killed: u16) -> Self {
        let entrance = front.also_on(free_port());
        let wallet = ForeignWallet::with_client(client(), &format!("http://127.0.0.1:{}", entrance.port));
        Self {
            wallet,
            entrance,
            token,
            killed,
            sent: Cell::new(0),
        }
    }

    /// Sends a request until it is answered. Sends some of them again, which must get the same answer.
    fn send(&self, path: &str, request: &Value) -> Answer {
        let answer = self.send_until_answered(path, request);
        self.sent.set(self.sent.get() + 1);
        if self.sent.get().is_multiple_of(SENT_AGAIN) {
            assert_eq!(self.send_until_answered(path, request).body, answer.body);
        }
        answer
    }

    /// No request is refused, and only those that went to the killed issuer remain without an answer.
    fn send_until_answered(&self, path: &str, request: &Value) -> Answer {
        let body = request.to_string().into_bytes();
        wait_for("an answer", || {
            match self.wallet.try_post_bytes(path, Some(self.token), body.clone()) {
                Ok(answer) if answer.http_status == 200 => Ok(answer),
                // Accepted by an issuer that has just started and is not connected to its signer yet.
                Ok(answer) if path == "/mint" && answer.http_status == 202 => Err(answer.text),
                Ok(answer) => panic!("{path}: {answer:?}"),
                Err(error) => {
                    let server = self.entrance.last_server();
                    assert!(
                        server.is_none_or(|server| server == self.killed),
                        "a request to {server:?}, which was not killed: {error}"
                    );
                    Err(error.to_string())
                }
            }
        })
    }
}

/// A client that opens a connection for each request, so that the proxy chooses a server for each.
fn client() -> Client {
    Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

#[test]
fn no_request_is_refused_while_one_of_three_issuers_is_killed_and_one_is_replaced() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &[]);
    let machines = Machines::make(&currency, &database);
    let token = currency.account("alice", PAID_IN);
    let numbers: [usize; MACHINES] = std::array::from_fn(|number| number);
    let signers = numbers.map(|number| machines.start_signer(number, &[]));
    let mut issuers = numbers.map(|number| Some(machines.start_issuer(number)));
    let front = RoundRobin::start_with_health_checks(currency.port(), &machines.ports);
    let killed = machines.ports[KILLED];
    let start = |number: usize| {
        let issuer = machines.start_issuer(number);
        wait_until("the proxy sees that the issuer is ready", || {
            front.is_ready(machines.ports[number])
        });
        Some(issuer)
    };

    let load = Load::default();
    let work = |number| {
        let holder = Holder::new(&front, &token, killed);
        load.mint_and_redeem(&holder.wallet, number, |path, request| holder.send(path, request));
    };
    load.run(WALLETS, work, || {
        load.wait_for_requests(REQUESTS_BETWEEN);
        database.execute(COMPATIBLE_MIGRATION);
        load.wait_for_requests(REQUESTS_BETWEEN);

        let holder = Holder::new(&front, &token, killed);
        dies_before_its_answer_is_read(&holder, || issuers[KILLED].take().unwrap().kill());
        wait_until("the proxy sees that the issuer is gone", || {
            !front.is_ready(killed)
        });
        load.wait_for_requests(REQUESTS_BETWEEN);
        issuers[KILLED] = start(KILLED);
        load.wait_for_requests(REQUESTS_BETWEEN);

        issuers[REPLACED].take().unwrap().stop();
        issuers[REPLACED] = start(REPLACED);
        wait_until("all issuers mint", || {
            let mints = |number| metrics(&machines.operators(number)).get(MINTS).copied();
            numbers.iter().all(|number| mints(*number) > Some(0.0))
        });
        load.wait_for_requests(REQUESTS_BETWEEN);
    });

    // All coins came back.
    assert_eq!(currency.balance("alice"), PAID_IN);
    let report = currency.audit();
    assert_eq!(report["totals"]["coins_outstanding"], 0, "{report:#}");
    stop(issuers.into_iter().flatten());
    stop(signers);
    signers_have_counted(&currency, &machines);
    assert!(!machines.log().contains("ERROR"), "{}", machines.log());
}

/// Stops these processes at the same time.
fn stop(processes: impl IntoIterator<Item = Process>) {
    thread::scope(|scope| {
        for process in processes {
            scope.spawn(|| process.stop());
        }
    });
}

/// An issuer accepts and signs a mint, and is killed before its answer arrives. The others give the same signatures.
fn dies_before_its_answer_is_read(holder: &Holder<'_>, kill: impl FnOnce()) {
    let proxy = CuttingProxy::start(holder.killed);
    let wallet = ForeignWallet::with_client(client(), &proxy.url());
    let blinds = wallet.blinds(&[2]);
    let request = request_mint(&blinds, LOST_REFERENCE);
    proxy.set(Answers::Hold);
    thread::scope(|scope| {
        let body = request.to_string().into_bytes();
        let asked = scope.spawn(|| wallet.try_post_bytes("/mint", Some(holder.token), body));
        proxy.wait_for_lost(1);
        kill();
        proxy.set(Answers::Cut);
        assert!(asked.join().unwrap().is_err());
    });
    let answers = [(); MACHINES].map(|()| holder.send_until_answered("/mint", &request));
    assert!(
        answers.iter().all(|answer| answer.body == answers[0].body),
        "{answers:?}"
    );
    let redeem = request_redeem(&wallet.unblind(&blinds, &answers[0]));
    let redeemed = [(); MACHINES].map(|()| holder.send_until_answered("/redeem", &redeem));
    assert!(
        redeemed.iter().all(|answer| answer.body == redeemed[0].body),
        "{redeemed:?}"
    );
}

/// Each signer has signed for its issuer, and all together at least what the books have counted.
fn signers_have_counted(currency: &Currency, machines: &Machines<'_>) {
    let counts: Vec<i64> = (0..MACHINES)
        .map(|number| {
            let file = machines.signer(number).join("signer/signed.sqlite");
            sqlite::query(&file, "SELECT sum(signed) FROM mint_keys").unwrap()
        })
        .collect();
    let issued: i64 = (currency.keys().iter())
        .map(|key| key["signed"].as_i64().unwrap())
        .sum();
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert!(
        counts.iter().sum::<i64>() >= issued,
        "{counts:?} of {issued} blinds"
    );
}

/// The order of deploy/scale-out/README.md. No process is restarted.
#[test]
fn new_keys_are_copied_to_the_signers_and_then_their_certificates_to_the_issuers() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &[]);
    let machines = Machines::make(&currency, &database);
    let token = currency.account("alice", PAID_IN);
    let first_issuer = machines.start_issuer(0);
    let first_signer = machines.start_signer(0, &[]);
    let first_keys = published(&machines, 0);
    mint_at(&machines, 0, &token, "aaaa0");

    // A signer that is added later did not count what the others have signed.
    let refused = run(&mut machines.signer_command(1, &[]), &[]).refused(1, "--new-counts");
    assert!(!refused.stdout.contains("signing for"), "{refused:?}");
    let signers = [1, 2].map(|number| machines.start_signer(number, &["--new-counts"]));
    let issuers = [1, 2].map(|number| machines.start_issuer(number));
    let coins: Vec<_> = (0..MACHINES)
        .flat_map(|number| mint_at(&machines, number, &token, &format!("aaaa{}", number + 1)))
        .collect();

    let key_machine = machines.signer(KEY_MACHINE);
    let on_key_machine = |arguments: &[&str]| {
        let dir = ["--dir", key_machine.to_str().unwrap()];
        let arguments = [&["issuer"], arguments, &dir].concat();
        run(&mut currency.command(), &arguments).success()
    };
    let _ = on_key_machine(&["keys", "rotate", "--now"]);
    let other_signers = [1, 2].map(|number| machines.signer(number));
    other_signers
        .iter()
        .for_each(|signer| copy_folder(&key_machine.join("keys"), signer));
    let other_issuers = [0, 1, 2].map(|number| machines.issuer(number));
    for machine in other_signers.iter().chain(&other_issuers) {
        for folder in ["cddc", "mkcs"] {
            copy_folder(&key_machine.join(folder), machine);
        }
    }
    for number in 0..MACHINES {
        wait_until("the issuer has the new certificates", || {
            published(&machines, number).is_disjoint(&first_keys)
        });
        let new = mint_at(&machines, number, &token, &format!("bbbb{number}"));
        assert!(new.iter().all(|coin| {
            let key = coin["payload"]["mint_key_id"].as_str().unwrap();
            !first_keys.contains(key)
        }));
        // Coins of one issuer come back through another one.
        let next = wallet_of(&machines, (number + 1) % MACHINES);
        let redeemed = next.post("/redeem", Some(&token), &request_redeem(&new));
        assert_eq!(redeemed.http_status, 200, "{redeemed:?}");
    }
    assert_eq!(coins.len(), MACHINES * 2);
    let redeemed = wallet_of(&machines, 0).post("/redeem", Some(&token), &request_redeem(&coins));
    assert_eq!(redeemed.http_status, 200, "{redeemed:?}");

    // Private halves of revoked keys are destroyed on the key machine, and removed from the other signers.
    for key in &first_keys {
        let _ = on_key_machine(&["keys", "revoke", key, "--reason", "a test"]);
    }
    let _ = on_key_machine(&["keys", "destroy"]);
    for signer in &other_signers {
        fs::remove_dir_all(signer.join("keys")).unwrap();
        copy_folder(&key_machine.join("keys"), signer);
        assert_eq!(contents(&signer.join("keys")).len(), first_keys.len());
    }
    for number in 0..MACHINES {
        let _ = mint_at(&machines, number, &token, &format!("cccc{number}"));
    }
    // The key machine has the certificates that the audit needs.
    let report = on_key_machine(&["audit", "--json"]).json();
    assert_eq!(report["holds"], true, "{report:#}");
    assert_eq!(
        currency.balance("alice"),
        PAID_IN - report["totals"]["coins_outstanding"].as_u64().unwrap()
    );
    stop(issuers.into_iter().chain([first_issuer]));
    stop(signers.into_iter().chain([first_signer]));
}

fn wallet_of(machines: &Machines<'_>, number: usize) -> ForeignWallet {
    ForeignWallet::with_client(client(), &format!("http://127.0.0.1:{}", machines.ports[number]))
}

/// Mints two coins at an issuer, which may not be connected to its signer yet.
fn mint_at(machines: &Machines<'_>, number: usize, token: &str, reference: &str) -> Vec<Value> {
    let wallet = wallet_of(machines, number);
    let blinds = wallet.blinds(&[1, 2]);
    let request = request_mint(&blinds, reference);
    let answer = wait_for("the mint is signed", || {
        let answer = wallet.post("/mint", Some(token), &request);
        assert!([200, 202].contains(&answer.http_status), "{answer:?}");
        if answer.http_status == 200 {
            Ok(answer)
        } else {
            Err(answer.text)
        }
    });
    wallet.unblind(&blinds, &answer)
}

/// The ids of the mint keys that an issuer publishes for new coins.
fn published(machines: &Machines<'_>, number: usize) -> BTreeSet<String> {
    let url = format!("http://127.0.0.1:{}/mkcs", machines.ports[number]);
    let keys: Value = serde_json::from_str(&get_text(&url)).unwrap();
    (keys.as_array().unwrap().iter())
        .map(|key| key["mint_key"]["id"].as_str().unwrap().to_owned())
        .collect()
}
