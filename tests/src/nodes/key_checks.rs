//! What must hold for key accounts when the faults have ended: the books, the auditors, the wallets and the proofs of all
//! payments say the same as the wallets were told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::auditor::status;
use super::key_books::{KeyBooks, KeyPayee, KeyPayment};
use super::key_wallets::{KeyWallet, SHOP};
use super::network::{FULL, Network};
use crate::files::text;
use crate::replayed_log::{ReplayedLog, leaves};
use crate::tally::Tally;
use crate::{Output, Rows, command, get_text, in_parallel, run, wait_for};

/// The number of an account from which on accounts belong to keys.
const FIRST_NO: u64 = 1 << 62;
/// The type of a leaf with a payment by key, and where the payment is in the leaf: after version, type, key and number.
const PAID: u8 = 0x22;
const PAYMENT_AT: usize = 2 + 32 + 8;
const VERIFIERS: usize = 2;
const PROOFS_VERIFIED: &str = "proofs of payments verified offline";

/// The books and every full auditor have the balances, the number of payments and the totals.
pub(super) fn compare(network: &Network, books: &KeyBooks) {
    let rows = network.currency.rows();
    compare_payments(&rows, books);
    assert_eq!(network.currency.balance(SHOP), books.to_shop());
    let accounts = books.accounts();
    for (key, expected) in &accounts {
        let shown: Value =
            serde_json::from_str(&get_text(&network.url(&format!("/v1/key-accounts/{key}")))).unwrap();
        let logged = &shown["logged"];
        for state in [&shown, logged] {
            let found = (&state["balance"], &state["seq"]);
            let expected = (&json!(expected.balance), &json!(expected.seq));
            assert_eq!(found, expected, "{key}: {shown}");
        }
    }
    let sum: u64 = accounts.values().map(|account| account.balance).sum();
    let held = rows.number(&format!(
        "SELECT CAST(coalesce(sum(balance), 0) AS int8) FROM accounts WHERE id >= {FIRST_NO}"
    ));
    assert_eq!(u64::try_from(held), Ok(sum));
    let log = ReplayedLog::read(&rows);
    let (logged, root) = log.key_accounts();
    assert_eq!(logged, sum);
    for auditor in &network.full {
        let status = status(auditor);
        let last = &status["last_batch"];
        assert_eq!(
            (&last["key_accounts"], &last["ledger_root"]),
            (&json!(sum), &json!(root)),
            "{status:#}"
        );
    }
}

/// The log has every acknowledged payment to somebody once, and no other one.
fn compare_payments(rows: &Rows<'_>, books: &KeyBooks) {
    let payments = leaves(rows).into_iter().filter(|leaf| leaf[1] == PAID);
    let logged = payments.map(|leaf| serde_json::from_slice::<Value>(&leaf[PAYMENT_AT..]).unwrap());
    let mut logged: Vec<(String, String)> = logged
        .filter(|payment| payment["to"] != "mint")
        .map(|payment| {
            let memo = payment["memo"].as_str().unwrap().to_owned();
            (
                memo,
                format!("{}.{}", payment["from"].as_str().unwrap(), payment["seq"]),
            )
        })
        .collect();
    let payments = books.payments().into_iter();
    let mut told: Vec<(String, String)> = payments.map(|payment| (payment.memo, payment.id)).collect();
    logged.sort_unstable();
    told.sort_unstable();
    let differing: Vec<_> = logged.iter().filter(|payment| !told.contains(payment)).collect();
    assert!(
        logged == told,
        "payments that no wallet was told of: {differing:#?}"
    );
}

