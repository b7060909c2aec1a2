//! What visitors do with their hands: keys, tabs, paper.

use data_encoding::BASE64;
use serde_json::json;

use super::Browser;

/// The key Tab, as WebDriver writes it.
pub const TAB: &str = "\u{e004}";
/// The key Enter.
pub const ENTER: &str = "\u{e007}";
/// The most presses of Tab to any element of a page.
const TABS_MAX: usize = 60;

/// Whether the focus is on the element with this selector, and whether somebody sees where it is.
const FOCUS: &str = "const seen = document.activeElement;
    const style = getComputedStyle(seen);
    const box = seen.getBoundingClientRect();
    return {
        there: seen.matches(arguments[0]),
        seen: seen === document.body || (style.outlineStyle !== 'none' && box.width > 0 && box.right > 0),
        what: seen.outerHTML.slice(0, 200),
    }";

impl Browser {
    /// Presses keys, on whatever has the focus.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<_> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let source = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// Presses Tab until the focus is on the element with this selector.
    ///
    /// # Panics
    /// It cannot be reached, or nobody sees where the focus is on the way.
    pub fn reach(&self, selector: &str) {
        for _ in 0..TABS_MAX {
            self.press(TAB);
            let focus = self.post("/execute/sync", &json!({ "script": FOCUS, "args": [selector] }));
            assert_eq!(
                focus["seen"], true,
                "the focus cannot be seen on {}",
                focus["what"]
            );
            if focus["there"] == true {
                return;
            }
        }
        panic!("Tab does not lead to {selector}");
    }

    /// Does something that opens another page, and waits for it.
    pub fn leave(&self, how: impl FnOnce()) {
        self.run("document.documentElement.dataset.left = ''");
        how();
        self.arrive();
    }

    /// Opens a page in another tab, which is in front from now on, and returns the tab that was.
    #[must_use]
    pub fn open_tab(&self, url: &str) -> String {
        let before = self.get("/window");
        let tab = self.post("/window/new", &json!({ "type": "tab" }));
        self.turn_to(tab["handle"].as_str().expect("a tab"));
        self.open(url);
        before.as_str().expect("a tab").to_owned()
    }

    /// Goes on in this tab, which is in front from now on.
    pub fn turn_to(&self, tab: &str) {
        self.post("/window", &json!({ "handle": tab }));
        self.devtools("Page.bringToFront", &json!({}));
    }

    /// Shows pages as they are on paper, or on the screen again.
    pub fn show_as_printed(&self, is_printed: bool) {
        let media = if is_printed { "print" } else { "" };
        self.devtools("Emulation.setEmulatedMedia", &json!({ "media": media }));
    }

    /// Prints the page, as PDF.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let printed = self.post("/print", &json!({}));
        BASE64
            .decode(printed.as_str().expect("a file").as_bytes())
            .unwrap()
    }
}
