//! Chromium without a window, driven by the protocol WebDriver, which looks at pages as people do.
//!
//! Scripts of a test run beside the policy of a page, which stays in force for everything that the page itself does.

mod hands;
mod looks;
mod screen;
mod walk;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use opencoin_testkit::browser::{self, DRIVER};
use opencoin_testkit::wait::wait_until;
use reqwest::blocking::Response;
use serde_json::{Value, json};

pub use hands::{ENTER, TAB};
pub use looks::Sight;
pub use screen::{Colours, Screen};
pub use walk::{SEND, Walk, walk, walk_without_scripts};

/// How long the driver may take for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// What the driver prints before its port.
const DRIVER_READY: &str = "started successfully on port ";
/// Names that lead to this machine, as somebody who owns a name can arrange it.
const FOREIGN_NAMES: &str = "--host-resolver-rules=MAP *.example 127.0.0.1";

/// A browser. Ends when dropped.
pub struct Browser {
    driver: Child,
    client: reqwest::blocking::Client,
    /// The address of the session at the driver.
    session: String,
    axe: String,
    scripts: Scripts,
}

/// Whether the scripts of pages run. Those of the test do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// They run.
    Run,
    /// The visitor has forbidden them. axe does not work then, because it waits for timers.
    Blocked,
}

/// Returns a browser. Otherwise prints the reason in the line with which a test says that it was skipped; the test must
/// then end.
#[must_use]
#[expect(clippy::print_stdout, reason = "the runner of the tests reads the line")]
pub fn start_or_skip(scripts: Scripts) -> Option<Browser> {
    match browser::find() {
        Ok(installed) => Some(Browser::start(&installed.axe, scripts)),
        Err(reason) => {
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// A file for a picture of a screen, in the folder that keeps them until the next run.
#[must_use]
pub fn screenshot_file(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let folder = root.unwrap().join("target/screenshots");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name).with_extension("png")
}

impl Browser {
    fn start(axe: &Path, scripts: Scripts) -> Self {
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once(DRIVER_READY)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let address = format!("http://127.0.0.1:{}", port.expect("the driver prints its port"));
        let client = reqwest::blocking::Client::builder()
            .timeout(ANSWER_TIME_MAX)
            .no_proxy()
            .build()
            .unwrap();
        // The sandbox does not start as root, and the pages are our own.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            FOREIGN_NAMES,
        ];
        let allowed = match scripts {
            Scripts::Run => 1,
            Scripts::Blocked => 2,
        };
        let preferences = json!({ "profile.managed_default_content_settings.javascript": allowed });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self {
            driver,
            client,
            session: format!("{address}/session"),
            axe: fs::read_to_string(axe).unwrap(),
            scripts,
        };
        let session = browser.post("", &wanted);
        let id = session["sessionId"].as_str().unwrap();
        browser.session = format!("{address}/session/{id}");
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Leaves the page, and forgets what was fetched for it and others.
    pub fn forget_files(&self) {
        self.open("about:blank");
        self.devtools("Network.clearBrowserCache", &json!({}));
    }

    /// Forgets the cookies of the site whose page is open.
    pub fn forget(&self) {
        let _ = self
            .client
            .delete(format!("{}/cookie", self.session))
            .send()
            .unwrap();
    }

    /// Writes a text into the field of this selector.
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Clicks on the element of this selector, and waits for the page that this opens.
    pub fn leave_by(&self, selector: &str) {
        let element = self.element(selector);
        self.leave(|| {
            self.post(&format!("/element/{element}/click"), &json!({}));
        });
    }

    /// Waits for the next page.
    fn arrive(&self) {
        let arrived =
            "return document.readyState === 'complete' && !('left' in document.documentElement.dataset)";
        let arrived = json!({ "script": arrived, "args": [] });
        wait_until("the next page", || {
            // Between two pages there is none that could answer.
            self.ask("/execute/sync", &arrived)
                .is_ok_and(|answer| answer == true)
        });
    }

    /// The text of the page, as it is shown.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText");
        text.as_str().expect("a text").to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.post("/element", &wanted);
        let id = found.as_object().and_then(|found| found.values().next());
        id.and_then(Value::as_str).expect("an id").to_owned()
    }

    /// Runs the body of a function in the page, and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What axe finds in the page: the rules, with the elements that break them. The size of targets is one of WCAG 2.2 AA,
    /// which axe looks at only if it is told to.
    #[must_use]
    pub fn barriers(&self) -> Vec<String> {
        let script = format!(
            "{};const done = arguments[arguments.length - 1];
            axe.run(document, {{ rules: {{ 'target-size': {{ enabled: true }} }} }}).then(
                found => done(found.violations.map(rule =>
                    rule.id + ': ' + rule.nodes.map(node => node.html + ' ' + node.failureSummary).join('; '))),
                error => done(['axe failed: ' + error]));",
            self.axe
        );
        let found = self.post("/execute/async", &json!({ "script": script, "args": [] }));
        let rules = found.as_array().expect("a list of rules").iter();
        rules.map(|rule| rule.as_str().unwrap().to_owned()).collect()
    }

    /// What the browser has complained about since the last call: errors of scripts, violations of the policy, files that
    /// are missing.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a list of entries").iter();
        entries
            .map(|entry| format!("{} {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Takes a picture of what is on the screen.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        let options = json!({ "format": "png" });
        let taken = self.devtools("Page.captureScreenshot", &options);
        BASE64.decode(taken["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// Calls a function of Chromium that WebDriver has not.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask(path, body);
        answer.unwrap_or_else(|error| panic!("the driver answers {path} with {error}"))
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.session)).send();
        let text = answer.and_then(Response::text).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    fn ask(&self, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = self.client.post(url).body(body.to_string()).send().unwrap();
        let (status, text) = (answer.status(), answer.text().unwrap());
        if status.is_success() {
            Ok(serde_json::from_str::<Value>(&text).unwrap()["value"].take())
        } else {
            Err(text)
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and the driver does not end it otherwise.
        let _ = self.client.delete(&self.session).send();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