/// Every wallet finds its money proven in an auditor's copy of the log, all its payments final, and no promise broken.
pub(super) fn ask_wallets(network: &Network, wallets: &[KeyWallet], books: &KeyBooks) {
    let (accounts, payments) = (books.accounts(), books.payments());
    for (number, KeyWallet { wallet, keys, .. }) in wallets.iter().enumerate() {
        let auditor = &network.full[number % FULL];
        let hash = status(auditor)["origin_hash"].as_str().unwrap().to_owned();
        let mirror = auditor.url(&format!("/{hash}/log"));
        for key in keys {
            let shown = wallet
                .key(&["show", "--json", "--key", key, "--from", &mirror])
                .json();
            assert_eq!(shown["balance"], accounts[key].balance, "{shown:#}");
            let listed = shown["payments"].as_array().unwrap().iter();
            let listed: BTreeSet<(&str, &str)> = listed
                .map(|payment| {
                    (
                        payment["payment"].as_str().unwrap(),
                        payment["state"].as_str().unwrap(),
                    )
                })
                .collect();
            let of_key = payments.iter().filter(|payment| payment.from == *key);
            let expected = of_key.map(|payment| (&*payment.id, "final")).collect();
            assert_eq!(listed, expected, "{key}");
        }
        wait_for("the promises are kept", || {
            let log = wallet.run(&["log", "--json"]).json();
            assert_eq!(log["faults"], json!([]), "{log:#}");
            (log["promises"]["open"] == 0).then_some(()).ok_or(log)
        });
    }
}

/// Proofs of payments, and what is needed to verify them.
pub(super) struct Proofs {
    folder: PathBuf,
    cddc: PathBuf,
    payments: Vec<(KeyPayment, PathBuf)>,
}

/// Fetches the proof of every payment, as its payee does. All payments must be final.
pub(super) fn fetch_proofs(network: &Network, books: &KeyBooks) -> Proofs {
    let folder = network.currency.scratch("offline");
    fs::create_dir(&folder).unwrap();
    let cddc = folder.join("cddc");
    fs::write(&cddc, get_text(&network.url("/cddc"))).unwrap();
    let fetch = |payment: KeyPayment| {
        let url = network.url(&format!("/v1/key-payments/{}", payment.id));
        let answer = reqwest::blocking::get(url).unwrap();
        let (status, proof) = (answer.status(), answer.text().unwrap());
        assert_eq!(status, 200, "{}: {proof}", payment.id);
        let file = folder.join(format!("{}.tlog-proof", payment.memo));
        fs::write(&file, proof).unwrap();
        (payment, file)
    };
    let payments = books.payments().into_iter().map(fetch).collect();
    Proofs {
        folder,
        cddc,
        payments,
    }
}

impl Proofs {
    /// Verifies all of them, when nobody can be asked any more.
    pub(super) fn verify(&self, tally: &Tally) {
        let next = AtomicUsize::new(0);
        let verified = in_parallel(VERIFIERS, |_| {
            let mut places = BTreeSet::new();
            while let Some((payment, file)) = self.payments.get(next.fetch_add(1, Ordering::Relaxed)) {
                places.insert(self.verify_payment(payment, file));
            }
            places
        });
        let places: BTreeSet<u64> = verified.into_iter().flatten().collect();
        assert_eq!(
            places.len(),
            self.payments.len(),
            "each has a place of its own in the log"
        );
        tally.add(PROOFS_VERIFIED, places.len() as u64);
    }

    /// Returns the place of the payment in the log.
    fn verify_payment(&self, payment: &KeyPayment, file: &Path) -> u64 {
        let shown = self.key_verify(file).success().json();
        let to = match &payment.payee {
            KeyPayee::Key(key) => key,
            KeyPayee::Shop => "account",
        };
        for (name, expected) in [
            ("payment", json!(payment.id)),
            ("from", json!(payment.from)),
            ("to", json!(to)),
            ("amount", json!(payment.amount)),
            ("memo", json!(payment.memo)),
            ("final", json!(true)),
        ] {
            assert_eq!(shown[name], expected, "{name} of {shown:#}");
        }
        shown["index"].as_u64().unwrap()
    }

    /// Runs `opencoin key verify` with nothing else than the proof and the description of the currency.
    fn key_verify(&self, file: &Path) -> Output {
        let mut alone = command();
        alone
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env_remove("XDG_DATA_HOME");
        let cddc = text(&self.cddc);
        run(
            &mut alone,
            &["key", "verify", text(file), "--cddc", cddc, "--json"],
        )
    }
}
