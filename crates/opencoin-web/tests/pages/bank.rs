//! Statements of the bank in the console: upload, preview, booking, and lines that match no account.

use opencoin_bank::payment_code;
use opencoin_config::BankCsvConfig;
use opencoin_issuer::AdminScope;

use crate::world::{Answer, Browser, IBAN, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const BANK: &str = "/console/bank";
/// The columns of the tables of these tests.
const COLUMNS: [(&str, &str); 8] = [
    ("day", "Day"),
    ("amount", "Amount"),
    ("text", "Text"),
    ("party", "Name"),
    ("delimiter", ";"),
    ("encoding", "utf-8"),
    ("decimal", ","),
    ("date_format", "DD.MM.YYYY"),
];

/// A table with these payers, texts and amounts.
pub(crate) fn table(lines: &[(&str, &str, &str)]) -> Vec<u8> {
    let lines = lines
        .iter()
        .map(|(name, text, amount)| format!("04.05.2026;{name};{text};{amount}\n"));
    let head = "Day;Name;Text;Amount\n".to_owned();
    std::iter::once(head)
        .chain(lines)
        .collect::<String>()
        .into_bytes()
}

/// The same day as a CAMT.053 file, with these payers, texts and amounts.
pub(crate) fn camt(lines: &[(&str, &str, &str)]) -> Vec<u8> {
    let entry = |(name, text, amount): &(&str, &str, &str)| {
        format!(
            "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
            <BookgDt><Dt>2026-05-04</Dt></BookgDt><NtryDtls><TxDtls>
            <RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr></RltdPties>
            <RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )
    };
    let entries: String = lines.iter().map(entry).collect();
    let file = format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><Stmt>
        <Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>"
    );
    file.into_bytes()
}

fn code(name: &str) -> String {
    payment_code::of_account(name)
}

