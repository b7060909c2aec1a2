//! The session of a login, kept in the wallet's folder until the next one or a logout.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_private_files as private_files;
use opencoin_text::IssuerUrl;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::file_error::FileError;
use crate::holder::Holder;
use crate::secret::Secret;

const SESSION_FILE: &str = "session.json";

/// A session with an issuer: a token, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// Where the issuer is, without a slash at its end.
    pub url: String,
    /// Who logged in.
    pub holder: Holder,
    /// What the issuer knows them by until then.
    pub token: Secret,
    /// When it ends by itself, by the issuer's clock.
    pub expires_at: DateTime<Utc>,
    /// How amounts are written, so that a payment needs one request alone; `None` where the issuer was not
    /// heard to say.
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
    /// The session in this folder, if there is one.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        let path = path(folder);
        let Some(bytes) = private_files::read_if_there(&path)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(FileError::damaged(&path))
    }

    /// Keeps it in this folder, which is made if need be, in place of the one there.
    ///
    /// # Errors
    /// Its file cannot be written; then the one before is still there.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        private_files::make_private_folders(folder)?;
        let bytes = Zeroizing::new(
            serde_json::to_vec(self).expect("a session has string keys and no failing values"),
        );
        Ok(private_files::write(&path(folder), &bytes)?)
    }

    /// Removes the session in this folder and says whether there was one.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn remove(folder: &Path) -> Result<bool, FileError> {
        Ok(private_files::remove(&path(folder))?)
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }

    /// Whether it is with the issuer at this URL.
    #[must_use]
    pub fn is_with(&self, url: &str) -> bool {
        match (self.url.parse::<IssuerUrl>(), url.parse::<IssuerUrl>()) {
            (Ok(own), Ok(url)) => own == url,
            (Err(_), _) | (_, Err(_)) => false,
        }
    }
}

/// A URL as sessions and payments name it.
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
    fn a_session_is_there_again_until_it_is_removed() {
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
        assert_eq!(names, [SESSION_FILE], "nothing unfinished is left");
        assert!(StoredSession::remove(&folder).unwrap());
        assert!(!StoredSession::remove(&folder).unwrap());
        assert_eq!(StoredSession::read(&folder).unwrap(), None);
    }

    #[test]
    fn only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("wallet");
        session().write(&dir).unwrap();
        // A file of the same name that others may read does not stay so.
        fs::set_permissions(path(&dir), fs::Permissions::from_mode(0o644)).unwrap();
        session().write(&dir).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path(&dir))), (0o700, 0o600));
    }

    #[test]
    fn neither_its_debug_form_nor_an_error_shows_the_token() {
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
    fn it_is_over_at_its_time_and_with_one_issuer() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!session().is_over(at(999)) && session().is_over(at(1_000)));
        assert!(session().is_with("https://issuer.test/") && session().is_with("HTTPS://Issuer.test:443"));
        assert!(!session().is_with("https://issuer.test.evil") && !session().is_with("http://issuer.test"));
    }
}
