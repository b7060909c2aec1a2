//! Passwords and their slow hash.
//!
//! The hash is Argon2id with parameters of the OWASP Password Storage Cheat Sheet: 19 MiB of memory, two passes, one
//! lane. It runs on threads of its own, a few at a time, so that logins do not exhaust memory or delay other
//! requests.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHash as Phc, Version};
use opencoin_api::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use opencoin_ledger::PasswordHash;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::refusal::{Reason, Refusal};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
pub(super) const SALT_BYTES: usize = 16;
/// The most passwords that are hashed at the same time.
const HASHED_AT_A_TIME_MAX: usize = 2;
/// The most logins that wait to be hashed, for some seconds. Further ones are refused at once.
const LOGINS_WAITING_MAX: usize = 64;
/// The most new passwords that wait to be hashed.
const NEW_WAITING_MAX: usize = 16;
/// A hash that no password has. Logins to accounts without a password verify it, so that they take as long.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$FEDp+1VTy/UxQmOCIrcYxyhpdbLVFYMxMqw6pWtwjTE";

/// A password of an allowed length.
#[derive(Clone)]
pub struct NewPassword(Zeroizing<String>);

/// The text is too short or too long for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a password has at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes")]
pub struct NewPasswordError;

impl NewPassword {
    /// A password with exactly this text.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(text: &str) -> Result<Self, NewPasswordError> {
        let fits = text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX;
        if fits {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(NewPasswordError)
        }
    }
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("NewPassword(..)")
    }
}

/// Hashes passwords, a few at a time.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    new_waiting: Arc<Semaphore>,
}

/// A place in the queue of passwords to verify.
pub(super) struct Place(
    #[expect(dead_code, reason = "held until the password is verified")] OwnedSemaphorePermit,
);

impl Default for Passwords {
    fn default() -> Self {
        let room = |places| Arc::new(Semaphore::new(places));
        Self {
            turns: room(HASHED_AT_A_TIME_MAX),
            waiting: room(LOGINS_WAITING_MAX),
            new_waiting: room(NEW_WAITING_MAX),
        }
    }
}

impl Passwords {
    /// Hashes a new password, for an authenticated caller.
    ///
    /// # Errors
    /// When too many wait.
    pub(crate) async fn hash(
        &self,
        password: NewPassword,
        salt: [u8; SALT_BYTES],
    ) -> Result<PasswordHash, Refusal> {
        let _place = place(
            &self.new_waiting,
            "too many passwords are being set at the same time; try again later",
        )?;
        Ok(self.in_turn(move || hash(&password, salt)).await)
    }

    /// Takes a place in the queue. It must be taken before a guess is counted, so that every counted guess is
    /// verified.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn place(&self) -> Result<Place, Refusal> {
        place(&self.waiting, "too many logins at the same time; try again later").map(Place)
    }

    /// Whether the hash is that of the password. Without a hash the answer is `false`, after the same work.
    ///
    /// # Errors
    /// When the hash is malformed.
    pub(super) async fn verify(
        &self,
        _place: Place,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, Refusal> {
        // No password is longer.
        let (password, hash) = if password.len() <= PASSWORD_BYTES_MAX {
            (password, hash)
        } else {
            ("", None)
        };
        let password = Zeroizing::new(password.to_owned());
        let has_password = hash.is_some();
        let phc = hash.map_or(DUMMY_HASH, PasswordHash::as_str).to_owned();
        let is_right = self
            .in_turn(move || verify(&password, &phc))
            .await
            .map_err(|error| {
                tracing::error!(%error, "the hash of a password is corrupt");
                Refusal::unavailable()
            })?;
        Ok(is_right && has_password)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let work = move || {
            let done = work();
            drop(turn); // only now, even if the client has hung up
            done
        };
        tokio::task::spawn_blocking(work)
            .await
            .expect("hashing does not panic")
    }
}

fn place(places: &Arc<Semaphore>, busy: &str) -> Result<OwnedSemaphorePermit, Refusal> {
    Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| Refusal::new(Reason::Unavailable, busy))
}

fn hash(password: &NewPassword, salt: [u8; SALT_BYTES]) -> PasswordHash {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in argon2's ranges");
    let salt = SaltString::encode_b64(&salt).expect("a salt may have 16 bytes");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let phc = argon2
        .hash_password(password.0.as_bytes(), &salt)
        .expect("a password of this length can be hashed");
    PasswordHash::new(phc.to_string())
}

/// Uses the parameters in the hash.
fn verify(password: &str, phc: &str) -> Result<bool, argon2::password_hash::Error> {
    match Argon2::default().verify_password(password.as_bytes(), &Phc::new(phc)?) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash(NewPassword::new("correct horse").unwrap(), [7; SALT_BYTES])
            .await
            .unwrap();
        let is_right = async |password: &str, hash: Option<&PasswordHash>| {
            passwords
                .verify(passwords.place().unwrap(), password, hash)
                .await
                .unwrap()
        };
        assert!(is_right("correct horse", Some(&hash)).await);
        for wrong in ["", "correct horsf", "correct horse "] {
            assert!(!is_right(wrong, Some(&hash)).await, "{wrong:?}");
        }
        assert!(!is_right("correct horse", None).await);
        assert!(!is_right(&"x".repeat(PASSWORD_BYTES_MAX + 1), Some(&hash)).await);
    }

    #[tokio::test]
    async fn places_are_limited_and_reused() {
        let passwords = Passwords::default();
        let places: Vec<_> = (0..LOGINS_WAITING_MAX)
            .map(|_| passwords.place().unwrap())
            .collect();
        assert_eq!(
            passwords.place().map(|_| ()).unwrap_err().reason,
            Reason::Unavailable
        );
        drop(places);
        assert!(passwords.place().is_ok());
    }

    #[test]
    fn a_name_without_a_password_takes_as_much_work() {
        let made = hash(&NewPassword::new("correct horse").unwrap(), [7; SALT_BYTES]);
        let [made, dummy] =
            [made.as_str(), DUMMY_HASH].map(|phc| Params::try_from(&Phc::new(phc).unwrap()).unwrap());
        assert_eq!(
            (made.m_cost(), made.t_cost(), made.p_cost()),
            (dummy.m_cost(), dummy.t_cost(), dummy.p_cost())
        );
        assert_eq!((made.m_cost(), made.t_cost(), made.p_cost()), (19_456, 2, 1));
        assert_eq!(verify("", DUMMY_HASH), Ok(false));
    }

    #[test]
    fn the_length_of_a_password_is_checked_and_debug_hides_it() {
        assert!(NewPassword::new(&"x".repeat(PASSWORD_CHARS_MIN)).is_ok());
        assert!(NewPassword::new(&"x".repeat(PASSWORD_CHARS_MIN - 1)).is_err());
        assert!(NewPassword::new(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
        assert_eq!(
            format!("{:?}", NewPassword::new("correct horse").unwrap()),
            "NewPassword(..)"
        );
    }
}
