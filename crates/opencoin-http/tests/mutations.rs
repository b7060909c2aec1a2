//! Valid messages of every type, mutated, through the router without HTTP: no panic, no 5xx, every refusal as
//! `docs/API.md` says, and the books hold what was answered with success and nothing else.
//!
//! Part of the tests with 20,000 messages; `OPENCOIN_MUTATIONS=1000000 cargo test --release -p
//! opencoin-issuer --test mutations -- --nocapture` sends a million and shows what came of them.
//! `OPENCOIN_MUTATIONS_SEED` repeats a run that failed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

#[path = "mutations/answers.rs"]
mod answers;
#[path = "mutations/books.rs"]
mod books;
#[path = "mutations/drafts.rs"]
mod drafts;
#[path = "mutations/house.rs"]
mod house;
#[path = "mutations/in_bytes.rs"]
mod in_bytes;
#[path = "mutations/in_tree.rs"]
mod in_tree;
#[path = "mutations/mutate.rs"]
mod mutate;
#[path = "mutations/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use answers::{Answer, is_message};
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Method, Request, Uri};
use books::{book, command};
use drafts::{Draft, Drafts};
use house::{House, Moment};
use mutate::{Kind, Message};
use opencoin_audit::{AuditFacts, check};
use opencoin_schema::Request as Wanted;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tower::ServiceExt;

const MESSAGES: u64 = 20_000;
const SEED: u64 = 7;
/// The books are compared as a whole after so many messages.
const MESSAGES_PER_AUDIT: u64 = 2_500;
const MUTATIONS_MAX: usize = 3;
/// How much of a body a failure shows.
const SHOWN_BYTES_MAX: usize = 5_000;

/// Every refusal that clients can cause.
const REFUSALS: [(u16, &str); 10] = [
    (400, "malformed"),
    (401, "unauthorized"),
    (402, "insufficient-funds"),
    (404, "not-found"),
    (405, "malformed"),
    (409, "double-spend"),
    (409, "reference-conflict"),
    (410, "key-expired"),
    (413, "too-large"),
    (422, "invalid"),
];

#[tokio::test]
async fn no_mutated_message_panics_or_moves_what_it_should_not() {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let messages = number("OPENCOIN_MUTATIONS").unwrap_or(MESSAGES);
    let seed = number("OPENCOIN_MUTATIONS_SEED").unwrap_or(SEED);
    println!("seed {seed}, {messages} messages");
    let mut run = Run::new(seed).await;
    for count in 1..=messages {
        run.one().await;
        if count % MESSAGES_PER_AUDIT == 0 {
            run.audit().await;
        }
    }
    run.audit().await;
    run.report();
    // A short run, to look at a failure, need not see everything.
    if messages >= MESSAGES {
        run.check_variety();
    }
}

/// HTTP status and fixed word.
type Status = (u16, String);

