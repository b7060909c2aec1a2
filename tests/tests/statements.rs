//! Statements of the bank: uploaded, previewed and booked with the real binary, twice, at once, and with the server killed in
//! between.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;

use opencoin_e2e::{Currency, Database, Process, RFC9474, free_port, in_parallel, wait_until};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

const IBAN: &str = "DE89370400440532013000";
const ALICE: &str = "OC-ALICE-OA";
const CAROL: &str = "OC-CAROL-R5";

struct World {
    currency: Currency,
    operators: String,
    server: Option<Process>,
    token: String,
    http: Client,
}

/// Status and document.
type Reply = (u16, Value);

impl World {
    fn start(database: Database) -> Self {
        let settings = [
            ("OPENCOIN_ISSUER_BANK_IBAN", IBAN),
            ("OPENCOIN_ISSUER_BANK_NAME", "The Mint"),
            ("OPENCOIN_ISSUER_BANK_CSV_DAY", "day"),
            ("OPENCOIN_ISSUER_BANK_CSV_AMOUNT", "amount"),
            ("OPENCOIN_ISSUER_BANK_CSV_TEXT", "text"),
            ("OPENCOIN_ISSUER_BANK_CSV_PARTY", "party"),
            ("OPENCOIN_ISSUER_BANK_CSV_DECIMAL", "."),
            ("OPENCOIN_ISSUER_BANK_CSV_DATE_FORMAT", "YYYY-MM-DD"),
        ];
        let settings = settings.map(|(name, value)| (name, OsString::from(value)));
        let currency = Currency::make_in(settings.to_vec(), RFC9474, database, &["--divisor", "100"]);
        for name in ["alice", "carol"] {
            let _ = currency.issuer(&["account", "create", name]);
        }
        let token = currency.admin_token("desk");
        let mut world = Self {
            currency,
            operators: format!("http://127.0.0.1:{}", free_port()),
            server: None,
            token,
            http: Client::new(),
        };
        world.serve();
        world
    }

    fn serve(&mut self) {
        let address = self.operators.strip_prefix("http://").unwrap().to_owned();
        let options = ["--admin-listen", address.as_str()];
        self.server = Some(self.currency.serve_with(self.currency.port(), &options));
    }

    fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Reply {
        let request = self
            .http
            .request(method, format!("{}/v1/admin{path}", self.operators));
        let answer = request.bearer_auth(&self.token).body(body).send().unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().unwrap()).unwrap())
    }

    fn get(&self, path: &str) -> Value {
        let (status, document) = self.call(Method::GET, path, Vec::new());
        assert_eq!(status, 200, "{document}");
        document
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, body.to_string().into_bytes())
    }

    /// The number of the statement.
    fn upload(&self, file: &str) -> u64 {
        let (status, document) = self.call(Method::POST, "/statements?name=may", file.as_bytes().to_vec());
        assert!(matches!(status, 200 | 201), "{document}");
        document["id"].as_u64().unwrap()
    }

    fn book(&self, statement: u64, preview: &Value) -> Reply {
        let booked = json!({ "preview": preview });
        self.post(&format!("/statements/{statement}/book"), &booked)
    }

    /// The kept lines in a state.
    fn lines(&self, state: &str) -> Vec<Value> {
        let lines = self.get(&format!("/bank-lines?state={state}&limit=500"));
        lines["lines"].as_array().unwrap().clone()
    }

    fn balance(&self, name: &str) -> u64 {
        self.get(&format!("/accounts/{name}"))["balance"]
            .as_u64()
            .unwrap()
    }
}

/// A table with these payers, texts and amounts.
fn table(lines: &[(&str, &str, &str)]) -> String {
    let mut table = "day;party;text;amount\n".to_owned();
    for (party, text, amount) in lines {
        writeln!(table, "2026-05-04;{party};{text};{amount}").unwrap();
    }
    table
}

/// A CAMT.053 file with these texts and amounts.
fn camt(lines: &[(&str, &str)]) -> String {
    let mut file = format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><Stmt>
        <Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct>"
    );
    for (number, (text, amount)) in lines.iter().enumerate() {
        write!(
            file,
            "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
            <BookgDt><Dt>2026-05-04</Dt></BookgDt><NtryDtls><TxDtls><Refs><AcctSvcrRef>REF20260504{number:05}</AcctSvcrRef></Refs>
            <RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )
        .unwrap();
    }
    file.push_str("</Stmt></BkToCstmrStmt></Document>");
    file
}

