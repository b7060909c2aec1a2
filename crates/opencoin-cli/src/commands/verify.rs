//! `opencoin verify`: the checks that an auditor or a careful receiver can make without the issuer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_crypto::{VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate};
use opencoin_keys::Currency;
use opencoin_schema::{AnyDocument, BigInt, Coin, Mkc, from_json};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::CoinsSecretArgs;
use opencoin_text::printable;
use serde_json::json;

use crate::coin_stack::read_document;
use crate::currency_unit::CurrencyUnit;
use crate::input::read_file;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The currency's CDDC: a cdd certificate or a response cddc.
    #[arg(long, value_name = "F")]
    cddc: PathBuf,
    /// Mint key certificates: one, a response with several, or the list that GET /mkcs returns. Can be repeated.
    #[arg(long, value_name = "F")]
    mkc: Vec<PathBuf>,
    /// The files to check: coins, coin stacks in any form, certificates, mint keys.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: CoinsSecretArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (currency, output) = (read_cddc(&arguments.cddc)?, arguments.output);
    let cdd = currency.cdd();
    let (id, serial) = (cdd.id.to_string(), cdd.cdd_serial);
    let mut findings = vec![
        json!({ "file": arguments.cddc, "ok": true, "detail": format!("CDDC, serial {serial}, id {id}") }),
    ];
    let mut lines = vec![format!(
        "ok: CDDC of \"{}\", serial {serial}, id {id}",
        printable(&cdd.currency_name)
    )];
    let mut verifier = Verifier {
        currency,
        mint_keys: BTreeMap::new(),
    };
    for path in &arguments.mkc {
        for mkc in read_mkcs(path)? {
            let said = verifier
                .add(&mkc)
                .with_context(|| format!("{}", path.display()))?;
            findings.push(json!({ "file": path, "ok": true, "detail": said }));
            lines.push(format!("ok: {said}"));
        }
    }
    let mut refused = 0;
    for path in &arguments.files {
        let checked = verifier
            .check(path, &arguments.passphrase)
            .map_err(|error| output::error_text(&error));
        let (is_ok, said) = (checked.is_ok(), checked.unwrap_or_else(|error| error));
        findings.push(json!({ "file": path, "ok": is_ok, "detail": said }));
        if is_ok {
            lines.push(format!("ok: {}: {said}", path.display()));
        } else {
            refused += 1;
            output::complain(&format!("refused: {}: {said}", path.display()));
        }
    }
    output.show(
        json!({ "verified": refused == 0, "id": id, "checks": findings }),
        lines,
    )?;
    Ok(if refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Verifies documents against a CDDC and the mint keys that were verified so far.
pub(crate) struct Verifier {
    currency: VerifiedCddc,
    mint_keys: BTreeMap<BigInt, VerifiedMintKey>,
}

impl Verifier {
    /// Uses the documents of an issuer's folder, which were verified when they were loaded.
    pub(crate) fn of(currency: &Currency) -> Self {
        let mint_keys = currency
            .mint_keys()
            .map(|key| (key.verified.public_key().id().clone(), key.verified.clone()));
        Self {
            currency: currency.current().clone(),
            mint_keys: mint_keys.collect(),
        }
    }

    fn unit(&self) -> CurrencyUnit {
        CurrencyUnit::of(self.currency.cdd())
    }

    fn add(&mut self, mkc: &Mkc) -> Result<String> {
        let verified = verify_mint_key_certificate(mkc, &self.currency)
            .with_context(|| format!("the certificate of mint key {} does not verify", mkc.mint_key.id))?;
        let coin = self.unit().show(mkc.mint_key.denomination);
        let said = format!("mint key {} signs coins of {coin}", mkc.mint_key.id);
        self.mint_keys
            .insert(verified.public_key().id().clone(), verified);
        Ok(said)
    }

    /// Checks a file and returns a description of it. The passphrase opens locked coins.
    pub(crate) fn check(&mut self, path: &Path, passphrase: &CoinsSecretArgs) -> Result<String> {
        match read_document(path, || passphrase.read())? {
            AnyDocument::Coin(coin) => {
                let value = self.coin_value(&coin)?;
                Ok(format!("a coin worth {}", self.unit().show(value)))
            }
            AnyDocument::CoinStack(stack) => self.stack(&stack.coins),
            AnyDocument::Mkc(mkc) => self.add(&mkc),
            AnyDocument::ResponseMintKeyCertificates(response) => {
                for mkc in &response.keys {
                    self.add(mkc)?;
                }
                Ok(format!("{} mint key certificates", response.keys.len()))
            }
            AnyDocument::MintKey(mint_key) => match self.mint_keys.get(&mint_key.id) {
                Some(certified) if *certified.mint_key() == mint_key => {
                    Ok("a mint key, equal to the one in its certificate".to_owned())
                }
                Some(_) => bail!("this mint key differs from the one in its certificate"),
                None => bail!("a mint key alone proves nothing; give its certificate with --mkc"),
            },
            AnyDocument::Cddc(cddc) => self.same_currency(&verify_cddc(&cddc)?),
            AnyDocument::ResponseCddc(response) => match &response.cddc {
                Some(cddc) => self.same_currency(&verify_cddc(cddc)?),
                None => bail!("this response contains no CDDC"),
            },
            other => bail!(
                "a {:?} contains no signature that could be checked",
                other.type_name()
            ),
        }
    }

    fn stack(&self, coins: &[Coin]) -> Result<String> {
        let mut serials: Vec<_> = coins.iter().map(|coin| &coin.payload).collect();
        serials.sort_by(|a, b| (&a.mint_key_id, &a.serial).cmp(&(&b.mint_key_id, &b.serial)));
        if serials.windows(2).any(|pair| pair[0] == pair[1]) {
            bail!("it contains the same coin twice");
        }
        let mut value: u64 = 0;
        for (index, coin) in coins.iter().enumerate() {
            let worth = self.coin_value(coin).with_context(|| format!("coins[{index}]"))?;
            value = value
                .checked_add(worth)
                .context("together they are worth more than a currency can hold")?;
        }
        Ok(format!(
            "{} coins worth {} together (only the issuer knows whether they are spent)",
            coins.len(),
            self.unit().show(value)
        ))
    }

    fn coin_value(&self, coin: &Coin) -> Result<u64> {
        let id = &coin.payload.mint_key_id;
        if coin.payload.issuer_id != *self.currency.master_key().id() {
            bail!("a coin of another currency: issuer {}", coin.payload.issuer_id);
        }
        let key = self
            .mint_keys
            .get(id)
            .with_context(|| format!("give the certificate of mint key {id} with --mkc"))?;
        self.currency.cipher_suite().verify_coin(key.public_key(), coin)?;
        Ok(key.mint_key().denomination)
    }

    fn same_currency(&self, other: &VerifiedCddc) -> Result<String> {
        if other.master_key() != self.currency.master_key() {
            bail!("a valid CDDC, but of another currency: {}", other.cdd().id);
        }
        Ok(format!(
            "a CDDC of the same currency, serial {}",
            other.cdd().cdd_serial
        ))
    }
}

pub(super) fn read_cddc(path: &Path) -> Result<VerifiedCddc> {
    let bytes = read_file(path)?;
    let document = AnyDocument::from_json(&bytes);
    let cddc = match document.with_context(|| format!("{} is not a valid document", path.display()))? {
        AnyDocument::Cddc(cddc) => cddc,
        AnyDocument::ResponseCddc(response) => response
            .cddc
            .with_context(|| format!("{} contains no CDDC", path.display()))?,
        other => bail!("{} is a {:?}, not a CDDC", path.display(), other.type_name()),
    };
    verify_cddc(&cddc).with_context(|| format!("the CDDC in {} does not verify", path.display()))
}

fn read_mkcs(path: &Path) -> Result<Vec<Mkc>> {
    let json = read_file(path)?;
    if json.trim_ascii_start().starts_with(b"[") {
        return from_json(&json)
            .with_context(|| format!("{} is not a list of mint key certificates", path.display()));
    }
    match AnyDocument::from_json(&json)
        .with_context(|| format!("{} is not a valid document", path.display()))?
    {
        AnyDocument::Mkc(mkc) => Ok(vec![mkc]),
        AnyDocument::ResponseMintKeyCertificates(response) => Ok(response.keys),
        other => bail!(
            "{} is a {:?}, not a mint key certificate",
            path.display(),
            other.type_name()
        ),
    }
}
