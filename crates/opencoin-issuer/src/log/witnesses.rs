//! The issuer as a client of its witnesses (C2SP tlog-witness): it sends each checkpoint and gets cosignatures.
//!
//! A witness is another party's program and may answer anything. Its answer is bounded in time and size, no redirect is
//! followed, and a cosignature counts only after it was verified.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use opencoin_ledger::{LedgerError, LogStore};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::{Policy, PolicyWitness};
use opencoin_log::signature_line::{SignatureLine, parse_lines};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::witness::{AddCheckpoint, checkpoint_path, parse_size_body};
use opencoin_log::{cosignature, note::Note};
use reqwest::{Client, StatusCode};

use super::peers;
use super::reader::consistency;

/// How long a witness may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(1);
/// The most bytes of an answer. A cosignature with ML-DSA has about 3.3 kB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most times that a checkpoint is sent to a witness: again after it said which size it knows.
const ATTEMPTS_MAX: usize = 2;

/// Consistency proofs to one tree, by the sizes from which they prove.
type Proofs = HashMap<u64, Vec<Hash>>;

/// The witnesses of a log, and what each was last known to have cosigned.
pub(crate) struct Witnesses {
    client: Client,
    store: Arc<dyn LogStore>,
    /// By the text of the witness's key.
    known_sizes: Mutex<HashMap<String, u64>>,
}

/// The answer of one witness.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its name in the policy.
    pub(crate) name: String,
    /// What it said.
    pub(crate) result: Result<Vec<SignatureLine>, Refused>,
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// No answer in time, or none that makes sense.
    #[error("{0}")]
    Failed(String),
    /// The witness says that it has seen a larger tree.
    #[error("it says that it has seen {size} leaves{}", if *.is_proven { ", and shows a checkpoint that this log has signed" } else { "" })]
    Ahead {
        /// The size.
        size: u64,
        /// Whether it showed a checkpoint that our key has signed.
        is_proven: bool,
    },
    /// The witness says that this tree does not continue the one that it has seen.
    #[error("it says that this is another history than the one that it has seen")]
    OtherHistory,
    /// The proof could not be made.
    #[error("the books cannot be read: {0}")]
    Books(LedgerError),
}

