//! Accounts that belong to keys, over HTTP, with a holder that has no code of this project: money comes in and goes out in
//! every way, everything is in the log and proven, and whatever is wrong is refused with its word and changes nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::foreign_wallet::{ForeignWallet, compact, request_mint, request_redeem, request_resume};
use opencoin_e2e::key_holder::{KeyAnswer, KeyHolder, LATE, details};
use opencoin_e2e::replayed_log::{Hash, ReplayedLog, from_base64, hex, leaf_hash, root_of_proof};
use opencoin_e2e::{Currency, Database, Process, RFC9474, TestAuditor, free_port, wait_until};
use serde_json::{Value, json};

/// A currency with two servers (on SQLite the same one twice), whose log three auditors look at.
struct Keyed {
    /// Ends before the books do.
    _other: Option<Process>,
    currency: Currency,
    auditors: [TestAuditor; 3],
    urls: [String; 2],
}

impl Keyed {
    fn start(database: Database) -> Self {
        let auditors = [1, 2, 3].map(TestAuditor::start);
        let named: Vec<String> = auditors.iter().map(TestAuditor::named).collect();
        let mut options = Vec::new();
        for auditor in &named {
            options.extend(["--auditor", auditor]);
        }
        let mut currency = Currency::make_on(RFC9474, database, &options);
        currency.seal_every_second();
        for auditor in &auditors {
            auditor.audit(&currency);
            auditor.sign(false);
        }
        currency.serve();
        let port = free_port();
        let other = (database == Database::Postgres).then(|| currency.serve_on(port));
        let urls = match &other {
            Some(_) => [currency.url(""), format!("http://127.0.0.1:{port}")],
            None => [currency.url(""), currency.url("")],
        };
        Self {
            _other: other,
            currency,
            auditors,
            urls,
        }
    }

    fn holder(&self, seed: u8) -> KeyHolder {
        KeyHolder::new(&self.urls[0], seed)
    }

    /// A key with so much money.
    fn funded(&self, seed: u8, amount: u64) -> KeyHolder {
        let holder = self.holder(seed);
        holder.introduce();
        self.currency
            .credit(&holder.hex(), amount, &format!("opening {seed}"));
        holder
    }
}

