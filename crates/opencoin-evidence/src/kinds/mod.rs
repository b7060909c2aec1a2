//! The kinds of evidence: what each file has, and what makes it hold.

mod omission;
mod over_redemption;
mod promised;
mod rollback;
mod spent_twice;
mod split_view;
mod stalled;
mod window;

pub use omission::{Absence, OmittedLeaf};
pub use over_redemption::OverRedemption;
pub use promised::ShownPromise;
pub use rollback::Rollback;
pub use spent_twice::SpentTwice;
pub use split_view::SplitView;
pub use stalled::StalledLog;
pub use window::{AfterClosing, KeyUnknown, OutsideDates, OutsideWindow, WhyOutside};