/// Makes every such change of a table fail.
fn fault(database: Database, table: &str, event: &str) -> String {
    match database {
        Database::Sqlite => format!(
            "CREATE TRIGGER fault BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'a fault of the test'); END"
        ),
        Database::Postgres => format!(
            "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'a fault of the test'; END $$;
            CREATE TRIGGER fault BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION fault()"
        ),
    }
}

#[test]
fn statements_are_booked_once_by_operators_at_once() {
    for database in [Database::Sqlite, Database::Postgres] {
        let world = World::start(database);
        let (first, second) = (format!("rent {ALICE}"), format!("{CAROL} again"));
        let file = camt(&[
            (&first, "12.50"),
            (&second, "7.00"),
            (&second, "7.00"),
            ("gift", "1.00"),
        ]);
        let statement = world.upload(&file);
        assert_eq!(world.upload(&file), statement, "the same file is stored once");
        assert_eq!(world.balance("alice"), 0, "an upload books nothing");
        let preview = world.get(&format!("/statements/{statement}"));
        assert_eq!(preview["amount"], 2650);
        let accounts: Vec<_> = preview["new"]
            .as_array()
            .unwrap()
            .iter()
            .map(|new| &new["account"])
            .collect();
        assert_eq!(accounts, ["alice", "carol", "carol"]);
        assert_eq!(preview["unmatched"][0]["why"], "no-code");

        let replies = in_parallel(8, |_| world.book(statement, &preview["preview"]));
        assert!(
            replies.iter().all(|(status, _)| matches!(status, 200 | 201)),
            "{replies:?}"
        );
        assert_eq!(replies.iter().filter(|(status, _)| *status == 201).count(), 1);
        assert!(
            replies
                .iter()
                .all(|(_, booked)| booked["lines"] == 3 && booked["amount"] == 2650)
        );
        assert_eq!((world.balance("alice"), world.balance("carol")), (1250, 1400));

        // Another file of the bank overlaps, and its preview is refused when it no longer holds.
        let wider = camt(&[
            (&first, "12.50"),
            (&second, "7.00"),
            (&second, "7.00"),
            ("gift", "1.00"),
            (ALICE, "2.00"),
        ]);
        let wider = world.upload(&wider);
        let seen = world.get(&format!("/statements/{wider}"));
        assert_eq!(
            (seen["new"].as_array().unwrap().len(), &seen["amount"]),
            (1, &json!(200))
        );
        assert_eq!(seen["decided"].as_array().unwrap().len(), 3);
        let (status, refused) = world.book(wider, &preview["preview"]);
        assert_eq!((status, &refused["title"]), (409, &json!("preview-changed")));
        assert_eq!(world.book(wider, &seen["preview"]).0, 201);
        assert_eq!(world.balance("alice"), 1450);

        let unmatched = world.lines("unmatched");
        assert_eq!(unmatched.len(), 1);
        let line = unmatched[0]["line"]["id"].as_str().unwrap();
        let assign = format!("/bank-lines/{line}/assign");
        let replies = in_parallel(6, |number| {
            let account = ["alice", "carol"][number % 2];
            world.post(&assign, &json!({ "account": account }))
        });
        let won: Vec<_> = replies.iter().filter(|(status, _)| *status == 201).collect();
        assert_eq!(won.len(), 1, "{replies:?}");
        assert!(replies.iter().all(|(status, reply)| match status {
            200 | 201 => reply["account"] == won[0].1["account"],
            _ => *status == 409 && reply["title"] == "decided",
        }));
        let (status, refused) = world.post(
            &format!("/bank-lines/{line}/set-aside"),
            &json!({ "reason": "x" }),
        );
        assert_eq!((status, &refused["title"]), (409, &json!("decided")));
        assert_eq!(world.balance("alice") + world.balance("carol"), 1450 + 1400 + 100);

        let actions = world.get("/actions?limit=500");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for action in actions["actions"].as_array().unwrap() {
            *counts.entry(action["kind"].as_str().unwrap()).or_default() += 1;
        }
        assert_eq!(counts.get("upload-statement"), Some(&2));
        assert_eq!(counts.get("book-statement"), Some(&2));
        assert_eq!(counts.get("credit"), Some(&5));
        assert_eq!(counts.get("assign-bank-line"), Some(&1));
        world.currency.audit();
    }
}

