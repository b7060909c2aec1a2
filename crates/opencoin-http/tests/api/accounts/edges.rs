//! Bounds of requests, headers that decide what a request means, and which coins a refusal is about.

use axum::body::Body;
use axum::http::{HeaderName, Request};
use chrono::TimeDelta;
use opencoin_api::{COINS_HEADER, SCOPES_MAX};
use opencoin_http::{Audience, openapi_document};
use opencoin_issuer::admission::{CDD_LOCATION_BYTES_MAX, ITEMS_MAX, PROTOCOL_VERSION_BYTES_MAX};
use opencoin_ledger::{BLIND_REFERENCE_BYTES_MAX, TRANSACTION_REFERENCE_BYTES_MAX};
use opencoin_schema::{
    BigInt, NUMBER_DIGITS_MAX, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates,
    RequestRecoup, RequestRedeem, RequestRenew, RequestResume, TypeName,
};
use serde_json::{Value, json};

use crate::world::{World, request};

#[tokio::test]
async fn a_refusal_names_the_coins_that_it_is_about() {
    let mut world = World::new().await;
    let token = world.open("alice", 100).await;
    let mut coins = Vec::new();
    for reference in 1..=4 {
        let blind = world.blind();
        let minted = world.mint(&token, &blind, reference).await;
        coins.push(world.coin(&blind, minted));
    }
    let (first, last) = (coins[0].clone(), coins[3].clone());
    let mut foreign = first.clone();
    foreign.payload.issuer_id = BigInt::from_be_bytes(&[1]);
    let mut forged = first.clone();
    forged.signature = BigInt::from_be_bytes(&[2]);
    let expiry = world.currency.mint_key().coins_expiry_date.to_utc();
    let expired = vec![first.clone(), last.clone()];
    for (coins, status, named) in [
        (coins[1..3].to_vec(), 200, None),
        (coins.clone(), 409, Some("1-2")),
        (vec![first.clone(), foreign], 422, Some("1")),
        (vec![last, first, forged], 422, Some("2")),
        (expired, 410, Some("0-1")),
    ] {
        if status == 410 {
            world.clock.set(expiry + TimeDelta::seconds(1));
        }
        let reply = world.redeem(&token, &coins).await;
        assert_eq!(reply.status, status, "{reply:?}");
        let header = reply.headers.get(COINS_HEADER);
        assert_eq!(header.map(|indices| indices.to_str().unwrap()), named);
    }
    let unknown = world.resume(99).await;
    unknown.fails(404);
    assert!(
        !unknown.headers.contains_key(COINS_HEADER),
        "it is not about coins"
    );
}

/// Values for this schema that are valid except for one field, which is one longer or greater than the description
/// allows. Each comes with the path of that field.
fn one_too_long(document: &Value, schema: &Value) -> Vec<(String, Value)> {
    let mut bodies = Vec::new();
    let schema = resolve(document, schema);
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
        // `null` or a value, or one of several messages.
        let others = alternatives.iter().filter(|schema| schema["type"] != "null");
        return others.flat_map(|schema| one_too_long(document, schema)).collect();
    }
    match kind(schema) {
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
            // `a` is valid in a hex number and in a name.
            bodies.push((String::new(), json!("a".repeat(longest as usize + 1))));
        }
        "integer" => {
            let too_great = match schema["maximum"].as_u64() {
                Some(maximum) => u128::from(maximum) + 1,
                None => {
                    assert_eq!(schema["format"], "int128", "a number has a bound: `maximum`");
                    1 << 127
                }
            };
            bodies.push((String::new(), json!({ NUMBER: too_great.to_string() })));
        }
        "boolean" => {}
        other => panic!("a field of a type without a bound: {other}"),
    }
    bodies
}

/// Marks a number that [`Value`] cannot hold; [`written`] writes it.
const NUMBER: &str = "$number";

fn resolve<'document>(document: &'document Value, schema: &'document Value) -> &'document Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

/// The type, without `null`.
fn kind(schema: &Value) -> &str {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").unwrap(),
        kind => kind,
    };
    kind.as_str().unwrap()
}

