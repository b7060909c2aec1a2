//! For whom a session acts.

use serde::{Deserialize, Serialize};

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The holder of the account of this name, with the password.
    Account(String),
    /// The service with this id, with its key.
    Service(String),
}
