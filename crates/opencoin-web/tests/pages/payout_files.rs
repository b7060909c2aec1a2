//! Files of payouts in the console: made, downloaded, withdrawn, recorded as paid.

use std::sync::Arc;

use opencoin_issuer::AdminScope;
use opencoin_ledger::bank::ExportNo;
use opencoin_ledger::{
    AccountStatus, Action, ActionKind, ActionSubject, Amount, HasOperators, LedgerTime, PayoutNo, Reference,
    Settlement,
};

use crate::world::{Answer, Browser, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAYOUTS: &str = "/console/payouts";
const FILES: &str = "/console/payout-files";
const GOOD: [&str; 3] = [
    "Erika Muster DE89370400440532013000",
    "GB29NWBK60161331926819",
    "NL91ABNA0417164300",
];

/// A world whose alice has asked for a payout to each of these accounts.
async fn world(destinations: &[&str]) -> World {
    let world = World::new().await;
    world.open("alice", 10_000).await;
    for (place, destination) in destinations.iter().enumerate() {
        world
            .ask_for_payout("alice", 100 + place as u64, destination)
            .await;
    }
    world
}

impl Browser<'_> {
    /// Makes a file of these payouts, and opens its page.
    pub(crate) async fn make(&self, payouts: &[&str], format: &str) -> Answer {
        let form = self.get(PAYOUTS).await.with(200);
        let mut fields: Vec<(&str, &str)> = payouts.iter().map(|no| ("payout", *no)).collect();
        fields.extend([("format", format), ("execution", "")]);
        let made = self.submit(&form, FILES, &fields).await.with(303);
        self.get(made.header("location")).await.with(200)
    }

    /// Answers the question of a form of a file.
    async fn end(&self, page: &Answer, no: u32, end: &str) -> Answer {
        let path = format!("{FILES}/{no}/{end}");
        let asked = self.submit(page, &path, &[]).await.with(200);
        let done = self
            .submit(&asked, &format!("{path}/confirm"), &[])
            .await
            .with(303);
        self.get(done.header("location")).await.with(200)
    }
}

