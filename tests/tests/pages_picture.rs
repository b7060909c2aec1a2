//! The picture of the public page with which the README begins.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use opencoin_e2e::DemoSite;
use opencoin_e2e::browser::{self, Screen, Scripts, Sight};
use sha2::{Digest, Sha256};

/// The picture, and the hash of it and of what it is made from.
const PICTURE: &str = "docs/public-page.png";
const PICTURED: &str = "docs/public-page.sources";
/// What is seen in the picture is made from these files.
const SOURCES: [&str; 10] = [
    "crates/opencoin-cli/src/commands/demo/site/people.rs",
    "crates/opencoin-cli/src/commands/demo/site/paid_in.rs",
    "crates/opencoin-web/locales/en/common.json",
    "crates/opencoin-web/locales/en/public.json",
    "crates/opencoin-web/src/format.rs",
    "crates/opencoin-web/src/public.rs",
    "crates/opencoin-web/static/forms.js",
    "crates/opencoin-web/static/pages.css",
    "crates/opencoin-web/templates/layout.html",
    "crates/opencoin-web/templates/public/home.html",
];
/// Set by `cargo xtask screenshots`.
const RENEW_VARIABLE: &str = "OPENCOIN_TEST_RENEW_PICTURES";

/// The visitors whose first paint is shown, and how often each comes as if for the first time.
const VISITORS: usize = 5;
const VISITS: usize = 5;
/// The milliseconds from the request to the first paint.
const FIRST_PAINT: &str = "return new Promise(resolve => new PerformanceObserver(list =>
    resolve(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))";

#[test]
fn the_picture_in_the_readme_is_not_older_than_the_page() {
    if env::var_os(RENEW_VARIABLE).is_some() {
        let browser = browser::start_or_skip(Scripts::Run).expect("a browser");
        let folder = tempfile::tempdir().unwrap();
        let site = DemoSite::start(folder.path());
        browser.see(&site.public, Sight::ENGLISH);
        fs::write(of_workspace(PICTURE), browser.picture()).unwrap();
        fs::write(of_workspace(PICTURED), format!("{}\n", hash())).unwrap();
        show_first_paints(&site);
        site.stop();
    }
    let pictured = fs::read_to_string(of_workspace(PICTURED)).unwrap();
    assert_eq!(
        pictured.trim(),
        hash(),
        "{PICTURE} is not the picture that was taken of these sources: run `cargo xtask screenshots`"
    );
    let readme = fs::read_to_string(of_workspace("README.md")).unwrap();
    assert!(readme.contains(PICTURE), "README.md does not show {PICTURE}");
}

/// The hash of the picture and of its sources, each with its name and length, so that none is taken for a part of another.
fn hash() -> String {
    let mut hash = Sha256::new();
    for path in SOURCES.into_iter().chain([PICTURE]) {
        let content = fs::read(of_workspace(path)).unwrap();
        hash.update(format!("{path} {}\n", content.len()));
        hash.update(content);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shows how long a browser takes until the first paint of a page of which it has nothing, when it was just started and when
/// it is open already.
#[expect(clippy::print_stdout, reason = "`cargo xtask screenshots` shows it")]
fn show_first_paints(site: &DemoSite) {
    let (mut started, mut open) = (Vec::new(), Vec::new());
    for _ in 0..VISITORS {
        let browser = browser::start_or_skip(Scripts::Run).expect("a browser");
        browser.use_screen(Screen::WIDE);
        for visit in 0..VISITS {
            browser.forget_files();
            browser.open(&site.public);
            let paint_ms = browser.run(FIRST_PAINT).as_f64().unwrap();
            if visit == 0 {
                started.push(paint_ms);
            } else {
                open.push(paint_ms);
            }
        }
    }
    for (name, mut paints_ms) in [("started now", started), ("open already", open)] {
        paints_ms.sort_by(f64::total_cmp);
        let (median, last) = (paints_ms[paints_ms.len() / 2], paints_ms.len() - 1);
        println!(
            "first paint in a browser that is {name}: {median:.0} ms ({:.0} to {:.0})",
            paints_ms[0], paints_ms[last]
        );
    }
}

fn of_workspace(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.unwrap().join(path)
}
