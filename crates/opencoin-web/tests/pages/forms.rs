//! Every form of every page, sent by others than a page of the session.

use axum::body::Body;
use axum::http::Request;
use opencoin_issuer::AdminScope;

use crate::languages::{TYPED, fill, filled, form_token, forms};
use crate::world::{KeyMaking, Side, World};

/// The forms of somebody who has no session yet.
const WITHOUT_SESSION: [&str; 3] = ["/account/login", "/account/start", "/console/login"];
/// The forms with a file, which are read before their token.
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
            let refused = browser.post(&path, &typed).await;
            let status = if UPLOADS.contains(&path.as_str()) {
                400
            } else {
                403
            };
            assert_eq!(refused.status, status, "{path} with {token:?}");
        }
    }
    let after = (world.recorded().await, alice.get("/account").await.text);
    assert_eq!(before.0, after.0, "nothing was done");
    assert_eq!(before.1, after.1, "no money has moved, and the session is open");
}
