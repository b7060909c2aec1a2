//! The OpenAPI description.

use std::collections::BTreeSet;

use opencoin_http::{Audience, generate_openapi, openapi_document};
use serde_json::Value;

use crate::world::World;

fn parsed(audience: Audience) -> Value {
    serde_json::from_str(openapi_document(audience)).unwrap()
}

#[test]
fn the_description_is_what_the_handlers_and_types_say() {
    for audience in [Audience::Public, Audience::Operator] {
        assert!(
            openapi_document(audience) == generate_openapi(audience),
            "{audience:?}: the file in docs is outdated; `cargo xtask openapi` generates it"
        );
    }
}

#[test]
fn every_reference_can_be_resolved() {
    for audience in [Audience::Public, Audience::Operator] {
        let document = parsed(audience);
        let mut names = BTreeSet::new();
        collect(&document, &mut names);
        for name in names {
            let pointer = name.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{name}");
        }
    }
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            names.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every operation has a unique id, and every described path is served by one of the listeners.
#[tokio::test]
async fn every_described_operation_is_served() {
    let world = World::new().await;
    let document = parsed(Audience::Operator);
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let is_page = (path.as_str(), method.as_str()) == ("/", "get");
            if path.starts_with("/health") || is_page {
                continue; // no JSON; the pages are another crate's
            }
            let served = path
                .replace("{serial}", "0")
                .replace("{id}", "1")
                .replace("{name}", "x");
            let reply = world.call(&method.to_uppercase(), &served, "", Value::Null).await;
            let status = reply.status.as_u16().to_string();
            assert!(
                operation["responses"].get(&status).is_some(),
                "{method} {path}: {status}"
            );
            assert_ne!(status, "405", "{method} {path}");
        }
    }
    assert!(ids.len() > 40, "{ids:?}");
    let served = world.get("/v1/openapi.json", "").await.with(200);
    assert_eq!(served, parsed(Audience::Public));
    assert!(served["paths"].get("/v1/admin/accounts").is_none());
}
