//! What a program may do for an account, and when it was last seen, in words.

use opencoin_api::{Scope, ServiceState, ServiceStatus};

use crate::format::Moment;
use crate::language::Language;
use crate::messages::Messages;

/// The access of a program.
pub(crate) struct Access {
    pub(crate) may: Vec<&'static str>,
    pub(crate) state: ServiceState,
    pub(crate) last_seen: Option<Moment>,
}

pub(crate) fn access(service: &ServiceStatus, t: Messages, language: Language) -> Access {
    let may = |scope: &Scope| match scope {
        Scope::Mint => t.account_scope_mint(),
        Scope::Redeem => t.account_scope_redeem(),
        Scope::Read => t.account_scope_read(),
    };
    Access {
        may: service.scopes.iter().map(may).collect(),
        state: service.state,
        last_seen: service.last_seen_at.map(|at| Moment::minute(language, at)),
    }
}
