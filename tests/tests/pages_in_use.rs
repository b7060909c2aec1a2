//! The pages as people use them: by keyboard alone, in many tabs, on paper, while they look on.

use std::fs;

use opencoin_e2e::DemoSite;
use opencoin_e2e::browser::{self, Browser, Colours, ENTER, Screen, Scripts, screenshot_file};
use opencoin_testkit::wait::wait_until;

/// A browser opens so many connections to a server at most, and each stream keeps one.
const CONNECTIONS_MAX: usize = 6;

/// More wrong passwords than are taken without a wait.
const ATTEMPTS_MAX: usize = 12;

/// What is shown of an element.
const SHOWN: &str = "[...document.querySelectorAll('.bar, .foot, .off-paper, button')]
    .filter(element => element.checkVisibility()).length";

/// How many entries the page has.
const ROWS: &str = "return document.querySelectorAll('[data-by-day] tbody tr:not(.day)').length";
/// The days that are the titles of entries, and the days of these entries.
const DAYS: &str = "return [...document.querySelectorAll('[data-by-day] tbody')].map(day => [
    day.rows[0].innerText,
    ...new Set([...day.querySelectorAll('td time')].map(time => styles.day.format(new Date(time.dateTime)))),
])";

fn log_in_by_keyboard(browser: &Browser, site: &DemoSite, name: &str) {
    browser.open(&format!("{}/account/login?lang=en", site.public));
    browser.reach("#name");
    browser.press(name);
    browser.reach("#password");
    browser.press(&site.passwords[name]);
    browser.leave(|| browser.press(ENTER));
}

fn assert_shows(browser: &Browser, text: &str) {
    let page = browser.text();
    assert!(page.contains(text), "{text}: {page}");
}

#[test]
fn a_holder_pays_by_keyboard_alone() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    log_in_by_keyboard(&browser, &site, "alice");
    assert_shows(&browser, "2.93 OpenCent");

    // Past the bar, and to the form.
    browser.reach(".skip");
    browser.press(ENTER);
    browser.reach("main a[href='/account/pay']");
    browser.leave(|| browser.press(ENTER));
    for (field, text) in [("#to", "bob"), ("#amount", "1.20"), ("#label", "rent")] {
        browser.reach(field);
        browser.press(text);
    }
    browser.leave(|| browser.press(ENTER));
    assert_shows(&browser, "1.20\u{a0}OpenCent");
    browser.reach("main button[type=submit]");
    browser.leave(|| browser.press(ENTER));
    assert_shows(&browser, "1.73 OpenCent");

    // The same in the console.
    browser.open(&format!("{}/console", site.operator));
    browser.reach("#token");
    browser.press(&site.token);
    browser.leave(|| browser.press(ENTER));
    browser.reach("a[href='/console/accounts']");
    browser.leave(|| browser.press(ENTER));
    browser.reach("main a[href='/console/accounts/bob']");
    browser.leave(|| browser.press(ENTER));
    browser.reach("a[href$='/book/credit']");
    browser.leave(|| browser.press(ENTER));
    for (field, text) in [("#amount", "5"), ("#reference", "line 3")] {
        browser.reach(field);
        browser.press(text);
    }
    browser.leave(|| browser.press(ENTER));
    browser.reach("main button[type=submit]");
    browser.leave(|| browser.press(ENTER));
    assert_shows(&browser, "Credited 5.00\u{a0}OpenCent to bob.");
    site.stop();
}

#[test]
fn seven_tabs_are_live_and_another_page_still_loads() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    log_in_by_keyboard(&browser, &site, "alice");
    let account = format!("{}/account", site.public);
    let mut tabs = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        tabs.push(browser.open_tab(&account));
    }
    tabs.push(browser.open_tab(&format!("{account}/entries")));
    assert_eq!(browser.run(ROWS), 6);
    let entries = browser.open_tab(&format!("{account}/pay"));
    browser.fill("#to", "bob");
    browser.fill("#amount", "1.20");
    browser.leave_by("main form button[type=submit]");
    browser.leave_by("main form button[type=submit]");
    browser.turn_to(&entries);
    wait_until("the entry of the payment", || browser.run(ROWS) == 7);
    assert_shows(&browser, "Payment to bob");
    for (place, tab) in tabs.iter().enumerate() {
        browser.turn_to(tab);
        wait_until(&format!("the balance in tab {place}"), || {
            browser.text().contains("1.73 OpenCent")
        });
    }
    assert_eq!(browser.complaints(), [""; 0]);
    site.stop();
}

