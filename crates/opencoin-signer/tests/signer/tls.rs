//! Mutual TLS, with the certificates of the operator's script.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use opencoin_crypto::{SignError, Signer};
use opencoin_ledger::Ledger;
use opencoin_signer::{
    ClientTls, Endpoint, Listener, RemoteSigner, RemoteSignerOptions, ServerTls, SignerServerOptions,
    TlsError, TlsFiles,
};
use opencoin_tls::PemError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{
    KEYS, OPTIONS, Place, Running, accept, blinds, books, local_signer, public_keys, sign_each, within,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/signer/certificates.sh");

fn certificates(folder: &Path, signer_name: &str) -> PathBuf {
    let made = Command::new(SCRIPT)
        .arg(folder)
        .arg(signer_name)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.to_owned()
}

fn files(folder: &Path, name: &str) -> TlsFiles {
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    TlsFiles {
        certificate: file("pem"),
        key: file("key"),
        authority: folder.join("authority.pem"),
    }
}

async fn start(place: &Place, ledger: &Arc<dyn Ledger>, files: &TlsFiles) -> (Running, String) {
    let listener = Listener::tls("127.0.0.1:0", ServerTls::load(files).unwrap())
        .await
        .unwrap();
    let address = listener.address();
    let counts = place.counts(ledger).await;
    (
        Running::start(
            listener,
            ledger,
            local_signer(),
            counts,
            SignerServerOptions::default(),
        ),
        address,
    )
}

fn remote(address: &str, files: &TlsFiles, signer_name: &str) -> RemoteSigner {
    let tls = ClientTls::load(files, signer_name).unwrap();
    let options = RemoteSignerOptions {
        silence_duration_max: Duration::from_secs(5),
        ..OPTIONS
    };
    RemoteSigner::start(
        Endpoint::Tls {
            address: address.to_owned(),
            tls,
        },
        public_keys(),
        options,
    )
}

/// Whether no connection is up within half a second.
async fn is_refused(remote: RemoteSigner) -> bool {
    tokio::time::timeout(Duration::from_millis(500), remote.connected())
        .await
        .is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_must_have_a_certificate_of_their_authority() {
    let (place, ledger) = (Place::new(), books().await);
    let ours = certificates(&place.path("ours"), "127.0.0.1");
    let theirs = certificates(&place.path("theirs"), "127.0.0.1");
    let (signer, address) = start(&place, &ledger, &files(&ours, "signer")).await;

    let good = remote(&address, &files(&ours, "server"), "127.0.0.1");
    within("connecting", good.connected()).await;
    let accepted = accept(ledger.as_ref(), "tls", blinds(&KEYS[0], "tls", 100)).await;
    assert_eq!(
        within("signing", good.sign(accepted.clone())).await,
        Ok(sign_each(&accepted))
    );

    // A certificate of another authority.
    let stranger = TlsFiles {
        authority: files(&ours, "server").authority,
        ..files(&theirs, "server")
    };
    assert!(is_refused(remote(&address, &stranger, "127.0.0.1")).await);
    // The signer's certificate, which is not for clients.
    assert!(is_refused(remote(&address, &files(&ours, "signer"), "127.0.0.1")).await);
    // Not the signer's name.
    assert!(is_refused(remote(&address, &files(&ours, "server"), "signer.example")).await);
    // Another authority than the signer's.
    assert!(is_refused(remote(&address, &files(&theirs, "server"), "127.0.0.1")).await);
    // No TLS at all.
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(b"OCSIGN\0\x01").await.unwrap();
    let mut answer = Vec::new();
    let _ = within("no TLS", plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"OCSIGN"));

    assert_eq!(
        within("signing", good.sign(accepted.clone())).await,
        Ok(sign_each(&accepted)),
        "the connection is not affected"
    );
    within("stopping", signer.stop()).await;
    assert_eq!(
        within("an outage", good.sign(accepted)).await,
        Err(SignError::Unavailable)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_with_an_issuers_certificate_is_refused() {
    let (place, ledger) = (Place::new(), books().await);
    let ours = certificates(&place.path("ours"), "localhost");
    let (signer, address) = start(&place, &ledger, &files(&ours, "server")).await;
    assert!(is_refused(remote(&address, &files(&ours, "server"), "opencoin-server")).await);
    signer.stop().await;
}

#[test]
fn errors_name_the_file() {
    let place = Place::new();
    let ours = certificates(&place.path("ours"), "localhost");
    let load = |files: &TlsFiles| {
        [
            ServerTls::load(files).err(),
            ClientTls::load(files, "localhost").err(),
        ]
    };
    let good = files(&ours, "signer");
    assert!(load(&good).iter().all(Option::is_none));
    let errors = |files: &TlsFiles, expected: &dyn Fn(&TlsError) -> bool, named: &Path| {
        for error in load(files) {
            let error = error.expect("it is refused");
            assert!(expected(&error), "{error:?}");
            assert!(error.to_string().contains(named.to_str().unwrap()), "{error}");
        }
    };

    let members: [fn(&mut TlsFiles) -> &mut PathBuf; 3] = [
        |files| &mut files.certificate,
        |files| &mut files.key,
        |files| &mut files.authority,
    ];
    // The good files with each of them in turn replaced by this one.
    let with_each_replaced = |path: &Path| {
        members.map(|file| {
            let mut files = good.clone();
            path.clone_into(file(&mut files));
            files
        })
    };

    let missing = place.path("missing.pem");
    let unreadable = |error: &TlsError| matches!(error, TlsError::File(PemError::Unreadable { .. }));
    for files in with_each_replaced(&missing) {
        errors(&files, &unreadable, &missing);
    }

    let other = files(&ours, "server");
    let mismatch = |error: &TlsError| matches!(error, TlsError::File(PemError::KeyMismatch { .. }));
    errors(
        &TlsFiles {
            key: other.key.clone(),
            ..good.clone()
        },
        &mismatch,
        &other.key,
    );

    let noise = place.path("noise.pem");
    let is_damaged = |error: &TlsError| matches!(error, TlsError::File(PemError::Damaged { .. }));
    let whole = fs::read_to_string(&good.certificate).unwrap();
    for text in [
        "",
        "no PEM at all\n",
        &whole[..whole.len() / 2],
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&noise, text).unwrap();
        fs::set_permissions(&noise, Permissions::from_mode(0o600)).unwrap();
        for files in with_each_replaced(&noise) {
            errors(&files, &is_damaged, &noise);
        }
    }

    let exposed = |error: &TlsError| matches!(error, TlsError::File(PemError::KeyExposed { .. }));
    for mode in [0o640, 0o604, 0o610, 0o666] {
        fs::set_permissions(&good.key, Permissions::from_mode(mode)).unwrap();
        errors(&good, &exposed, &good.key);
    }
    fs::set_permissions(&good.key, Permissions::from_mode(0o400)).unwrap();
    assert!(load(&good).iter().all(Option::is_none));
    assert!(matches!(
        ClientTls::load(&good, "not a name"),
        Err(TlsError::SignerName(_))
    ));
}

#[test]
fn the_script_renews_certificates_under_the_same_authority() {
    let place = Place::new();
    let ours = certificates(&place.path("ours"), "localhost");
    let authority = fs::read(ours.join("authority.pem")).unwrap();
    let signer = fs::read(ours.join("signer.pem")).unwrap();
    certificates(&ours, "signer.example");
    assert_eq!(fs::read(ours.join("authority.pem")).unwrap(), authority);
    assert_ne!(fs::read(ours.join("signer.pem")).unwrap(), signer);
    for key in ["authority.key", "signer.key", "server.key"] {
        assert_eq!(
            ours.join(key).metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{key}"
        );
    }
    for wrong in ["", "a b", "evil\n[x]", "DNS:x,IP:1.2.3.4"] {
        let made = Command::new(SCRIPT)
            .arg(place.path("other"))
            .arg(wrong)
            .output()
            .unwrap();
        assert!(!made.status.success(), "{wrong:?}");
    }
}
