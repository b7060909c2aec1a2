//! The owner of a session.

use serde::{Deserialize, Serialize};

/// The account or service that logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The account with this name, by its password.
    Account(String),
    /// The service with this id, by its key.
    Service(String),
}