/// Whoever has just opened an account sees the first money arrive on the pages that were empty.
#[test]
fn the_first_entry_of_an_account_appears_by_itself() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&format!("{}/console?lang=en", site.operator));
    browser.fill("#token", &site.token);
    browser.leave_by("main form button[type=submit]");
    browser.open(&format!("{}/console/open-account", site.operator));
    browser.fill("#name", "dave");
    browser.leave_by("main form button[type=submit]");
    browser.leave_by("main form button[type=submit]");
    let code = browser.run("return document.querySelector('main .large code').textContent");

    let _console = browser.open_tab(&format!("{}/account/start?lang=en", site.public));
    browser.fill("#name", "dave");
    browser.fill("#code", code.as_str().expect("a start code"));
    for field in ["#new", "#repeated"] {
        browser.fill(field, "correct horse battery");
    }
    browser.leave_by("main form button[type=submit]");
    assert_shows(&browser, "Nothing yet.");
    let overview = browser.open_tab(&format!("{}/account/entries", site.public));
    assert_shows(&browser, "No entries.");

    let entries = browser.open_tab(&format!("{}/console/accounts/dave/book/credit", site.operator));
    browser.fill("#amount", "5");
    browser.fill("#reference", "line 4");
    browser.leave_by("main form button[type=submit]");
    browser.leave_by("main form button[type=submit]");
    for (tab, empty) in [(overview, "Nothing yet."), (entries, "No entries.")] {
        browser.turn_to(&tab);
        wait_until("the first entry", || browser.run(ROWS) == 1);
        assert_shows(&browser, "Paid in: line 4");
        assert!(!browser.text().contains(empty));
        assert_eq!(browser.barriers(), [""; 0]);
    }
    site.stop();
}

/// Without scripts the days are those of UTC.
#[test]
fn entries_stand_below_the_days_of_the_visitor() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    log_in_by_keyboard(&browser, &site, "alice");
    for zone in ["America/New_York", "Asia/Tokyo"] {
        browser.use_zone(zone);
        browser.open(&format!("{}/account/entries", site.public));
        let days = browser.run(DAYS);
        let days = days.as_array().expect("a list of days");
        assert!(!days.is_empty(), "{zone}");
        for day in days {
            let said = day.as_array().expect("a title and the days of entries");
            assert_eq!((said.len(), &said[0]), (2, &said[1]), "{zone}: {days:?}");
        }
    }
    site.stop();
}

/// After too many wrong passwords the button says how long it takes, and can be pressed then.
#[test]
fn a_log_in_that_must_wait_counts_down() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.open(&format!("{}/account/login?lang=en", site.public));
    let button = |what: &str| {
        let script = format!("return document.querySelector('main form button[type=submit]').{what}");
        browser.run(&script)
    };
    browser.fill("#name", "alice");
    for _ in 0..ATTEMPTS_MAX {
        browser.fill("#password", "wrong");
        browser.leave_by("main form button[type=submit]");
        if button("dataset.wait").is_string() {
            break;
        }
    }
    assert!(button("dataset.wait").is_string(), "no attempt must wait");
    wait_until("the end of the wait", || button("disabled") == false);
    assert_eq!(button("textContent"), "Log in");
    log_in_by_keyboard(&browser, &site, "alice");
    assert_shows(&browser, "2.93 OpenCent");
    site.stop();
}

#[test]
fn what_is_printed_is_black_on_white_and_has_nothing_to_press() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    log_in_by_keyboard(&browser, &site, "alice");
    browser.use_screen(Screen::WIDE);
    for page in ["/account/entries", "/"] {
        browser.open(&format!("{}{page}", site.public));
        browser.prefer(Colours::Dark);
        let shown = format!("return {SHOWN}");
        assert!(browser.run(&shown).as_u64().unwrap() > 0, "{page}");
        browser.show_as_printed(true);
        assert_eq!(browser.run(&shown), 0, "{page}");
        let colours = browser.run(
            "const style = getComputedStyle(document.documentElement);
            return [style.color, style.backgroundColor]",
        );
        assert_eq!(colours[0], "rgb(0, 0, 0)", "{page}");
        assert_eq!(colours[1], "rgb(255, 255, 255)", "{page}");
        let name = format!("printed{}", page.replace('/', "-"));
        fs::write(screenshot_file(&name), browser.picture()).unwrap();
        browser.show_as_printed(false);
        assert!(browser.print().starts_with(b"%PDF-"), "{page}");
    }
    site.stop();
}

#[test]
fn charts_go_on_while_an_operator_looks_at_them() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    browser.use_screen(Screen::WIDE);
    browser.open(&format!("{}/console?lang=en", site.operator));
    browser.fill("#token", &site.token);
    browser.leave_by("main form button[type=submit]");
    browser.open(&format!("{}/console/figures", site.operator));
    browser.run("document.title = 'not loaded again'");
    let first = "return document.querySelector('#figures polyline') !== null";
    wait_until("the first figures", || browser.run(first) == true);
    // They are put in place of those that are there.
    browser.run("document.querySelector('#figures').dataset.seen = 'yes'");
    browser.run("document.querySelector('#figures-table').open = true");
    let newer = "return !('seen' in document.querySelector('#figures').dataset)";
    wait_until("newer figures", || browser.run(newer) == true);
    assert_eq!(browser.run("return document.title"), "not loaded again");
    assert_eq!(
        browser.run("return document.querySelector('#figures-table').open"),
        true
    );
    assert_eq!(browser.barriers(), [""; 0], "axe finds barriers");
    assert_eq!(browser.complaints(), [""; 0]);
    let text = browser.text();
    assert!(text.contains("in all. The highest point is"), "{text}");
    fs::write(screenshot_file("console-figures-live"), browser.picture()).unwrap();

    // Whoever was logged out elsewhere is told that they look at old figures.
    let old = "no longer kept up to date";
    assert!(!text.contains(old), "{text}");
    let figures = browser.open_tab(&format!("{}/console", site.operator));
    browser.leave_by("header form button");
    browser.turn_to(&figures);
    wait_until("the note", || browser.text().contains(old));
    site.stop();
}
