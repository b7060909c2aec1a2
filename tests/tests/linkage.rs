//! Nothing that the issuer stores or publishes ties a mint to the spending of its coins. One holder mints, somebody renews
//! the coin, and another holder redeems the new one. Each row, leaf, header and answer of the log belongs to one of the
//! three requests at most, and what belongs to one shares no value with what belongs to another.
//!
//! Numbers of mint keys and of batches, and times in seconds, are shared by many requests. They are too short to be
//! looked at here, as are numbers of accounts; so the columns of the tables of coins are listed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use opencoin_e2e::foreign_wallet::{
    Answer, ForeignWallet, compact, request_mint, request_redeem, request_renew,
};
use opencoin_e2e::replayed_log::{from_base64, from_hex, hex, leaves};
use opencoin_e2e::{Currency, Database, RFC9474, get_text};
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha384};

/// Shorter runs of digits are not values by which something could be recognised.
const DIGITS_MIN: usize = 16;

/// What nothing may tie to each other: three requests, and the coins that came back with two of them.
const PARTS: [&str; 5] = [
    "the mint",
    "the renew",
    "the redeem",
    "the renewed coin",
    "the redeemed coin",
];
const MINT: usize = 0;
const RENEW: usize = 1;
const REDEEM: usize = 2;
const RENEWED: usize = 3;
const REDEEMED: usize = 4;

/// Each part is for itself.
const APART: [usize; 5] = [MINT, RENEW, REDEEM, RENEWED, REDEEMED];
/// Until a batch is sealed, the row that waits has what one commit did.
const WITH_THEIR_COINS: [usize; 5] = [MINT, RENEW, REDEEM, RENEW, REDEEM];

/// What tells one request from all others: names of values, and the values as hex digits or text, in lower case.
type Values = BTreeMap<String, String>;

/// Something that is stored or published: where it was found, and its text.
struct Found {
    place: String,
    text: String,
}

/// A currency, and all that was seen of three requests.
struct Capture {
    currency: Currency,
    http: Client,
    /// Numbers that many requests share: those in the documents of the currency, and of mint keys.
    public: BTreeSet<String>,
    values: [Values; 5],
    found: Vec<Found>,
}

impl Capture {
    fn start(database: Database) -> Self {
        let mut currency = Currency::make_on(RFC9474, database, &[]);
        currency.serve();
        let documents = ["/cddc", "/mkcs"].map(|path| get_text(&currency.url(path)));
        let mut public: BTreeSet<String> = documents.iter().flat_map(|text| numbers(text)).collect();
        // A transaction says how many signatures each mint key gives.
        let key_no = currency
            .rows()
            .number("SELECT CAST(no AS bigint) FROM mint_keys WHERE denomination = 5");
        public.extend(numbers(&format!("{key_no:08x}{:08x}", 1)));
        Self {
            currency,
            http: Client::new(),
            public,
            values: Default::default(),
            found: Vec::new(),
        }
    }

    fn add(&mut self, request: usize, name: &str, value: &str) {
        // Numbers have no leading zeros on the wire.
        let value = value.trim_start_matches('0').to_lowercase();
        assert!(value.len() >= DIGITS_MIN, "{name} {value}");
        self.values[request].insert(format!("{name} of {}", PARTS[request]), value);
    }

    /// An account whose holder makes one of the requests.
    fn account(&mut self, request: usize, name: &str, amount: u64) -> String {
        let token = self.currency.account(name, amount);
        self.add(request, "account", name);
        self.add(request, "token", &token);
        self.add(request, "hash of the token", &hex(&Sha256::digest(&token)));
        token
    }

    /// A blind, and how the log names it.
    fn add_blind(&mut self, request: usize, blind: &Value, key: &Value) {
        let number = blind["blinded_payload_hash"].as_str().unwrap();
        let modulus = key["public_mint_key"]["modulus"].as_str().unwrap();
        let padded = format!("{number:0>width$}", width = modulus.len().next_multiple_of(2));
        let digest = digest("issued", key, &from_hex(&padded));
        self.add(request, "blinded number", number);
        self.add(request, "issued digest", &digest);
    }