fn accepted(answer: &KeyAnswer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.promise.is_some(), "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

/// What a tlog-proof says, of which the inclusion was verified: the leaf, and the text and size of the checkpoint.
fn proven(proof: &str) -> (Vec<u8>, String, u64) {
    let (head, checkpoint) = proof.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    let leaf = from_base64(lines.next().unwrap().strip_prefix("extra ").unwrap()).unwrap();
    let index = lines.next().unwrap().strip_prefix("index ").unwrap();
    let path: Vec<Hash> = lines.map(hash).collect();
    let mut lines = checkpoint.lines();
    let (_origin, size) = (lines.next().unwrap(), lines.next().unwrap());
    let (size, root) = (size.parse().unwrap(), hash(lines.next().unwrap()));
    let found = root_of_proof(index.parse().unwrap(), size, leaf_hash(&leaf), &path);
    assert_eq!(found, Some(root), "the leaf is in the tree of the checkpoint");
    (leaf, checkpoint.to_owned(), size)
}

fn hash(base64: &str) -> Hash {
    from_base64(base64).unwrap().try_into().unwrap()
}

/// The account in the published log, of which everything was verified: balance and number of payments.
fn logged(holder: &KeyHolder) -> Option<(u64, u64)> {
    let shown = holder.get(&format!("/v1/key-accounts/{}", holder.hex())).body;
    let logged = shown.get("logged")?;
    let number = |name: &str| logged[name].as_u64().unwrap();
    let (leaf, _, _) = proven(logged["proof"].as_str().unwrap());
    assert_eq!(
        Some(&leaf),
        from_base64(logged["batch_leaf"].as_str().unwrap()).as_ref()
    );
    let batch: Value = serde_json::from_slice(&leaf[2..]).unwrap();
    let key: Vec<u8> = (0..64)
        .step_by(2)
        .map(|place| u8::from_str_radix(&holder.hex()[place..place + 2], 16).unwrap())
        .collect();
    let (balance, seq) = (number("balance"), number("seq"));
    let account = [&key[..], &balance.to_be_bytes(), &seq.to_be_bytes()].concat();
    let path = logged["path"].as_array().unwrap().iter();
    let path: Vec<Hash> = path.map(|text| hash(text.as_str().unwrap())).collect();
    let root = root_of_proof(number("index"), number("count"), leaf_hash(&account), &path).unwrap();
    assert_eq!(
        batch["ledger_root"],
        hex(&root),
        "the account is in the ledger of the batch"
    );
    Some((balance, seq))
}

fn money_moves_by_key(database: Database) {
    let keyed = Keyed::start(database);
    let currency = &keyed.currency;
    let (alice, bob) = (keyed.holder(1), keyed.holder(2));
    let elsewhere = alice.at(&keyed.urls[1]);

    // A challenge counts at every server of the currency.
    let introduction = alice.introduction();
    let first = elsewhere.post("/v1/key-accounts", &introduction);
    assert_eq!(accepted(&first), alice.hex());
    assert_eq!(
        accepted(&alice.post("/v1/key-accounts", &introduction)),
        alice.hex()
    );
    let (challenge, nonce) = (&introduction["challenge"], introduction["nonce"].as_u64());
    let another = alice.work_for(challenge.as_str().unwrap(), nonce.unwrap() + 1);
    let another = alice.post("/v1/key-accounts", &another);
    assert_eq!(
        (another.status, another.promise),
        (202, None),
        "that one is not in the log"
    );
    bob.introduce();
    assert_eq!(alice.account(), (0, 0, 0));

    // Money comes in: from the operator, from a holder, from coins.
    let token = currency.account("carol", 100);
    currency.credit(&alice.hex(), 50, "to a key");
    let wallet = ForeignWallet::new(&keyed.urls[0]);
    let transfer = json!({"to": alice.hex(), "amount": 20, "label": "to a key"}).to_string();
    let transferred = wallet.try_post("/v1/transfers", Some(&token), Some("t1"), transfer.into_bytes());
    let transferred = transferred.unwrap();
    assert_eq!(transferred.http_status, 201, "{transferred:?}");
    assert_eq!(transferred.body["counterparty"], alice.hex());
    let coins = wallet.mint(&token, &[10, 2], "aa01");
    let order = alice.redeem_order(|value| wallet.key(value).clone(), &coins);
    let redeem = request_redeem(&coins).to_string();
    for holder in [&alice, &elsewhere] {
        let redeemed = holder.post_text("/redeem", Some(&order), &redeem);
        assert_eq!(redeemed.status, 200, "{redeemed:?}");
        assert!(redeemed.promise.is_some());
    }
    assert_eq!(alice.account(), (82, 0, 3));

    // And out: to a key, to a holder, to coins. Each of them once, however often it is sent.
    let to_bob = alice.signed(&alice.order(1, 30, &bob.hex()));
    let to_bob = json!({ "payment": to_bob });
    let id = accepted(&alice.post("/v1/key-payments", &to_bob));
    assert_eq!(id, format!("{}.1", alice.hex()));
    assert_eq!(accepted(&elsewhere.post("/v1/key-payments", &to_bob)), id);
    let to_dave = alice.payment_to_account(2, 5, "dave");
    let missing = alice.post("/v1/key-payments", &to_dave);
    assert_eq!(
        (missing.status, missing.word.as_deref()),
        (404, Some("not-found"))
    );
    currency.account("dave", 0);
    let paid_dave = accepted(&alice.post("/v1/key-payments", &to_dave));
    let blinds = wallet.blinds(&[5, 2]);
    let payment = alice.payment_for_mint(3, 7, "bb02", &blinds);
    let request = request_mint(&blinds, "bb02").to_string();
    let minted = alice.post_text("/mint", Some(&compact(&payment)), &request);
    assert_eq!(minted.status, 200, "{minted:?}");
    assert!(minted.promise.is_some());
    assert_eq!(
        elsewhere
            .post_text("/mint", Some(&compact(&payment)), &request)
            .body,
        minted.body
    );
    let resumed = wallet.post("/resume", None, &request_resume("bb02"));
    let coins = wallet.unblind(&blinds, &resumed);
    let order = bob.redeem_order(|value| wallet.key(value).clone(), &coins[..1]);
    let redeemed = bob.post_text("/redeem", Some(&order), &request_redeem(&coins[..1]).to_string());
    assert_eq!(redeemed.status, 200, "{redeemed:?}");
    assert_eq!(alice.account(), (40, 3, 3));
    assert_eq!(bob.account(), (35, 0, 1));
    assert_eq!(currency.balance("dave"), 5);
    let shown = currency.issuer(&["account", "show", &bob.hex(), "--json"]).json();
    assert_eq!(shown["balance"], 35);

    // In the log, first without the auditors, then final.
    currency.wait_until_all_is_published();
    wait_until("the published log has it", || logged(&alice) == Some((40, 3)));
    assert_eq!(logged(&bob), Some((35, 0)));
    let mint_id = format!("{}.3", alice.hex());
    for id in [&id, &paid_dave, &mint_id] {
        let published = elsewhere.get(&format!("/v1/key-payments/{id}"));
        assert_eq!(
            (published.status, &published.body["state"]),
            (202, &json!("published"))
        );
        proven(published.body["proof"].as_str().unwrap());
    }
    for auditor in &keyed.auditors[..2] {
        auditor.sign(true);
    }
    for (id, payment) in [
        (&id, &to_bob["payment"]),
        (&paid_dave, &to_dave["payment"]),
        (&mint_id, &payment),
    ] {
        let path = format!("/v1/key-payments/{id}");
        wait_until("the payment is final", || elsewhere.get(&path).status == 200);
        let proof = elsewhere.get(&path).text;
        let (leaf, checkpoint, _) = proven(&proof);
        assert_eq!(&leaf[..2], &[1, 0x22]);
        assert!(
            leaf.ends_with(compact(payment).as_bytes()),
            "the leaf has what was signed"
        );
        for auditor in ["a1", "a2"] {
            assert!(checkpoint.contains(&format!("\u{2014} auditor.example/{auditor} ")));
        }
    }
    let list = bob.get("/v1/key-accounts").body;
    let mut expected = vec![json!([alice.hex(), 40, 3]), json!([bob.hex(), 35, 0])];
    expected.sort_by_key(|row| row[0].as_str().map(str::to_owned));
    assert_eq!(list["accounts"], Value::from(expected));
    proven(list["proof"].as_str().unwrap());
    currency.audit();
    let rows = currency.rows();
    assert_eq!(ReplayedLog::read(&rows).faults_against(&rows), [""; 0]);
    what_an_operator_sees(currency, &alice);
}

fn what_an_operator_sees(currency: &Currency, alice: &KeyHolder) {
    let name = alice.hex();
    let shown = currency.issuer(&["account", "show", &name, "--json"]).json();
    assert_eq!(
        shown,
        json!({"account": name, "balance": 40, "credits": 3, "seq": 3})
    );
    let keys = currency.issuer(&["account", "list", "--keys", "--json"]).json();
    let row = json!({"balance": 40, "credits": 3, "key": name, "seq": 3});
    assert!(keys.as_array().unwrap().contains(&row), "{keys}");
    let holders = currency.issuer(&["account", "list", "--json"]).json();
    let names: Vec<&Value> = holders
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["account"])
        .collect();
    assert_eq!(names, ["carol", "dave"]);
    for refused in [
        &["account", "token", &name][..],
        &["account", "create", &name],
        &["account", "create", &"0".repeat(64)],
        &["account", "debit", &name, "1", "--reference", "out"],
    ] {
        let output = currency.issuer_unchecked(refused);
        assert_ne!(output.code, Some(0), "{refused:?}");
    }
    assert_eq!(alice.account(), (40, 3, 3));
}

