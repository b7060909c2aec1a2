//! What all pages have: headers, languages, refusals, static files.

use axum::body::Body;
use axum::http::Request;

use crate::world::{Answer, Side, World};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[track_caller]
fn is_safe(answer: &Answer) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

/// A link that begins with two slashes leads to another host.
#[tokio::test]
async fn no_page_links_to_the_host_that_a_path_names() {
    let world = World::new().await;
    for side in [Side::Public, Side::Operators] {
        for path in [
            "//evil.example/console/login",
            "//evil.example",
            "/\\evil.example/x",
        ] {
            let refused = world.get_from(side, path, &[]).await.with(404);
            refused.has("lang=de");
            refused.lacks("evil.example");
        }
    }
}

/// The paths of the style sheet, the scripts and the icon that a page names.
fn files_of(page: &str) -> Vec<String> {
    let parts = page.split("\"/static/").skip(1);
    parts
        .map(|rest| format!("/static/{}", rest.split('"').next().unwrap()))
        .collect()
}

#[tokio::test]
async fn pages_and_refusals_have_the_headers_that_keep_them_safe() {
    let world = World::new().await;
    for (path, status) in [
        ("/", 200),
        ("/account/no/such/page", 404),
        ("/static/none.css", 404),
    ] {
        let answer = world.get(path, &[]).await.with(status);
        is_safe(&answer);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        for inline in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
            answer.lacks(inline);
        }
    }
    let cached = world.get("/", &[]).await;
    assert_eq!(cached.header("cache-control"), "no-cache");
    let refused = world.get("/account/no/such/page", &[]).await;
    assert_eq!(refused.header("cache-control"), "no-store");
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_their_hash() {
    let world = World::new().await;
    let files = files_of(&world.get("/", &[]).await.text);
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        let answer = world.get(file, &[]).await.with(200);
        is_safe(&answer);
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert!(!answer.header("content-type").contains("html"), "{file}");
    }
    let style = files.iter().find(|file| file.ends_with(".css")).unwrap();
    let (stem, _) = style.rsplit_once('-').unwrap();
    let other_version = world
        .get(&format!("{stem}-0123456789abcdef.css"), &[])
        .await
        .with(200);
    assert_eq!(other_version.header("cache-control"), "no-store");
    world.get("/static/../Cargo.toml", &[]).await.with(404);
}

#[tokio::test]
async fn a_visitor_reads_the_language_of_the_switch_or_of_the_browser() {
    let world = World::new().await;
    let english = world.get("/", &[]).await.with(200);
    english.has("<html lang=\"en\">");
    english.has("Coins in circulation");
    let german = world.get("/", &[("accept-language", "de-CH, en;q=0.5")]).await;
    german.has("<html lang=\"de\">");
    german.has("Münzen im Umlauf");
    assert_eq!(german.header("content-language"), "de");
    assert_eq!(german.header("vary"), "Accept-Language, Cookie");
    german.has("<a href=\"/?lang=en\" lang=\"en\" hreflang=\"en\">English</a>");
    let switched = world.get("/?lang=de&x=1%202", &[]).await.with(303);
    assert_eq!(switched.header("location"), "/?x=1+2");
    let cookie = switched.header("set-cookie");
    assert!(cookie.starts_with("opencoin-language=de; Path=/;"), "{cookie}");
    let sent = [("cookie", "opencoin-language=de"), ("accept-language", "en")];
    world.get("/", &sent).await.has("<html lang=\"de\">");
    // A language that there is not changes nothing.
    world.get("/?lang=xx", &[]).await.with(200);
}

#[tokio::test]
async fn a_refusal_is_a_page_for_people_and_a_document_for_programs() {
    let world = World::new().await;
    let page = world
        .get("/no/such/page", &[("accept-language", "de")])
        .await
        .with(404);
    page.has("<h1>Diese Seite gibt es nicht</h1>");
    let id = page.header("x-request-id").to_owned();
    page.has(&format!("<code>{id}</code>"));
    assert_eq!(page.header("opencoin-error"), "not-found");
    for accept in ["*/*", "application/json"] {
        let request = Request::get("/no/such/page").header("accept", accept);
        let answer = world.send(request.body(Body::empty()).unwrap()).await.with(404);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let foreign = [("host", "evil.example")];
    for (side, path) in [
        (Side::Public, "/"),
        (Side::Public, "/account/login"),
        (Side::Operators, "/"),
        (Side::Operators, "/console"),
        (Side::Operators, "/console/login"),
    ] {
        let refused = world.get_from(side, path, &foreign).await.with(421);
        refused.has("This address does not belong here");
        assert!(!refused.text.contains("To the start page"), "it is refused, too");
        is_safe(&refused);
        // It has the style of the other pages.
        let (_, style) = refused.text.split_once("rel=\"stylesheet\" href=\"").unwrap();
        let (style, _) = style.split_once('"').unwrap();
        world.get_from(side, style, &foreign).await.with(200);
    }
}
