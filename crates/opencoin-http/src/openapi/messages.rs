//! The specification's messages and documents, and what else is served to wallets.
//!
//! Their types know nothing of OpenAPI, so their schemas stand in `messages.json`. Requests are read
//! strictly: every field, and no other. Numbers of any size are hex in strings.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

const SCHEMAS: &str = include_str!("messages.json");
const MEDIA_TYPE: &str = "application/json";

/// One message that is posted.
struct Message {
    path: &'static str,
    summary: &'static str,
    request: &'static [&'static str],
    response: &'static [&'static str],
    /// Beside 200 and what every message may be answered with.
    statuses: &'static [u16],
    takes_token: bool,
}

const SIGNED: [&str; 1] = ["ResponseMint"];
/// What every message may be answered with.
const ALWAYS: [u16; 5] = [400, 408, 413, 429, 503];
const DELAYED: u16 = 202;
/// The requests with coins.
const WITH_COINS: [&str; 3] = ["RequestRenew", "RequestRedeem", "RequestRecoup"];
const COIN_INDICES_PATTERN: &str = "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$";

const MESSAGES: [Message; 9] = [
    Message {
        path: "/cddc/serial",
        summary: "Which description of the currency is current?",
        request: &["RequestCddSerial"],
        response: &["ResponseCddSerial"],
        statuses: &[],
        takes_token: false,
    },
    Message {
        path: "/cddc",
        summary: "A description of the currency, certified; serial 0 is the current one.",
        request: &["RequestCddc"],
        response: &["ResponseCddc"],
        statuses: &[404],
        takes_token: false,
    },
    Message {
        path: "/mkcs",
        summary: "Certificates of mint keys, by denomination or id; all current ones when both lists are empty.",
        request: &["RequestMintKeyCertificates"],
        response: &["ResponseMintKeyCertificates"],
        statuses: &[],
        takes_token: false,
    },
    Message {
        path: "/mint",
        summary: "Sign blinds, paid for by the account.",
        request: &["RequestMint"],
        response: &SIGNED,
        statuses: &[DELAYED, 401, 402, 403, 409, 410, 422],
        takes_token: true,
    },
    Message {
        path: "/renew",
        summary: "Sign blinds, paid for by coins.",
        request: &["RequestRenew"],
        response: &SIGNED,
        statuses: &[DELAYED, 409, 410, 422],
        takes_token: false,
    },
    Message {
        path: "/resume",
        summary: "The signatures of what was accepted, or waits, under a transaction reference.",
        request: &["RequestResume"],
        response: &SIGNED,
        statuses: &[DELAYED, 402, 404, 409, 410, 422],
        takes_token: false,
    },
    Message {
        path: "/redeem",
        summary: "Coins become money of the account.",
        request: &["RequestRedeem"],
        response: &["ResponseRedeem"],
        statuses: &[401, 403, 409, 410, 422],
        takes_token: true,
    },
    Message {
        path: "/v1/recoup",
        summary: "Sign blinds, paid for by coins of revoked mint keys whose origin is shown. Not in the specification.",
        request: &["RequestRecoup"],
        response: &SIGNED,
        statuses: &[DELAYED, 409, 410, 422],
        takes_token: false,
    },
    Message {
        path: "/",
        summary: "Any message of the specification, told apart by its type.",
        request: &[
            "RequestCddSerial",
            "RequestCddc",
            "RequestMintKeyCertificates",
            "RequestMint",
            "RequestRenew",
            "RequestResume",
            "RequestRedeem",
        ],
        response: &[
            "ResponseCddSerial",
            "ResponseCddc",
            "ResponseMintKeyCertificates",
            "ResponseMint",
            "ResponseRedeem",
        ],
        statuses: &[DELAYED, 401, 402, 403, 404, 409, 410, 422],
        takes_token: true,
    },
];

/// What is described here.
pub(super) fn openapi() -> OpenApi {
    let mut paths = Map::new();
    for message in &MESSAGES {
        paths.insert(message.path.to_owned(), json!({ "post": operation(message) }));
    }
    for (path, get) in documents() {
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        operations
            .as_object_mut()
            .expect("made as an object")
            .insert("get".to_owned(), get);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).expect("the file beside this one is JSON");
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "", "version": "" },
        "paths": paths,
        "components": { "schemas": schemas },
    });
    serde_json::from_value(document).expect("this is a description")
}

