//! nginx and Caddy with the settings of `deploy/`, over TLS in front of two or three servers: wallets mint, renew and
//! redeem through them while servers crash or stop.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, ScopedJoinHandle};

use opencoin_e2e::deploy::{Authority, Service, caddy, nginx, nginx_of_three};
use opencoin_e2e::foreign_wallet::{Blinded, ForeignWallet, request_mint, request_redeem, request_renew};
use opencoin_e2e::{
    Currency, PATIENCE, Process, RFC9474, StopAtEnd, command, free_port, metrics, run, wait_for, wait_until,
};
use opencoin_testkit::postgres::TestDatabase;
use reqwest::Method;
use reqwest::blocking::{Client, Response};
use reqwest::tls::Certificate;
use serde_json::Value;

const PAID_IN: u64 = 100_000;
/// Clients that never pause, so that a server always has requests in progress when it crashes.
const CLIENTS: u32 = 4;
/// Each server crashes in the first round, and is stopped in the second.
const ROUNDS: usize = 2;
/// More than a proxy passes on.
const BODY_BYTES_TOO_MANY: usize = 5 * 1024 * 1024;
/// The number of requests that are answered between two faults.
const REQUESTS_BETWEEN: u32 = 20;

/// How a client treats the proxy's answer that no server is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    /// The test fails.
    Never,
    /// The client sends the same request again, as docs/API.md says.
    SendAgain,
}

/// Starts a proxy in a folder, on a port, in front of the servers on these ports.
type Start = fn(&Path, u16, &[u16], &Authority) -> Service;

/// A server, and the ports of its listeners.
struct Server {
    port: u16,
    operator_port: u16,
    process: Option<Process>,
}

impl Server {
    fn start(currency: &Currency) -> Self {
        let mut server = Self {
            port: free_port(),
            operator_port: free_port(),
            process: None,
        };
        server.start_again(currency);
        server
    }

    fn start_again(&mut self, currency: &Currency) {
        let operators = format!("127.0.0.1:{}", self.operator_port);
        self.process = Some(currency.serve_with(self.port, &["--admin-listen", &operators]));
    }

