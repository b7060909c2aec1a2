//! Files of coins that wallets send to each other.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

/// A file of coins from one wallet for another.
pub(super) struct Parcel {
    path: PathBuf,
    is_contested: AtomicBool,
}

impl Parcel {
    pub(super) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Whether the file is complete.
    pub(super) fn is_whole(&self) -> bool {
        let text = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text)
            .is_ok_and(|stack: Value| stack["type"] == "coinstack" || stack["coins"].is_array())
    }

    /// Notes that the sender reclaims the coins, so that receiving them may fail.
    pub(super) fn contest(&self) {
        self.is_contested.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_contested(&self) -> bool {
        self.is_contested.load(Ordering::SeqCst)
    }

    pub(super) fn discard(&self) {
        // It may not exist.
        let _ = fs::remove_file(&self.path);
    }
}

/// The files that wallets have sent and not received yet.
pub(super) struct Mailbox {
    folder: PathBuf,
    made: AtomicU64,
    parcels: Mutex<Vec<Arc<Parcel>>>,
}

impl Mailbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            made: AtomicU64::new(0),
            parcels: Mutex::default(),
        }
    }

    /// A new parcel, without its file.
    pub(super) fn parcel(&self) -> Arc<Parcel> {
        let path = self
            .folder
            .join(format!("{}.oc", self.made.fetch_add(1, Ordering::SeqCst)));
        Arc::new(Parcel {
            path,
            is_contested: AtomicBool::new(false),
        })
    }

    pub(super) fn put(&self, parcel: Arc<Parcel>) {
        self.parcels.lock().unwrap().push(parcel);
    }

    pub(super) fn take(&self, rng: &mut StdRng) -> Option<Arc<Parcel>> {
        let mut parcels = self.parcels.lock().unwrap();
        let count = parcels.len();
        (count > 0).then(|| parcels.swap_remove(rng.gen_range(0..count)))
    }
}