    /// A coin, and how the log names it.
    fn add_coin(&mut self, request: usize, coin: &Value, key: &Value) {
        let payload_hash = Sha384::digest(compact(&coin["payload"]));
        self.add(request, "serial", coin["payload"]["serial"].as_str().unwrap());
        self.add(request, "signature", coin["signature"].as_str().unwrap());
        self.add(request, "payload hash", &hex(&payload_hash));
        self.add(request, "spent digest", &digest("spent", key, &payload_hash));
    }

    /// Sends a request of one coin. Takes its answer and all headers into the capture.
    fn send(&mut self, request: usize, path: &str, token: Option<&str>, message: &Value) -> Answer {
        let mut sending = self.http.post(self.currency.url(path)).body(message.to_string());
        if let Some(token) = token {
            sending = sending.bearer_auth(token);
        }
        let response = sending.send().unwrap();
        let promise = header(&response, "opencoin-log-promise");
        let promise = from_base64(&promise).unwrap();
        // Time, batch, within; index 0 of 1 request, so that there is no path.
        assert_eq!(promise.len(), 8 + 8 + 4 + 4 + 4 + 64);
        assert_eq!(promise[20..28], [0, 0, 0, 0, 0, 0, 0, 1]);
        self.add(request, "signature of the promise", &hex(&promise[28..]));
        let place = format!("the answer to {}", PARTS[request]);
        let text = self.take(place, response, &hex(&promise[28..]));
        let body: Value = serde_json::from_str(&text).unwrap();
        for signature in body["blind_signatures"].as_array().into_iter().flatten() {
            let signature = signature["blind_signature"].as_str().unwrap();
            self.add(request, "blind signature", signature);
        }
        Answer {
            http_status: 200,
            error_word: None,
            retry_after: None,
            content_type: String::new(),
            text,
            body,
        }
    }

    /// Takes a successful answer, and returns its body.
    fn take(&mut self, place: String, response: Response, promise: &str) -> String {
        assert_eq!(response.status().as_u16(), 200, "{place}");
        let headers: Vec<String> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
            .collect();
        let body = response.text().unwrap();
        let text = format!("{}\n{promise}\n{body}", headers.join("\n")).to_lowercase();
        self.found.push(Found { place, text });
        body
    }

    /// Mints, renews and redeems a coin of 5.
    fn spend(&mut self) {
        let wallet = ForeignWallet::new(&self.currency.url(""));
        let key = wallet.key(5).clone();
        let alice = self.account(MINT, "alice-who-only-mints", 100);
        let bob = self.account(REDEEM, "bob-who-only-redeems", 0);
        let [first, second] = ["1f0e7c3a90b1d25486ac", "2b94d01ce87f3a6655e1"];

        let blinds = wallet.blinds(&[5]);
        self.add(MINT, "reference", first);
        self.add_blind(MINT, &blinds[0].blind, &key);
        let answer = self.send(MINT, "/mint", Some(&alice), &request_mint(&blinds, first));
        let coins = wallet.unblind(&blinds, &answer);

        let blinds = wallet.blinds(&[5]);
        self.add(RENEW, "reference", second);
        self.add_coin(RENEWED, &coins[0], &key);
        self.add_blind(RENEW, &blinds[0].blind, &key);
        let renew = request_renew(&coins, &blinds, second);
        let answer = self.send(RENEW, "/renew", None, &renew);
        let coins = wallet.unblind(&blinds, &answer);

        self.add_coin(REDEEMED, &coins[0], &key);
        self.send(REDEEM, "/redeem", Some(&bob), &request_redeem(&coins));
        let rows = self.currency.rows();
        let reference = rows.hex("reference");
        let reference = rows.texts(&format!("SELECT {reference} FROM transactions WHERE kind = 10"));
        self.add(REDEEM, "reference", &reference.concat());
    }

