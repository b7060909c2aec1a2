//! What holders come to when they use their accounts: each form with its faults, each question, and what was done.

use opencoin_e2e::browser::{SEND, Walk, walk, walk_without_scripts};

/// A bank account. The number is the example of the registry of IBANs.
const DESTINATION: &str = "DE89 3704 0044 0532 0130 00";

#[test]
fn a_holder_pays_and_asks_for_a_payout_without_scripts() {
    walk_without_scripts(|walk| {
        let balance = |expected: &str| {
            walk.open("/account");
            walk.sees("plain-account", &[&format!("{expected} OpenCent")]);
        };
        walk.log_in("alice");
        balance("2.93");

        walk.open("/account/pay");
        walk.send(&[("to", "bob"), ("amount", "1.20"), ("label", "two bicycles")]);
        walk.sees("plain-pay-question", &["1.20\u{a0}OpenCent", "bob"]);
        walk.browser.leave_by(SEND);
        walk.sees("plain-paid", &["two bicycles", "1.73 OpenCent"]);
        balance("1.73");

        walk.open("/account/payouts");
        walk.send(&[("amount", "0.50"), ("destination", DESTINATION)]);
        walk.sees("plain-payout-question", &["0.50\u{a0}OpenCent", "DE89"]);
        walk.browser.leave_by(SEND);
        walk.sees("plain-payout-requested", &["Requested: 0.50\u{a0}OpenCent"]);
        balance("1.23");
    });
}

#[test]
fn holders_are_told_what_is_wrong_with_their_forms() {
    walk(|walk| {
        walk.open("/account/start");
        let start = |new, repeated| {
            walk.send(&[
                ("name", "alice"),
                ("code", "7K3M-Q9TW-X2RD"),
                ("new", new),
                ("repeated", repeated),
            ]);
        };
        start("correct horse", "correct horses");
        walk.sees("start-differs", &["The two new passwords differ."]);
        start("correct horse", "correct horse");
        walk.sees("start-wrong-code", &["The name or the start code is wrong"]);

        walk.open("/account/login");
        walk.send(&[("name", "alice"), ("password", "a guess")]);
        walk.sees("login-fault", &["The name or the password is wrong."]);
        walk.log_in("alice");

        walk.open("/account/pay");
        walk.send(&[("to", "bbo"), ("amount", "1.20")]);
        walk.sees("pay-nobody", &["Nobody here is called bbo."]);
        walk.send(&[("to", "bob"), ("amount", "1.2345")]);
        walk.sees("pay-too-fine", &[]);
        walk.send(&[("amount", "20")]);
        walk.sees("pay-missing", &["17.07\u{a0}OpenCent"]);

        walk.open("/account/payouts");
        walk.send(&[("amount", "1"), ("destination", "DE89 3704 0044 0532 0130 01")]);
        walk.sees("payout-wrong-iban", &["This IBAN is wrong"]);

        walk.open("/account/settings");
        change_password(walk, "a guess", "correct horse");
        walk.sees("settings-wrong-password", &["This is not the password."]);

        walk.open("/account/programs");
        walk.send_to("pair", &[("name", "My Phone!")]);
        walk.sees("pair-fault", &["Write 1 to 64 small letters"]);
        for path in ["/nothing", "/account/nothing"] {
            walk.open(path);
            walk.sees("not-found", &["There is no such page"]);
        }
    });
}

#[test]
fn a_holder_changes_settings_and_connects_a_wallet() {
    walk(|walk| {
        walk.log_in("alice");
        walk.open("/account/pay");
        walk.send(&[("to", "bob"), ("amount", "1.20"), ("label", "rent")]);
        walk.sees("pay-question", &["Pay 1.20\u{a0}OpenCent to bob (rent)?"]);
        walk.browser.leave_by(SEND);
        walk.sees("account-paid", &["1.73 OpenCent"]);
        walk.open("/account/payouts");
        walk.send(&[("amount", "0.50"), ("destination", DESTINATION)]);
        walk.sees("payout-question", &["0.50\u{a0}OpenCent", "DE89"]);
        walk.browser.leave_by(SEND);
        walk.sees("payout-requested", &["Requested: 0.50\u{a0}OpenCent"]);
        walk.open("/account/entries?only=payouts");
        walk.sees("entries-payouts", &["Payout to a bank"]);
        walk.open("/account/entries?q=nobody+has+written+this");
        walk.sees("entries-none", &["No entries."]);

        walk.open("/account/settings");
        walk.send_to("directory", &[]);
        walk.sees("settings-saved", &["Saved."]);
        let password = &walk.site.passwords["alice"];
        change_password(walk, password, "correct horse battery");
        walk.sees("settings-new-password", &["Saved."]);

        walk.open("/account/programs");
        walk.send_to("pair", &[("name", "phone")]);
        walk.sees("paired", &["Let the wallet phone read this code"]);
        let code = walk
            .browser
            .run("return document.querySelector('svg.code') !== null");
        assert_eq!(code, true, "there is a code to read");
        walk.open("/account/programs");
        walk.sees("programs-one", &["phone", "Never used"]);
    });
}

fn change_password(walk: &Walk, current: &str, new: &str) {
    walk.send_to(
        "password",
        &[("current", current), ("new", new), ("repeated", new)],
    );
}
