//! What a witness does with a submitted checkpoint.
//!
//! A transaction with the write lock reads what was cosigned last, decides, and stores what it is about to cosign. The
//! signatures leave only after its commit. A crash before the commit leaves the old state and no signature; a crash
//! after it leaves the new state and an answer that nobody got, and the client learns the size from the next conflict.

use std::error::Error;
use std::time::Instant;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::cosignature::CosignatureError;
use opencoin_log::note::{Note, NoteError};
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::witness::{AddCheckpoint, WitnessMessageError};
use opencoin_logging::{FailureThrottle, LogThrottle};

use crate::clock::{ClockError, Now, cosigning_time};
use crate::decide::{CheckpointRefusal, Tree, decide};
use crate::keys::WitnessKeys;
use crate::signatures::log_signatures;
use crate::store::{AcceptedLog, LastCosigned, StoreError, WitnessStore, Writing};

/// The largest tree, which is also the largest integer of the database. Proofs of larger ones are too long.
const TREE_SIZE_MAX: u64 = i64::MAX as u64;

static CLOCK: LogThrottle = LogThrottle::new();
static FAILURES: FailureThrottle = FailureThrottle::new();

/// A witness: its keys, its memory and its clock.
pub struct Witness {
    keys: WitnessKeys,
    store: WitnessStore,
    now: Now,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The request cannot be read.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// The witness does not accept checkpoints of this origin.
    #[error("the origin is unknown to this witness")]
    UnknownOrigin,
    /// There is no signature by a key of the log, or one that does not verify.
    #[error("there is no valid signature by a key of this log")]
    Signature,
    /// The checkpoint does not continue what was cosigned last.
    #[error(transparent)]
    Refused(#[from] CheckpointRefusal),
    /// The clock cannot be used.
    #[error("this witness has a problem with its clock; try again later")]
    Clock,
    /// The state cannot be read or stored, or the library does not sign.
    #[error("this witness cannot store or sign now; try again later")]
    Unavailable,
}

/// The outcome of a submission.
#[derive(Debug)]
pub struct Answered {
    /// The origin of the checkpoint, if the witness accepts it.
    pub origin: Option<String>,
    /// The cosignatures, one by each key of the witness.
    pub result: Result<Vec<SignatureLine>, AddError>,
}

impl Witness {
    /// A witness with these keys, which remembers in this database.
    #[must_use]
    pub fn new(keys: WitnessKeys, store: WitnessStore, now: Now) -> Self {
        Self { keys, store, now }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &WitnessKeys {
        &self.keys
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &WitnessStore {
        &self.store
    }

    pub(crate) fn now(&self) -> u64 {
        (self.now)()
    }

    /// Handles the body of an `add-checkpoint`.
    pub async fn add_checkpoint(&self, body: &[u8]) -> Answered {
        let nobody = |error| Answered {
            origin: None,
            result: Err(error),
        };
        let request = match parse(body) {
            Ok(request) => request,
            Err(error) => return nobody(error),
        };
        let origin = request.checkpoint.checkpoint().origin();
        match self.store.accepted(origin).await {
            Ok(Some(log)) => Answered {
                result: self.add(&log, &request).await,
                origin: Some(origin.to_owned()),
            },
            Ok(None) => nobody(AddError::UnknownOrigin),
            Err(error) => nobody(error.into()),
        }
    }

    async fn add(&self, log: &AcceptedLog, request: &AddCheckpoint) -> Result<Vec<SignatureLine>, AddError> {
        let signed = &request.checkpoint;
        let lines = log_signatures(&log.keys, signed).ok_or(AddError::Signature)?;
        let checkpoint = signed.checkpoint();
        let mut writing = self.store.write().await?;
        let last = writing.last(log.no, checkpoint.origin()).await?;
        // Removed since it was looked up.
        let last = last.ok_or(AddError::UnknownOrigin)?;
        let (known, new) = (
            last.as_ref().map_or(Tree::EMPTY, LastCosigned::tree),
            Tree::of(checkpoint),
        );
        if let Some(last) = last.as_ref().filter(|last| last.tree().contradicts(&new)) {
            let note = note(signed.note().text(), &lines)?;
            self.keep_evidence(writing, log.no, checkpoint, last, &note)
                .await?;
            decide(&known, request)?;
            unreachable!("a contradiction is never accepted");
        }
        decide(&known, request)?;
        let time = cosigning_time(self.now(), last.as_ref().map(|last| last.time))
            .map_err(|error| clock_error(checkpoint, error))?;
        let cosignatures = self.keys.cosign(time, signed.note().text())?;
        let next = LastCosigned {
            size: new.size,
            root: new.root,
            time,
            checkpoint: note(signed.note().text(), &[lines, cosignatures.clone()].concat())?.to_string(),
        };
        writing.put_last(log.no, &next).await?;
        writing.commit().await?;
        Ok(cosignatures)
    }

    /// Stores two checkpoints that contradict each other, and tells the operator once.
    async fn keep_evidence(
        &self,
        mut writing: Writing,
        no: i64,
        checkpoint: &Checkpoint,
        last: &LastCosigned,
        contradicting: &Note,
    ) -> Result<(), AddError> {
        let second = Tree::of(checkpoint);
        let is_new = writing
            .put_contradiction(
                no,
                self.now(),
                &second,
                &last.checkpoint,
                &contradicting.to_string(),
            )
            .await?;
        writing.commit().await?;
        if is_new {
            let (origin, size) = (checkpoint.origin(), checkpoint.size());
            tracing::error!(origin, size, cosigned = %last.root, other = %second.root, "ALARM: a log has signed two trees of one size with different roots; `opencoin witness evidence` shows both checkpoints");
        }
        Ok(())
    }
}

fn parse(body: &[u8]) -> Result<AddCheckpoint, AddError> {
    let text = std::str::from_utf8(body).map_err(|_| AddError::Malformed("not UTF-8".to_owned()))?;
    let request: AddCheckpoint = text
        .parse()
        .map_err(|error: WitnessMessageError| AddError::Malformed(error.to_string()))?;
    if request.checkpoint.checkpoint().size() > TREE_SIZE_MAX {
        return Err(AddError::Malformed(format!("a size above {TREE_SIZE_MAX}")));
    }
    Ok(request)
}

/// The text with these signatures alone. Lines of others are not verified, so they are not kept.
fn note(text: &str, lines: &[SignatureLine]) -> Result<Note, NoteError> {
    let mut note = Note::new(text)?;
    lines.iter().try_for_each(|line| note.add(line.clone()))?;
    Ok(note)
}

fn clock_error(checkpoint: &Checkpoint, error: ClockError) -> AddError {
    let origin = checkpoint.origin();
    if let Some(requests) = CLOCK.count(Instant::now()) {
        tracing::error!(origin, requests, %error, "ALARM: nothing is cosigned for a log: correct the clock of this machine");
    }
    AddError::Clock
}

fn unavailable(reason: &dyn Error) -> AddError {
    let reason = reason.to_string();
    if let Some(requests) = FAILURES.count(&reason, Instant::now()) {
        tracing::error!(requests, reason, "checkpoints were not cosigned");
    }
    AddError::Unavailable
}

impl From<StoreError> for AddError {
    fn from(error: StoreError) -> Self {
        unavailable(&error)
    }
}

impl From<CosignatureError> for AddError {
    fn from(error: CosignatureError) -> Self {
        unavailable(&error)
    }
}

impl From<NoteError> for AddError {
    fn from(error: NoteError) -> Self {
        Self::Malformed(error.to_string())
    }
}
