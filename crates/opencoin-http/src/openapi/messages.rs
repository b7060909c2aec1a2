//! The description of the specification's messages and documents, and of the other paths for wallets.
//!
//! The schemas are in `messages.json`, because the types of the messages do not derive them. A request must have exactly
//! its fields. Numbers of any size are strings in hex.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

const SCHEMAS: &str = include_str!("messages.json");
const MEDIA_TYPE: &str = "application/json";

/// The description of one POST.
struct Message {
    path: &'static str,
    summary: &'static str,
    request: &'static [&'static str],
    response: &'static [&'static str],
    /// The statuses besides 200 and [`ALWAYS`].
    statuses: &'static [u16],
    takes_token: bool,
}

const SIGNED: [&str; 1] = ["ResponseMint"];
/// The statuses that every message can get.
const ALWAYS: [u16; 5] = [400, 408, 413, 429, 503];
const DELAYED: u16 = 202;
/// The requests whose refusal can name coins.
const WITH_COINS: [&str; 3] = ["RequestRenew", "RequestRedeem", "RequestRecoup"];
const COIN_INDICES_PATTERN: &str = "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$";

const MESSAGES: [Message; 9] = [
    Message {
        path: "/cddc/serial",
        summary: "The serial of the current description of the currency.",
        request: &["RequestCddSerial"],
        response: &["ResponseCddSerial"],
        statuses: &[],
        takes_token: false,
    },
    Message {
        path: "/cddc",
        summary: "A certified description of the currency. Serial 0 asks for the current one.",
        request: &["RequestCddc"],
        response: &["ResponseCddc"],
        statuses: &[404],
        takes_token: false,
    },
    Message {
        path: "/mkcs",
        summary: "Certificates of mint keys, by denomination or id. If both lists are empty: all current ones.",
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
        summary: "The signatures of an accepted or waiting request, by its transaction reference.",
        request: &["RequestResume"],
        response: &SIGNED,
        statuses: &[DELAYED, 402, 404, 409, 410, 422],
        takes_token: false,
    },
    Message {
        path: "/redeem",
        summary: "Redeem coins to the account.",
        request: &["RequestRedeem"],
        response: &["ResponseRedeem"],
        statuses: &[401, 403, 409, 410, 422],
        takes_token: true,
    },
    Message {
        path: "/v1/recoup",
        summary: "Sign blinds, paid for by coins of revoked mint keys with a proof of their origin. Not in the specification.",
        request: &["RequestRecoup"],
        response: &SIGNED,
        statuses: &[DELAYED, 409, 410, 422],
        takes_token: false,
    },
    Message {
        path: "/",
        summary: "Any message of the specification. Its type says which.",
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

/// The description of all these paths.
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
                "description": "The indices of the coins that caused the refusal: `0-2,7`. Absent if no coin did.",
                "schema": { "type": "string", "pattern": COIN_INDICES_PATTERN },
            } });
        }
        responses.insert(status.to_string(), response);
    }
    let security = match (message.takes_token, message.request) {
        (false, _) => json!([{}]),
        (true, [_]) => json!([{ "token": [] }]),
        // Only some of these requests need a token.
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
        400 => "`malformed`: not a request of this path.",
        401 => "`unauthorized`: no token, or an expired or unknown one.",
        402 => "`insufficient-funds`: the balance of the account is too low.",
        403 => "`forbidden`: outside the scopes of the service.",
        404 => "`not-found`: the serial, id or reference is unknown.",
        408 => "`malformed`: the body did not arrive in time.",
        409 => "`double-spend` or `reference-conflict`.",
        410 => "`key-expired`, `key-revoked` or `recoup`.",
        413 => "`too-large`: too many items, or too long a body.",
        422 => "`invalid`: a value is not allowed.",
        429 => "`too-many-requests`: try again later.",
        503 => "`unavailable`: send the same request again.",
        other => unreachable!("{other} is in no list above"),
    }
}

/// The paths for GET.
fn documents() -> Vec<(&'static str, Value)> {
    let serial = json!([{ "name": "serial", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0, "maximum": u64::MAX } }]);
    let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/BigInt" } }]);
    let list =
        |name: &str| json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } });
    let one = |name: &str| one_of(&[name]);
    vec![
        (
            "/cddc",
            get(
                "The current CDDC, in the signed text.",
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
            "/v1/mint-keys",
            get(
                "The mint keys whose coins are accepted, also those that no longer sign.",
                one("MintKeys"),
                json!([]),
                &[304],
            ),
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
        ("/", index()),
        ("/health/live", health("Whether the process runs.", &[])),
        ("/health/ready", health("Whether the issuer can work.", &[503])),
    ]
}

/// `GET /`, a page for people. A program that asks for JSON gets the paths of the documents.
fn index() -> Value {
    let page = json!({ "schema": { "type": "string" } });
    let mut index = get(
        "A page for people; with `Accept: application/json` the paths of the documents.",
        json!({
            "type": "object",
            "properties": {
                "currency": { "type": "string" },
                "description": { "type": "string" },
                "openapi": { "type": "string" },
                "supply": { "type": "string" },
            },
            "required": ["currency", "description", "openapi", "supply"],
        }),
        json!([]),
        &[304, 503],
    );
    index["responses"]["200"]["content"]["text/html"] = page;
    index
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
        json!({ "description": "Done.", "content": content }),
    );
    for status in statuses.iter().chain(&[429]) {
        let response = match status {
            304 => json!({ "description": "Not modified: If-None-Match names the current version." }),
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

    /// utoipa drops parts of a schema that its own types do not have.
    #[test]
    fn the_description_keeps_all_parts_of_the_schemas() {
        let written = serde_json::to_value(openapi()).unwrap();
        let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
        assert_eq!(written["components"]["schemas"], schemas);
    }
}
