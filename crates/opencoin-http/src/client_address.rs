//! Where a request came from: known for as long as the request is, for the limits of each address alone. It
//! is never logged and never stored with anything of the request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection: a client, or a proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// Where a request came from, as far as is known: in its extensions. Only the limits of each address may look
/// at it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// Whether proxies are between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// None that says so.
    Direct,
    /// Trusted ones.
    Trusted,
    /// The peer says so, and is not trusted.
    Untrusted,
}

impl ClientAddress {
    /// The peer, or, where that is a trusted proxy, the last address in `X-Forwarded-For` that is not one. A
    /// list that ends in what is no address comes from a proxy that does not know its client: then it is the
    /// proxy itself.
    pub(super) fn of(peer: PeerAddress, headers: &HeaderMap, trusted: &[IpAddr]) -> (Self, Way) {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|proxy| proxy.to_canonical() == *address);
        let peer = peer.0.to_canonical();
        if !is_trusted(&peer) {
            let way = if headers.contains_key(FORWARDED_FOR) {
                Way::Untrusted
            } else {
                Way::Direct
            };
            return (Self(peer), way);
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
        (Self(nearest), Way::Trusted)
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

    fn client(peer: &str, forwarded: &[&'static str]) -> (String, Way) {
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        let trusted: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2", "::1"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let (address, way) = ClientAddress::of(PeerAddress(peer.parse().unwrap()), &headers, &trusted);
        (address.0.to_string(), way)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, address, way) in [
            ("192.0.2.1", &[][..], "192.0.2.1", Way::Direct),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1", Way::Untrusted),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7", Way::Trusted),
            // What the client itself has put at the beginning counts for nothing.
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.7"],
                "198.51.100.7",
                Way::Trusted,
            ),
            (
                "10.0.0.1",
                &["203.0.113.9", "198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
                Way::Trusted,
            ),
            (
                "::ffff:10.0.0.1",
                &["::ffff:198.51.100.7"],
                "198.51.100.7",
                Way::Trusted,
            ),
            ("::1", &["[2001:db8::7]:4711"], "2001:db8::7", Way::Trusted),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7", Way::Trusted),
            // Nobody beyond the proxies is known.
            ("10.0.0.1", &[], "10.0.0.1", Way::Trusted),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1", Way::Trusted),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2", Way::Trusted),
        ] {
            assert!(
                client(peer, forwarded) == (address.to_owned(), way),
                "{peer} {forwarded:?}: {}",
                client(peer, forwarded).0
            );
        }
    }
}