    /// The number of mints, renews and redeems that this process has answered.
    fn answered(&self) -> f64 {
        let metrics = metrics(&format!("http://127.0.0.1:{}", self.operator_port));
        let sample = |kind| {
            let name = format!(r#"opencoin_requests_total{{request="{kind}",outcome="ok"}}"#);
            metrics.get(&name).copied().unwrap_or_default()
        };
        ["mint", "renew", "redeem"].map(sample).iter().sum()
    }
}

#[test]
fn no_request_fails_behind_nginx_when_servers_crash() {
    servers_die_behind(nginx, 2, OnFailure::Never);
}

#[test]
fn no_request_fails_behind_nginx_when_one_of_three_machines_crashes() {
    servers_die_behind(nginx_of_three, 3, OnFailure::Never);
}

#[test]
fn requests_that_fail_behind_caddy_when_servers_crash_succeed_when_repeated() {
    servers_die_behind(caddy, 2, OnFailure::SendAgain);
}

fn servers_die_behind(start: Start, count: usize, on_failure: OnFailure) {
    let (database, front) = (TestDatabase::create(), free_port());
    let url = format!("https://localhost:{front}");
    let currency = Currency::make(RFC9474, &database.url(), &["--url", &url]);
    let folder = currency.scratch("proxy");
    fs::create_dir(&folder).unwrap();
    let authority = Authority::make(&folder);
    let mut servers: Vec<_> = (0..count).map(|_| Server::start(&currency)).collect();
    let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();
    let proxy = start(&folder, front, &ports, &authority);

    a_wallet_works(&currency, &url, &authority);
    operators_paths_are_hidden(&client(&authority), &url);
    pages_of_other_origins_may_read_answers(&client(&authority), &url);
    sessions_are_not_resumed(front, &folder);
    servers_die_under_load(&currency, (&url, on_failure), &authority, &mut servers);

    for server in servers {
        server.process.unwrap().stop();
    }
    without_servers_the_proxy_answers_like_one(&client(&authority), &url);
    currency.audit();
    let logs = format!(
        "{}{}",
        proxy.log(),
        fs::read_to_string(folder.join("error.log")).unwrap_or_default()
    );
    for secret in ["remote_ip", "remote_addr", "client: 127", "Bearer"] {
        assert!(!logs.contains(secret), "the proxy's log has {secret:?}:\n{logs}");
    }
}

/// The real program's wallet mints, sends, receives and redeems.
fn a_wallet_works(currency: &Currency, url: &str, authority: &Authority) {
    let (alice, bob) = (currency.account("alice", PAID_IN), currency.account("bob", 0));
    let wallet = |name: &str, arguments: &[&str]| {
        let mut opencoin = command();
        opencoin.env("SSL_CERT_FILE", authority.certificate());
        let dir = currency.scratch(name);
        run(
            &mut opencoin,
            &[&["wallet"], arguments, &["--dir", dir.to_str().unwrap()]].concat(),
        )
        .success()
    };
    wallet("alice", &["add", url]);
    wallet("bob", &["add", url]);
    wallet("alice", &["mint", "17", "--token", &alice]);
    let stack = currency.scratch("stack");
    wallet("alice", &["send", "9", "--out", stack.to_str().unwrap()]);
    wallet("bob", &["receive", stack.to_str().unwrap()]);
    wallet("bob", &["redeem", "9", "--token", &bob]);
    assert_eq!(currency.balance("bob"), 9);
}

fn operators_paths_are_hidden(http: &Client, url: &str) {
    for path in [
        "/health/ready",
        "/health/live",
        "/metrics",
        "/v1/admin",
        "/v1/admin/accounts",
    ] {
        let response = http.get(format!("{url}{path}")).send().unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert!(
            !response.text().unwrap().contains("no such path"),
            "{path} is answered by the proxy and not by a server"
        );
    }
    assert_eq!(http.get(format!("{url}/cddc")).send().unwrap().status(), 200);
}

/// Those of the servers and those of the proxy alone. A browser refuses an answer that allows an origin twice.
fn pages_of_other_origins_may_read_answers(http: &Client, url: &str) {
    let preflight = http.request(Method::OPTIONS, format!("{url}/mint"));
    let too_long = vec![b'x'; BODY_BYTES_TOO_MANY];
    for (request, statuses) in [
        (http.get(format!("{url}/cddc")), [200].as_slice()),
        (http.get(format!("{url}/no/such/path")), &[404]),
        (preflight, &[204]),
        // Caddy of Debian 12 does not tell why it could not pass on a body.
        (http.post(format!("{url}/renew")).body(too_long), &[413, 503]),
    ] {
        let response = request.header("origin", "https://wallet.example").send().unwrap();
        assert!(statuses.contains(&response.status().as_u16()), "{response:?}");
        may_be_read(&response);
        if response.status() == 413 {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
}

fn may_be_read(response: &Response) {
    let allowed: Vec<_> = response
        .headers()
        .get_all("access-control-allow-origin")
        .iter()
        .collect();
    assert_eq!(allowed, ["*"], "{response:?}");
}

/// Sessions are resumed neither by ticket nor by id, in both versions of TLS.
fn sessions_are_not_resumed(port: u16, folder: &Path) {
    let session = folder.join("session");
    let connect = |version: &str, argument: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{port}"),
            "-servername",
            "localhost",
            "-ign_eof",
            version,
        ]);
        let mut openssl = openssl
            .arg(argument)
            .arg(&session)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A ticket arrives after the handshake.
        openssl
            .stdin
            .take()
            .unwrap()
            .write_all(b"GET /cddc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let output = openssl.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let _ = fs::remove_file(&session);
        let first = connect(version, "-sess_out");
        assert!(first.contains("New, TLS"), "{first}");
        if session.exists() {
            let second = connect(version, "-sess_in");
            assert!(
                second.contains("New, TLS") && !second.contains("Reused, TLS"),
                "{second}"
            );
        }
    }
}

/// nginx sends a request to the second server if the first one crashes during it and the request is idempotent.
#[test]
fn nginx_retries_only_idempotent_requests() {
    let scratch = tempfile::tempdir().unwrap();
    let authority = Authority::make(scratch.path());
    let heard = Arc::new(AtomicU32::new(0));
    let ports = [dying_server(&heard), dying_server(&heard)];
    let front = free_port();
    let _nginx = nginx(scratch.path(), front, &ports, &authority);
    let http = client(&authority);
    let asked = |method: Method, path: &str| {
        let before = heard.load(Ordering::SeqCst);
        let response = http
            .request(method, format!("https://localhost:{front}{path}"))
            .body("{}")
            .send()
            .unwrap();
        assert_eq!(response.status(), 503, "{path}");
        heard.load(Ordering::SeqCst) - before
    };
    for path in ["/mint", "/renew", "/redeem", "/v1/transfers", "/v1/payouts"] {
        assert_eq!(asked(Method::POST, path), 2, "{path}");
    }
    for path in [
        "/v1/sessions",
        "/v1/services",
        "/v1/services/7/rotate",
        "/v1/services/session",
    ] {
        assert_eq!(asked(Method::POST, path), 1, "{path}");
    }
    assert_eq!(asked(Method::PUT, "/v1/account/password"), 1);
}

/// A server that counts requests and closes the connection of each. Returns its port.
fn dying_server(heard: &Arc<AtomicU32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, heard) = (listener.local_addr().unwrap().port(), Arc::clone(heard));
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = heard.fetch_add(
                u32::from(stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0)),
                Ordering::SeqCst,
            );
        }
    });
    port
}

