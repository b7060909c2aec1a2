//! Limits the rate of wrong passwords for each name.
//!
//! A guess is counted before its password is verified. Of guesses at the same time, in any number of processes, only
//! the first may go on: its count is the one that it has read plus one. Unknown names are counted like the others.

use opencoin_ledger::{AccountName, FailedLogins, LedgerTime, PasswordHash};

use super::AccountService;
use crate::refusal::{Reason, Refusal, unavailable};

/// The wrong guesses without a wait.
const FREE_GUESSES: u32 = 5;
/// The first wait. Each wrong guess doubles it.
const FIRST_WAIT_S: u32 = 1;
const WAIT_S_MAX: u32 = 15 * 60;

/// A guess that is further in the future was counted with a wrong clock.
const CLOCK_AHEAD_MICROS_MAX: i64 = 5 * 60 * 1_000_000;

impl AccountService {
    /// Verifies the password for this name.
    ///
    /// # Errors
    /// When it is wrong, or the client must wait before another attempt.
    pub(super) async fn check_password(
        &self,
        name: &AccountName,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<(), Refusal> {
        let place = self.passwords.place()?; // first, because a refused login is not a guess
        let now = self.now();
        let before = self.accounts.failed_logins(name).await.map_err(unavailable)?;
        check_wait(before, now)?;
        let counted = self.accounts.count_login(name, now).await.map_err(unavailable)?;
        if counted.count > before.count.saturating_add(1) && counted.count > FREE_GUESSES {
            check_wait(counted, now)?;
        }
        if !self.passwords.verify(place, password, hash).await? {
            return Err(wrong_password());
        }
        self.accounts.clear_failed_logins(name).await.map_err(unavailable)
    }
}

pub(super) fn wrong_password() -> Refusal {
    Refusal::new(Reason::Unauthorized, "the name or the password is wrong")
}

fn check_wait(failed: FailedLogins, now: LedgerTime) -> Result<(), Refusal> {
    match left_s(failed, now) {
        0 => Ok(()),
        left_s => Err(Refusal::too_many_requests(
            left_s,
            "too many wrong passwords for this name; wait before the next one",
        )),
    }
}

/// The seconds until the next guess after these wrong ones.
pub(crate) fn left_s(failed: FailedLogins, now: LedgerTime) -> u32 {
    let Some(last) = failed.last else { return 0 };
    let wait_micros = i64::from(wait_s(failed.count)) * 1_000_000;
    if last.unix_micros().saturating_sub(now.unix_micros()) > CLOCK_AHEAD_MICROS_MAX {
        return 0; // counted with a clock that was ahead; this guess corrects the time
    }
    let left_micros = last
        .unix_micros()
        .saturating_add(wait_micros)
        .saturating_sub(now.unix_micros());
    // A clock that is slightly behind must not lock a name for longer than the longest wait.
    u32::try_from(left_micros.clamp(0, wait_micros) as u64)
        .map_or(WAIT_S_MAX, |micros| micros.div_ceil(1_000_000))
}

/// The wait in seconds after this number of wrong guesses.
fn wait_s(wrong_guesses: u32) -> u32 {
    let Some(doublings) = wrong_guesses.checked_sub(FREE_GUESSES) else {
        return 0;
    };
    1_u32
        .checked_shl(doublings)
        .map_or(WAIT_S_MAX, |factor| factor.saturating_mul(FIRST_WAIT_S))
        .min(WAIT_S_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_15_minutes() {
        let waits = [0, 4, 5, 6, 10, 14, 15, 40, u32::MAX].map(wait_s);
        assert_eq!(waits, [0, 0, 1, 2, 32, 512, 900, 900, 900]);
    }

    #[test]
    fn a_wait_ends_on_time_even_if_the_clock_changes() {
        let at = |seconds: i64| LedgerTime::from_unix_micros(seconds * 1_000_000);
        let failed = |count| FailedLogins {
            count,
            last: Some(at(1_000_000)),
        };
        let left = |count, seconds| {
            check_wait(failed(count), at(seconds))
                .err()
                .and_then(|refusal| refusal.retry_after_s)
        };
        assert_eq!(
            [
                left(4, 1_000_000),
                left(10, 1_000_000),
                left(10, 1_000_031),
                left(10, 1_000_032)
            ],
            [None, Some(32), Some(1), None]
        );
        assert_eq!(
            [left(10, 999_700), left(99, 1_000_000), left(99, 999_700)],
            [Some(32), Some(900), Some(900)]
        );
        assert_eq!(
            [left(10, 999_699), left(99, 0)],
            [None; 2],
            "counted with a clock that was ahead"
        );
        assert_eq!(check_wait(FailedLogins::default(), at(0)), Ok(()));
    }
}
