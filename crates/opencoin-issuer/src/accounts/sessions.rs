//! Logging in with a password, logging out, another password.

use opencoin_keys::ledger_time;
use opencoin_ledger::{AccountName, Credential, LedgerTime, Login, NewSession, PasswordSetter};

use super::throttle::wrong_password;
use super::{AccountService, Caller, NewPassword, Token, TokenKind};
use crate::refusal::{Reason, Refusal, unavailable};

/// A session that was opened.
pub struct OpenedSession {
    /// Its token, stored nowhere.
    pub token: Token,
    /// When it ends by itself.
    pub expires: LedgerTime,
}

impl AccountService {
    /// Opens a session with a password. A name that does not exist is answered like a wrong password, after
    /// the same work.
    ///
    /// # Errors
    /// When name or password are wrong, or it is too early for another guess.
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
            .expect("only a password that is somebody's is right");
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
            return Err(wrong_password()); // it was changed this moment
        }
        Ok(OpenedSession { token, expires })
    }

    /// Ends the caller's session, at once and in every process.
    ///
    /// # Errors
    /// When he acts with the account's own token, which does not end.
    pub async fn log_out(&self, caller: &Caller) -> Result<(), Refusal> {
        if caller.means == Credential::AccountToken {
            return Err(Refusal::new(
                Reason::Invalid,
                "this is the account's own token and not a session's",
            ));
        }
        // One that was ended by somebody else meanwhile is ended.
        self.accounts
            .end_session(&caller.token)
            .await
            .map_err(unavailable)
            .map(|_was_there| ())
    }

    /// Sets another password and ends every other session of the account. Where there is a password it is
    /// asked for.
    ///
    /// # Errors
    /// When the current password is wrong or missing, or the new one cannot be one.
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
        let session = (caller.means == Credential::PasswordSession).then_some(caller.token);
        let setter = PasswordSetter::Holder {
            before: profile.password,
            session,
        };
        if !self
            .accounts
            .set_password(caller.account, &password, setter)
            .await
            .map_err(unavailable)?
        {
            return Err(wrong_password()); // it was changed, or the session ended, this moment
        }
        Ok(())
    }
}
