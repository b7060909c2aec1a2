//! `opencoin wallet maintain` as a timer runs it.

use opencoin_e2e::files::text;
use opencoin_e2e::{Currency, Database, RFC9474, Wallet};

#[test]
fn a_timer_learns_from_output_and_exit_codes_what_happened() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "50", "--token", &token]);
    let quiet = alice.run(&["maintain"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));

    // A renewal that the issuer has only accepted is finished later.
    let gift = currency.scratch("gift.oc");
    alice.run(&["send", "20", "--out", text(&gift)]);
    currency.issuer(&["signing", "pause"]);
    let delayed = bob.run_unchecked(&["receive", text(&gift), "--json"]);
    let error: serde_json::Value = serde_json::from_str(delayed.stderr.trim()).unwrap();
    assert_eq!(
        (delayed.code, &error["error"], &error["exit_code"]),
        (Some(3), &"delayed".into(), &3.into())
    );
    currency.stop();
    let _ = bob.run_unchecked(&["maintain"]).refused(3, "no answer");
    currency.serve();
    currency.issuer(&["signing", "resume"]);
    let done = bob.run(&["maintain", "--json"]).json();
    assert_eq!((bob.balance(), &done[0]["finished"]), (20, &20.into()), "{done}");
    // What was sent is left alone, and somebody else's coins are named as such.
    let carol = currency.wallet("carol");
    let taken = carol.run_unchecked(&["receive", text(&gift), "--verbose"]);
    let taken = taken.refused(1, "these coins have already been taken by somebody else");
    assert!(
        taken.stderr.contains("the issuer's word: double-spend"),
        "{}",
        taken.stderr
    );

    // A person has to decide about revoked coins.
    currency.issuer(&["keys", "rotate"]);
    for key in currency.keys() {
        if key["denomination"] == 10 {
            currency.issuer(&[
                "keys",
                "revoke",
                key["id"].as_str().unwrap(),
                "--reason",
                "stolen",
            ]);
        }
    }
    let _ = alice
        .run_unchecked(&["maintain"])
        .refused(1, "opencoin wallet recoup");
    let nobody = Wallet::new(&currency.scratch("nobody"));
    let _ = nobody
        .run_unchecked(&["maintain"])
        .refused(4, "opencoin wallet add");
}
