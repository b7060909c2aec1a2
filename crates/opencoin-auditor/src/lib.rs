//! An auditor: follows the public logs of currencies, replays every leaf, and says which rule is broken.
//!
//! It trusts nobody: not the issuer, not who serves the log, not other auditors. It keeps a copy of each log, cosigns the
//! checkpoints up to which every rule holds, and keeps evidence of what is wrong.

mod add;
mod auditor;
mod description;
mod disk_error;
mod fetch;
mod folder;
mod follow;
mod followers;
mod gossip;
mod gossip_node;
mod http;
mod log_files;
mod metrics;
mod prove;
mod report;
mod serve;
mod spent_files;
mod status;
mod store;
mod supply;
mod worker;

pub use add::{AddCurrencyError, AddedCurrency, add_currency};
pub use auditor::{Auditor, AuditorOptions, Candidate, News, content_id};
pub use description::{Description, DescriptionError};
pub use disk_error::DiskError;
pub use folder::{AuditorFolder, AuditorLock, FolderError};
pub use followers::MakeRng;
pub use http::{AuditorServer, AuditorServerOptions};
pub use log_files::{LogCopy, LogFiles};
pub use serve::serve;
pub use spent_files::{SpentFiles, SpentRuns};
pub use status::{LiveStatus, Statuses, UncomparedCheckpoint};
pub use store::{
    AuditedCurrency, AuditorStore, CurrencySummary, EVIDENCE_MAX, KeptEvidence, LastCosignature, NewCurrency,
    Progress, Snapshot, StoreError, StoredFinding, SupplyPoint,
};
