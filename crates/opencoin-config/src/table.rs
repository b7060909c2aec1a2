//! The list of all settings. The environment variables, the flags, the table in `docs/OPERATING.md` and the check for
//! misspelt names come from it. A test compares it with the fields of [`Config`](crate::Config).

/// The prefix of the environment variables of settings.
pub(crate) const VARIABLE_PREFIX: &str = "OPENCOIN_ISSUER_";
/// Variables with this prefix that are not settings: the folder of the currency, and the file of its settings.
pub(crate) const OTHER_VARIABLES: [&str; 2] = ["OPENCOIN_ISSUER_DIR", "OPENCOIN_ISSUER_CONFIG"];

/// How the text of a variable or flag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// Texts separated by commas.
    List,
    /// Text that selects which other keys its table has.
    Tag,
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The path in `issuer.toml`: `listen`, `limits.requests_per_second`.
    pub path: &'static str,
    /// How the text of a variable or flag is read.
    pub kind: SettingKind,
    /// A one-sentence description for the documentation and `--help`.
    pub help: &'static str,
    /// Whether an operator must decide this, because no default is right for everybody.
    pub is_decision: bool,
    /// Whether it stays when the setting that selects the other keys of its table changes.
    pub(super) is_beside_tag: bool,
}

impl Setting {
    /// The name of the environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The flag, without the leading dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// Returns the setting at this path.
    #[must_use]
    pub fn of_path(path: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.path == path)
    }

    /// The table of the setting; empty for the top level.
    pub(super) fn table(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

const fn setting(kind: SettingKind, path: &'static str, help: &'static str) -> Setting {
    Setting {
        path,
        kind,
        help,
        is_decision: false,
        is_beside_tag: false,
    }
}

const fn text(path: &'static str, help: &'static str) -> Setting {
    setting(SettingKind::Text, path, help)
}

const fn flag(path: &'static str, help: &'static str) -> Setting {
    setting(SettingKind::Flag, path, help)
}

const fn number(path: &'static str, help: &'static str) -> Setting {
    setting(SettingKind::Number, path, help)
}

const fn list(path: &'static str, help: &'static str) -> Setting {
    setting(SettingKind::List, path, help)
}

const fn tag(path: &'static str, help: &'static str) -> Setting {
    setting(SettingKind::Tag, path, help)
}

const fn beside_tag(setting: Setting) -> Setting {
    Setting {
        is_beside_tag: true,
        ..setting
    }
}

const fn decided(setting: Setting) -> Setting {
    Setting {
        is_decision: true,
        ..setting
    }
}

/// All settings, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    decided(text(
        "database",
        "The books: sqlite:PATH, relative to the currency's folder, or postgres://USER:PASSWORD@HOST/DATABASE",
    )),
    decided(text(
        "listen",
        "Address and port for wallets; port 0 takes a free one",
    )),
    decided(flag(
        "insecure_http",
        "Allow plain HTTP on other addresses than loopback: a proxy in front provides TLS",
    )),
    list(
        "hosts",
        "Host names with a dot that the listener for wallets answers to besides those in the currency's URLs; it always answers to addresses and names without a dot",
    ),
    decided(text(
        "tls.certificate",
        "The certificate and its chain in PEM, for TLS without a proxy; read again when it changes",
    )),
    decided(text("tls.key", "The private key of the certificate in PEM")),
    decided(list(
        "proxy.trusted",
        "Addresses of proxies whose X-Forwarded-For header is trusted, for the limits of each address",
    )),
    text(
        "high_water_mark",
        "The file in which a server records the newest entry of the books, relative to the currency's folder; by default high-water-mark.toml in it",
    ),
    text(
        "shutdown_grace",
        "How long a stopping server still serves while it reports that it is not ready, so that a proxy in front notices",
    ),
    number(
        "limits.requests_per_second",
        "Requests a second from one address without a valid token, on average, in each server process; 0 is no limit",
    ),
    number(
        "limits.requests_burst",
        "The most such requests at once, in each server process",
    ),
    number(
        "limits.logins_per_minute",
        "Login attempts a minute from one address, on average, in each server process; 0 is no limit",
    ),
    number(
        "limits.connections_max",
        "The most connections of a server process at one time",
    ),
    number(
        "limits.head_seconds_max",
        "Time limit for a request head, a TLS handshake, or an idle connection, in seconds",
    ),
    number(
        "limits.body_seconds_max",
        "Time limit for a request body, in seconds",
    ),
    number("limits.body_bytes_max", "The longest request body, in bytes"),
    number(
        "limits.bodies_bytes_in_flight_max",
        "The most bytes of requests in progress in a server process at one time",
    ),
    decided(text(
        "admin.listen",
        "Address and port of the operator's listener; without it there is none",
    )),
    decided(flag(
        "admin.insecure_http",
        "Allow plain HTTP on other addresses than loopback for the operator's listener: the network is private",
    )),
    list(
        "admin.hosts",
        "Host names with a dot that the operator's listener accepts; it always accepts addresses and names without a dot",
    ),
    decided(text(
        "admin.second_person_above",
        "The amount, as the currency shows it, above which a second operator must consent; without it none must",
    )),
    text(
        "bank.name",
        "The owner of the operator's account at a bank, as the bank knows the name",
    ),
    text(
        "bank.iban",
        "The operator's account at a bank, from which statements come and payouts are paid; without it there are neither",
    ),
    text("bank.bic", "The bank, if it wants to be named in payment files"),
    text(
        "bank.currency",
        "The currency of that account (ISO 4217); one of it is one of the issuer's currency",
    ),
    text(
        "bank_csv.delimiter",
        "The character between the cells of the bank's tables, or \\t; tables are read if day, amount and text are set",
    ),
    text(
        "bank_csv.encoding",
        "The encoding of the tables: utf-8 or windows-1252",
    ),
    text(
        "bank_csv.decimal",
        "The character before the decimals of an amount: , or .",
    ),
    text("bank_csv.date_format", "How days are written"),
    text(
        "bank_csv.day",
        "The name of the column with the day of the booking",
    ),
    text(
        "bank_csv.amount",
        "The name of the column with the amount, negative if money went out",
    ),
    list(
        "bank_csv.text",
        "The names of the columns with the text of the transfer, in this order",
    ),
    text(
        "bank_csv.currency",
        "The name of the column with the currency, if there is one",
    ),
    text(
        "bank_csv.direction",
        "The name of the column that says whether money came or went, if there is one",
    ),
    text(
        "bank_csv.party",
        "The name of the column with the name of the other side, if there is one",
    ),
    text(
        "bank_csv.party_account",
        "The name of the column with the account of the other side, if there is one",
    ),
    text(
        "bank_csv.account",
        "The name of the column with the operator's own account, if there is one",
    ),
    text(
        "bank_csv.bank_reference",
        "The name of the column with the bank's own reference of a movement, if there is one",
    ),
    flag(
        "web.cors",
        "Let web pages of every origin use the API, as other programs do, without cookies",
    ),
    text(
        "web.supply",
        "What a currency without a public log shows of its coins: daily (how many there are, counted once a day) or off; with a log everybody can count",
    ),
    flag(
        "relay.enabled",
        "Let wallets meet at this server's path /relay for live transfers; with several server processes use `opencoin relay` instead",
    ),
    number("relay.rooms_max", "The most rooms for live transfers at one time"),
    number(
        "relay.connections_per_address",
        "The most connections to rooms from one address at one time; 0 is no limit",
    ),
    text(
        "accounts.session_lifetime",
        "How long a session lasts after a login with a password",
    ),
    text(
        "accounts.service_session_lifetime",
        "How long a session lasts after a login with a service key",
    ),
    decided(text(
        "accounts.when_short",
        "What happens to a mint that its account cannot pay: refuse or delay",
    )),
    text("accounts.wait", "How long a delayed mint waits for money"),
    text(
        "public_log.every",
        "How often a batch of the public log is sealed, if enough leaves wait",
    ),
    number(
        "public_log.leaves_min",
        "The least number of coins in a batch of the public log; fewer say more about each",
    ),
    text(
        "public_log.latest",
        "How long a coin waits for its batch of the public log at most",
    ),
    text("log.format", "The format of the log: text or json"),
    text(
        "log.filter",
        "What is logged: `LEVEL` and `TARGET=LEVEL`, separated by commas",
    ),
    decided(tag(
        "keys.store",
        "Where the private mint keys are: files or token",
    )),
    text(
        "keys.folder",
        "The folder of the key files, relative to the currency's folder",
    ),
    text("keys.module", "The PKCS#11 library of the token"),
    text("keys.label", "The label of the token"),
    number(
        "keys.sessions",
        "The most concurrent operations of the token; by default one for each core",
    ),
    beside_tag(text(
        "signer.lanes",
        "Sign and verify eight blinds or coins at once with AVX-512 IFMA: auto (if the CPU has it and a self-test passes) or off",
    )),
    decided(tag(
        "signer.by",
        "How the signer process is reached: socket or tls; without it the server signs",
    )),
    text(
        "signer.path",
        "The signer's Unix socket, relative to the currency's folder",
    ),
    text("signer.address", "Address and port of the signer"),
    text("signer.name", "The name in the signer's certificate"),
    text(
        "signer.certificate",
        "The server's certificate for the signer, in PEM",
    ),
    text("signer.key", "The private key of that certificate, in PEM"),
    text(
        "signer.authority",
        "The authority that signed both certificates, in PEM",
    ),
    decided(text("rotation.signing_window", "How long a mint key signs")),
    text(
        "rotation.overlap",
        "How long a mint key and its successor both sign",
    ),
    text(
        "rotation.lead",
        "How long before its first signature a mint key is generated",
    ),
    decided(text(
        "rotation.coin_lifetime",
        "How long coins are accepted after their key has stopped signing",
    )),
    text(
        "rotation.resume_window",
        "How long a private key is kept after it has stopped signing",
    ),
    text(
        "rotation.offline_time",
        "How long certificates may take to come back from a master key on another machine, if the currency has a public log",
    ),
    number("rotation.key_bits", "The size of new mint keys, in bits"),
    number(
        "rotation.key_primes",
        "The number of primes of new mint keys: 2, or 3 as docs/KEYS.md explains",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::{Config, KeyConfig};
    use crate::sections::TlsConfig;
    use crate::signer::SignerProcess;

    use super::*;

    /// Every key that a configuration can have.
    fn keys_of_configs() -> BTreeSet<String> {
        let text = |text: &str| Some(text.to_owned());
        let mut full = Config::new("sqlite:x", "127.0.0.1:0");
        full.tls = Some(TlsConfig {
            certificate: "c".into(),
            key: "k".into(),
        });
        full.admin.listen = Some("127.0.0.1:0".to_owned());
        full.admin.second_person_above = text("1");
        full.high_water_mark = Some("h".into());
        (full.bank.name, full.bank.iban, full.bank.bic) = (text("n"), text("i"), text("b"));
        let csv = &mut full.bank_csv;
        (csv.day, csv.amount, csv.currency, csv.direction) = (text("d"), text("a"), text("c"), text("s"));
        (csv.party, csv.party_account, csv.account) = (text("p"), text("i"), text("k"));
        csv.bank_reference = text("r");
        full.signer.process = Some(SignerProcess::Socket { path: "s".into() });
        let mut other = full.clone();
        other.keys = KeyConfig::Token {
            module: "m".into(),
            label: "l".to_owned(),
            sessions: std::num::NonZeroUsize::new(1),
        };
        other.signer.process = Some(SignerProcess::Tls {
            address: "a".to_owned(),
            name: "n".to_owned(),
            certificate: "c".into(),
            key: "k".into(),
            authority: "a".into(),
        });
        [full, other]
            .iter()
            .flat_map(|config| crate::config::values(config).into_keys())
            .collect()
    }

    #[test]
    fn the_list_has_exactly_the_keys_of_the_configuration() {
        let listed: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.path.to_owned()).collect();
        assert_eq!(listed, keys_of_configs());
        assert_eq!(listed.len(), SETTINGS.len(), "none is listed twice");
    }

    /// The table of settings as `docs/OPERATING.md` has it.
    fn documentation() -> String {
        let defaults = crate::config::values(&Config::new("sqlite:ledger.sqlite", "127.0.0.1:8080"));
        let row = |setting: &Setting| {
            let Setting {
                path,
                help,
                is_decision,
                ..
            } = setting;
            let default = defaults
                .get(*path)
                .map(|value| format!("`{}`", value.to_string().trim_matches('"')));
            format!(
                "| `{path}` | {} | {help}{} |\n",
                default.unwrap_or_default(),
                if *is_decision { " **decide**" } else { "" }
            )
        };
        let head = "| setting | default | what |\n| --- | --- | --- |\n".to_owned();
        SETTINGS.iter().map(row).fold(head, |table, row| table + &row)
    }

    #[test]
    fn the_documentation_has_this_table() {
        let operating = include_str!("../../../docs/OPERATING.md");
        assert!(
            operating.contains(&documentation()),
            "put this into docs/OPERATING.md, \"Settings\":\n\n{}",
            documentation()
        );
    }

    #[test]
    fn no_two_settings_share_a_variable_or_a_flag() {
        let variables: BTreeSet<String> = SETTINGS
            .iter()
            .map(Setting::variable)
            .chain(OTHER_VARIABLES.map(str::to_owned))
            .collect();
        assert_eq!(variables.len(), SETTINGS.len() + OTHER_VARIABLES.len());
        let flags: BTreeSet<String> = SETTINGS.iter().map(Setting::flag).collect();
        assert_eq!(flags.len(), SETTINGS.len());
    }
}
