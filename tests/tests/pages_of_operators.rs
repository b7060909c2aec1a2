//! What operators come to when they look after accounts and payouts: each form with its faults, each question, what was
//! done, and what they are refused.

use opencoin_e2e::browser::{SEND, Walk, walk, walk_without_scripts};

/// Credits Alice with more than one operator may alone, so that it waits for another one.
fn propose(walk: &Walk) {
    walk.open_console("/accounts/alice/book/credit");
    walk.send(&[("amount", "100.50"), ("reference", "statement 3, line 1")]);
    walk.sees("console-propose-question", &["more than 100.00"]);
    walk.browser.leave_by(SEND);
}

#[test]
fn an_operator_works_without_scripts() {
    walk_without_scripts(|walk| {
        walk.enter_console(&walk.site.token);
        walk.sees("plain-console", &["2 payouts wait", "operator"]);

        walk.open_console("/accounts/bob/book/credit");
        walk.send(&[("amount", "12,50"), ("reference", "statement 2, line 1")]);
        walk.sees(
            "plain-credit-question",
            &["Credit 12.50\u{a0}OpenCent to bob (statement 2, line 1)?"],
        );
        walk.browser.leave_by(SEND);
        walk.sees("plain-credited", &["Credited 12.50\u{a0}OpenCent to bob."]);

        walk.open_console("/payouts/2");
        walk.send_to("paid", &[("reference", "transfer 17")]);
        walk.browser.leave_by(SEND);
        walk.sees("plain-paid", &["Payout 2 is paid.", "FR14 2004"]);

        walk.open_console("/open-account");
        walk.send(&[("name", "dave")]);
        walk.browser.leave_by(SEND);
        walk.sees("plain-code", &["Start code of dave", "It can be used once"]);
        walk.browser.leave_by(SEND);
        walk.sees(
            "plain-handed-over",
            &["The start code of dave is no longer shown."],
        );

        walk.open_console("/actions");
        walk.sees(
            "plain-actions",
            &[
                "Opened the account dave",
                "Marked payout 2 as paid",
                "statement 2, line 1",
            ],
        );
    });
}

#[test]
fn an_operator_looks_after_accounts() {
    walk(|walk| {
        walk.open_console("");
        walk.send(&[("token", "a guess")]);
        walk.sees(
            "console-login-fault",
            &["This is not the access code of an operator"],
        );
        walk.enter_console(&walk.site.token);

        walk.open_console("/open-account");
        walk.send(&[("name", "Eve & Co")]);
        walk.sees("console-open-fault", &["Write 1 to 64 small letters"]);
        walk.send(&[("name", "alice")]);
        walk.sees("console-open-taken", &["There is an account of this name."]);
        walk.send(&[("name", "dave")]);
        walk.sees("console-open-question", &["Open an account called dave?"]);
        walk.browser.leave_by(SEND);
        walk.sees("console-code", &["Start code of dave", "It can be used once"]);
        walk.browser.leave_by(SEND);
        walk.sees(
            "console-handed-over",
            &["The start code of dave is no longer shown."],
        );
        walk.open_console("/accounts/dave/code");
        walk.sees("console-code-gone", &["No code is shown here"]);

        let book = |way: &str, amount| {
            walk.open_console(&format!("/accounts/alice/book/{way}"));
            walk.send(&[("amount", amount), ("reference", "cash at the desk")]);
        };
        book("credit", "0");
        walk.sees("console-credit-fault", &["Write an amount like"]);
        book("credit", "1.20");
        walk.sees("console-credit-question", &["Credit 1.20\u{a0}OpenCent to alice"]);
        walk.open_console("/accounts/alice/book/debit");
        walk.sees("console-debit", &["Debit alice"]);
        book("debit", "99");
        walk.sees("console-debit-missing", &["is missing"]);
        book("debit", "0.93");
        walk.sees("console-debit-question", &["Debit 0.93\u{a0}OpenCent from alice"]);
        walk.browser.leave_by(SEND);
        walk.sees("console-debited", &["Debited 0.93\u{a0}OpenCent from alice."]);

        let status = |status: &str, name: &str, question: &str, done: &str| {
            walk.open_console(&format!("/accounts/alice/status/{status}"));
            walk.sees(&format!("console-{name}"), &[]);
            walk.send(&[("reason", "a lost telephone")]);
            walk.sees(&format!("console-{name}-question"), &[question]);
            walk.browser.leave_by(SEND);
            walk.sees(&format!("console-{name}-done"), &[done]);
        };
        status(
            "closed",
            "close",
            "Close alice for good",
            "The account cannot be closed",
        );
        status("frozen", "freeze", "Freeze alice", "alice is frozen.");
        walk.open_console("/accounts?only=frozen");
        walk.sees("console-frozen", &["alice", "Frozen"]);
        walk.open_console("/accounts?q=nobody");
        walk.sees("console-nobody", &["No account begins with nobody."]);
        look_at_frozen_account(walk);
        status("open", "thaw", "Open alice again", "alice is open again.");
    });
}

