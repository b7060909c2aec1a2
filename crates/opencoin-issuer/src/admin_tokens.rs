//! The operator's tokens for `/v1/admin`: a file in the folder of the currency, with names and hashes.
//!
//! Every request, of which there are few, reads the file again, so that a removed token ends at once. If the file
//! cannot be read, no token is valid.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_ledger::{OperatorName, OperatorNameError, TokenHash};
use opencoin_private_files::{self as private_files, FileError};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounts::{Token, TokenKind};
use crate::admin_scopes::{AdminScope, AuthenticatedOperator};

const FILE: &str = "admin-tokens.json";
const LOCK_FILE: &str = ".admin-tokens.lock";

/// The operator's tokens of one currency.
#[derive(Debug, Clone)]
pub struct AdminTokens {
    file: PathBuf,
    lock: PathBuf,
}

/// A stored token, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminToken {
    /// Its name, of the characters of an account name.
    pub name: String,
    /// The SHA-256 of the token, in hex.
    pub sha256: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What it permits. Tokens of earlier versions have no scopes in the file, and permit everything.
    #[serde(default = "all_scopes")]
    pub scopes: BTreeSet<AdminScope>,
}

fn all_scopes() -> BTreeSet<AdminScope> {
    AdminScope::ALL.into()
}

/// Why the tokens cannot be read or changed.
#[derive(Debug, Error)]
pub enum AdminTokensError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content of the file is malformed.
    #[error("{path}: {error}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The name is taken.
    #[error("there is an admin token {0} already; remove it first, or choose another name")]
    Exists(OperatorName),
    /// No token has this name.
    #[error("there is no admin token {0}")]
    Unknown(OperatorName),
    /// A name in the file is not that of an operator.
    #[error("{path}: {name:?}: {error}")]
    Name {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// What is wrong with it.
        error: OperatorNameError,
    },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tokens: Vec<AdminToken>,
}

impl AdminTokens {
    /// The tokens of the currency in this folder, which need not have any yet.
    #[must_use]
    pub fn in_folder(root: &Path) -> Self {
        Self {
            file: root.join(FILE),
            lock: root.join(LOCK_FILE),
        }
    }

