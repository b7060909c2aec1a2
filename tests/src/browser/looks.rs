//! A good look at a page: what keeps people from using it, what they should not have to read, what the browser complains
//! about.

use std::fs;

use serde_json::json;

use super::{Browser, Colours, Screen, Scripts, screenshot_file};

/// Finds what nobody should read.
const WORDS: &str = include_str!("words.js");

/// What the browser says about an answer that is a refusal. A page may be one.
const REFUSED: &str = "Failed to load resource: the server responded with a status of 4";

/// How a visitor sees pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The tag of the language of the pages.
    pub language: &'static str,
    /// The screen.
    pub screen: Screen,
    /// The colours that they prefer.
    pub colours: Colours,
}

impl Sight {
    /// In English, on a computer.
    pub const ENGLISH: Self = Self::new("en", Screen::WIDE, Colours::Light);
    /// In German, on a telephone, at night.
    pub const GERMAN: Self = Self::new("de", Screen::NARROW, Colours::Dark);
    /// Those of a page that is opened by its address: each language, screen and colours.
    pub const ALL: [Self; 4] = [
        Self::ENGLISH,
        Self::GERMAN,
        Self::new("de", Screen::ZOOMED, Colours::Light),
        Self::new("de", Screen::WIDE, Colours::Dark),
    ];

    /// See the fields.
    #[must_use]
    pub const fn new(language: &'static str, screen: Screen, colours: Colours) -> Self {
        Self {
            language,
            screen,
            colours,
        }
    }

    /// A part of the name of a picture.
    fn name(self) -> String {
        format!("{}-{}-{}", self.language, self.screen.name, self.colours.name())
    }
}

impl Browser {
    /// Opens a page in this sight, looks at it well, and keeps a picture of it.
    ///
    /// # Panics
    /// As [`Self::look`].
    pub fn look_at(&self, url: &str, name: &str, sight: Sight) {
        self.see(url, sight);
        self.look(name, sight);
    }

    /// Opens a page, and sees it and all pages after it so.
    pub fn see(&self, url: &str, sight: Sight) {
        self.use_screen(sight.screen);
        self.prefer(sight.colours);
        let mark = if url.contains('?') { '&' } else { '?' };
        self.open(&format!("{url}{mark}lang={}", sight.language));
    }

    /// Looks well at the page that is open, and keeps a picture of all of it. Every page that a test comes to should be
    /// looked at.
    ///
    /// # Panics
    /// Somebody cannot use it, must scroll to both sides, or reads what is not for people; or the browser complains.
    pub fn look(&self, name: &str, sight: Sight) {
        let runs = self.scripts == Scripts::Run;
        let without = if runs { "" } else { "-without-scripts" };
        let seen = format!("{name}-{}{without}", sight.name());
        if runs {
            assert_eq!(self.barriers(), [""; 0], "{seen}: axe finds barriers");
        }
        assert_eq!(self.overhang(), 0, "{seen}: wider than the screen");
        assert_eq!(self.words_of_insiders(), [""; 0], "{seen}: not for people");
        let address = self.run("return location.href");
        let refused = format!("{} - {REFUSED}", address.as_str().expect("an address"));
        let complaints: Vec<_> = self
            .complaints()
            .into_iter()
            .filter(|complaint| !complaint.contains(&refused))
            .collect();
        assert_eq!(complaints, [""; 0], "{seen}: the browser complains");
        self.unroll(sight.screen);
        fs::write(screenshot_file(&seen), self.picture()).unwrap();
        self.use_screen(sight.screen);
    }

    /// What can be read on the page and is not for people, each with the text around it: words for insiders, ids, notations
    /// of programs. What is folded away or set as code is not looked at.
    #[must_use]
    pub fn words_of_insiders(&self) -> Vec<String> {
        let runs = self.scripts == Scripts::Run;
        let found = self.post("/execute/sync", &json!({ "script": WORDS, "args": [runs] }));
        let found = found.as_array().expect("a list of texts").iter();
        found.map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}
