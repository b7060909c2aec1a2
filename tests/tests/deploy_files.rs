//! Checks of files in `deploy/` that the tests cannot run completely: units and their drop-ins with systemd's own
//! programs, manifests with their schemas, the script of compose, the health check of the container.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use opencoin_e2e::machines::MACHINES;
use opencoin_e2e::{Currency, Database, RFC9474, SQLITE, deploy};
use rustix::process::geteuid;
use serde_json::Value;

/// The highest exposure level of a unit by `systemd-analyze security`, in tenths, from 0 (safe) to 100.
const EXPOSURE_MAX: u32 = 15;
/// Python with the schemas of Kubernetes and compose and their validators, installed by `cargo xtask test`.
const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemas/bin/python3");

/// The units that belong to no currency.
const OF_NO_CURRENCY: [&str; 3] = [
    "opencoin-auditor.service",
    "opencoin-relay.service",
    "opencoin-witness.service",
];

/// The drop-ins, and the unit of each.
const DROP_INS: [(&str, &str); 4] = [
    (
        "systemd/opencoin-issuer-with-signer.conf",
        "opencoin-issuer.service",
    ),
    ("scale-out/issuer-machine.conf", "opencoin-issuer.service"),
    ("scale-out/signer-machine.conf", "opencoin-signer.service"),
    ("scale-out/key-machine.conf", "opencoin-keys.service"),
];

#[test]
fn units_are_valid_and_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let units = installed_units(folder.path());
    assert!(units.len() >= 5, "{units:?}");
    verify(&units);
}

#[test]
fn units_with_a_drop_in_are_valid_and_hardened() {
    for (drop_in, unit) in DROP_INS {
        let folder = tempfile::tempdir().unwrap();
        let _ = installed_units(folder.path());
        let unit = folder.path().join(unit);
        let changes = PathBuf::from(format!("{}.d", unit.display()));
        fs::create_dir(&changes).unwrap();
        let file = changes.join("changes.conf");
        fs::copy(deploy::path(drop_in), &file).unwrap();
        verify(std::slice::from_ref(&unit));
        // systemd has read the file.
        fs::write(&file, "[Service]\nNoSuchSetting=yes\n").unwrap();
        let refused = verification(&[unit]).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("NoSuchSetting"), "{drop_in}: {refused:?}");
    }
}

/// The units of a user's wallet.
#[test]
fn units_of_a_user_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for unit in fs::read_dir(deploy::path("systemd-user")).unwrap() {
        let unit = unit.unwrap().path();
        let text = fs::read_to_string(&unit).unwrap();
        let copy = folder.path().join(unit.file_name().unwrap());
        fs::write(&copy, text.replace("/usr/bin/opencoin", "/bin/true")).unwrap();
        units.push(copy);
    }
    assert_eq!(units.len(), 2, "a service and its timer");
    let mut verify = verification(&units);
    let said = deploy::run(verify.arg("--user").env("XDG_RUNTIME_DIR", folder.path()));
    assert_eq!(said, "", "systemd reports nothing");
    // A run that should be tried again later is no failure of the unit.
    let service = deploy::text("systemd-user/opencoin-wallet.service");
    assert!(service.contains("\nSuccessExitStatus=3\n"));
}

/// Copies all units to a folder. The program is not installed on the build machine, so another one stands for it.
fn installed_units(folder: &Path) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for unit in fs::read_dir(deploy::path("systemd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = unit.file_name().unwrap().to_str().unwrap();
        if ![".service", ".timer"].iter().any(|suffix| name.ends_with(suffix)) {
            continue;
        }
        let text = fs::read_to_string(&unit).unwrap();
        assert!(
            name.ends_with(".timer") || text.contains("/usr/bin/opencoin "),
            "{name}"
        );
        let copy = folder.join(name.replace('@', "@1"));
        fs::write(&copy, text.replace("/usr/bin/opencoin", "/bin/true")).unwrap();
        units.push(copy);
    }
    units
}

fn verification(units: &[PathBuf]) -> Command {
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--recursive-errors=one"]).args(units);
    verify
}

fn verify(units: &[PathBuf]) {
    let said = deploy::run(&mut verification(units));
    assert_eq!(said, "", "systemd reports nothing");
    for unit in units.iter().filter(|unit| unit.extension().unwrap() == "service") {
        let mut analyze = Command::new("systemd-analyze");
        analyze
            .args([
                "security",
                "--offline=yes",
                "--no-pager",
                &format!("--threshold={EXPOSURE_MAX}"),
            ])
            .arg(unit);
        deploy::run(&mut analyze);
    }
}

