//! Data of clients does not appear in the server's log at TRACE or in its metrics.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use opencoin_e2e::foreign_wallet::{
    Answer, Blinded, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use opencoin_e2e::{CHAUM82, Currency, Database, MASTER_PASSPHRASE, Process, RFC9474, get_text, sqlite};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The clients' address. All addresses in 127.0.0.0/8 belong to this machine.
const CLIENT_ADDRESS: &str = "127.77.66.55";
/// The clients' address according to a proxy's header.
const FORWARDED_ADDRESS: &str = "198.51.100.77";
/// Used wherever a client can send text.
const CLIENT_TEXT: &str = "text-of-a-client-4711";
const PASSWORD: &str = "a-password-of-carol";
/// Not the passphrase of the master key.
const WRONG_PASSPHRASE: &str = "a-wrong-passphrase-0815";
const OTHER_PASSWORD: &str = "another-password-of-carol";
/// Shorter runs of hex digits appear in dates and counts.
const HEX_CHARS_MIN: usize = 20;
/// The number of leading bytes that are searched for in the form in which Rust prints a list.
const SHOWN_BYTES: usize = 8;

/// Secrets that must not be found: numbers, tokens, texts of clients.
#[derive(Default)]
struct Needles {
    public: BTreeSet<String>,
    secret: BTreeSet<String>,
}

impl Needles {
    /// Adds the numbers of public documents, such as ids and moduli of keys.
    fn add_public(&mut self, documents: &str) {
        self.public.extend(hex_numbers(documents));
    }

    /// Adds every number of a message that is not public.
    fn add_message(&mut self, message: &str) {
        let numbers = hex_numbers(message);
        self.secret
            .extend(numbers.into_iter().filter(|number| !self.public.contains(number)));
    }

    fn add_token(&mut self, token: &str) {
        self.secret.insert(token.to_owned());
        let hash: String = Sha256::digest(token)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.secret.insert(hash);
    }

    /// The secrets that the text contains in any form.
    fn found_in(&self, text: &str) -> Vec<&str> {
        let is_there = |secret: &&String| forms(secret).iter().any(|form| text.contains(form));
        self.secret.iter().filter(is_there).map(String::as_str).collect()
    }
}

/// The forms in which a secret could be printed: the text itself and, for a hex number, its bytes.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), secret.to_uppercase()];
    if secret.chars().all(|digit| digit.is_ascii_hexdigit()) {
        let even = if secret.len().is_multiple_of(2) {
            secret.to_owned()
        } else {
            format!("0{secret}")
        };
        let byte = |index: usize| {
            u8::from_str_radix(&even[2 * index..2 * index + 2], 16)
                .unwrap()
                .to_string()
        };
        let bytes: Vec<String> = (0..SHOWN_BYTES).map(byte).collect();
        forms.push(bytes.join(", "));
    }
    forms
}

fn hex_numbers(text: &str) -> Vec<String> {
    let runs = text.split(|letter: char| !matches!(letter, '0'..='9' | 'a'..='f'));
    runs.filter(|run| run.len() >= HEX_CHARS_MIN)
        .map(ToOwned::to_owned)
        .collect()
}

/// A currency whose server logs at TRACE, and a client that records everything it sends and receives.
struct Traffic {
    currency: Currency,
    server: Process,
    operators: String,
    wallet: ForeignWallet,
    needles: Needles,
    http: Client,
    sent: u32,
}

impl Traffic {
    fn start(suite: &str, database: Database) -> Self {
        let mut currency = Currency::make_on(suite, database, &[]);
        currency.set_variable("OPENCOIN_LOG", "trace");
        let (server, operators) = currency.serve_operators(&[]);
        let address: IpAddr = CLIENT_ADDRESS.parse().unwrap();
        let http = Client::builder()
            .local_address(address)
            .user_agent(CLIENT_TEXT)
            .build()
            .unwrap();
        let wallet = ForeignWallet::with_client(http.clone(), &currency.url(""));
        let mut needles = Needles::default();
        for path in ["/cddc", "/mkcs"] {
            needles.add_public(&http.get(currency.url(path)).send().unwrap().text().unwrap());
        }
        for text in [CLIENT_ADDRESS, FORWARDED_ADDRESS, CLIENT_TEXT] {
            needles.secret.insert(text.to_owned());
        }
        Self {
            currency,
            server,
            operators,
            wallet,
            needles,
            http,
            sent: 0,
        }
    }