/// Clients mint, renew and redeem without a pause, while one server after the other is killed or stopped, and started
/// again.
fn servers_die_under_load(
    currency: &Currency,
    (url, on_failure): (&str, OnFailure),
    authority: &Authority,
    servers: &mut [Server],
) {
    let token = currency.account("carol", PAID_IN);
    let (answered, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (answered, is_over, token) = (&answered, &is_over, &token);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let wallet = ForeignWallet::with_client(client(authority), url);
                scope.spawn(move || work(&wallet, on_failure, (number, token), answered, is_over))
            })
            .collect();
        let _stop = StopAtEnd(is_over);
        let wait = |clients: &[ScopedJoinHandle<'_, ()>]| {
            let until = answered.load(Ordering::Relaxed) + REQUESTS_BETWEEN;
            wait_until("the clients work", || {
                assert!(
                    !clients.iter().any(ScopedJoinHandle::is_finished),
                    "a client failed"
                );
                answered.load(Ordering::Relaxed) >= until
            });
        };
        for round in 0..ROUNDS {
            for server in servers.iter_mut() {
                wait(&clients);
                let process = server.process.take().unwrap();
                if round == 0 {
                    process.kill()
                } else {
                    process.stop()
                }
                wait(&clients);
                server.start_again(currency);
                wait_until("the proxy asks the server again", || {
                    wait(&clients);
                    server.answered() > 0.0
                });
            }
        }
        wait(&clients);
        is_over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

/// Mints a coin, renews it and redeems it, again and again.
fn work(
    wallet: &ForeignWallet,
    on_failure: OnFailure,
    (number, token): (u32, &str),
    answered: &AtomicU32,
    is_over: &AtomicBool,
) {
    let post = |path: &str, request: &Value| {
        wait_for("an answer", || {
            let answer = wallet.post(path, Some(token), request);
            if answer.http_status == 200 {
                answered.fetch_add(1, Ordering::Relaxed);
                return Ok(answer);
            }
            let is_told_to_retry = answer.http_status == 503 && answer.retry_after.is_some();
            assert!(
                on_failure == OnFailure::SendAgain && is_told_to_retry,
                "{answer:?}"
            );
            Err(answer.http_status)
        })
    };
    let coins = |request: &dyn Fn(&[Blinded], &str) -> Value, path: &str, reference: &str| {
        let blinds = [wallet.blind(5, "1")];
        let answer = post(path, &request(&blinds, reference));
        wallet.unblind(&blinds, &answer)
    };
    for round in 0.. {
        let minted = coins(&request_mint, "/mint", &format!("a{number}{round:06}"));
        let renew = |blinds: &[Blinded], reference: &str| request_renew(&minted, blinds, reference);
        let renewed = coins(&renew, "/renew", &format!("b{number}{round:06}"));
        let _ = post("/redeem", &request_redeem(&renewed));
        if is_over.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn without_servers_the_proxy_answers_like_one(http: &Client, url: &str) {
    let response = http.post(format!("{url}/renew")).body("{}").send().unwrap();
    assert_eq!(response.status(), 503);
    may_be_read(&response);
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("retry-after").as_deref(), Some("1"));
    assert_eq!(header("opencoin-error").as_deref(), Some("unavailable"));
    assert_eq!(
        header("content-type").as_deref(),
        Some("application/problem+json")
    );
    let body: Value = serde_json::from_str(&response.text().unwrap()).unwrap();
    assert_eq!(
        (&body["title"], &body["status"]),
        (&Value::from("unavailable"), &Value::from(503))
    );
    // A program that takes every type is no person.
    let calls = http
        .get(format!("{url}/v1/account"))
        .header("accept", "text/html, */*");
    let answer = calls.send().unwrap();
    may_be_read(&answer);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    // People get a page, in both languages.
    let page = http
        .get(url)
        .header("accept", "text/html,*/*;q=0.8")
        .send()
        .unwrap();
    assert_eq!(page.status(), 503);
    assert_eq!(page.headers()["retry-after"], "60");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let text = page.text().unwrap();
    for sentence in ["Nothing is lost.", "Es ist nichts verloren."] {
        assert!(text.contains(sentence), "{text}");
    }
}

/// A client that trusts only the test's certificate authority.
fn client(authority: &Authority) -> Client {
    let certificate = Certificate::from_pem(&fs::read(authority.certificate()).unwrap()).unwrap();
    Client::builder()
        .tls_certs_only([certificate])
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
