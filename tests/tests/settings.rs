//! Settings in file, environment and flags; TLS; listeners that are refused; rate limits.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use opencoin_e2e::files::make_certificates;
use opencoin_e2e::{
    Currency, Database, Log, PASSPHRASE, Process, RFC9474, SQLITE, free_port, run, wait_until,
};
use reqwest::blocking::{Client, Response};
use reqwest::tls::Version;
use serde_json::{Value, json};

/// Starts a server with these flags and environment variables. Returns it with its log.
fn serve(currency: &Currency, flags: &[&str], environment: &[(&str, &str)], ready: &str) -> (Process, Log) {
    let (log, mut command) = (Log::default(), currency.command());
    command
        .args(["issuer", "serve", "--dir"])
        .arg(currency.dir())
        .args(flags)
        .env("OPENCOIN_LOG", "warn");
    command.envs(environment.iter().copied());
    (Process::start(&mut command, ready, &log), log)
}

/// A client that trusts only the authority in this folder, and uses one version of TLS.
fn client(folder: &Path, version: Version) -> Client {
    let authority = reqwest::Certificate::from_pem(&fs::read(folder.join("authority.pem")).unwrap()).unwrap();
    let client = Client::builder()
        .tls_certs_only([authority])
        .tls_version_min(version)
        .tls_version_max(version);
    client.build().unwrap()
}

#[test]
fn the_server_uses_tls_and_reloads_its_certificate() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let [first, second] = ["first", "second"].map(|name| currency.scratch(name));
    make_certificates(&first);
    make_certificates(&second);
    let files = currency.dir().join("tls");
    fs::create_dir(&files).unwrap();
    let put = |folder: &Path| {
        for name in ["signer.pem", "signer.key"] {
            fs::copy(folder.join(name), files.join(name)).unwrap();
        }
    };
    put(&first);
    let listen = format!("127.0.0.1:{}", currency.port());
    let settings = [
        ("OPENCOIN_ISSUER_TLS_CERTIFICATE", "tls/signer.pem"),
        ("OPENCOIN_ISSUER_TLS_KEY", "tls/signer.key"),
    ];
    let (server, log) = serve(
        &currency,
        &["--listen", &listen],
        &settings,
        "serving OpenCent on https://127.0.0.1:",
    );
    let url = format!("https://{listen}/cddc");
    let is_trusted = |folder: &Path| {
        client(folder, Version::TLS_1_3)
            .get(&url)
            .send()
            .is_ok_and(|answer| answer.status() == 200)
    };
    assert!(is_trusted(&first) && !is_trusted(&second));
    assert_eq!(
        client(&first, Version::TLS_1_2)
            .get(&url)
            .send()
            .unwrap()
            .status(),
        200
    );
    // A request without TLS gets no answer, and a silent client does not delay others.
    let _silent = TcpStream::connect(&listen).unwrap();
    let mut plain = TcpStream::connect(&listen).unwrap();
    plain.write_all(b"GET /cddc HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));

    // A certificate and key that do not match change nothing.
    fs::copy(second.join("signer.key"), files.join("signer.key")).unwrap();
    wait_until("the server logs the mismatch", || {
        log.text().contains("the old one stays in use")
    });
    assert!(is_trusted(&first));
    put(&second);
    wait_until("the server uses the new certificate", || is_trusted(&second));
    assert!(!is_trusted(&first));
    server.stop();
    assert!(
        !log.text().contains("127.0.0.1"),
        "addresses are not logged: {}",
        log.text()
    );

    fs::remove_file(files.join("signer.key")).unwrap();
    let mut command = currency.command();
    command.envs(settings);
    let dir = currency.dir();
    let _ =
        run(&mut command, &["issuer", "serve", "--dir", dir.to_str().unwrap()]).refused(1, "tls/signer.key");
}

#[test]
fn plain_http_beyond_this_machine_must_be_allowed_explicitly() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    for way_out in ["[tls]", "127.0.0.1 behind a proxy", "--insecure-http"] {
        let _ = currency
            .issuer_unchecked(&["serve", "--listen", "0.0.0.0:0"])
            .refused(1, way_out);
    }
    serve(
        &currency,
        &["--listen", "0.0.0.0:0", "--insecure-http"],
        &[],
        "serving OpenCent on http://0.0.0.0:",
    )
    .0
    .stop();
    let word = [
        ("OPENCOIN_ISSUER_INSECURE_HTTP", "true"),
        ("OPENCOIN_ISSUER_LISTEN", "[::]:0"),
    ];
    serve(&currency, &[], &word, "serving OpenCent on http://")
        .0
        .stop();
    // The operator's listener needs its own permission.
    let operators = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--insecure-http",
        "--admin-listen",
        "0.0.0.0:0",
    ];
    let _ = currency
        .issuer_unchecked(&operators)
        .refused(1, "admin.insecure_http = true (--admin-insecure-http)");
    let both = [&operators[1..], &["--admin-insecure-http"]].concat();
    serve(&currency, &both, &[], "serving OpenCent on http://0.0.0.0:")
        .0
        .stop();
}

