//! Files and folders of a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deploy;

/// The path as text.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The names of all files and folders in a folder.
#[must_use]
pub fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The paths of all files in a folder and in the folders below it.
#[must_use]
pub fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            found.extend(all_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The paths and contents of all files in a folder and in the folders below it.
#[must_use]
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    all_below(folder)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Copies a folder with its permissions.
pub fn copy_folder(from: &Path, to: &Path) {
    deploy::run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// Sets the permissions of a file.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    set_mode(path, 0o600);
}

/// Makes the certificates of a signer and of its server on this machine, under an authority of their own.
pub fn make_certificates(folder: &Path) {
    let script = deploy::path("signer/certificates.sh");
    deploy::run(Command::new("sh").arg(script).arg(folder).arg("127.0.0.1"));
}

/// Copies the certificates of one side, `signer` or `server`, to where `issuer.toml` of a currency's folder names them.
pub fn use_certificates(certificates: &Path, currency: &Path, side: &str) {
    let folder = currency.join("tls");
    fs::create_dir_all(&folder).unwrap();
    for name in [
        "authority.pem".to_owned(),
        format!("{side}.pem"),
        format!("{side}.key"),
    ] {
        fs::copy(certificates.join(&name), folder.join(&name)).unwrap();
    }
}
