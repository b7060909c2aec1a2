//! Live transfers with the real program: two wallets, a relay and an issuer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use opencoin_e2e::deploy::{Authority, Service, caddy_of_relay, nginx_of_relay};
use opencoin_e2e::live::{FrameProxy, Relay, Side, Spoil, Talk, Target, Way, relay_url};
use opencoin_e2e::{Currency, Database, RFC9474, Wallet, free_port, metrics};
use serde_json::Value;

/// Whom a payment is between, and through what.
struct World {
    currency: Currency,
    alice: Wallet,
    bob: Wallet,
    relay: Relay,
    proxy: FrameProxy,
}

/// What alice's wallet holds at first.
const MONEY: u64 = 5000;

impl World {
    fn new() -> Self {
        let mut currency = Currency::make_on(
            RFC9474,
            Database::Sqlite,
            &["--denominations", "1,2,5,10,20,50,100,200,500,1000"],
        );
        currency.serve();
        let token = currency.scratch("token");
        std::fs::write(&token, currency.account("alice", MONEY)).unwrap();
        private(&token);
        let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
        alice.run(&[
            "mint",
            &MONEY.to_string(),
            "--token-file",
            token.to_str().unwrap(),
        ]);
        let relay = Relay::start(&[]);
        let proxy = FrameProxy::start(relay.port);
        Self {
            currency,
            alice,
            bob,
            relay,
            proxy,
        }
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.currency.scratch(name)
    }

    fn send(&self, amount: &str, relay: &str) -> Talk {
        let arguments = [
            "send",
            amount,
            "--live",
            "--subject",
            "for the bike",
            "--relay",
            relay,
        ];
        Talk::start(&self.dir("alice"), &arguments)
    }

    fn receive(&self, link: &str) -> Talk {
        Talk::start(&self.dir("bob"), &["receive", link, "--yes"])
    }

    fn held(&self) -> (u64, u64) {
        (self.alice.balance(), self.bob.balance())
    }
}

/// Makes a file readable by its owner alone.
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn receipts(wallet: &Wallet) -> Vec<Value> {
    let receipts = wallet.run(&["receipts", "--json"]).json();
    receipts.as_array().unwrap().clone()
}

#[test]
fn a_wallet_without_exact_coins_pays_3439_and_both_have_the_receipt() {
    let world = World::new();
    let mut sending = world.send("3439", &world.relay.url());
    let link = sending.line();
    let printed = world.receive(&link).succeed();
    assert!(
        printed.contains("received 3439 OpenCent: \"for the bike\""),
        "{printed}"
    );
    let paid = sending.succeed();
    assert!(paid.contains("paid 3439 OpenCent"), "{paid}");
    assert_eq!(world.held(), (MONEY - 3439, 3439));
    let (given, taken) = (receipts(&world.alice), receipts(&world.bob));
    assert_eq!((given.len(), taken.len()), (1, 1));
    assert_eq!(given[0]["receipt"], taken[0]["receipt"]);
    assert_eq!(
        (&given[0]["side"], &taken[0]["side"]),
        (&"paid".into(), &"received".into())
    );
    // The same commands show again what has happened, and pay nothing.
    let again = world.receive(&link).succeed();
    assert!(again.contains("received 3439"), "{again}");
    let file = world.dir("receipts.json");
    world.bob.run(&["receipts", "--export", file.to_str().unwrap()]);
    let exported: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(exported[0], given[0]["receipt"]);
    world.currency.audit();
}

#[test]
fn requests_are_paid_once_or_many_times() {
    let world = World::new();
    let url = world.relay.url();
    let asking = ["request", "55", "--subject", "coffee", "--relay", &url];
    let mut asking = Talk::start(&world.dir("bob"), &asking);
    let link = asking.line();
    let pay = |link: &str| Talk::start(&world.dir("alice"), &["pay", link, "--yes"]);
    // A saved message with other words around the link.
    let message = world.dir("message.txt");
    std::fs::write(&message, format!("please pay this: <{link}> thanks\n")).unwrap();
    pay(message.to_str().unwrap()).succeed();
    let printed = asking.succeed();
    assert!(printed.contains("received 55 OpenCent: \"coffee\""), "{printed}");
    assert_eq!(world.held(), (MONEY - 55, 55));
    // Without a terminal nobody is asked, and nothing is paid.
    let mut till = Talk::start(
        &world.dir("bob"),
        &["request", "7", "--subject", "tea", "--many", "--relay", &url],
    );
    let link = till.line();
    let unasked = world.alice.run_unchecked(&["pay", &link]);
    assert!(
        unasked.code == Some(1) && unasked.stderr.contains("--yes"),
        "{}",
        unasked.stderr
    );
    for _ in 0..3 {
        pay(&link).succeed();
        assert!(till.line().contains("received 7 OpenCent"), "{}", till.errors());
    }
    till.interrupt();
    till.succeed();
    assert_eq!(world.held(), (MONEY - 55 - 21, 55 + 21));
    // An invitation of the other kind says which command opens it.
    let wrong = world.bob.run_unchecked(&["receive", &link]);
    assert!(wrong.stderr.contains("opencoin wallet pay"), "{}", wrong.stderr);
}

