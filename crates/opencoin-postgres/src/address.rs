//! The address of a database, and the protection of connections to it.
//!
//! If neither the address nor `PGSSLMODE` sets `sslmode`, the default depends on the host. A Unix socket or
//! this machine needs no protection and uses TLS if the server offers it (`prefer`, as in libpq). Any other
//! host must prove its identity with a certificate (`verify-full`), because passwords, balances and spent
//! coins are sent to it. An operator who trusts the network can set another `sslmode`.

use std::env;
use std::fmt;
use std::fs::File;
use std::net::IpAddr;
use std::str::FromStr;

use opencoin_ledger::LedgerError;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::password_file::with_password;

const SCHEMES: [&str; 2] = ["postgres", "postgresql"];
const FORM: &str = "the address of a PostgreSQL database has the form postgres://USER:PASSWORD@HOST/DATABASE";
const MODE_PARAMETERS: [&str; 2] = ["sslmode", "ssl-mode"];
const FILE_PARAMETERS: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// An address may contain PEM text, which begins with this, in place of a file name.
const INLINE_PEM: &str = "-----BEGIN";
const LOCAL_HOST: &str = "localhost";

/// A parsed address.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) options: PgConnectOptions,
    /// Whether the address or `PGSSLMODE` sets `sslmode`.
    is_explicit: bool,
}

/// How connections to a database are protected. `Display` describes it for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    place: Place,
    /// The `sslmode`, spelled as in an address.
    mode: &'static str,
    is_explicit: bool,
    /// The TLS version, or `TLS` if the server does not report it. `None` without TLS.
    tls: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Socket,
    ThisMachine,
    Host(String),
}

impl Address {
    /// Reads an address. Errors do not quote it: it can hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, LedgerError> {
        let refused = || LedgerError::Address(FORM.to_owned());
        let url = Url::parse(text).map_err(|_| refused())?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(refused());
        }
        for (key, value) in url.query_pairs() {
            if FILE_PARAMETERS.contains(&&*key) && !value.starts_with(INLINE_PEM) {
                File::open(&*value)
                    .map_err(|error| LedgerError::Address(format!("{key}={value}: {error}")))?;
            }
        }
        let mut options = PgConnectOptions::from_str(text).map_err(|_| refused())?;
        if url.password().is_none() && !url.query_pairs().any(|(key, _)| key == "password") {
            options = with_password(options)?;
        }
        let is_explicit = url.query_pairs().any(|(key, _)| MODE_PARAMETERS.contains(&&*key))
            || env::var("PGSSLMODE").is_ok_and(|mode| mode.parse::<PgSslMode>().is_ok());
        let address = Self { options, is_explicit };
        Ok(match address.place() {
            Place::Host(_) if !is_explicit => Self {
                options: address.options.ssl_mode(PgSslMode::VerifyFull),
                is_explicit,
            },
            Place::Socket | Place::ThisMachine | Place::Host(_) => address,
        })
    }

    fn place(&self) -> Place {
        let host = self.options.get_host();
        if self.options.get_socket().is_some() || host.starts_with('/') {
            Place::Socket
        } else if host.eq_ignore_ascii_case(LOCAL_HOST)
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        {
            Place::ThisMachine
        } else {
            Place::Host(host.to_owned())
        }
    }

    /// How this connection to the address is protected.
    pub(crate) async fn protection(&self, connection: &mut PgConnection) -> Protection {
        let mode = self.options.get_ssl_mode();
        let query = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        let version: Option<Option<String>> = sqlx::query_scalar(query)
            .fetch_optional(connection)
            .await
            // Other engines may not have this view.
            .unwrap_or_default();
        let is_certain = matches!(
            mode,
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        );
        Protection {
            place: self.place(),
            mode: mode_name(mode),
            is_explicit: self.is_explicit,
            tls: version.flatten().or_else(|| is_certain.then(|| "TLS".to_owned())),
        }
    }

    /// What the operator can do when connecting fails because of TLS.
    pub(crate) fn tls_hint(&self) -> String {
        let origin = if self.is_explicit {
            ""
        } else {
            ", the default for other hosts"
        };
        format!(
            "sslmode={}{origin}: the server needs `ssl = on` and a certificate for this host from a public authority, or from one \
             in the file that sslrootcert=FILE names; ?sslmode=disable at the end of the address turns encryption off",
            mode_name(self.options.get_ssl_mode())
        )
    }
}

impl Protection {
    /// Whether nobody on the network can read or change the data.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        match self.place {
            Place::Socket | Place::ThisMachine => true,
            // Every other mode accepts a certificate for another host, or none.
            Place::Host(_) => self.mode == mode_name(PgSslMode::VerifyFull),
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Socket => return formatter.write_str("over a Unix socket"),
            Place::ThisMachine => formatter.write_str("on this machine")?,
            Place::Host(host) => write!(formatter, "at {host}")?,
        }
        match &self.tls {
            Some(version) => write!(formatter, ", over {version}")?,
            None => formatter.write_str(", unencrypted")?,
        }
        let origin = if self.is_explicit { "" } else { " by default" };
        write!(formatter, " (sslmode={}{origin})", self.mode)
    }
}

fn mode_name(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(address: &str) -> &'static str {
        mode_name(Address::parse(address).unwrap().options.get_ssl_mode())
    }

    #[test]
    fn other_hosts_need_verify_full_unless_the_address_sets_another_mode() {
        for (address, expected) in [
            ("postgres://u@db.example/oc", "verify-full"),
            ("postgres://u@localhost.example/oc", "verify-full"),
            ("postgres://u@10.0.0.7/oc", "verify-full"),
            ("postgres:///oc?host=db.example", "verify-full"),
            ("postgres://u@db.example/oc?sslmode=disable", "disable"),
            ("postgres://u@db.example/oc?ssl-mode=require", "require"),
            ("postgres://u@localhost/oc", "prefer"),
            ("postgres://u@127.1.2.3/oc", "prefer"),
            ("postgres:///oc?host=::1", "prefer"),
            ("postgres://u@db.example/oc?host=/run/postgresql", "prefer"),
            ("postgresql://u@%2Frun%2Fpostgresql/oc", "prefer"),
        ] {
            assert_eq!(mode(address), expected, "{address}");
        }
    }

    #[test]
    fn a_malformed_address_is_refused_and_not_quoted() {
        for address in [
            "mysql://u:secret@h/d",
            "postgres//secret",
            "postgres://u:secret@h/d?sslmode=secret",
            "postgres://u:secret@h:x/d",
        ] {
            let error = Address::parse(address).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let missing = Address::parse("postgres://u@h/d?sslrootcert=/no/such/ca.pem").unwrap_err();
        assert!(
            missing.to_string().starts_with("sslrootcert=/no/such/ca.pem: "),
            "{missing}"
        );
    }
}