impl Witnesses {
    /// # Errors
    /// When TLS cannot be initialized.
    pub(crate) fn new(store: Arc<dyn LogStore>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: peers::client(ANSWER_DURATION_MAX)?,
            store,
            known_sizes: Mutex::default(),
        })
    }

    /// Sends a checkpoint to the witnesses of a log, see [`asked`], that have a URL, at the same time.
    pub(crate) async fn ask(
        &self,
        block: &LogBlock,
        log: &VerifierKey,
        signed: &SignedCheckpoint,
    ) -> Vec<Answer> {
        self.ask_all(&asked(block), log, signed, false).await
    }

    /// Sends a checkpoint to these witnesses, as [`Self::ask`] does.
    pub(crate) async fn inform(
        &self,
        witnesses: &[PolicyWitness],
        log: &VerifierKey,
        signed: &SignedCheckpoint,
    ) -> Vec<Answer> {
        let witnesses: Vec<&PolicyWitness> = witnesses.iter().collect();
        self.ask_all(&witnesses, log, signed, false).await
    }

    /// Asks the same witnesses whether they have seen something else than this checkpoint. It is sent as the first one of
    /// the log, so only a witness that does not know the log cosigns it. An answer without lines means no objection.
    pub(crate) async fn compare(
        &self,
        block: &LogBlock,
        log: &VerifierKey,
        signed: &SignedCheckpoint,
    ) -> Vec<Answer> {
        self.ask_all(&asked(block), log, signed, true).await
    }

    async fn ask_all(
        &self,
        witnesses: &[&PolicyWitness],
        log: &VerifierKey,
        signed: &SignedCheckpoint,
        compares: bool,
    ) -> Vec<Answer> {
        let proofs = &self.usual_proofs(witnesses, signed, compares).await;
        let asked = witnesses
            .iter()
            .filter_map(|witness| Some((*witness, witness.url.as_deref()?)));
        let answers = asked.map(|(witness, url)| async move {
            Answer {
                name: witness.name.clone(),
                result: self.ask_one((witness, url), log, signed, compares, proofs).await,
            }
        });
        join_all(answers).await
    }

    /// The proofs from the sizes that the witnesses have cosigned last, which are usually the same. One that cannot be made
    /// here is made for its witness, with the reason why not.
    async fn usual_proofs(
        &self,
        witnesses: &[&PolicyWitness],
        signed: &SignedCheckpoint,
        compares: bool,
    ) -> Proofs {
        if compares {
            return Proofs::new();
        }
        let known: BTreeSet<u64> = {
            let sizes = self.sizes();
            let key = |witness: &&PolicyWitness| sizes.get(&witness.key.to_string()).copied();
            witnesses.iter().filter_map(key).collect()
        };
        let size = signed.checkpoint().size();
        let mut proofs = Proofs::new();
        for old_size in known.into_iter().filter(|old_size| *old_size <= size) {
            if let Ok(proof) = consistency(self.store.as_ref(), old_size, size).await {
                proofs.insert(old_size, proof);
            }
        }
        proofs
    }

    async fn ask_one(
        &self,
        (witness, url): (&PolicyWitness, &str),
        log: &VerifierKey,
        signed: &SignedCheckpoint,
        compares: bool,
        proofs: &Proofs,
    ) -> Result<Vec<SignatureLine>, Refused> {
        let size = signed.checkpoint().size();
        let key = witness.key.to_string();
        let known = self.sizes().get(&key).copied();
        let mut old_size = known.filter(|_| !compares).unwrap_or(0);
        for _ in 0..ATTEMPTS_MAX {
            let proof = match proofs.get(&old_size) {
                Some(proof) => proof.clone(),
                None => consistency(self.store.as_ref(), old_size, size)
                    .await
                    .map_err(Refused::Books)?,
            };
            let message = AddCheckpoint {
                old_size,
                proof,
                checkpoint: signed.clone(),
            };
            let (status, body) = self.post(url, message.to_string()).await?;
            match status {
                StatusCode::OK => {
                    let lines = verified(&witness.key, signed, &body)?;
                    self.sizes().insert(key, size);
                    return Ok(lines);
                }
                StatusCode::CONFLICT => {
                    let known = parse_size_body(&body).map_err(|error| Refused::Failed(error.to_string()))?;
                    if known > size {
                        let is_proven = self.shows_larger(url, log, signed.checkpoint()).await;
                        return Err(Refused::Ahead {
                            size: known,
                            is_proven,
                        });
                    }
                    if compares {
                        self.sizes().insert(key, known);
                        return Ok(Vec::new());
                    }
                    old_size = known;
                }
                StatusCode::UNPROCESSABLE_ENTITY => return Err(Refused::OtherHistory),
                other => return Err(Refused::Failed(format!("it answered {other}"))),
            }
        }
        Err(Refused::Failed("it does not say what it has seen".to_owned()))
    }

    async fn post(&self, url: &str, body: String) -> Result<(StatusCode, String), Refused> {
        let address = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        let sent = self.client.post(address).body(body).send().await;
        let response = sent.map_err(|error| failed(&error))?;
        let status = response.status();
        Ok((status, text(response).await?))
    }

    /// Whether the witness shows a checkpoint of a larger tree that our key has signed. Only some have this endpoint.
    async fn shows_larger(&self, url: &str, log: &VerifierKey, ours: &Checkpoint) -> bool {
        let address = format!("{}/{}", url.trim_end_matches('/'), checkpoint_path(ours.origin()));
        let Ok(response) = self.client.get(address).send().await else {
            return false;
        };
        let Some(note) = text(response)
            .await
            .ok()
            .and_then(|text| text.parse::<Note>().ok())
        else {
            return false;
        };
        let theirs = note.text().parse::<Checkpoint>();
        note.verify(std::slice::from_ref(log)).is_ok()
            && theirs.is_ok_and(|theirs| theirs.origin() == ours.origin() && theirs.size() > ours.size())
    }

    fn sizes(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.known_sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The witnesses of a log that cosign what they are sent. Auditors are not among them, unless they count for the quorum.
pub(super) fn asked(block: &LogBlock) -> Vec<&PolicyWitness> {
    let (counted, auditors) = (block.policy().names_in_quorum(), block.auditors());
    let is_asked = |name: &str| counted.contains(name) || !auditors.contains(name);
    let witnesses = block.policy().witnesses().iter();
    witnesses.filter(|witness| is_asked(&witness.name)).collect()
}

/// Whether the quorum cannot be reached without the witnesses with these names.
pub(crate) fn are_needed(policy: &Policy, names: &BTreeSet<&str>) -> bool {
    let others: BTreeSet<&str> = policy
        .witnesses()
        .iter()
        .map(|witness| witness.name.as_str())
        .filter(|name| !names.contains(name))
        .collect();
    !policy.is_satisfied(&others)
}

/// The lines of the witness in its answer, at least one, all of them verified.
fn verified(key: &VerifierKey, signed: &SignedCheckpoint, body: &str) -> Result<Vec<SignatureLine>, Refused> {
    let lines = parse_lines(body).map_err(|error| Refused::Failed(error.to_string()))?;
    let mut ours: Vec<SignatureLine> = lines.into_iter().filter(|line| line.names(key)).collect();
    ours.truncate(1);
    let is_good =
        |line: &SignatureLine| cosignature::verify(key, signed.note().text(), &line.signature).is_ok();
    if ours.iter().any(is_good) {
        Ok(ours)
    } else {
        Err(Refused::Failed("its cosignature does not verify".to_owned()))
    }
}

async fn text(response: reqwest::Response) -> Result<String, Refused> {
    peers::text(response, ANSWER_BYTES_MAX)
        .await
        .map_err(Refused::Failed)
}

fn failed(error: &reqwest::Error) -> Refused {
    Refused::Failed(peers::reason(error))
}
