//! The pages in a browser: on every screen, in both languages, with and without scripts.

use opencoin_e2e::DemoSite;
use opencoin_e2e::browser::{self, Browser, Colours, SEND, Screen, Scripts, Sight};
use reqwest::blocking::Client;
use serde_json::json;

const LANGUAGES: [&str; 2] = ["en", "de"];

/// The pages of an account.
const ACCOUNT_PAGES: [&str; 7] = [
    "",
    "/pay",
    "/entries",
    "/payouts",
    "/programs",
    "/settings",
    "/settings/logout",
];

/// The pages of the console, in the order in which they are looked at.
const CONSOLE_PAGES: [&str; 23] = [
    "",
    "/figures",
    "/figures?period=day",
    "/accounts",
    "/open-account",
    "/accounts/alice",
    "/accounts/alice/book/credit",
    "/accounts/alice/status/closed",
    "/accounts/alice/code/new",
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

/// How the label of a field is laid out.
const LABEL_DISPLAY: &str = "return getComputedStyle(document.querySelector('label[for=amount]')).display";

/// The addresses of the files that a page loads.
const FILES: &str = "return [...document.querySelectorAll('link[href], script[src], img[src]')]
    .map(element => element.href || element.src)";

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
                browser.look_at(&site.public, "public", Sight::new(language, screen, colours));
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
    for sight in Sight::ALL {
        browser.look_at(&format!("{account}/login"), "login", sight);
        browser.look_at(&format!("{account}/start"), "start", sight);
        // What a browser shows of the link with which a wallet is connected.
        browser.look_at(&format!("{account}/pair"), "pair", sight);
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
        for sight in Sight::ALL {
            browser.look_at(&format!("{account}{page}"), &name, sight);
        }
    }
    site.stop();
}

fn enter_console(browser: &Browser, site: &DemoSite) -> String {
    let console = format!("{}/console", site.operator);
    browser.open(&console);
    browser.fill("#token", &site.token);
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
    for sight in Sight::ALL {
        browser.look_at(
            &format!("{}/console/login", site.operator),
            "console-login",
            sight,
        );
    }
    let console = enter_console(&browser, &site);
    propose(&browser, &console);
    for page in CONSOLE_PAGES {
        for sight in Sight::ALL {
            let name = format!("console{}", named(page));
            browser.look_at(&format!("{console}{page}"), &name, sight);
        }
    }
    site.stop();
}

#[test]
fn the_public_page_is_complete_without_scripts_and_light() {
    let Some(browser) = browser::start_or_skip(Scripts::Blocked) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.look_at(&site.public, "public-without-scripts", Sight::ENGLISH);
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
fn a_look_finds_what_is_not_for_people_and_nothing_else() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.see(&site.public, Sight::ENGLISH);
    let show = |kind: &str, text: &str| {
        browser.run(&format!(
            "const shown = document.getElementById('shown') ?? document.createElement('{kind}');
            shown.id = 'shown';
            shown.textContent = {};
            document.querySelector('main').append(shown)",
            json!(text)
        ));
        browser.words_of_insiders()
    };
    for never in [
        "Your access token",
        "ocs_7Hq2",
        "oca_7Hq2",
        "ock_7Hq2",
        "It is 08:05 UTC",
        "2026-03-05T08:05:59Z",
        "{\"detail\": \"no\"}",
        "404 Not Found",
        "Error 500",
        "The mint key is stopped",
        "2 blinds were sent",
        "an unknown denomination",
        "the CDDC",
        "the key 5a5a5a5a",
        "request 3f2b8c10 d41d8cd9",
        "null",
        "undefined",
        "NaN OpenCent",
        "[object Object]",
        "coins to redeem",
    ] {
        assert_ne!(show("p", never), [""; 0], "{never}");
    }
    for fine in [
        "Paid 404.00 OpenCent",
        "DE89 3704 0044 0532 0130 00",
        "OC-ALICE-7K",
        "1 December 2026, 08:05",
        "The facade was decade-old, and is renewed.",
    ] {
        assert_eq!(show("p", fine), [""; 0], "{fine}");
    }
    // The words of a fingerprint mean nothing.
    browser.run("document.getElementById('shown').translate = false");
    assert_eq!(show("p", "token you power prevent"), [""; 0]);
    // What is to be copied, and not to be read.
    browser.run("document.getElementById('shown').remove()");
    assert_eq!(show("code", "5a5a5a5a"), [""; 0]);
    site.stop();
}