/// What the holder of an account that is frozen sees, and whoever pays its payouts.
fn look_at_frozen_account(walk: &Walk) {
    walk.open_console("/payouts");
    walk.sees("console-payouts-frozen", &["Frozen"]);
    walk.log_in("alice");
    walk.sees("account-frozen", &["Your account is frozen"]);
    walk.open("/account/pay");
    walk.send(&[("to", "bob"), ("amount", "1")]);
    walk.sees("pay-frozen", &["Your account is frozen"]);
}

#[test]
fn an_operator_settles_payouts() {
    walk(|walk| {
        walk.enter_console(&walk.site.token);
        walk.open_console("/payouts/2");
        walk.send_to("paid", &[("reference", "transfer 17")]);
        walk.sees("console-paid-question", &["Has the bank paid 1.00"]);
        walk.browser.leave_by(SEND);
        walk.sees("console-payout-paid", &["Payout 2 is paid."]);
        walk.open_console("/payouts/3");
        walk.send_to("paid", &[("reference", "transfer 18")]);
        // A colleague has another result meanwhile.
        let payout = format!("{}/console/payouts/3", walk.site.operator);
        let question = walk.browser.open_tab(&payout);
        walk.send_to("failed", &[("why", "this account is closed")]);
        walk.sees(
            "console-failed-question",
            &["impossible (this account is closed)?"],
        );
        walk.browser.leave_by(SEND);
        walk.sees("console-payout-failed", &["Payout 3 has failed"]);
        walk.browser.turn_to(&question);
        walk.browser.leave_by(SEND);
        walk.sees(
            "console-payout-settled-before",
            &["The payout is settled already"],
        );
        for (state, words) in [
            ("waiting", "No payout waits."),
            ("paid", "transfer 17"),
            ("failed", "this account is closed"),
        ] {
            walk.open_console(&format!("/payouts?state={state}"));
            walk.sees(&format!("console-payouts-{state}"), &[words]);
        }
        walk.open_console("/payouts/2");
        walk.sees("console-payout-settled", &["Reference of the bank: transfer 17"]);
        walk.log_in("bob");
        walk.sees("account-payout-failed", &["A payout has failed and came back"]);
        walk.open("/account/payouts");
        walk.sees("payouts-failed", &["Failed", "Reason: this account is closed"]);
    });
}

#[test]
fn two_operators_move_what_one_may_not_alone() {
    walk(|walk| {
        walk.enter_console(&walk.site.token);
        propose(walk);
        walk.sees(
            "console-proposal-own",
            &["Proposal 1 waits for a second person", "You have proposed this."],
        );
        walk.browser.leave_by("form[action='/console/logout'] button");

        walk.enter_console(&walk.site.second_token);
        walk.sees("console-of-second", &["One operation waits for a second person"]);
        walk.browser.leave_by("a[href='/console/proposals'].button");
        walk.sees("console-proposals-wait", &["Credit alice", "more than 100.00"]);
        walk.open_console("/proposals/1");
        walk.browser.leave_by("form[action$='/approve'] button");
        walk.sees(
            "console-proposal-question",
            &["Credit 100.50\u{a0}OpenCent to alice (statement 3, line 1), as operator has proposed?"],
        );
        walk.browser.leave_by(SEND);
        walk.sees(
            "console-proposal-carried-out",
            &["Proposal 1 is carried out.", "Nothing waits for a second person."],
        );
        walk.open_console("/proposals/1");
        walk.sees("console-proposal-done", &["Carried out by", "colleague"]);
        walk.open_console("/accounts/alice");
        walk.sees("console-proposal-booked", &["statement 3, line 1"]);
    });
}

#[test]
fn operators_read_why_they_are_refused() {
    walk(|walk| {
        // The second one is a cashier and nothing else.
        walk.enter_console(&walk.site.second_token);
        walk.sees("console-of-cashier", &["2 payouts wait"]);
        for path in ["/keys", "/keys/new", "/audit", "/setup", "/figures"] {
            walk.open_console(path);
            walk.sees(&format!("console-cashier{}", path.replace('/', "-")), &[]);
        }
        walk.open_console("/keys");
        walk.sees(
            "console-lacks-right",
            &["The access code colleague does not permit this."],
        );
        for path in ["/nothing", "/payouts/99", "/accounts/nobody"] {
            walk.open_console(path);
            walk.sees(
                &format!("console-not-found{}", path.replace('/', "-")),
                &["There is no such page"],
            );
        }
        // A name that somebody else lets lead here.
        let port = walk.site.operator.rsplit(':').next().unwrap();
        walk.browser
            .see(&format!("http://currency.example:{port}/console"), walk.sight);
        // The browser complains that a name without TLS is not to be trusted.
        let _ = walk.browser.complaints();
        walk.sees("console-other-name", &["This address does not belong here"]);
    });
}