#[test]
fn the_issuer_may_be_the_relay() {
    let currency = Currency::make_on(RFC9474, Database::Sqlite, &[]);
    let (server, operators) = currency.serve_operators(&["--relay-enabled"]);
    let token = currency.scratch("token");
    std::fs::write(&token, currency.account("alice", 50)).unwrap();
    private(&token);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "50", "--token-file", token.to_str().unwrap()]);
    let mut sending = Talk::start(&currency.scratch("alice"), &["send", "17", "--live"]);
    let link = sending.line();
    assert!(
        link.starts_with(&currency.url("/relay#opencointransfer1")),
        "{link}"
    );
    Talk::start(&currency.scratch("bob"), &["receive", &link, "--yes"]).succeed();
    sending.succeed();
    assert_eq!((alice.balance(), bob.balance()), (33, 17));
    assert!(metrics(&operators)["opencoin_relay_frames_total"] > 20.0);
    server.stop();
}

/// The files of `deploy/` pass WebSockets on, and nothing else.
#[test]
fn wallets_meet_behind_nginx_and_caddy() {
    type StartProxy = fn(&Path, u16, u16, &Authority) -> Service;
    let proxies: [(&str, StartProxy); 2] = [("nginx", nginx_of_relay), ("caddy", caddy_of_relay)];
    let world = World::new();
    for (name, start) in proxies {
        let folder = world.dir(name);
        std::fs::create_dir(&folder).unwrap();
        let (authority, port) = (Authority::make(&folder), free_port());
        let proxy = start(&folder, port, world.relay.port, &authority);
        let trusted = authority.certificate();
        let trusted = trusted.to_str().unwrap();
        let url = format!("https://localhost:{port}/relay");
        let sending = ["send", "17", "--live", "--relay", &url, "--ca-file", trusted];
        let mut sending = Talk::start(&world.dir("alice"), &sending);
        let link = sending.line();
        let receiving = ["receive", &link, "--yes", "--ca-file", trusted];
        Talk::start(&world.dir("bob"), &receiving).succeed();
        sending.succeed();
        drop(proxy);
    }
    assert_eq!(world.held(), (MONEY - 34, 34));
}

#[test]
fn an_issuer_without_a_relay_is_named_and_nothing_happens() {
    let world = World::new();
    let tried = world.alice.run_unchecked(&["send", "17", "--live"]);
    assert!(tried.stderr.contains("--relay URL"), "{}", tried.stderr);
    assert_eq!(world.held(), (MONEY, 0));
}

#[test]
fn what_the_relay_sees_contains_nothing_of_the_payment() {
    let world = World::new();
    let mut sending = world.send("3439", &relay_url(world.proxy.port));
    let link = sending.line();
    world.receive(&link).succeed();
    sending.succeed();
    let captured = world.proxy.captured();
    assert!(captured.len() > 20_000, "{} bytes", captured.len());
    let secret = link.split_once('#').unwrap().1;
    let receipt = receipts(&world.bob)[0]["receipt"].clone();
    let words = [
        "3439",
        "for the bike",
        "opencoinstack",
        "serial",
        "signature",
        "Message",
        secret,
        receipt["key"].as_str().unwrap(),
        receipt["paid"]["digest"].as_str().unwrap(),
        receipt["paid"]["issuer_id"].as_str().unwrap(),
        &world.currency.url(""),
    ];
    // The headers of HTTP name the relay's address, which is no secret.
    for word in words {
        let found = captured
            .windows(word.len())
            .position(|bytes| bytes == word.as_bytes());
        assert_eq!(found, None, "{word:?} was seen");
    }
}

#[test]
fn a_third_wallet_is_refused_and_the_two_finish() {
    let world = World::new();
    let carol = world.currency.wallet("carol");
    let hold = (Side::Taker, Way::Out, 8, Spoil::Hold);
    world.proxy.aim(Some(hold));
    let mut sending = world.send("17", &relay_url(world.proxy.port));
    let link = sending.line();
    let mut receiving = world.receive(&link);
    assert!(world.proxy.wait_for_hit(|| receiving.has_ended()));
    let mut third = Talk::start(&world.dir("carol"), &["receive", &link, "--yes"]);
    opencoin_e2e::wait_until("the third wallet is told", || {
        third.errors().contains("two people are in the room")
    });
    assert!(!third.has_ended(), "it tries again, in case one of them goes");
    third.kill();
    world.proxy.release();
    receiving.succeed();
    sending.succeed();
    assert_eq!((world.held(), carol.balance()), ((MONEY - 17, 17), 0));
}

#[test]
fn a_payer_who_stops_before_the_coins_leave_keeps_them() {
    let world = World::new();
    let mut sending = world.send("17", &world.relay.url());
    sending.line();
    opencoin_e2e::wait_until("it waits", || {
        sending.errors().contains("waiting for the other side")
    });
    sending.interrupt();
    let (is_success, _, errors) = sending.end();
    assert!(
        !is_success && errors.contains("nothing was paid: you stopped the transfer"),
        "{errors}"
    );
    assert_eq!(world.held(), (MONEY, 0));
}

