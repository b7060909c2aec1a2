//! The host names that a listener answers to.
//!
//! A web page can make its own name resolve to the address of this machine (DNS rebinding). The visitor's browser then
//! takes the answers of this server for answers of that page, which may read them, and sends the page's requests from the
//! visitor's network. So a request is answered only under a name that cannot be somebody else's: an address, a name
//! without a dot, which nobody can register, a name in the documents of the currency, or one in the settings.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Issuer, Reason, Refusal};
use opencoin_text::host_of_url;

use super::answer;

/// The end of names that every resolver takes for this machine (RFC 6761).
const LOCAL_END: &str = ".localhost";
/// The files of pages, which are the same for everybody. The page of a refusal is shown with them.
const FILES: &str = "/static/";

/// The names of the listener for wallets.
pub(super) struct PublicHosts {
    /// The names of the settings and of the documents at the start.
    first: Vec<String>,
    later: RwLock<LaterNames>,
}

/// The names in documents that came after the start.
struct LaterNames {
    cdd_serial: u64,
    names: Vec<String>,
}

impl PublicHosts {
    pub(super) fn new(settings: &[String], issuer: &Issuer) -> Self {
        let mut first = settings.to_vec();
        first.extend(names_of_documents(issuer));
        Self {
            first,
            later: RwLock::new(LaterNames {
                cdd_serial: issuer.cdd_serial(),
                names: Vec::new(),
            }),
        }
    }

    /// Whether the listener answers to this `Host`.
    pub(super) fn have(&self, host: &str, issuer: &Issuer) -> bool {
        let name = without_port(host);
        is_listed(name, &self.first) || cannot_be_foreign(name) || self.later_have(name, issuer)
    }

    fn later_have(&self, name: &str, issuer: &Issuer) -> bool {
        let serial = issuer.cdd_serial();
        let later = self.later.read().unwrap_or_else(PoisonError::into_inner);
        if later.cdd_serial == serial {
            return is_listed(name, &later.names);
        }
        drop(later);
        let names = names_of_documents(issuer);
        let is_listed = is_listed(name, &names);
        *self.later.write().unwrap_or_else(PoisonError::into_inner) = LaterNames {
            cdd_serial: serial,
            names,
        };
        is_listed
    }
}

/// The names in the URLs of all descriptions of the currency. Coins and wallets keep those of earlier ones.
fn names_of_documents(issuer: &Issuer) -> Vec<String> {
    let mut names: Vec<String> = issuer
        .urls()
        .iter()
        .filter_map(|url| host_of_url(url))
        .map(str::to_ascii_lowercase)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The refusal of a request under a foreign name, or `None` for any other request. Only a program that speaks an old
/// version of HTTP sends no name; a browser always does.
pub(super) fn refuse(
    request: &Request,
    setting: &str,
    is_own: impl FnOnce(&str) -> bool,
) -> Option<Response<Body>> {
    let host = request.headers().get(HOST)?;
    if host.to_str().is_ok_and(is_own) || request.uri().path().starts_with(FILES) {
        return None;
    }
    let text = format!(
        "this server does not answer to this host name: use its address or a URL of the currency, or add the name to `{setting}`"
    );
    Some(answer::problem_with_status(
        StatusCode::MISDIRECTED_REQUEST,
        &Refusal::new(Reason::Forbidden, text),
    ))
}

/// Whether a listener with only these names answers to this `Host`.
pub(super) fn is_own(host: &str, names: &[String]) -> bool {
    let name = without_port(host);
    cannot_be_foreign(name) || is_listed(name, names)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether nobody can register the name: it is an address, it has no dot, or it means this machine.
fn cannot_be_foreign(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || !name.contains('.') || has_local_end(name)
}

fn has_local_end(name: &str) -> bool {
    let start = name.len().checked_sub(LOCAL_END.len());
    let end = start.and_then(|start| name.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(LOCAL_END))
}

/// Whether the name is listed; a dot at its end says that it is complete.
fn is_listed(name: &str, names: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_that_can_be_registered_must_be_listed() {
        let names = ["desk.example".to_owned()];
        for own in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "[::1]:9464",
            "::1",
            "localhost:9464",
            "console.LOCALHOST:9464",
            "issuer-1:9464",
            "DESK.example:9464",
            "desk.example.",
        ] {
            assert!(is_own(own, &names), "{own}");
        }
        let foreign = [
            "evil.example",
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil-localhost.example",
            "é.localhos",
            "localhost.",
            "?.",
        ];
        for name in foreign {
            assert!(!is_own(name, &names), "{name}");
        }
    }
}