    /// Takes every row of the books. Bundles of the log are taken as the leaves that they have.
    fn take_rows(&mut self) {
        let rows = self.currency.rows();
        let mut found = Vec::new();
        for table in rows.tables() {
            let texts = if table == "log_bundles" {
                leaves(&rows).iter().map(|leaf| hex(leaf)).collect()
            } else {
                rows.dump(&table)
            };
            found.extend(texts.into_iter().map(|text| Found {
                place: table.clone(),
                text,
            }));
        }
        for (table, expected) in [
            ("spent", "log_batch, mint_key_no, spent_digest"),
            ("recouped", "issued_digest, mint_key_no, spent_digest"),
            ("log_bundles", "data, no, width"),
        ] {
            assert_eq!(
                rows.columns(table).join(", "),
                expected,
                "nothing else is stored with a coin"
            );
        }
        self.found.extend(found);
    }

    /// Takes what the log shows to everybody, except the leaves.
    fn take_log(&mut self) {
        let size = self.currency.rows().number("SELECT size FROM log_checkpoint");
        for path in [
            "/log/checkpoint".to_owned(),
            format!("/log/tile/0/000.p/{size}"),
            "/v1/log/policy".to_owned(),
            "/v1/log/batches/1".to_owned(),
            "/v1/log/batches/2".to_owned(),
            "/v1/log/keys".to_owned(),
            "/v1/log/incidents".to_owned(),
        ] {
            let response = self.http.get(self.currency.url(&path)).send().unwrap();
            let bytes = response.headers().clone();
            assert!(
                bytes.keys().all(|name| !name.as_str().starts_with("opencoin")),
                "{path} {bytes:?}"
            );
            assert!(!bytes.contains_key("set-cookie"));
            if path.contains("tile") {
                continue;
            }
            self.take(path, response, "");
        }
        let entries = format!("/log/tile/entries/000.p/{size}");
        let bundle = self.http.get(self.currency.url(&entries)).send().unwrap();
        let stored = self.currency.rows();
        let data = stored.texts(&format!("SELECT {} FROM log_bundles", stored.hex("data")));
        assert_eq!(
            vec![hex(&bundle.bytes().unwrap())],
            data,
            "everybody reads what is in the books"
        );
    }

    /// The owners of the values that a text has, and the names of these values.
    fn owners_in(&self, text: &str, owners: [usize; 5]) -> BTreeMap<usize, Vec<&str>> {
        let mut found: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (owner, values) in owners.iter().zip(&self.values) {
            let named = values.iter().filter(|(_, value)| text.contains(value.as_str()));
            let mut names: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() {
                found.entry(*owner).or_default().append(&mut names);
            }
        }
        found
    }

    /// Asserts that nothing ties what one owner has to what another has. `leaves` is where the leaves are.
    fn check(&self, leaves: &str, owners: [usize; 5]) {
        for (mint, redeem) in self.values[MINT].values().zip(self.values[REDEEM].values()) {
            let planted = format!("{mint} and {redeem}");
            assert_eq!(
                self.owners_in(&planted, owners).len(),
                2,
                "{planted} would be found"
            );
        }
        let mut owned: [BTreeSet<String>; 5] = Default::default();
        let mut places: BTreeSet<(usize, &str)> = BTreeSet::new();
        for Found { place, text } in &self.found {
            let found = self.owners_in(text, owners);
            assert!(
                found.len() <= 1,
                "{place} ties them to each other: {found:?}\n{text}"
            );
            for owner in found.into_keys() {
                places.insert((owner, place));
                owned[owner].extend(numbers(text));
            }
        }
        // They were found where they must be.
        for expected in [
            (MINT, "accounts"),
            (MINT, "transactions"),
            (MINT, "blinds"),
            (MINT, leaves),
            (RENEW, "transactions"),
            (owners[RENEWED], "spent"),
            (owners[RENEWED], leaves),
            (RENEW, leaves),
            (REDEEM, "accounts"),
            (REDEEM, "transactions"),
            (owners[REDEEMED], "spent"),
            (owners[REDEEMED], leaves),
        ] {
            assert!(places.contains(&expected), "{expected:?} in {places:?}");
        }
        for (one, other) in (0..owned.len()).flat_map(|other| (0..other).map(move |one| (one, other))) {
            let shared: Vec<&String> = owned[one]
                .intersection(&owned[other])
                .filter(|value| !self.public.contains(*value) && !is_second(value))
                .collect();
            let (one, other) = (PARTS[one], PARTS[other]);
            assert!(shared.is_empty(), "{one} and {other} share {shared:?}");
        }
    }

