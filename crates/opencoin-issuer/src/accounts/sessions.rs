//! Login with a password, logout and changes of the password.

use opencoin_keys::ledger_time;
use opencoin_ledger::{AccountName, Credential, LedgerTime, Login, NewSession, PasswordSetter, Start};

use super::throttle::wrong_password;
use super::{AccountService, Caller, NewPassword, StartCode, Token, TokenKind};
use crate::refusal::{Reason, Refusal, unavailable};

/// A new session.
pub struct OpenedSession {
    /// Its token, which is stored as a hash only.
    pub token: Token,
    /// When it expires.
    pub expires: LedgerTime,
}

impl AccountService {
    /// Opens a session with a password. An unknown name is answered like a wrong password, after the same work.
    ///
    /// # Errors
    /// When the name or the password is wrong, or the client must wait before another attempt.
    pub async fn log_in(&self, name: &str, password: &str) -> Result<OpenedSession, Refusal> {
        let Ok(name) = name.parse::<AccountName>() else {
            self.passwords
                .verify(self.passwords.place()?, password, None)
                .await?;
            return Err(wrong_password());
        };
        let profile = self.accounts.profile(&name).await.map_err(unavailable)?;
        let (account, hash) = profile
            .map(|profile| (profile.account.id, profile.password))
            .unzip();
        let hash = hash.flatten();
        self.check_password(&name, password, hash.as_ref()).await?;
        let (account, hash) = account
            .zip(hash)
            .expect("only an account with a password passes the check");
        let (token, now) = (self.random.token(TokenKind::Session), self.clock.now());
        let (at, expires) = (
            ledger_time(now),
            ledger_time(now + self.config.session_lifetime.get()),
        );
        let session = NewSession {
            account,
            login: Login::Password(hash),
            token: token.hash(),
            at,
            expires,
        };
        if !self.accounts.open_session(&session).await.map_err(unavailable)? {
            return Err(wrong_password()); // it was changed a moment ago
        }
        Ok(OpenedSession { token, expires })
    }

    /// Uses up a start code: sets the password and opens a session. An unknown name and an account without a code are
    /// answered like a wrong code, after the same work.
    ///
    /// # Errors
    /// When the name or the code is wrong, the code was used or has ended, the password is too short or too long, or the
    /// client must wait before another attempt.
    pub async fn start(&self, name: &str, code: &str, password: &str) -> Result<OpenedSession, Refusal> {
        let password = NewPassword::new(password)
            .map_err(|error| Refusal::new(Reason::Invalid, format!("password: {error}")))?;
        let code = StartCode::read(code);
        let code = code.as_ref().map_or("", StartCode::text);
        let Ok(name) = name.parse::<AccountName>() else {
            self.passwords.verify(self.passwords.place()?, code, None).await?;
            return Err(wrong_code());
        };
        let account = self.accounts.profile(&name).await.map_err(unavailable)?;
        let account = account.map(|profile| profile.account.id);
        let hash = match account {
            Some(account) => {
                let found = self.accounts.start_code(account, self.now()).await;
                found.map_err(unavailable)?
            }
            None => None,
        };
        let checked = self.check_password(&name, code, hash.as_ref()).await;
        checked.map_err(|refusal| match refusal.reason {
            Reason::Unauthorized => wrong_code(),
            _ => refusal,
        })?;
        let (account, hash) = account
            .zip(hash)
            .expect("only an account with a start code passes the check");
        let password = self.passwords.hash(password, self.random.bytes()).await?;
        let (token, now) = (self.random.token(TokenKind::Session), self.clock.now());
        let expires = ledger_time(now + self.config.session_lifetime.get());
        let start = Start {
            account,
            code: hash,
            password,
            token: token.hash(),
            at: ledger_time(now),
            expires,
        };
        if !self.accounts.start(&start).await.map_err(unavailable)? {
            return Err(wrong_code()); // it was used or replaced a moment ago
        }
        Ok(OpenedSession { token, expires })
    }

    /// Ends the caller's session, at once and in every process.
    ///
    /// # Errors
    /// When the caller has no session but the token of the account.
    pub async fn log_out(&self, caller: &Caller) -> Result<(), Refusal> {
        if caller.credential == Credential::AccountToken {
            return Err(Refusal::new(
                Reason::Invalid,
                "this is the token of the account and not of a session",
            ));
        }
        // A session that has ended meanwhile is no error.
        self.accounts
            .end_session(&caller.token)
            .await
            .map_err(unavailable)
            .map(|_was_there| ())
    }

    /// Ends every session of the account that a password has opened, the caller's among them.
    ///
    /// # Errors
    /// When the books cannot be written.
    pub async fn log_out_everywhere(&self, caller: &Caller) -> Result<(), Refusal> {
        let ended = self.accounts.end_password_sessions(caller.account).await;
        ended.map_err(unavailable)
    }

    /// Sets a new password and ends every other session of the account. If the account has a password, `current` must
    /// be right.
    ///
    /// # Errors
    /// When the current password is wrong or missing, or the new one is too short or too long.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: Option<&str>,
        new: &str,
    ) -> Result<(), Refusal> {
        let new =
            NewPassword::new(new).map_err(|error| Refusal::new(Reason::Invalid, format!("new: {error}")))?;
        let profile = self.profile(caller.account).await?;
        match (&profile.password, current) {
            (Some(hash), current) => {
                self.check_password(&profile.account.name, current.unwrap_or_default(), Some(hash))
                    .await?;
            }
            (None, Some(_)) => {
                return Err(Refusal::new(
                    Reason::Invalid,
                    "current: the account has no password yet",
                ));
            }
            (None, None) => {}
        }
        let password = self.passwords.hash(new, self.random.bytes()).await?;
        let setter = PasswordSetter::Holder {
            before: profile.password,
            by: caller.token,
        };
        if !self
            .accounts
            .set_password(caller.account, &password, setter)
            .await
            .map_err(unavailable)?
        {
            return Err(wrong_password()); // it was changed or the session ended a moment ago
        }
        Ok(())
    }
}

fn wrong_code() -> Refusal {
    Refusal::new(
        Reason::Unauthorized,
        "the name or the start code is wrong, or the code was used or has ended; the operator gives another one",
    )
}