    fn account(&mut self, name: &str) -> String {
        let token = self.currency.account(name, 500);
        self.needles.add_token(&token);
        token
    }

    /// Sends a message and requires this status. Everything in it and in its answer is a secret.
    fn post(&mut self, path: &str, token: Option<&str>, message: &Value, status: u16) -> Answer {
        let url = self.currency.url(path);
        self.send(Method::POST, &url, token, message, status)
    }

    /// As [`Self::post`], with any method and to any listener.
    fn send(
        &mut self,
        method: Method,
        url: &str,
        token: Option<&str>,
        message: &Value,
        status: u16,
    ) -> Answer {
        self.sent += 1;
        let mut request = self
            .http
            .request(method, format!("{url}?{CLIENT_TEXT}"))
            .body(message.to_string());
        request = request
            .header("idempotency-key", format!("{CLIENT_TEXT}-{}", self.sent))
            .header("content-type", "application/json");
        for header in ["x-request-id", "x-note", "referer", "cookie", "traceparent"] {
            request = request.header(header, CLIENT_TEXT);
        }
        request = request
            .header("x-forwarded-for", FORWARDED_ADDRESS)
            .header("forwarded", format!("for={FORWARDED_ADDRESS}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().unwrap();
        let (answered, text) = (response.status().as_u16(), response.text().unwrap());
        assert_eq!(answered, status, "{url} {message} {text}");
        self.needles.add_message(&message.to_string());
        self.needles.add_message(&text);
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let nothing = String::new();
        Answer {
            http_status: status,
            error_word: None,
            retry_after: None,
            content_type: nothing,
            text,
            body,
        }
    }

    /// A new transaction reference of full length.
    fn reference(&mut self) -> String {
        self.sent += 1;
        let digest = Sha256::digest(format!("reference {}", self.sent));
        digest[..16]
            .iter()
            .fold("f".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    fn blinds(&mut self, denominations: &[u64]) -> Vec<Blinded> {
        let blind = |(index, denomination): (usize, &u64)| {
            self.wallet
                .blind(*denomination, &format!("{CLIENT_TEXT}-{index}"))
        };
        denominations.iter().enumerate().map(blind).collect()
    }

    fn coins(&mut self, blinds: &[Blinded], answer: &Answer) -> Vec<Value> {
        let coins = self.wallet.unblind(blinds, answer);
        coins
            .iter()
            .for_each(|coin| self.needles.add_message(&coin.to_string()));
        coins
    }

    /// Mints, renews, redeems and resumes, with repetitions, faulty requests and delays.
    fn use_coins(&mut self) {
        let token = self.account("alice");
        let (blinds, reference) = (self.blinds(&[5, 2, 1]), self.reference());
        let mint = request_mint(&blinds, &reference);
        let answer = self.post("/mint", Some(&token), &mint, 200);
        let coins = self.coins(&blinds, &answer);
        self.post("/", Some(&token), &mint, 200);
        self.post("/resume", None, &request_resume(&reference), 200);
        let (fresh, reference) = (self.blinds(&[5, 2, 1]), self.reference());
        let renew = request_renew(&coins, &fresh, &reference);
        let answer = self.post("/renew", None, &renew, 200);
        let renewed = self.coins(&fresh, &answer);
        self.post("/renew", None, &renew, 200);
        let (other, reference) = (self.blinds(&[5, 2, 1]), self.reference());
        self.post("/renew", None, &request_renew(&coins, &other, &reference), 409);
        self.post(
            "/renew",
            None,
            &request_renew(&renewed[..1], &other, &reference),
            422,
        );
        self.post("/redeem", Some(&token), &request_redeem(&coins), 409);
        self.post("/redeem", Some(&token), &request_redeem(&renewed[..2]), 200);
        self.post("/redeem", Some(&token), &request_redeem(&renewed[..2]), 200);

        let wrong_token = "oc_1f1e2d3c4b5a69788796a5b4c3d2e1f01f1e2d3c4b5a69788796a5b4c3d2e1f0";
        self.needles.add_token(wrong_token);
        self.post("/mint", Some(wrong_token), &request_mint(&other, &reference), 401);
        self.post("/mint", None, &request_mint(&other, &reference), 401);
        let mut forged = renewed[2].clone();
        forged["signature"] = Value::String("1234567890abcdef1234567890abcdef".to_owned());
        self.post("/redeem", Some(&token), &request_redeem(&[forged]), 422);
        let mut strange = mint;
        strange["type"] = Value::String(CLIENT_TEXT.to_owned());
        strange[CLIENT_TEXT] = Value::String(CLIENT_TEXT.to_owned());
        self.post("/", Some(&token), &strange, 400);
        self.post("/mint", Some(&token), &strange, 400);
        self.post(&format!("/{CLIENT_TEXT}"), Some(&token), &strange, 404);
        let reference = self.reference();
        self.post("/resume", None, &request_resume(&reference), 404);

        self.currency.issuer(&["signing", "pause"]);
        let (late, reference) = (self.blinds(&[10]), self.reference());
        self.post("/mint", Some(&token), &request_mint(&late, &reference), 202);
        self.post("/resume", None, &request_resume(&reference), 202);
        self.currency.issuer(&["signing", "resume"]);
        self.post("/resume", None, &request_resume(&reference), 200);
    }

    /// An operator opens accounts. A holder logs in, pays, requests a payout, and lets a service mint. Some requests have wrong
    /// tokens and passwords.
    fn use_accounts(&mut self) {
        let operator = self.currency.admin_token("till");
        self.needles.add_token(&operator);
        self.needles
            .secret
            .extend([PASSWORD, OTHER_PASSWORD].map(ToOwned::to_owned));
        let admin = format!("{}/v1/admin/accounts", self.operators);
        for name in ["carol", "dave"] {
            let opened = self.send(
                Method::POST,
                &admin,
                Some(&operator),
                &json!({"name": name, "password": PASSWORD}),
                201,
            );
            self.needles.add_token(opened.body["token"].as_str().unwrap());
        }
        let payment = json!({"amount": 100, "reference": CLIENT_TEXT});
        self.send(
            Method::POST,
            &format!("{admin}/carol/credits"),
            Some(&operator),
            &payment,
            201,
        );
        self.send(
            Method::GET,
            &admin,
            Some("oc_0123456789abcdef0123456789abcdef"),
            &Value::Null,
            401,
        );
        self.post(
            "/v1/sessions",
            None,
            &json!({"name": "carol", "password": OTHER_PASSWORD}),
            401,
        );
        let session = self.post(
            "/v1/sessions",
            None,
            &json!({"name": "carol", "password": PASSWORD}),
            201,
        );
        let session = session.body["token"].as_str().unwrap().to_owned();
        self.needles.add_token(&session);
        self.post(
            "/v1/transfers",
            Some(&session),
            &json!({"to": "dave", "amount": 7, "label": CLIENT_TEXT}),
            201,
        );
        self.post(
            "/v1/payouts",
            Some(&session),
            &json!({"amount": 9, "destination": CLIENT_TEXT}),
            201,
        );
        let service = self.post(
            "/v1/services",
            Some(&session),
            &json!({"name": "shop", "scopes": ["mint"]}),
            201,
        );
        let key = service.body["key"].as_str().unwrap().to_owned();
        self.needles.add_token(&key);
        let login = json!({"id": service.body["id"], "key": key});
        let opened = self.post("/v1/services/session", None, &login, 201);
        let token = opened.body["token"].as_str().unwrap().to_owned();
        self.needles.add_token(&token);
        let (blinds, reference) = (self.blinds(&[5]), self.reference());
        self.post("/mint", Some(&token), &request_mint(&blinds, &reference), 200);
        let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
        let url = self.currency.url("/v1/account/password");
        self.send(Method::PUT, &url, Some(&session), &change, 204);
    }

    /// An operator lets the master key sign, with its passphrase and with another one.
    fn use_the_master_key(&mut self) {
        let operator = self.currency.admin_token("keeper");
        self.needles.add_token(&operator);
        let number = "10011471108154711081";
        let secret = [MASTER_PASSPHRASE, WRONG_PASSPHRASE, number];
        self.needles.secret.extend(secret.map(ToOwned::to_owned));
        let url = format!("{}/v1/admin/keys/rotate", self.operators);
        let sent = [
            (json!(WRONG_PASSPHRASE), 422),
            (json!(10_011_471_108_154_711_081_u64), 422),
            (json!(MASTER_PASSPHRASE), 200),
        ];
        for (passphrase, status) in sent {
            let body = json!({ "master_passphrase": passphrase });
            let answer = self.send(Method::POST, &url, Some(&operator), &body, status);
            for passphrase in secret {
                assert!(!answer.text.contains(passphrase), "{}", answer.text);
            }
        }
    }

    /// A key is revoked and its coins are recouped. What the wallet stores is secret.
    fn revoke_a_key(&mut self) {
        let token = self.account("bob");
        let (wallet, folder) = (self.currency.wallet("wallet"), self.currency.scratch("wallet"));
        wallet.run(&["mint", "40", "--token", &token]);
        let key = self.wallet.key(10)["id"].as_str().unwrap().to_owned();
        self.currency
            .issuer(&["keys", "revoke", &key, "--reason", "by the test"]);
        self.currency.issuer(&["keys", "rotate", "--now"]);
        let published = self
            .http
            .get(self.currency.url("/mkcs"))
            .send()
            .unwrap()
            .text()
            .unwrap();
        self.needles.add_public(&published);
        wallet.run(&["recoup"]);
        let keys = self.currency.issuer(&["keys", "list", "--json"]).stdout;
        self.needles.add_public(&keys);
        for path in ["cddc", "mkcs"] {
            for entry in fs::read_dir(self.currency.dir().join(path)).unwrap() {
                self.needles
                    .add_public(&fs::read_to_string(entry.unwrap().path()).unwrap());
            }
        }
        // The rows of the wallet are JSON, after which a coin or a checksum follows.
        for table in ["settings", "coin_secrets", "operations", "sends"] {
            let query = format!("SELECT hex(body) FROM {table}");
            for row in sqlite::texts(&folder.join("wallet.db"), &query).unwrap() {
                let bytes = row
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
                let json: Vec<u8> = bytes.take_while(u8::is_ascii_graphic).collect();
                self.needles.add_message(&String::from_utf8(json).unwrap());
            }
        }
    }

    /// Searches the log and the metrics for the secrets.
    fn search(self) {
        let metrics = get_text(&format!("{}/metrics", self.operators));
        self.server.stop();
        let log = self.currency.log();
        assert!(
            log.contains("TRACE") || log.contains("DEBUG"),
            "the log has every level"
        );
        assert!(
            log.contains("/renew")
                && log.contains("/v1/recoup")
                && log.contains("/v1/services/session")
                && metrics.contains("recoup")
                && metrics.contains("opencoin_logins_total{outcome=\"unauthorized\"} 1"),
            "the flows were seen"
        );
        let Needles { public, secret } = self.needles;
        let needles = Needles {
            secret: secret.difference(&public).cloned().collect(),
            public,
        };
        assert!(needles.secret.len() > 60, "{:?}", needles.secret);
        for needle in &needles.secret {
            for form in forms(needle) {
                let planted = format!("{form} among others");
                assert!(
                    needles.found_in(&planted).contains(&needle.as_str()),
                    "{needle} would not be found as {form}"
                );
            }
        }
        assert_eq!(needles.found_in(&log), [""; 0], "in the log");
        assert_eq!(needles.found_in(&metrics), [""; 0], "in the metrics");
        let places = log.lines().filter(|line| line.contains(CLIENT_ADDRESS));
        assert_eq!(places.count(), 0);
    }
}

fn run(suite: &str, database: Database) {
    let mut traffic = Traffic::start(suite, database);
    traffic.use_coins();
    traffic.use_accounts();
    traffic.use_the_master_key();
    traffic.revoke_a_key();
    traffic.search();
}

#[test]
fn no_data_of_clients_is_in_the_log_or_the_metrics_with_sqlite() {
    run(RFC9474, Database::Sqlite);
}

#[test]
fn no_data_of_clients_is_in_the_log_or_the_metrics_with_postgresql() {
    run(CHAUM82, Database::Postgres);
}
