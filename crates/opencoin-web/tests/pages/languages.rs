//! The switch between languages, on pages that answer forms.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_issuer::{AdminScope, Asked};
use opencoin_ledger::{Amount, Reference};

use crate::bank::table;
use crate::world::{Answer, Browser, KeyMaking, LARGE_UNITS, World};

/// What is typed into every form: enough for some to go on to their question, or to what they do.
pub(crate) const TYPED: [(&str, &str); 9] = [
    ("name", "telephone"),
    ("to", "bob"),
    ("amount", "0.01"),
    ("reason", "because"),
    ("reference", "line 1"),
    ("text", "line 2"),
    ("value", "0.05"),
    ("destination", "DE89370400440532013000"),
    ("key", "form-1"),
];

/// The paths of all pages (`get(`) or forms (`post(`), as the routers have them.
pub(crate) fn routes(folder: &Path, method: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            routes.extend(self::routes(&path, method));
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for route in source.split(".route(").skip(1) {
            let mut quoted = route.splitn(3, '"');
            let (_, Some(path), Some(rest)) = (quoted.next(), quoted.next(), quoted.next()) else {
                continue;
            };
            let call = rest.split(['\n', ';']).take(4).collect::<String>();
            let call = call.split(".route(").next().unwrap();
            if call.contains(method) {
                routes.push(path.to_owned());
            }
        }
    }
    routes
}

/// The path with something that exists in the place of each parameter.
pub(crate) fn filled(path: &str, key: &str) -> String {
    let path = path
        .replace("/keys/stop/{id}", &format!("/keys/stop/{key}"))
        .replace("/lines/{no}/{verdict}", "/lines/1/assign")
        .replace("/proposals/{id}/{verdict}", "/proposals/1/approve")
        .replace("{name}", "alice")
        .replace("{way}", "credit")
        .replace("{status}", "frozen")
        .replace("{verdict}", "paid")
        .replace("{end}", "withdraw")
        .replace("{state}", "paused");
    let mut parts = path.split(['{', '}']);
    let mut filled = parts.next().unwrap().to_owned();
    while let (Some(_), Some(text)) = (parts.next(), parts.next()) {
        filled += "1";
        filled += text;
    }
    filled
}

/// Follows the switch to German on a page.
async fn switch(browser: &Browser<'_>, form: &str, answer: &Answer) {
    let link = answer.text.split("href=\"").find_map(|rest| {
        let href = rest.split('"').next()?;
        href.ends_with("lang=de").then(|| href.replace("&#38;", "&"))
    });
    let link = link.unwrap_or_else(|| panic!("{form} is answered without a switch: {answer:?}"));
    let switched = browser.get(&link).await;
    assert_eq!(switched.status, 303, "{form}: {link}");
    let target = switched.header("location").to_owned();
    assert!(
        !target.contains("/login") || form.ends_with("/login"),
        "{form}: the switch leads to {target}"
    );
    let page = browser.get(&target).await;
    assert!(
        matches!(page.status.as_u16(), 200 | 303),
        "{form}: the switch leads to {target}, which is answered with {}",
        page.status
    );
    assert!(
        !page.header("location").contains("/login") || form.ends_with("/login"),
        "{form}: the switch leads to the log-in"
    );
}

/// Makes something for every form: accounts, a payout in a file, a proposal, a line of the bank. Returns the id of a key.
pub(crate) async fn fill(world: &World, desk: &Browser<'_>) -> String {
    world.open("alice", 1000).await;
    world.open("bob", 0).await;
    world.ask_for_payout("alice", 10, "DE89370400440532013000").await;
    desk.make(&["1"], "csv").await;
    // A credit that waits for a second operator.
    let (cashier, alice) = (world.server.issuer().cashier(), "alice".parse().unwrap());
    let (large, reference) = (
        Amount::new(LARGE_UNITS + 1).unwrap(),
        Reference::new("large").unwrap(),
    );
    let night = "night".parse().unwrap();
    let asked = cashier.acting(&night).credit(&alice, large, reference).await;
    assert!(matches!(asked, Ok(Asked::Waits(_))));
    // A line of a statement that waits.
    let matched = opencoin_bank::payment_code::of_account("bob");
    let lines = [("Eve", "no code", "5,00"), ("Bob", &matched, "1,00")];
    let statement = desk.upload("may.csv", &table(&lines)).await;
    desk.book(&statement, 1).await.with(303);
    let keys = world.server.issuer().mint_key_overview().await.unwrap();
    keys.denominations[&5][0].id.to_string()
}

/// The paths of all forms, as the routers have them.
pub(crate) fn forms() -> Vec<String> {
    let forms = routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "post(");
    for known in [
        "/account/pay/confirm",
        "/console/payouts/{id}/{verdict}",
        "/console/audit",
    ] {
        assert!(
            forms.iter().any(|form| form == known),
            "{known} is not found: {forms:?}"
        );
    }
    forms
}

/// The token of the forms of a page.
pub(crate) fn form_token(page: &Answer) -> &str {
    let token = page.text.split("name=\"form_token\" value=\"").nth(1).unwrap();
    token.split('"').next().unwrap()
}

#[tokio::test]
async fn the_switch_on_the_answer_to_a_form_leads_to_a_page() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let desk = world.operator("desk", &AdminScope::ALL).await;
    let key = fill(&world, &desk).await;
    let alice = world.browser("alice").await;
    let forms = forms();
    let (of_desk, of_alice) = (desk.get("/console").await, alice.get("/account/pay").await);
    let mut answered = 0;
    for form in &forms {
        let path = filled(form, &key);
        let (browser, page) = if path.starts_with("/console") {
            (&desk, &of_desk)
        } else {
            (&alice, &of_alice)
        };
        let token = form_token(page);
        // As a page of another session sends it, and as one of this session.
        for token in ["0123456789abcdef0123456789abcdef", token] {
            if token.len() == 32 && page.text.contains(token) && path.ends_with("/logout") {
                continue;
            }
            let typed = [&TYPED[..], &[("form_token", token)]].concat();
            let answer = browser.post(&path, &typed).await;
            if !answer.status.is_redirection() {
                switch(browser, form, &answer).await;
                answered += 1;
            }
        }
    }
    assert!(
        answered > forms.len(),
        "{answered} pages for {} forms",
        forms.len()
    );
}
