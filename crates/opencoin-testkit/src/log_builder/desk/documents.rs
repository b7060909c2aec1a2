//! Descriptions, mint key certificates, and hints about the log.

use opencoin_crypto::{VerifiedMintKey, verify_mint_key_of_issuer};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_schema::{
    Cddc, Mkc, RequestCddSerial, RequestCddc, RequestMintKeyCertificates, ResponseCddSerial, ResponseCddc,
    ResponseMintKeyCertificates, text,
};

use super::{Desk, DeskAnswer};
use crate::log_builder::LogBuilder;

const STATUS: (u16, &str) = (200, "ok");

impl Desk {
    pub(super) fn serial(&self, request: &RequestCddSerial) -> DeskAnswer {
        DeskAnswer::ok(text::compact(&ResponseCddSerial {
            cdd_serial: self.cddc.cdd.cdd_serial,
            message_reference: request.message_reference,
            status_code: STATUS.0,
            status_description: STATUS.1.to_owned(),
        }))
    }

    pub(super) fn description(&self, request: &RequestCddc) -> DeskAnswer {
        DeskAnswer::ok(text::compact(&ResponseCddc {
            cddc: Some(self.cddc.clone()),
            message_reference: request.message_reference,
            status_code: STATUS.0,
            status_description: STATUS.1.to_owned(),
        }))
    }

    pub(super) fn certificates(&self, log: &LogBuilder, request: &RequestMintKeyCertificates) -> DeskAnswer {
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let keys = self.mint_keys(log).into_iter();
        let keys = keys.filter(|mkc| {
            let key = &mkc.mint_key;
            is_all
                || request.denominations.contains(&key.denomination)
                || request.mint_key_ids.contains(&key.id)
        });
        DeskAnswer::ok(text::compact(&ResponseMintKeyCertificates {
            keys: keys.collect(),
            message_reference: request.message_reference,
            status_code: STATUS.0,
            status_description: STATUS.1.to_owned(),
        }))
    }

    /// All mint keys that holders get, whether they sign now or not.
    fn mint_keys(&self, log: &LogBuilder) -> Vec<Mkc> {
        let is_replaced = |key: &VerifiedMintKey| {
            let denomination = key.mint_key().denomination;
            let mut secret = self.secret_keys.iter();
            secret.any(|secret| secret.mint_key().denomination == denomination)
        };
        let logged = log.mint_keys().into_iter().map(|(.., key)| key);
        let logged = logged.filter(|key| !is_replaced(key));
        let keys = logged.chain(self.secret_keys.iter().cloned());
        keys.map(|key| key.mkc().clone()).collect()
    }

    /// Answers a GET of a JSON or text document; `None` if there is none at this path.
    #[must_use]
    pub fn document(&self, log: &LogBuilder, path: &str) -> Option<String> {
        match path {
            "/cddc" => return Some(text::pretty(&self.cddc)),
            "/mkcs" => return Some(text::pretty(&self.mint_keys(log))),
            "/v1/mint-keys" => return Some(listed(self.mint_keys(log).iter())),
            "/v1/revocations" => return Some(listed([].iter())),
            "/v1/log/policy" => return policy(&self.cddc),
            "/v1/log/keys" => return Some(key_hints(log)),
            "/v1/log/incidents" => return Some(r#"{"incidents": [], "type": "log incidents"}"#.to_owned()),
            _ => {}
        }
        if let Some(number) = path.strip_prefix("/v1/log/batches/") {
            return batch_hint(log, number.parse().ok()?);
        }
        if let Some(serial) = path.strip_prefix("/cddc/") {
            let serial: u64 = serial.parse().ok()?;
            return (self.cddc.cdd.cdd_serial == serial).then(|| text::pretty(&self.cddc));
        }
        let id = path.strip_prefix("/mkcs/")?;
        let mut keys = self.mint_keys(log).into_iter();
        let found = keys.find(|mkc| mkc.mint_key.id.to_string() == id)?;
        Some(text::pretty(&found))
    }
}

fn listed<'key>(keys: impl Iterator<Item = &'key Mkc>) -> String {
    let keys: Vec<String> = keys
        .map(|mkc| format!(r#"{{"id": "{}"}}"#, mkc.mint_key.id))
        .collect();
    format!(r#"{{"mint_keys": [{}]}}"#, keys.join(", "))
}

fn policy(cddc: &Cddc) -> Option<String> {
    let block = LogBlock::find(&cddc.cdd.additional_info).ok()??;
    Some(format!(
        "# a batch every 60 s of at least 1 leaves, at the latest after 60 s\n{block}"
    ))
}

fn key_hints(log: &LogBuilder) -> String {
    let hints: Vec<String> = log
        .mint_keys()
        .iter()
        .map(|(key_no, index, key)| {
            let (id, key_no) = (key.public_key().id(), key_no.get());
            format!(r#"{{"id": "{id}", "index": {index}, "key_no": {key_no}}}"#)
        })
        .collect();
    format!(r#"{{"keys": [{}], "type": "log keys"}}"#, hints.join(", "))
}

fn batch_hint(log: &LogBuilder, number: usize) -> Option<String> {
    let batches = log.batches();
    let first = batches.get(number.checked_sub(1)?)?.first;
    let end = batches.get(number).map_or(log.size(), |next| next.first);
    let count = end - first;
    Some(format!(
        r#"{{"batch": {number}, "count": {count}, "first": {first}, "type": "log batch position"}}"#
    ))
}

impl LogBuilder {
    /// The mint keys in the log that the master key has certified: number, index of the leaf and certificate.
    #[must_use]
    pub fn mint_keys(&self) -> Vec<(KeyNo, u64, VerifiedMintKey)> {
        let certified = |mkc: &Mkc| verify_mint_key_of_issuer(mkc, self.cddc()).ok();
        let leaves = self.leaves.iter().zip(0..);
        leaves
            .filter_map(|(leaf, index)| match Leaf::decode(leaf) {
                Ok(Leaf::MintKey { key_no, certificate }) => Some((key_no, index, certified(&certificate)?)),
                _ => None,
            })
            .collect()
    }
}
