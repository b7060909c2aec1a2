//! Which addresses belong to the public Internet.
//!
//! An issuer writes URLs into the description of its currency, and every auditor asks there. So it could make auditors ask
//! servers that only they can reach: their own machine, their network, the metadata of their cloud. Such addresses are
//! refused when a connection is made, after the name was resolved, because a name can point anywhere at any time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// A name that is left to the network of whoever asks.
const LOCAL_NAMES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// The host is not on the public Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its address is not on the public Internet")]
pub(super) struct NotPublic;

/// Resolves names to public addresses only.
#[derive(Debug)]
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Refuses a URL that names a private address by its number. No resolver sees these.
pub(super) fn require_public_number(url: &Url) -> Result<(), NotPublic> {
    let is_public = match url.host() {
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if is_public { Ok(()) } else { Err(NotPublic) }
}

/// Whether the host is in the network of whoever asks, whatever anybody's name servers say: an address that is not public,
/// a name without dots, or one under a name that is never delegated.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let is_under = |local: &&str| {
                name.strip_suffix(*local)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            };
            !name.contains('.') || LOCAL_NAMES.iter().any(is_under)
        }
        _ => require_public_number(url).is_err(),
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Source: the IANA registry of special-purpose addresses for IPv4.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let is_special = match ip.octets() {
        // "This network", private, loopback, link-local, private.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] => true,
        // Shared by customers of a provider (CGNAT), and private.
        [100, 64..=127, ..] | [172, 16..=31, ..] => true,
        // Protocol assignments, documentation, the relays of 6to4, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            true
        }
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !is_special
}

/// Source: the IANA registry of special-purpose addresses for IPv6. An address that has an IPv4 address in it is what that
/// is.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, high, low] = ip.segments();
    let within = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        // IPv4-mapped, and NAT64.
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => within(high, low),
        // 6to4.
        [0x2002, ..] => within(b, c),
        // Teredo, benchmarks, documentation.
        [0x2001, 0 | 2 | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Everything that is assigned to the public is in here. Loopback, unique-local, link-local and multicast are not.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&private[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn a_local_url_is_local_whatever_a_name_server_says() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://0x7f.1", true),
            ("http://[fd00::1]/log", true),
            ("http://issuer:8080", true),
            ("http://LOCALHOST.", true),
            ("http://a.localhost", true),
            ("http://issuer.lan.internal", true),
            ("https://issuer.example", false),
            ("https://notlocal.example", false),
            ("https://local.example", false),
            ("https://8.8.8.8", false),
        ] {
            assert_eq!(is_local(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