/// A valid value.
fn example(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
        let other = alternatives.iter().find(|schema| schema["type"] != "null");
        return example(document, other.unwrap());
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[0].clone();
    }
    match kind(schema) {
        "object" => {
            let fields = schema["properties"].as_object().unwrap().iter();
            fields
                .map(|(name, field)| (name.clone(), example(document, field)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        "array" => json!([example(document, &schema["items"])]),
        "string" if schema.get("examples").is_some() => schema["examples"][0].clone(),
        "string" => json!("1".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)),
        "integer" => schema
            .get("minimum")
            .filter(|least| **least == 1)
            .cloned()
            .unwrap_or(json!(0)),
        _ => json!(false),
    }
}

/// A request of the description. Its parameters in the path are valid, and so is its idempotency key.
fn described(method: &str, path: &str, token: &str, body: &str) -> Request<Body> {
    let path = path
        .replace("{name}", "alice")
        .replace("{id}", "1")
        .replace("{serial}", "0");
    Request::builder()
        .method(method.to_uppercase().as_str())
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", "once")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// Every parameter and every field of a body has a bound in the description, and the server enforces it.
#[tokio::test]
async fn a_parameter_or_field_that_is_too_long_is_refused() {
    let world = World::new().await;
    let holder = world.open("alice", 100).await;
    let document: Value = serde_json::from_str(openapi_document(Audience::Operator)).unwrap();
    let (mut parameters, mut fields) = (0, 0);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let token = if path.starts_with("/v1/admin") {
            &world.operator
        } else {
            &holder
        };
        for (method, operation) in operations.as_object().unwrap() {
            let schema = operation.pointer("/requestBody/content/application~1json/schema");
            let valid = schema.map_or_else(String::new, |schema| example(&document, schema).to_string());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                for (_, value) in one_too_long(&document, &parameter["schema"]) {
                    let value = written(&value).trim_matches('"').to_owned();
                    let path = match parameter["in"].as_str().unwrap() {
                        "path" => path.replace(&format!("{{{name}}}"), &value),
                        "query" => format!("{path}?{name}={value}"),
                        _ => path.clone(),
                    };
                    let mut request = described(method, &path, token, &valid);
                    if parameter["in"] == "header" {
                        let name: HeaderName = name.parse().unwrap();
                        request.headers_mut().insert(name, value.parse().unwrap());
                        // Only a stream reads `Last-Event-ID`.
                        let stream = "text/event-stream".parse().unwrap();
                        request.headers_mut().insert("accept", stream);
                    }
                    refuses(&world, request, name).await;
                    parameters += 1;
                }
            }
            let Some(schema) = schema else { continue };
            for (field, mut body) in one_too_long(&document, schema) {
                if field.starts_with(".coins") && body.get("blinds").is_some() {
                    // Without this the blinds would be refused first, because their mint key is unknown.
                    body["blinds"] = json!([]);
                }
                let name = field.trim_end_matches("[]").rsplit('.').next().unwrap();
                refuses(&world, described(method, path, token, &written(&body)), name).await;
                fields += 1;
            }
            let takes_files = operation
                .pointer("/requestBody/content/application~1octet-stream")
                .is_some();
            if path.starts_with("/v1/") && path != "/v1/recoup" && !takes_files {
                let body = format!("{{\"x\":\"{}\"}}", "y".repeat(opencoin_api::BODY_BYTES_MAX));
                world.send(described(method, path, token, &body)).await.fails(413);
            }
        }
    }
    assert!(fields > 100 && parameters > 20, "{fields} {parameters}");
    assert_eq!(world.balance(&holder).await, 100);
}

/// Sends a request with a value that is too long. The refusal must name the value, or say that nothing is known
/// under such a name or key.
async fn refuses(world: &World, request: Request<Body>, name: &str) {
    let reply = world.send(request).await;
    let text = ["detail", "status_description"].map(|name| reply.json[name].as_str().unwrap_or(""));
    let is_named = text.concat().contains(&name.to_lowercase());
    let is_refused = match reply.status.as_u16() {
        400 | 413 | 422 => is_named,
        status => matches!(status, 401 | 404 | 429),
    };
    assert!(is_refused, "{name}: {reply:?}");
}

/// Writes JSON with numbers of any size.
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

/// The description has exactly the fields of the messages, with the bounds of the constants.
#[test]
fn the_description_matches_the_messages() {
    let document: Value = serde_json::from_str(openapi_document(Audience::Public)).unwrap();
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
        "the list above must be complete"
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
        ("/DeclareService/properties/scopes/maxItems", SCOPES_MAX),
    ] {
        assert_eq!(schemas.pointer(pointer), Some(&json!(bound)), "{pointer}");
    }
}

#[tokio::test]
async fn a_reference_of_64_bytes_is_taken_and_one_of_65_is_not() {
    let mut world = World::new().await;
    let token = world.open("alice", 100).await;
    let mut blind = world.blind();
    blind.blind.reference = "é".repeat(BLIND_REFERENCE_BYTES_MAX / 2);
    world.mint(&token, &blind, 1).await.with(200);
    blind.blind.reference.push('x');
    world.mint(&token, &blind, 2).await.fails(422);
}

#[tokio::test]
async fn a_repeated_authorization_or_idempotency_key_is_refused() {
    let world = World::new().await;
    let token = world.open("alice", 100).await;
    world.open("bob", 0).await;
    let transfer = |extra: &[(&'static str, &str)]| {
        let body = json!({ "to": "bob", "amount": 1 });
        let mut request = request("POST", "/v1/transfers", &token, &body);
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
        reply.fails(400);
    }
    world.send(transfer(&[(key, "a")])).await.with(201);
    assert_eq!(world.balance(&token).await, 99);
}

#[tokio::test]
async fn the_operators_listener_refuses_foreign_host_names() {
    let world = World::new().await;
    for (host, path, status) in [
        ("127.0.0.1:9464", "/v1/admin/accounts", 200),
        ("evil.example", "/v1/admin/accounts", 421),
        ("evil.example", "/v1/admin/settings", 421),
        // They need no token, and a page that binds its name to this machine could read them.
        ("evil.example", "/metrics", 421),
    ] {
        let mut request = request("GET", path, &world.operator, &Value::Null);
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(world.send(request).await.status, status, "{host} {path}");
    }
}
