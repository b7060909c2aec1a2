//! The session of a login, stored in the wallet's folder until the next login or a logout.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_private_files as private_files;
use opencoin_text::IssuerUrl;
use serde::{Deserialize, Serialize};

use super::private_json;
use crate::file_error::FileError;
use crate::holder::Holder;
use opencoin_api::Secret;

const SESSION_FILE: &str = "session.json";

/// A session with an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// The issuer's URL, without a slash at its end.
    pub url: String,
    /// The account or service that logged in.
    pub holder: Holder,
    /// The session's token.
    pub token: Secret,
    /// When the session expires, by the issuer's clock.
    pub expires_at: DateTime<Utc>,
    /// How amounts are written; stored to save a request. `None` if the issuer did not answer.
    #[serde(default)]
    pub currency: Option<SessionCurrency>,
}

/// The currency of a session's issuer. Its name and divisor never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCurrency {
    /// Its name.
    pub name: String,
    /// How many of the smallest unit make one.
    pub divisor: u64,
}

impl StoredSession {
    /// Reads the session in this folder, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        private_json::read(&path(folder))
    }

    /// Stores the session in this folder, which is made if need be, in place of an earlier session.
    ///
    /// # Errors
    /// The file cannot be written; then the earlier session is still there.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        private_files::make_private_folders(folder)?;
        private_json::write(&path(folder), self)
    }

    /// Removes the session in this folder. Returns whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(folder: &Path) -> Result<bool, FileError> {
        Ok(private_files::remove(&path(folder))?)
    }

    /// Whether the session has expired.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }

    /// Whether the session belongs to the issuer at this URL.
    #[must_use]
    pub fn is_with(&self, url: &str) -> bool {
        is_same_issuer(&self.url, url)
    }
}

/// Whether two URLs are of the same issuer. What is no URL is of none.
pub(super) fn is_same_issuer(one: &str, other: &str) -> bool {
    let parsed = one.parse::<IssuerUrl>();
    parsed.is_ok_and(|one| other.parse::<IssuerUrl>().is_ok_and(|other| one == other))
}

/// Returns a URL in the form that sessions and payments store.
pub(crate) fn without_slash(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn path(folder: &Path) -> PathBuf {
    folder.join(SESSION_FILE)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn session() -> StoredSession {
        StoredSession {
            url: "https://issuer.test".to_owned(),
            holder: Holder::Account("alice".to_owned()),
            token: Secret::new("ocs_secret"),
            expires_at: DateTime::from_timestamp(1_000, 0).unwrap(),
            currency: Some(SessionCurrency {
                name: "OpenCent".to_owned(),
                divisor: 100,
            }),
        }
    }

    #[test]
    fn a_session_is_stored_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a").join("wallet");
        assert_eq!(StoredSession::read(&folder).unwrap(), None);
        session().write(&folder).unwrap();
        let other = StoredSession {
            holder: Holder::Service("ab".to_owned()),
            ..session()
        };
        other.write(&folder).unwrap();
        assert_eq!(StoredSession::read(&folder).unwrap(), Some(other));
        let names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [SESSION_FILE], "no temporary file is left");
        assert!(StoredSession::remove(&folder).unwrap());
        assert!(!StoredSession::remove(&folder).unwrap());
        assert_eq!(StoredSession::read(&folder).unwrap(), None);
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("wallet");
        session().write(&dir).unwrap();
        // A file that others can read is replaced.
        fs::set_permissions(path(&dir), fs::Permissions::from_mode(0o644)).unwrap();
        session().write(&dir).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path(&dir))), (0o700, 0o600));
    }

    #[test]
    fn debug_text_and_errors_do_not_show_the_token() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!format!("{:?}", session()).contains("ocs_secret"));
        fs::write(
            path(folder.path()),
            r#"{"url": "x", "holder": {"account": "a"}, "token": ["ocs_secret"]}"#,
        )
        .unwrap();
        let error = StoredSession::read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("session.json") && error.contains("line 1") && !error.contains("ocs_secret"),
            "{error}"
        );
    }

    #[test]
    fn a_session_expires_and_belongs_to_one_issuer() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!session().is_over(at(999)) && session().is_over(at(1_000)));
        assert!(session().is_with("https://issuer.test/") && session().is_with("HTTPS://Issuer.test:443"));
        assert!(!session().is_with("https://issuer.test.evil") && !session().is_with("http://issuer.test"));
    }
}
