//! The commands that hold keys, as people mistype them: passphrases, ids, files of somebody else. Every
//! refusal says what to do and changes nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencoin_e2e::{Currency, Log, MASTER_PASSPHRASE, Output, PASSPHRASE, Process, RFC9474, opencoin, run};
use serde_json::Value;

const SQLITE: &str = "sqlite:ledger.sqlite";

/// The binary without any passphrase in its environment.
fn bare() -> Command {
    let mut command = opencoin_e2e::command();
    command
        .env_remove("OPENCOIN_PASSPHRASE")
        .env_remove("OPENCOIN_MASTER_PASSPHRASE");
    command
}

/// Runs `opencoin issuer ARGUMENTS` on a currency with these variables and no other passphrase.
fn issuer_with(variables: &[(&str, &str)], currency: &Currency, arguments: &[&str]) -> Output {
    let dir = currency.dir();
    let all = [&["issuer"], arguments, &["--dir", text(&dir)]].concat();
    run(bare().envs(variables.iter().copied()), &all)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes a file that is for its owner alone, unless `mode` says otherwise.
fn secret_file(currency: &Currency, name: &str, content: &str, mode: u32) -> String {
    let path = currency.scratch(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    text(&path).to_owned()
}

/// Every file of a folder and what is in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Serves with these variables and options until it says that it does.
fn serves_with(variables: &[(&str, &str)], currency: &Currency, options: &[&str]) {
    let mut command = bare();
    command
        .envs(variables.iter().copied())
        .args(["issuer", "serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(currency.dir());
    Process::start(
        command.args(options).env("OPENCOIN_LOG", "warn"),
        "serving ",
        &Log::default(),
    )
    .stop();
}

#[test]
fn a_passphrase_is_asked_for_in_words_and_a_wrong_one_makes_nothing() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let before = [
        contents(&currency.dir().join("keys")),
        contents(&currency.dir().join("mkcs")),
    ];
    let master = [("OPENCOIN_MASTER_PASSPHRASE", MASTER_PASSPHRASE)];
    let wrong = "the passphrase is not this key's";
    // Wrong: also where nothing would be read but keys be made, which would never be opened again.
    let with = |passphrase| [master[0], ("OPENCOIN_PASSPHRASE", passphrase)];
    for arguments in [
        &["serve"][..],
        &["keys", "rotate", "--now"],
        &["cdd", "change", "--denominations", "1,2,5,10,20"],
    ] {
        let _ = issuer_with(&with("wrong"), &currency, arguments).refused(1, wrong);
    }
    // Missing, and nobody there who could type it.
    for arguments in [
        &["serve"][..],
        &["keys", "rotate"],
        &["keys", "destroy"],
        &["cdd", "change", "--info", "x"],
    ] {
        let asked = "this needs the passphrase of the private keys: --passphrase-file FILE, OPENCOIN_PASSPHRASE in the environment, or";
        let _ = issuer_with(&master, &currency, arguments).refused(1, asked);
    }
    let _ = issuer_with(&[], &currency, &["keys", "list"]).success();
    let _ = issuer_with(&[], &currency, &["keys", "plan"]).success();
    // Empty.
    let _ = issuer_with(&with(""), &currency, &["serve"]).refused(
        1,
        "in OPENCOIN_PASSPHRASE: the passphrase of the private keys is empty",
    );
    for (name, content) in [("empty", ""), ("newline", "\n")] {
        let file = secret_file(&currency, name, content, 0o600);
        let _ = issuer_with(&[], &currency, &["serve", "--passphrase-file", &file])
            .refused(1, "the passphrase of the private keys is empty");
    }
    // A file that others can read, or that is not there.
    let open = secret_file(&currency, "open", PASSPHRASE, 0o644);
    let said = format!("other users can access {open} (mode 644): run `chmod 600 {open}`");
    let _ = issuer_with(&[], &currency, &["serve", "--passphrase-file", &open]).refused(1, &said);
    let _ = issuer_with(&[], &currency, &["serve", "--passphrase-file", "/nowhere"])
        .refused(1, "cannot read the passphrase");
    assert!(!currency.dir().join("pending.json").exists());
    let after = [
        contents(&currency.dir().join("keys")),
        contents(&currency.dir().join("mkcs")),
    ];
    assert!(before == after, "no key was made and none changed");
    // The master key's passphrase is another. What was begun is finished with the right one.
    let master_wrong = [
        ("OPENCOIN_MASTER_PASSPHRASE", PASSPHRASE),
        ("OPENCOIN_PASSPHRASE", PASSPHRASE),
    ];
    let _ = issuer_with(&master_wrong, &currency, &["keys", "rotate", "--now"]).refused(1, wrong);
    currency.issuer(&["keys", "rotate"]);
    assert_eq!(contents(&currency.dir().join("mkcs")).len(), 8);

    // A file comes before the environment, that before a systemd credential; the end of a line does not
    // belong to it.
    let right = secret_file(&currency, "right", &format!("{PASSPHRASE}\n"), 0o600);
    serves_with(
        &[("OPENCOIN_PASSPHRASE", "wrong")],
        &currency,
        &["--passphrase-file", &right],
    );
    let credentials = currency.scratch("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("opencoin-passphrase"), PASSPHRASE).unwrap();
    let credential = ("CREDENTIALS_DIRECTORY", text(&credentials));
    serves_with(&[credential], &currency, &[]);
    let _ = issuer_with(
        &[credential, ("OPENCOIN_PASSPHRASE", "wrong")],
        &currency,
        &["serve"],
    )
    .refused(1, wrong);
}

#[test]
fn a_passphrase_is_changed_for_good_also_when_that_was_interrupted() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let (keys, master) = (currency.dir().join("keys"), currency.dir().join("master"));
    let new = secret_file(&currency, "new", "a new passphrase", 0o600);
    let change = |variables: &[(&str, &str)], options: &[&str]| {
        issuer_with(variables, &currency, &[&["keys", "passphrase"], options].concat())
    };
    let old = [("OPENCOIN_PASSPHRASE", PASSPHRASE)];
    let before = contents(&keys);
    let asked = "this needs the new passphrase: --new-passphrase-file FILE, OPENCOIN_NEW_PASSPHRASE in the environment, or";
    let _ = change(&old, &[]).refused(1, asked);
    let _ = change(
        &[("OPENCOIN_PASSPHRASE", "wrong")],
        &["--new-passphrase-file", &new],
    )
    .refused(1, "not this key's");
    let open = secret_file(&currency, "open", "a new passphrase", 0o640);
    let _ = change(&old, &["--new-passphrase-file", &open]).refused(1, "chmod 600");
    let empty = secret_file(&currency, "empty", "\n", 0o600);
    let _ = change(&old, &["--new-passphrase-file", &empty]).refused(1, "the new passphrase is empty");
    assert!(contents(&keys) == before, "nothing has changed");

    let said = change(&old, &["--new-passphrase-file", &new]).success().stdout;
    assert!(said.contains("4 private keys have the new passphrase"), "{said}");
    let is_private = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600;
    assert!(contents(&keys).keys().all(is_private));
    let _ = issuer_with(&old, &currency, &["serve"]).refused(1, "the passphrase is not this key's");
    serves_with(&[], &currency, &["--passphrase-file", &new]);

    // As a crash leaves it: some keys under the old passphrase, some under the new one. Neither opens all of
    // them.
    for (path, content) in before.iter().take(2) {
        fs::write(path, content).unwrap();
    }
    let new_variable = [("OPENCOIN_PASSPHRASE", "a new passphrase")];
    for variables in [&old, &new_variable] {
        let _ = issuer_with(variables, &currency, &["serve"]).refused(1, "the passphrase is not this key's");
    }
    let said = change(&old, &["--new-passphrase-file", &new]).success().stdout;
    assert!(said.contains("2 private keys have the new passphrase"), "{said}");
    serves_with(&new_variable, &currency, &[]);

    // The master key has a passphrase of its own, and a change of its own.
    let own = [
        ("OPENCOIN_PASSPHRASE", "a new passphrase"),
        ("OPENCOIN_MASTER_PASSPHRASE", MASTER_PASSPHRASE),
    ];
    let folder = master.to_str().unwrap().to_owned();
    let master_passphrase = [
        "master",
        "passphrase",
        "--new-passphrase-file",
        &new,
        "--dir",
        &folder,
    ];
    let change_master = || run(bare().envs(own.iter().copied()), &master_passphrase);
    let said = change_master().success().stdout;
    assert!(said.contains("has the new passphrase"), "{said}");
    let _ = issuer_with(&own, &currency, &["keys", "rotate", "--now"]).refused(1, "not this key's");
    // Without a word about the master key, it is tried with that of the mint keys.
    let _ = issuer_with(&new_variable, &currency, &["keys", "rotate"]).success();
    fs::remove_dir_all(master).unwrap();
    let _ = change_master().refused(1, "master.pem is not there");
}

#[test]
fn a_key_that_is_to_be_revoked_must_be_named_and_is_revoked_once() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let states = || -> Vec<Value> {
        let keys = currency.issuer(&["keys", "list", "--json"]).json();
        keys.as_array()
            .unwrap()
            .iter()
            .map(|key| key["state"].clone())
            .collect()
    };
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let id = keys[2]["id"].as_str().unwrap();
    let unknown = "0".repeat(40);
    for wrong in ["", &id[..5], &id[1..], &unknown] {
        let refused = currency.issuer_unchecked(&["keys", "revoke", wrong, "--reason", "stolen"]);
        let _ = refused.refused(
            4,
            &format!("no mint key has the id {wrong}; `opencoin issuer keys list` shows them"),
        );
    }
    let _ = currency
        .issuer_unchecked(&["keys", "revoke", id])
        .refused(2, "--reason");
    let _ = currency
        .issuer_unchecked(&["keys", "revoke", id, "--reason", ""])
        .refused(2, "--reason");
    assert_eq!(states(), ["signing"; 4]);

    let begin = id[..8].to_uppercase();
    let said = currency
        .issuer(&["keys", "revoke", &begin, "--reason", "laptop stolen on Monday"])
        .stdout;
    assert!(
        said.contains(id) && said.contains("opencoin wallet recoup") && said.contains("keys rotate"),
        "{said}"
    );
    assert_eq!(states(), ["signing", "signing", "revoked", "signing"]);
    let again = currency
        .issuer(&["keys", "revoke", id, "--reason", "another reason"])
        .stdout;
    assert!(again.contains("was revoked before: nothing changed"), "{again}");
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    assert_eq!(keys[2]["revoked_reason"], "laptop stolen on Monday");
    assert!(
        currency
            .issuer(&["keys", "list"])
            .stdout
            .contains("REVOKED: laptop stolen on Monday")
    );
    currency.audit();
}

#[test]
fn only_what_was_asked_for_is_signed_and_only_what_was_signed_is_imported() {
    let ours = Currency::make(RFC9474, SQLITE, &[]);
    let (our_vault, theirs) = (
        ours.dir().join("master"),
        Currency::make(RFC9474, SQLITE, &["--offline-master"]),
    );
    let signed = theirs.scratch("certificates.json");
    let pending = theirs.dir().join("pending.json");
    let sign = |vault: &Path, options: &[&str]| {
        let all = [
            "master",
            "sign",
            text(&pending),
            "--dir",
            text(vault),
            "--out",
            text(&signed),
        ];
        opencoin(&[&all[..], options].concat())
    };

    // A master key that has signed for one currency signs for no other: neither its beginning nor its later
    // keys.
    let shown = sign(&our_vault, &["--show"]).success().stdout;
    assert!(
        shown.contains("WARNING: it cannot be signed") && shown.contains("OpenCent"),
        "{shown}"
    );
    let _ = sign(&our_vault, &["--yes"]).refused(1, "a new currency needs a master key of its own");
    let vault = theirs.scratch("vault");
    let _ = sign(&vault, &["--yes"]).refused(1, "`opencoin master create` creates a master key");
    let created = opencoin(&["master", "create", "--dir", text(&vault), "--key-bits", "3072"])
        .success()
        .stdout;
    let id = created
        .split_once("the currency's id will be ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let _ = opencoin(&["master", "create", "--dir", text(&vault)]).refused(1, "a master key is created once");
    let _ = sign(&vault, &[]).refused(
        1,
        "this needs a confirmation on a terminal; read it with --show, then sign it with --yes",
    );
    let _ = run(
        bare().env("OPENCOIN_MASTER_PASSPHRASE", "wrong"),
        &["master", "sign", text(&pending), "--dir", text(&vault), "--yes"],
    )
    .refused(1, "the passphrase is not this key's");
    let asked = "this needs the passphrase of the master key: --master-passphrase-file FILE";
    let _ = run(
        &mut bare(),
        &["master", "sign", text(&pending), "--dir", text(&vault), "--yes"],
    )
    .refused(1, asked);
    assert!(!signed.exists(), "nothing was signed");
    let _ = sign(&vault, &["--yes"]).success();
    let _ = sign(&vault, &["--yes"]).refused(1, "exists already; name another file with --out");

    // What is no answer to the request is not taken.
    let import = |name: &str, content: &str| {
        let file = theirs.scratch(name);
        fs::write(&file, content).unwrap();
        theirs.issuer_unchecked(&["import", text(&file), "--id", id])
    };
    let good = fs::read_to_string(&signed).unwrap();
    let request = fs::read_to_string(&pending).unwrap();
    let foreign = "{\"type\": \"coinstack\", \"coins\": [], \"subject\": \"\"}";
    for (name, content) in [
        ("nonsense", "these are no certificates"),
        ("request", request.as_str()),
        ("stack", foreign),
    ] {
        let _ = import(name, content).refused(1, &format!("{name} contains no signed certificates"));
    }
    let _ = theirs
        .issuer_unchecked(&["import", "/nowhere"])
        .refused(1, "cannot read /nowhere");
    let mut longer: Value = serde_json::from_str(&good).unwrap();
    longer["mkcs"][0]["mint_key"]["coins_expiry_date"] = Value::from("2199-01-01T00:00:00+00:00");
    let _ =
        import("longer", &longer.to_string()).refused(1, "not the certificates of the request that waits");
    let mut forged: Value = serde_json::from_str(&good).unwrap();
    forged["mkcs"][0]["signature"] = forged["mkcs"][1]["signature"].clone();
    let _ = import("forged", &forged.to_string()).refused(1, "not imported: the certificate of mint key");
    assert!(
        pending.exists() && contents(&theirs.dir().join("mkcs")).is_empty(),
        "nothing was imported"
    );
    let _ = import("good", &good).success();
    assert!(
        import("good", &good)
            .success()
            .stdout
            .contains("these were imported before: nothing changed")
    );
    // Nor what nobody has asked for, however well it is signed.
    assert!(!pending.exists());
    longer["mkcs"][0]["mint_key"]["denomination"] = Value::from(2);
    let _ = import("unasked", &longer.to_string()).refused(1, "nothing here waits for certificates");

    theirs.issuer(&["keys", "rotate", "--now"]);
    fs::remove_file(&signed).unwrap();
    let _ = sign(&our_vault, &["--yes"])
        .refused(1, "not signed: the currency has another master key than this one");
    assert!(!signed.exists());
    let _ = sign(&vault, &["--yes"]).success();
    theirs.issuer(&["import", text(&signed)]);
    theirs.audit();
}

#[test]
fn every_command_says_what_it_does() {
    let commands: [(&[&str], &str); 14] = [
        (&["issuer", "keys"], "plan"),
        (&["issuer", "keys", "plan"], "what is due and when"),
        (&["issuer", "keys", "list"], "window and state"),
        (&["issuer", "keys", "rotate"], "pending.json"),
        (&["issuer", "keys", "revoke"], "at once and permanently"),
        (&["issuer", "keys", "destroy"], "cannot be undone"),
        (&["issuer", "keys", "passphrase"], "--new-passphrase-file"),
        (&["issuer", "cdd", "change"], "--denominations"),
        (&["issuer", "import"], "master key on another machine"),
        (&["issuer", "init"], "--offline-master"),
        (&["signer"], "--accept-books"),
        (&["master", "create"], "--key-bits"),
        (&["master", "sign"], "--show"),
        (&["wallet", "recoup"], "revoked"),
    ];
    for (arguments, text) in commands {
        let help = opencoin(&[arguments, &["--help"]].concat()).success().stdout;
        // Lines are broken where the terminal ends.
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("Usage: opencoin") && words.contains(text),
            "{help}"
        );
        for secret in [PASSPHRASE, MASTER_PASSPHRASE] {
            assert!(
                !help.contains(secret),
                "help shows nothing of the environment: {help}"
            );
        }
    }
}
