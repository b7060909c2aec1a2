//! What comes in over HTTP is bounded and unambiguous, and a refusal says what it is about.

use axum::body::Body;
use axum::http::Request;
use opencoin_api::COINS_HEADER;
use opencoin_http::{Audience, openapi_document};
use opencoin_issuer::admission::{CDD_LOCATION_BYTES_MAX, ITEMS_MAX, PROTOCOL_VERSION_BYTES_MAX};
use opencoin_ledger::{BLIND_REFERENCE_BYTES_MAX, TRANSACTION_REFERENCE_BYTES_MAX};
use opencoin_schema::{
    BigInt, Coin, NUMBER_DIGITS_MAX, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates,
    RequestRecoup, RequestRedeem, RequestRenew, RequestResume, TypeName, text,
};
use serde_json::{Value, json};

use crate::world::{Reply, World, request};

/// Coins of 5, minted from an account.
async fn coins(world: &mut World, token: &str, count: u8) -> Vec<Coin> {
    let mut coins = Vec::new();
    for reference in 1..=count {
        let (blind, payload, unblinder) = world.blind();
        let minted = world.mint(token, &blind, reference).await;
        coins.push(world.coin(&payload, &unblinder, minted));
    }
    coins
}

async fn redeem(world: &World, token: &str, coins: &[Coin]) -> Reply {
    let request = RequestRedeem {
        coins: coins.to_vec(),
        message_reference: 1,
    };
    let body = serde_json::from_str(&text::compact(&request)).unwrap();
    world.post("/redeem", token, body).await
}

#[tokio::test]
async fn a_refusal_names_the_coins_that_it_is_about() {
    let mut world = World::new().await;
    let token = world.open("alice", 100).await;
    let coins = coins(&mut world, &token, 4).await;
    let named = |reply: &Reply, status: u16| {
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
        let header = reply.headers.get(COINS_HEADER);
        header.map(|indices| indices.to_str().unwrap().to_owned())
    };
    assert_eq!(named(&redeem(&world, &token, &coins[1..3]).await, 200), None);
    assert_eq!(
        named(&redeem(&world, &token, &coins).await, 409),
        Some("1-2".to_owned())
    );
    let mut foreign = coins[0].clone();
    foreign.payload.issuer_id = BigInt::from_be_bytes(&[1]);
    let with_foreign = [coins[0].clone(), foreign];
    assert_eq!(
        named(&redeem(&world, &token, &with_foreign).await, 422),
        Some("1".to_owned())
    );
    let mut forged = coins[0].clone();
    forged.signature = BigInt::from_be_bytes(&[2]);
    let with_forged = [coins[3].clone(), coins[0].clone(), forged];
    assert_eq!(
        named(&redeem(&world, &token, &with_forged).await, 422),
        Some("2".to_owned())
    );
    let unknown_reference = world.resume(99).await;
    assert_eq!(named(&unknown_reference, 404), None, "it is not about coins");
    let mint_key = world.currency.mint_keys().next().unwrap().verified.mint_key();
    world.clock.set(mint_key.coins_expiry_date.to_utc());
    world.clock.forward(chrono::TimeDelta::seconds(1));
    let expired = [coins[0].clone(), coins[3].clone()];
    assert_eq!(
        named(&redeem(&world, &token, &expired).await, 410),
        Some("0-1".to_owned())
    );
}

