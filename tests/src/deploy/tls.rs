//! A certificate authority for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;

/// An authority and a certificate for `localhost`, made with OpenSSL's program.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes both in this folder.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let authority = Self {
            folder: folder.to_owned(),
        };
        let request = |name: &str, subject: &str, extension: &str| {
            let mut openssl = Command::new("openssl");
            openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2".split(' '));
            openssl.args(["-subj", subject, "-addext", extension]);
            openssl
                .arg("-keyout")
                .arg(folder.join(format!("{name}.key")))
                .arg("-out")
                .arg(folder.join(format!("{name}.pem")));
            openssl
        };
        run(&mut request(
            "authority",
            "/CN=authority of a test",
            "keyUsage=critical,keyCertSign",
        ));
        let mut leaf = request("server", "/CN=localhost", "subjectAltName=DNS:localhost");
        leaf.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        run(leaf
            .arg("-CA")
            .arg(authority.certificate())
            .arg("-CAkey")
            .arg(folder.join("authority.key")));
        authority
    }

    /// The authority's certificate, which a client must trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The certificate of `localhost`.
    #[must_use]
    pub fn server_certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    /// The private key of that certificate.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }
}