#[test]
fn money_moves_by_key_on_sqlite() {
    money_moves_by_key(Database::Sqlite);
}

#[test]
fn money_moves_by_key_at_two_servers() {
    money_moves_by_key(Database::Postgres);
}

/// What is refused: why, status, word, and the request.
type Refused = (&'static str, u16, &'static str, Value);

fn wrong_payments(alice: &KeyHolder, bob: &KeyHolder, stranger: &KeyHolder) -> Vec<Refused> {
    let order = |change: &dyn Fn(&mut Value)| {
        let mut order = alice.order(2, 1, &bob.hex());
        change(&mut order);
        json!({ "payment": alice.signed(&order) })
    };
    let with = |name: &'static str, value: Value| order(&|order| order[name] = value.clone());
    let unsigned = |name: &'static str, value: Value| {
        let mut request = order(&|_| ());
        request["payment"][name] = value;
        request
    };
    let mut to_account = alice.payment_to_account(2, 1, "carol");
    let mut wrong_nonce = to_account.clone();
    wrong_nonce["nonce"] = "00".repeat(16).into();
    let mut other_account = to_account.clone();
    other_account["account"] = "dave".into();
    let mut no_nonce = to_account.clone();
    no_nonce.as_object_mut().unwrap().remove("nonce");
    to_account["payment"]["details"] = Value::Null;
    let weak = hex(&[&[1], &[0; 31][..]].concat());
    let not_canonical = "ee".to_owned() + &"ff".repeat(30) + "7f";
    let mut malleable = order(&|_| ());
    malleable["payment"]["sig"] = with_order_added(malleable["payment"]["sig"].as_str().unwrap()).into();
    let replay = json!({ "payment": alice.signed(&alice.order(1, 2, &bob.hex())) });
    let mut extra = order(&|_| ());
    extra["payment"]["extra"] = 1.into();
    let mut extra_outside = order(&|_| ());
    extra_outside["extra"] = 1.into();
    let for_mint = order(&|order| {
        order["to"] = "mint".into();
        order["details"] = details(&[1], &[2]).into();
    });
    vec![
        ("a used number with other content", 409, "wrong-sequence", replay),
        ("a number too far", 409, "wrong-sequence", with("seq", 3.into())),
        ("number 0", 409, "wrong-sequence", with("seq", 0.into())),
        ("a negative number", 422, "invalid", unsigned("seq", (-1).into())),
        (
            "more than is there",
            402,
            "insufficient-funds",
            with("amount", 1000.into()),
        ),
        (
            "all money there is",
            402,
            "insufficient-funds",
            with("amount", i64::MAX.into()),
        ),
        (
            "an expired one",
            410,
            "payment-expired",
            with("expires", 1_000_000_000.into()),
        ),
        (
            "another log",
            422,
            "wrong-domain",
            with("domain", "other.example/log".into()),
        ),
        ("no log", 422, "wrong-domain", with("domain", "".into())),
        ("amount 0", 422, "wrong-amount", with("amount", 0.into())),
        (
            "amount 2^63",
            422,
            "wrong-amount",
            with("amount", (1_u64 << 63).into()),
        ),
        (
            "a negative amount",
            422,
            "wrong-amount",
            unsigned("amount", (-1).into()),
        ),
        ("a fraction", 422, "wrong-amount", unsigned("amount", json!(1.5))),
        (
            "an amount as a text",
            422,
            "wrong-amount",
            unsigned("amount", "1".into()),
        ),
        (
            "to oneself",
            422,
            "payment-to-itself",
            with("to", alice.hex().into()),
        ),
        (
            "a long memo",
            422,
            "wrong-memo",
            with("memo", "x".repeat(141).into()),
        ),
        (
            "a memo of two lines",
            422,
            "wrong-memo",
            with("memo", "a\u{85}b".into()),
        ),
        (
            "to an unknown key",
            404,
            "unknown-key",
            with("to", stranger.hex().into()),
        ),
        ("to a weak key", 422, "weak-key", with("to", weak.clone().into())),
        ("to no point", 422, "weak-key", with("to", not_canonical.into())),
        (
            "from a weak key",
            422,
            "wrong-signature",
            unsigned("from", weak.into()),
        ),
        ("to nobody", 422, "invalid", with("to", "nobody".into())),
        (
            "a key in capitals",
            422,
            "invalid",
            with("to", bob.hex().to_uppercase().into()),
        ),
        (
            "another amount than signed",
            422,
            "wrong-signature",
            unsigned("amount", 2.into()),
        ),
        ("a signature of another key", 422, "wrong-signature", {
            json!({ "payment": bob.signed(&alice.order(2, 1, &bob.hex())) })
        }),
        (
            "a signature that is not canonical",
            422,
            "wrong-signature",
            malleable,
        ),
        ("a short signature", 422, "invalid", unsigned("sig", "00".into())),
        ("from an unknown key", 404, "unknown-key", {
            json!({ "payment": stranger.signed(&stranger.order(1, 1, &bob.hex())) })
        }),
        (
            "details of a payment to a key",
            422,
            "wrong-details",
            unsigned("details", "00".repeat(32).into()),
        ),
        ("no details", 422, "wrong-details", to_account),
        ("another nonce", 422, "wrong-details", wrong_nonce),
        ("another account", 422, "wrong-details", other_account),
        ("no nonce", 422, "invalid", no_nonce),
        ("a payment for a mint", 422, "wrong-details", for_mint),
        ("an unknown field", 400, "malformed", extra),
        ("an unknown field outside", 400, "malformed", extra_outside),
        (
            "another type",
            422,
            "invalid",
            unsigned("type", "log credit".into()),
        ),
        ("no payment", 400, "malformed", json!({})),
    ]
}

