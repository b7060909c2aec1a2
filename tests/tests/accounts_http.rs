//! Two server processes on one PostgreSQL database, each with an operator's listener, act as one issuer: concurrent
//! requests move money once, and a session that ends at one process has ended at the other.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use opencoin_e2e::{Currency, Database, Process, RFC9474, free_port, in_parallel};
use reqwest::blocking::Client;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PASSWORD: &str = "a long enough password";
const PARALLEL: usize = 50;

/// One of the two processes.
struct Server {
    public: String,
    operators: String,
    process: Process,
}

struct World {
    currency: Currency,
    servers: [Server; 2],
    operator: String,
    http: Client,
}

/// An answer of one of the two.
#[derive(Debug)]
struct Reply {
    status: u16,
    json: Value,
}

impl Reply {
    fn with(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{self:?}");
        self.json
    }

    /// Status and fixed word.
    fn refused(&self) -> (u16, &str) {
        (self.status, self.json["title"].as_str().unwrap_or_default())
    }
}

impl World {
    fn start() -> Self {
        let currency = Currency::make_on(RFC9474, Database::Postgres, &[]);
        let servers = [(); 2].map(|()| {
            let [public, operators] = [(); 2].map(|()| free_port());
            let process = currency.serve_with(public, &["--admin-listen", &format!("127.0.0.1:{operators}")]);
            Server {
                public: format!("http://127.0.0.1:{public}"),
                operators: format!("http://127.0.0.1:{operators}"),
                process,
            }
        });
        let operator = currency.admin_token("desk");
        Self {
            currency,
            servers,
            operator,
            http: Client::new(),
        }
    }

    /// Sends a request to one of the two, at the listener that serves the path.
    fn call(&self, server: usize, method: Method, path: &str, token: &str, body: &Value) -> Reply {
        self.call_with(server, method, path, token, None, body)
    }

    fn call_with(
        &self,
        server: usize,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Reply {
        let Server {
            public, operators, ..
        } = &self.servers[server];
        let base = if path.starts_with("/v1/admin") {
            operators
        } else {
            public
        };
        let mut request = self
            .http
            .request(method, format!("{base}{path}"))
            .bearer_auth(token);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().unwrap();
        Reply {
            status,
            json: if text.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(&text).unwrap()
            },
        }
    }

    fn get(&self, server: usize, path: &str, token: &str) -> Reply {
        self.call(server, Method::GET, path, token, &Value::Null)
    }

    fn post(&self, server: usize, path: &str, token: &str, body: &Value) -> Reply {
        self.call(server, Method::POST, path, token, body)
    }

    /// Sends an operator's request to one of the two.
    fn operate(&self, server: usize, path: &str, body: &Value) -> Reply {
        self.post(server, &format!("/v1/admin{path}"), &self.operator, body)
    }

    /// Opens an account with the usual password, credits it, and returns its token.
    fn open(&self, name: &str, amount: u64) -> String {
        let account = json!({ "name": name, "password": PASSWORD });
        let token = self.operate(0, "/accounts", &account).with(StatusCode::CREATED)["token"]
            .as_str()
            .unwrap()
            .to_owned();
        if amount > 0 {
            let payment = json!({ "amount": amount, "reference": format!("opening {name}") });
            self.operate(1, &format!("/accounts/{name}/credits"), &payment)
                .with(StatusCode::CREATED);
        }
        token
    }

