//! What a page of another origin can do in a real browser: use the API with a token, and nothing with the cookies of a
//! visitor who is logged in.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use opencoin_e2e::browser::{self, Browser, SEND, Scripts, Sight};
use opencoin_e2e::{DemoSite, PATIENCE};
use serde_json::{Value, json};

/// The cookie of a holder who is logged in.
const HOLDERS_COOKIE: &str = "__Host-opencoin-account=";

const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><title>Elsewhere</title><p>Elsewhere";

/// A site of somebody else on this machine. It answers every request with a page, and tells which cookies came with it.
struct Elsewhere {
    port: u16,
    cookies: Receiver<String>,
}

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, cookies) = channel();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                // A browser may open a connection that it does not use yet.
                thread::spawn(move || answer(connection, &sender));
            }
        });
        Self { port, cookies }
    }

    /// The cookies that came with the next request whose path is `/seen`.
    fn next_cookies(&self) -> String {
        self.cookies.recv_timeout(PATIENCE).expect("a request")
    }
}

fn answer(mut connection: TcpStream, sender: &Sender<String>) {
    let lines = BufReader::new(&connection).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(request) = head.first() else {
        return;
    };
    if request.contains(" /seen ") {
        let is_cookie = |line: &&String| line.to_ascii_lowercase().starts_with("cookie:");
        let cookies = head.iter().find(is_cookie).cloned().unwrap_or_default();
        let _ = sender.send(cookies);
    }
    let length = PAGE.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let _ = connection.write_all(&[head.as_bytes(), PAGE.as_bytes()].concat());
}

/// Asks from the page that is open. Returns the status, the headers and the text that the page can read, or the name of
/// the error.
fn fetch(browser: &Browser, url: &str, options: &Value) -> Value {
    browser.run(&format!(
        "return fetch({}, {options}).then(
            async answer => ({{
                status: answer.status,
                headers: Object.fromEntries(answer.headers),
                text: await answer.text(),
            }}),
            error => error.name)",
        json!(url)
    ))
}

/// The body of an answer, as JSON.
fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["text"].as_str().expect("an answer that can be read")).unwrap()
}

#[test]
fn a_page_of_another_origin_uses_the_api_with_a_token() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    let elsewhere = Elsewhere::start();
    browser.open(&format!("http://wallet.example:{}/", elsewhere.port));
    let ask = |path: &str, options: Value| fetch(&browser, &format!("{}{path}", site.public), &options);

    let description = ask("/cddc", json!({}));
    assert_eq!(description["status"], 200, "{description}");
    assert_eq!(body(&description)["cdd"]["currency_name"], "OpenCent");
    assert!(
        description["headers"]["x-request-id"].is_string(),
        "{description}"
    );
    // Simple requests, which no preflight precedes, may be malformed.
    let malformed = ask("/mint", json!({ "method": "POST", "body": "{}" }));
    assert_eq!(malformed["status"], 400, "{malformed}");

    let log_in = |password: &str| {
        ask(
            "/v1/sessions",
            json!({
                "method": "POST",
                "headers": { "content-type": "application/json" },
                "body": json!({ "name": "alice", "password": password }).to_string(),
            }),
        )
    };
    let refused = log_in("a guess");
    assert_eq!(refused["status"], 401, "{refused}");
    assert_eq!(refused["headers"]["opencoin-error"], "unauthorized");
    assert!(refused["headers"]["x-request-id"].is_string(), "{refused}");

    let session = log_in(&site.passwords["alice"]);
    assert_eq!(session["status"], 201, "{session}");
    let token = body(&session)["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let account = ask("/v1/account", json!({ "headers": { "authorization": bearer } }));
    assert_eq!(body(&account)["balance"], 293, "{account}");
    let paid = ask(
        "/v1/transfers",
        json!({
            "method": "POST",
            "headers": {
                "authorization": bearer,
                "content-type": "application/json",
                "idempotency-key": "rent-1",
            },
            "body": json!({ "to": "bob", "amount": 120, "label": "rent" }).to_string(),
        }),
    );
    assert_eq!(paid["status"], 201, "{paid}");
    let left = ask(
        "/v1/sessions",
        json!({ "method": "DELETE", "headers": { "authorization": bearer } }),
    );
    assert_eq!(left["status"], 204, "{left}");

    // What is for operators is no page's business, even with their token.
    let bearer = format!("Bearer {}", site.token);
    for (path, headers) in [
        ("/v1/admin/accounts", json!({ "authorization": bearer })),
        ("/metrics", json!({})),
    ] {
        let url = format!("{}{path}", site.operator);
        let answer = fetch(&browser, &url, &json!({ "headers": headers }));
        assert_eq!(answer, "TypeError", "{path}");
    }
    site.stop();
}

#[test]
fn a_page_of_another_origin_does_nothing_with_the_cookies_of_a_visitor() {
    let Some(browser) = browser::start_or_skip(Scripts::Run) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    let elsewhere = Elsewhere::start();
    browser.see(&format!("{}/account/login", site.public), Sight::ENGLISH);
    browser.fill("#name", "alice");
    browser.fill("#password", &site.passwords["alice"]);
    browser.leave_by(SEND);
    assert!(browser.text().contains("2.93 OpenCent"));

    let seen = format!("http://127.0.0.1:{}/seen", elsewhere.port);
    let with_cookies = json!({ "credentials": "include", "mode": "no-cors" });
    // Cookies belong to a machine and not to a port, so those of another port come to the server with its own cookies, and
    // those of another site come without.
    for (name, comes_with_cookies) in [("127.0.0.1", true), ("wallet.example", false)] {
        browser.open(&format!("http://{name}:{}/", elsewhere.port));
        let _ = fetch(&browser, &seen, &with_cookies);
        let cookies = elsewhere.next_cookies();
        assert_eq!(
            cookies.contains(HOLDERS_COOKIE),
            comes_with_cookies,
            "{name}: {cookies}"
        );

        let ask = |path: &str, options: Value| fetch(&browser, &format!("{}{path}", site.public), &options);
        assert_eq!(ask("/v1/account", json!({}))["status"], 401, "{name}");
        for path in ["/v1/account", "/account"] {
            let answer = ask(path, json!({ "credentials": "include" }));
            assert_eq!(answer, "TypeError", "{name} reads {path}");
        }
        assert_eq!(ask("/account", json!({})), "TypeError", "{name} reads a page");
        // A request that is sent without a preflight, and whose answer no page can read.
        let program = json!({ "name": "thief", "scopes": ["mint"] }).to_string();
        let declare = json!({
            "method": "POST",
            "credentials": "include",
            "mode": "no-cors",
            "body": program,
        });
        let _ = ask("/v1/services", declare);
        // A form of a page, sent as a whole page of its own.
        let log_out = json!(format!("{}/account/logout", site.public));
        browser.leave(|| {
            browser.run(&format!(
                "const form = document.createElement('form');
                form.method = 'post';
                form.action = {log_out};
                document.body.append(form);
                form.submit();"
            ));
        });
        let text = browser.text();
        assert!(text.contains("This is not allowed"), "{name}: {text}");
    }
    browser.open(&format!("{}/account/programs", site.public));
    let text = browser.text();
    assert!(text.contains("No program has access."), "{text}");
    site.stop();
}
