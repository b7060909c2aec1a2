//! The pages as people use them: by keyboard alone, in many tabs, on paper, while they look on.

use std::fs;

use opencoin_e2e::DemoSite;
use opencoin_e2e::browser::{self, Browser, Colours, ENTER, Screen, Scripts, screenshot_file};
use opencoin_testkit::wait::wait_until;

/// A browser opens so many connections to a server at most, and each stream keeps one.
const CONNECTIONS_MAX: usize = 6;

/// What is shown of an element.
const SHOWN: &str = "[...document.querySelectorAll('.bar, .foot, .off-paper, button')]
    .filter(element => element.checkVisibility()).length";

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
    tabs.push(browser.open_tab(&format!("{account}/pay")));
    browser.fill("#to", "bob");
    browser.fill("#amount", "1.20");
    browser.leave_by("main form button[type=submit]");
    browser.leave_by("main form button[type=submit]");
    for (place, tab) in tabs.iter().enumerate() {
        browser.turn_to(tab);
        wait_until(&format!("the balance in tab {place}"), || {
            browser.text().contains("1.73 OpenCent")
        });
    }
    assert_eq!(browser.complaints(), [""; 0]);
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
