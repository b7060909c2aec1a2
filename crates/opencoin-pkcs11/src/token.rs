//! The connection to one token: finding it by its label, logging in, and connecting again after it was away.
//!
//! A login is valid for all sessions of the process while at least one is open. So the connection keeps a session open,
//! and other sessions need no PIN. A caller that notices a lost token ends the connection. The next caller connects
//! again, at most once in `retry_pause`. If one attempt has failed, the next one first initialises the module again.
//! A refused PIN ends all attempts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, Result as CallResult, RvError};
use cryptoki::mechanism::{MechanismInfo, MechanismType};
use cryptoki::object::ObjectClass;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use opencoin_crypto::PublicKey;

use crate::error::PinRefusal;
use crate::keys;
use crate::module::{Access, Module, OpenSession};
use crate::{TokenError, TokenOptions};

/// The sessions of the store and the connection, in addition to those that sign.
const SESSIONS_BESIDES: u64 = 2;

pub(crate) struct Token {
    module: Arc<Module>,
    options: TokenOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// The number of the last connection, counted from 1.
    number: u64,
    last_attempt: Option<Instant>,
    /// The error of the last attempt.
    failure: Option<TokenError>,
}

struct Connection {
    slot: Slot,
    /// Keeps the login valid.
    keeper: OpenSession,
}

/// A logged-in session.
pub(crate) struct TokenSession {
    pub(crate) session: OpenSession,
    /// The number of its connection.
    pub(crate) connection: u64,
}

impl Token {
    /// Finds the token and logs in.
    pub(crate) fn open(options: TokenOptions) -> Result<Self, TokenError> {
        let module = Module::load(&options.module)?;
        let token = Self {
            module,
            options,
            state: Mutex::default(),
        };
        if !token
            .mechanism(MechanismType::RSA_X_509)?
            .is_some_and(|info| info.sign())
        {
            return Err(token.mechanism_missing("CKM_RSA_X_509"));
        }
        token.check_sessions()?;
        Ok(token)
    }

    pub(crate) fn options(&self) -> &TokenOptions {
        &self.options
    }

    pub(crate) fn mechanism_missing(&self, mechanism: &'static str) -> TokenError {
        TokenError::MechanismMissing {
            label: self.options.token_label.clone(),
            mechanism,
        }
    }

    /// Opens a session. Connects again if the connection was lost and `retry_pause` has passed.
    pub(crate) fn session(&self, access: Access) -> Result<TokenSession, TokenError> {
        let (connection, slot) = self.connected()?;
        match self.module.open_session(slot, access) {
            Ok(session) => Ok(TokenSession { session, connection }),
            Err(error) => Err(self.failed(connection, error)),
        }
    }

    /// Whether sessions of the connection with this number are still usable.
    pub(crate) fn is_current(&self, connection: u64) -> bool {
        let state = self.lock();
        state.connection.is_some() && state.number == connection
    }

    /// All keys with a private half.
    pub(crate) fn keys(&self) -> Result<Vec<PublicKey>, TokenError> {
        let halves = self.with_session(Access::Read, |session| {
            keys::list(session, ObjectClass::PRIVATE_KEY)
        })?;
        Ok(halves.into_iter().map(|half| half.key).collect())
    }

    /// Makes a call in a new session. Discards the result if the token is gone afterwards, because some modules then
    /// report an empty token.
    pub(crate) fn with_session<R>(
        &self,
        access: Access,
        call: impl FnOnce(&Session) -> CallResult<R>,
    ) -> Result<R, TokenError> {
        let TokenSession { session, connection } = self.session(access)?;
        let result = session
            .call(call)
            .map_err(|error| self.failed(connection, error))?;
        if !self.is_alive(connection) {
            self.lost(connection, &TokenError::Lost);
            return Err(TokenError::Lost);
        }
        Ok(result)
    }

    /// The properties of a mechanism, if the token has it.
    pub(crate) fn mechanism(&self, mechanism: MechanismType) -> Result<Option<MechanismInfo>, TokenError> {
        let (connection, slot) = self.connected()?;
        // Tokens have properties of disabled mechanisms as well.
        let info = self.module.call(
            |pkcs11| match pkcs11.get_mechanism_list(slot)?.contains(&mechanism) {
                true => pkcs11.get_mechanism_info(slot, mechanism).map(Some),
                false => Ok(None),
            },
        );
        info.map_err(|error| self.failed(connection, error))
    }

    /// Interprets a failed call in this connection. If the token is gone, ends the connection and returns
    /// [`TokenError::Lost`].
    pub(crate) fn failed(&self, connection: u64, error: Error) -> TokenError {
        let is_gone = means_gone(&error) || !self.is_alive(connection);
        let error = TokenError::from(error);
        if !is_gone {
            return error;
        }
        self.lost(connection, &error);
        TokenError::Lost
    }