/// The values of a request that are longer than the description allows, each in a request that is otherwise as it
/// should be: the field's path, and the whole body.
fn one_too_long(document: &Value, schema: &Value) -> Vec<(String, Value)> {
    let mut bodies = Vec::new();
    let schema = resolve(document, schema);
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
        // Of `null` and something else; of several messages, each of which has a path of its own as well.
        let others = alternatives.iter().filter(|schema| schema["type"] != "null");
        return others.flat_map(|schema| one_too_long(document, schema)).collect();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").unwrap(),
        kind => kind,
    };
    match kind.as_str().unwrap() {
        "object" => {
            let fields = schema["properties"].as_object().unwrap();
            for (name, field) in fields {
                for (path, value) in one_too_long(document, field) {
                    let mut body = example(document, schema);
                    body[name] = value;
                    bodies.push((format!(".{name}{path}"), body));
                }
            }
        }
        "array" => {
            let longest = schema["maxItems"]
                .as_u64()
                .expect("an array has a bound: `maxItems`");
            let item = example(document, &schema["items"]);
            bodies.push(("[]".to_owned(), Value::from(vec![item; longest as usize + 1])));
            for (path, value) in one_too_long(document, &schema["items"]) {
                bodies.push((format!("[]{path}"), json!([value])));
            }
        }
        "string" if schema.get("enum").is_some() => {
            bodies.push((String::new(), json!("x".repeat(1000))));
        }
        "string" => {
            let longest = schema["maxLength"]
                .as_u64()
                .expect("a text has a bound: `maxLength`");
            // A digit in hex and a letter of names as well.
            bodies.push((String::new(), json!("a".repeat(longest as usize + 1))));
        }
        "integer" => {
            assert!(
                schema.get("maximum").is_some() || schema["format"] == "int128",
                "a number has a bound: `maximum`, or the range of its format"
            );
            // Greater than every number that a field takes: 2^127.
            let number = "170141183460469231731687303715884105728";
            bodies.push((String::new(), json!({ NUMBER: number })));
        }
        "boolean" => {}
        other => panic!("a field of a type without a bound: {other}"),
    }
    bodies
}

/// Stands for a number that [`Value`] cannot hold.
const NUMBER: &str = "$number";

fn resolve<'document>(document: &'document Value, schema: &'document Value) -> &'document Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

/// A value that fits the schema.
fn example(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
        let other = alternatives.iter().find(|schema| schema["type"] != "null");
        return example(document, other.unwrap());
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[0].clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").unwrap(),
        kind => kind,
    };
    match kind.as_str().unwrap() {
        "object" => {
            let fields = schema["properties"].as_object().unwrap().iter();
            fields
                .map(|(name, field)| (name.clone(), example(document, field)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        "array" => json!([example(document, &schema["items"])]),
        "string" => json!("1".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)),
        "integer" => schema
            .get("minimum")
            .filter(|least| **least == 1)
            .cloned()
            .unwrap_or(json!(0)),
        _ => json!(false),
    }
}

/// Every field that a stranger can send has a bound in the description, and the server keeps to it.
#[tokio::test]
async fn a_field_that_is_too_long_is_refused() {
    let world = World::new().await;
    let holder = world.open("alice", 100).await;
    let document: Value = serde_json::from_str(&openapi_document(Audience::Operator)).unwrap();
    let mut sent = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(body) = operation.get("requestBody") else {
                continue;
            };
            let schema = &body["content"]["application/json"]["schema"];
            let token = if path.starts_with("/v1/admin") {
                &world.operator
            } else {
                &holder
            };
            let served = path.replace("{name}", "alice").replace("{id}", "1");
            for (field, mut body) in one_too_long(&document, schema) {
                if field.starts_with(".coins") {
                    // Blinds would be looked at first, and these are of no mint key.
                    body.as_object_mut()
                        .unwrap()
                        .entry("blinds")
                        .and_modify(|blinds| *blinds = json!([]));
                }
                let body = written(&body);
                let request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&served)
                    .header("authorization", format!("Bearer {token}"))
                    .header("idempotency-key", "once")
                    .body(Body::from(body))
                    .unwrap();
                let reply = world.send(request).await;
                let status = reply.status.as_u16();
                // A name or key that is too long is nobody's, which is all that a stranger learns.
                let is_nobodys = matches!(status, 401 | 404 | 429);
                let text =
                    ["detail", "status_description"].map(|name| reply.json[name].as_str().unwrap_or(""));
                let name = field.trim_end_matches("[]").rsplit('.').next().unwrap();
                let is_named = matches!(status, 400 | 413 | 422) && text.concat().contains(name);
                assert!(is_named || is_nobodys, "{method} {path} {field}: {reply:?}");
                sent += 1;
            }
            if path.starts_with("/v1/") && path != "/v1/recoup" {
                let body = format!("{{\"x\":\"{}\"}}", "y".repeat(opencoin_api::BODY_BYTES_MAX));
                let request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&served)
                    .header("authorization", format!("Bearer {token}"))
                    .header("idempotency-key", "once")
                    .body(Body::from(body))
                    .unwrap();
                assert_eq!(
                    world.send(request).await.refused(),
                    (413, "too-large"),
                    "{method} {path}"
                );
            }
        }
    }
    assert!(sent > 100, "{sent}");
    assert_eq!(world.balance(&holder).await, 100);
}

