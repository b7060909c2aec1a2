//! Whatever people write, pages show it as text.

use std::path::Path;

use opencoin_issuer::AdminScope;

use crate::bank::table;
use crate::languages::{fill, filled, routes};
use crate::world::{Answer, Browser, KeyMaking, World};

/// Texts that would do harm in a page, in a table, or to the order of words.
const HARMFUL: [&str; 3] = ["<script>alert(1)</script>", "=1+1", "a\u{202e}b"];

/// Nothing of what was written is a tag or turns the words around it.
#[track_caller]
fn is_harmless(answer: &Answer, path: &str) {
    let is_page = answer.header("content-type").starts_with("text/html");
    if is_page {
        answer.lacks("<script>alert");
    }
    assert!(!answer.text.contains('\u{202e}'), "{path}: {}", answer.text);
    for cell in answer.text.split([';', ',', '\n']) {
        assert!(
            is_page || !cell.trim_matches('"').starts_with('='),
            "{path}: {cell}"
        );
    }
}

/// Fills in a form, and goes on if it is taken. Returns whether it was.
async fn send(browser: &Browser<'_>, page: &str, path: &str, typed: &[(&str, &str)]) -> bool {
    let form = browser.get(page).await.with(200);
    let asked = browser.submit(&form, path, typed).await;
    if asked.status != 200 {
        // What was typed is still in its field, for whoever has typed it.
        assert_eq!(asked.status, 422, "{path}: {}", asked.text);
        asked.lacks(HARMFUL[0]);
        return false;
    }
    is_harmless(&asked, path);
    let done = browser
        .submit(&asked, &format!("{path}/confirm"), &[])
        .await
        .with(303);
    is_harmless(&browser.get(done.header("location")).await, path);
    true
}

/// The number of the payout that was asked for last.
async fn newest_payout(desk: &Browser<'_>) -> u32 {
    let list = desk.get("/console/payouts").await.with(200);
    let links = list.text.split("href=\"/console/payouts/").skip(1);
    let numbers = links.filter_map(|link| link.split('"').next()?.parse().ok());
    numbers.max().unwrap()
}

#[tokio::test]
async fn no_text_of_anybody_is_more_than_text_on_any_page() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let desk = world.operator("desk", &AdminScope::ALL).await;
    let key = fill(&world, &desk).await;
    let alice = world.browser("alice").await;
    let account = "/console/accounts/alice";
    let mut units = 1;
    for text in HARMFUL {
        let is_taken = !text.contains('\u{202e}');
        let pay = [("to", "bob"), ("amount", "0.01"), ("label", text)];
        let holders: [(&str, &[(&str, &str)]); 2] = [
            ("/account/pay", &pay),
            ("/account/payouts", &[("amount", "0.01"), ("destination", text)]),
        ];
        for (path, typed) in holders {
            assert_eq!(send(&alice, path, path, typed).await, is_taken, "{path}");
        }
        for way in ["credit", "debit"] {
            let (path, reference) = (format!("{account}/book/{way}"), format!("{text} {way}"));
            let typed = [("amount", "0.10"), ("reference", reference.as_str())];
            assert_eq!(send(&desk, &path, &path, &typed).await, is_taken, "{path}");
        }
        for status in ["frozen", "open"] {
            let path = format!("{account}/status/{status}");
            assert_eq!(
                send(&desk, &path, &path, &[("reason", text)]).await,
                is_taken,
                "{path}"
            );
        }
        for verdict in ["paid", "failed"] {
            units += 1;
            world.ask_for_payout("alice", units, "the desk").await;
            let page = format!("/console/payouts/{}", newest_payout(&desk).await);
            let path = format!("{page}/{verdict}");
            assert_eq!(
                send(&desk, &page, &path, &[("text", text)]).await,
                is_taken,
                "{path}"
            );
        }
        // What the bank writes is taken as it is.
        let name = format!("{text}.csv").replace(['<', '>', '/'], "");
        let statement = desk.upload(&name, &table(&[(text, text, "7,00")])).await;
        is_harmless(&statement, "a statement");
    }
    let stop = format!("/console/keys/stop/{key}");
    let typed = [("value", "0.05"), ("reason", HARMFUL[0])];
    assert!(send(&desk, &stop, &stop, &typed).await);

    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let pages = routes(&sources, "get(");
    assert!(pages.len() > 30, "{pages:?}");
    let mut seen = 0;
    for page in &pages {
        let path = filled(page, &key);
        if path == "/account/live" {
            continue;
        }
        let browser = if path.starts_with("/console") {
            &desk
        } else {
            &alice
        };
        let answer = browser.get(&path).await;
        is_harmless(&answer, &path);
        seen += usize::from(answer.status == 200);
    }
    assert!(seen > 25, "{seen} of {pages:?}");
    let public = world.get("/", &[]).await.with(200);
    is_harmless(&public, "/");
    public.has("&#60;script&#62;alert(1)");
    desk.get("/console/actions").await.has("=1+1");
}
