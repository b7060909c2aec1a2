//! Walks through the pages of a demo, as people take them from page to page.

use super::{Browser, Scripts, Sight, start_or_skip};
use crate::DemoSite;

/// The button of a form.
pub const SEND: &str = "main form button[type=submit]";

/// Somebody on a walk, who looks well at every page they come to.
pub struct Walk<'site> {
    /// Their browser.
    pub browser: &'site Browser,
    /// The demo.
    pub site: &'site DemoSite,
    /// How they see it.
    pub sight: Sight,
}

/// Takes a walk through a demo of its own in each language, and once more in a browser that runs no script. On a machine
/// without a browser it says that the test was skipped.
pub fn walk(take: impl Fn(&Walk)) {
    walk_as(Scripts::Run, &[Sight::ENGLISH, Sight::GERMAN], &take);
    walk_as(Scripts::Blocked, &[Sight::ENGLISH], &take);
}

/// As [`walk`], in a browser that runs no script, in each language.
pub fn walk_without_scripts(take: impl Fn(&Walk)) {
    walk_as(Scripts::Blocked, &[Sight::ENGLISH, Sight::GERMAN], &take);
}

fn walk_as(scripts: Scripts, sights: &[Sight], take: &impl Fn(&Walk)) {
    let Some(browser) = start_or_skip(scripts) else {
        return;
    };
    for &sight in sights {
        let folder = tempfile::tempdir().unwrap();
        let site = DemoSite::start(folder.path());
        browser.see(&site.public, sight);
        take(&Walk {
            browser: &browser,
            site: &site,
            sight,
        });
        site.stop();
        browser.forget();
    }
}

impl Walk<'_> {
    /// Whether the pages are in English, so that the test knows their words.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.sight.language == "en"
    }

    /// Opens a page of the listener for everybody.
    pub fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.site.public));
    }

    /// Opens a page of the operator's listener.
    pub fn open_console(&self, path: &str) {
        self.browser
            .open(&format!("{}/console{path}", self.site.operator));
    }

    /// Fills these fields of the first form on the page, and sends it. Fields are named by their ids.
    pub fn send(&self, fields: &[(&str, &str)]) {
        self.send_by(SEND, fields);
    }

    /// As [`Self::send`], for the form whose address ends so.
    pub fn send_to(&self, end: &str, fields: &[(&str, &str)]) {
        self.send_by(&format!("main form[action$='/{end}'] button"), fields);
    }

    fn send_by(&self, button: &str, fields: &[(&str, &str)]) {
        for (id, text) in fields {
            self.browser
                .run(&format!("document.getElementById('{id}').value = ''"));
            self.browser.fill(&format!("#{id}"), text);
        }
        self.browser.leave_by(button);
    }

    /// Looks well at the page that is open. In English these words are on it.
    ///
    /// # Panics
    /// They are not, or as [`Browser::look`].
    pub fn sees(&self, name: &str, words: &[&str]) {
        if self.is_english() {
            let text = self.browser.text();
            for word in words {
                assert!(text.contains(word), "{name}, {word}: {text}");
            }
        }
        self.browser.look(name, self.sight);
    }

    /// Logs in to an account, as somebody who knows the address of the currency alone.
    pub fn log_in(&self, name: &str) {
        self.open("/");
        self.browser.leave_by("header a[href='/account']");
        self.send(&[("name", name), ("password", &self.site.passwords[name])]);
    }

    /// Enters the console with this token.
    pub fn enter_console(&self, token: &str) {
        self.open_console("");
        self.send(&[("token", token)]);
    }
}