#[tokio::test]
async fn a_file_is_made_of_the_chosen_payouts_and_downloaded() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    let list = desk.get(PAYOUTS).await.with(200);
    assert_eq!(list.text.matches("type=\"checkbox\"").count(), 3);
    let file = desk.make(&["1", "3"], "pain001").await;
    file.has("The file is made.");
    file.has("File <bdi>1</bdi>");
    file.has("Erika Muster");
    file.lacks("GB29");
    let downloaded = desk.get(&format!("{FILES}/1/download")).await.with(200);
    assert_eq!(downloaded.header("content-type"), "application/xml");
    assert_eq!(
        downloaded.header("content-disposition"),
        "attachment; filename=\"payouts-1.xml\""
    );
    downloaded.has("OC-PAYOUT-1");
    downloaded.has("OC-PAYOUT-3");
    downloaded.lacks("OC-PAYOUT-2");
    let list = desk.get(PAYOUTS).await.with(200);
    list.has("In file <bdi>1</bdi>");
    assert_eq!(list.text.matches("type=\"checkbox\"").count(), 1);
    desk.get(&format!("{PAYOUTS}/1")).await.has("File <bdi>1</bdi>");
    let table = desk.make(&["2"], "csv").await;
    table.has("Table (CSV)");
    let downloaded = desk.get(&format!("{FILES}/2/download")).await.with(200);
    downloaded.has("GB29NWBK60161331926819");
    let files = desk.get(FILES).await.with(200);
    files.has("File <bdi>2</bdi>");
    // Without a payout that can be chosen there is no form.
    desk.get(PAYOUTS).await.lacks("<select");
    for path in ["/9", "/x", "/9/download"] {
        desk.get(&format!("{FILES}{path}")).await.with(404);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_for_each_payout_and_the_choice_is_kept() {
    let destinations = [
        GOOD[0],
        "cash, please <script>",
        "DE88370400440532013000",
        "DE89370400440532013000 GB29NWBK60161331926819",
        GOOD[1],
    ];
    let world = world(&destinations).await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(PAYOUTS).await.with(200);
    assert_eq!(form.text.matches("type=\"checkbox\"").count(), 2);
    form.has("The IBAN is wrong: its check digits do not fit.");
    let payouts = ["1", "2", "3", "4"].map(|no| ("payout", no));
    let refused = desk.submit(&form, FILES, &payouts).await.with(422);
    refused.has("No file was made.");
    refused.has("Payout <bdi>2</bdi>: the bank account has no IBAN.");
    refused.has("Payout <bdi>3</bdi>: the IBAN is wrong");
    refused.has("Payout <bdi>4</bdi>: the text names more than one bank account.");
    refused.lacks("<script>");
    refused.has("value=\"1\" aria-label=\"Put payout 1 into the file\" checked");
    refused.has("value=\"5\" aria-label=\"Put payout 5 into the file\">");
    for (fields, said) in [
        (vec![], "Choose 1 to <bdi>1000</bdi> payouts."),
        (
            vec![("payout", "1"), ("execution", "soon")],
            "The day cannot be read.",
        ),
        (
            vec![("payout", "1"), ("execution", "2025-12-31")],
            "The day must be between <bdi>1 January 2026</bdi> and a year ahead.",
        ),
        (
            vec![("payout", "9")],
            "Payout <bdi>9</bdi> does not wait any more.",
        ),
    ] {
        desk.submit(&form, FILES, &fields).await.with(422).has(said);
    }
    desk.make(&["1"], "csv").await;
    let again = desk.get(PAYOUTS).await;
    let refused = desk.submit(&again, FILES, &[("payout", "1")]).await.with(422);
    refused.has("Payout <bdi>1</bdi> is in file <bdi>1</bdi> already.");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_file() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(PAYOUTS).await.with(200);
    let fields = [("payout", "1"), ("format", "csv"), ("execution", "")];
    for _ in 0..2 {
        let made = desk.submit(&form, FILES, &fields).await.with(303);
        assert!(
            made.header("location")
                .starts_with("/console/payout-files/1?done=")
        );
    }
    let other = [("payout", "2"), ("format", "csv"), ("execution", "")];
    desk.submit(&form, FILES, &other).await.with(409);
    desk.get(&format!("{FILES}/2")).await.with(404);
}

#[tokio::test]
async fn a_file_that_was_never_sent_is_withdrawn() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    let file = desk.make(&["1", "2"], "csv").await;
    let asked = desk.submit(&file, &format!("{FILES}/1/withdraw"), &[]).await;
    asked.has("Withdraw this file of <bdi>2</bdi> payouts, <bdi>2.01\u{a0}Open&#60;b&#62;Cent</bdi> in all?");
    asked.has("otherwise the payouts are paid twice");
    let paid = desk
        .submit(&file, &format!("{FILES}/1/paid"), &[])
        .await
        .with(200);
    let done = desk.end(&file, 1, "withdraw").await;
    done.has("The file is withdrawn. Its payouts can be in another file.");
    done.lacks("/download");
    done.lacks("/withdraw\"");
    // What was in it is seen later.
    done.has("/console/payouts/1\"");
    done.has("Erika Muster");
    desk.get(&format!("{FILES}/1/download")).await.with(409);
    let late = desk.submit(&paid, &format!("{FILES}/1/paid/confirm"), &[]).await;
    late.with(409).has("Nothing was done: the file was withdrawn");
    desk.make(&["1", "2"], "csv").await.has("File <bdi>2</bdi>");
    let actions = desk.get("/console/actions").await.with(200);
    actions.has("Withdrew file <bdi>1</bdi> of payouts");
}

#[tokio::test]
async fn the_bank_has_paid_all_of_a_file() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    let file = desk.make(&["1", "2"], "csv").await;
    let withdraw = desk
        .submit(&file, &format!("{FILES}/1/withdraw"), &[])
        .await
        .with(200);
    let done = desk.end(&file, 1, "paid").await;
    done.has("All <bdi>2</bdi> payouts of the file are paid.");
    done.lacks("/paid\"");
    let refused = desk
        .submit(&withdraw, &format!("{FILES}/1/withdraw/confirm"), &[])
        .await;
    refused
        .with(409)
        .has("Nothing was done: the bank has paid the file");
    let paid = desk.get("/console/payouts?state=paid").await.with(200);
    paid.has("Reference of the bank: <bdi>OC");
    let open = desk.get(PAYOUTS).await.with(200);
    open.has("Settle <bdi>3</bdi>");
    open.lacks("Settle <bdi>1</bdi>");
}

