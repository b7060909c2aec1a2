//! A witness of transparency logs.
//!
//! A witness remembers, for each log that it was told of, the largest tree that it has seen, and cosigns a checkpoint
//! only if the tree before it is a prefix of the new one. So whoever trusts the witness knows that everybody is shown
//! the same log. It knows nothing of what the entries mean.
//!
//! [`WitnessFolder`] has the keys and the database; [`Witness`] decides about checkpoints; [`serve()`] offers it over
//! HTTP. Time comes in as [`Now`]. Source: C2SP tlog-witness (<https://c2sp.org/tlog-witness>).

mod clock;
mod decide;
mod folder;
mod http;
mod keys;
mod log_key;
mod metrics;
mod serve;
mod signatures;
mod store;
mod witness;

pub use clock::{CLOCK_BEHIND_MAX_S, ClockError, Now, cosigning_time};
pub use decide::CheckpointRefusal;
pub use folder::{FolderError, WITNESS_DATABASE_FILE, WitnessFolder};
pub use http::{BODY_DURATION_MAX, WitnessServer, WitnessServerOptions};
pub use keys::{KeysError, WitnessKeys, read_vkeys};
pub use log_key::{LogKey, LogKeyError};
pub use serve::serve;
pub use store::{Contradiction, EVIDENCE_MAX, LastCosigned, StoreError, WitnessStore, WitnessedLog};
pub use witness::{AddError, Answered, Witness};
