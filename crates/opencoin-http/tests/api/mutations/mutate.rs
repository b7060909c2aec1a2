//! All mutations of a valid message.

use axum::http::{HeaderValue, Method};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::in_bytes::{InBytes, garbage, some_range};
use super::in_tree::{InTree, LONG_TEXT_CHARS_MAX};

/// The paths that accept messages. The first accepts all of them.
pub(crate) const MESSAGE_PATHS: [&str; 8] = [
    "/",
    "/cddc/serial",
    "/cddc",
    "/mkcs",
    "/mint",
    "/renew",
    "/resume",
    "/redeem",
];

const OTHER_PATHS: [&str; 12] = [
    "/health/live",
    "/health/ready",
    "/cddc/0",
    "/cddc/1",
    "/cddc/99999999999999999999",
    "/cddc/%ff",
    "/mkcs/ab",
    "/mkcs/%00",
    "/mint/",
    "//mint",
    "/%6dint",
    "/../mint",
];

const METHODS: [Method; 5] = [
    Method::GET,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
];

const SHORT_GARBAGE_BYTES_MAX: usize = 10;
const LONG_GARBAGE_BYTES_MAX: usize = 100;

/// One HTTP request.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The values of the `Authorization` headers.
    pub(crate) authorization: Vec<Vec<u8>>,
    pub(crate) body: Vec<u8>,
}

/// One mutation. They are applied in this order, because those of the tree need valid JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    None,
    Tree(InTree),
    Bytes(InBytes),
    Authorization,
    Path,
    Method,
}

impl Kind {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::None, Self::Authorization, Self::Path, Self::Method];
        all.extend(InTree::ALL.map(Self::Tree));
        all.extend(InBytes::ALL.map(Self::Bytes));
        all
    }

    /// Whether the meaning of the message stays the same.
    pub(crate) fn keeps_meaning(self) -> bool {
        match self {
            Self::None => true,
            Self::Tree(way) => way.keeps_meaning(),
            Self::Bytes(_) | Self::Authorization | Self::Path | Self::Method => false,
        }
    }

    /// Changes the message. `other` is the body of another valid message, `token` the token of another account.
    pub(crate) fn apply(self, message: &mut Message, other: &[u8], token: &str, rng: &mut StdRng) {
        match self {
            Self::None => {}
            Self::Tree(way) => way.apply(&mut message.body, other, rng),
            Self::Bytes(way) => way.apply(&mut message.body, other, rng),
            Self::Authorization => {
                message.authorization = authorization(&message.authorization, token, rng);
                // A value that is not valid in a header cannot be sent.
                message
                    .authorization
                    .retain(|value| HeaderValue::from_bytes(value).is_ok());
            }
            Self::Path => message.path = some_path(rng),
            Self::Method => message.method = METHODS.choose(rng).unwrap().clone(),
        }
    }
}

fn some_path(rng: &mut StdRng) -> String {
    let paths = [&MESSAGE_PATHS[..], &OTHER_PATHS].concat();
    let query = if rng.gen_ratio(1, 8) {
        "?type=request%20mint"
    } else {
        ""
    };
    format!("{}{query}", paths.choose(rng).unwrap())
}

fn authorization(before: &[Vec<u8>], token: &str, rng: &mut StdRng) -> Vec<Vec<u8>> {
    let first = before.first().cloned().unwrap_or_default();
    let (from, to) = some_range(first.len(), rng);
    match rng.gen_range(0..9) {
        0 => Vec::new(),
        1 => vec![first[..from].to_vec()],
        2 => vec![[&first[..from], &first[to..]].concat()],
        3 => vec![first.to_ascii_uppercase()],
        4 => vec![garbage(LONG_GARBAGE_BYTES_MAX, rng)],
        5 => vec![garbage(SHORT_GARBAGE_BYTES_MAX, rng), first],
        6 => vec![first, garbage(SHORT_GARBAGE_BYTES_MAX, rng)],
        7 => vec![format!("bEARER  {token} ").into_bytes()],
        _ => vec![b"Bearer ".to_vec(), vec![b'a'; LONG_TEXT_CHARS_MAX]],
    }
}
