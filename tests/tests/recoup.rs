//! A mint key is revoked under a running issuer: what people see at the command line, and the money
//! afterwards.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::{CHAUM82, Currency, Database, RFC9474, Wallet};
use opencoin_ledger::{Command, Ledger, StopReason};
use opencoin_sqlite::{Mode, SqliteLedger};
use tokio::runtime::Runtime;

/// Stops the mint key of this denomination, in the books, while the issuer runs.
fn revoke(currency: &Currency, denomination: u64) {
    let path = currency.dir().join("ledger.sqlite");
    let stop = async {
        let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Existing)
            .await
            .unwrap();
        let keys = ledger.mint_keys().await.unwrap();
        let key = keys
            .iter()
            .find(|key| key.terms.denomination().units() == denomination)
            .unwrap();
        let reason = StopReason::new("the key was stolen").unwrap();
        let command = Command::StopMintKey {
            id: key.id,
            reason,
            at: key.terms.sign_not_before(),
        };
        ledger.apply(&[command]).await.unwrap().remove(0).unwrap();
    };
    Runtime::new().unwrap().block_on(stop);
}

#[test]
fn holders_of_a_revoked_key_are_made_whole() {
    for suite in [RFC9474, CHAUM82] {
        let currency = Currency::start(suite, Database::Sqlite);
        let token = currency.account("alice", 500);
        let alice = Wallet::new(&currency.scratch("alice"));
        let bob = Wallet::new(&currency.scratch("bob"));
        for wallet in [&alice, &bob] {
            wallet.run(&["add", &currency.url("")]);
        }
        alice.run(&["mint", "137", "--token", &token]);
        let gift = currency.scratch("gift.oc");
        alice.run(&["send", "40", "--out", gift.to_str().unwrap()]);
        currency.issuer(&["signing", "pause"]);
        let delayed = alice.run_unchecked(&["mint", "60", "--token", &token]);
        assert_ne!(delayed.code, Some(0), "{delayed:?}");
        revoke(&currency, 10);
        currency.issuer(&["signing", "resume"]);

        let _ = bob
            .run_unchecked(&["receive", gift.to_str().unwrap()])
            .refused(1, "the key was stolen");
        // The coins of other keys are taken.
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
