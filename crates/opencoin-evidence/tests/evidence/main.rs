//! Evidence against dishonest logs holds, and none can be made against an honest one.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic when they fail")]

mod challenges;
mod cosigned;
mod hand;
mod hand_made;
mod holders;
mod honest;
mod joint;
mod leaves;
mod payments;
mod split_view;
mod support;
mod totals;
mod windows;
