//! Shared code of commands that use a terminal: output, progress bars and secrets.

pub mod output;
pub mod progress;
pub mod secret_args;
