//! What operators come to when they check the books and look after the keys.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::browser::{self, SEND, Scripts, Sight, Walk, walk};
use opencoin_e2e::{Currency, RFC9474, SQLITE, create_master_key, opencoin, wait_until};

#[test]
fn an_operator_checks_the_books_and_looks_after_the_keys() {
    walk(|walk| {
        walk.enter_console(&walk.site.token);
        check_books(walk);

        walk.open_console("/keys/new");
        walk.sees("console-no-new-keys", &["No new key is due."]);
        walk.open_console("/keys");
        walk.browser.leave_by("form[action$='/signing/paused'] button");
        walk.sees("console-signing-question", &["Pause signing, for all coins?"]);
        walk.browser.leave_by(SEND);
        walk.sees("console-signing-paused", &["Signing is paused.", "Go on signing"]);
        walk.open("/");
        walk.sees("public-paused", &[]);
        walk.open_console("/keys");
        walk.browser.leave_by("form[action$='/signing/on'] button");
        walk.sees("console-signing-on-question", &["Go on signing?"]);
        walk.browser.leave_by(SEND);
        walk.sees("console-signing-on", &["Signing goes on."]);

        stop_key(walk);
        make_keys(walk);
        walk.open_console("/actions");
        walk.sees(
            "console-actions-keys",
            &["Sent a wrong passphrase of the master key", "a lost notebook"],
        );
        walk.open("/");
        walk.sees("public-stopped-key", &["a lost notebook"]);
    });
}

fn check_books(walk: &Walk) {
    walk.open_console("/audit");
    walk.browser.leave_by(SEND);
    walk.sees("console-audit-begun", &["The check has begun."]);
    wait_until("the check ends", || {
        walk.open_console("/audit");
        walk.browser
            .run("return document.getElementById('rules') !== null")
            == true
    });
    walk.sees("console-audit-agrees", &["The books agree.", "Checks before"]);
}

fn stop_key(walk: &Walk) {
    walk.open_console("/keys");
    walk.browser.leave_by("td a[href*='/keys/stop/']");
    walk.sees("console-stop", &["Type the value of its coins to confirm"]);
    let address = walk.browser.run("return location.pathname");
    let hint = walk
        .browser
        .run("return document.querySelector('label[for=value]').innerText");
    let value = hint.as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    walk.send(&[("value", "0.77"), ("reason", "a lost notebook")]);
    walk.sees("console-stop-refused", &["This is not the value of its coins."]);
    walk.send(&[("value", &value)]);
    walk.sees("console-stop-question", &["for good (a lost notebook)?"]);
    walk.browser.leave_by(SEND);
    walk.sees("console-key-stopped", &["is stopped.", "Why: a lost notebook"]);
    let path = address.as_str().unwrap().trim_start_matches("/console");
    walk.open_console(path);
    walk.sees("console-stopped-before", &["This key is stopped already."]);
    walk.open_console("");
    walk.sees("console-key-lacking", &[&format!("Nobody gets coins of {value}")]);
}

fn make_keys(walk: &Walk) {
    walk.browser.leave_by("a[href='/console/keys']");
    walk.sees("console-keys-due", &["New keys are due"]);
    walk.browser.leave_by("main a[href='/console/keys/new']");
    walk.sees("console-new-keys-form", &["New keys are made for:"]);
    walk.send(&[("passphrase", "wrong")]);
    walk.sees(
        "console-new-keys-refused",
        &["This passphrase does not open the master key."],
    );
    walk.send(&[("passphrase", &walk.site.passphrase)]);
    walk.sees(
        "console-new-keys",
        &["One new key is made and certified.", "No new key is due."],
    );
    walk.open_console("/keys/request");
    walk.sees("console-key-request", &["Nothing waits for the master key."]);
}

/// A currency whose master key is on another machine.
struct Elsewhere {
    currency: Currency,
    vault: String,
}

impl Elsewhere {
    fn make() -> Self {
        let currency = Currency::make(RFC9474, SQLITE, &["--offline-master"]);
        let vault = currency.scratch("vault").to_str().unwrap().to_owned();
        let id = create_master_key(&vault);
        let elsewhere = Self { currency, vault };
        let signed = elsewhere.sign("first.json");
        elsewhere.currency.issuer(&["import", &signed, "--id", &id]);
        elsewhere
    }

    /// Lets the master key sign the request that waits, and returns the file with the certificates.
    fn sign(&self, name: &str) -> String {
        let request = self.currency.dir().join("pending.json");
        let out = self.currency.scratch(name).to_str().unwrap().to_owned();
        let sign = ["master", "sign", request.to_str().unwrap(), "--dir", &self.vault];
        let _ = opencoin(&[&sign[..], &["--yes", "--out", &out]].concat()).success();
        out
    }
}

#[test]
fn a_request_to_a_master_key_elsewhere_is_looked_at_brought_back_and_given_up() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let elsewhere = Elsewhere::make();
    let currency = &elsewhere.currency;
    let token = currency.admin_token("keeper");
    let (server, operators) = currency.serve_operators(&[]);
    let console = format!("{operators}/console");
    for sight in [Sight::ENGLISH, Sight::GERMAN] {
        let look = |name: &str| browser.look(name, sight);
        browser.see(&console, sight);
        if sight == Sight::ENGLISH {
            browser.fill("#token", &token);
            browser.leave_by(SEND);
        }
        for (change, name) in [
            (&["keys", "rotate", "--now"][..], "keys"),
            (&["cdd", "change", "--info", sight.language], "description"),
        ] {
            currency.issuer(change);
            for (page, shown) in [
                ("", "today"),
                ("/keys", "keys"),
                ("/keys/new", "new"),
                ("/keys/request", "request"),
            ] {
                browser.open(&format!("{console}{page}"));
                look(&format!("console-elsewhere-{name}-{shown}"));
            }
            // A file that is no answer to it.
            browser.open(&format!("{console}/keys/request"));
            browser.fill("#file", currency.scratch("first.json").to_str().unwrap());
            browser.leave_by(SEND);
            look(&format!("console-elsewhere-{name}-refused"));
            browser.open(&format!("{console}/keys/give-up"));
            look(&format!("console-give-up-{name}"));
            let pending = currency.dir().join("pending.json");
            assert!(pending.exists());
            if name == "description" {
                browser.run("document.querySelector('[name=never_signed]').click()");
            }
            browser.leave_by(SEND);
            look(&format!("console-given-up-{name}"));
            assert!(!pending.exists(), "{name} is given up");
        }
        browser.open(&format!("{console}/actions"));
        look("console-actions-given-up");
    }
    // Certificates that are brought in time are taken.
    currency.issuer(&["keys", "rotate", "--now"]);
    let signed = elsewhere.sign("second.json");
    browser.open(&format!("{console}/keys/request"));
    browser.fill("#file", &signed);
    browser.leave_by(SEND);
    browser.look("console-certificates-taken", Sight::GERMAN);
    browser.open(&format!("{console}/actions"));
    browser.look("console-actions-certificates", Sight::GERMAN);
    server.stop();
}