/// The server is killed while it credits a large statement, and the database fails at each step of a small one. The same
/// booking then books the rest, and nothing twice.
#[test]
fn an_interrupted_booking_is_finished() {
    const LINES: usize = 3000;
    for database in [Database::Sqlite, Database::Postgres] {
        let mut world = World::start(database);
        let texts: Vec<String> = (0..LINES)
            .map(|number| format!("{} no {number}", [ALICE, CAROL][number % 2]))
            .collect();
        let lines: Vec<_> = texts
            .iter()
            .map(|text| ("Payer", text.as_str(), "1.00"))
            .collect();
        let statement = world.upload(&table(&lines));
        let preview = world.get(&format!("/statements/{statement}"))["preview"].clone();
        std::thread::scope(|scope| {
            let (http, token) = (world.http.clone(), world.token.clone());
            let url = format!("{}/v1/admin/statements/{statement}/book", world.operators);
            let body = json!({ "preview": preview }).to_string();
            let sent = scope.spawn(move || http.post(url).bearer_auth(token).body(body).send().is_ok());
            wait_until("some lines are booked", || !world.lines("booked").is_empty());
            world.server.take().unwrap().kill();
            let _ = sent.join().unwrap();
        });
        world.serve();
        let (status, booked) = world.book(statement, &preview);
        assert_eq!((status, &booked["lines"]), (200, &json!(LINES)));
        let each = LINES as u64 / 2 * 100;
        assert_eq!((world.balance("alice"), world.balance("carol")), (each, each));
        assert!(world.lines("claimed").is_empty());

        // The credit fails, and then only the mark that it was made.
        let small = world.upload(&table(&[("Payer", ALICE, "5.00")]));
        let preview = world.get(&format!("/statements/{small}"))["preview"].clone();
        for (table, event) in [("transactions", "INSERT"), ("bank_lines", "UPDATE")] {
            world.currency.change_ledger(&fault(database, table, event));
            assert_eq!(world.book(small, &preview).0, 503, "{table}");
            assert_eq!(world.lines("claimed").len(), 1);
            let on = if database == Database::Sqlite {
                String::new()
            } else {
                format!(" ON {table}")
            };
            world.currency.change_ledger(&format!("DROP TRIGGER fault{on}"));
        }
        assert_eq!(
            world.balance("alice"),
            each + 500,
            "it was credited, and only the mark is missing"
        );
        let (status, booked) = world.book(small, &preview);
        assert_eq!(status, 200, "{booked}");
        assert_eq!(world.lines("claimed"), Vec::<Value>::new());
        assert_eq!(world.balance("alice"), each + 500);
        world.currency.audit();
    }
}

/// What strangers write into their transfers is text, on every way to the operator.
#[test]
fn hostile_text_is_marked() {
    let world = World::start(Database::Sqlite);
    let file = table(&[
        ("<script>alert(1)</script>", "=1+1", "1.00"),
        ("Bob \u{202e}ecila", "for \u{200b}me", "2.00"),
    ]);
    let statement = world.upload(&file);
    let preview = world.get(&format!("/statements/{statement}"));
    let parties: Vec<_> = preview["unmatched"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["line"]["party"].as_str().unwrap())
        .collect();
    assert_eq!(parties, ["<script>alert(1)</script>", "Bob \u{fffd}ecila"]);
    assert_eq!(world.book(statement, &preview["preview"]).0, 201);
    let lines = world.lines("unmatched");
    assert_eq!(lines[1]["line"]["text"], "for \u{fffd}me");
    let said = world.currency.issuer(&["bank", "lines"]).stdout;
    assert!(!said.contains('\u{202e}') && !said.contains('\u{200b}'), "{said}");
}

