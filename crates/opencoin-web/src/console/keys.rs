//! The keys: those of each value of coins in the order in which they sign, what is due next, and whether they sign now.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, KeyPlace, KeyState, MintKeyOverview, MintKeysOverview};
use opencoin_text::printable;

use super::desk::{After, Bar, Desk, Done, Place};
use super::making::{self, NewKeys};
use super::timeline::{Scale, TimeLine};
use super::{signing, stopping};
use crate::address::Query;
use crate::format::{Moment, Money};
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/keys.html")]
struct KeysPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    /// What was done, and its class.
    done: Option<Done>,
    is_paused: bool,
    description: Message,
    values: Vec<Value>,
    may_change: bool,
    /// `None` if this server makes no keys.
    new_keys: Option<NewKeys>,
    /// The idempotency key of the form that pauses signing or goes on.
    key: String,
    /// Where that form is sent.
    switch: &'static str,
}

/// The keys of a value of coins.
struct Value {
    /// A number that is unique in the page.
    no: usize,
    title: Message,
    /// What its list is called.
    list: Message,
    due: Message,
    is_due: bool,
    time_line: Option<TimeLine>,
    keys: Vec<KeyLine>,
    /// How many keys have coins that have expired, if any. They are not in the list.
    older: Option<Message>,
}

/// A key as a line of a list.
struct KeyLine {
    from: Moment,
    until: Moment,
    coins_until: Moment,
    state: &'static str,
    /// The class of its state: `good`, `warn`, `bad` or nothing.
    class: &'static str,
    why_stopped: Option<Message>,
    signed: String,
    outstanding: String,
    /// The address of the form that stops it, and what the link says to those who do not see the line.
    stop: Option<(String, Message)>,
}

/// `GET /console/keys`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadKeys)?;
    let (language, t, money) = (desk.visit.language, desk.visit.messages(), desk.money(&server));
    let keys = server.issuer().mint_key_overview().await?;
    let day = |at: DateTime<Utc>| Moment::day(language, at);
    let values = keys.denominations.iter().enumerate();
    let scale = Scale::of(&keys);
    let page_of_keys = KeysPage {
        frame: desk.visit.frame(t.keys_title()),
        t,
        bar: desk.bar(&server, Some(Place::Keys)),
        done: desk.said(&after, &money).await,
        is_paused: keys.is_signing_paused,
        description: t.keys_description_until(day(keys.description_expires), day(keys.description_due)),
        values: values
            .map(|(no, (value, own))| of_value((no, *value), own, (&keys, scale.as_ref()), &desk, &money))
            .collect(),
        may_change: desk.may(AdminRight::ChangeKeys),
        new_keys: making::new_keys(&server, &keys).await,
        key: desk.new_key(),
        switch: signing::path(!keys.is_signing_paused),
    };
    Ok(page(StatusCode::OK, language, &page_of_keys))
}

fn of_value(
    (no, value): (usize, u64),
    own: &[MintKeyOverview],
    (keys, scale): (&MintKeysOverview, Option<&Scale>),
    desk: &Desk,
    money: &Money,
) -> Value {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let due = keys.rotations.get(&value);
    let is_due = due.is_some_and(|due| *due <= keys.at);
    let (older, current): (Vec<_>, Vec<_>) = own.iter().partition(|key| key.state == KeyState::Expired);
    Value {
        no,
        title: t.keys_coins_of(money.amount(value)),
        list: t.keys_list_of(money.amount(value)),
        due: match due {
            None => t.keys_no_longer_made().into(),
            Some(_) if is_due => t.keys_next_overdue().into(),
            Some(due) => t.keys_next_due(Moment::day(language, *due)),
        },
        is_due,
        time_line: scale
            .filter(|_| !current.is_empty())
            .map(|scale| TimeLine::of(scale, &current, t, language)),
        keys: current.into_iter().map(|key| line(key, desk, money)).collect(),
        older: (!older.is_empty()).then(|| t.keys_older(older.len() as u64)),
    }
}

fn line(key: &MintKeyOverview, desk: &Desk, money: &Money) -> KeyLine {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let minute = |at| Moment::minute(language, at);
    let (state, class) = match key.state {
        KeyState::Future => (t.keys_state_future(), ""),
        KeyState::Signing if key.awaits_log => (t.keys_state_waits(), "warn"),
        KeyState::Signing => (t.keys_state_signs(), "good"),
        KeyState::Accepting => (t.keys_state_ended(), ""),
        KeyState::Expired => (t.keys_state_expired(), ""),
        KeyState::Revoked => (t.keys_state_stopped(), "bad"),
        KeyState::Late => (t.keys_state_late(), "bad"),
    };
    let may_stop = desk.may(AdminRight::ChangeKeys) && stopping::can_be_stopped(key);
    let stop = may_stop.then(|| {
        let day = Moment::day(language, key.signs_until);
        let says = t.keys_stop_of(money.amount(key.denomination), day);
        (stopping::path(&key.id), says)
    });
    let reason = key.stopped.as_ref().map(|reason| printable(reason.as_str()));
    KeyLine {
        from: minute(key.signs_from),
        until: minute(key.signs_until),
        coins_until: Moment::day(language, key.coins_expire),
        state,
        class,
        why_stopped: reason.map(|reason| t.keys_why_stopped(reason)),
        signed: language.number(key.issued),
        outstanding: language.number(key.issued.saturating_sub(key.returned)),
        stop,
    }
}
