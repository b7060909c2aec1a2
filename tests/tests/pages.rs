//! The pages in a browser: on every screen, in both languages, with and without scripts.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use opencoin_e2e::DemoSite;
use opencoin_e2e::browser::{self, Browser, Colours, Screen, Scripts, screenshot_file};
use reqwest::blocking::Client;
use sha2::{Digest, Sha256};

const LANGUAGES: [&str; 2] = ["en", "de"];

/// The button of a form.
const SEND: &str = "main form button[type=submit]";

/// The pages of an account.
const ACCOUNT_PAGES: [&str; 6] = ["", "/pay", "/entries", "/payouts", "/programs", "/settings"];

/// The pages of the console, in the order in which they are looked at.
const CONSOLE_PAGES: [&str; 22] = [
    "",
    "/figures",
    "/figures?period=day",
    "/accounts",
    "/open-account",
    "/accounts/alice",
    "/accounts/alice/book/credit",
    "/accounts/alice/status/closed",
    "/payouts",
    "/payouts?state=paid",
    "/payouts/2",
    "/payout-files",
    "/bank",
    "/bank/lines",
    "/proposals",
    "/proposals?all=1",
    "/proposals/1",
    "/keys",
    "/keys/request",
    "/audit",
    "/actions",
    "/setup",
];

/// The bytes of a first visit, with all files of the page. They are not compressed, so compressed they would be fewer.
const FIRST_VISIT_BYTES_MAX: usize = 40_000;

/// The picture of the public page with which README.md begins, and the hash of what the page is made from.
const PICTURE: &str = "docs/public-page.png";
const PICTURED: &str = "docs/public-page.sources";
/// What the public page is made from, below the folder of its crate.
const SOURCES: [&str; 5] = [
    "locales/en/common.json",
    "locales/en/public.json",
    "static/pages.css",
    "templates/layout.html",
    "templates/public/home.html",
];
/// Set by `cargo xtask screenshots`.
const RENEW_VARIABLE: &str = "OPENCOIN_TEST_RENEW_PICTURES";

/// The visitors whose first paint is shown.
const VISITORS: usize = 5;
/// The milliseconds from the request to the first paint.
const FIRST_PAINT: &str = "return new Promise(resolve => new PerformanceObserver(list =>
    resolve(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))";

/// How the label of a field is laid out.
const LABEL_DISPLAY: &str = "return getComputedStyle(document.querySelector('label[for=amount]')).display";

/// The addresses of the files that a page loads.
const FILES: &str = "return [...document.querySelectorAll('link[href], script[src], img[src]')]
    .map(element => element.href || element.src)";

/// A language with a screen and colours of a visitor.
type Sight = (&'static str, Screen, Colours);
/// Each language, screen and colours on some page, and each page in some.
const SIGHTS: [Sight; 4] = [
    ("en", Screen::WIDE, Colours::Light),
    ("de", Screen::NARROW, Colours::Dark),
    ("de", Screen::ZOOMED, Colours::Light),
    ("de", Screen::WIDE, Colours::Dark),
];

/// Looks at a page, and keeps a picture of it.
fn look_at(browser: &Browser, url: &str, name: &str, (language, screen, colours): Sight) {
    browser.use_screen(screen);
    browser.prefer(colours);
    let mark = if url.contains('?') { '&' } else { '?' };
    browser.open(&format!("{url}{mark}lang={language}"));
    let seen = format!("{name}-{language}-{}-{}", screen.name, colours.name());
    assert_eq!(browser.barriers(), [""; 0], "{seen}: axe finds barriers");
    check(browser, &seen);
    browser.unroll(screen);
    fs::write(screenshot_file(&seen), browser.picture()).unwrap();
}

fn check(browser: &Browser, seen: &str) {
    assert_eq!(browser.overhang(), 0, "{seen}: wider than the screen");
    assert_eq!(browser.complaints(), [""; 0], "{seen}: the browser complains");
}

fn log_in(browser: &Browser, site: &DemoSite, name: &str) {
    // As somebody finds it who knows the address of the currency alone.
    browser.open(&site.public);
    browser.leave_by("header a[href='/account']");
    browser.fill("#name", name);
    browser.fill("#password", &site.passwords[name]);
    browser.leave_by(SEND);
}

#[test]
fn everybody_can_read_the_public_page() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    for language in LANGUAGES {
        for screen in Screen::ALL {
            for colours in Colours::ALL {
                look_at(&browser, &site.public, "public", (language, screen, colours));
            }
        }
        assert_eq!(browser.run("return document.documentElement.lang"), language);
        // The switch has a cookie, which the next visit is read from.
        browser.open(&site.public);
        assert_eq!(browser.run("return document.documentElement.lang"), language);
    }
    // Times are those of the visitor.
    browser.open(&format!("{}/?lang=en", site.public));
    let mut times = Vec::new();
    for zone in ["America/New_York", "Asia/Tokyo"] {
        browser.use_zone(zone);
        browser.open(&site.public);
        let text = browser.text();
        assert!(!text.contains("UTC"), "{zone}: {text}");
        let time = text.lines().find(|line| line.starts_with("As of "));
        times.push(time.expect("the time of the figures").to_owned());
    }
    assert_ne!(times[0], times[1]);
    site.stop();
}

