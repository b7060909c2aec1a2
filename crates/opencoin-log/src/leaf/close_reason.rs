//! Why keys are closed.

/// Why a key was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// 1: its time for signing is over.
    WindowOver,
    /// 2: its coins have expired.
    CoinsExpired,
    /// 3: it was revoked.
    Revoked,
    /// 4: more coins came back than were signed.
    Stopped,
}

impl CloseReason {
    const ALL: [Self; 4] = [Self::WindowOver, Self::CoinsExpired, Self::Revoked, Self::Stopped];

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::WindowOver => 1,
            Self::CoinsExpired => 2,
            Self::Revoked => 3,
            Self::Stopped => 4,
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}