impl Browser<'_> {
    /// Uploads a table that is good, and opens its page.
    pub(crate) async fn upload(&self, name: &str, content: &[u8]) -> Answer {
        let form = self.get(BANK).await.with(200);
        let stored = self
            .send_file(&form, BANK, &COLUMNS, (name, content))
            .await
            .with(303);
        self.get(stored.header("location")).await.with(200)
    }

    pub(crate) async fn book(&self, page: &Answer, no: u32) -> Answer {
        let path = format!("/console/bank/statements/{no}/book");
        self.submit(page, &path, &[]).await
    }

    async fn balance_of(&self, name: &str) -> String {
        let page = self.get(&format!("/console/accounts/{name}")).await.with(200);
        let large = page.text.split("<p class=\"large\"><bdi>").nth(1).unwrap();
        large.split(' ').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_statement_is_uploaded_previewed_and_booked_once() {
    let world = World::new().await;
    for name in ["alice", "bob"] {
        world.open(name, 0).await;
    }
    let desk = world.operator("desk", ALL).await;
    desk.get(BANK).await.with(200).has("No statements yet.");
    let file = table(&[
        ("Alice A.", &code("alice"), "1.000,00"),
        ("Bob B.", &format!("rent {}", code("bob")), "240,00"),
        ("Eve E.", "no code", "5,00"),
        ("Shop", "books", "-9,90"),
    ]);
    let page = desk.upload("C:\\statements\\may.csv", &file).await;
    page.has("The statement is stored. Nothing is booked yet.");
    page.has("Statement <bdi>may.csv</bdi>");
    page.has("New: will be credited: 2 (<bdi>1,240.00\u{a0}Open&#60;b&#62;Cent</bdi>)");
    page.has("Not matched: 1");
    page.has("Its text has no payment code");
    page.has("Money that went out");
    page.has("Book 2 lines");
    assert_eq!(desk.balance_of("alice").await, "0.00");
    for _ in 0..2 {
        let booked = desk.book(&page, 1).await.with(303);
        let done = desk.get(booked.header("location")).await.with(200);
        done.has(
            "Booked: <bdi>2</bdi> credits, <bdi>1,240.00\u{a0}Open&#60;b&#62;Cent</bdi>. Nothing twice.",
        );
        done.has("Booked to <bdi>alice</bdi>");
        done.lacks("Book 2 lines");
    }
    assert_eq!(desk.balance_of("alice").await, "1,000.00");
    desk.get("/console")
        .await
        .has("One line of a statement matches no account.");
    desk.get(BANK).await.has("Last booking: <bdi>2</bdi> credits");

    let again = desk.upload("again.csv", &file).await;
    again.has("This file was uploaded before. Nothing was stored twice.");
    again.has("There is nothing to book");
    again.lacks("/book\"");
    let more = table(&[
        ("Alice A.", &code("alice"), "1.000,00"),
        ("Bob B.", &code("bob"), "1,00"),
    ]);
    let other = desk.upload("june.csv", &more).await;
    other.has("Book one line");
    desk.book(&other, 2).await.with(303);
    assert_eq!(desk.balance_of("alice").await, "1,000.00");
    assert_eq!(desk.balance_of("bob").await, "241.00");
}

/// Another kind of file shows more of the text, so its lines are others.
#[tokio::test]
async fn a_line_that_may_be_in_the_books_already_says_so_up_to_the_question() {
    const WARNING: &str = "It may be in the books already, from another kind of file";
    let world = World::new().await;
    world.open("alice", 0).await;
    let desk = world.operator("desk", ALL).await;
    let table = table(&[("Alice A.", &code("alice"), "5,00"), ("Eve E.", "gift", "6,00")]);
    let page = desk.upload("may.csv", &table).await;
    desk.book(&page, 1).await.with(303);
    let text = format!("rent {}", code("alice"));
    let whole = camt(&[
        ("Alice A.", &text, "5.00"),
        ("", "a gift for you", "6.00"),
        ("Trent", "other", "7.00"),
    ]);
    let page = desk.upload("may.xml", &whole).await;
    page.has("Not matched: 3");
    assert_eq!(page.text.matches(WARNING).count(), 2, "{}", page.text);
    page.has("Keep 3 lines for later");
    let kept = desk.book(&page, 2).await.with(303);
    let kept = desk.get(kept.header("location")).await.with(200);
    kept.has("No line was credited. The lines that match no account are kept");
    kept.has("Last booking: no credits");
    kept.lacks("Nothing twice");
    // Each line leads to where it is decided, and the list says why as the preview does.
    for no in [3, 4, 5] {
        kept.has(&format!(
            "<a href=\"/console/bank/lines/{no}\">Match line <bdi>{no}</bdi></a>"
        ));
    }
    let list = desk.get("/console/bank/statements/2/unmatched").await.with(200);
    list.has("<a href=\"/console/bank/lines/4\">Match line <bdi>4</bdi></a>");
    let first = desk.get("/console/bank/statements/1").await.with(200);
    first.has("<a href=\"/console/bank/lines/1\">Line <bdi>1</bdi></a>");
    let lines = desk.get("/console/bank/lines").await.with(200);
    // Also of the line of the table that is kept.
    assert_eq!(lines.text.matches(WARNING).count(), 3, "{}", lines.text);
    for (no, question) in [
        (3, "from <bdi>Alice A.</bdi> to <bdi>alice</bdi>?"),
        (4, "to <bdi>alice</bdi>?"),
    ] {
        let path = format!("/console/bank/lines/{no}");
        let line = desk.get(&path).await.with(200);
        line.has(WARNING);
        line.has("href=\"/console/bank/statements/2\"");
        let assign = format!("{path}/assign");
        let asked = desk
            .submit(&line, &assign, &[("account", "alice")])
            .await
            .with(200);
        asked.has(WARNING);
        asked.has(question);
        asked.lacks("from <bdi></bdi>");
        asked.has("<dd><bdi>4 May 2026</bdi></dd>");
    }
    desk.get("/console/bank/lines/4").await.has("a gift for you");
    desk.get("/console/bank/lines/5").await.with(200).lacks(WARNING);
    assert_eq!(desk.balance_of("alice").await, "5.00");
}

#[tokio::test]
async fn what_is_booked_is_what_was_shown() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let file = table(&[("Carol", &code("carol"), "7,00")]);
    let page = desk.upload("may.csv", &file).await;
    page.has("There is no account <bdi>carol</bdi>");
    page.has("Keep one line for later");
    world.open("carol", 0).await;
    let changed = desk.book(&page, 1).await.with(409);
    changed.has("role=\"alert\"");
    changed.has("nothing was booked. This is what would be booked now.");
    changed.has("Credited to <bdi>carol</bdi>");
    assert_eq!(desk.balance_of("carol").await, "0.00");
    desk.book(&changed, 1).await.with(303);
    assert_eq!(desk.balance_of("carol").await, "7.00");
    let path = "/console/bank/statements/1/book";
    // A field that is there twice, and a preview that was never shown.
    let twice = desk.submit(&changed, path, &[("preview", "00")]).await;
    assert_eq!(twice.status, 400);
    let token = changed.text.split("name=\"form_token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let never_shown = "0".repeat(64);
    let forged = [
        ("form_token", token),
        ("key", "forged"),
        ("preview", never_shown.as_str()),
    ];
    desk.post(path, &forged).await.with(409).has("nothing was booked");
    assert_eq!(desk.balance_of("carol").await, "7.00");
    desk.get("/console/bank/statements/2").await.with(404);
    desk.get("/console/bank/statements/x").await.with(404);
    desk.get("/console/bank/statements/1/odd").await.with(404);
}

#[tokio::test]
async fn two_who_book_the_same_page_credit_each_line_once() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let page = desk
        .upload("may.csv", &table(&[("Alice", &code("alice"), "7,00")]))
        .await;
    let seen = night.get("/console/bank/statements/1").await.with(200);
    for (browser, page) in [(&desk, &page), (&night, &seen)] {
        browser.book(page, 1).await.with(303);
    }
    assert_eq!(desk.balance_of("alice").await, "7.00");
}

