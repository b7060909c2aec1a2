//! What commands share that speak with a terminal: output, progress, and secrets that are never arguments.

pub mod output;
pub mod progress;
pub mod secret_args;
