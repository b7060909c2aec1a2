//! The rules for descriptions of the currency, mint keys and their closings.

use opencoin_crypto::{verify_cddc, verify_mint_key_of_issuer};
use opencoin_log::batch::BATCH_CLOSINGS_MAX;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::log_block::LogBlock;
use opencoin_schema::{Cddc, Mkc, text};

use crate::finding::BrokenRule;
use crate::keys::ReplayedKey;
use crate::open_batch::ClosingLeaf;
use crate::replay::Replay;

impl Replay {
    /// Whether a description is in the log, with any signature; `None` if the log has none with its number.
    #[must_use]
    pub fn has_description(&self, cddc: &Cddc) -> Option<bool> {
        let logged = self.descriptions.get(&cddc.cdd.cdd_serial)?;
        Some(*logged == hash(cddc))
    }

    /// A description must be certified by the master key and name this log.
    pub(crate) fn see_currency(&mut self, cddc: &Cddc) {
        if let Err(reason) = self.try_see_currency(cddc) {
            self.find(self.size, BrokenRule::Description { reason });
        }
    }

    fn try_see_currency(&mut self, cddc: &Cddc) -> Result<(), String> {
        let verified = verify_cddc(cddc).map_err(|error| error.to_string())?;
        if verified.master_key() != self.description.master_key() {
            return Err("it has another master key".to_owned());
        }
        let serial = verified.cdd().cdd_serial;
        let hash = hash(cddc);
        if *self.descriptions.entry(serial).or_insert(hash) != hash {
            return Err(format!("there is another one with the serial {serial}"));
        }
        let block = LogBlock::find(&verified.cdd().additional_info).map_err(|error| error.to_string())?;
        // A currency may have had a description without a log before it got one.
        if let Some(block) = &block {
            if block.origin().as_str() != self.origin {
                return Err("it names another log".to_owned());
            }
            // A file of evidence may have any description, so none may be stricter than another one.
            let terms = |block: &LogBlock| (block.within_s(), block.batches());
            if self.block().is_some_and(|first| terms(&first) != terms(block)) {
                return Err("it changes the time that the log may take, which never changes".to_owned());
            }
        }
        if serial > self.description.cdd().cdd_serial {
            if block.is_none() {
                return Err("it no longer names the log".to_owned());
            }
            self.description = verified;
        }
        Ok(())
    }

    /// What the newest description says about the log.
    fn block(&self) -> Option<LogBlock> {
        LogBlock::find(&self.description.cdd().additional_info).ok()?
    }

    /// A mint key must be certified by the master key, and have the next number.
    pub(crate) fn see_mint_key(&mut self, key_no: KeyNo, certificate: &Mkc) {
        let index = self.size;
        let key = ReplayedKey::new(&certificate.mint_key, index, self.batch_number());
        if let Err(error) = verify_mint_key_of_issuer(certificate, &self.description) {
            let reason = error.to_string();
            self.find(index, BrokenRule::Certificate { key_no, reason });
        }
        let expected = self.keys.next_no();
        if key_no != expected {
            let declared = key_no;
            self.find(index, BrokenRule::KeyNumber { declared, expected });
        }
        if let Some(first) = self.keys.with_fingerprint(&key.fingerprint) {
            let first = first.leaf;
            self.find(index, BrokenRule::KeyTwice { key_no, first });
        }
        self.keys.add(key_no, key);
    }

    /// A key must be known when it is closed. Its counts are compared at the end of the batch.
    pub(crate) fn see_closing(&mut self, closing: ClosingLeaf) {
        if self.keys.get(closing.key_no).is_none() {
            let key_no = closing.key_no.get();
            self.find(closing.index, BrokenRule::UnknownKey { key_no });
        } else if self.open.closings.len() < BATCH_CLOSINGS_MAX {
            self.open.closings.push(closing);
        } else {
            self.find(closing.index, BrokenRule::TooManyClosings);
        }
    }
}

/// The hash of the content. The master key may have signed it twice, and its signatures are random.
fn hash(cddc: &Cddc) -> Hash {
    leaf_hash(text::compact(&cddc.cdd).as_bytes())
}
