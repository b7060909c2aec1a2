//! A mint key is revoked while the issuer runs: the wallet's messages, the recoup and the balances.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::{CHAUM82, Currency, Database, RFC9474};

/// Revokes the mint key of this denomination.
fn revoke(currency: &Currency, denomination: u64) {
    let keys = currency.keys();
    let key = keys
        .iter()
        .find(|key| key["denomination"] == denomination)
        .unwrap();
    let id = key["id"].as_str().unwrap();
    currency.issuer(&["keys", "revoke", id, "--reason", "the key was stolen"]);
}

#[test]
fn holders_of_a_revoked_key_are_made_whole() {
    for suite in [RFC9474, CHAUM82] {
        let currency = Currency::start(suite, Database::Sqlite);
        let token = currency.account("alice", 500);
        let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
        alice.run(&["mint", "137", "--token", &token]);
        let gift = currency.scratch("gift.oc");
        alice.send("40", &gift);
        currency.issuer(&["signing", "pause"]);
        let delayed = alice.run_unchecked(&["mint", "60", "--token", &token]);
        assert_ne!(delayed.code, Some(0), "{delayed:?}");
        revoke(&currency, 10);
        currency.issuer(&["signing", "resume"]);

        let _ = bob
            .run_unchecked(&["receive", gift.to_str().unwrap()])
            .refused(1, "the key was stolen");
        // Coins of other keys are received.
        let taken = bob.balance();
        assert!(taken < 40, "{taken}");
        let _ = alice
            .run_unchecked(&["resume"])
            .refused(1, "opencoin wallet recoup");
        let shown = alice.run(&["balance", "--json"]).json();
        let amount = |field: &str| shown[field].as_u64().unwrap();
        assert!(amount("revoked") > 0 && amount("pending") > 0, "{shown}");
        assert_eq!(
            amount("balance") + amount("revoked") + amount("pending"),
            97 + 60,
            "{shown}"
        );
        assert!(alice.run(&["balance"]).stdout.contains("opencoin wallet recoup"));
        assert!(alice.run(&["history"]).stdout.contains("pending: recoup"));

        let recouped = alice.run(&["recoup"]).stdout;
        assert!(recouped.contains("not included"), "{recouped}");
        assert_eq!(alice.balance(), 97 + 60);
        alice.run(&["recoup", "--sent"]);
        alice.run(&["reclaim", "--all"]);
        assert_eq!(alice.balance(), 197 - taken);
        let history = alice.run(&["history"]).stdout;
        assert!(
            history.contains("recoup") && !history.contains("pending"),
            "{history}"
        );
        for (wallet, amount) in [(&alice, 197 - taken), (&bob, taken)] {
            if amount > 0 {
                wallet.run(&["redeem", &amount.to_string(), "--token", &token]);
            }
        }
        assert_eq!(currency.balance("alice"), 500);
        currency.audit();
    }
}
