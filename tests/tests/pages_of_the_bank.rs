//! What operators come to when they book the statements of a bank and make files for it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use opencoin_e2e::browser::{SEND, Walk, walk};

/// The form with which a statement is uploaded.
const UPLOAD: &str = "form[action='/console/bank'] button";

#[test]
fn an_operator_books_a_statement_and_makes_a_file_for_the_bank() {
    walk(|walk| {
        // Where it is still the third of May when the day of the bank begins in UTC.
        walk.browser.use_zone("America/New_York");
        walk.enter_console(&walk.site.token);
        decide_the_line_of_the_demo(walk);
        upload_what_is_none(walk);
        book_statement(walk);
        make_file(walk);
    });
}

fn decide_the_line_of_the_demo(walk: &Walk) {
    walk.sees(
        "console-today-first",
        &["One line of a statement matches no account."],
    );
    walk.open_console("/bank/lines/4");
    walk.sees("console-bank-line-demo", &["Dora D.", "pocket money for Carol"]);
    walk.send_to("assign", &[("account", "carol")]);
    walk.browser.leave_by(SEND);
    walk.sees(
        "console-bank-line-demo-credited",
        &["The line is credited to carol."],
    );
}

fn upload(walk: &Walk, content: &str) {
    let folder = tempfile::tempdir().unwrap();
    let statement = folder.path().join("may.csv");
    fs::write(&statement, content).unwrap();
    walk.open_console("/bank");
    walk.browser.fill("#file", statement.to_str().unwrap());
    walk.browser.leave_by(UPLOAD);
}

fn upload_what_is_none(walk: &Walk) {
    upload(walk, "PK\u{3}\u{4}an archive");
    walk.sees("console-bank-archive", &["The file is an archive."]);
    upload(walk, "Fruit;Colour\nApple;red\n");
    walk.sees(
        "console-bank-columns",
        &["No row of the file has the names of all these columns"],
    );
    upload(walk, "Day;Name;Text;Amount\nyesterday;Alice A.;rent;12,40\n");
    walk.sees("console-bank-row", &["of the file is not understood"]);
}

fn book_statement(walk: &Walk) {
    walk.open_console("/accounts/alice");
    let page = walk.browser.text();
    let code = page.split_whitespace().find(|word| word.starts_with("OC-ALICE-"));
    let code = code.expect("a code for bank transfers");
    upload(
        walk,
        &format!(
            "Day;Name;Text;Amount\n\
             04.05.2026;Alice A.;{code};12,40\n\
             04.05.2026;Eve E.;for bob;5,00\n\
             05.05.2026;Electricity;paid by us;-7,00\n"
        ),
    );
    walk.sees(
        "console-bank-preview",
        &["Nothing is booked yet.", "Credited to alice", "Not matched: 1"],
    );
    walk.browser.leave_by("form[action$='/book'] button");
    walk.sees(
        "console-bank-booked",
        &["Booked: one credit", "Nothing twice.", "Booked to alice"],
    );
    for list in ["new", "decided", "unmatched", "taken-back", "ignored"] {
        walk.open_console(&format!("/bank/statements/2/{list}"));
        walk.sees(&format!("console-bank-list-{list}"), &["may.csv"]);
    }
    walk.open_console("");
    walk.sees("console-today-lines", &["matches no account"]);
    walk.open_console("/bank/lines");
    walk.sees("console-bank-lines", &["Eve E."]);
    walk.browser.leave_by("main td a[href='/console/bank/lines/6']");
    walk.sees(
        "console-bank-line",
        &["It belongs to an account", "Eve E.", "4 May 2026"],
    );
    walk.send_to("assign", &[("account", "nobody")]);
    walk.sees("console-bank-line-fault", &[]);
    walk.send_to("assign", &[("account", "bob")]);
    walk.sees(
        "console-bank-line-question",
        &["Credit 5.00", "from Eve E. to bob?"],
    );
    walk.browser.leave_by(SEND);
    walk.sees("console-bank-lines-decided", &["The line is credited to bob."]);
    walk.open_console("/bank");
    walk.sees(
        "console-bank-statements",
        &["Every line of a booked statement is decided."],
    );
    walk.open_console("/bank/lines?state=booked");
    walk.sees("console-bank-lines-booked", &["Eve E."]);
    walk.open_console("/bank/lines/6");
    walk.sees("console-bank-line-booked", &["Eve E."]);
}

fn make_file(walk: &Walk) {
    walk.open_console("/payouts");
    walk.sees("console-payouts-choose", &["Make a file for the bank"]);
    walk.browser
        .leave_by("form[action='/console/payout-files'] button");
    walk.sees("console-file", &["The file is made.", "File 1", "FR14 2004"]);
    walk.open_console("/payout-files");
    walk.sees("console-files", &["File 1"]);
    walk.open_console("/payout-files/1");
    walk.browser.leave_by("form[action$='/paid'] button");
    walk.sees("console-file-paid-question", &["Has the bank paid all 2 payouts"]);
    walk.open_console("/payout-files/1");
    walk.browser.leave_by("form[action$='/withdraw'] button");
    walk.sees("console-file-question", &["Withdraw this file of 2 payouts"]);
    walk.browser.leave_by(SEND);
    walk.sees("console-file-withdrawn", &["The file is withdrawn."]);
    walk.open_console("/payouts");
    walk.browser
        .leave_by("form[action='/console/payout-files'] button");
    walk.browser.leave_by("form[action$='/paid'] button");
    walk.browser.leave_by(SEND);
    walk.sees("console-file-paid", &["All 2 payouts of the file are paid."]);
    walk.open_console("/actions");
    walk.sees("console-actions-bank", &["Uploaded the bank statement may.csv"]);
}