fn operation(message: &Message) -> Value {
    let mut responses = Map::new();
    for status in [200].iter().chain(message.statuses).chain(&ALWAYS) {
        let description = describe(*status);
        let mut content = Map::new();
        let names = if *status == DELAYED {
            &["ResponseDelay"]
        } else {
            message.response
        };
        if *status != 408 {
            content.insert(MEDIA_TYPE.to_owned(), json!({ "schema": one_of(names) }));
        }
        if matches!(status, 400 | 408 | 413 | 429 | 503) {
            content.insert(
                "application/problem+json".to_owned(),
                json!({ "schema": one_of(&["Problem"]) }),
            );
        }
        let mut response = json!({ "description": description, "content": content });
        if matches!(status, 409 | 410 | 422) && message.request.iter().any(|name| WITH_COINS.contains(name)) {
            response["headers"] = json!({ "OpenCoin-Coins": {
                "description": "The coins that the refusal is about, by their indices: `0-2,7`. Absent where it is about none.",
                "schema": { "type": "string", "pattern": COIN_INDICES_PATTERN },
            } });
        }
        responses.insert(status.to_string(), response);
    }
    let security = match (message.takes_token, message.request) {
        (false, _) => json!([{}]),
        (true, [_]) => json!([{ "token": [] }]),
        // Some of these take one, the others do not.
        (true, _) => json!([{ "token": [] }, {}]),
    };
    json!({
        "tags": ["messages"],
        "summary": message.summary,
        "requestBody": { "required": true, "content": { MEDIA_TYPE: { "schema": one_of(message.request) } } },
        "responses": responses,
        "security": security,
    })
}

fn one_of(names: &[&str]) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    match names {
        [name] => reference(name),
        names => json!({ "oneOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>() }),
    }
}

fn describe(status: u16) -> &'static str {
    match status {
        200 => "Done.",
        DELAYED => "The signatures come later: ask with a request resume.",
        400 => "`malformed`: it cannot be read as a request of this path.",
        401 => "`unauthorized`: no token, or one that is not good.",
        402 => "`insufficient-funds`: the account has too little.",
        403 => "`forbidden`: outside the scopes of the service.",
        404 => "`not-found`: nothing is known under this serial or reference.",
        408 => "`malformed`: the body did not arrive in time.",
        409 => "`double-spend` or `reference-conflict`.",
        410 => "`key-expired`, `key-revoked` or `recoup`.",
        413 => "`too-large`: too many items, or too long a body.",
        422 => "`invalid`: well formed, and it cannot be right.",
        429 => "`too-many-requests`: again after a while.",
        503 => "`unavailable`: send the same request again.",
        other => unreachable!("{other} is in no list above"),
    }
}

/// What is fetched by GET.
fn documents() -> Vec<(&'static str, Value)> {
    let serial = json!([{ "name": "serial", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 } }]);
    let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/BigInt" } }]);
    let list =
        |name: &str| json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } });
    let one = |name: &str| one_of(&[name]);
    vec![
        (
            "/cddc",
            get(
                "The current CDDC, in the text that is signed.",
                one("Cddc"),
                json!([]),
                &[304],
            ),
        ),
        (
            "/cddc/{serial}",
            get("The CDDC with this serial.", one("Cddc"), serial, &[304, 404]),
        ),
        (
            "/mkcs",
            get(
                "The certificates of all current mint keys.",
                list("Mkc"),
                json!([]),
                &[304],
            ),
        ),
        (
            "/mkcs/{id}",
            get("The certificate of this mint key.", one("Mkc"), id, &[304, 404]),
        ),
        (
            "/v1/revocations",
            get(
                "The revoked mint keys.",
                one("Revocations"),
                json!([]),
                &[304, 503],
            ),
        ),
        (
            "/v1/openapi.json",
            get("This description.", json!({ "type": "object" }), json!([]), &[]),
        ),
        ("/health/live", health("Whether the process runs.", &[])),
        ("/health/ready", health("Whether the database answers.", &[503])),
    ]
}

fn get(summary: &str, schema: Value, parameters: Value, statuses: &[u16]) -> Value {
    fetch(
        summary,
        json!({ MEDIA_TYPE: { "schema": schema } }),
        parameters,
        statuses,
    )
}

fn health(summary: &str, statuses: &[u16]) -> Value {
    fetch(
        summary,
        json!({ "text/plain": { "schema": { "type": "string" } } }),
        json!([]),
        statuses,
    )
}

fn fetch(summary: &str, content: Value, parameters: Value, statuses: &[u16]) -> Value {
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": "It is here.", "content": content }),
    );
    for status in statuses.iter().chain(&[429]) {
        let response = match status {
            304 => json!({ "description": "The client has it: its If-None-Match names it." }),
            _ => json!({
                "description": describe(*status),
                "content": { "application/problem+json": { "schema": one_of(&["Problem"]) } },
            }),
        };
        responses.insert(status.to_string(), response);
    }
    json!({
        "tags": ["documents"],
        "summary": summary,
        "parameters": parameters,
        "responses": responses,
        "security": [{}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library that writes the description has types of its own for schemas, and drops what they do not
    /// know.
    #[test]
    fn nothing_of_the_schemas_is_lost() {
        let written = serde_json::to_value(openapi()).unwrap();
        let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
        assert_eq!(written["components"]["schemas"], schemas);
    }
}