#[test]
fn holders_see_their_accounts_on_every_screen() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    let account = format!("{}/account", site.public);
    for sight in SIGHTS {
        look_at(&browser, &format!("{account}/login"), "login", sight);
    }
    log_in(&browser, &site, "alice");
    browser.open(&format!("{account}/pay"));
    assert_eq!(
        browser.run(LABEL_DISPLAY),
        "block",
        "a label stands above its field"
    );
    for page in ACCOUNT_PAGES {
        let name = format!("account{}", page.replace('/', "-"));
        for sight in SIGHTS {
            look_at(&browser, &format!("{account}{page}"), &name, sight);
        }
    }
    site.stop();
}

#[test]
fn a_holder_pays_and_asks_for_a_payout_without_scripts() {
    let Some(browser) = browser::start_or_skip(Scripts::Blocked) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    let account = format!("{}/account", site.public);
    let balance = |expected: &str| {
        browser.open(&account);
        let text = browser.text();
        assert!(
            text.contains(&format!("{expected} OpenCent")),
            "{expected}: {text}"
        );
    };
    browser.open(&format!("{}/?lang=en", site.public));
    log_in(&browser, &site, "alice");
    balance("2.93");

    browser.open(&format!("{account}/pay"));
    browser.fill("#to", "bob");
    browser.fill("#amount", "1.20");
    browser.fill("#label", "two bicycles");
    browser.leave_by(SEND);
    let question = browser.text();
    assert!(
        question.contains("1.20\u{a0}OpenCent") && question.contains("bob"),
        "{question}"
    );
    browser.leave_by(SEND);
    let paid = browser.text();
    assert!(
        paid.contains("two bicycles") && paid.contains("1.73 OpenCent"),
        "{paid}"
    );
    balance("1.73");

    browser.open(&format!("{account}/payouts"));
    browser.fill("#amount", "0.50");
    browser.fill("#destination", "DE89 3704 0044 0532 0130 00");
    browser.leave_by(SEND);
    browser.leave_by(SEND);
    balance("1.23");
    check(&browser, "without scripts");
    site.stop();
}

fn enter_console(browser: &Browser, site: &DemoSite) -> String {
    enter_console_with(browser, site, &site.token)
}

fn enter_console_with(browser: &Browser, site: &DemoSite, token: &str) -> String {
    let console = format!("{}/console", site.operator);
    browser.open(&console);
    browser.fill("#token", token);
    browser.leave_by(SEND);
    console
}

/// Credits Alice with more than one operator may alone, so that it waits for another one.
fn propose(browser: &Browser, console: &str) {
    browser.open(&format!("{console}/accounts/alice/book/credit"));
    browser.fill("#amount", "100.50");
    browser.fill("#reference", "statement 3, line 1");
    browser.leave_by(SEND);
    browser.leave_by(SEND);
}

/// A part of an address as a part of the name of a picture.
fn named(page: &str) -> String {
    page.replace(['/', '?', '='], "-")
}