    /// Coins themselves are nowhere, and what ties a row to a coin is not what the issuer has seen at its mint.
    fn check_that_coins_are_not_stored(&self) {
        let coins: Vec<(&String, &String)> = self
            .values
            .iter()
            .flatten()
            .filter(|(name, _)| {
                ["serial", "signature of the re", "payload hash"]
                    .iter()
                    .any(|coin| name.starts_with(coin))
            })
            .collect();
        assert_eq!(coins.len(), 6, "{coins:?}");
        for Found { place, text } in &self.found {
            for (name, value) in &coins {
                assert!(!text.contains(value.as_str()), "{place} has the {name}");
            }
        }
        let files = fs::read_dir(self.currency.dir()).unwrap();
        for file in files
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file())
        {
            let bytes = hex(&fs::read(&file).unwrap());
            for (name, value) in &coins {
                assert!(
                    !bytes.contains(value.as_str()),
                    "{} has the {name}",
                    file.display()
                );
                assert!(
                    !bytes.contains(&hex(value.as_bytes())),
                    "{} has the {name}",
                    file.display()
                );
            }
        }
    }
}

/// How the log names a blind or a coin.
fn digest(domain: &str, key: &Value, bytes: &[u8]) -> String {
    let fingerprint = Sha256::digest(compact(&key["public_mint_key"]));
    let digest = Sha256::new()
        .chain_update(format!("opencoin.org/log/v1/{domain}\n"))
        .chain_update(fingerprint)
        .chain_update(bytes);
    hex(&digest.finalize())
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value
        .unwrap_or_else(|| panic!("{name} in {response:?}"))
        .to_str()
        .unwrap()
        .to_owned()
}

/// The numbers in a text that are long enough to recognise something by them.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|letter: char| !letter.is_ascii_hexdigit());
    let long = runs.filter(|run| run.len() >= DIGITS_MIN);
    long.map(|run| run.trim_start_matches('0').to_owned())
}

fn run(database: Database) {
    let mut capture = Capture::start(database);
    capture.spend();
    // Before the batch is sealed: each commit is a row that waits.
    capture.take_rows();
    capture.check("log_pending", WITH_THEIR_COINS);
    capture.currency.stop();
    // The lease of the stopped server would only make the test wait.
    capture.currency.change_ledger("DELETE FROM log_lease");
    capture.currency.seal_every_second();
    capture.currency.serve();
    capture.currency.wait_until_all_is_published();
    capture
        .found
        .retain(|found| found.place.starts_with("the answer"));
    capture.take_rows();
    capture.take_log();
    capture.check("log_bundles", APART);
    capture.currency.stop();
    capture.check_that_coins_are_not_stored();
    capture.currency.audit();
}

/// Whether this is a time that says no more than the second. What waits to be sealed has one, and everything that was
/// accepted in the same second shares it.
fn is_second(value: &str) -> bool {
    const MICROSECONDS_DIGITS: usize = 16;
    value.len() == MICROSECONDS_DIGITS && value.ends_with("000000")
}

#[test]
fn nothing_ties_a_mint_to_the_spending_of_its_coins_with_sqlite() {
    run(Database::Sqlite);
}

#[test]
fn nothing_ties_a_mint_to_the_spending_of_its_coins_with_postgresql() {
    run(Database::Postgres);
}
