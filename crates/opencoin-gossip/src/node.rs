//! What a node says about itself: `GET /v1/nodes/self`.
//!
//! Nothing in it is verified. It is shown to people, and tells where to look for a log.

use std::collections::BTreeMap;

use opencoin_log::checkpoint::ORIGIN_BYTES_MAX;
use opencoin_log::key::VerifierKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest body in bytes.
pub const NODE_BODY_BYTES_MAX: usize = 64 * 1024;
/// The most logs in a body.
pub const NODE_LOGS_MAX: usize = 256;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Replays every leaf.
    Full,
    /// Follows checkpoints, and samples.
    Light,
    /// Cosigns what only grows.
    Witness,
    /// Writes the log.
    Sealer,
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSelf {
    role: NodeRole,
    key: VerifierKey,
    logs: BTreeMap<String, u64>,
}

/// A node says nothing that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NodeSelfError {
    /// The body is too long.
    #[error("more than {NODE_BODY_BYTES_MAX} bytes")]
    TooLong,
    /// The body is not an object with the fields `logs`, `name`, `role` and `vkey`, or one of these has another form.
    #[error("not an object with logs, name, role (full, light, witness or sealer) and vkey")]
    Form,
    /// There are too many logs, or an origin is none.
    #[error("more than {NODE_LOGS_MAX} logs, or an origin that is none")]
    Logs,
    /// The name is not that of the key.
    #[error("the name is not that of the key")]
    Name,
}

/// The body. The fields stand in the order of the alphabet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    logs: BTreeMap<String, u64>,
    name: String,
    role: NodeRole,
    vkey: String,
}

impl NodeSelf {
    /// A node with this key, and the size to which it has followed each log.
    ///
    /// # Errors
    /// There are too many logs, an origin is none, or the body would be too long.
    pub fn new(role: NodeRole, key: VerifierKey, logs: BTreeMap<String, u64>) -> Result<Self, NodeSelfError> {
        let is_origin = |origin: &String| {
            let has_control = origin.contains(char::is_control);
            !origin.is_empty() && origin.len() <= ORIGIN_BYTES_MAX && !has_control
        };
        if logs.len() > NODE_LOGS_MAX || !logs.keys().all(is_origin) {
            return Err(NodeSelfError::Logs);
        }
        let node = Self { role, key, logs };
        if node.to_json().len() > NODE_BODY_BYTES_MAX {
            return Err(NodeSelfError::TooLong);
        }
        Ok(node)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It has another form, is too long, or names too many logs.
    pub fn parse(body: &[u8]) -> Result<Self, NodeSelfError> {
        if body.len() > NODE_BODY_BYTES_MAX {
            return Err(NodeSelfError::TooLong);
        }
        let body: Body = serde_json::from_slice(body).map_err(|_| NodeSelfError::Form)?;
        let key: VerifierKey = body.vkey.parse().map_err(|_| NodeSelfError::Form)?;
        if key.name().as_str() != body.name {
            return Err(NodeSelfError::Name);
        }
        Self::new(body.role, key, body.logs)
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> String {
        let body = Body {
            logs: self.logs.clone(),
            name: self.name().to_owned(),
            role: self.role,
            vkey: self.key.to_string(),
        };
        serde_json::to_string(&body).expect("the fields are strings and numbers")
    }

    /// What the node does.
    #[must_use]
    pub const fn role(&self) -> NodeRole {
        self.role
    }

    /// Its name, which is that of its key.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.name().as_str()
    }

    /// Its key. The node has not shown that it is its own.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// How many entries of each log it has, by origin.
    #[must_use]
    pub const fn logs(&self) -> &BTreeMap<String, u64> {
        &self.logs
    }
}

impl NodeRole {
    /// The word in the body.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Light => "light",
            Self::Witness => "witness",
            Self::Sealer => "sealer",
        }
    }
}