/// As JSON, with numbers of any size.
fn written(body: &Value) -> String {
    let mut text = body.to_string();
    let mark = format!("{{\"{NUMBER}\":\"");
    while let Some(start) = text.find(&mark) {
        let end = start + text[start..].find("\"}").unwrap();
        let number = text[start + mark.len()..end].to_owned();
        text.replace_range(start..end + 2, &number);
    }
    text
}

/// The description has the fields of the messages, and no others.
#[test]
fn the_bounds_are_those_of_the_messages() {
    let document: Value = serde_json::from_str(&openapi_document(Audience::Public)).unwrap();
    let schemas = &document["components"]["schemas"];
    for (name, type_name) in [
        ("RequestCddSerial", RequestCddSerial::TYPE),
        ("RequestCddc", RequestCddc::TYPE),
        ("RequestMintKeyCertificates", RequestMintKeyCertificates::TYPE),
        ("RequestMint", RequestMint::TYPE),
        ("RequestRenew", RequestRenew::TYPE),
        ("RequestResume", RequestResume::TYPE),
        ("RequestRedeem", RequestRedeem::TYPE),
        ("RequestRecoup", RequestRecoup::TYPE),
    ] {
        let body = example(&document, &schemas[name]).to_string();
        let read = opencoin_schema::Request::from_json_of_type(type_name, body.as_bytes());
        assert!(
            read.is_ok(),
            "{name} has other fields than its description: {read:?}"
        );
    }
    assert_eq!(
        opencoin_schema::Request::TYPES.len(),
        8,
        "the list above has them all"
    );
    for (pointer, bound) in [
        ("/Blind/properties/reference/maxLength", BLIND_REFERENCE_BYTES_MAX),
        (
            "/RevealedCoin/properties/blind_reference/maxLength",
            BLIND_REFERENCE_BYTES_MAX,
        ),
        (
            "/Payload/properties/cdd_location/maxLength",
            CDD_LOCATION_BYTES_MAX,
        ),
        (
            "/Payload/properties/protocol_version/maxLength",
            PROTOCOL_VERSION_BYTES_MAX,
        ),
        ("/BigInt/maxLength", NUMBER_DIGITS_MAX),
        (
            "/TransactionReference/maxLength",
            2 * TRANSACTION_REFERENCE_BYTES_MAX,
        ),
        ("/RequestRenew/properties/coins/maxItems", ITEMS_MAX),
        (
            "/RequestMintKeyCertificates/properties/denominations/maxItems",
            ITEMS_MAX,
        ),
    ] {
        assert_eq!(schemas.pointer(pointer), Some(&json!(bound)), "{pointer}");
    }
}

#[tokio::test]
async fn a_reference_of_64_bytes_is_taken_and_one_of_65_is_not() {
    let mut world = World::new().await;
    let token = world.open("alice", 100).await;
    let (mut blind, ..) = world.blind();
    blind.reference = "é".repeat(BLIND_REFERENCE_BYTES_MAX / 2);
    world.mint(&token, &blind, 1).await.with(200);
    blind.reference.push('x');
    assert_eq!(world.mint(&token, &blind, 2).await.refused(), (422, "invalid"));
}

#[tokio::test]
async fn headers_that_decide_come_once() {
    let world = World::new().await;
    let token = world.open("alice", 100).await;
    world.open("bob", 0).await;
    let transfer = |extra: &[(&'static str, &str)]| {
        let mut request = request(
            "POST",
            "/v1/transfers",
            &token,
            &json!({ "to": "bob", "amount": 1 }),
        );
        for (name, value) in extra {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    };
    let key = "idempotency-key";
    for repeated in [
        vec![(key, "a"), (key, "b")],
        vec![(key, "a"), (key, "a")],
        vec![(key, "a"), ("authorization", "Bearer oc_other")],
    ] {
        let reply = world.send(transfer(&repeated)).await;
        assert_eq!(reply.refused(), (400, "malformed"), "{repeated:?}");
    }
    world.send(transfer(&[(key, "a")])).await.with(201);
    assert_eq!(world.balance(&token).await, 99);
}

#[tokio::test]
async fn the_operators_listener_answers_under_its_own_names_alone() {
    let world = World::new().await;
    for (host, status) in [("127.0.0.1:9464", 200), ("evil.example", 421)] {
        let mut request = request("GET", "/v1/admin/accounts", &world.operator, &Value::Null);
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(world.send(request).await.status, status, "{host}");
    }
}
