//! The charts of the last hour and day.

use chrono::TimeDelta;
use opencoin_issuer::AdminScope;

use crate::world::{Side, World};

#[tokio::test]
async fn charts_show_what_was_asked_of_the_server_and_nothing_of_operators() {
    let world = World::new().await;
    let desk = world.operator("desk", &[AdminScope::Read]).await;
    let empty = desk.get("/console/figures").await.with(200);
    empty.has("There are no figures yet.");
    for _ in 0..3 {
        world.get("/", &[]).await.with(200);
    }
    world.get("/no/such/page", &[]).await.with(404);
    world.clock.forward(TimeDelta::seconds(10));
    world.server.issuer().take_sample().await;
    world.clock.forward(TimeDelta::seconds(10));
    world.server.issuer().take_sample().await;
    for path in ["/console/figures", "/console/figures?period=day"] {
        let page = desk.get(path).await.with(200);
        page.has("<bdi>4</bdi> in all");
        page.has("<bdi>1</bdi> in all");
        page.has("No coins were signed.");
        page.has("Cent</bdi> now. The highest point is");
        assert_eq!(page.text.matches("<polyline points=").count(), 3, "{}", page.text);
        page.has("<td class=\"amount\">4</td><td class=\"amount\">1</td>");
    }
    let headers = [("cookie", desk.cookie.as_str()), ("accept-language", "de")];
    let german = world
        .get_from(Side::Operators, "/console/figures?period=day", &headers)
        .await
        .with(200);
    german.has("Letzter Tag");
    german.lacks("{");
}

#[tokio::test]
async fn a_page_that_only_a_script_asks_for_keeps_nobody_logged_in() {
    let world = World::new().await;
    let desk = world.operator("desk", &[AdminScope::Read]).await;
    let by_script = [("cookie", desk.cookie.as_str()), ("opencoin-refresh", "1")];
    for status in [200, 200, 303] {
        world.clock.forward(TimeDelta::minutes(12));
        let path = "/console/figures";
        let answer = world.get_from(Side::Operators, path, &by_script).await;
        assert_eq!(answer.with(status).header("set-cookie"), "");
    }
}
