//! The connection of a server to its signer process.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use opencoin_config::SignerProcess;
use opencoin_keys::{Currency, Directory, PublicKeys};
use opencoin_signer::{ClientTls, Endpoint, RemoteSigner, RemoteSignerOptions, TlsFiles};

/// Starts the client of a signer process.
pub(crate) fn remote(
    directory: &Directory,
    address: &SignerProcess,
    currency: &Currency,
) -> Result<RemoteSigner> {
    let endpoint = match address {
        SignerProcess::Socket { path } => Endpoint::Unix(directory.root().join(path)),
        SignerProcess::Tls {
            address,
            name,
            certificate,
            key,
            authority,
        } => {
            let files = tls_files(directory.root(), certificate, key, authority);
            Endpoint::Tls {
                address: address.clone(),
                tls: ClientTls::load(&files, name)?,
            }
        }
    };
    Ok(RemoteSigner::start(
        endpoint,
        public_keys(directory, currency),
        RemoteSignerOptions::default(),
    ))
}

/// The TLS files of one side of the connection, relative to `root`.
pub(crate) fn tls_files(root: &Path, certificate: &Path, key: &Path, authority: &Path) -> TlsFiles {
    TlsFiles {
        certificate: root.join(certificate),
        key: root.join(key),
        authority: root.join(authority),
    }
}

/// A lookup of the certified mint keys of the currency.
pub(crate) fn public_keys(directory: &Directory, currency: &Currency) -> opencoin_signer::PublicKeys {
    let keys = PublicKeys::new(directory.clone(), currency);
    Arc::new(move |id| keys.get(id))
}
