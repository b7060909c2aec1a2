//! The option that says who acts.

use clap::Args;
use opencoin_ledger::OperatorName;

#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Who makes this change. `opencoin issuer actions` shows it.
    #[arg(long, value_name = "NAME", env = "OPENCOIN_OPERATOR")]
    operator: Option<OperatorName>,
}

impl OperatorArgs {
    /// The given name, or that of the command line.
    pub(crate) fn name(self) -> OperatorName {
        self.operator.unwrap_or_else(OperatorName::command_line)
    }
}
