//! Addresses that are damaged are answered with a page in the language of the visitor.

use std::path::Path;

use opencoin_issuer::AdminScope;

use crate::bank::table;
use crate::languages::{filled, routes};
use crate::world::{Answer, Browser, KeyMaking, Side, World};

/// The pages that read a query, each with a part of it.
const QUERIES: [(&str, &str); 23] = [
    ("/account", "paid"),
    ("/account/start", "name"),
    ("/account/live", "after"),
    ("/account/entries", "before"),
    ("/account/entries.csv", "before"),
    ("/account/payouts", "before"),
    ("/account/settings", "changed"),
    ("/console/figures", "period"),
    ("/console/accounts", "after"),
    ("/console/accounts/{name}", "before"),
    ("/console/payouts", "beyond"),
    ("/console/payout-files", "before"),
    ("/console/payout-files/{no}", "done"),
    ("/console/bank", "before"),
    ("/console/bank/statements/{no}", "done"),
    ("/console/bank/statements/{no}/{list}", "from"),
    ("/console/bank/lines", "beyond"),
    ("/console/keys", "done"),
    ("/console/keys/request", "done"),
    ("/console/audit", "done"),
    ("/console/proposals", "after"),
    ("/console/proposals/{id}", "done"),
    ("/console/actions", "before"),
];
/// Those that are numbers.
const NUMBERS: [&str; 4] = ["paid", "before", "beyond", "from"];

/// What a page in German says to an address that is damaged.
async fn asked(world: &World, browser: &Browser<'_>, path: &str) -> Answer {
    let side = if path.starts_with("/console") {
        Side::Operators
    } else {
        Side::Public
    };
    let headers = [("cookie", browser.cookie.as_str()), ("accept-language", "de")];
    world.get_from(side, path, &headers).await
}

fn assert_refused(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 400, "{path}: {answer:?}");
    assert_eq!(
        answer.header("content-type"),
        "text/html; charset=utf-8",
        "{path}"
    );
    answer.has("Das wurde nicht verstanden");
    answer.has("lang=\"de\"");
}

#[tokio::test]
async fn a_damaged_address_is_answered_with_a_page() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    world.open("alice", 1000).await;
    world.ask_for_payout("alice", 10, "DE89370400440532013000").await;
    let (desk, alice) = (
        world.operator("desk", &AdminScope::ALL).await,
        world.browser("alice").await,
    );
    desk.make(&["1"], "csv").await;
    desk.upload("may.csv", &table(&[("Eve", "no code", "5,00")]))
        .await;
    let pages = routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "get(");
    for (page, _) in QUERIES {
        assert!(pages.iter().any(|known| known == page), "{page}: {pages:?}");
    }
    for page in &pages {
        let path = filled(page, "1").replace("statements/1/1", "statements/1/new");
        let browser = if path.starts_with("/console") {
            &desk
        } else {
            &alice
        };
        let Some((_, name)) = QUERIES.iter().find(|(known, _)| known == page) else {
            let names = QUERIES.map(|(_, name)| format!("{name}=1&{name}=1"));
            let answer = asked(&world, browser, &format!("{path}?{}", names.join("&"))).await;
            assert_ne!(answer.status, 400, "{page} reads a query: {answer:?}");
            continue;
        };
        let twice = format!("{path}?{name}=1&{name}=1");
        assert_refused(&asked(&world, browser, &twice).await, &twice);
        if NUMBERS.contains(name) {
            let word = format!("{path}?{name}=x");
            assert_refused(&asked(&world, browser, &word).await, &word);
        }
    }
    for path in [
        "/console/accounts/%FF",
        "/console/payouts/%FF",
        "/console/payout-files/%FF",
        "/console/bank/statements/1/%FF",
    ] {
        assert_refused(&asked(&world, &desk, path).await, path);
    }
}
