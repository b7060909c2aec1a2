//! The address of a database, and how far the connections to it are protected on their way.
//!
//! Where the address (or `PGSSLMODE`) names no `sslmode`, it depends on where the server is: a Unix socket or this
//! machine itself needs no protection, and gets TLS where the server offers it (`prefer`, as in libpq). Any other
//! host must prove with its certificate that it is the one that was meant (`verify-full`): passwords, balances and
//! spent coins travel there. Whoever trusts the network may say so with an explicit `sslmode`.

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
const FORM: &str = "the address of a PostgreSQL database is postgres://USER:PASSWORD@HOST/DATABASE";
const MODE_PARAMETERS: [&str; 2] = ["sslmode", "ssl-mode"];
const FILE_PARAMETERS: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// What this PEM text begins with may stand in an address in place of a file's name.
const INLINE_PEM: &str = "-----BEGIN";
const LOCAL_HOST: &str = "localhost";

/// Where a database is, and what its address asks for.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) options: PgConnectOptions,
    is_explicit: bool,
}

/// How the connections to a database are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    place: Place,
    /// As in the address.
    mode: &'static str,
    is_explicit: bool,
    /// The version of TLS, where the connection uses it and the server says so.
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
            // An engine that does not say so.
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

    /// What to do where TLS is the reason that there is no connection.
    pub(crate) fn tls_hint(&self) -> String {
        let origin = if self.is_explicit {
            ""
        } else {
            ", as always for other hosts"
        };
        format!(
            "sslmode={}{origin}: the server needs `ssl = on` and a certificate for this host, whose issuer is a public one or in \
             the file that sslrootcert=FILE names; an address that ends in ?sslmode=disable sends all in the clear",
            mode_name(self.options.get_ssl_mode())
        )
    }
}

impl Protection {
    /// Whether nobody on the way can read or change what is sent.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        match self.place {
            Place::Socket | Place::ThisMachine => true,
            // Any other mode takes the certificate of somebody else.
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
            None => formatter.write_str(", in the clear")?,
        }
        let origin = if self.is_explicit {
            ""
        } else {
            ", the default there"
        };
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
    fn other_hosts_must_prove_who_they_are_unless_the_address_says_otherwise() {
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
    fn what_is_no_address_is_refused_without_being_repeated() {
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
