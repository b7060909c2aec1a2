//! The public page and the figures on it.

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use opencoin_config::{SupplyFigures, WebConfig};
use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn the_page_says_what_the_currency_is() {
    let world = World::new().await;
    let page = world.get("/", &[]).await.with(200);
    page.has("<bdi>Open&#60;b&#62;Cent</bdi>");
    page.lacks("Open<b>Cent");
    page.has("Everything works");
    page.has("The smallest amount is <bdi>0.01\u{a0}Open&#60;b&#62;Cent</bdi>.");
    page.has("opencoin wallet add https://cents.test");
    page.has("No coins yet.");
    for link in ["/account", "/account/start"] {
        page.has(&format!(" href=\"{link}\">"));
    }
    page.has("Coins that are made today can be spent until");
    let words = page
        .text
        .split("<strong lang=\"en\" translate=\"no\">")
        .nth(1)
        .unwrap();
    let words = words.split("</strong>").next().unwrap();
    assert_eq!(words.split(' ').count(), 8, "{words}");
    let again = world.get("/", &[]).await;
    assert!(again.text.contains(words), "the words stand for the key");
    let german = world.get("/", &[("accept-language", "de")]).await;
    german.has("0,01\u{a0}");
}

#[tokio::test]
async fn a_browser_that_has_the_page_does_not_get_it_again() {
    let world = World::new().await;
    let first = world.get("/", &[]).await;
    let etag = first.header("etag").to_owned();
    let again = world.get("/", &[("if-none-match", &etag)]).await.with(304);
    assert_eq!(again.text, "");
    let other = [("if-none-match", etag.as_str()), ("accept-language", "de")];
    world.get("/", &other).await.with(200);
}

#[tokio::test]
async fn programs_get_the_way_to_the_documents() {
    let world = World::new().await;
    let request = Request::get("/").header("accept", "application/json");
    let answer = world.send(request.body(Body::empty()).unwrap()).await.with(200);
    let index: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(index["currency"], "Open<b>Cent");
    for link in ["description", "openapi", "supply"] {
        let path = index[link].as_str().unwrap();
        let answer = world.get(path, &[]).await.with(200);
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    let message = Request::post("/").body(Body::from(
        "{\"type\": \"request cdd serial\", \"message_reference\": 1}",
    ));
    let answer = world.send(message.unwrap()).await.with(200);
    assert!(answer.text.contains("response cdd serial"), "{}", answer.text);
}

#[tokio::test]
async fn without_a_log_coins_are_counted_once_a_day() {
    let world = World::new().await;
    let supply = async |world: &World| {
        let answer = world.get("/v1/supply", &[]).await.with(200);
        let supply: Value = serde_json::from_str(&answer.text).unwrap();
        (
            supply["at"].as_str().unwrap().to_owned(),
            answer.header("etag").to_owned(),
        )
    };
    let (at, etag) = supply(&world).await;
    assert_eq!(at, "2026-01-01T00:00:00Z");
    world
        .get("/v1/supply", &[("if-none-match", &etag)])
        .await
        .with(304);
    world.clock.forward(TimeDelta::hours(23));
    assert_eq!(supply(&world).await, (at, etag));
    world.clock.forward(TimeDelta::hours(1));
    assert_eq!(supply(&world).await.0, "2026-01-02T00:00:00Z");
}

#[tokio::test]
async fn an_operator_may_keep_the_figures_of_a_currency_without_a_log() {
    let web = WebConfig {
        supply: SupplyFigures::Off,
        ..WebConfig::default()
    };
    let world = World::with(web).await;
    world.get("/v1/supply", &[]).await.with(404);
    let page = world.get("/", &[]).await.with(200);
    page.has("This currency does not show how many coins there are.");
}
