//! The public mint keys of a currency's folder, for engines that check what they sign.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opencoin_crypto::PublicKey;
use opencoin_schema::BigInt;

use crate::currency::Currency;
use crate::directory::Directory;

/// How often the folder is looked at, at most, because of a key that is not known.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Looks keys up among the certificates of a folder; those that appear later are found as well.
pub struct PublicKeys {
    directory: Directory,
    known: Mutex<Known>,
}

struct Known {
    keys: HashMap<BigInt, PublicKey>,
    files: BTreeSet<PathBuf>,
    looked: Option<Instant>,
}

impl PublicKeys {
    /// The keys of this currency, which lies in this folder.
    #[must_use]
    pub fn new(directory: Directory, currency: &Currency) -> Self {
        let known = Known {
            keys: keys(currency),
            files: BTreeSet::new(),
            looked: None,
        };
        Self {
            directory,
            known: Mutex::new(known),
        }
    }

    /// The key with this id. One that is not known is looked for in the folder, which blocks for a moment.
    #[must_use]
    pub fn get(&self, id: &BigInt) -> Option<PublicKey> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.keys.get(id) {
            return Some(key.clone());
        }
        let now = Instant::now();
        if known
            .looked
            .is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_PAUSE)
        {
            return None;
        }
        known.looked = Some(now);
        // A folder that cannot be read now has nothing new; the server's own log says why.
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
