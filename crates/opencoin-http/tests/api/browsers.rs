//! What browsers may do: pages of other origins may use the API, nothing but the API, and only with tokens.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use opencoin_connections::PeerAddress;
use opencoin_http::{Audience, Server, ServerOptions, openapi_document, router};
use opencoin_ledger::MemoryLedger;
use serde_json::Value;
use tower::ServiceExt;

use crate::fixture::{TestClock, TestCurrency};
use crate::world::{PASSWORD, World};

/// An address that is limited, as those of this machine are not.
const CLIENT: &str = "192.0.2.1";

fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

fn header<'answer>(response: &'answer Response<Body>, name: &str) -> &'answer str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// A server with these options, without accounts.
async fn server(options: ServerOptions) -> Arc<Server> {
    let currency = TestCurrency::get();
    let books = Arc::<MemoryLedger>::default();
    let issuer = currency
        .issuer(books, currency.signer(), TestClock::at_start())
        .await;
    Server::with_options(issuer, options)
}

async fn answer(server: &Arc<Server>, request: Request<Body>) -> Response<Body> {
    router(Arc::clone(server)).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn pages_of_every_origin_may_read_the_api_and_nothing_else() {
    let world = World::new().await;
    let origin = [("origin", "https://wallet.example")];
    for (method, path, status) in [
        ("GET", "/cddc", 200),
        ("GET", "/v1/mint-keys", 200),
        ("GET", "/v1/openapi.json", 200),
        ("POST", "/mint", 400),
        ("POST", "/", 400),
        ("PUT", "/mint", 405),
        ("GET", "/v1/account", 401),
        ("GET", "/cddc/77", 404),
        ("GET", "/no/such/path", 404),
        ("GET", "/v1/log/policy", 404),
    ] {
        let response = world.answer(ask(method, path, &origin)).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            "*",
            "{method} {path}"
        );
        let exposed = header(&response, "access-control-expose-headers");
        for name in [
            "opencoin-error",
            "opencoin-log-promise",
            "retry-after",
            "x-request-id",
            "etag",
        ] {
            assert!(
                exposed.split(", ").any(|exposed| exposed == name),
                "{name} is not exposed"
            );
        }
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-credentials")
        );
    }
    for path in [
        "/",
        "/account",
        "/static/x.css",
        "/health/live",
        "/metrics",
        "/v1/admin/accounts",
    ] {
        for method in ["GET", "OPTIONS"] {
            // `POST /` belongs to the API, so a browser may ask about it.
            if (method, path) == ("OPTIONS", "/") {
                continue;
            }
            let response = world.answer(ask(method, path, &origin)).await;
            assert_eq!(
                header(&response, "access-control-allow-origin"),
                "",
                "{method} {path}"
            );
            assert!(method == "GET" || response.status().is_client_error(), "{path}");
        }
    }
}

#[tokio::test]
async fn preflights_are_answered_and_do_not_count_against_the_limit_of_an_address() {
    let mut options = ServerOptions::default();
    options.limits.requests_per_second = 1;
    options.limits.requests_burst = 1.try_into().unwrap();
    let server = server(options).await;
    let from_client = |mut request: Request<Body>| {
        let address: IpAddr = CLIENT.parse().unwrap();
        request.extensions_mut().insert(PeerAddress(address));
        request
    };
    for path in ["/mint", "/", "/v1/payouts/1", "/v1/account/password"] {
        let preflight = ask(
            "OPTIONS",
            path,
            &[
                ("origin", "https://wallet.example"),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "authorization,idempotency-key"),
            ],
        );
        let response = answer(&server, from_client(preflight)).await;
        assert_eq!(response.status(), 204, "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
        assert_eq!(
            header(&response, "access-control-allow-methods"),
            "GET, POST, PUT, PATCH, DELETE"
        );
        assert_eq!(
            header(&response, "access-control-allow-headers"),
            "authorization, content-type, idempotency-key, last-event-id, if-none-match"
        );
        assert_eq!(header(&response, "access-control-max-age"), "7200");
    }
    let statuses = [200, 429];
    for status in statuses {
        let response = answer(&server, from_client(ask("GET", "/cddc", &[]))).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn an_operator_may_keep_pages_of_other_origins_out() {
    let mut options = ServerOptions::default();
    options.web.cors = false;
    let server = server(options).await;
    let response = answer(&server, ask("GET", "/cddc", &[])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), "");
    let response = answer(&server, ask("OPTIONS", "/mint", &[])).await;
    assert_eq!(response.status(), 405);
    assert_eq!(header(&response, "access-control-allow-methods"), "");
}

/// A page of another origin cannot know a token, but a browser would send a cookie with its requests.
#[tokio::test]
async fn the_api_never_reads_a_cookie() {
    let world = World::new().await;
    let token = world.open("alice", 100).await;
    let session = world.log_in("alice", PASSWORD).await.text("token");
    let cookies = [&token, &session, &world.operator].map(|token| {
        format!(
            "__Host-opencoin-account={token}; __Host-opencoin-operator={token}; authorization=Bearer {token}; token={token}"
        )
    });
    let document: Value = serde_json::from_str(openapi_document(Audience::Operator)).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let needs_token =
                operation["responses"].get("401").is_some() && operation.get("security").is_none();
            if !needs_token || path == "/" {
                continue;
            }
            let path = path.replace("{id}", "1").replace("{name}", "alice");
            for cookie in &cookies {
                let mut request = ask(&method.to_uppercase(), &path, &[("cookie", cookie)]);
                // A mint and a redeem are parsed before the token is looked at.
                let body = match path.as_str() {
                    "/redeem" => r#"{"type":"request redeem","message_reference":1,"coins":[]}"#,
                    "/mint" => {
                        r#"{"type":"request mint","message_reference":1,"blinds":[],"transaction_reference":"1"}"#
                    }
                    _ => "",
                };
                *request.body_mut() = Body::from(body);
                let response = world.answer(request).await;
                assert_eq!(response.status(), 401, "{method} {path}");
            }
            asked += 1;
        }
    }
    assert!(asked >= 25, "{asked} operations need a token");
    assert_eq!(world.balance(&token).await, 100);
}

#[tokio::test]
async fn a_server_answers_only_to_names_that_are_its_own() {
    let options = ServerOptions {
        hosts: vec!["cents.example".to_owned()],
        ..ServerOptions::default()
    };
    let server = server(options).await;
    let status = async |path: &str, host: &str| {
        let request = ask("GET", path, &[("host", host)]);
        answer(&server, request).await.status().as_u16()
    };
    for own in [
        "issuer.test", // in the documents
        "ISSUER.test:443",
        "cents.example",
        "cents.example.:8443",
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.1.2.3",
        "localhost:8080",
        "opencoin-issuer",
    ] {
        assert_eq!(status("/cddc", own).await, 200, "{own}");
    }
    for foreign in [
        "evil.example",
        "issuer.test.evil.example",
        "evil.example:8080",
        "\u{e9}.x",
    ] {
        for path in ["/cddc", "/", "/account", "/v1/openapi.json"] {
            assert_eq!(status(path, foreign).await, 421, "{foreign} {path}");
        }
        let preflight = Request::builder()
            .method(Method::OPTIONS)
            .uri("/mint")
            .header("host", foreign);
        let response = answer(&server, preflight.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 421);
    }
    // Those who watch a server call it by names of their own.
    assert_eq!(status("/health/ready", "probe.internal").await, 200);
    assert_eq!(status("/health/live", "probe.internal").await, 200);
}