#[test]
fn operators_see_the_console_on_every_screen() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    for sight in SIGHTS {
        look_at(
            &browser,
            &format!("{}/console/login", site.operator),
            "console-login",
            sight,
        );
    }
    let console = enter_console(&browser, &site);
    propose(&browser, &console);
    for page in CONSOLE_PAGES {
        for sight in SIGHTS {
            look_at(
                &browser,
                &format!("{console}{page}"),
                &format!("console{}", named(page)),
                sight,
            );
        }
    }
    // The pages between a form and what it does.
    let ask = |page: &str, fields: [(&str, &str); 2], name: &str| {
        browser.open(&format!("{console}{page}?lang=en"));
        for (field, text) in fields {
            browser.fill(field, text);
        }
        browser.leave_by(SEND);
        assert_eq!(browser.barriers(), [""; 0], "{name}: axe finds barriers");
        // It says that a form was refused, which is right.
        let _ = browser.complaints();
        check(&browser, name);
        fs::write(screenshot_file(name), browser.picture()).unwrap();
    };
    let credit = "/accounts/alice/book/credit";
    ask(
        credit,
        [("#amount", "0"), ("#reference", "line 9")],
        "console-credit-fault",
    );
    ask(
        credit,
        [("#amount", "1.20"), ("#reference", "line 9")],
        "console-credit-question",
    );
    site.stop();
}

/// A statement from the bank, and a file for it.
#[test]
fn an_operator_books_a_statement_and_makes_a_file_for_the_bank() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    // Where it is still the third of May when the day of the bank begins in UTC.
    browser.use_zone("America/New_York");
    browser.open(&format!("{}/?lang=en", site.operator));
    let console = enter_console(&browser, &site);
    let says = |words: &[&str], name: &str| {
        let text = browser.text();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(browser.barriers(), [""; 0], "{name}: axe finds barriers");
        fs::write(screenshot_file(name), browser.picture()).unwrap();
    };
    browser.open(&format!("{console}/accounts/alice"));
    let page = browser.text();
    let code = page.split_whitespace().find(|word| word.starts_with("OC-ALICE-"));
    let code = code.expect("a code for bank transfers");
    let statement = folder.path().join("may.csv");
    let lines =
        format!("Day;Name;Text;Amount\n04.05.2026;Alice A.;{code};12,40\n04.05.2026;Eve E.;for bob;5,00\n");
    fs::write(&statement, lines).unwrap();
    browser.open(&format!("{console}/bank"));
    browser.fill("#file", statement.to_str().unwrap());
    browser.leave_by("form[action='/console/bank'] button");
    says(
        &["Nothing is booked yet.", "Credited to alice", "Not matched: 1"],
        "console-bank-preview",
    );
    browser.leave_by("form[action$='/book'] button");
    says(
        &["Booked: one credit", "Nothing twice.", "Booked to alice"],
        "console-bank-booked",
    );
    browser.open(&format!("{console}/bank/lines"));
    browser.leave_by("main td a[href='/console/bank/lines/2']");
    says(
        &["It belongs to an account", "Eve E.", "4 May 2026"],
        "console-bank-line",
    );
    browser.fill("#account", "bob");
    browser.leave_by("form[action$='/assign'] button");
    says(
        &["Credit 5.00", "from Eve E. to bob?"],
        "console-bank-line-question",
    );
    browser.leave_by(SEND);
    says(&["The line is credited to bob."], "console-bank-lines-decided");
    browser.open(&format!("{console}/bank"));
    says(
        &["Every line of a booked statement is decided."],
        "console-bank-statements",
    );

    browser.open(&format!("{console}/payouts"));
    says(&["Make a file for the bank"], "console-payouts-choose");
    browser.leave_by("form[action='/console/payout-files'] button");
    says(&["The file is made.", "File 1", "FR14 2004"], "console-file");
    browser.leave_by("form[action$='/withdraw'] button");
    says(&["Withdraw this file of 2 payouts"], "console-file-question");
    browser.leave_by(SEND);
    says(&["The file is withdrawn."], "console-file-withdrawn");
    check(&browser, "the bank in the console");
    site.stop();
}