/// A single server and one of several servers run in the same way.
#[test]
fn the_two_units_of_the_issuer_differ_only_in_names() {
    let lines = |name: &str| {
        let text = deploy::text(&format!("systemd/{name}"));
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        lines
    };
    let (one, many) = (
        lines("opencoin-issuer.service"),
        lines("opencoin-issuer@.service"),
    );
    let only_in = |these: &[String], others: &[String]| {
        these
            .iter()
            .filter(|line| !others.contains(line))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(only_in(&one, &many), ["Description=OpenCoin issuer"]);
    assert_eq!(
        only_in(&many, &one),
        [
            "Description=OpenCoin issuer, server %i",
            "EnvironmentFile=/etc/opencoin/issuer-%i.env"
        ]
    );
    assert_eq!(one.len() + 1, many.len());
}

/// The settings of `deploy/scale-out` are those of the program, and its files name the same addresses.
#[test]
fn the_files_of_several_machines_agree() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let settings = |arguments: &[&str]| -> BTreeMap<String, Value> {
        let shown = currency
            .issuer(&[&["config", "--json"], arguments].concat())
            .json();
        let settings = shown["settings"].as_array().unwrap().iter();
        settings
            .map(|setting| {
                (
                    setting["key"].as_str().unwrap().to_owned(),
                    setting["value"].clone(),
                )
            })
            .collect()
    };
    let defaults = settings(&[]);
    let of_file = |name: &str| settings(&["--config", deploy::path(name).to_str().unwrap()]);
    let issuer = of_file("scale-out/issuer-machine.toml");
    let signer = of_file("scale-out/signer-machine.toml");
    for limit in [
        "limits.requests_per_second",
        "limits.requests_burst",
        "limits.logins_per_minute",
    ] {
        let number = |settings: &BTreeMap<String, Value>| settings[limit].as_u64().unwrap();
        assert_eq!(
            number(&issuer),
            number(&defaults).div_ceil(MACHINES as u64),
            "{limit}"
        );
    }
    for same in ["database", "signer.by", "signer.address", "signer.name"] {
        assert_eq!(issuer[same], signer[same], "{same}");
    }
    let [of_issuer, of_signer] = ["issuer", "signer"].map(|side| {
        let name = format!("scale-out/{side}-machine.conf");
        deploy::text(&name)
    });
    let host = |settings: &BTreeMap<String, Value>, key: &str| {
        let address = settings[key].as_str().unwrap();
        address.split(':').next().unwrap().to_owned()
    };
    let is_allowed = |drop_in: &str, address: &str| {
        let allowed = drop_in
            .lines()
            .find_map(|line| line.strip_prefix("IPAddressAllow="));
        allowed.unwrap().split(' ').any(|allowed| allowed == address)
    };
    assert!(is_allowed(&of_issuer, &host(&signer, "signer.address")));
    assert!(is_allowed(&of_signer, &host(&issuer, "listen")));
    assert!(is_allowed(
        &of_issuer,
        issuer["proxy.trusted"][0].as_str().unwrap()
    ));
    let (_, books) = signer["database"].as_str().unwrap().split_once('@').unwrap();
    assert!(of_signer.contains(&format!("postgres://opencoin_signer@{books}\n")));
    let upstream = deploy::text("scale-out/upstream.conf");
    assert!(upstream.contains(&format!("server {} ", issuer["listen"].as_str().unwrap())));
}