#[tokio::test]
async fn a_file_of_the_bank_that_is_not_read_is_refused_in_words() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(BANK).await.with(200);
    let root = "<?xml version=\"1.0\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">";
    let deep = format!("{root}{}", "<a>".repeat(1_000));
    let empty = format!("{root}</Document>");
    for (content, said) in [
        (
            "<?xml version=\"1.0\" encoding=\"EBCDIC\"?><Document/>",
            "in an encoding that is not read here",
        ),
        (
            "<?xml version=\"1.0\"?>\n<Document",
            "The file is damaged at line <bdi>2</bdi>.",
        ),
        (
            "<?xml version=\"1.0\"?>\n<!DOCTYPE a><a/>",
            "not safe to read (DTD)",
        ),
        (
            &deep,
            "Line <bdi>2</bdi> of the file has something that statements of banks do not have",
        ),
        (&empty, "There is no account statement in the file."),
        (
            "<?xml version=\"1.0\"?>\n<other/>",
            "The file is not an account statement that can be read.",
        ),
    ] {
        let refused = desk
            .send_file(&form, BANK, &COLUMNS, ("f.xml", content.as_bytes()))
            .await
            .with(422);
        refused.has(said);
        refused.has("aria-describedby=\"file-hint file-fault\" aria-invalid=\"true\"");
    }
    let columns = COLUMNS.map(|(name, value)| {
        if name == "day" {
            (name, "Tag")
        } else {
            (name, value)
        }
    });
    let good = table(&[("Eve", "no code", "5,00")]);
    let refused = desk.send_file(&form, BANK, &columns, ("f.csv", &good)).await;
    let refused = refused.with(422);
    refused.lacks("file-fault\" aria-invalid");
    refused.has("aria-describedby=\" day-fault\" aria-invalid=\"true\"");
}