#[tokio::test]
async fn a_payout_that_failed_keeps_its_file_from_the_bank() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    desk.make(&["1", "2"], "csv").await;
    fail(&world, 2).await;
    let page = desk.get(&format!("{FILES}/1")).await.with(200);
    page.has("its holder has the money back");
    page.lacks("/download");
    desk.end(&page, 1, "withdraw").await;
    desk.make(&["1"], "csv").await.has("File <bdi>2</bdi>");
}

#[tokio::test]
async fn the_bank_has_paid_a_file_but_for_what_failed() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    desk.make(&["1", "2"], "csv").await;
    fail(&world, 2).await;
    let page = desk.get(&format!("{FILES}/1")).await.with(200);
    let asked = desk
        .submit(&page, &format!("{FILES}/1/paid"), &[])
        .await
        .with(200);
    asked.has("the one payout of this file that waits, <bdi>1.00\u{a0}Open");
    let done = desk.end(&page, 1, "paid").await;
    done.has("One of its payouts is marked as failed: look whether the bank has paid it.");
    done.lacks("/withdraw\"");
    let paid = desk.get("/console/payouts?state=paid").await.with(200);
    paid.has("/console/payouts/1\"");
    paid.lacks("/console/payouts/2\"");
}

impl World {
    async fn freeze(&self, name: &str) {
        let (cashier, by) = (self.server.issuer().cashier(), "night".parse().unwrap());
        let acting = cashier.acting(&by);
        let frozen = acting
            .set_status(
                &name.parse().unwrap(),
                AccountStatus::Frozen,
                &Reference::new("asked").unwrap(),
            )
            .await;
        frozen.unwrap();
    }
}

async fn fail(world: &World, payout: i64) {
    let (cashier, night) = (world.server.issuer().cashier(), "night".parse().unwrap());
    let reason = Settlement::Failed(Reference::new("no such account").unwrap());
    let acting = cashier.acting(&night);
    acting.settle(PayoutNo::new(payout), reason).await.unwrap().done();
}

#[tokio::test]
async fn a_file_with_a_large_payout_is_recorded_as_paid_by_another_operator() {
    let world = World::with_limit(100).await;
    world.open("alice", 100).await;
    world.open("bob", 100).await;
    let (cashier, by) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let (acting, alice) = (cashier.acting(&by), "alice".parse().unwrap());
    let (amount, more) = (Amount::new(100).unwrap(), Reference::new("more").unwrap());
    acting.credit(&alice, amount, more).await.unwrap().done();
    world.ask_for_payout("alice", 101, GOOD[1]).await;
    world.ask_for_payout("bob", 100, GOOD[2]).await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let file = desk.make(&["1", "2"], "pain001").await;
    file.has("Another operator than <bdi>desk</bdi> must record the file as paid.");
    file.lacks("/paid\"");

    // Whoever made it is refused, whatever form they send.
    let (withdraw, paid) = (format!("{FILES}/1/withdraw"), format!("{FILES}/1/paid"));
    for path in [paid.clone(), format!("{paid}/confirm")] {
        let refused = desk.submit_as(&file, &withdraw, &path, &[]).await.with(403);
        refused.has("Another operator must do this.");
    }
    let waiting = desk.get(PAYOUTS).await.with(200);
    waiting.has("Settle <bdi>1</bdi>");

    // Also if somebody else was interrupted.
    interrupt(&world, "night").await;
    desk.get("/console").await.has("The bank has paid file");
    let file = desk.get(&format!("{FILES}/1")).await.with(200);
    file.has("Another operator than <bdi>desk</bdi> must record the file as paid.");
    file.lacks("/paid\"");

    let seen = night.get(&format!("{FILES}/1")).await.with(200);
    seen.lacks("must record the file as paid");
    night
        .end(&seen, 1, "paid")
        .await
        .has("All <bdi>2</bdi> payouts of the file are paid.");
    let seen = desk.get(&format!("{FILES}/1")).await.with(200);
    seen.lacks("must record the file as paid");
}

/// The server died after it had marked file 1 as paid.
async fn interrupt(world: &World, by: &str) {
    let books = Arc::clone(&world.audited.books.lock().unwrap());
    let action = Action {
        operator: by.parse().unwrap(),
        kind: ActionKind::PayExport,
        subject: ActionSubject::new("1"),
        amount: None,
        detail: None,
        at: LedgerTime::from_unix_micros(1),
    };
    books.bank().pay_export(ExportNo::new(1), action).await.unwrap();
}