#[test]
fn an_operator_works_without_scripts() {
    let Some(browser) = browser::start_or_skip(Scripts::Blocked) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&format!("{}/?lang=en", site.operator));
    let console = enter_console(&browser, &site);
    let says = |words: &[&str]| {
        let text = browser.text();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    says(&["2 payouts wait", "operator"]);

    browser.open(&format!("{console}/accounts/bob/book/credit"));
    browser.fill("#amount", "12,50");
    browser.fill("#reference", "statement 2, line 1");
    browser.leave_by(SEND);
    says(&["Credit 12.50\u{a0}OpenCent to bob (statement 2, line 1)?"]);
    browser.leave_by(SEND);
    says(&["Credited 12.50\u{a0}OpenCent to bob."]);

    browser.open(&format!("{console}/payouts/2"));
    browser.fill("#reference", "transfer 17");
    browser.leave_by("form[action$='/paid'] button");
    browser.leave_by(SEND);
    says(&["Payout 2 is paid.", "FR14 2004"]);

    browser.open(&format!("{console}/open-account"));
    browser.fill("#name", "dave");
    browser.leave_by(SEND);
    browser.leave_by(SEND);
    says(&["Start code of dave", "It can be used once"]);
    fs::write(screenshot_file("console-code"), browser.picture()).unwrap();
    browser.leave_by(SEND);
    says(&["The start code of dave is no longer shown."]);

    browser.open(&format!("{console}/actions"));
    says(&[
        "Opened the account dave",
        "Marked payout 2 as paid",
        "statement 2, line 1",
    ]);
    check(&browser, "the console without scripts");
    site.stop();
}

#[test]
fn an_operator_checks_the_books_and_looks_after_the_keys() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&format!("{}/?lang=en", site.operator));
    let console = enter_console(&browser, &site);
    let says = |words: &[&str], name: &str| {
        let text = browser.text();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(browser.barriers(), [""; 0], "{name}: axe finds barriers");
        fs::write(screenshot_file(name), browser.picture()).unwrap();
    };

    browser.open(&format!("{console}/audit"));
    browser.leave_by(SEND);
    says(&["The check has begun."], "console-audit-begun");
    opencoin_e2e::wait_until("the check ends", || {
        browser.open(&format!("{console}/audit"));
        browser.text().contains("The books agree.")
    });
    says(&["The books agree.", "Checks before"], "console-audit-agrees");

    browser.open(&format!("{console}/keys"));
    browser.leave_by("form[action$='/signing/paused'] button");
    says(&["Pause signing, for all coins?"], "console-signing-question");
    browser.leave_by(SEND);
    says(&["Signing is paused.", "Go on signing"], "console-signing-paused");
    browser.leave_by("form[action$='/signing/on'] button");
    browser.leave_by(SEND);
    says(&["Signing goes on."], "console-signing-on");

    browser.leave_by("td a[href*='/keys/stop/']");
    let hint = browser.run("return document.querySelector('label[for=value]').innerText");
    let value = hint.as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    browser.fill("#value", "0.77");
    browser.fill("#reason", "a lost notebook");
    browser.leave_by(SEND);
    says(&["This is not the value of its coins."], "console-stop-refused");
    browser.run("document.getElementById('value').value = ''");
    browser.fill("#value", &value);
    browser.leave_by(SEND);
    says(&["for good (a lost notebook)?"], "console-stop-question");
    browser.leave_by(SEND);
    says(&["is stopped.", "Why: a lost notebook"], "console-key-stopped");
    browser.open(&console);
    says(&[&format!("Nobody gets coins of {value}")], "console-key-lacking");
    browser.leave_by("a[href='/console/keys']");
    says(&["New keys are due"], "console-keys-due");
    browser.leave_by("main a[href='/console/keys/new']");
    browser.fill("#passphrase", "wrong");
    browser.leave_by(SEND);
    says(
        &["This passphrase does not open the master key."],
        "console-new-keys-refused",
    );
    browser.fill("#passphrase", &site.passphrase);
    browser.leave_by(SEND);
    says(
        &["One new key is made and certified.", "No new key is due."],
        "console-new-keys",
    );
    browser.open(&format!("{console}/keys/request"));
    says(&["Nothing waits for the master key."], "console-key-request");
    let _ = browser.complaints();
    check(&browser, "keys and audits");
    site.stop();
}

#[test]
fn two_operators_move_what_one_may_not_alone() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&format!("{}/?lang=en", site.operator));
    let console = enter_console(&browser, &site);
    let says = |words: &[&str]| {
        let text = browser.text();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    let look = |name: &str| {
        assert_eq!(browser.barriers(), [""; 0], "{name}: axe finds barriers");
        fs::write(screenshot_file(name), browser.picture()).unwrap();
    };
    propose(&browser, &console);
    says(&["Proposal 1 waits for a second person", "You have proposed this."]);
    look("console-proposal-own");
    browser.leave_by("form[action='/console/logout'] button");

    let console = enter_console_with(&browser, &site, &site.second_token);
    says(&["One operation waits for a second person"]);
    browser.leave_by("a[href='/console/proposals'].button");
    says(&["Credit alice", "more than 100.00"]);
    browser.open(&format!("{console}/proposals/1"));
    browser.leave_by("form[action$='/approve'] button");
    says(&["Credit 100.50\u{a0}OpenCent to alice (statement 3, line 1), as operator has proposed?"]);
    look("console-proposal-question");
    browser.leave_by(SEND);
    says(&["Proposal 1 is carried out.", "Nothing waits for a second person."]);
    browser.open(&format!("{console}/proposals/1"));
    says(&["Carried out by", "colleague"]);
    look("console-proposal-done");
    browser.open(&format!("{console}/accounts/alice"));
    says(&["statement 3, line 1"]);
    check(&browser, "two operators");
    site.stop();
}

