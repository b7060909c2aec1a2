//! The client address of a request. It is used only for rate limits and only while the request runs. It is never logged
//! and never stored with other data of the request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection: a client, or a proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The address of the client, as far as it is known, in the extensions of a request. Only rate limits may read it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Whether the request came through a proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// No proxy.
    Direct,
    /// A trusted proxy.
    Trusted,
    /// A proxy that is not trusted: it sends `X-Forwarded-For`.
    Untrusted,
}

impl ClientAddress {
    /// Returns the peer, or, if that is a trusted proxy, the last address in `X-Forwarded-For` that is not a trusted proxy.
    /// If the list ends in something else than an address, the proxy does not know its client; then the proxy itself
    /// counts as the client.
    #[must_use]
    pub fn of(peer: PeerAddress, headers: &HeaderMap, trusted: &[IpAddr]) -> (Self, Route) {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|proxy| proxy.to_canonical() == *address);
        let peer = peer.0.to_canonical();
        if !is_trusted(&peer) {
            let route = if headers.contains_key(FORWARDED_FOR) {
                Route::Untrusted
            } else {
                Route::Direct
            };
            return (Self(peer), route);
        }
        let lists: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|list| list.to_str().unwrap_or_default())
            .collect();
        let mut nearest = peer;
        for word in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            let Some(address) = address(word.trim()) else {
                break;
            };
            nearest = address;
            if !is_trusted(&address) {
                break;
            }
        }
        (Self(nearest), Route::Trusted)
    }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(word: &str) -> Option<IpAddr> {
    let with_port = || word.parse::<SocketAddr>().map(|address| address.ip());
    let bracketed = || word.trim_start_matches('[').trim_end_matches(']').parse();
    word.parse()
        .or_else(|_| with_port())
        .or_else(|_| bracketed())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PeerAddress(..)")
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> (String, Route) {
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        let trusted: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2", "::1"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let (address, route) = ClientAddress::of(PeerAddress(peer.parse().unwrap()), &headers, &trusted);
        (address.0.to_string(), route)
    }

    #[test]
    fn only_a_trusted_proxy_can_name_its_client() {
        for (peer, forwarded, address, route) in [
            ("192.0.2.1", &[][..], "192.0.2.1", Route::Direct),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1", Route::Untrusted),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7", Route::Trusted),
            // Addresses at the beginning may come from the client itself and are ignored.
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.7"],
                "198.51.100.7",
                Route::Trusted,
            ),
            (
                "10.0.0.1",
                &["203.0.113.9", "198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
                Route::Trusted,
            ),
            (
                "::ffff:10.0.0.1",
                &["::ffff:198.51.100.7"],
                "198.51.100.7",
                Route::Trusted,
            ),
            ("::1", &["[2001:db8::7]:4711"], "2001:db8::7", Route::Trusted),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7", Route::Trusted),
            // The client behind the proxies is unknown.
            ("10.0.0.1", &[], "10.0.0.1", Route::Trusted),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1", Route::Trusted),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2", Route::Trusted),
        ] {
            assert!(
                client(peer, forwarded) == (address.to_owned(), route),
                "{peer} {forwarded:?}: {}",
                client(peer, forwarded).0
            );
        }
    }
}
