//! Mistakes with the commands that handle keys: wrong passphrases, ids and files. Every refusal says what to do and
//! changes nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencoin_e2e::files::{contents, set_mode, text};
use opencoin_e2e::{
    Currency, Log, MASTER_PASSPHRASE, Output, PASSPHRASE, Process, RFC9474, SQLITE, create_master_key,
    opencoin, run,
};
use serde_json::Value;

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

/// Writes a file with these permissions, and returns its path.
fn secret_file(currency: &Currency, name: &str, content: &str, mode: u32) -> String {
    let path = currency.scratch(name);
    fs::write(&path, content).unwrap();
    set_mode(&path, mode);
    text(&path).to_owned()
}

/// Checks that a server starts with these variables and options.
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
fn a_missing_or_wrong_passphrase_is_reported_and_creates_nothing() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let before = [
        contents(&currency.dir().join("keys")),
        contents(&currency.dir().join("mkcs")),
    ];
    let master = [("OPENCOIN_MASTER_PASSPHRASE", MASTER_PASSPHRASE)];
    let wrong = "the passphrase is not this key's";
    // A wrong passphrase is refused even if the command only creates keys, because they could never be opened.
    let with = |passphrase| [master[0], ("OPENCOIN_PASSPHRASE", passphrase)];
    for arguments in [
        &["serve"][..],
        &["keys", "rotate", "--now"],
        &["cdd", "change", "--denominations", "1,2,5,10,20"],
    ] {
        let _ = issuer_with(&with("wrong"), &currency, arguments).refused(1, wrong);
    }
    // The passphrase is missing, and there is no terminal to ask for it.
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
    // The passphrase is empty.
    let _ = issuer_with(&with(""), &currency, &["serve"]).refused(
        1,
        "in OPENCOIN_PASSPHRASE: the passphrase of the private keys is empty",
    );
    for (name, content) in [("empty", ""), ("newline", "\n")] {
        let file = secret_file(&currency, name, content, 0o600);
        let _ = issuer_with(&[], &currency, &["serve", "--passphrase-file", &file])
            .refused(1, "the passphrase of the private keys is empty");
    }
    // The file is readable by others, or missing.
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
    assert!(before == after, "no key was created or changed");
    // The master key has another passphrase. With the right one, the next rotation finishes the work.
    let master_wrong = [
        ("OPENCOIN_MASTER_PASSPHRASE", PASSPHRASE),
        ("OPENCOIN_PASSPHRASE", PASSPHRASE),
    ];
    let _ = issuer_with(&master_wrong, &currency, &["keys", "rotate", "--now"]).refused(1, wrong);
    currency.issuer(&["keys", "rotate"]);
    assert_eq!(contents(&currency.dir().join("mkcs")).len(), 8);

    // A file has priority over the environment, which has priority over a systemd credential. The final newline does not
    // belong to the passphrase.
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
fn an_interrupted_change_of_the_passphrase_can_be_completed() {
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
    assert!(said.contains("6 private keys have the new passphrase"), "{said}");
    let is_private = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600;
    assert!(contents(&keys).keys().all(is_private));
    let _ = issuer_with(&old, &currency, &["serve"]).refused(1, "the passphrase is not this key's");
    serves_with(&[], &currency, &["--passphrase-file", &new]);

    // After a crash some keys have the old passphrase and some the new one. Neither opens all keys.
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

    // The master key's passphrase is changed separately.
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
    // Without a separate passphrase, that of the mint keys is used for the master key.
    let _ = issuer_with(&new_variable, &currency, &["keys", "rotate"]).success();
    fs::remove_dir_all(master).unwrap();
    let _ = change_master().refused(1, "master.pem does not exist");
}

