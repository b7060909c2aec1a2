//! Evidence for what the replay has found.

use super::{FollowError, Follower};

impl Follower {
    /// Makes evidence for findings that have none yet.
    pub(super) async fn make_evidence(&mut self) -> Result<(), FollowError> {
        Ok(())
    }
}