/// Checks that the operator's listener serves metrics, health, and the API with a token only.
fn operate(currency: &Currency, client: &Client, url: &str) {
    for path in ["/metrics", "/health/ready"] {
        assert_eq!(client.get(format!("{url}{path}")).send().unwrap().status(), 200);
    }
    let accounts = |token: &str| {
        client
            .get(format!("{url}/v1/admin/accounts"))
            .bearer_auth(token)
            .send()
            .unwrap()
    };
    assert_eq!(accounts("oca_made-up").status(), 401);
    assert_eq!(accounts(&currency.admin_token("desk")).status(), 200);
    currency.issuer(&["admin-token", "remove", "desk"]);
}

#[test]
fn operators_on_other_machines_need_tls_or_explicit_permission() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let (wallets, operators) = (format!("127.0.0.1:{}", currency.port()), free_port());
    let everywhere = format!("0.0.0.0:{operators}");
    let flags = ["--listen", &wallets, "--admin-listen", &everywhere];
    let _ = currency
        .issuer_unchecked(&[&["serve"][..], &flags].concat())
        .refused(1, "can be reached from other machines");
    let ready = "serving OpenCent on http://";
    let (server, _log) = serve(
        &currency,
        &[&flags[..], &["--admin-insecure-http"]].concat(),
        &[],
        ready,
    );
    operate(
        &currency,
        &Client::new(),
        &format!("http://127.0.0.1:{operators}"),
    );
    server.stop();

    let files = currency.scratch("certificates");
    make_certificates(&files);
    let (certificate, key) = (files.join("signer.pem"), files.join("signer.key"));
    let tls = [
        "--tls-certificate",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let ready = "serving OpenCent on https://";
    let (server, _log) = serve(&currency, &[&flags[..], &tls].concat(), &[], ready);
    let client = client(&files, Version::TLS_1_3);
    operate(&currency, &client, &format!("https://127.0.0.1:{operators}"));
    assert!(
        Client::new()
            .get(format!("http://127.0.0.1:{operators}/metrics"))
            .send()
            .is_err(),
        "plain HTTP gets an answer"
    );
    server.stop();
    // Clients on this machine need no TLS.
    let here = format!("127.0.0.1:{operators}");
    let (server, _log) = serve(
        &currency,
        &[&["--listen", &wallets, "--admin-listen", &here][..], &tls].concat(),
        &[],
        ready,
    );
    operate(&currency, &Client::new(), &format!("http://{here}"));
    server.stop();
}

/// Operators read what the running server uses, not what the file says by now.
#[test]
fn operators_read_the_settings_of_the_running_server_and_where_each_comes_from() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let (wallets, operators) = (currency.port(), free_port());
    let [wallets, operators] = [wallets, operators].map(|port| format!("127.0.0.1:{port}"));
    let (server, _) = serve(
        &currency,
        &["--listen", &wallets, "--admin-listen", &operators],
        &[("OPENCOIN_ISSUER_LIMITS_REQUESTS_PER_SECOND", "7")],
        "serving OpenCent on http://127.0.0.1:",
    );
    let file = currency.dir().join("issuer.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[web]\ncors = false\n")).unwrap();
    let answer = Client::new()
        .get(format!("http://{operators}/v1/admin/settings"))
        .bearer_auth(currency.admin_token("desk"))
        .send();
    let settings: Value = serde_json::from_str(&answer.unwrap().text().unwrap()).unwrap();
    let of = |key: &str| {
        let all = settings["settings"].as_array().unwrap();
        all.iter().find(|setting| setting["key"] == key).unwrap()
    };
    assert_eq!(
        *of("limits.requests_per_second"),
        json!({
            "key": "limits.requests_per_second",
            "value": "7",
            "from": "environment",
            "name": "OPENCOIN_ISSUER_LIMITS_REQUESTS_PER_SECOND"
        })
    );
    assert_eq!(
        *of("listen"),
        json!({ "key": "listen", "value": format!("{wallets:?}"), "from": "flag", "name": "--listen" })
    );
    let database = of("database");
    assert_eq!(database["from"], "file");
    let line = usize::try_from(database["line"].as_u64().unwrap()).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().starts_with("database"));
    assert_eq!(
        *of("web.cors"),
        json!({ "key": "web.cors", "value": "true", "from": "default" })
    );
    assert_eq!(
        *of("hosts"),
        json!({ "key": "hosts", "value": "[]", "from": "default" })
    );
    server.stop();
}