#[test]
fn statements_are_booked_on_the_command_line() {
    let world = World::start(Database::Sqlite);
    let path = world.currency.scratch("may.csv");
    std::fs::write(
        &path,
        table(&[
            ("Payer", ALICE, "12.50"),
            ("Payer", "gift", "1.00"),
            ("x", "loan", "9.00"),
        ]),
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let uploaded = world.currency.issuer(&["bank", "upload", path, "--json"]).json();
    assert_eq!(
        (&uploaded["id"], &uploaded["name"]),
        (&json!(1), &json!("may.csv"))
    );
    let preview = world.currency.issuer(&["bank", "preview", "1", "--json"]).json();
    let digest = preview["preview"].as_str().unwrap();
    let book = |digest: &str| {
        world
            .currency
            .issuer_unchecked(&["bank", "book", "1", "--preview", digest, "--json"])
    };
    let _ = book(&"0".repeat(64)).refused(1, "look at the preview again");
    let booked = book(digest).success().json();
    assert_eq!(
        (&booked["lines"], &booked["repeated"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(book(digest).success().json()["repeated"], true);
    let lines = world.currency.issuer(&["bank", "lines", "--json"]).json();
    let ids: Vec<_> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["line"]["id"].as_str().unwrap())
        .collect();
    let shown = world
        .currency
        .issuer(&["bank", "show-line", ids[0], "--json"])
        .json();
    assert_eq!(shown, lines[0]);
    let assigned = world
        .currency
        .issuer(&["bank", "assign", ids[0], "carol", "--json"])
        .json();
    assert_eq!(
        (&assigned["state"], &assigned["account"]),
        (&json!("booked"), &json!("carol"))
    );
    let aside = ["bank", "set-aside", ids[1], "--reason", "a loan", "--json"];
    assert_eq!(world.currency.issuer(&aside).json()["state"], "set-aside");
    let _ = world
        .currency
        .issuer_unchecked(&["bank", "assign", ids[1], "carol"])
        .refused(1, "set aside (a loan)");
    assert_eq!((world.balance("alice"), world.balance("carol")), (1250, 100));
    let listed = world.currency.issuer(&["bank", "list"]).stdout;
    assert!(listed.contains("may.csv"), "{listed}");
}

/// Columns that are said for a file and booked are in the books, for the command line and for programs.
#[test]
fn columns_that_were_said_for_a_file_are_remembered_once_it_is_booked() {
    for database in [Database::Sqlite, Database::Postgres] {
        let world = World::start(database);
        let issuer = |arguments: &[&str]| world.currency.issuer(arguments).json();
        let of_settings = issuer(&["bank", "columns", "--json"]);
        assert_eq!(
            (&of_settings["day"], &of_settings["party"]),
            (&json!("day"), &json!("party"))
        );
        let path = world.currency.scratch("may.csv");
        std::fs::write(&path, "Tag;Wer;Wozu;Betrag\n04.05.2026;Payer;gift;1,00\n").unwrap();
        let path = path.to_str().unwrap();
        let said = ["day=Tag", "amount=Betrag", "text=Wozu"];
        let said = said.iter().flat_map(|said| ["--column", *said]);
        let upload = ["bank", "upload", path, "--json", "--columns"].into_iter();
        let upload = upload.chain(["nothing"]).chain(said).collect::<Vec<_>>();
        assert_eq!(issuer(&upload)["id"], 1);
        assert_eq!(
            issuer(&["bank", "columns", "--json"]),
            of_settings,
            "nobody has looked at the lines"
        );
        let preview = world.get("/statements/1")["preview"].clone();
        assert_eq!(world.book(1, &preview).0, 201);
        let remembered = issuer(&["bank", "columns", "--json"]);
        let expected = json!({
            "delimiter": ";", "encoding": "utf-8", "decimal": ",", "date_format": "DD.MM.YYYY",
            "day": "Tag", "amount": "Betrag", "text": ["Wozu"],
        });
        assert_eq!(remembered, expected);
        assert_eq!(world.get("/statements")["remembered_columns"], expected);

        let june = b"Tag;Wer;Wozu;Betrag\n04.06.2026;Payer;gift;2,00\n";
        let (status, refused) = world.call(Method::POST, "/statements?name=june", june.to_vec());
        assert_eq!(status, 422, "those of the settings do not fit: {refused}");
        let path = "/statements?name=june&columns=remembered&party=Wer";
        assert_eq!(world.call(Method::POST, path, june.to_vec()).0, 201);
        let preview = world.get("/statements/2");
        assert_eq!(preview["unmatched"][0]["line"]["party"], "Payer");
        let (status, refused) = world.call(Method::POST, "/statements?columns=odd", june.to_vec());
        assert_eq!(status, 400, "{refused}");
        let odd = ["bank", "upload", "/dev/null", "--column", "odd=x"];
        let _ = world.currency.issuer_unchecked(&odd).refused(1, "no key odd");
    }
}