/// `keys destroy` with another ledger than the server's would destroy private keys that are still needed.
#[test]
fn all_units_of_a_currency_use_the_same_settings() {
    let mut units = 0;
    for unit in fs::read_dir(deploy::path("systemd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let is_of_currency = unit
            .file_name()
            .is_some_and(|name| !OF_NO_CURRENCY.iter().any(|other| name == *other));
        if is_of_currency && unit.extension().is_some_and(|extension| extension == "service") {
            let text = fs::read_to_string(&unit).unwrap();
            assert!(
                text.contains("\nEnvironmentFile=-/etc/opencoin/issuer.env\n"),
                "{}",
                unit.display()
            );
            units += 1;
        }
    }
    assert!(units >= 5, "{units}");
}

#[test]
fn manifests_and_compose_file_follow_their_schemas() {
    let python = Path::new(SCHEMAS);
    assert!(
        python.exists(),
        "{} does not exist; `cargo xtask test` installs it",
        python.display()
    );
    let mut validate = Command::new(python);
    validate
        .args(["-m", "kubernetes_validate", "--strict"])
        .arg(deploy::path("kubernetes/opencoin.yaml"));
    let said = deploy::run(&mut validate);
    assert!(
        said.contains("deployment/opencoin-issuer") && !said.contains("ERROR"),
        "{said}"
    );

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deploy/check_compose.py");
    deploy::run(
        Command::new(python)
            .arg(script)
            .arg(deploy::path("compose/compose.yaml")),
    );
}

#[test]
fn compose_is_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("deploy");
    deploy::run(Command::new("cp").arg("-r").arg(deploy::path("")).arg(&copy));
    let compose = copy.join("compose");
    let script = || {
        let mut sh = Command::new("sh");
        sh.args(["-c", "printf 'correct horse\\n' | ./prepare.sh opencoin.test"])
            .current_dir(&compose);
        if !geteuid().is_root() {
            // Only root may change owners.
            let fake = folder.path().join("bin");
            fs::create_dir_all(&fake).unwrap();
            fs::write(fake.join("chown"), "#!/bin/sh\n").unwrap();
            fs::set_permissions(fake.join("chown"), Permissions::from_mode(0o755)).unwrap();
            sh.env(
                "PATH",
                format!("{}:{}", fake.display(), std::env::var("PATH").unwrap()),
            );
        }
        sh
    };
    let refused = script().output().unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("secrets/fullchain.pem is missing"),
        "{refused:?}"
    );
    fs::write(compose.join("secrets/fullchain.pem"), "certificate").unwrap();
    fs::write(compose.join("secrets/privkey.pem"), "key").unwrap();
    deploy::run(&mut script());

    let secret = |name: &str| fs::read_to_string(compose.join("secrets").join(name)).unwrap();
    assert_eq!(secret("passphrase"), "correct horse\n");
    let password = secret("postgresql");
    assert!(
        password.len() == 48 && password != secret("grafana"),
        "{password}"
    );
    assert_eq!(
        secret("pgpass"),
        format!("postgresql:5432:opencoin:opencoin:{password}\n")
    );
    for entry in fs::read_dir(compose.join("secrets")).unwrap() {
        assert_eq!(
            entry.as_ref().unwrap().metadata().unwrap().mode() & 0o777,
            0o400,
            "{entry:?}"
        );
    }
    let nginx = fs::read_to_string(compose.join("nginx.conf")).unwrap();
    for text in [
        "server_name opencoin.test;",
        "server 172.30.117.11:8080 ",
        "server 172.30.117.12:8080 ",
        "/run/secrets/tls_key;",
    ] {
        assert!(nginx.contains(text), "{text} is not in {nginx}");
    }
    assert!(
        !nginx.contains("127.0.0.1:") && !nginx.contains("opencoin.example"),
        "{nginx}"
    );
    let prometheus = fs::read_to_string(compose.join("prometheus.yml")).unwrap();
    assert!(
        prometheus.contains("- 172.30.117.12:9464") && !prometheus.contains("- 127.0.0.1:946"),
        "{prometheus}"
    );

    // A second run keeps the secrets.
    deploy::run(&mut script());
    assert_eq!(secret("postgresql"), password);
}

/// Every file of this repository that compose uses exists.
#[test]
fn compose_finds_its_files() {
    let text = deploy::text("compose/compose.yaml");
    let mut files: Vec<PathBuf> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(path) = word
            .trim_start_matches('"')
            .strip_prefix("../")
            .and_then(|path| path.split(':').next())
        {
            files.push(deploy::path("compose").join("..").join(path));
        }
    }
    assert!(files.len() >= 4, "{files:?}");
    files
        .iter()
        .for_each(|file| assert!(file.exists(), "{}", file.display()));
}

#[test]
fn the_health_check_of_the_container_tells_ready_from_away() {
    let container = deploy::text("container/Containerfile");
    let begin = container.find("\"bash\", \"-c\", \\\n").unwrap() + "\"bash\", \"-c\", \\\n".len();
    let line = container[begin..]
        .lines()
        .next()
        .unwrap()
        .trim()
        .trim_end_matches(']');
    // The command in the file is a JSON array.
    let command: String = serde_json::from_str(line).unwrap();
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let check = command.replace("127.0.0.1/8080", &format!("127.0.0.1/{}", currency.port()));
    assert_ne!(check, command);
    let is_healthy = || {
        Command::new("bash")
            .args(["-c", &check])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(is_healthy());
    currency.stop();
    assert!(!is_healthy());
}