#[test]
fn coins_in_flight_come_back_if_the_payee_has_not_renewed_them() {
    let world = World::new();
    // The frame with the coins does not reach the payee.
    let mut number = None;
    for frame in 10..30 {
        world.proxy.aim(Some((Side::Maker, Way::Out, frame, Spoil::Hold)));
        let mut sending = world.send("17", &relay_url(world.proxy.port));
        let link = sending.line();
        let mut receiving = world.receive(&link);
        world
            .proxy
            .wait_for_hit(|| sending.has_ended() || receiving.has_ended());
        let is_in_flight = sending.errors().contains("the coins are on their way");
        sending.kill();
        receiving.kill();
        if is_in_flight {
            number = Some(frame);
            break;
        }
        reclaim(&world);
    }
    assert!(number.is_some(), "the coins never left");
    let (before, _) = world.held();
    assert_eq!(before, MONEY - 17);
    reclaim(&world);
    assert_eq!(world.held(), (MONEY, 0));
    world.currency.audit();
}

/// Takes back alice's unfinished payment of 17.
fn reclaim(world: &World) {
    let relay = relay_url(world.proxy.port);
    let arguments = [
        "send",
        "17",
        "--live",
        "--subject",
        "for the bike",
        "--relay",
        &relay,
        "--json",
    ];
    let mut sending = Talk::start(&world.dir("alice"), &arguments);
    let begun: Value = serde_json::from_str(&sending.line()).unwrap();
    sending.kill();
    world
        .alice
        .run(&["reclaim", "--transfer", begun["transfer"].as_str().unwrap()]);
}

/// Pays 7 from alice to bob while the target is spoiled and, with [`Spoil::Hold`], the wallet is killed there. Returns
/// whether the transfer had that frame.
fn pay_through(world: &World, target: Target) -> bool {
    let (side, _, _, spoil) = target;
    let before = world.held();
    let (given, taken) = (receipts(&world.alice).len(), receipts(&world.bob).len());
    world.proxy.aim(Some(target));
    let relay = relay_url(world.proxy.port);
    let mut sending = world.send("7", &relay);
    let link = sending.line();
    let mut receiving = world.receive(&link);
    let is_hit = world
        .proxy
        .wait_for_hit(|| sending.has_ended() && receiving.has_ended());
    if is_hit && spoil == Spoil::Hold {
        match side {
            Side::Maker => {
                sending.kill();
                let mut again = world.send("7", &relay);
                if again.line() == link {
                    // The same command continues.
                    receiving.succeed();
                    again.succeed();
                } else {
                    // It was killed when all was done, and the command has begun another payment.
                    again.interrupt();
                    again.end();
                    receiving.succeed();
                }
            }
            Side::Taker => {
                receiving.kill();
                world.receive(&link).succeed();
                sending.succeed();
            }
        }
    } else {
        receiving.succeed();
        sending.succeed();
    }
    assert_eq!(world.held(), (before.0 - 7, before.1 + 7), "{target:?}");
    let now = (receipts(&world.alice).len(), receipts(&world.bob).len());
    assert_eq!(now, (given + 1, taken + 1), "{target:?}");
    is_hit
}

/// Spoils each frame of one side and direction, one payment each.
fn spoil_each(side: Side, way: Way, spoil: Spoil, step: usize) {
    let world = World::new();
    let mut number = 0;
    while pay_through(&world, (side, way, number, spoil)) {
        number += step;
        assert!(number < 60, "a transfer does not have so many frames");
    }
    assert!(number > 10, "only {number} frames were spoiled");
    world.currency.audit();
}

#[test]
fn a_payer_is_killed_before_each_frame_leaves() {
    spoil_each(Side::Maker, Way::Out, Spoil::Hold, 1);
}

#[test]
fn a_payer_is_killed_before_each_frame_comes() {
    spoil_each(Side::Maker, Way::In, Spoil::Hold, 1);
}

#[test]
fn a_payee_is_killed_before_each_frame_leaves() {
    spoil_each(Side::Taker, Way::Out, Spoil::Hold, 1);
}

#[test]
fn a_payee_is_killed_before_each_frame_comes() {
    spoil_each(Side::Taker, Way::In, Spoil::Hold, 1);
}

#[test]
fn frames_of_the_payer_are_lost() {
    spoil_each(Side::Maker, Way::Out, Spoil::Drop, 1);
}

#[test]
fn frames_of_the_payee_are_lost() {
    spoil_each(Side::Taker, Way::Out, Spoil::Drop, 1);
}

#[test]
fn frames_come_twice() {
    spoil_each(Side::Maker, Way::Out, Spoil::Repeat, 1);
}

#[test]
fn frames_come_late() {
    spoil_each(Side::Maker, Way::Out, Spoil::Delay, 1);
}

#[test]
fn frames_are_changed_on_their_way() {
    spoil_each(Side::Maker, Way::Out, Spoil::Change, 3);
}