#[test]
fn the_public_page_is_complete_without_scripts_and_light() {
    let Some(browser) = browser::start_or_skip(Scripts::Blocked) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&site.public);
    check(&browser, "without scripts");
    let text = browser.text();
    // What is in circulation, how to start, and how a wallet finds the issuer.
    for word in ["1.17", "Get an account", &site.public] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // A button that only a script makes work is not there.
    assert!(!text.contains("Copy"), "{text}");

    let mut urls = vec![site.public.clone()];
    let files = browser.run(FILES);
    urls.extend(
        files
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file.as_str().unwrap().to_owned()),
    );
    let bytes = |url: &String| {
        let answer = Client::new()
            .get(url)
            .header("Accept", "text/html")
            .send()
            .unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.bytes().unwrap().len()
    };
    let total: usize = urls.iter().map(bytes).sum();
    assert!(total <= FIRST_VISIT_BYTES_MAX, "{urls:?}: {total} bytes");
    site.stop();
}

#[test]
fn the_policy_of_the_pages_stops_a_foreign_script_and_the_test_sees_it() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.open(&site.public);
    assert_eq!(browser.complaints(), [""; 0]);
    // As a hole in a template would.
    browser.run(
        "const picture = document.createElement('img');
        picture.src = 'http://127.0.0.2:9/picture.png';
        document.body.append(picture);
        document.body.setAttribute('style', 'display: none');",
    );
    let complaints = browser.complaints().join("\n");
    for directive in ["img-src", "style-src"] {
        assert!(complaints.contains(directive), "{directive}: {complaints}");
    }
    let refused = browser.run(
        "try {
            document.body.innerHTML = '<b>text</b>';
            return 'done';
        } catch (error) {
            return error.name;
        }",
    );
    assert_eq!(refused, "TypeError", "text becomes markup");
    site.stop();
}

#[test]
fn the_picture_in_the_readme_is_not_older_than_the_page() {
    let mut hash = Sha256::new();
    for source in SOURCES {
        hash.update(fs::read(of_workspace("crates/opencoin-web").join(source)).unwrap());
    }
    let sources: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if env::var_os(RENEW_VARIABLE).is_some() {
        let browser = browser::start_or_skip(Scripts::Run).expect("a browser");
        let folder = tempfile::tempdir().unwrap();
        let site = DemoSite::start(folder.path());
        browser.use_screen(Screen::WIDE);
        browser.prefer(Colours::Light);
        browser.open(&format!("{}/?lang=en", site.public));
        fs::write(of_workspace(PICTURE), browser.picture()).unwrap();
        fs::write(of_workspace(PICTURED), format!("{sources}\n")).unwrap();
        show_first_paints(&site);
        site.stop();
    }
    let pictured = fs::read_to_string(of_workspace(PICTURED)).unwrap();
    assert_eq!(
        pictured.trim(),
        sources,
        "the public page has changed since {PICTURE} was taken: run `cargo xtask screenshots`"
    );
    let readme = fs::read_to_string(of_workspace("README.md")).unwrap();
    assert!(readme.contains(PICTURE), "README.md does not show {PICTURE}");
}

/// Shows how long browsers that were never there take until the first paint.
#[expect(clippy::print_stdout, reason = "`cargo xtask screenshots` shows it")]
fn show_first_paints(site: &DemoSite) {
    for _ in 0..VISITORS {
        let browser = browser::start_or_skip(Scripts::Run).expect("a browser");
        browser.use_screen(Screen::WIDE);
        browser.open(&site.public);
        println!(
            "first paint: {:.0} ms",
            browser.run(FIRST_PAINT).as_f64().unwrap()
        );
    }
}

fn of_workspace(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.unwrap().join(path)
}
