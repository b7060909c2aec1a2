//! Files of evidence: their text, and what a file proves.

use opencoin_crypto::PublicKey;
use opencoin_log::digest::KeyFingerprint;
use opencoin_schema::Cddc;
use opencoin_text::printable;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use crate::claim::{Accused, Claim, Verdict};
use crate::error::EvidenceError;
use crate::keys::LogKeys;

/// The value of the field `type`.
const TYPE: &str = "log evidence";
/// The longest file. Most have less than 30 kB.
pub const EVIDENCE_BYTES_MAX: usize = 1024 * 1024;

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Evidence {
    /// Names the log's keys and witnesses.
    cdd: Box<Cddc>,
    claim: Claim,
}

/// What a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEvidence {
    /// The field `kind` of the file.
    pub kind: &'static str,
    /// What follows from it.
    pub verdict: Verdict,
    /// The name of the currency.
    pub currency: String,
    /// The id of the currency's master key. The evidence is against the holder of this key.
    pub master_key: String,
    /// The SHA-256 of that key's compact text, in hex.
    pub master_key_fingerprint: String,
    /// Who has broken the rules, if the verdict is a fault.
    pub accused: Accused,
    /// The number of the currency's description in the file.
    pub cdd_serial: u64,
    /// The name of the log.
    pub log: String,
    /// What it proves, for people.
    pub statement: String,
}

pub(crate) fn too_long() -> EvidenceError {
    EvidenceError::Form("it would be too long".to_owned())
}

/// Verifies the text of a file, with nothing else than the file. Whether its master key is the issuer's is left to the
/// reader.
///
/// # Errors
/// The text is not evidence, or it proves nothing.
pub fn check_evidence(json: &[u8]) -> Result<CheckedEvidence, EvidenceError> {
    Evidence::parse(json)?.check()
}

/// The SHA-256 of a master key's compact text, in hex. It names the key more strictly than its id, a SHA-1.
#[must_use]
pub fn master_key_fingerprint(master_key: &PublicKey) -> String {
    const_hex::encode(KeyFingerprint::of(master_key.document()).as_bytes())
}

impl Evidence {
    /// Evidence under the description of the currency that names the log's keys.
    ///
    /// # Errors
    /// It does not hold: it would convince nobody.
    pub fn new(cdd: Cddc, mut claim: Claim) -> Result<Self, EvidenceError> {
        let keys = LogKeys::of(&cdd)?;
        claim.tidy(&keys);
        let cdd = Box::new(cdd);
        let evidence = Self { cdd, claim };
        if evidence.to_json().len() > EVIDENCE_BYTES_MAX {
            return Err(too_long());
        }
        evidence.check_with(&keys)?;
        Ok(evidence)
    }

    /// Reads the text of a file. Each evidence has exactly one text. The last line may lack its end.
    ///
    /// # Errors
    /// The text is not evidence. Whether it holds is not checked.
    pub fn parse(json: &[u8]) -> Result<Self, EvidenceError> {
        let form = |reason: &str| EvidenceError::Form(reason.to_owned());
        if json.len() > EVIDENCE_BYTES_MAX {
            return Err(form("it is too long"));
        }
        if json.trim_ascii().is_empty() {
            return Err(form("it is empty"));
        }
        let evidence: Self = serde_json::from_slice(json).map_err(|error| match error.classify() {
            Category::Data => form(&error.to_string()),
            _ => form("it is not JSON"),
        })?;
        let line = json.strip_suffix(b"\n").unwrap_or(json);
        if evidence.to_json().trim_end().as_bytes() == line {
            Ok(evidence)
        } else {
            Err(form(
                "it is not written as such files are: one line, with its fields in the order of the alphabet and \
                 nothing else",
            ))
        }
    }

    /// What it is evidence of: the field `kind` of its file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.claim.kind()
    }

    /// What it says.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The description that names the log's keys. Its signature is verified by [`check`](Self::check).
    #[must_use]
    pub fn cdd(&self) -> &Cddc {
        &self.cdd
    }

    /// Verifies the evidence.
    ///
    /// # Errors
    /// It proves nothing.
    pub fn check(&self) -> Result<CheckedEvidence, EvidenceError> {
        self.check_with(&LogKeys::of(&self.cdd)?)
    }

    /// Verifies the evidence with the keys of its description.
    fn check_with(&self, keys: &LogKeys) -> Result<CheckedEvidence, EvidenceError> {
        Ok(CheckedEvidence {
            kind: self.kind(),
            verdict: self.claim.verdict(),
            statement: self.claim.check(keys)?,
            currency: printable(&keys.cddc.cdd().currency_name),
            master_key: keys.cddc.master_key().id().to_string(),
            master_key_fingerprint: master_key_fingerprint(keys.cddc.master_key()),
            accused: self.claim.accused(keys)?,
            cdd_serial: keys.cddc.cdd().cdd_serial,
            log: keys.block.origin().as_str().to_owned(),
        })
    }

    /// The text of its file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let value = Value::from(self.clone());
        format!("{value}\n")
    }
}

impl From<Evidence> for Value {
    fn from(evidence: Evidence) -> Self {
        let mut value = serde_json::to_value(&evidence.claim).expect("claims have string keys");
        value["type"] = TYPE.into();
        value["cdd"] = serde_json::to_value(&evidence.cdd).expect("certificates have string keys");
        value
    }
}

impl TryFrom<Value> for Evidence {
    type Error = String;

    fn try_from(mut value: Value) -> Result<Self, String> {
        let object = value.as_object_mut().ok_or("not a JSON object")?;
        if object.remove("type").is_none_or(|found| found != TYPE) {
            return Err(format!("its type is not {TYPE:?}"));
        }
        let cdd = object
            .remove("cdd")
            .ok_or("it has no description of the currency")?;
        Ok(Self {
            cdd: serde_json::from_value(cdd).map_err(|error| error.to_string())?,
            claim: serde_json::from_value(value).map_err(|error| error.to_string())?,
        })
    }
}