    fn log_in(&self, server: usize, name: &str) -> String {
        let session = self.post(
            server,
            "/v1/sessions",
            "",
            &json!({ "name": name, "password": PASSWORD }),
        );
        session.with(StatusCode::CREATED)["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn pay(&self, server: usize, token: &str, key: &str, to: &str, amount: u64) -> Reply {
        let body = json!({ "to": to, "amount": amount });
        self.call_with(server, Method::POST, "/v1/transfers", token, Some(key), &body)
    }

    fn balance(&self, token: &str) -> u64 {
        let [one, other] = [0, 1].map(|server| {
            self.get(server, "/v1/account/balance", token)
                .with(StatusCode::OK)["balance"]
                .as_u64()
                .unwrap()
        });
        assert_eq!(one, other, "both read the same ledger");
        one
    }
}

/// Sends so many requests at once, to the two servers in turn.
fn at_once(times: usize, ask: impl Fn(usize, usize) -> Reply + Sync) -> Vec<Reply> {
    in_parallel(times, |number| ask(number % 2, number))
}

fn statuses(replies: &[Reply]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for reply in replies {
        *statuses.entry(reply.status).or_default() += 1;
    }
    statuses
}

#[test]
fn two_processes_are_one_issuer() {
    let world = World::start();
    payments_stop_when_the_account_is_empty(&world);
    one_key_pays_once(&world);
    sessions_end_at_both(&world);
    a_new_service_key_is_valid_at_both(&world);
    one_reference_credits_once(&world);
    a_payout_is_settled_once(&world);
    a_name_is_assigned_once(&world);
    tokens_are_valid_at_their_own_listener(&world);
    let World {
        currency, servers, ..
    } = world;
    for server in servers {
        server.process.stop();
    }
    currency.audit();
}

fn payments_stop_when_the_account_is_empty(world: &World) {
    let (alice, bob) = (world.open("alice", 70), world.open("bob", 0));
    let replies = at_once(PARALLEL, |server, number| {
        world.pay(server, &alice, &format!("key-{number}"), "bob", 10)
    });
    assert_eq!(statuses(&replies), BTreeMap::from([(201, 7), (402, 43)]));
    assert_eq!((world.balance(&alice), world.balance(&bob)), (0, 70));
}

fn one_key_pays_once(world: &World) {
    let (carol, dave) = (world.open("carol", 100), world.open("dave", 0));
    let replies = at_once(PARALLEL, |server, _| {
        world.pay(server, &carol, "same", "dave", 10)
    });
    assert_eq!(statuses(&replies), BTreeMap::from([(200, 49), (201, 1)]));
    assert!(
        replies.iter().all(|reply| reply.json == replies[0].json),
        "{replies:?}"
    );
    assert_eq!((world.balance(&carol), world.balance(&dave)), (90, 10));
}

fn sessions_end_at_both(world: &World) {
    world.open("erin", 5);
    let is_good = |server: usize, session: &str| world.get(server, "/v1/account", session).status;
    let (first, second, third) = (
        world.log_in(0, "erin"),
        world.log_in(0, "erin"),
        world.log_in(1, "erin"),
    );
    for session in [&first, &second, &third] {
        assert_eq!([is_good(0, session), is_good(1, session)], [200, 200]);
    }
    world
        .call(0, Method::DELETE, "/v1/sessions", &first, &Value::Null)
        .with(StatusCode::NO_CONTENT);
    assert_eq!(
        [is_good(1, &first), is_good(0, &first), is_good(1, &second)],
        [401, 401, 200]
    );
    // A new password ends the other sessions.
    let change = json!({ "current": PASSWORD, "new": "another long password" });
    world
        .call(1, Method::PUT, "/v1/account/password", &second, &change)
        .with(StatusCode::NO_CONTENT);
    assert_eq!(
        [is_good(0, &third), is_good(1, &third), is_good(0, &second)],
        [401, 401, 200]
    );
    // A password set by the operator ends all sessions.
    let reset = json!({ "new": PASSWORD });
    let path = "/v1/admin/accounts/erin/password";
    world
        .call(0, Method::PUT, path, &world.operator, &reset)
        .with(StatusCode::NO_CONTENT);
    assert_eq!([is_good(1, &second), is_good(0, &second)], [401, 401]);
}

fn a_new_service_key_is_valid_at_both(world: &World) {
    let frank = world.open("frank", 5);
    let service = json!({ "name": "shop", "scopes": ["read"] });
    let declared = world
        .post(0, "/v1/services", &frank, &service)
        .with(StatusCode::CREATED);
    let id = declared["id"].as_str().unwrap();
    let log_in = |server: usize, key: &Value| {
        world.post(
            server,
            "/v1/services/session",
            "",
            &json!({ "id": id, "key": key }),
        )
    };
    let session = log_in(1, &declared["key"]).with(StatusCode::CREATED)["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.get(1, "/v1/account/balance", &session).status, 200);
    let rotated = world
        .post(0, &format!("/v1/services/{id}/rotate"), &frank, &Value::Null)
        .with(StatusCode::OK);
    assert_eq!(
        world.get(1, "/v1/account/balance", &session).refused(),
        (401, "unauthorized")
    );
    assert_eq!(log_in(1, &declared["key"]).refused(), (401, "unauthorized"));
    assert_eq!(log_in(1, &rotated["key"]).status, 201);
}

fn one_reference_credits_once(world: &World) {
    let grace = world.open("grace", 0);
    let payment = json!({ "amount": 25, "reference": "statement 9, line 1" });
    let replies = at_once(20, |server, _| {
        world.operate(server, "/accounts/grace/credits", &payment)
    });
    assert_eq!(statuses(&replies), BTreeMap::from([(200, 19), (201, 1)]));
    assert_eq!(world.balance(&grace), 25);
    let other = json!({ "amount": 26, "reference": "statement 9, line 1" });
    assert_eq!(
        world.operate(1, "/accounts/grace/credits", &other).refused(),
        (409, "reference-conflict")
    );
}

fn a_payout_is_settled_once(world: &World) {
    let heidi = world.open("heidi", 100);
    let mut left = 100;
    for number in 0..6 {
        let body = json!({ "amount": 10, "destination": "DE02 1203 0000 0000 2020 51" });
        let key = format!("out-{number}");
        let payout = world
            .call_with(number % 2, Method::POST, "/v1/payouts", &heidi, Some(&key), &body)
            .with(StatusCode::CREATED);
        // The two operators settle it differently, each several times.
        let replies = at_once(8, |server, _| {
            let (what, body) = [
                ("paid", json!({ "reference": "bank 1" })),
                ("failed", json!({ "reason": "closed" })),
            ][server]
                .clone();
            world.operate(server, &format!("/payouts/{}/{what}", payout["id"]), &body)
        });
        assert_eq!(statuses(&replies), BTreeMap::from([(200, 4), (409, 4)]));
        let settled = world
            .get(0, &format!("/v1/payouts/{}", payout["id"]), &heidi)
            .with(StatusCode::OK);
        assert!(
            replies
                .iter()
                .all(|reply| reply.status == 409 || reply.json == settled),
            "{replies:?}"
        );
        left -= if settled["state"] == "paid" { 10 } else { 0 };
    }
    assert_eq!(world.balance(&heidi), left);
}

fn a_name_is_assigned_once(world: &World) {
    let replies = at_once(8, |server, _| {
        world.operate(server, "/accounts", &json!({ "name": "ivan" }))
    });
    assert_eq!(statuses(&replies), BTreeMap::from([(201, 1), (409, 7)]));
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 201 || reply.refused() == (409, "exists")),
        "{replies:?}"
    );
}

fn tokens_are_valid_at_their_own_listener(world: &World) {
    let judy = world.open("judy", 1);
    let session = world.log_in(0, "judy");
    for server in [0, 1] {
        for token in [&judy, &session] {
            assert_eq!(
                world.get(server, "/v1/admin/accounts", token).refused(),
                (403, "forbidden")
            );
        }
        assert_eq!(
            world.get(server, "/v1/admin/accounts", "").refused(),
            (401, "unauthorized")
        );
        assert_eq!(
            world.get(server, "/v1/account", &world.operator).refused(),
            (401, "unauthorized")
        );
        // Neither listener serves the paths of the other.
        let Server {
            public, operators, ..
        } = &world.servers[server];
        let gone = |url: String, token: &str| {
            world
                .http
                .get(url)
                .bearer_auth(token)
                .send()
                .unwrap()
                .status()
                .as_u16()
        };
        assert_eq!(gone(format!("{public}/v1/admin/accounts"), &world.operator), 404);
        assert_eq!(gone(format!("{operators}/v1/account"), &judy), 404);
    }
}