/// The same signature with the order of the group added to its scalar, which some libraries accept as well.
fn with_order_added(signature: &str) -> String {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    let (point, scalar) = signature.split_at(64);
    let scalar = ORDER.iter().enumerate().map(|(place, byte)| {
        let digit = u8::from_str_radix(&scalar[2 * place..2 * place + 2], 16).unwrap();
        carry = (carry >> 8) + u16::from(digit) + u16::from(*byte);
        carry as u8
    });
    let scalar: Vec<u8> = scalar.collect();
    format!("{point}{}", hex(&scalar))
}

fn whatever_is_wrong_is_refused(database: Database) {
    let keyed = Keyed::start(database);
    let currency = &keyed.currency;
    let (alice, bob, stranger) = (keyed.funded(1, 100), keyed.funded(2, 1), keyed.holder(3));
    for name in ["carol", "dave"] {
        currency.account(name, 0);
    }
    accepted(&alice.pay(1, 10, &bob.hex()));
    let books = || {
        let counted = currency.rows().number("SELECT count(*) FROM transactions");
        let balances = currency
            .rows()
            .number("SELECT CAST(sum(balance) AS bigint) FROM accounts");
        (alice.account(), bob.account(), balances, counted)
    };
    let before = books();
    let refused = |what: &str, answer: &KeyAnswer, status: u16, word: &str| {
        assert_eq!(
            (answer.status, answer.word.as_deref()),
            (status, Some(word)),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.promise, None, "{what}");
        assert_eq!(books(), before, "{what}");
    };

    for (what, status, word, request) in wrong_payments(&alice, &bob, &stranger) {
        let answer = alice.at(&keyed.urls[1]).post("/v1/key-payments", &request);
        refused(what, &answer, status, word);
        assert_eq!(answer.body["title"], word, "{what}");
        if word == "wrong-sequence" {
            assert_eq!(answer.body["expected"], 2, "{what}");
        }
    }

    // Introductions.
    let introduction = stranger.introduction();
    let changed = |name: &str, value: Value| {
        let mut changed = introduction.clone();
        changed[name] = value;
        changed
    };
    let challenge = introduction["challenge"].as_str().unwrap();
    let mac = format!(
        "{}{}",
        &challenge[..47],
        if challenge.ends_with('0') { '1' } else { '0' }
    );
    let late = format!("{:016x}{}", LATE, &challenge[16..]);
    let nonce = introduction["nonce"].as_u64().unwrap();
    let weak = hex(&[0; 32]);
    for (what, status, word, request) in [
        ("a wrong code", 422, "wrong-challenge", stranger.work_for(&mac, 0)),
        (
            "a longer time",
            422,
            "wrong-challenge",
            stranger.work_for(&late, 0),
        ),
        (
            "a challenge of another key",
            422,
            "wrong-challenge",
            changed("key", keyed.holder(4).hex().into()),
        ),
        (
            "no work",
            422,
            "no-proof-of-work",
            changed("nonce", (nonce + 1).into()),
        ),
        ("a weak key", 422, "weak-key", changed("key", weak.clone().into())),
        ("no key", 422, "invalid", changed("key", "alice".into())),
        (
            "a short challenge",
            422,
            "invalid",
            changed("challenge", "00".into()),
        ),
        (
            "another type",
            422,
            "invalid",
            changed("type", "log payment".into()),
        ),
        ("a negative nonce", 422, "invalid", changed("nonce", (-1).into())),
        ("an unknown field", 400, "malformed", changed("extra", 1.into())),
    ] {
        refused(what, &stranger.post("/v1/key-accounts", &request), status, word);
    }
    for (what, status, word, path) in [
        (
            "a challenge for a weak key",
            422,
            "weak-key",
            format!("challenge?key={weak}"),
        ),
        (
            "a challenge for no key",
            422,
            "invalid",
            "challenge?key=alice".to_owned(),
        ),
        (
            "a challenge for nothing",
            400,
            "malformed",
            "challenge".to_owned(),
        ),
        ("an account that is not there", 404, "unknown-key", stranger.hex()),
        ("no account", 422, "invalid", "alice".to_owned()),
    ] {
        refused(
            what,
            &alice.get(&format!("/v1/key-accounts/{path}")),
            status,
            word,
        );
    }
    for id in [
        format!("{}.2", alice.hex()),
        format!("{}.01", alice.hex()),
        format!("{}.-1", alice.hex()),
        format!("{}.1", stranger.hex()),
        alice.hex(),
        "1".to_owned(),
    ] {
        refused(
            &id,
            &alice.get(&format!("/v1/key-payments/{id}")),
            404,
            "not-found",
        );
    }

    mints_and_redeems_that_are_wrong(&keyed, &alice, refused);
    currency.audit();
}

