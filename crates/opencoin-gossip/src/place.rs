//! Where a checkpoint stands in what the node knows of its log.

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;

/// Where a checkpoint that the log has signed stands beside the newest one that the node has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogPlace {
    /// It is the newest one.
    Same,
    /// It is of the same history and smaller.
    Older,
    /// It is of another history: the log has signed two. Both checkpoints are evidence.
    Contradiction,
    /// It is larger. Whether it goes on from the newest one must be proven with the log's files.
    Newer,
    /// It is smaller, and the node does not know the root that its own history has at this size.
    Unknown,
}

/// Compares a checkpoint, whose log signature was verified, with the newest verified one of the same log.
///
/// `root_at` gives the root of the node's own tree at a smaller size, if the node knows it. It is asked at most once.
///
/// # Errors
/// Those of `root_at`.
pub fn place<E>(
    checkpoint: &Checkpoint,
    newest: Option<&Checkpoint>,
    root_at: impl FnOnce(u64) -> Result<Option<Hash>, E>,
) -> Result<LogPlace, E> {
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let Some(newest) = newest else {
        let is_empty = size == 0 && *root == Hash::EMPTY_TREE;
        return Ok(if is_empty { LogPlace::Same } else { LogPlace::Newer });
    };
    if size > newest.size() {
        return Ok(LogPlace::Newer);
    }
    let (own, if_equal) = if size == newest.size() {
        (Some(*newest.root()), LogPlace::Same)
    } else if size == 0 {
        (Some(Hash::EMPTY_TREE), LogPlace::Older)
    } else {
        (root_at(size)?, LogPlace::Older)
    };
    Ok(match own {
        None => LogPlace::Unknown,
        Some(own) if own == *root => if_equal,
        Some(_) => LogPlace::Contradiction,
    })
}
