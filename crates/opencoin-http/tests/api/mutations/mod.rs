//! Sends valid messages of every type with random mutations through the router, without a network. No message may
//! cause a panic or a 5xx; every refusal must be as `docs/API.md` says; and the ledger must have applied exactly the
//! requests that succeeded.
//!
//! The usual run sends 20,000 messages. `OPENCOIN_MUTATIONS=1000000 cargo test --release -p opencoin-http --test api
//! mutations -- --nocapture` sends a million and prints how each mutation was answered.
//! `OPENCOIN_MUTATIONS_SEED` repeats a failed run.

#![expect(clippy::print_stdout, reason = "a run prints its seed and its report")]

mod answers;
mod books;
mod drafts;
mod in_bytes;
mod in_tree;
mod mutate;
mod test_issuer;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use answers::{Answer, REFUSALS, is_message};
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Method, Request, Uri};
use books::{book, command};
use drafts::{Draft, Drafts};
use mutate::{Kind, Message};
use opencoin_audit::{AuditFacts, check};
use opencoin_schema::Request as Wanted;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use test_issuer::{Moment, TestIssuer};
use tower::ServiceExt;

const MESSAGES: u64 = 20_000;
const SEED: u64 = 7;
/// How many messages are sent between two comparisons of all books.
const MESSAGES_PER_AUDIT: u64 = 2_500;
const MUTATIONS_MAX: usize = 3;
/// The most bytes of a body that a failure prints.
const SHOWN_BYTES_MAX: usize = 5_000;

#[tokio::test]
async fn mutated_messages_cause_no_panic_and_no_wrong_booking() {
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
    // A short run that repeats a failure does not see every answer.
    if messages >= MESSAGES {
        run.check_variety();
    }
}

/// HTTP status and fixed word.
type Status = (u16, String);

struct Run {
    issuer: TestIssuer,
    drafts: Drafts,
    rng: StdRng,
    kinds: Vec<Kind>,
    /// The expected books: those at the start, with every command whose request succeeded.
    books: AuditFacts,
    /// The number of each answer.
    by_status: BTreeMap<Status, u64>,
    /// The number of each answer by mutation; a message with several mutations counts for each.
    by_kind: BTreeMap<(Kind, Status), u64>,
    /// Successful messages that moved money, and successful repetitions.
    applied: u64,
    repeated: u64,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let issuer = TestIssuer::open(&mut rng).await;
        let drafts = Drafts::new(issuer.currency, &mut rng);
        let books = issuer.facts().await;
        Self {
            issuer,
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
        let holders = &self.issuer.holders;
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
        self.issuer.set_moment(moment);
        self.issuer.set_signer_away(is_signer_away);
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
        self.issuer.set_moment(Moment::Signing);
        self.issuer.set_signer_away(false);
        let (draft, blinded) = self.drafts.mint_of_coins(self.issuer.currency, &mut self.rng);
        let message = addressed(&draft, &self.issuer.holders[draft.holder].token);
        let answer = self.send(&message, &BTreeSet::new()).await;
        self.drafts
            .take_coins(self.issuer.currency, &blinded, &answer.body);
    }

    /// Sends a message, checks the answer, and checks that the ledger did what the answer says.
    async fn send(&mut self, message: &Message, kinds: &BTreeSet<Kind>) -> Answer {
        let _shown = Shown { message, kinds };
        let response = self
            .issuer
            .router
            .clone()
            .oneshot(request(message))
            .await
            .unwrap();
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
        let mut seen = self.issuer.seen();
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
            .issuer
            .holders
            .iter()
            .position(|holder| first.contains(&holder.token));
        assert_eq!(
            applied,
            command(&self.issuer, &wanted, holder),
            "the command is the one that was asked for"
        );
        self.applied += 1;
        book(&mut self.books, &applied);
        self.drafts.accepted(&wanted, holder.unwrap_or(0));
    }

    async fn audit(&self) {
        let facts = self.issuer.facts().await;
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

    /// Checks that every kind of answer came, and that every mutation was refused at least once.
    fn check_variety(&self) {
        let refusals = REFUSALS.into_iter().filter(|(status, _)| *status != 503);
        for (status, word) in refusals.chain([(200, "ok"), (202, "ok")]) {
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

/// Prints the current message when a check fails.
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
