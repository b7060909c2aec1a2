//! Forms in two steps: the form, and the question whether it is right.
//!
//! Both steps carry the same idempotency key, so what the form says is done once, however often it is sent, also if the
//! first answer was lost. What is wrong stands beside its field, and what was typed is kept.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::IdempotencyKey;

use crate::format::{AmountFault, Money};
use crate::forms::Fields;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page, see_other};

/// The field with the idempotency key.
const KEY_FIELD: &str = "key";

/// A form in two steps.
pub(crate) trait TwoSteps {
    /// The names of its fields.
    const FIELDS: &'static [&'static str];
    /// What it asks for.
    type Order;

    /// Reads what was typed. If something is wrong, it is noted in the draft, and there is no order.
    fn read(&self, draft: &mut Draft) -> Option<Self::Order>;

    /// Looks whether the order could be carried out now. What changes in between is found by [`Self::carry_out`].
    async fn check(&self, order: &Self::Order) -> Result<(), Refusal>;

    /// The question whether it is right.
    fn question(&self, order: &Self::Order) -> Question;

    /// What the question is about, as far as its sentence does not say it.
    fn about(&self) -> About {
        About::default()
    }

    /// Carries the order out, and returns the address of the page that says so.
    async fn carry_out(&self, key: &SentKey, order: &Self::Order) -> Result<String, Refusal>;

    /// Notes in the draft what a refusal is about, and returns the status of the page with the form. `None`: the refusal is
    /// not about the form.
    fn blame(&self, draft: &mut Draft, order: &Self::Order, refusal: &Refusal) -> Option<StatusCode>;

    /// The page with the form.
    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult;
}

/// What was typed into a form, and what is wrong with it.
pub(crate) struct Draft {
    pub(crate) key: String,
    values: Vec<(&'static str, String)>,
    faults: Vec<(&'static str, Message)>,
}

/// The idempotency key of a form that was sent, with what the form says.
pub(crate) struct SentKey {
    pub(crate) key: IdempotencyKey,
    /// The fields and their values.
    pub(crate) content: Vec<(&'static str, String)>,
}

/// What a question is about, above its button.
#[derive(Default)]
pub(crate) struct About {
    /// What somebody should know before they answer.
    pub(crate) warning: Option<Message>,
    /// Names and values.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// The question of the second step.
pub(crate) struct Question {
    pub(crate) frame: Frame,
    pub(crate) t: Messages,
    /// The bar of the page, as HTML.
    pub(crate) bar: String,
    pub(crate) form_token: String,
    pub(crate) text: Message,
    /// What happens then, and what can be done if it was wrong.
    pub(crate) explained: Message,
    pub(crate) button: &'static str,
    /// Where the answer is sent.
    pub(crate) action: String,
    /// Where the link leads that sends nothing.
    pub(crate) back: String,
}

#[derive(Template)]
#[template(path = "question.html")]
struct QuestionPage<'form> {
    frame: &'form Frame,
    t: Messages,
    question: &'form Question,
    about: About,
    draft: &'form Draft,
}

impl Draft {
    /// A form that nobody has filled in.
    pub(crate) fn fresh(key: String) -> Self {
        Self {
            key,
            values: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// What was sent.
    ///
    /// # Errors
    /// The form has no idempotency key.
    pub(crate) fn of(fields: &Fields, names: &[&'static str]) -> Result<(Self, SentKey), Refusal> {
        let key = sent_key(fields)?;
        let value = |name: &&'static str| (*name, fields.trimmed(name).to_owned());
        let values: Vec<_> = names.iter().map(value).collect();
        let draft = Self {
            key: key.as_str().to_owned(),
            values: values.clone(),
            faults: Vec::new(),
        };
        let sent = SentKey { key, content: values };
        Ok((draft, sent))
    }

    /// What was typed into a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        let value = self.values.iter().find(|(field, _)| *field == name);
        value.map_or("", |(_, value)| value)
    }

    /// What is wrong with a field.
    pub(crate) fn fault(&self, name: &str) -> Option<&Message> {
        let fault = self.faults.iter().find(|(field, _)| *field == name);
        fault.map(|(_, fault)| fault)
    }

    /// Fills in a field that nobody has typed into yet.
    pub(crate) fn fill(&mut self, name: &'static str, value: impl Into<String>) {
        self.values.push((name, value.into()));
    }

    /// Notes what is wrong with a field.
    pub(crate) fn blame(&mut self, name: &'static str, fault: impl Into<Message>) {
        self.faults.push((name, fault.into()));
    }

    /// Takes the amount that was typed into a field, or notes what is wrong with it.
    pub(crate) fn take_amount(&mut self, name: &'static str, money: &Money, t: Messages) -> Option<u64> {
        let fault: Message = match money.read(self.value(name)) {
            Ok(units) => return Some(units),
            Err(AmountFault::Form) => t.common_amount_form(money.example()),
            Err(AmountFault::Grouped) => t.common_amount_grouped().into(),
            Err(AmountFault::TooFine) => t.common_amount_too_fine().into(),
        };
        self.blame(name, fault);
        None
    }
}

/// The first step: asks whether it is right.
pub(crate) async fn check<F: TwoSteps>(form: &F, fields: &Fields) -> PageResult {
    let (mut draft, _) = Draft::of(fields, F::FIELDS)?;
    let Some(order) = form.read(&mut draft) else {
        return form.form(draft, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    if let Err(refusal) = form.check(&order).await {
        return again(form, draft, &order, refusal).await;
    }
    Ok(ask(&form.question(&order), form.about(), &draft))
}

/// The page with a question. Its form sends what the draft has.
pub(crate) fn ask(question: &Question, about: About, draft: &Draft) -> Response<Body> {
    let asked = QuestionPage {
        frame: &question.frame,
        t: question.t,
        question,
        about,
        draft,
    };
    page(StatusCode::OK, question.frame.language, &asked)
}

/// The second step: carries it out.
pub(crate) async fn confirm<F: TwoSteps>(form: &F, fields: &Fields) -> PageResult {
    let (mut draft, sent) = Draft::of(fields, F::FIELDS)?;
    let Some(order) = form.read(&mut draft) else {
        return form.form(draft, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    match form.carry_out(&sent, &order).await {
        Ok(path) => Ok(see_other(&path)),
        Err(refusal) => again(form, draft, &order, refusal).await,
    }
}

/// The form again, with what is wrong. A refusal that is not about it becomes a page of its own.
async fn again<F: TwoSteps>(form: &F, mut draft: Draft, order: &F::Order, refusal: Refusal) -> PageResult {
    match form.blame(&mut draft, order, &refusal) {
        Some(status) => form.form(draft, status).await,
        None => Err(refusal.into()),
    }
}

/// The idempotency key that was rendered into a form.
pub(crate) fn sent_key(fields: &Fields) -> Result<IdempotencyKey, Refusal> {
    let malformed = |_| Refusal::new(Reason::Malformed, "the form has no idempotency key");
    IdempotencyKey::new(fields.text(KEY_FIELD)).map_err(malformed)
}
