//! The limit above which an operation of an operator needs a second one.
//!
//! The limit is a setting of the server and of each command, which read it when they start. A proposal that was made under
//! another limit still waits for the consent of another operator.

use opencoin_config::AdminConfig;
use opencoin_ledger::{Action, ActionDetail, ActionKind, Amount, Consent, Proposal};
use opencoin_text::AmountError;

/// The amount above which an operation needs a second operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecondPersonLimit(Option<Amount>);

impl SecondPersonLimit {
    /// No operation needs a second operator.
    pub const OFF: Self = Self(None);

    /// Operations above this amount need one.
    #[must_use]
    pub const fn above(amount: Amount) -> Self {
        Self(Some(amount))
    }

    /// The limit in these settings, in the currency with this name, of which `divisor` smallest units make one.
    ///
    /// # Errors
    /// The amount is not a whole number of smallest units.
    pub fn of(settings: &AdminConfig, divisor: u64, name: &str) -> Result<Self, AmountError> {
        let units = settings.second_person_above(divisor, name)?;
        let amount = units.map(Amount::new).transpose();
        amount.map(Self).map_err(|_| AmountError::TooLarge)
    }

    /// The amount; `None` if no operation needs a second operator.
    #[must_use]
    pub const fn amount(self) -> Option<Amount> {
        self.0
    }

    /// Whether an operation with this amount needs a second operator.
    #[must_use]
    pub fn consent(self, amount: Amount) -> Consent {
        if self.0.is_some_and(|limit| amount > limit) {
            Consent::Needed
        } else {
            Consent::NotNeeded
        }
    }
}

/// What became of an operation that may need a second operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what waits was not done"]
pub enum Asked<T> {
    /// It was carried out, now or before.
    Done(T),
    /// Nothing was changed. It waits for a second operator.
    Waits(Box<Proposal>),
}

impl<T> Asked<T> {
    /// The result of an operation that cannot wait: no limit is set, or it is below.
    ///
    /// # Panics
    /// It waits.
    pub fn done(self) -> T {
        match self {
            Self::Done(done) => done,
            Self::Waits(proposal) => panic!("it waits for a second operator: {proposal:?}"),
        }
    }
}

/// The action that proposes what this action would do.
pub(crate) fn proposing(action: Action) -> Action {
    let text = action.detail.as_ref().map_or("", ActionDetail::as_str);
    let detail = format!("{}: {text}", action.kind.word());
    Action {
        kind: ActionKind::Propose,
        detail: Some(ActionDetail::new(&detail)),
        ..action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_above_the_limit_needs_a_second_operator() {
        let amount = |units| Amount::new(units).expect("a small amount");
        let limit = SecondPersonLimit::above(amount(100));
        assert_eq!(limit.consent(amount(100)), Consent::NotNeeded);
        assert_eq!(limit.consent(amount(101)), Consent::Needed);
        assert_eq!(SecondPersonLimit::OFF.consent(Amount::MAX), Consent::NotNeeded);
    }

    #[test]
    fn the_setting_is_an_amount_of_the_currency() {
        let settings = |text: &str| AdminConfig {
            second_person_above: Some(text.to_owned()),
            ..AdminConfig::default()
        };
        let read = |text: &str| SecondPersonLimit::of(&settings(text), 100, "Cent");
        let limit = read("12.50").expect("an amount");
        assert_eq!(limit.amount().map(Amount::units), Some(1250));
        assert!(read("12.505").is_err());
        let off = SecondPersonLimit::of(&AdminConfig::default(), 100, "Cent");
        assert_eq!(off, Ok(SecondPersonLimit::OFF));
    }
}