struct Run {
    house: House,
    drafts: Drafts,
    rng: StdRng,
    kinds: Vec<Kind>,
    /// What the books must hold: what they held, and every command that was answered with success.
    books: AuditFacts,
    /// How often each answer came.
    by_status: BTreeMap<Status, u64>,
    /// The same by mutation; a message with several counts for each of them.
    by_kind: BTreeMap<(Kind, Status), u64>,
    /// Messages and, of them, repeated ones, that were answered with success.
    applied: u64,
    repeated: u64,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let house = House::open(&mut rng).await;
        let drafts = Drafts::new(&house.currency, &mut rng);
        let books = house.facts().await;
        Self {
            house,
            drafts,
            rng,
            kinds: Kind::all(),
            books,
            by_status: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            applied: 0,
            repeated: 0,
        }
    }

    /// Sends one message, mutated in up to [`MUTATIONS_MAX`] ways.
    async fn one(&mut self) {
        if self.drafts.needs_coins() {
            self.mint_coins().await;
        }
        let draft = self.drafts.draft(&mut self.rng);
        let other = self.drafts.draft(&mut self.rng).body;
        let holders = &self.house.holders;
        let mut message = addressed(&draft, &holders[draft.holder].token);
        if self.rng.r#gen() {
            message.path = "/".to_owned();
        }
        let mut kinds: BTreeSet<Kind> = BTreeSet::from([*self.kinds.choose(&mut self.rng).unwrap()]);
        while self.rng.gen_ratio(1, 3) && kinds.len() < MUTATIONS_MAX {
            kinds.insert(*self.kinds.choose(&mut self.rng).unwrap());
        }
        for kind in &kinds {
            let token = &holders[self.rng.gen_range(0..holders.len())].token;
            kind.apply(&mut message, &other, token, &mut self.rng);
        }
        let moment = match self.rng.gen_range(0..100) {
            0..4 => Moment::Grace,
            4..6 => Moment::Expired,
            _ => Moment::Signing,
        };
        let is_signer_away = self.rng.gen_ratio(1, 10);
        self.house.set_moment(moment);
        self.house.set_signer_away(is_signer_away);
        let answer = self.send(&message, &kinds).await;
        if draft.is_certain && moment == Moment::Signing && kinds.iter().all(|kind| kind.keeps_meaning()) {
            let _shown = Shown {
                message: &message,
                kinds: &kinds,
            };
            assert!(
                answer.is_ok(),
                "a valid message was refused: {} {:?}",
                answer.status,
                answer.body
            );
        }
        assert!(
            is_signer_away || answer.status.as_u16() != 202,
            "signatures were delayed without a reason"
        );
        let status = (answer.status.as_u16(), answer.word().unwrap_or("ok").to_owned());
        for kind in kinds {
            *self.by_kind.entry((kind, status.clone())).or_default() += 1;
        }
        *self.by_status.entry(status).or_default() += 1;
    }

    async fn mint_coins(&mut self) {
        self.house.set_moment(Moment::Signing);
        self.house.set_signer_away(false);
        let (draft, casts) = self.drafts.mint_of_coins(&self.house.currency, &mut self.rng);
        let message = addressed(&draft, &self.house.holders[draft.holder].token);
        let answer = self.send(&message, &BTreeSet::new()).await;
        self.drafts.take_coins(&self.house.currency, &casts, &answer.body);
    }

    /// Sends a message, checks the answer, and that the ledger did what the answer says.
    async fn send(&mut self, message: &Message, kinds: &BTreeSet<Kind>) -> Answer {
        let _shown = Shown { message, kinds };
        let response = self.house.router.clone().oneshot(request(message)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        };
        answer.check(message);
        self.settle(message, &answer);
        answer
    }

    fn settle(&mut self, message: &Message, answer: &Answer) {
        let mut seen = self.house.seen();
        assert!(seen.len() <= 1, "one message is one command at most");
        let wanted =
            (answer.is_ok() && is_message(message)).then(|| Wanted::from_json(&message.body).unwrap());
        let moves_money = |wanted: &Wanted| {
            matches!(
                wanted,
                Wanted::RequestMint(_) | Wanted::RequestRenew(_) | Wanted::RequestRedeem(_)
            )
        };
        let Some(wanted) = wanted.filter(moves_money) else {
            assert!(
                seen.iter().all(|(_, outcome)| outcome.is_err()),
                "what the ledger took was answered with {}",
                answer.status
            );
            return;
        };
        let (applied, outcome) = seen.pop().expect("the ledger was asked");
        if outcome.expect("the ledger took it").repeated {
            self.repeated += 1;
            return;
        }
        let first = message
            .authorization
            .first()
            .map(|value| String::from_utf8_lossy(value))
            .unwrap_or_default();
        let holder = self
            .house
            .holders
            .iter()
            .position(|holder| first.contains(&holder.token));
        assert_eq!(
            applied,
            command(&self.house, &wanted, holder),
            "the command is the one that was asked for"
        );
        self.applied += 1;
        book(&mut self.books, &applied);
        self.drafts.accepted(&wanted, holder.unwrap_or(0));
    }

    async fn audit(&self) {
        let facts = self.house.facts().await;
        assert_eq!(
            facts, self.books,
            "the books hold what was answered with success, and nothing else"
        );
        let report = check(&facts);
        assert!(report.holds(), "{report:#?}");
    }

    fn report(&self) {
        println!(
            "{} messages moved money, {} repeated one that had",
            self.applied, self.repeated
        );
        println!("{:?}", self.by_status);
        for kind in &self.kinds {
            let of_kind = self.by_kind.iter().filter(|((of, _), _)| of == kind);
            let answers: Vec<_> = of_kind
                .map(|((_, (status, word)), count)| format!("{status} {word} {count}"))
                .collect();
            println!("{kind:?}: {}", answers.join(", "));
        }
    }

    /// All kinds of answers came, and with every mutation a refusal.
    fn check_variety(&self) {
        for (status, word) in REFUSALS.into_iter().chain([(200, "ok"), (202, "ok")]) {
            assert!(
                self.by_status.contains_key(&(status, word.to_owned())),
                "{status} {word} never came"
            );
        }
        for kind in &self.kinds {
            let is_refused = self
                .by_kind
                .keys()
                .any(|(of, (status, _))| of == kind && *status >= 400);
            assert!(is_refused, "{kind:?} was never refused");
        }
        assert!(self.applied > 0 && self.repeated > 0);
    }
}

/// Shows the message that was under way when something fails.
struct Shown<'message> {
    message: &'message Message,
    kinds: &'message BTreeSet<Kind>,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Message {
                method,
                path,
                authorization,
                body,
            } = self.message;
            let headers: Vec<_> = authorization
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect();
            let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES_MAX)]);
            println!(
                "{:?}: {method} {path} {headers:?}, {} bytes: {shown}",
                self.kinds,
                body.len()
            );
        }
    }
}

fn addressed(draft: &Draft, token: &str) -> Message {
    let authorization = vec![format!("Bearer {token}").into_bytes()];
    Message {
        method: Method::POST,
        path: draft.path.to_owned(),
        authorization,
        body: draft.body.clone(),
    }
}

fn request(message: &Message) -> Request<Body> {
    let mut request = Request::new(Body::from(message.body.clone()));
    *request.method_mut() = message.method.clone();
    *request.uri_mut() = message.path.parse::<Uri>().unwrap();
    for value in &message.authorization {
        request
            .headers_mut()
            .append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    request
}
