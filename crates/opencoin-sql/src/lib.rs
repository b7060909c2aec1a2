//! The SQL that the stores on PostgreSQL and SQLite share: everything except applying commands.
//!
//! A store implements [`Executor`] for its connection and [`Runner`] for its pools. In return it gets the
//! account data other than balances ([`SqlAccounts`]), what operators do ([`SqlOperators`]), statements of the bank ([`SqlBank`]), the reads of an audit ([`audit`]), some reads of the
//! books ([`read`]) and the deletion of pruned coins ([`forget`]). Each store loads, decides and saves
//! batches itself, because the fast way differs between the engines.
//!
//! Parameters are written `$1`, `$2`, ..., which both engines accept. Where the syntax of the engines
//! differs, a statement takes it from the [`Dialect`].

mod access;
mod accounts;
mod actions;
pub mod audit;
mod bank;
mod entries;
mod executor;
pub mod forget;
mod lock;
mod log;
mod operators;
mod pieces;
mod places;
mod profiles;
mod proposals;
pub mod read;
pub mod rows;
mod runner;
mod services;
mod waiting;

pub use accounts::SqlAccounts;
pub use actions::record;
pub use bank::SqlBank;
pub use executor::{Cell, Dialect, Executor, FromCell, Row, SqlError, TakeRow, Value};
pub use log::SqlLog;
pub use operators::SqlOperators;
pub use pieces::pieces;
pub use proposals::{load_proposals, save_proposals};
pub use runner::{Runner, Work, Working};
