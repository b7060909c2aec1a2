//! Replays the public log of a currency: applies every rule of docs/LOG.md to every leaf, and says which one is broken.
//!
//! Whoever replays a log from its first leaf need not trust the issuer, nor who serves the log. [`Replay`] reads leaves
//! one after the other, in memory that does not grow with the log. It reports each broken rule as a [`Finding`], which
//! names the leaves that show it. Coins that came back are remembered in a [`SpentIndex`].
//!
//! There is no I/O. The caller verifies that the leaves are those of a checkpoint that the log has signed, and keeps
//! [`Replay::stored`] to go on later.

mod batch_end;
mod coin_run;
mod coins;
mod documents;
mod finding;
mod key_accounts;
mod keys;
mod open_batch;
mod replay;
mod spent_index;
mod statements;
mod stored;

pub use finding::{BrokenRule, FINDINGS_MAX, Finding, KeyUse, LeafRange, REMARKS_MAX};
pub use keys::{Closings, ReplayedKey};
pub use replay::{LastBatch, Replay, ReplayError};
pub use spent_index::{MemorySpentIndex, Series, SeriesKind, SpentIndex};
pub use stored::StoredReplay;
