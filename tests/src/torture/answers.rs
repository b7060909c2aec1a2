//! The promises of the issuer: an accepted request stays accepted, and its signatures are always the same bytes,
//! whichever process answers.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The number of accepted requests of each kind that are repeated at the end.
const SAMPLES_MAX: usize = 100;

type Hash = [u8; 32];

/// A request that the proxy forwards.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) path: String,
    pub(super) token: Option<String>,
    pub(super) body: Vec<u8>,
}

/// An accepted mint, renew or redeem, and its signatures if they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepted {
    signatures: Option<Hash>,
}

/// All accepted requests, by transaction reference, or by the whole request if it has none. Each takes less than 100
/// bytes, so half an hour takes some megabytes.
#[derive(Default)]
pub(super) struct Answers {
    accepted: Mutex<HashMap<Hash, Accepted>>,
    samples: Mutex<HashMap<&'static str, Vec<Sent>>>,
}

/// The result of comparing an answer with earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The request was not answered like this before.
    First,
    /// The signatures are the same bytes as before.
    SameSignatures,
    /// A redeem that was accepted before was accepted again.
    SameRedeem,
    /// The answer promises nothing: it is a refusal or not about money.
    Nothing,
}

impl Answers {
    /// Whether this request was accepted before.
    pub(super) fn is_promised(&self, sent: &Sent) -> bool {
        identity(sent).is_some_and(|(_, key)| self.accepted.lock().unwrap().contains_key(&key))
    }

    /// Checks a complete answer of an issuer. `was_promised` is the result of [`Self::is_promised`] before the request was
    /// forwarded, because a concurrent request may have been accepted since.
    ///
    /// # Errors
    /// The answer breaks a promise.
    pub(super) fn observe(
        &self,
        sent: &Sent,
        was_promised: bool,
        status: u16,
        answer: &[u8],
    ) -> Result<News, String> {
        let Some((kind, key)) = identity(sent) else {
            return Ok(News::Nothing);
        };
        let mut accepted = self.accepted.lock().unwrap();
        let known = accepted.get(&key).copied();
        let now = match status {
            200 if kind == "redeem" => Accepted { signatures: None },
            200 => Accepted {
                signatures: Some(signatures(answer)?),
            },
            202 => Accepted {
                signatures: known.and_then(|known| known.signatures),
            },
            503 => return Ok(News::Nothing),
            _ if !was_promised => return Ok(News::Nothing),
            _ => {
                let answer = String::from_utf8_lossy(answer);
                return Err(format!(
                    "a {kind} was accepted before and is answered with {status} now: {answer}"
                ));
            }
        };
        accepted.insert(key, now);
        drop(accepted);
        if known.is_none() && sent.path != "/resume" {
            self.sample(kind, key, sent);
        }
        match known {
            Some(Accepted {
                signatures: Some(before),
            }) if now.signatures != Some(before) => {
                Err(format!("a {kind} that was sent again got other signatures"))
            }
            Some(Accepted { signatures: Some(_) }) if status == 200 => Ok(News::SameSignatures),
            Some(_) if kind == "redeem" => Ok(News::SameRedeem),
            _ => Ok(News::First),
        }
    }

    /// A sample of the accepted requests of a kind (`mint`, `renew`, `redeem`).
    pub(super) fn samples(&self, kind: &str) -> Vec<Sent> {
        self.samples
            .lock()
            .unwrap()
            .get(kind)
            .cloned()
            .unwrap_or_default()
    }

    /// Stores the first requests. Later ones replace an older one with a probability of 1/16, so that the sample covers the
    /// whole run.
    fn sample(&self, kind: &'static str, key: Hash, sent: &Sent) {
        let mut samples = self.samples.lock().unwrap();
        let kept = samples.entry(kind).or_default();
        if kept.len() < SAMPLES_MAX {
            kept.push(sent.clone());
        } else if key[0] < 16 {
            kept[usize::from(key[1]) % SAMPLES_MAX] = sent.clone();
        }
    }
}

fn identity(sent: &Sent) -> Option<(&'static str, Hash)> {
    let kind = match sent.path.as_str() {
        "/mint" => "mint",
        "/renew" => "renew",
        "/resume" => "resume",
        "/redeem" => "redeem",
        _ => return None,
    };
    let message: Value = serde_json::from_slice(&sent.body).ok()?;
    let mut hash = Sha256::new();
    match message["transaction_reference"].as_str() {
        Some(reference) => hash.update(reference),
        None => {
            hash.update(sent.token.as_deref().unwrap_or_default());
            hash.update(message["coins"].to_string());
        }
    }
    Some((kind, hash.finalize().into()))
}

/// The hash of the exact text of the list of signatures.
fn signatures(answer: &[u8]) -> Result<Hash, String> {
    const BEGIN: &str = "{\"blind_signatures\": [";
    const END: &str = "], \"message_reference\": ";
    let text = std::str::from_utf8(answer).map_err(|error| format!("an answer is no text: {error}"))?;
    let list = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.rsplit_once(END))
        .map(|(list, _)| list);
    let list = list.ok_or("an answer with status 200 is no compact text of a response mint")?;
    Ok(Sha256::digest(list).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(path: &str, reference: &str) -> Sent {
        let body = format!("{{\"transaction_reference\": \"{reference}\"}}").into_bytes();
        Sent {
            path: path.to_owned(),
            token: None,
            body,
        }
    }

    #[test]
    fn broken_promises_are_detected() {
        let answers = Answers::default();
        let observe = |sent: &Sent, status, answer: &[u8]| {
            answers.observe(sent, answers.is_promised(sent), status, answer)
        };
        let signed =
            |text: &str| format!("{{\"blind_signatures\": [{text}], \"message_reference\": 3}}").into_bytes();
        let (mint, resume) = (sent("/mint", "a"), sent("/resume", "a"));
        assert_eq!(observe(&mint, 503, b""), Ok(News::Nothing));
        assert_eq!(
            observe(&resume, 404, b""),
            Ok(News::Nothing),
            "nothing was promised"
        );
        assert_eq!(observe(&mint, 202, b""), Ok(News::First));
        assert!(observe(&resume, 404, b"").is_err(), "accepted and then unknown");
        assert_eq!(
            answers.observe(&resume, false, 404, b""),
            Ok(News::Nothing),
            "asked before it was accepted"
        );
        assert_eq!(observe(&resume, 200, &signed("1")), Ok(News::First));
        assert_eq!(observe(&mint, 200, &signed("1")), Ok(News::SameSignatures));
        assert_eq!(
            observe(&mint, 202, b""),
            Ok(News::First),
            "signing may be paused later"
        );
        assert!(observe(&mint, 200, &signed("2")).is_err(), "other signatures");
        assert!(observe(&sent("/renew", "b"), 200, b"nonsense").is_err());
    }
}
