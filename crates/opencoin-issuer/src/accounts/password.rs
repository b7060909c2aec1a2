//! Passwords: what may be one, and their slow hash.
//!
//! Argon2id with the parameters of the OWASP Password Storage Cheat Sheet: 19 MiB of memory, two passes, one
//! lane. It runs on threads of its own, a few at a time, so that logins take neither the memory nor the time
//! of everybody else.

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
/// The bytes of a salt.
pub(super) const SALT_BYTES: usize = 16;
/// How many passwords are hashed at one time.
const HASHED_AT_A_TIME_MAX: usize = 2;
/// How many logins may wait for their turn: some seconds. More are turned away at once.
const LOGINS_WAITING_MAX: usize = 64;
/// How many new passwords may wait for their turn.
const NEW_WAITING_MAX: usize = 16;
/// The hash of a password that nobody has, for names without one: looking at them is as much work.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$FEDp+1VTy/UxQmOCIrcYxyhpdbLVFYMxMqw6pWtwjTE";

/// A password that is long enough, and not too long.
#[derive(Clone)]
pub struct NewPassword(Zeroizing<String>);

/// The text is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a password has at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes")]
pub struct NewPasswordError;

impl NewPassword {
    /// The password in this text, as it is.
    ///
    /// # Errors
    /// It is too short or too long.
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

/// Where passwords are hashed.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    new_waiting: Arc<Semaphore>,
}

/// A place among those who wait for their password to be looked at.
pub(super) struct Place(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

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
    /// The hash of a new password; the caller has shown who he is.
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
            "too many set passwords at once; try again later",
        )?;
        Ok(self.in_turn(move || hash(&password, salt)).await)
    }

    /// A place in the queue: to be had before a guess is counted, so that every guess that counts is looked
    /// at.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn place(&self) -> Result<Place, Refusal> {
        place(&self.waiting, "too many log in at once; try again later").map(Place)
    }

    /// Whether the hash is that of the password; without a hash it is not, after the same work.
    ///
    /// # Errors
    /// When the hash cannot be read.
    pub(super) async fn verify(
        &self,
        _place: Place,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, Refusal> {
        // A longer one is nobody's password.
        let (password, hash) = if password.len() <= PASSWORD_BYTES_MAX {
            (password, hash)
        } else {
            ("", None)
        };
        let password = Zeroizing::new(password.to_owned());
        let is_somebodys = hash.is_some();
        let phc = hash.map_or(NOBODYS, PasswordHash::as_str).to_owned();
        let is_right = self
            .in_turn(move || verify(&password, &phc))
            .await
            .map_err(|error| {
                tracing::error!(%error, "the hash of a password makes no sense");
                Refusal::unavailable()
            })?;
        Ok(is_right && is_somebodys)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .expect("nobody closes this");
        let work = move || {
            let done = work();
            drop(turn); // only now, also when the client has hung up
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

/// By the parameters that the hash names.
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
    async fn a_password_verifies_against_its_hash_alone() {
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
    async fn places_are_limited_and_come_back() {
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
    fn a_name_without_a_password_is_as_much_work() {
        let made = hash(&NewPassword::new("correct horse").unwrap(), [7; SALT_BYTES]);
        let [made, nobodys] =
            [made.as_str(), NOBODYS].map(|phc| Params::try_from(&Phc::new(phc).unwrap()).unwrap());
        assert_eq!(
            (made.m_cost(), made.t_cost(), made.p_cost()),
            (nobodys.m_cost(), nobodys.t_cost(), nobodys.p_cost())
        );
        assert_eq!((made.m_cost(), made.t_cost(), made.p_cost()), (19_456, 2, 1));
        assert_eq!(verify("", NOBODYS), Ok(false));
    }

    #[test]
    fn a_password_has_bounds_and_is_not_printed() {
        assert!(NewPassword::new(&"x".repeat(PASSWORD_CHARS_MIN)).is_ok());
        assert!(NewPassword::new(&"x".repeat(PASSWORD_CHARS_MIN - 1)).is_err());
        assert!(NewPassword::new(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
        assert_eq!(
            format!("{:?}", NewPassword::new("correct horse").unwrap()),
            "NewPassword(..)"
        );
    }
}
