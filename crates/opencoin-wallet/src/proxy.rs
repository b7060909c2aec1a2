//! A SOCKS5 proxy between the wallet and everybody that it talks to, for example Tor.
//!
//! The proxy resolves names (`socks5h`), because a name server of this machine would learn with whom the user pays. Each
//! kind of connection has a user name of its own at the proxy. Tor takes connections with different user names through
//! different circuits (`IsolateSOCKSAuth`, on by default), so that a request with an account's token does not share
//! its way with a renewal.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

/// The port of a proxy whose address names none (RFC 1928).
const DEFAULT_PORT: u16 = 1080;
const SCHEME: &str = "socks5h";

/// The address of a SOCKS5 proxy that resolves names.
///
/// It is written `socks5h://HOST:PORT`, without a path and without a user name.
#[derive(Clone, PartialEq, Eq)]
pub struct SocksProxy {
    host: String,
    port: u16,
    /// The password for all connections. See [`SocksProxy::isolated_by`].
    isolation: String,
}

/// Why a text is no address of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// With `socks5` this machine would resolve names.
    #[error(
        "with socks5:// this machine asks its own name server for the issuer's name, and others see with whom you pay; \
         write socks5h://, with which the proxy resolves names"
    )]
    ResolvesHere,
    /// The text has another scheme, or none.
    #[error("it must begin with socks5h://, for example socks5h://127.0.0.1:9050 for Tor")]
    OtherScheme,
    /// The address has a user name or password.
    #[error("it must have no user name and no password: the wallet uses these to keep its connections apart")]
    HasCredentials,
    /// The address has no host, or more than host and port.
    #[error("it must be socks5h://HOST:PORT and nothing else")]
    NotHostAndPort,
}

/// A kind of connection. Connections of different kinds do not share a circuit of Tor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionKind {
    /// Requests with the token or password of an account.
    Account,
    /// Requests of a key account.
    Key,
    /// Requests about coins without a token.
    Anonymous,
    /// Files that anybody may read, such as those of the public log.
    Files,
    /// Live transfers, at a relay.
    Live,
}

impl ConnectionKind {
    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::Anonymous => "anonymous",
            Self::Files => "files",
            Self::Live => "live",
        }
    }
}

impl SocksProxy {
    /// Sets a text that keeps the connections of this process apart from those of others at the same proxy. Use a random
    /// one: Tor then builds new circuits for each process.
    #[must_use]
    pub fn isolated_by(mut self, isolation: &str) -> Self {
        isolation.clone_into(&mut self.isolation);
        self
    }

    /// The host, a name or an address. An IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The user name and the password to give to the proxy for a kind of connection.
    #[must_use]
    pub fn credentials(&self, kind: ConnectionKind) -> (String, String) {
        (format!("opencoin-{}", kind.name()), self.isolation.clone())
    }

    /// What reqwest needs to send every request through this proxy.
    pub(crate) fn for_requests(&self, kind: ConnectionKind) -> Result<reqwest::Proxy, reqwest::Error> {
        let (user, password) = self.credentials(kind);
        // Proxies of the environment and their exceptions (`NO_PROXY`) do not apply to it.
        let address = format!("{SCHEME}://{user}:{password}@{}:{}", self.host, self.port);
        reqwest::Proxy::all(address)
    }
}

impl FromStr for SocksProxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, _) = text.split_once("://").ok_or(ProxyError::OtherScheme)?;
        if scheme.eq_ignore_ascii_case("socks5") {
            return Err(ProxyError::ResolvesHere);
        }
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(ProxyError::OtherScheme);
        }
        let url = Url::parse(text).map_err(|_| ProxyError::NotHostAndPort)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ProxyError::HasCredentials);
        }
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty() && is_bare);
        Ok(Self {
            host: host.ok_or(ProxyError::NotHostAndPort)?.to_owned(),
            port: url.port().unwrap_or(DEFAULT_PORT),
            isolation: "opencoin".to_owned(),
        })
    }
}

impl fmt::Display for SocksProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SocksProxy {
    /// Leaves out the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SocksProxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_that_resolves_names_is_accepted() {
        let read = |text: &str| text.parse::<SocksProxy>().map(|proxy| proxy.to_string());
        assert_eq!(
            read("socks5h://127.0.0.1:9050").unwrap(),
            "socks5h://127.0.0.1:9050"
        );
        assert_eq!(read("SOCKS5H://[::1]/").unwrap(), "socks5h://[::1]:1080");
        for (text, error) in [
            ("socks5://127.0.0.1:9050", ProxyError::ResolvesHere),
            ("http://127.0.0.1:8080", ProxyError::OtherScheme),
            ("127.0.0.1:9050", ProxyError::OtherScheme),
            ("socks5h://me@127.0.0.1:9050", ProxyError::HasCredentials),
            ("socks5h://127.0.0.1:9050/path", ProxyError::NotHostAndPort),
            ("socks5h://", ProxyError::NotHostAndPort),
            ("socks5h://a:99999", ProxyError::NotHostAndPort),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn kinds_of_connections_have_their_own_user_names() {
        let proxy: SocksProxy = "socks5h://localhost:1".parse().unwrap();
        let proxy = proxy.isolated_by("4a4b");
        let kinds = [
            ConnectionKind::Account,
            ConnectionKind::Key,
            ConnectionKind::Anonymous,
            ConnectionKind::Files,
            ConnectionKind::Live,
        ];
        let users: std::collections::BTreeSet<String> =
            kinds.into_iter().map(|kind| proxy.credentials(kind).0).collect();
        assert_eq!(users.len(), kinds.len());
        assert_eq!(proxy.credentials(ConnectionKind::Files).1, "4a4b");
        assert!(!format!("{proxy:?}").contains("4a4b"));
    }
}