#[tokio::test]
async fn a_file_that_is_not_read_is_refused_in_words_and_the_columns_are_kept() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(BANK).await.with(200);
    let good = table(&[("Eve", "no code", "5,00")]);
    let columns = |changed: &'static [(&'static str, &'static str)]| {
        let rest = COLUMNS.iter().copied();
        let rest = rest.filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        changed.iter().copied().chain(rest).collect::<Vec<_>>()
    };
    for (fields, content, said) in [
        (columns(&[]), &b""[..], "No file was chosen, or it is empty."),
        (columns(&[]), b"PK\x03\x04 zip", "The file is an archive."),
        (
            columns(&[]),
            b"<html></html>",
            "The file is not an account statement that can be read.",
        ),
        (
            columns(&[]),
            b"Day;Name;Text;Amount\nx;;;1\n",
            "Row <bdi>2</bdi> of the file is not understood",
        ),
        (
            columns(&[]),
            b"Day;Name;Text;Amount\n\xff",
            "encoded in another way",
        ),
        (
            columns(&[("day", "")]),
            &good,
            "it is not known which column says what",
        ),
        (
            columns(&[("day", "Tag<script>")]),
            &good,
            "No row of the file has the names of all these columns: <bdi>Tag&#60;script&#62;, Amount",
        ),
        (
            columns(&[("day", "Day\u{202e}")]),
            &good,
            "Something about the columns is not right.",
        ),
        (
            columns(&[("decimal", "x")]),
            &good,
            "Something about the columns is not right.",
        ),
    ] {
        let refused = desk
            .send_file(&form, BANK, &fields, ("f.csv", content))
            .await
            .with(422);
        refused.has(said);
        refused.has("Choose the file again; everything else is kept.");
        refused.has("id=\"amount\" name=\"amount\" value=\"Amount\"");
        refused.lacks("<script>");
    }
    form.has("At most <bdi>3 MiB</bdi> and <bdi>10,000</bdi> lines.");
    let largest = vec![b'\n'; 3 * 1024 * 1024];
    let refused = desk.send_file(&form, BANK, &COLUMNS, ("f.csv", &largest)).await;
    refused.with(422).lacks("MiB. Export fewer days.");
    let too_large = vec![b' '; world.server.body_bytes_max() + 1];
    let refused = desk
        .send_file(&form, BANK, &COLUMNS, ("f.csv", &too_large))
        .await
        .with(413);
    refused.has("The file has more than <bdi>3 MiB</bdi>. Export fewer days.");
    refused.has("must be typed again");
    refused.has("type=\"file\"");
    // What is there twice, or is no file, is not guessed.
    for odd in [("day", "Other"), ("key", "other"), ("file", "x")] {
        let fields = columns(&[]);
        let fields: Vec<_> = fields.into_iter().chain([odd]).collect();
        desk.send_file(&form, BANK, &fields, ("f.csv", &good))
            .await
            .with(400);
    }
    desk.get(BANK).await.with(200).has("No statements yet.");
    // The form whose file was refused is good for another file.
    desk.send_file(&form, BANK, &COLUMNS, ("f.csv", &good))
        .await
        .with(303);
}