fn mints_and_redeems_that_are_wrong(
    keyed: &Keyed,
    alice: &KeyHolder,
    refused: impl Fn(&str, &KeyAnswer, u16, &str),
) {
    let wallet = ForeignWallet::new(&keyed.urls[0]);
    let blinds = wallet.blinds(&[5, 2]);
    let request = request_mint(&blinds, "bb02").to_string();
    let good = alice.payment_for_mint(2, 7, "bb02", &blinds);
    let mut unsigned = good.clone();
    unsigned["memo"] = "x".into();
    let not_compact = good.to_string();
    for (what, status, word, statement) in [
        (
            "another amount",
            422,
            "wrong-amount",
            compact(&alice.payment_for_mint(2, 6, "bb02", &blinds)),
        ),
        (
            "another reference",
            422,
            "wrong-details",
            compact(&alice.payment_for_mint(2, 7, "bb03", &blinds)),
        ),
        ("other blinds", 422, "wrong-details", {
            compact(&alice.payment_for_mint(2, 7, "bb02", &wallet.blinds(&[5, 2])))
        }),
        (
            "another number",
            409,
            "wrong-sequence",
            compact(&alice.payment_for_mint(3, 7, "bb02", &blinds)),
        ),
        ("a payment to a key", 422, "wrong-details", {
            compact(&alice.signed(&alice.order(2, 7, &keyed.holder(2).hex())))
        }),
        ("a wrong signature", 422, "wrong-signature", compact(&unsigned)),
        ("another layout", 400, "malformed", not_compact),
        (
            "a redeem",
            400,
            "malformed",
            alice.redeem_order(
                |value| wallet.key(value).clone(),
                &[json!({"payload": wallet.payload(1)})],
            ),
        ),
        ("no statement", 400, "malformed", "alice".to_owned()),
    ] {
        let answer = alice.post_text("/mint", Some(&statement), &request);
        refused(what, &answer, status, word);
        assert_eq!(answer.body["type"], "response mint", "{what}");
    }
    let without = alice.post_text("/mint", None, &request);
    refused("neither token nor statement", &without, 401, "unauthorized");

    let payload = wallet.payload(1);
    let forged = json!({"payload": payload, "signature": "1234", "type": "coin"});
    let redeem = request_redeem(std::slice::from_ref(&forged)).to_string();
    let order = alice.redeem_order(|value| wallet.key(value).clone(), std::slice::from_ref(&forged));
    refused(
        "a forged coin",
        &alice.post_text("/redeem", Some(&order), &redeem),
        422,
        "invalid",
    );
    refused(
        "a payment for a redeem",
        &alice.post_text("/redeem", Some(&compact(&good)), &redeem),
        400,
        "malformed",
    );
}

#[test]
fn whatever_is_wrong_is_refused_on_sqlite() {
    whatever_is_wrong_is_refused(Database::Sqlite);
}

#[test]
fn whatever_is_wrong_is_refused_on_postgres() {
    whatever_is_wrong_is_refused(Database::Postgres);
}