    /// The file of the tokens, which need not exist.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates a token, which is stored as a hash only.
    ///
    /// # Errors
    /// When the name is taken or the file cannot be changed.
    pub fn create(
        &self,
        name: &OperatorName,
        scopes: BTreeSet<AdminScope>,
        now: DateTime<Utc>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Token, AdminTokensError> {
        let token = Token::generate(TokenKind::Admin, rng);
        let sha256 = const_hex::encode(token.hash().as_bytes());
        self.change(|tokens| {
            if tokens.iter().any(|token| token.name == name.as_str()) {
                return Err(AdminTokensError::Exists(name.clone()));
            }
            tokens.push(AdminToken {
                name: name.as_str().to_owned(),
                sha256,
                created_at: now,
                scopes,
            });
            Ok(())
        })?;
        Ok(token)
    }

    /// Removes a token, which ends at once.
    ///
    /// # Errors
    /// When no token has this name or the file cannot be changed.
    pub fn remove(&self, name: &OperatorName) -> Result<(), AdminTokensError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.name != name.as_str());
            if tokens.len() < before {
                Ok(())
            } else {
                Err(AdminTokensError::Unknown(name.clone()))
            }
        })
    }

    /// All tokens, in the order of their creation.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<AdminToken>, AdminTokensError> {
        match fs::read(&self.file) {
            Ok(bytes) => self.parse(&bytes).map(|content| content.tokens),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(FileError::of(&self.file)(error).into()),
        }
    }

    /// The operator with the token of this hash; `None` if it is not valid.
    ///
    /// # Errors
    /// When the file cannot be read or its content makes no sense.
    pub fn operator(&self, token: &TokenHash) -> Result<Option<AuthenticatedOperator>, AdminTokensError> {
        // The time of a comparison of hashes of random tokens reveals nothing about a token.
        let sha256 = const_hex::encode(token.as_bytes());
        let found = self.list()?.into_iter().find(|known| known.sha256 == sha256);
        let Some(AdminToken { name, scopes, .. }) = found else {
            return Ok(None);
        };
        match name.parse() {
            Ok(name) => Ok(Some(AuthenticatedOperator { name, scopes })),
            Err(error) => Err(AdminTokensError::Name {
                path: self.file.clone(),
                name,
                error,
            }),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Content, AdminTokensError> {
        serde_json::from_slice(bytes).map_err(|error| AdminTokensError::Content {
            path: self.file.clone(),
            error,
        })
    }

    /// Changes the tokens under a lock, which excludes other processes.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<AdminToken>) -> Result<(), AdminTokensError>,
    ) -> Result<(), AdminTokensError> {
        let lock: File = private_files::open_or_make(&self.lock).map_err(FileError::of(&self.lock))?;
        lock.lock().map_err(FileError::of(&self.lock))?;
        let mut tokens = self.list()?;
        change(&mut tokens)?;
        let mut json =
            serde_json::to_vec_pretty(&Content { tokens }).expect("names and hashes can be written as JSON");
        json.push(b'\n');
        Ok(private_files::write(&self.file, &json)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn tokens_are_found_by_their_hash_until_they_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = AdminTokens::in_folder(folder.path());
        let mut rng = StdRng::seed_from_u64(7);
        let [desk, script] = ["desk", "script"].map(|name| name.parse::<OperatorName>().unwrap());
        let create = |name, rng: &mut StdRng| tokens.create(name, all_scopes(), DateTime::UNIX_EPOCH, rng);
        let name_of = |token: &Token| {
            let operator = tokens.operator(&token.hash()).unwrap();
            operator.map(|operator| operator.name.to_string())
        };
        assert_eq!(tokens.list().unwrap(), []);
        let token = create(&desk, &mut rng).unwrap();
        let other = create(&script, &mut rng).unwrap();
        assert!(token.expose().starts_with("oca_"));
        assert_eq!(name_of(&token).as_deref(), Some("desk"));
        assert!(matches!(
            create(&desk, &mut rng),
            Err(AdminTokensError::Exists(_))
        ));

        let text = fs::read_to_string(&tokens.file).unwrap();
        assert!(!text.contains(token.expose()) && text.contains("desk"), "{text}");
        assert_eq!(
            fs::metadata(&tokens.file).unwrap().permissions().mode() & 0o777,
            0o600
        );

        tokens.remove(&desk).unwrap();
        assert_eq!(name_of(&token), None);
        assert_eq!(name_of(&other).as_deref(), Some("script"));
        assert!(matches!(tokens.remove(&desk), Err(AdminTokensError::Unknown(_))));
    }

    #[test]
    fn scopes_are_kept_and_a_token_of_an_earlier_version_permits_everything() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = AdminTokens::in_folder(folder.path());
        let mut rng = StdRng::seed_from_u64(7);
        let (desk, scopes) = ("desk".parse().unwrap(), BTreeSet::from([AdminScope::Cashier]));
        let token = tokens
            .create(&desk, scopes.clone(), DateTime::UNIX_EPOCH, &mut rng)
            .unwrap();
        let scopes_now = || tokens.operator(&token.hash()).unwrap().unwrap().scopes;
        assert_eq!(scopes_now(), scopes);

        let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&tokens.file).unwrap()).unwrap();
        assert_eq!(file["tokens"][0]["scopes"], serde_json::json!(["cashier"]));
        file["tokens"][0].as_object_mut().unwrap().remove("scopes");
        fs::write(&tokens.file, file.to_string()).unwrap();
        assert_eq!(scopes_now(), AdminScope::ALL.into());
    }

    #[test]
    fn no_token_is_valid_if_the_file_is_malformed() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = AdminTokens::in_folder(folder.path());
        fs::write(&tokens.file, "{").unwrap();
        assert!(matches!(
            tokens.operator(&Token::from_text("").hash()),
            Err(AdminTokensError::Content { .. })
        ));
    }
}