#[tokio::test]
async fn a_file_whose_payment_was_interrupted_is_finished() {
    let world = world(&GOOD).await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    desk.make(&["1", "2"], "csv").await;
    interrupt(&world, "night").await;
    for operator in [&desk, &night] {
        let today = operator.get("/console").await.with(200);
        today.has("The bank has paid file <bdi>1</bdi>, but not all of its payouts are marked as paid.");
        today.has("href=\"/console/payout-files/1\"");
    }
    let file = desk.get(&format!("{FILES}/1")).await.with(200);
    file.has("Paid, not finished");
    file.lacks("/withdraw\"");
    desk.end(&file, 1, "paid").await.has("All <bdi>2</bdi> payouts");
    desk.get("/console").await.lacks("The bank has paid file");
    desk.get(PAYOUTS).await.lacks("Settle <bdi>1</bdi>");
}

/// The last payout was settled by hand, so nothing is left to do but to say so.
#[tokio::test]
async fn a_file_without_payouts_that_wait_is_finished() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    desk.make(&["1"], "csv").await;
    interrupt(&world, "desk").await;
    fail(&world, 1).await;
    let file = desk.get(&format!("{FILES}/1")).await.with(200);
    let asked = desk.submit(&file, &format!("{FILES}/1/paid"), &[]).await;
    asked.with(200).has("Is file <bdi>1</bdi> finished?");
    desk.end(&file, 1, "paid").await.lacks("Paid, not finished");
    desk.get("/console").await.lacks("The bank has paid file");
}

#[tokio::test]
async fn payouts_of_frozen_accounts_are_marked_and_asked_about() {
    let world = world(&GOOD).await;
    world.open("bob", 1_000).await;
    world.ask_for_payout("bob", 500, GOOD[1]).await;
    world.freeze("alice").await;
    let desk = world.operator("desk", ALL).await;
    let list = desk.get(PAYOUTS).await.with(200);
    assert_eq!(
        list.text
            .matches("<span class=\"state warn\">Frozen</span>")
            .count(),
        3
    );
    list.has("aria-label=\"Put payout 1 into the file\">");
    list.has("aria-label=\"Put payout 4 into the file\" checked>");
    let chosen = [
        ("payout", "1"),
        ("payout", "4"),
        ("format", "csv"),
        ("execution", ""),
    ];
    let asked = desk.submit(&list, FILES, &chosen).await.with(200);
    asked.has("Put a payout of a frozen account into the file?");
    asked.has("Payout 1: alice, 1.00\u{a0}Open");
    asked.lacks("Payout 4");
    desk.get(&format!("{FILES}/1")).await.with(404);

    // Another account is frozen while somebody reads the question.
    world.freeze("bob").await;
    let asked = desk.submit(&asked, FILES, &[]).await.with(200);
    asked.has("Put <bdi>2</bdi> payouts of frozen accounts into the file?");
    asked.has("Payout 4: bob, 5.00\u{a0}Open");
    let made = desk.submit(&asked, FILES, &[]).await.with(303);
    let file = desk.get(made.header("location")).await.with(200);
    file.has("The file is made.");
    desk.get(PAYOUTS).await.has("In file <bdi>1</bdi>");
}

#[tokio::test]
async fn only_a_cashier_changes_files() {
    let world = world(&GOOD).await;
    let desk = world.operator("desk", ALL).await;
    desk.make(&["1"], "csv").await;
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    for path in [PAYOUTS, FILES, "/console/payout-files/1"] {
        let page = reader.get(path).await.with(200);
        // That of the log-out.
        assert_eq!(page.text.matches("method=\"post\"").count(), 1, "{path}");
    }
    let keys = world.operator("key-keeper", &[AdminScope::Keys]).await;
    for path in ["", "/1", "/1/download"] {
        keys.get(&format!("{FILES}{path}")).await.with(403);
    }
    for path in [
        "",
        "/1/paid",
        "/1/paid/confirm",
        "/1/withdraw",
        "/1/withdraw/confirm",
    ] {
        let path = format!("{FILES}{path}");
        reader.post(&path, &[]).await.with(403);
        desk.post(&path, &[("key", "k")]).await.with(403);
        desk.post_from("cross-site", &path, &[]).await.with(403);
    }
}