/// Some settings cannot be typed. They are good all the same if nobody changes them, and are nothing to CAMT.053.
#[tokio::test]
async fn the_columns_of_the_settings_are_used_as_they_are() {
    let name = |name: &str| Some(name.to_owned());
    let columns = BankCsvConfig {
        delimiter: "\t".to_owned(),
        day: name("Day"),
        amount: name("Amount"),
        text: vec!["Text, long".to_owned(), "x".repeat(150), "y".repeat(150)],
        ..BankCsvConfig::default()
    };
    let world = World::reading(columns.clone()).await;
    world.open("alice", 0).await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(BANK).await.with(200);
    form.has("<option value=\"\\t\" selected>Tab</option>");
    let text = columns.text.join(", ");
    let typed = [
        ("day", "Day"),
        ("amount", "Amount"),
        ("text", text.as_str()),
        ("delimiter", "\\t"),
        ("encoding", columns.encoding.as_str()),
        ("decimal", columns.decimal.as_str()),
        ("date_format", columns.date_format.as_str()),
    ];
    let head = [
        "Day",
        "Amount",
        &columns.text[0],
        &columns.text[1],
        &columns.text[2],
    ]
    .join("\t");
    let table = format!("{head}\n04.05.2026\t5,00\t{}\t\t\n", code("alice"));
    let sent = desk.send_file(&form, BANK, &typed, ("t.csv", table.as_bytes()));
    let stored = sent.await.with(303);
    desk.get(stored.header("location")).await.has("Book one line");
    let form = desk.get(BANK).await.with(200);
    let wrong = [("day", "\u{202e}"), ("decimal", "x")];
    let message = camt(&[("Eve", "gift", "6.00")]);
    let sent = desk.send_file(&form, BANK, &wrong, ("m.xml", &message));
    sent.await.with(303);
}

/// What one operator has typed is in the form of all once it was booked, until a table with other columns is booked.
#[tokio::test]
async fn the_columns_of_the_last_booked_table_are_in_the_form() {
    let world = World::reading(BankCsvConfig {
        party: Some("Payer".to_owned()),
        ..BankCsvConfig::default()
    })
    .await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let settings = [
        ("day", ""),
        ("party", "Payer"),
        ("delimiter", ";"),
        ("encoding", "utf-8"),
        ("decimal", ","),
        ("date_format", "DD.MM.YYYY"),
    ];
    let is_filled = |form: &Answer, day: &str, party: &str| {
        form.has(&format!("id=\"day\" name=\"day\" value=\"{day}\""));
        form.has(&format!("id=\"party\" name=\"party\" value=\"{party}\""));
    };
    let fresh = night.get(BANK).await.with(200);
    is_filled(&fresh, "", "Payer");
    fresh.lacks("the last table that was booked");
    let page = desk.upload("may.csv", &table(&[("Eve", "gift", "5,00")])).await;
    is_filled(&night.get(BANK).await.with(200), "", "Payer");
    desk.book(&page, 1).await.with(303);
    let form = night.get(BANK).await.with(200);
    is_filled(&form, "Day", "Name");
    form.has("These are the columns of the last table that was booked.");
    form.has("<option value=\";\" selected>");

    // They fit another file no better than if somebody had typed them.
    let other = b"Tag;Name;Text;Amount\n04.05.2026;Eve;gift;6,00\n";
    let refused = night.send_file(&form, BANK, &COLUMNS, ("o.csv", other)).await;
    let refused = refused.with(422);
    refused.has("No row of the file has the names of all these columns: <bdi>Day, Amount");
    is_filled(&refused, "Day", "Name");
    refused.has("href=\"/console/bank?columns=settings\"");

    let of_settings = night.get("/console/bank?columns=settings").await.with(200);
    is_filled(&of_settings, "", "Payer");
    of_settings.has("These are the columns of the settings.");
    of_settings.has("<details open>");
    of_settings.has("href=\"/console/bank?columns=remembered\"");
    let unnamed = night.send_file(&of_settings, BANK, &settings, ("o.csv", other));
    let unnamed = unnamed.await.with(422);
    unnamed.has("it is not known which column says what");
    night.get("/console/bank?columns=odd").await.with(400);
    let kept = night.get("/console/bank?columns=remembered").await.with(200);
    is_filled(&kept, "Day", "Name");
}

