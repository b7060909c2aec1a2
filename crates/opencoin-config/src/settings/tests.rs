use super::*;
use crate::config::{KeyConfig, LISTEN_DEFAULT};
use crate::sections::{LogFormat, WhenShort};
use crate::signer::{Lanes, SignerProcess};

const FILE: &str =
    "database = 'sqlite:x'\n\n[keys]\nstore = 'files'\nfolder = 'k'\n[limits]\nrequests_burst = 7\n";

fn load(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Settings, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let overrides =
        Overrides::of_environment(environment.iter().map(owned)).map_err(|error| error.to_string())?;
    let overrides = overrides.with_flags(flags.iter().map(|(path, value)| (*path, (*value).to_owned())));
    Settings::load(Path::new("issuer.toml"), text, &overrides).map_err(|error| error.to_string())
}

fn refused(text: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> String {
    load(text, environment, flags)
        .map(|settings| settings.config)
        .unwrap_err()
}

#[test]
fn missing_settings_have_their_defaults() {
    let settings = load("database = 'sqlite:x'", &[], &[]).unwrap();
    assert_eq!(settings.config, Config::new("sqlite:x", LISTEN_DEFAULT));
    assert_eq!(
        (settings.origin("database"), settings.origin("listen")),
        (&Origin::File { line: 1 }, &Origin::Default)
    );
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let (name, path) = ("OPENCOIN_ISSUER_LIMITS_REQUESTS_BURST", "limits.requests_burst");
    let burst = |environment: &[(&str, &str)], flags: &[(&'static str, &str)]| {
        let settings = load(FILE, environment, flags).unwrap();
        let origin = settings.origin(path).to_string();
        (settings.config.limits.requests_burst.get(), origin)
    };
    assert_eq!(burst(&[], &[]), (7, "file, line 7".to_owned()));
    assert_eq!(burst(&[(name, "8")], &[]), (8, format!("environment, {name}")));
    assert_eq!(
        burst(&[(name, "8")], &[(path, "9")]),
        (9, "flag, --limits-requests-burst".to_owned())
    );
}

#[test]
fn every_setting_can_be_given_by_a_flag_and_by_a_variable() {
    for setting in SETTINGS {
        let value = match setting.path {
            "database" => "sqlite:y",
            "listen" | "admin.listen" | "signer.address" => "127.0.0.2:1",
            "proxy.trusted" => "10.0.0.1, ::1",
            "admin.hosts" | "hosts" => "desk.example, metrics.example",
            "accounts.when_short" => "delay",
            "admin.second_person_above" => "500.00",
            "web.supply" => "off",
            "bank.iban" => "GB29NWBK60161331926819",
            "bank.bic" => "COBADEFFXXX",
            "bank.currency" => "USD",
            "bank_csv.delimiter" => "|",
            "bank_csv.encoding" => "windows-1252",
            "bank_csv.decimal" => ".",
            "bank_csv.date_format" => "YYYY-MM-DD",
            "log.format" => "json",
            "keys.store" | "keys.module" | "keys.label" => "token",
            "signer.by" => "socket",
            "signer.lanes" => "off",
            "keys.sessions" => "2",
            "limits.body_bytes_max" => "1000",
            "limits.bodies_bytes_in_flight_max" => "30000000",
            "rotation.key_bits" => "3072",
            "rotation.key_primes" => "3",
            "rotation.overlap" | "rotation.lead" | "rotation.resume_window" | "rotation.offline_time" => {
                "3days"
            }
            "rotation.signing_window" | "rotation.coin_lifetime" => "300days",
            "accounts.session_lifetime"
            | "accounts.service_session_lifetime"
            | "accounts.wait"
            | "shutdown_grace" => "2hours",
            "public_log.every" | "public_log.latest" => "15minutes",
            _ => match setting.kind {
                SettingKind::Flag => "true",
                SettingKind::Number => "17",
                SettingKind::Text | SettingKind::Tag | SettingKind::List => "some/path",
            },
        };
        // The other keys that its table requires.
        let mut all: Vec<(&'static str, &str)> = match setting.table() {
            "tls" => vec![("tls.certificate", "c"), ("tls.key", "k")],
            "keys" if setting.path == "keys.folder" => vec![("keys.store", "files")],
            "keys" => vec![("keys.store", "token"), ("keys.module", "m"), ("keys.label", "l")],
            "signer" if ["signer.by", "signer.path"].contains(&setting.path) => {
                vec![("signer.by", "socket"), ("signer.path", "p")]
            }
            "signer" => ["address", "name", "certificate", "key", "authority"]
                .iter()
                .map(|key| Setting::of_path(&format!("signer.{key}")).unwrap().path)
                .map(|path| (path, "v"))
                .chain([("signer.by", "tls")])
                .collect(),
            _ => vec![],
        };
        all.retain(|(path, _)| *path != setting.path);
        all.push((setting.path, value));
        let names: Vec<(String, &str)> = all
            .iter()
            .map(|(path, value)| (Setting::of_path(path).unwrap().variable(), *value))
            .collect();
        let environment: Vec<(&str, &str)> = names
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        let by_flags = load(FILE, &[], &all).unwrap_or_else(|error| panic!("{}: {error}", setting.path));
        let by_environment = load(FILE, &environment, &[]).unwrap();
        assert_eq!(by_flags.config, by_environment.config, "{}", setting.path);
        assert!(matches!(by_flags.origin(setting.path), Origin::Flag { .. }));
        assert!(matches!(
            by_environment.origin(setting.path),
            Origin::Environment { .. }
        ));
        let shown = by_flags
            .entries()
            .into_iter()
            .find(|entry| entry.path == setting.path)
            .unwrap()
            .value
            .unwrap();
        let shown = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
        assert_eq!(shown.replace(['[', ']', '"'], ""), value, "{}", setting.path);
    }
}

#[test]
fn a_table_can_be_spread_over_layers_or_replaced() {
    let (store, module) = (
        ("OPENCOIN_ISSUER_KEYS_STORE", "token"),
        ("OPENCOIN_ISSUER_KEYS_MODULE", "m.so"),
    );
    let settings = load(FILE, &[store, module], &[("keys.label", "mint")]).unwrap();
    assert_eq!(
        settings.config.keys,
        KeyConfig::Token {
            module: "m.so".into(),
            label: "mint".to_owned(),
            sessions: None
        }
    );
    let missing = refused(FILE, &[store], &[("keys.label", "mint")]);
    assert!(
        missing.contains("OPENCOIN_ISSUER_KEYS_STORE") && missing.contains("module"),
        "{missing}"
    );

    let signer =
        "database = 'sqlite:x'\n[signer]\nby = 'socket'\npath = 's'\n[tls]\ncertificate = 'c'\nkey = 'k'\n";
    let same = load(signer, &[("OPENCOIN_ISSUER_SIGNER_PATH", "t")], &[]).unwrap();
    assert_eq!(
        same.config.signer.process,
        Some(SignerProcess::Socket { path: "t".into() })
    );
    // `signer.lanes` is not one of the keys that `signer.by` selects.
    let lanes_off = signer.replace("by =", "lanes = 'off'\nby =");
    let other = load(&lanes_off, &[("OPENCOIN_ISSUER_SIGNER_BY", "")], &[]).unwrap();
    assert_eq!(
        (other.config.signer.lanes, other.config.signer.process),
        (Lanes::Off, None)
    );
    let wrong = refused(FILE, &[], &[("signer.lanes", "on")]);
    assert!(
        wrong.contains("--signer-lanes") && wrong.contains("`auto` or `off`"),
        "{wrong}"
    );

    let none = load(
        signer,
        &[("OPENCOIN_ISSUER_SIGNER_BY", ""), ("OPENCOIN_ISSUER_TLS_KEY", "")],
        &[("tls.certificate", "")],
    );
    let none = none.unwrap();
    assert_eq!((none.config.signer.process, none.config.tls), (None, None));
    assert!(refused(signer, &[("OPENCOIN_ISSUER_TLS_KEY", "")], &[]).contains("missing field `key`"));
}

#[test]
fn a_misspelt_name_is_an_error_with_a_suggestion() {
    for (text, words) in [
        (
            "database = 'sqlite:x'\ndatabse = 1",
            ["line 2", "databse", "did you mean \"database\"?"],
        ),
        (
            "database = 'sqlite:x'\n[keys]\nstore = 'files'\nfoldr = 'k'",
            ["line 4", "keys.foldr", "\"keys.folder\""],
        ),
        (
            "database = 'sqlite:x'\n[limit]\nrequests_burst = 1",
            ["line 3", "limit.requests_burst", "\"limits.requests_burst\""],
        ),
        (
            "database = 'sqlite:x'\nrequests_burst = 1",
            ["line 2", "requests_burst", "\"limits.requests_burst\""],
        ),
        (
            "database = 'sqlite:x'\nxylophone = 1",
            ["line 2", "xylophone", "no setting"],
        ),
        (
            "database = 'sqlite:x'\ntls = 1",
            ["line 2", "tls is a table", "[tls]"],
        ),
    ] {
        let error = refused(text, &[], &[]);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let error = refused(FILE, &[("OPENCOIN_ISSUER_LISTN", "x")], &[]);
    assert!(
        error.contains("OPENCOIN_ISSUER_LISTN") && error.contains("OPENCOIN_ISSUER_LISTEN"),
        "{error}"
    );
    assert!(
        load(
            FILE,
            &[
                ("OPENCOIN_ISSUER_DIR", "x"),
                ("OPENCOIN_PASSPHRASE", "x"),
                ("HOME", "x")
            ],
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_wrong_value_is_an_error_with_its_place_and_the_expected_form() {
    for (text, words) in [
        (
            "database = 'sqlite:x'\n[keys]\nstore = 'tokn'",
            ["keys", "tokn", "token"],
        ),
        (
            "database = 'sqlite:x'\n[rotation]\noverlap = 'soon'",
            ["line 3", "rotation.overlap", "90days"],
        ),
        (
            "database = 'sqlite:x'\n[rotation]\nsigning_window = '10 days'\noverlap = '10 days'",
            ["rotation", "overlap", "shorter"],
        ),
        (
            "database = 'sqlite:x'\n[rotation]\nkey_primes = 4",
            ["line 3", "rotation.key_primes", "2 or 3 primes"],
        ),
        (
            "database = 'sqlite:x'\n[rotation]\nkey_primes = 3\n[keys]\nstore = 'token'\nmodule = 'm'\nlabel = 'l'",
            [
                "line 3",
                "rotation.key_primes",
                "tokens make RSA keys with 2 primes only",
            ],
        ),
        (
            "database = 'sqlite:x'\n[limits]\nconnections_max = 0",
            ["line 3", "limits.connections_max", "nonzero"],
        ),
        (
            "database = 'sqlite:x'\nlisten = '127.0.0.1'",
            ["line 2", "listen", "ADDRESS:PORT"],
        ),
        ("database = 'mysql:x'", ["line 1", "database", "sqlite:PATH"]),
        (
            "listen = '127.0.0.1:1'",
            ["issuer.toml", "missing field", "database"],
        ),
        ("database = 'sqlite:x'\nlisten = ", ["issuer.toml", "line 2", ":"]),
        (
            "database = 'sqlite:x'\n[limits]\nbodies_bytes_in_flight_max = 9",
            ["line 3", "limits.bodies_bytes_in_flight_max", "body_bytes_max"],
        ),
    ] {
        let error = refused(text, &[], &[]);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    for (path, value, expected) in [
        ("limits.requests_per_second", "many", "a whole number"),
        ("limits.requests_per_second", "-1", "u32"),
        ("insecure_http", "yes", "true or false"),
        ("proxy.trusted", "10.0.0.1,proxy.example", "IP address"),
        ("accounts.wait", "soon", "90days"),
        ("log.format", "xml", "`json`"),
        ("database", "mysql:x", "sqlite:PATH"),
    ] {
        let setting = Setting::of_path(path).unwrap();
        let (variable, flag) = (setting.variable(), format!("--{}", setting.flag()));
        let error = refused(FILE, &[(&variable, value)], &[]);
        assert!(error.contains(&variable) && error.contains(expected), "{error}");
        let error = refused(FILE, &[], &[(setting.path, value)]);
        assert!(error.contains(&flag) && error.contains(expected), "{error}");
    }
}

#[test]
fn no_password_is_shown() {
    const URL: &str = "postgres://opencoin:s3cret@db/books";
    let shown = |settings: &Settings| {
        settings
            .entries()
            .iter()
            .map(|entry| format!("{:?}", entry.value))
            .collect::<String>()
    };
    let variable = ("OPENCOIN_ISSUER_DATABASE", URL);
    let settings = load(FILE, &[variable], &[]).unwrap();
    assert_eq!(settings.config.database, URL);
    assert!(shown(&settings).contains("postgres://opencoin:***@db/books"));
    let overrides =
        Overrides::of_environment([("OPENCOIN_ISSUER_DATABASE".to_owned(), URL.to_owned())]).unwrap();
    for text in [
        shown(&settings),
        format!("{overrides:?}"),
        refused(&format!("database = '{URL}\nlisten = 'x'"), &[], &[]),
        refused(&format!("listen = '{URL}'"), &[], &[]),
        refused(FILE, &[("OPENCOIN_ISSUER_LOG_FORMAT", URL)], &[]),
        refused(FILE, &[("OPENCOIN_ISSUER_LIMITS_REQUESTS_BURST", URL)], &[]),
        refused(FILE, &[("OPENCOIN_ISSUER_ADMIN_LISTEN", URL)], &[]),
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let delay = load(
        "database = 'sqlite:x'\naccounts = { when_short = 'delay' }\nlog.format = 'json'",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(
        (delay.config.accounts.when_short, delay.config.log.format),
        (WhenShort::Delay, LogFormat::Json)
    );
}
