//! RSA in lanes: used where the CPU has AVX-512 IFMA, unless the operator says otherwise. Coins are the same either way.

#![expect(clippy::print_stdout, reason = "a skipped check says so")]

use opencoin_e2e::{Currency, RFC9474, SQLITE, metrics};

fn cpu_has_lanes() -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512ifma") {
        return true;
    }
    println!("SKIPPED: this CPU has no AVX-512 IFMA, so both servers of this test work without lanes");
    false
}

/// What `issuer check` says about lanes, and the metrics after many coins were minted and renewed.
fn work(currency: &Currency, round: &str, token: &str, options: &[&str]) -> (String, f64) {
    let checked = currency.issuer(&[&["check"], options].concat()).stdout;
    let line = checked.lines().find(|line| line.contains("lanes: "));
    let line = line.unwrap_or_else(|| panic!("{checked}")).to_owned();

    let (server, operators) = currency.serve_operators(options);
    let [alice, bob] = ["alice", "bob"].map(|name| currency.wallet(&format!("{name}-{round}")));
    let stack = currency.scratch(&format!("stack-{round}"));
    // 20 coins of one key and some others.
    alice.run(&["mint", "203", "--token", token]);
    alice.send("203", &stack);
    bob.receive(&stack);
    bob.run(&["redeem", "203", "--token", token]);
    let metrics = metrics(&operators);
    assert_eq!(metrics["opencoin_rsa_lanes_faults_total"], 0.0);
    server.stop();
    (line, metrics["opencoin_rsa_lanes_used"])
}

#[test]
fn a_server_signs_and_verifies_in_lanes_unless_they_are_switched_off() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let token = currency.account("alice", 1000);
    let (line, used) = work(&currency, "auto", &token, &[]);
    if cpu_has_lanes() {
        assert!(
            line.starts_with("ok") && line.contains("the self-test passed"),
            "{line}"
        );
        assert_eq!(used, 1.0);
    } else {
        assert!(
            line.starts_with("ok") && line.contains("not on this CPU"),
            "{line}"
        );
        assert_eq!(used, 0.0);
    }
    let (line, used) = work(&currency, "off", &token, &["--signer-lanes", "off"]);
    assert!(line.starts_with("ok") && line.contains("off: "), "{line}");
    assert_eq!(used, 0.0);
    currency.audit();
}
