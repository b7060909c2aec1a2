//! The public mint keys of a currency's folder, for engines that check signatures.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opencoin_crypto::PublicKey;
use opencoin_schema::BigInt;

use crate::currency::Currency;
use crate::directory::Directory;

/// The least time between two readings of the folder because of unknown keys.
const RELOAD_INTERVAL: Duration = Duration::from_millis(100);

/// The keys with a certificate in a folder, including later ones.
pub struct PublicKeys {
    directory: Directory,
    known: Mutex<Known>,
}

struct Known {
    keys: HashMap<BigInt, PublicKey>,
    files: BTreeSet<PathBuf>,
    last_look: Option<Instant>,
}

impl PublicKeys {
    /// The keys of the currency in this folder.
    #[must_use]
    pub fn new(directory: Directory, currency: &Currency) -> Self {
        let known = Known {
            keys: keys(currency),
            files: BTreeSet::new(),
            last_look: None,
        };
        Self {
            directory,
            known: Mutex::new(known),
        }
    }

    /// The key with this id. For an unknown key, reads the folder again, which blocks for a moment.
    #[must_use]
    pub fn get(&self, id: &BigInt) -> Option<PublicKey> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.keys.get(id) {
            return Some(key.clone());
        }
        let now = Instant::now();
        let is_recent = |last: Instant| now.saturating_duration_since(last) < RELOAD_INTERVAL;
        if known.last_look.is_some_and(is_recent) {
            return None;
        }
        known.last_look = Some(now);
        // The server logs why a folder cannot be read.
        let files = self
            .directory
            .certificate_files()
            .ok()
            .filter(|files| *files != known.files)?;
        known.keys = keys(&self.directory.currency().ok()?);
        known.files = files;
        known.keys.get(id).cloned()
    }
}

fn keys(currency: &Currency) -> HashMap<BigInt, PublicKey> {
    let keys = currency.mint_keys().map(|key| key.verified.public_key());
    keys.map(|key| (key.id().clone(), key.clone())).collect()
}
