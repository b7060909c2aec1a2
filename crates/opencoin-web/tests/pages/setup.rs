//! The page of operators and settings.

use opencoin_issuer::AdminScope;

use crate::world::{Side, World};

#[tokio::test]
async fn every_operator_sees_who_may_work_here_and_where_each_setting_comes_from() {
    let world = World::new().await;
    let _ann = world
        .operator("ann", &[AdminScope::Cashier, AdminScope::Keys])
        .await;
    let desk = world.operator("desk", &[AdminScope::Read]).await;
    let page = desk.get("/console/setup").await.with(200);
    page.has("<bdi>ann</bdi></td>\n<td data-title=\"May\">Change accounts, payouts and what the bank has booked<br>Change keys and check the books</td>");
    page.has("<bdi>desk</bdi></td>\n<td data-title=\"May\">Look at everything</td>");
    page.has("<code>limits.requests_per_second</code>");
    page.has("Default</td>");
    page.has("of the file</td>");
    let headers = [("cookie", desk.cookie.as_str()), ("accept-language", "de")];
    let german = world
        .get_from(Side::Operators, "/console/setup", &headers)
        .await
        .with(200);
    german.has("Alles ansehen");
    german.has("der Datei</td>");
    german.lacks("{");
}

#[tokio::test]
async fn an_operator_who_is_gone_is_not_in_the_list() {
    let world = World::new().await;
    let desk = world.operator("desk", &[AdminScope::Read]).await;
    world.operator("ann", &[AdminScope::Cashier]).await;
    desk.get("/console/setup").await.with(200).has("<bdi>ann</bdi>");
    world.tokens.remove(&"ann".parse().unwrap()).unwrap();
    desk.get("/console/setup").await.with(200).lacks("<bdi>ann</bdi>");
}