#[test]
fn a_key_is_revoked_once_and_by_its_id() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let states = || -> Vec<Value> { currency.keys().iter().map(|key| key["state"].clone()).collect() };
    let keys = currency.keys();
    let id = keys[2]["id"].as_str().unwrap();
    let unknown = "0".repeat(40);
    for wrong in ["", &id[..5], &id[1..], &unknown] {
        let refused = currency.issuer_unchecked(&["keys", "revoke", wrong, "--reason", "stolen"]);
        let _ = refused.refused(
            4,
            &format!("no mint key has the id {wrong}; `opencoin issuer keys list` shows the ids"),
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
    assert_eq!(currency.keys()[2]["revoked_reason"], "laptop stolen on Monday");
    assert!(
        currency
            .issuer(&["keys", "list"])
            .stdout
            .contains("REVOKED: laptop stolen on Monday")
    );
    currency.audit();
}

#[test]
fn a_key_that_waits_for_a_server_can_be_revoked_alone() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let waiting = || -> Vec<Value> {
        let mut keys = currency.keys();
        keys.retain(|key| !key["waits_until"].is_null());
        keys.into_iter().map(|key| key["id"].clone()).collect()
    };
    assert!(waiting().is_empty(), "new books begin with their keys");
    let said = currency.issuer(&["keys", "rotate", "--now"]).stdout;
    assert!(said.contains("; one must run by 2"), "{said}");
    let ids = waiting();
    assert_eq!(ids.len(), 4);
    let checked = currency.issuer_unchecked(&["check"]).stdout;
    assert!(
        checked.contains("4 wait for a server to enter them in the books"),
        "{checked}"
    );

    currency.issuer(&["keys", "revoke", ids[1].as_str().unwrap(), "--reason", "stolen"]);
    assert_eq!(waiting(), [ids[0].clone(), ids[2].clone(), ids[3].clone()]);
    let revoked = currency.keys().into_iter().find(|key| key["id"] == ids[1]);
    assert_eq!(revoked.unwrap()["state"], "revoked");
    currency.audit();
}

#[test]
fn only_requested_certificates_are_signed_and_only_signed_ones_are_imported() {
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

    // A master key that has signed for one currency refuses to sign for another, both a new one and later keys.
    let shown = sign(&our_vault, &["--show"]).success().stdout;
    assert!(
        shown.contains("WARNING: it cannot be signed") && shown.contains("OpenCent"),
        "{shown}"
    );
    let _ = sign(&our_vault, &["--yes"]).refused(1, "a new currency needs a master key of its own");
    let vault = theirs.scratch("vault");
    let _ = sign(&vault, &["--yes"]).refused(1, "`opencoin master create` creates a master key");
    let id = &create_master_key(text(&vault));
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

    // Only the answer to the request is imported.
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
            .contains("these certificates were imported before: nothing changed")
    );
    // Certificates that were not requested are refused, even with a valid signature.
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
fn the_help_of_every_command_explains_it() {
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
        // The help breaks lines at the terminal's width.
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("Usage: opencoin") && words.contains(text),
            "{help}"
        );
        for secret in [PASSPHRASE, MASTER_PASSPHRASE] {
            assert!(
                !help.contains(secret),
                "the help shows a secret of the environment: {help}"
            );
        }
    }
}

#[test]
fn a_request_is_given_up_once_and_by_its_fingerprint() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    fs::rename(currency.dir().join("master"), currency.scratch("vault")).unwrap();
    let nothing = currency.issuer(&["keys", "give-up"]).stdout;
    assert!(nothing.contains("nothing waits for the master key"), "{nothing}");
    let request = || {
        let waits = currency.issuer(&["keys", "rotate", "--now", "--json"]).stdout;
        let waits: Value = serde_json::from_str(&waits).unwrap();
        waits["fingerprint"].as_str().unwrap().to_owned()
    };
    let give_up = |arguments: &[&str]| {
        let dir = currency.dir();
        let all = [&["issuer", "keys", "give-up"], arguments, &["--dir", text(&dir)]].concat();
        run(&mut bare(), &all)
    };
    let (first, pending) = (request(), currency.dir().join("pending.json"));
    let _ = give_up(&[]).refused(1, &format!("--request \"{first}\""));
    let _ = give_up(&["--request", "0 0"]).refused(1, &first);
    assert!(pending.exists());
    let done = give_up(&["--request", &first, "--operator", "desk", "--json"])
        .success()
        .stdout;
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["given_up"], true);
    assert!(!pending.exists());
    // The next request is another one.
    let second = request();
    assert_ne!(second, first);
    let _ = give_up(&["--request", &first]).refused(1, &second);
    let _ = give_up(&["--request", &second]).success();
    let again = give_up(&["--request", &second]).success().stdout;
    assert!(again.contains("nothing changed"), "{again}");
    let said = currency.issuer(&["actions"]).stdout;
    let given_up: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("give-up-request"))
        .collect();
    assert_eq!(given_up.len(), 2, "{said}");
    assert!(
        given_up[1].contains("desk") && given_up[1].contains(&first),
        "{said}"
    );

    // A description that the master key may have signed is given up only on the operator's word.
    currency.issuer(&["cdd", "change", "--info", "another text"]);
    let fingerprint = {
        let said = give_up(&[]).refused(1, "--request").stderr;
        let begin = said.find("--request \"").unwrap() + "--request \"".len();
        said[begin..].split('"').next().unwrap().to_owned()
    };
    let _ = give_up(&["--request", &fingerprint]).refused(1, "may have signed the description");
    assert!(pending.exists());
    let _ = give_up(&["--request", &fingerprint, "--never-signed"]).success();
    assert!(!pending.exists());
}