/// Whoever books a table with the columns of the settings has gone back to them.
#[tokio::test]
async fn a_table_with_the_columns_of_the_settings_brings_them_back() {
    let name = |name: &str| Some(name.to_owned());
    let world = World::reading(BankCsvConfig {
        day: name("Day"),
        amount: name("Amount"),
        text: vec!["Text".to_owned()],
        ..BankCsvConfig::default()
    })
    .await;
    let desk = world.operator("desk", ALL).await;
    let page = desk.upload("may.csv", &table(&[("Eve", "gift", "5,00")])).await;
    desk.book(&page, 1).await.with(303);
    let form = desk.get(BANK).await.with(200);
    form.has("These are the columns of the last table that was booked.");
    let of_settings: Vec<_> = COLUMNS.into_iter().filter(|(name, _)| *name != "party").collect();
    let june = table(&[("Eve", "more", "6,00")]);
    let sent = desk.send_file(&form, BANK, &of_settings, ("june.csv", &june));
    let stored = sent.await.with(303);
    let page = desk.get(stored.header("location")).await.with(200);
    desk.book(&page, 2).await.with(303);
    let form = desk.get(BANK).await.with(200);
    form.lacks("the last table that was booked");
    form.has("id=\"party\" name=\"party\" value=\"\"");
}

#[tokio::test]
async fn a_file_without_the_token_of_the_session_is_not_stored() {
    let world = World::new().await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let form = desk.get(BANK).await.with(200);
    let good = table(&[("Eve", "no code", "5,00")]);
    night
        .send_file(&form, BANK, &COLUMNS, ("f.csv", &good))
        .await
        .with(403);
    desk.post(BANK, &[("key", "x")]).await.with(400);
    desk.post_from("cross-site", BANK, &[]).await.with(403);
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    let page = reader.get(BANK).await.with(200);
    let form = form.with_tokens_of(&page);
    let refused = reader.send_file(&form, BANK, &COLUMNS, ("f.csv", &good));
    let refused = refused.await.with(403);
    refused.has("Changing accounts and payouts needs the right of a cashier.");
    page.lacks("type=\"file\"");
    page.has("No statements yet.");
    desk.upload("f.csv", &good).await;
    let statement = reader.get("/console/bank/statements/1").await.with(200);
    statement.lacks("/book\"");
    let keys = world.operator("key-keeper", &[AdminScope::Keys]).await;
    for path in ["", "/statements/1", "/statements/1/new", "/lines", "/lines/1"] {
        keys.get(&format!("{BANK}{path}")).await.with(403);
    }
}

#[tokio::test]
async fn what_strangers_write_is_shown_as_text() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let evil = "<script>alert(1)</script>";
    let file = table(&[(evil, "=1+1", "5,00"), ("gpj\u{202e}exe", evil, "6,00")]);
    let page = desk.upload("<script>.csv", &file).await;
    page.lacks("<script>alert");
    page.lacks("\u{202e}");
    page.has("&#60;script&#62;alert(1)");
    page.has("=1+1");
    page.has("Statement <bdi>&#60;script&#62;.csv</bdi>");
    desk.book(&page, 1).await.with(303);
    for path in [
        "/console/bank",
        "/console/bank/lines",
        "/console/bank/lines/1",
        "/console/bank/lines/2",
        "/console/bank/statements/1/unmatched",
        "/console/actions",
    ] {
        let page = desk.get(path).await.with(200);
        page.lacks("<script>alert");
        page.lacks("<script>.csv");
        page.lacks("\u{202e}");
    }
}

#[tokio::test]
async fn a_large_statement_is_shown_in_pages() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let desk = world.operator("desk", ALL).await;
    let (text, long) = (code("alice"), "x".repeat(900));
    let mut lines = Vec::new();
    for _ in 0..500 {
        lines.push(("Alice A.", text.as_str(), "1,00"));
        lines.push(("Eve E.", long.as_str(), "2,00"));
    }
    let page = desk.upload("large.csv", &table(&lines)).await;
    assert!(page.text.len() < 100_000, "{}", page.text.len());
    page.has("Book 500 lines");
    page.has("All <bdi>500</bdi> lines");
    let list = desk.get("/console/bank/statements/1/new").await.with(200);
    assert!(list.text.len() < 100_000, "{}", list.text.len());
    list.has("Lines <bdi>1</bdi> to <bdi>100</bdi> of <bdi>500</bdi>.");
    list.has("/console/bank/statements/1/new?from=100");
    let last = desk
        .get("/console/bank/statements/1/new?from=400")
        .await
        .with(200);
    last.has("Lines <bdi>401</bdi> to <bdi>500</bdi>");
    last.lacks("Next lines");
    last.has("/console/bank/statements/1/new?from=300");
    last.has("Previous lines");
    list.lacks("Previous lines");
    page.has("Exactly the <bdi>500</bdi> lines that are listed as new are booked.");
    let beyond = desk
        .get("/console/bank/statements/1/new?from=9999")
        .await
        .with(200);
    beyond.has("No lines.");
    beyond.has("/console/bank/statements/1/new?from=400");
}