#[test]
fn an_address_is_rate_limited_and_an_unknown_token_is_no_way_around() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    currency.stop();
    let listen = format!("127.0.0.1:{}", currency.port());
    let flags = [
        "--listen",
        &listen,
        "--limits-requests-per-second",
        "1",
        "--limits-requests-burst",
        "40",
        "--proxy-trusted",
        "127.0.0.1",
    ];
    let (server, _log) = serve(&currency, &flags, &[], "serving ");
    let wallet = currency.wallet("alice");
    wallet.run(&["mint", "11", "--token", &token]);

    let client = Client::new();
    let ask = |address: Option<&str>, token: &str| -> Response {
        let request = client.post(currency.url("/mint")).body("{}").bearer_auth(token);
        address
            .map_or_else(
                || request.try_clone().unwrap(),
                |address| request.try_clone().unwrap().header("X-Forwarded-For", address),
            )
            .send()
            .unwrap()
    };
    let until_refused = |address: Option<&str>| {
        (0..1000)
            .map(|_| ask(address, "oc_made-up"))
            .find(|answer| answer.status() == 429)
            .unwrap()
    };
    let refused = until_refused(Some("203.0.113.9, 198.51.100.7"));
    assert_eq!(refused.headers()["opencoin-error"], "too-many-requests");
    let retry_after = refused.headers()["retry-after"].to_str().unwrap();
    assert!(retry_after.parse::<u64>().unwrap() >= 1, "{retry_after}");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&refused.text().unwrap()).unwrap();
    assert_eq!(problem["title"], "too-many-requests");
    assert_eq!(
        ask(Some("198.51.100.8"), "oc_made-up").status(),
        400,
        "another address has its own bucket"
    );
    // The wallet has the proxy's address. Its token was accepted for the mint, so only this token is exempt from the limit.
    assert_eq!(until_refused(None).status(), 429);
    assert_eq!(ask(None, &token).status(), 400);
    assert_eq!(ask(Some("198.51.100.7"), &token).status(), 400);
    server.stop();
}

#[test]
fn this_machine_is_not_rate_limited_and_an_unknown_proxy_is_logged() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let listen = format!("127.0.0.1:{}", currency.port());
    let flags = [
        "--listen",
        &listen,
        "--limits-requests-per-second",
        "1",
        "--limits-requests-burst",
        "2",
        "--limits-body-bytes-max",
        "1000",
    ];
    let (server, log) = serve(&currency, &flags, &[], "serving ");
    let client = Client::new();
    assert!((0..20).all(|_| client.get(currency.url("/cddc")).send().unwrap().status() == 200));
    let long = client
        .post(currency.url("/mint"))
        .body("x".repeat(1001))
        .send()
        .unwrap();
    assert_eq!(long.status(), 413);
    assert!(long.text().unwrap().contains("longer than 1000 bytes"));
    let forwarded = |_| {
        client
            .get(currency.url("/cddc"))
            .header("X-Forwarded-For", "198.51.100.7")
            .send()
            .unwrap()
    };
    assert!((0..20).map(forwarded).any(|answer| answer.status() == 429));
    wait_until("the server logs the proxy", || {
        log.text().contains("proxy.trusted")
    });
    server.stop();
    assert!(!log.text().contains("198.51.100.7"), "addresses are not logged");
}

