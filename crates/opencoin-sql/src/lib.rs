//! The SQL that PostgreSQL and SQLite share: everything but the path of commands.
//!
//! A store implements [`Executor`] on its connection and [`Runner`] on its pools. It gets what is known of
//! accounts beside their money ([`SqlAccounts`]), the reading of an audit ([`audit`]), a few reads of the books
//! ([`read`]) and the forgetting of coins ([`forget`]). Loading, deciding and saving a batch stay in the stores: there every engine has its own fast way.
//!
//! Statements number their parameters `$1`, `$2`, ..., which both engines understand. Where the engines differ, a
//! statement takes the words from the [`Dialect`].

mod access;
mod accounts;
pub mod audit;
mod entries;
mod executor;
pub mod forget;
mod lock;
mod profiles;
pub mod read;
pub mod rows;
mod runner;
mod services;
mod waiting;

pub use accounts::SqlAccounts;
pub use executor::{Cell, Dialect, Executor, FromCell, Row, SqlError, TakeRow, Value};
pub use runner::{Runner, Work, Working};
