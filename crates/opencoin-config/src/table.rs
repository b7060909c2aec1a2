//! The one list of all settings. From it come the environment variables, the flags, the documentation and the
//! check for misspelt names; a test compares it with what [`Config`](crate::Config) really reads, so that
//! neither can have a setting that the other lacks.

/// What stands before the path of a setting in the name of its environment variable.
pub const VARIABLE_PREFIX: &str = "OPENCOIN_ISSUER_";
/// Variables with our prefix that are no settings: the folder of the currency, and the file of its settings.
pub const OTHER_VARIABLES: [&str; 2] = ["OPENCOIN_ISSUER_DIR", "OPENCOIN_ISSUER_CONFIG"];

/// How the text of a variable or flag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// As it is.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// Texts with commas between them.
    List,
    /// Text that says what the other keys of its table are.
    Tag,
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its place in `issuer.toml`: `listen`, `limits.requests_per_second`.
    pub path: &'static str,
    /// How its text is read.
    pub kind: SettingKind,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Whether an operator must decide it, because no default can be right for everybody.
    pub is_decision: bool,
}

impl Setting {
    /// Its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// Its flag, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The setting at this place.
    #[must_use]
    pub fn of_path(path: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.path == path)
    }

    /// The table that it is in; empty for the outermost one.
    pub(super) fn table(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

const fn text(path: &'static str, help: &'static str) -> Setting {
    Setting {
        path,
        kind: SettingKind::Text,
        help,
        is_decision: false,
    }
}

const fn number(path: &'static str, help: &'static str) -> Setting {
    Setting {
        path,
        kind: SettingKind::Number,
        help,
        is_decision: false,
    }
}

const fn tag(path: &'static str, help: &'static str) -> Setting {
    Setting {
        path,
        kind: SettingKind::Tag,
        help,
        is_decision: false,
    }
}

const fn decided(setting: Setting) -> Setting {
    Setting {
        is_decision: true,
        ..setting
    }
}

/// All settings, in the order in which people look for them.
pub const SETTINGS: &[Setting] = &[
    decided(text(
        "database",
        "The books: sqlite:PATH, relative to the currency's folder, or postgres://USER:PASSWORD@HOST/DATABASE",
    )),
    decided(text(
        "listen",
        "Address and port for wallets; port 0 takes a free one",
    )),
    Setting {
        path: "insecure_http",
        kind: SettingKind::Flag,
        help: "Listen on other addresses than loopback without TLS: something in front speaks it",
        is_decision: true,
    },
    decided(text(
        "tls.certificate",
        "The certificate and its chain in PEM, for TLS spoken by the server itself; read again when it changes",
    )),
    decided(text("tls.key", "Its private key in PEM")),
    Setting {
        path: "proxy.trusted",
        kind: SettingKind::List,
        help: "Addresses of proxies whose X-Forwarded-For is believed, for the limits of each address",
        is_decision: true,
    },
    text(
        "high_water_mark",
        "The file in which a server keeps how far the books have come, relative to the currency's folder; high-water-mark.toml in it",
    ),
    text(
        "shutdown_grace",
        "How long a server that is told to stop says that it is not ready and serves on, so that a proxy in front notices",
    ),
    number(
        "limits.requests_per_second",
        "Requests that one address may send in a second, over time, unless a token is proved; 0 is no limit",
    ),
    number("limits.requests_burst", "How many of them may come at once"),
    number(
        "limits.logins_per_minute",
        "Logins that one address may try in a minute, over time; 0 is no limit",
    ),
    number("limits.connections_max", "The most connections at one time"),
    number(
        "limits.head_seconds_max",
        "How long a head or a TLS handshake may take, and how long a kept connection may wait, in seconds",
    ),
    number(
        "limits.body_seconds_max",
        "How long a body may take to arrive, in seconds",
    ),
    number("limits.body_bytes_max", "The longest body, in bytes"),
    number(
        "limits.bodies_bytes_in_flight_max",
        "The most bytes of requests that are read, worked on or answered at one time",
    ),
    decided(text(
        "admin.listen",
        "Address and port of the operator's listener; without it there is none",
    )),
    Setting {
        path: "admin.insecure_http",
        kind: SettingKind::Flag,
        help: "Let that listener be on other addresses than loopback without TLS: nobody else is on the network between",
        is_decision: true,
    },
    Setting {
        path: "admin.hosts",
        kind: SettingKind::List,
        help: "Names under which that listener is asked, beside its addresses and names without a dot",
        is_decision: false,
    },
    text(
        "accounts.session_lifetime",
        "How long a session lasts after a login with a password",
    ),
    text(
        "accounts.service_session_lifetime",
        "How long a session lasts after a login with the key of a service",
    ),
    decided(text(
        "accounts.when_short",
        "What becomes of a mint that its account cannot pay: refuse or delay",
    )),
    text(
        "accounts.wait",
        "How long such a mint waits for money, with delay",
    ),
    text("log.format", "The form of the log: text or json"),
    text(
        "log.filter",
        "What is logged, as `LEVEL` and `TARGET=LEVEL` with commas between",
    ),
    decided(tag(
        "keys.store",
        "Where the private mint keys are: files or token",
    )),
    text(
        "keys.folder",
        "The folder of the key files, relative to that of the currency",
    ),
    text("keys.module", "The PKCS#11 library of the token"),
    text("keys.label", "The label of the token"),
    number(
        "keys.sessions",
        "How many operations the token is asked to do at a time; by default one for each core",
    ),
    decided(tag(
        "signer.by",
        "How the process that signs is reached: socket or tls; without it the server signs",
    )),
    text(
        "signer.path",
        "The signer's Unix socket, relative to the currency's folder",
    ),
    text("signer.address", "Address and port of the signer"),
    text("signer.name", "The name in the signer's certificate"),
    text(
        "signer.certificate",
        "This side's certificate for the signer, in PEM",
    ),
    text("signer.key", "Its private key, in PEM"),
    text(
        "signer.authority",
        "The authority that signed both certificates, in PEM",
    ),
    decided(text("rotation.signing_window", "How long a mint key signs")),
    text(
        "rotation.overlap",
        "How long two generations of mint keys sign side by side",
    ),
    text("rotation.lead", "How long before it begins a mint key is made"),
    decided(text(
        "rotation.coin_lifetime",
        "How long coins are taken back after their key has stopped signing",
    )),
    text(
        "rotation.resume_window",
        "How long a private half is kept after its key has stopped signing",
    ),
    number("rotation.key_bits", "The size of new mint keys, in bits"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::{Config, KeyConfig, SignerConfig};
    use crate::sections::TlsConfig;

    use super::*;

    /// Every key that some currency can have.
    fn keys_of_configs() -> BTreeSet<String> {
        let mut full = Config::new("sqlite:x", "127.0.0.1:0");
        full.tls = Some(TlsConfig {
            certificate: "c".into(),
            key: "k".into(),
        });
        full.admin.listen = Some("127.0.0.1:0".to_owned());
        full.high_water_mark = Some("h".into());
        full.signer = Some(SignerConfig::Socket { path: "s".into() });
        let mut other = full.clone();
        other.keys = KeyConfig::Token {
            module: "m".into(),
            label: "l".to_owned(),
            sessions: std::num::NonZeroUsize::new(1),
        };
        let [address, name, certificate, key, authority] = ["a", "n", "c", "k", "a"];
        other.signer = Some(SignerConfig::Tls {
            address: address.to_owned(),
            name: name.to_owned(),
            certificate: certificate.into(),
            key: key.into(),
            authority: authority.into(),
        });
        [full, other]
            .iter()
            .flat_map(|config| crate::config::values(config).into_keys())
            .collect()
    }

    #[test]
    fn the_list_has_every_key_and_no_other() {
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
