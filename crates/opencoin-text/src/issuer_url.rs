//! The URL of an issuer, in the one form that wallets, sessions and signed documents use.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// The longest URL of an issuer, normalised (all ASCII). With the paths that documents add it stays below the
/// 2,048 bytes that an issuer accepts as the `cdd_location` of a coin.
const URL_BYTES_MAX: usize = 1_000;

/// The URL of an issuer: `http` or `https`, a host, an optional port and an optional path. It is normalised: scheme
/// and host in lower case, no default port, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    url: Url,
    text: String,
}

/// Why a text is not the URL of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct IssuerUrlError(String);

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, IssuerUrlError> {
        let refuse = |reason: &str| Err(IssuerUrlError(reason.to_owned()));
        let length = || format!("the URL of an issuer has 1 to {URL_BYTES_MAX} characters");
        let text = text.trim();
        if text.is_empty() {
            return refuse(&length());
        }
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return refuse("the URL of an issuer must not contain spaces");
        }
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return refuse(
                "the URL of an issuer begins with https:// (or http://), for example https://issuer.example",
            );
        }
        let url = Url::parse(text).map_err(|error| IssuerUrlError(format!("this is not a URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("the URL of an issuer must not contain a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("the URL of an issuer ends with its path: without ? and #");
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        // Measured after normalising, which writes one character as up to 12.
        if text.len() > URL_BYTES_MAX {
            return refuse(&length());
        }
        Ok(Self { url, text })
    }
}

impl IssuerUrl {
    /// The normalised URL, as it is stored, compared and signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL for an HTTP client.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the host is this machine: `localhost`, 127.0.0.0/8 or ::1.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// Whether others on the network can read and change what is sent: plain HTTP to another machine. Tor itself encrypts
    /// what goes to an onion service (RFC 7686).
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.url.scheme() == "http" && !self.is_loopback() && !self.is_onion()
    }

    fn is_onion(&self) -> bool {
        matches!(self.url.host(), Some(Host::Domain(name)) if name.trim_end_matches('.').ends_with(".onion"))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The host in a URL of a signed document, as it is written there: a name, or an address without brackets.
#[must_use]
pub fn host_of_url(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    match authority.strip_prefix('[') {
        Some(address) => address.split_once(']').map(|(address, _)| address),
        None => authority.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        for (url, name) in [
            ("https://opencoin.example", Some("opencoin.example")),
            ("http://127.0.0.1:8080/path", Some("127.0.0.1")),
            ("https://[2001:db8::1]:8443", Some("2001:db8::1")),
            ("opencoin.example", None),
        ] {
            assert_eq!(host_of_url(url), name);
        }
    }

    fn parse(text: &str) -> Result<IssuerUrl, String> {
        text.parse().map_err(|error: IssuerUrlError| error.to_string())
    }

    #[test]
    fn urls_are_normalised() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (" https://Issuer.Example/ ", "https://issuer.example"),
            ("HTTP://h:80/", "http://h"),
            ("https://h:443/a/b/", "https://h/a/b"),
            ("https://h:8443//", "https://h:8443"),
            ("http://[::1]:9/", "http://[::1]:9"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.as_str(), expected);
            assert_eq!(
                parse(url.as_str()).unwrap().as_str(),
                expected,
                "normalising twice changes nothing"
            );
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for (text, reason) in [
            ("127.0.0.1:8080", "begins with https://"),
            ("issuer.example", "begins with https://"),
            ("localhost:8080", "begins with https://"),
            ("ftp://h", "begins with https://"),
            ("http:/h", "begins with https://"),
            ("http://", "not a URL"),
            ("http://h:99999", "not a URL"),
            ("http://h?x=1", "without ? and #"),
            ("http://h/?", "without ? and #"),
            ("http://h/#x", "without ? and #"),
            ("http://u:p@h/", "user name or a password"),
            ("http://u@h/", "user name or a password"),
            ("http://h/a b", "must not contain spaces"),
            ("", "characters"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(reason), "{text:?}: {refused}");
        }
    }

    #[test]
    fn the_length_of_the_normalised_url_counts() {
        let path = |character: &str, count| format!("http://h/{}", character.repeat(count));
        let room = URL_BYTES_MAX - "http://h/".len();
        assert!(parse(&path("a", room)).is_ok());
        // Documents would hold each of these letters as six characters: %C3%A9.
        for long in [path("a", room + 1), path("é", room / 6 + 1)] {
            assert!(parse(&long).unwrap_err().contains("1 to 1000 characters"));
        }
    }

    #[test]
    fn loopback_hosts_are_recognised() {
        for here in [
            "http://localhost:8080",
            "http://LOCALHOST",
            "http://localhost.",
            "http://127.0.0.1",
            "http://127.8.9.1:1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            let url = parse(here).unwrap();
            assert!(url.is_loopback() && !url.is_exposed(), "{here}");
        }
        for away in [
            "http://localhost.example.net",
            "http://127.example.net",
            "http://127.0.0.1.example.net",
            "http://[::2]",
            "http://10.0.0.1",
            "http://example.net/localhost",
        ] {
            let url = parse(away).unwrap();
            assert!(!url.is_loopback() && url.is_exposed(), "{away}");
        }
        for safe in ["https://example.net", "http://expyuzz4wqqyqhjn.onion"] {
            assert!(!parse(safe).unwrap().is_exposed(), "{safe}");
        }
        assert!(parse("http://onion.example.net").unwrap().is_exposed());
    }
}