#[test]
fn the_effective_settings_are_shown_with_their_origin() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let dir = currency.dir();
    let dir = dir.to_str().unwrap();
    let opencoin = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = currency.command();
        command.envs(environment.iter().copied());
        run(
            &mut command,
            &[&["issuer"][..], arguments, &["--dir", dir]].concat(),
        )
    };
    let environment = [(
        "OPENCOIN_ISSUER_DATABASE",
        "postgres://opencoin:s3cret@127.0.0.1:1/books",
    )];
    let shown = opencoin(&environment, &["config", "--json", "--log-format", "json"]).success();
    assert!(!shown.stdout.contains("s3cret"));
    let shown = shown.json();
    let of = |key: &str| {
        shown["settings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["key"] == key)
            .unwrap()
            .clone()
    };
    assert_eq!(of("database")["name"], "OPENCOIN_ISSUER_DATABASE");
    assert_eq!(
        of("database")["value"],
        "postgres://opencoin:***@127.0.0.1:1/books"
    );
    assert_eq!(
        (
            of("log.format")["value"].as_str(),
            of("log.format")["from"].as_str()
        ),
        (Some("json"), Some("flag"))
    );
    assert_eq!(
        (
            of("rotation.lead")["from"].as_str(),
            of("limits.connections_max")["from"].as_str()
        ),
        (Some("file"), Some("default"))
    );
    // Every command reads the environment, so that it uses the same ledger as the server.
    let refused = opencoin(&environment, &["audit"]).refused(3, "cannot read the books");
    assert!(!refused.stderr.contains("s3cret"));
    let misspelt = [("OPENCOIN_ISSUER_DATABSE", "sqlite:x")];
    let on_books: [(&[&str], i32); 6] = [
        (&["audit"], 3),
        (&["migrate", "--dry-run"], 1),
        (&["accept-restored-state"], 1),
        (&["backup", "--to", "nowhere"], 1),
        (&["restore", "--from", "nowhere"], 1),
        (&["keys", "list"], 1),
    ];
    for (command, exit) in on_books {
        let _ = opencoin(&misspelt, command).refused(exit, "did you mean \"OPENCOIN_ISSUER_DATABASE\"?");
    }
    let _ = opencoin(&[], &["serve", "--limits-connections-max", "none"])
        .refused(1, "--limits-connections-max: \"none\" is not a whole number");

    let elsewhere = currency.scratch("other.toml");
    fs::write(
        &elsewhere,
        format!("database = '{SQLITE}'\n[limits]\nlogins_per_minute = 3\n"),
    )
    .unwrap();
    let other = opencoin(&[], &["config", "--config", elsewhere.to_str().unwrap()])
        .success()
        .stdout;
    let line = other
        .lines()
        .find(|line| line.starts_with("limits.logins_per_minute = 3"))
        .unwrap();
    assert!(line.ends_with("# file, line 3"), "{line}");
}

#[test]
fn check_finds_the_faults_that_would_prevent_a_start() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let dir = currency.dir();
    let listen = format!("127.0.0.1:{}", free_port());
    let check = |flags: &[&str], passphrase: &str| {
        let mut command = currency.command();
        command.env("OPENCOIN_PASSPHRASE", passphrase);
        let all = [
            &["issuer", "check", "--json", "--dir", dir.to_str().unwrap()][..],
            flags,
        ]
        .concat();
        let output = run(&mut command, &all);
        let report = output.json();
        assert_eq!(
            output.code,
            Some(i32::from(report["passed"] != true)),
            "{report:#}"
        );
        report
    };
    let result = |report: &Value, name: &str| {
        let found = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["check"] == name);
        found
            .map(|check| check["result"].as_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    let good = check(&["--listen", &listen], PASSPHRASE);
    for name in [
        "settings",
        "folder",
        "certificates",
        "books",
        "keys",
        "signing windows",
        "clock",
        "listen",
    ] {
        assert_eq!(result(&good, name), "ok", "{name}: {good:#}");
    }
    assert_eq!(result(&check(&["--listen", &listen], "wrong"), "keys"), "failed");
    let faults: [(&[&str], &str); 4] = [
        (&["--listen", "0.0.0.0:0"], "listen"),
        (&["--database", "sqlite:nowhere"], "books"),
        (&["--database", "mysql:x"], "settings"),
        (&["--signer-by", "socket", "--signer-path", "none.sock"], "signer"),
    ];
    for (flags, name) in faults {
        assert_eq!(result(&check(flags, PASSPHRASE), name), "failed", "{name}");
    }

    let files = currency.scratch("certificates");
    make_certificates(&files);
    let (certificate, key) = (files.join("signer.pem"), files.join("signer.key"));
    let tls = |key: &Path| {
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let flags = ["--tls-certificate", certificate, "--tls-key", key];
        check(&[&flags[..], &["--listen", "0.0.0.0:0"]].concat(), PASSPHRASE)
    };
    let good = tls(&key);
    assert_eq!(
        (result(&good, "tls"), result(&good, "listen")),
        ("ok".to_owned(), "ok".to_owned()),
        "{good:#}"
    );
    assert_eq!(result(&tls(&files.join("server.key")), "tls"), "failed");

    let held = std::net::TcpListener::bind(&listen).unwrap();
    assert_eq!(
        result(&check(&["--listen", &listen], PASSPHRASE), "listen"),
        "warn"
    );
    drop(held);
    fs::remove_dir_all(dir.join("keys")).unwrap();
    let without_keys = check(&["--listen", &listen], PASSPHRASE);
    assert_eq!(
        (result(&without_keys, "keys"), result(&without_keys, "books")),
        ("failed".to_owned(), "ok".to_owned())
    );
}
