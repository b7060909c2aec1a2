//! The kinds of evidence: what each file has, and what makes it hold.

mod challenges;
mod disorder;
mod key_list;
mod omission;
mod over_redemption;
mod payment;
mod promised;
mod rollback;
mod secret_key;
mod spent_twice;
mod split_view;
mod stalled;
mod time;
mod totals;
mod window;

pub use challenges::{FalseRefusal, WithheldSignature};
pub use disorder::{Disorder, KeyNumber, Neighbours, OneLeaf, OrderRule, TwoLeaves};
pub use omission::{Absence, OmittedLeaf};
pub use over_redemption::OverRedemption;
pub use payment::{BadPayment, BatchOfPayments, OneStatement, PaymentRule, TwoStatements};
pub use promised::ShownPromise;
pub use rollback::Rollback;
pub use secret_key::SecretKey;
pub use spent_twice::SpentTwice;
pub use split_view::SplitView;
pub use stalled::StalledLog;
pub use totals::{
    ClosingCounts, CoinsValue, CountedKey, KeyCount, KeyLeaves, OneBatch, TotalsRule, TwoBatches,
    UncountedLeaf, WrongKeysRoot, WrongTotals,
};
pub use window::{AfterClosing, KeyUnknown, OutsideDates, OutsideWindow, WindowRule};