#[tokio::test]
async fn an_unmatched_line_is_decided_once() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let desk = world.operator("desk", ALL).await;
    let page = desk
        .upload(
            "may.csv",
            &table(&[
                ("Eve", "for alice", "5,00"),
                ("Mallory", "?", "6,00"),
                ("Trent", "!", "7,00"),
            ]),
        )
        .await;
    desk.book(&page, 1).await.with(303);
    desk.get("/console/bank/lines")
        .await
        .with(200)
        .has("Match line <bdi>1</bdi>");

    let assign = "/console/bank/lines/1/assign";
    let form = desk.get("/console/bank/lines/1").await.with(200);
    for (name, status) in [("nobody", 404), ("", 422), ("<b>", 422)] {
        let refused = desk
            .submit(&form, assign, &[("account", name)])
            .await
            .with(status);
        refused.has("There is no account of this name.");
        refused.has("aria-invalid=\"true\"");
    }
    let asked = desk
        .submit(&form, assign, &[("account", "Alice")])
        .await
        .with(200);
    asked.has("Credit <bdi>5.00\u{a0}Open&#60;b&#62;Cent</bdi> from <bdi>Eve</bdi> to <bdi>alice</bdi>?");
    for _ in 0..2 {
        let done = desk
            .submit(&asked, &format!("{assign}/confirm"), &[])
            .await
            .with(303);
        let page = desk.get(done.header("location")).await.with(200);
        page.has("The line is credited to <bdi>alice</bdi>.");
    }
    assert_eq!(desk.balance_of("alice").await, "5.00");
    let decided = desk.get("/console/bank/lines/1").await.with(200);
    decided.has("Booked to <bdi>alice</bdi>");
    decided.lacks("/assign\"");
    let late = desk
        .submit(&form, assign, &[("account", "alice")])
        .await
        .with(409);
    late.has("Somebody has decided this line already.");

    let aside = "/console/bank/lines/2/set-aside";
    let form = desk.get("/console/bank/lines/2").await.with(200);
    desk.submit(&form, aside, &[("reason", "")]).await.with(422);
    let asked = desk
        .submit(&form, aside, &[("reason", "returned")])
        .await
        .with(200);
    for _ in 0..2 {
        let done = desk
            .submit(&asked, &format!("{aside}/confirm"), &[])
            .await
            .with(303);
        desk.get(done.header("location"))
            .await
            .has("The line is set aside.");
    }
    let list = desk.get("/console/bank/lines?state=set-aside").await.with(200);
    list.has("Set aside: <bdi>returned</bdi>");

    let closed = desk.get("/console/bank/lines/3").await.with(200);
    world.open("bob", 0).await;
    let closing = "/console/accounts/bob/status/closed";
    let question = desk.get(closing).await.with(200);
    let asked = desk
        .submit(&question, closing, &[("reason", "left")])
        .await
        .with(200);
    desk.submit(&asked, &format!("{closing}/confirm"), &[])
        .await
        .with(303);
    let refused = desk
        .submit(&closed, "/console/bank/lines/3/assign", &[("account", "bob")])
        .await
        .with(422);
    refused.has("it is closed for good");
    for (path, status) in [("9", 404), ("x", 404), ("0", 404), ("1", 200)] {
        desk.get(&format!("/console/bank/lines/{path}"))
            .await
            .with(status);
    }
}
