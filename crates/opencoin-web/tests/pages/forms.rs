//! Every form of every page, sent by others than a page of the session.

use axum::body::Body;
use axum::http::Request;
use opencoin_issuer::AdminScope;

use crate::languages::{TYPED, fill, filled, form_token, forms};
use crate::world::{KeyMaking, Side, World};

/// The forms of somebody who has no session yet.
const WITHOUT_SESSION: [&str; 3] = ["/account/login", "/account/start", "/console/login"];
/// The forms with a file.
const UPLOADS: [&str; 2] = ["/console/bank", "/console/keys/request"];

#[tokio::test]
async fn no_form_of_another_site_or_session_does_anything() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let desk = world.operator("desk", &AdminScope::ALL).await;
    let key = fill(&world, &desk).await;
    let night = world.operator("night", &AdminScope::ALL).await;
    let (alice, bob) = (world.browser("alice").await, world.browser("bob").await);
    let pages = [
        desk.get("/console").await,
        night.get("/console").await,
        alice.get("/account").await,
        bob.get("/account").await,
    ];
    let [of_desk, of_night, of_alice, of_bob] = pages.each_ref().map(form_token);
    let before = (world.recorded().await, alice.get("/account").await.text);
    for form in forms() {
        let path = filled(&form, &key);
        let (browser, side, own, foreign) = if path.starts_with("/console") {
            (&desk, Side::Operators, of_desk, of_night)
        } else {
            (&alice, Side::Public, of_alice, of_bob)
        };
        let typed = [&TYPED[..], &[("form_token", own)]].concat();
        for site in ["cross-site", "same-site"] {
            let refused = browser.post_from(site, &path, &typed).await;
            assert_eq!(refused.status, 403, "{path} from {site}");
        }
        // A browser that does not say where the form was.
        let silent = Request::post(&path)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &browser.cookie)
            .body(Body::from(serde_urlencoded::to_string(&typed).unwrap()));
        let refused = world.send_to(side, silent.unwrap()).await;
        assert_eq!(refused.status, 403, "{path} from nowhere");
        if WITHOUT_SESSION.contains(&path.as_str()) {
            continue;
        }
        for token in [None, Some(foreign)] {
            let mut typed = TYPED.to_vec();
            typed.extend(token.map(|token| ("form_token", token)));
            let refused = if UPLOADS.contains(&path.as_str()) {
                browser.post_file(&path, &typed, ("file", b"content")).await
            } else {
                browser.post(&path, &typed).await
            };
            assert_eq!(refused.status, 403, "{path} with {token:?}");
        }
    }
    let after = (world.recorded().await, alice.get("/account").await.text);
    assert_eq!(before.0, after.0, "nothing was done");
    assert_eq!(before.1, after.1, "no money has moved, and the session is open");
}

/// The page with a form, the address of the form, what is typed, and the action that it records.
type Sent<'form> = (&'form str, String, &'form [(&'form str, &'form str)], &'form str);

/// What somebody sends twice, because the first answer was lost or they have gone back, is done once.
#[tokio::test]
async fn each_question_that_is_answered_twice_is_done_once() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let desk = world.operator("desk", &AdminScope::ALL).await;
    let key = fill(&world, &desk).await;
    world.ask_for_payout("alice", 20, "DE89370400440532013000").await;
    world.ask_for_payout("alice", 30, "DE89370400440532013000").await;
    world.open("carol", 0).await;
    let stop = format!("/console/keys/stop/{key}");
    let because = [("reason", "because")];
    let booked = [("amount", "0.10"), ("reference", "line 9")];
    let debited = [("amount", "0.10"), ("reference", "line 10")];
    let alice = "/console/accounts/alice";
    let forms: [Sent<'_>; 13] = [
        (alice, format!("{alice}/book/credit"), &booked, "credit"),
        (alice, format!("{alice}/book/debit"), &debited, "debit"),
        (
            "/console/payout-files/1",
            "/console/payout-files/1/withdraw".into(),
            &[],
            "withdraw-export",
        ),
        (
            "/console/payouts/1",
            "/console/payouts/1/paid".into(),
            &[("text", "b 1")],
            "pay-payout",
        ),
        (
            "/console/payouts/2",
            "/console/payouts/2/failed".into(),
            &[("text", "because")],
            "fail-payout",
        ),
        (
            "/console/bank/lines/2",
            "/console/bank/lines/2/set-aside".into(),
            &because,
            "set-bank-line-aside",
        ),
        (
            "/console/proposals/1",
            "/console/proposals/1/decline".into(),
            &[],
            "decline-proposal",
        ),
        (
            "/console/keys",
            "/console/keys/signing/paused".into(),
            &[],
            "pause-signing",
        ),
        (
            "/console/keys",
            "/console/keys/signing/on".into(),
            &[],
            "resume-signing",
        ),
        (
            "",
            stop,
            &[("value", "0.05"), ("reason", "because")],
            "revoke-key",
        ),
        (
            alice,
            format!("{alice}/status/frozen"),
            &because,
            "freeze-account",
        ),
        (alice, format!("{alice}/status/open"), &because, "thaw-account"),
        (
            "/console/accounts/carol",
            "/console/accounts/carol/status/closed".into(),
            &because,
            "close-account",
        ),
    ];
    for (page, path, typed, action) in &forms {
        // Where the form is on a page of its own, the page has the address of the form.
        let own = page.is_empty() || path.contains("/book/") || path.contains("/status/");
        let page = if own { path.as_str() } else { *page };
        let form = desk.get(page).await.with(200);
        let asked = desk.submit(&form, path, typed).await.with(200);
        let before = world.recorded().await.len();
        let confirm = format!("{path}/confirm");
        let mut done = Vec::new();
        for _ in 0..2 {
            let answer = desk.submit(&asked, &confirm, &[]).await;
            assert_eq!(answer.status, 303, "{path}: {}", answer.text);
            done.push(answer.header("location").to_owned());
        }
        assert_eq!(done[0], done[1], "{path}");
        desk.get(&done[0]).await.with(200).has("role=\"status\"");
        let recorded = world.recorded().await;
        let new = &recorded[..recorded.len() - before];
        assert_eq!(new, [*action], "{path}");
    }
}