    /// Whether the token of this connection is present and logged in.
    pub(crate) fn is_alive(&self, connection: u64) -> bool {
        let state = self.lock();
        let Some(Connection { slot, keeper }) =
            state.connection.as_ref().filter(|_| state.number == connection)
        else {
            return false;
        };
        let info = self.module.call(|pkcs11| pkcs11.get_token_info(*slot));
        let session = keeper.call(|session| session.get_session_info());
        info.is_ok_and(|info| info.label() == self.options.token_label)
            && session
                .is_ok_and(|info| matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser))
    }

    /// Ends this connection.
    pub(crate) fn lost(&self, connection: u64, reason: &TokenError) {
        let mut state = self.lock();
        if state.number == connection && state.connection.take().is_some() {
            tracing::warn!(token = self.options.token_label, %reason, "the token is lost; connecting again");
        }
    }

    /// The number and slot of the connection. Connects if there is none and `retry_pause` has passed.
    fn connected(&self) -> Result<(u64, Slot), TokenError> {
        let mut state = self.lock();
        if let Some(connection) = &state.connection {
            return Ok((state.number, connection.slot));
        }
        if let Some(refused @ TokenError::PinRefused { .. }) = &state.failure {
            return Err(refused.clone());
        }
        let now = Instant::now();
        let is_early = state
            .last_attempt
            .is_some_and(|last| now.saturating_duration_since(last) < self.options.retry_pause);
        if is_early {
            return Err(state.failure.clone().unwrap_or(TokenError::Lost));
        }
        state.last_attempt = Some(now);
        match self.connect(state.failure.is_some()) {
            Ok(connection) => {
                state.number += 1;
                state.failure = None;
                if state.number > 1 {
                    tracing::info!(token = self.options.token_label, "the token is back");
                }
                let slot = connection.slot;
                state.connection = Some(connection);
                Ok((state.number, slot))
            }
            Err(error) => {
                self.report(&state, &error);
                state.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Makes one attempt to connect.
    fn connect(&self, is_second: bool) -> Result<Connection, TokenError> {
        if is_second {
            self.module.initialise_again()?;
        }
        let label = &self.options.token_label;
        let (slot, info) = self.module.call(tokens)?.pick(label)?;
        check_pin_state(&info, label)?;
        let keeper = self.module.open_session(slot, Access::Read)?;
        // If this process is already logged in, the token ignores the PIN.
        match keeper.call(|session| session.login(UserType::User, Some(self.options.pin.expose()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(Connection { slot, keeper }),
            Err(Error::Pkcs11(error, function)) => Err(PinRefusal::of(error).map_or_else(
                || Error::Pkcs11(error, function).into(),
                |refusal| TokenError::PinRefused {
                    label: label.clone(),
                    refusal,
                },
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Logs a failed attempt. Does not log the first one, whose error goes to the caller, or a repeated error.
    fn report(&self, state: &State, error: &TokenError) {
        let token = &self.options.token_label;
        if let TokenError::PinRefused { .. } = error {
            tracing::error!(token, %error, "the token is not asked again until the next start");
        } else if state.number > 0 && state.failure.as_ref() != Some(error) {
            tracing::warn!(token, %error, "the token cannot be reached");
        }
    }

    fn check_sessions(&self) -> Result<(), TokenError> {
        let (_, slot) = self.connected()?;
        let info = self.module.call(|pkcs11| pkcs11.get_token_info(slot))?;
        let sessions = self.options.sessions.get();
        match Option::<u64>::from(info.max_session_count()) {
            // Tokens without a limit say zero.
            Some(sessions_max) if sessions_max > 0 && sessions as u64 + SESSIONS_BESIDES > sessions_max => {
                Err(TokenError::TooManySessions {
                    label: self.options.token_label.clone(),
                    sessions,
                    sessions_max,
                })
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this error always means that the token, its session or its login is gone.
fn means_gone(error: &Error) -> bool {
    use RvError::*;
    matches!(
        error,
        Error::Pkcs11(
            CryptokiNotInitialized
                | DeviceError
                | DeviceRemoved
                | SessionClosed
                | SessionHandleInvalid
                | SlotIdInvalid
                | TokenNotPresent
                | TokenNotRecognized
                | UserNotLoggedIn,
            _
        )
    )
}

/// The tokens of a module.
struct Tokens {
    initialised: Vec<(Slot, TokenInfo)>,
    blank: bool,
}

fn tokens(pkcs11: &Pkcs11) -> CallResult<Tokens> {
    let mut tokens = Tokens {
        initialised: Vec::new(),
        blank: false,
    };
    for slot in pkcs11.get_slots_with_token()? {
        match pkcs11.get_token_info(slot) {
            Ok(info) if info.token_initialized() => tokens.initialised.push((slot, info)),
            Ok(_) => tokens.blank = true,
            // A token that does not answer counts as absent.
            Err(_) => {}
        }
    }
    Ok(tokens)
}

impl Tokens {
    fn pick(self, label: &str) -> Result<(Slot, TokenInfo), TokenError> {
        let Self { initialised, blank } = self;
        let (mut ours, others): (Vec<_>, Vec<_>) = initialised
            .into_iter()
            .partition(|(_, info)| info.label() == label);
        match (ours.pop(), ours.len()) {
            (Some(only), 0) => Ok(only),
            (Some(_), more) => Err(TokenError::SeveralTokens {
                label: label.to_owned(),
                count: more + 1,
            }),
            (None, _) => Err(TokenError::NoToken {
                label: label.to_owned(),
                found: others
                    .into_iter()
                    .map(|(_, info)| info.label().to_owned())
                    .collect(),
                blank,
            }),
        }
    }
}

/// Checks that trying the PIN is useful and cannot lock the token.
fn check_pin_state(info: &TokenInfo, label: &str) -> Result<(), TokenError> {
    let refused = |refusal| {
        Err(TokenError::PinRefused {
            label: label.to_owned(),
            refusal,
        })
    };
    if !info.user_pin_initialized() {
        return Err(TokenError::PinMissing(label.to_owned()));
    }
    if info.user_pin_locked() {
        return refused(PinRefusal::Locked);
    }
    if info.user_pin_final_try() {
        // A service manager that restarts this process would use up the last try.
        return refused(PinRefusal::LastTry);
    }
    Ok(())
}
