//! Checks ports and TLS certificates.

use std::io;
use std::time::{Duration, SystemTime};

use opencoin_http::{ListenError, Listener};
use opencoin_keys::{Clock, Currency, SystemClock};
use opencoin_text::host_of_url;
use opencoin_tls::KeyReaders;

use super::{Report, Subject};
use crate::dates::utc;

/// The suffix of an address whose port the system chooses.
const ANY_PORT: &str = ":0";
/// A certificate that expires sooner causes a warning. Automatic renewals come earlier.
const EXPIRY_MARGIN: Duration = Duration::from_secs(14 * 24 * 3600);

/// Checks that the ports are free, and that listeners without TLS are allowed. Closes the listeners at once.
pub(super) async fn listeners(subject: &Subject<'_>, report: &mut Report) {
    let (config, root) = (subject.config, subject.directory.root());
    tell(
        "listen",
        &config.listen,
        Listener::bind(config, root).await.map(drop),
        report,
    );
    let Some(listen) = &config.admin.listen else {
        return;
    };
    let bound = Listener::bind_admin(config, root).await.map(drop);
    let is_taken = *listen == config.listen && !listen.ends_with(ANY_PORT);
    if is_taken && bound.is_ok() {
        return report.failed(
            "admin.listen",
            format!("{listen} is the address for wallets: choose another port"),
        );
    }
    tell("admin.listen", listen, bound, report);
}

fn tell(check: &'static str, listen: &str, bound: Result<(), ListenError>, report: &mut Report) {
    match bound {
        Ok(()) => report.ok(check, format!("{listen} is free")),
        Err(ListenError::System {
            address,
            reason,
            option: _,
        }) if reason.kind() == io::ErrorKind::AddrInUse => {
            report.warn(
                check,
                format!("something listens on {address}: this server if it runs, else choose another port"),
            );
        }
        // The check of TLS reports this.
        Err(ListenError::Tls(_)) => {}
        Err(error @ (ListenError::Insecure { .. } | ListenError::System { .. })) => {
            report.failed(check, error.to_string())
        }
    }
}

/// Checks that certificate and key belong together, and that the certificate is valid now, for a while, and for the
/// host names of the issuer.
pub(super) fn tls(subject: &Subject<'_>, currency: Option<&Currency>, report: &mut Report) {
    let Some(files) = &subject.config.tls else { return };
    let root = subject.directory.root();
    let (certificate, key) = (root.join(&files.certificate), root.join(&files.key));
    let loaded = match opencoin_tls::certified_key(&certificate, &key, KeyReaders::OwnerAndGroup) {
        Ok(loaded) => loaded,
        Err(error) => return report.failed("tls", error.to_string()),
    };
    let first = loaded
        .end_entity_cert()
        .expect("a certified key has a certificate");
    let path = certificate.display();
    let Some(validity) = opencoin_tls::validity(first) else {
        return report.warn("tls", format!("{path}: its validity period cannot be read"));
    };
    let now = SystemTime::from(SystemClock.now());
    let end = utc(validity.not_after.into());
    if validity.not_before > now {
        return report.failed(
            "tls",
            format!("{path} is not valid yet: correct the clock, or use another certificate"),
        );
    }
    if validity.not_after < now {
        return report.failed("tls", format!("{path} expired on {end}: renew it"));
    }
    let services = currency
        .map(|currency| currency.current().cdd().mint_service.as_slice())
        .unwrap_or_default();
    let hosts = services.iter().filter_map(|service| host_of_url(&service.1));
    let unknown: Vec<&str> = hosts
        .filter(|host| !opencoin_tls::is_for_host(first, host))
        .collect();
    if !unknown.is_empty() {
        report.warn(
            "tls",
            format!(
                "{path} is not valid for {}, which wallets connect to: use another certificate",
                unknown.join(", ")
            ),
        );
    } else if validity.not_after < now + EXPIRY_MARGIN {
        report.warn(
            "tls",
            format!("{path} expires on {end}: renew it; a running server loads the new one by itself"),
        );
    } else {
        report.ok(
            "tls",
            format!("{path} and its key belong together and are valid until {end}"),
        );
    }
}
